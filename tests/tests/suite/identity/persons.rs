//! What is asked of the provider about a person, what is kept of it, and how old a person must be.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeZone, Utc};
use platform::{Clock, ManualClock};
use serde_json::json;
use tests::{Options, Server};

use super::store::rows;
use super::world::{
    LOGIN, Node, ask, assert_refused, begin, come_back, made_up, people, session, until_callback,
};

#[tokio::test]
async fn every_sign_in_asks_for_the_same_with_secrets_of_its_own() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let mut secrets = BTreeSet::new();
    for _ in 0..20 {
        let asked = begin(&mut browser).await;
        let parameter = |name: &str| {
            let mut told = asked.query_pairs().filter(|(key, _)| key == name);
            let value = told.next().unwrap_or_else(|| panic!("{name} is missing: {asked}")).1.into_owned();
            assert!(told.next().is_none(), "{name} comes twice");
            value
        };
        assert_eq!(asked.path(), "/simulator/authorize");
        assert_eq!(parameter("response_type"), "code");
        assert_eq!(parameter("client_id"), "front-door");
        assert_eq!(parameter("redirect_uri"), server.at("/auth/callback/login"));
        assert_eq!(parameter("code_challenge_method"), "S256");
        assert_eq!(parameter("vtr"), r#"["P0.Cp","P5.Cp.Cd","P5.Cp.Ck","P9.Cp.Cd","P9.Cp.Ck","P9.Cm"]"#);
        let scopes = parameter("scope");
        let scopes: BTreeSet<&str> = scopes.split(' ').collect();
        assert_eq!(scopes, BTreeSet::from(["openid", "profile", "profile_extended", "email"]));
        for name in ["state", "nonce", "code_challenge"] {
            let secret = parameter(name);
            assert_eq!(secret.len(), 43, "{name} has 256 bits");
            assert!(secrets.insert(secret), "{name} is not new");
        }
        assert!(!asked.as_str().contains(&browser.cookie(LOGIN).expect("the sign-in cookie")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_goes_back_with_its_verifier_and_nothing_that_is_not_needed() {
    let Some(node) = Node::forging() else { return };
    let options = Options { issuer: Some(node.issuer.clone()), ..Options::default() };
    let server = Server::with(options).await;
    let mut browser = server.browser();
    let authorize = begin(&mut browser).await;
    let callback = ask(&mut browser, authorize).await;
    assert_eq!(come_back(&server, &mut browser, callback).await.0.status, 303);
    let log = node.log().await;
    let call = &log["token_requests"][0];
    assert_eq!(
        call["parameters"],
        json!([
            "client_assertion",
            "client_assertion_type",
            "client_id",
            "code",
            "code_verifier",
            "grant_type",
            "redirect_uri"
        ])
    );
    assert_eq!((&call["code_known"], &call["verifier_fits"]), (&json!(true), &json!(true)));
    assert_eq!(call["redirect_uri"], json!(server.at("/auth/callback/login")));
    assert_eq!(call["authorization_header"], json!(false));
    assert_eq!(log["userinfo_requests"], json!([{ "known": true }]));
}

#[tokio::test]
async fn the_store_holds_no_secret_of_a_browser_and_nobodys_name_in_the_clear() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P9).await;
    let page = browser.get("/account").await;
    let person = made_up(people::P9).persona;
    assert!(page.body.contains(&person.family_name), "the page greets them");
    let pending = until_callback(&mut browser, people::P9).await;
    let state = pending.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    let secrets = [
        browser.session().expect("signed in"),
        browser.cookie(LOGIN).expect("the sign-in cookie"),
        browser.csrf_token().await,
        state,
        person.nhs_number.expose().to_owned(),
        person.family_name.clone(),
        person.birth_date.to_string(),
    ];
    let kept = rows(server.app().db.read(), |_, _| true).await;
    let rows: Vec<_> =
        kept.iter().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row))).collect();
    assert!(rows.iter().any(|(table, _)| *table == "sign_in_attempt"), "the attempt under way is there");
    for secret in secrets {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
        for (table, row) in &rows {
            let upper = row.to_uppercase();
            assert!(!row.contains(&secret) && !upper.contains(&hex), "{table} holds a secret in the clear");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_may_sign_in_from_their_thirteenth_birthday_in_england() {
    let Some(node) = Node::forging() else { return };
    let at = |day: u32, hour: u32| -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 7, day, hour, 30, 0).single().expect("a moment that exists")
    };
    let clock = ManualClock::new(at(1, 12));
    let options =
        Options { clock: Some(clock.clone()), issuer: Some(node.issuer.clone()), ..Options::default() };
    let server = Server::with(options).await;
    // Born on 2 July 2013. Half past eleven at night UTC on the 1st is half past midnight on the 2nd in London.
    for (now, allowed) in [(at(1, 12), false), (at(1, 22), false), (at(1, 23), true), (at(2, 12), true)] {
        clock.set(now);
        node.tell("/test/mode", &json!({ "clock": clock.now().timestamp() })).await;
        let claims = json!({ "birthdate": "2013-07-02" });
        node.tell("/test/case", &json!({ "case": "control", "sub": "thirteen", "claims": claims })).await;
        let mut browser = server.browser();
        let authorize = begin(&mut browser).await;
        let callback = ask(&mut browser, authorize).await;
        let answer = come_back(&server, &mut browser, callback).await;
        if allowed {
            assert_eq!(answer.0.status, 303, "{now}: {}", answer.0.body);
        } else {
            assert_refused(&answer, 403, &["under_age"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_up_that_does_not_reach_p9_changes_nothing() {
    let Some(node) = Node::forging() else { return };
    let options = Options { issuer: Some(node.issuer.clone()), ..Options::default() };
    let server = Server::with(options).await;
    // A strong sign-in of somebody whose identity was only ever matched.
    node.tell("/test/case", &json!({ "case": "proofing_level_lower" })).await;
    let mut browser = server.browser();
    let authorize = begin(&mut browser).await;
    let callback = ask(&mut browser, authorize).await;
    assert_eq!(come_back(&server, &mut browser, callback).await.0.status, 303);
    assert_eq!(session(&mut browser).await["assurance"], "P5");
    let before = browser.session();
    let begun = browser.submit("/auth/step-up", &[("return_to", "/account")]).await;
    let callback = ask(&mut browser, begun.location().expect("the provider's address")).await;
    let answer = come_back(&server, &mut browser, callback).await;
    assert_refused(&answer, 403, &["step_up_not_reached"]);
    assert_eq!(browser.session(), before);
    assert_eq!(session(&mut browser).await["assurance"], "P5");
}
