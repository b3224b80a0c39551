//! What a hostile provider may say, one lie at a time. The table is in `tests/node/forging/cases.mjs`; every
//! token in it was made by jose or by hand, none by our own code.

use chrono::Duration;
use platform::{Clock, ManualClock};
use serde_json::{Value, json};
use tests::{Options, Server};

use super::store::count;
use super::world::{Node, ask, assert_refused, begin, come_back, no_session_cookie, session};

/// A server that signs in at `node`, on a clock both share.
struct Pair<'a> {
    node: &'a Node,
    clock: ManualClock,
    server: Server,
}

impl<'a> Pair<'a> {
    async fn new(node: &'a Node) -> Self {
        let clock = ManualClock::new(Server::some_noon());
        let options =
            Options { clock: Some(clock.clone()), issuer: Some(node.issuer.clone()), ..Options::default() };
        let server = Server::with(options).await;
        Self { node, clock, server }
    }

    /// Moves both clocks past the time in which no keys are fetched again.
    async fn later(&self) {
        self.clock.advance(Duration::seconds(61));
        self.node.tell("/test/mode", &json!({ "clock": self.clock.now().timestamp() })).await;
    }

    /// One sign-in, whatever comes of it.
    async fn come(&self) {
        let mut browser = self.server.browser();
        let authorize = begin(&mut browser).await;
        let callback = ask(&mut browser, authorize).await;
        come_back(&self.server, &mut browser, callback).await;
    }

    /// One sign-in under the case; what is not as it should be.
    async fn check(&self, case: &Value) {
        let name = case["name"].as_str().expect("a name");
        self.later().await;
        if name == "id_token_of_earlier_attempt" {
            // One that is still good in everything but the attempt it belongs to.
            self.node.tell("/test/case", &json!({ "case": "control" })).await;
            self.come().await;
        }
        self.node.tell("/test/case", &json!({ "case": name })).await;
        let mut browser = self.server.browser();
        let sessions = count(&self.server, "session").await;
        let authorize = begin(&mut browser).await;
        let callback = ask(&mut browser, authorize).await;
        let answer = come_back(&self.server, &mut browser, callback).await;
        if case["expect"] == "accepted" {
            let (reply, entries) = &answer;
            assert_eq!(reply.status, 303, "{:?}", entries.first().map(|entry| &entry.refused));
            assert_eq!(entries.len(), 1, "one entry");
            assert_eq!(entries[0].refused, None, "one leave");
            assert_eq!(session(&mut browser).await["assurance"], case["assurance"], "the assurance");
            assert_eq!(count(&self.server, "session").await, sessions + 1, "one session");
        } else {
            let reasons: Vec<&str> =
                case["reasons"].as_array().expect("reasons").iter().filter_map(Value::as_str).collect();
            let status = if name == "under_age" { 403 } else { 502 };
            assert_refused(&answer, status, &reasons);
            assert!(no_session_cookie(&answer.0), "no cookie");
            assert_eq!(count(&self.server, "session").await, sessions, "no session");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_04_forged_answers_are_refused_each_for_its_own_reason() {
    let Some(node) = Node::forging() else { return };
    let cases = node.ready["cases"].as_array().expect("cases").clone();
    let refused = cases.iter().filter(|case| case["expect"] == "refused").count();
    assert!(refused >= 25, "{refused} cases to be refused");
    assert_eq!(cases[0]["name"], "control", "the control comes first");

    let usual = Pair::new(&node).await;
    let mut failures = Vec::new();
    for case in &cases {
        let name = case["name"].as_str().expect("a name");
        // Another key set says something only to a server that has not fetched keys yet.
        let checked = if case["fresh"] == true {
            checked(&Pair::new(&node).await, case).await
        } else {
            checked(&usual, case).await
        };
        if let Err(why) = checked {
            failures.push(format!("{name} ({}): {why}", case["about"].as_str().unwrap_or_default()));
        }
    }
    // After everything the control still passes.
    usual.check(&cases[0]).await;
    println!(
        "{} forged answers refused, {} right ones accepted, {} failures",
        refused,
        cases.len() - refused,
        failures.len()
    );
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));

    let log = node.log().await;
    assert_eq!(log["attacker_fetches"], 0, "nothing a token names is fetched");
    assert_eq!(log["redirected_fetches"], 0);
}

/// Runs one case so that its failure does not end the table.
async fn checked(pair: &Pair<'_>, case: &Value) -> Result<(), String> {
    use futures::FutureExt;
    let outcome = std::panic::AssertUnwindSafe(pair.check(case)).catch_unwind().await;
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_default().chars().take(400).collect()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_person_gets_no_record_of_somebody_else() {
    let Some(node) = Node::forging() else { return };
    let pair = Pair::new(&node).await;
    let who = super::world::made_up(super::world::people::P9).persona;
    let other = super::world::made_up(super::world::people::OTHER_P9).persona;
    let number = who.nhs_number.expose();
    let born = who.birth_date.to_string();
    // The claims of each sign-in, and whether a record opens.
    for (sub, claims, linked) in [
        // The right number with another date of birth; nobody's number; both right.
        ("mallory", json!({ "nhs_number": number, "birthdate": "1970-01-01" }), false),
        ("nobody", json!({ "birthdate": born }), false),
        ("philomena", json!({ "nhs_number": number, "birthdate": born }), true),
        // The same person, with somebody else's number: refused, whatever the date of birth says.
        (
            "philomena",
            json!({ "nhs_number": other.nhs_number.expose(), "birthdate": other.birth_date.to_string() }),
            false,
        ),
        // And with their own again.
        ("philomena", json!({ "nhs_number": number, "birthdate": born }), true),
        // The same number under another subject is another account of the same person.
        ("philomena-too", json!({ "nhs_number": number, "birthdate": born }), true),
    ] {
        pair.later().await;
        node.tell("/test/case", &json!({ "case": "control", "sub": sub, "claims": claims })).await;
        let mut browser = pair.server.browser();
        let authorize = begin(&mut browser).await;
        let callback = ask(&mut browser, authorize).await;
        let (reply, entries) = come_back(&pair.server, &mut browser, callback).await;
        assert_eq!(reply.status, 303, "{sub}: {}", reply.body);
        assert_eq!(
            session(&mut browser).await["record_linked"],
            json!(linked),
            "{sub} {claims}: {entries:?}"
        );
        let last = entries.last().expect("an entry");
        let expected = if sub == "philomena-too" { "self:another-account" } else { "self" };
        assert_eq!((last.authority.as_str(), last.subject.is_some()), (expected, linked), "{sub}");
        let profile = browser.api(reqwest::Method::GET, "/v1/profile", &[]).await;
        assert_eq!(profile.status, if linked { 200 } else { 403 }, "{sub}: {}", profile.body);
    }
    assert_eq!(count(&pair.server, "account").await, 4);
}
