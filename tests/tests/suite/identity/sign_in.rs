//! A whole sign-in, and what the provider sees of it.

use std::collections::{BTreeSet, HashSet};
use std::process::Command;
use std::sync::Arc;

use chrono::Duration;
use futures::StreamExt;
use futures::future::join_all;
use platform::ManualClock;
use reqwest::Method;
use sea_orm::Database;
use serde_json::{Value, json};
use tests::{Browser, Options, Process, Reply, Server, Store, fresh_store};

use super::store::{count, rows};
use super::world::{
    Node, SESSION, ask, begin, beside_certified, certified_config, come_back, free_port, people, session,
    sign_in_certified, simulator, simulator_report, until_callback,
};

/// Every mark of a session's cookie, and no other.
pub fn check_session_cookie(line: &str) {
    let mut parts = line.split("; ");
    let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie");
    assert_eq!(name, SESSION);
    assert_eq!(value.len(), 43, "256 bits");
    let marks: BTreeSet<String> = parts.map(str::to_lowercase).collect();
    let expected = ["path=/", "httponly", "secure", "samesite=lax"].map(str::to_owned);
    assert_eq!(marks, BTreeSet::from(expected), "{line}");
}

fn session_cookies(replies: &[Reply]) -> Vec<String> {
    replies.iter().flat_map(Reply::set_cookies).filter(|cookie| cookie.starts_with(SESSION)).collect()
}

/// Everything an answer of ours says, as text.
fn said(reply: &Reply) -> String {
    format!("{} {:?} {}", reply.status, reply.headers, reply.body)
}

#[tokio::test]
async fn case_01_full_sign_in_ends_with_a_host_cookie_at_the_simulator() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let reply = browser.sign_in_to(people::P9, "/waiting-times").await;
    assert_eq!((reply.status, reply.url.path()), (200, "/waiting-times"), "{}", reply.body);
    let cookies = session_cookies(&browser.seen);
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    check_session_cookie(&cookies[0]);
    let callback = browser.seen.iter().find(|reply| reply.url.path() == "/auth/callback/login");
    assert_eq!(callback.expect("the browser came back").header("cache-control"), "no-store");
    let said = session(&mut browser).await;
    assert_eq!((&said["assurance"], &said["record_linked"]), (&json!("P9"), &json!(true)));
    assert_eq!(browser.api(Method::GET, "/v1/profile", &[]).await.status, 200);
}

/// The binary as it is shipped, with every log line it can write.
fn shipped(store: &Store, issuer: &str, port: u16) -> Process {
    let settings = store.settings();
    let process = Process::start(
        Command::new(env!("CARGO_BIN_EXE_front-door-under-test"))
            .arg("--data-dir")
            .arg(store.folder())
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .env("FRONT_DOOR__IDENTITY__ISSUER", issuer)
            .env("FRONT_DOOR__DATABASE__URL", &settings.database.url)
            .env("FRONT_DOOR__CACHE__URL", &settings.cache.url)
            .env("FRONT_DOOR__CACHE__PREFIX", &settings.cache.prefix)
            .env("FRONT_DOOR__METRICS__LISTEN", "")
            .env("FRONT_DOOR__LOG__FILTER", "trace"),
    );
    let _ready = process.line(|line| line.contains(&port.to_string()));
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_01_full_sign_in_ends_with_a_host_cookie_and_no_token_leaks() {
    let store = Arc::new(fresh_store().await);
    let port = free_port();
    let Some(node) = Node::certified(&certified_config(&store, port, people::P9)) else { return };
    let process = shipped(&store, &node.issuer, port);
    let base = format!("http://127.0.0.1:{port}");
    let mut browser = Browser::new(&base);

    let reply = sign_in_certified(&mut browser, people::P9).await;
    assert_eq!((reply.status, reply.url.as_str()), (200, format!("{base}/").as_str()), "{}", reply.body);
    let ours = |browser: &Browser| -> Vec<Reply> {
        browser.seen.iter().filter(|reply| reply.url.as_str().starts_with(&base)).cloned().collect()
    };
    let cookies = session_cookies(&ours(&browser));
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    check_session_cookie(&cookies[0]);
    assert_eq!(session(&mut browser).await["record_linked"], json!(true), "NHS number and birth date came");
    for path in ["/", "/account", "/account/sessions", "/waiting-times", "/session-ending", "/no-such-page"] {
        browser.get(path).await;
    }
    for path in ["/v1/profile", "/v1/sessions", "/v1/waiting-times", "/_status"] {
        browser.api(Method::GET, path, &[]).await;
    }
    // A second code is spent on a failure, so that the pages about failures are looked at too.
    let callback = browser.seen.iter().rev().find(|reply| reply.url.path() == "/auth/callback/login");
    let callback = callback.expect("the browser came back").url.clone();
    assert_eq!(browser.send(Method::GET, callback, &[("accept", "text/html")], None).await.status, 400);

    let issued: Vec<String> = serde_json::from_value(node.log().await["issued"].clone()).expect("a list");
    let long: Vec<&String> = issued.iter().filter(|secret| secret.len() >= 20).collect();
    // A code, an assertion, an id token, an access token and a refresh token.
    assert!(long.len() >= 5, "{}", long.len());
    let ours = ours(&browser);
    assert!(ours.len() > 12, "{}", ours.len());
    let db = Database::connect(store.database_url()).await.expect("the database");
    let kept = rows(&db, |_, _| true).await;
    until_quiet(&process);
    let lines: Vec<String> = process.said().into_iter().chain(process.complained()).collect();
    assert!(lines.iter().any(|line| line.contains("/auth/callback/{provider}")), "the log lines are caught");
    for secret in long {
        for reply in &ours {
            assert!(!said(reply).contains(secret.as_str()), "{} tells a secret", reply.url.path());
        }
        for line in &lines {
            assert!(!line.contains(secret.as_str()), "a log line tells a secret: {line}");
        }
        for (table, rows) in &kept {
            assert!(!rows.iter().any(|row| row.contains(secret.as_str())), "{table} keeps a secret");
        }
    }
}

/// Waits until no line comes any more.
fn until_quiet(process: &Process) {
    let mut before = usize::MAX;
    while before != process.complained().len() {
        before = process.complained().len();
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// The assertions of the provider's log: header and claims.
fn check_assertion(alg: &Value, kid: &Value, claims: &Value, expected_kid: &str, endpoint: &str) -> String {
    assert_eq!(alg, "RS512");
    assert_eq!(kid, expected_kid);
    assert_eq!(claims["iss"], "front-door");
    assert_eq!(claims["sub"], "front-door");
    assert_eq!(claims["aud"], endpoint);
    let seconds = |name: &str| claims[name].as_i64().expect("seconds");
    let life = seconds("exp") - seconds("iat");
    assert!((1..=60).contains(&life), "{life}");
    let jti = claims["jti"].as_str().expect("a jti").to_owned();
    assert!(jti.len() >= 22, "{jti}");
    jti
}

fn client_kid(server: &Server) -> String {
    let path = server.store().settings().client_key_path();
    platform::keys::RsaKey::load(&path).expect("the client key").0.kid().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_02_assertions_are_short_lived_and_never_repeat_over_1000_sign_ins() {
    const SIGN_INS: usize = 1_000;
    const AT_ONCE: usize = 4;
    let server = Server::start().await;
    // Forced retries: the token endpoint fails, the person tries again.
    simulator(&server, json!({ "fail": { "token": 503 } })).await;
    for _ in 0..10 {
        let mut browser = server.browser();
        let callback = until_callback(&mut browser, people::P9).await;
        assert_eq!(come_back(&server, &mut browser, callback).await.0.status, 503);
    }
    simulator(&server, json!({ "fail": {} })).await;
    let many = (0..AT_ONCE).map(|_| async {
        for _ in 0..SIGN_INS / AT_ONCE {
            let mut browser = server.browser();
            let callback = until_callback(&mut browser, people::P9).await;
            let reply = browser.send(Method::GET, callback, &[("accept", "text/html")], None).await;
            assert_eq!(reply.status, 303, "{}", reply.body);
        }
    });
    join_all(many).await;
    let report = simulator_report(&server).await;
    let calls = report["token_calls"].as_array().expect("calls");
    assert_eq!(calls.len(), SIGN_INS + 10);
    let endpoint = server.at("/simulator/token");
    let kid = client_kid(&server);
    let jtis: HashSet<String> =
        calls.iter().map(|call| check_assertion(&call["alg"], &call["kid"], call, &kid, &endpoint)).collect();
    assert_eq!(jtis.len(), calls.len(), "no jti came twice");
    assert_eq!(calls.iter().filter(|call| call["outcome"] == "fault").count(), 10);
    assert_eq!(count(&server, "account").await, 1, "one person, one account");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_02_a_certified_provider_accepts_every_assertion() {
    const SIGN_INS: usize = 25;
    let Some((server, node)) = beside_certified(people::P9).await else { return };
    for _ in 0..SIGN_INS {
        let mut browser = server.browser();
        let reply = sign_in_certified(&mut browser, people::P9).await;
        assert_eq!((reply.status, reply.url.path()), (200, "/"), "{}", reply.body);
    }
    let log = node.log().await;
    let calls = log["token_requests"].as_array().expect("calls");
    assert_eq!(calls.len(), SIGN_INS);
    let endpoint = format!("{}/token", node.issuer);
    let kid = client_kid(&server);
    let mut jtis = HashSet::new();
    for call in calls {
        assert_eq!(call["status"], 200, "{call}");
        assert_eq!(call["authorization_header"], json!(false), "the assertion is the only credential");
        let (header, claims) = (&call["assertion"]["header"], &call["assertion"]["claims"]);
        jtis.insert(check_assertion(&header["alg"], &header["kid"], claims, &kid, &endpoint));
    }
    assert_eq!(jtis.len(), SIGN_INS);
    for asked in log["authorizations"].as_array().expect("authorizations") {
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["nonce"].is_string() && asked["state"].is_string() && asked["vtr"].is_string());
    }
    assert_eq!(log["discovery_fetches"], 1);
}

#[tokio::test]
async fn case_03_a_rotated_key_is_fetched_once_at_the_simulator() {
    let server = Server::start().await;
    server.signed_in(people::P9).await;
    let fetches = async || simulator_report(&server).await["calls"]["jwks"].as_u64().expect("a count");
    let before = fetches().await;
    simulator(&server, json!({ "rotate_key": true })).await;
    let mut browser = server.signed_in(people::P9).await;
    assert_eq!(session(&mut browser).await["assurance"], "P9");
    server.signed_in(people::OTHER_P9).await;
    assert_eq!(fetches().await, before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_03_a_rotated_key_is_fetched_once_at_a_certified_provider() {
    let Some((server, node)) = beside_certified(people::P9).await else { return };
    let reply = sign_in_certified(&mut server.browser(), people::P9).await;
    assert_eq!(reply.url.path(), "/", "{}", reply.body);
    let before = node.log().await["jwks_fetches"].as_u64().expect("a count");
    node.tell("/test/rotate", &json!({})).await;
    for _ in 0..3 {
        let reply = sign_in_certified(&mut server.browser(), people::P9).await;
        assert_eq!((reply.status, reply.url.path()), (200, "/"), "{}", reply.body);
    }
    let log = node.log().await;
    assert_eq!(log["jwks_fetches"].as_u64(), Some(before + 1));
    assert_eq!(log["discovery_fetches"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_03_made_up_key_ids_fetch_keys_once_a_minute_at_most() {
    const TOKENS: usize = 170;
    let Some(node) = Node::forging() else { return };
    let clock = ManualClock::new(Server::some_noon());
    let set_clock = async || {
        use platform::Clock;
        node.tell("/test/mode", &json!({ "clock": clock.now().timestamp() })).await;
    };
    set_clock().await;
    let options =
        Options { clock: Some(clock.clone()), issuer: Some(node.issuer.clone()), ..Options::default() };
    let server = Server::with(options).await;
    let come = async || {
        let mut browser = server.browser();
        let authorize = begin(&mut browser).await;
        let callback = ask(&mut browser, authorize).await;
        come_back(&server, &mut browser, callback).await.0.status
    };
    assert_eq!(come().await, 303);
    let fetches = async || node.log().await["jwks_fetches"].as_u64().expect("a count");
    let before = fetches().await;
    node.tell("/test/case", &json!({ "case": "kid_random" })).await;
    for minute in 1..=3 {
        let statuses: Vec<u16> =
            futures::stream::iter(0..TOKENS).map(|_| come()).buffer_unordered(16).collect().await;
        assert!(statuses.iter().all(|status| *status == 502), "{statuses:?}");
        assert_eq!(fetches().await, before + minute);
        clock.advance(Duration::seconds(61));
        set_clock().await;
    }
    // Under the cool-down good tokens go on being accepted.
    node.tell("/test/case", &json!({ "case": "control" })).await;
    assert_eq!(come().await, 303);
}
