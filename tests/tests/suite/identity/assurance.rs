//! How well somebody proved who they are, and proving it better.

use platform::ErrorKind;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Browser, Reply, Server, form_with, hidden_field};
use url::Url;

use super::store::count;
use super::world::{assert_refused, come_back, people, session, session_status, simulator};

/// Completes the identity check at the simulator's second page, and follows to the end.
pub async fn complete_check(browser: &mut Browser, page: Reply) -> Reply {
    let back = pass_check(browser, page).await;
    let reply = browser.send(Method::GET, back, &[("accept", "text/html")], None).await;
    browser.follow(reply).await
}

/// The same, stopping at the callback.
async fn pass_check(browser: &mut Browser, page: Reply) -> Url {
    let page = if page.status == 303 {
        page
    } else {
        let (action, request) = form_with(&page, "/choose");
        let person = hidden_field(&page.body, "person");
        let fields = [("request", request.as_str()), ("person", person.as_str()), ("answer", "complete")];
        browser.post_form(action, &fields).await
    };
    page.location().unwrap_or_else(|| panic!("the simulator did not send the browser back: {}", page.body))
}

/// Begins a step-up and chooses `name` at the simulator; the callback that ends it.
async fn step_up_until_callback(browser: &mut Browser, name: &str) -> Url {
    let reply = browser.submit("/auth/step-up", &[("return_to", "/account")]).await;
    let page = browser.follow(reply).await;
    let chosen = browser.choose_only(&page, name).await;
    pass_check(browser, chosen).await
}

#[tokio::test]
async fn case_06_only_a_vector_that_was_asked_for_signs_in_at_p9() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P5).await;
    let before = browser.session().expect("signed in");
    assert_eq!(session(&mut browser).await["assurance"], "P5");
    for (vot, reason) in
        [("P5.Cp.Cd", "vot_not_requested"), ("P9.Cp", "vot_not_requested"), ("missing", "vot_missing")]
    {
        simulator(&server, json!({ "vot": vot })).await;
        let callback = step_up_until_callback(&mut browser, people::P5).await;
        let answer = come_back(&server, &mut browser, callback).await;
        assert_refused(&answer, ErrorKind::ProviderAnswerInvalid.status(), &[reason]);
        assert_eq!(browser.session().as_ref(), Some(&before), "{vot}: as it was");
        assert_eq!(session(&mut browser).await["assurance"], "P5", "{vot}");
        assert_eq!(count(&server, "session").await, 1, "{vot}");
    }
    simulator(&server, json!({ "vot": "P9.Cm" })).await;
    let callback = step_up_until_callback(&mut browser, people::P5).await;
    let (reply, entries) = come_back(&server, &mut browser, callback).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/account"), "{}", reply.body);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].refused, None);
    assert_eq!(session(&mut browser).await["assurance"], "P9");
    assert_ne!(browser.session().as_ref(), Some(&before));
    assert_eq!(browser.api(Method::GET, "/v1/profile", &[]).await.status, 200, "and the record opens");
}

#[tokio::test]
async fn case_06_a_step_up_asks_for_p9_and_nothing_less() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P5).await;
    let reply = browser.submit("/auth/step-up", &[]).await;
    let asked = reply.location().expect("the provider's address");
    let vtr = asked.query_pairs().find(|(name, _)| name == "vtr").expect("vtr").1.into_owned();
    assert_eq!(vtr, r#"["P9.Cp.Cd","P9.Cp.Ck","P9.Cm"]"#);
}

#[tokio::test]
async fn case_06_below_p9_every_p9_route_says_how_to_step_up() {
    let server = Server::start().await;
    let document: Value =
        serde_json::from_str(&front_door::openapi::document().expect("the document")).expect("JSON");
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            if operation["x-assurance"] == "P9" {
                routes.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    assert!(routes.len() >= 5, "{routes:?}");
    for name in [people::P5, people::P0] {
        let mut browser = server.signed_in(name).await;
        for (method, path, operation) in &routes {
            let reply = call_rightly(&mut browser, method, path, operation).await;
            assert_eq!(reply.status, 403, "{name}: {method} {path}: {}", reply.body);
            if reply.header("content-type") == "application/problem+json" {
                assert_eq!(reply.code(), "assurance_too_low", "{method} {path}");
                let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
                assert!(detail.contains("POST /auth/step-up"), "{method} {path}: {}", reply.body);
            } else {
                assert!(reply.body.contains("Prove who"), "{method} {path}: {}", reply.body);
            }
        }
        for page in ["/waiting-times", "/account/concerns"] {
            let reply = browser.get(page).await;
            assert_eq!(reply.status, 403, "{page}");
            assert!(reply.body.contains("action=\"/auth/step-up\""), "{page}: {}", reply.body);
        }
    }
    assert_eq!(count(&server, "concern").await, 0);
    assert_eq!(count(&server, "wait_preference").await, 0);
}

/// A request with nothing wrong but who sends it.
async fn call_rightly(browser: &mut Browser, method: &str, path: &str, operation: &Value) -> Reply {
    let forms = &operation["requestBody"]["content"];
    let preferences = path.ends_with("/preferences");
    if forms.get("application/x-www-form-urlencoded").is_some() {
        let concern = [("category", "waiting-times"), ("text", "x"), ("idempotency_key", "a-key-of-a-form")];
        let fields = if preferences { &[("show_estimates", "no")][..] } else { &concern };
        return browser.submit(path, fields).await;
    }
    let body = forms.get("application/json").map(|_| {
        if preferences {
            json!({ "show_estimates": false })
        } else {
            json!({ "category": "waiting-times", "text": "x" })
        }
    });
    let method: Method = method.parse().expect("a method");
    let headers = [("idempotency-key", "a-key-of-a-test"), ("if-match", "*")];
    if method == Method::GET {
        browser.api(method, path, &[]).await
    } else {
        browser.api_send_with(method, path, body.as_ref(), &headers[..if preferences { 2 } else { 1 }]).await
    }
}

#[tokio::test]
async fn a_step_up_by_another_person_is_refused() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P5).await;
    let before = browser.session();
    let callback = step_up_until_callback(&mut browser, people::P9).await;
    let answer = come_back(&server, &mut browser, callback).await;
    assert_refused(&answer, 403, &["step_up_other_person"]);
    assert!(answer.1[0].actor.is_some(), "the entry says in whose session it was tried");
    assert_eq!(browser.session(), before);
    assert_eq!(session(&mut browser).await["assurance"], "P5");
    assert_eq!(count(&server, "account").await, 1);
}

#[tokio::test]
async fn a_step_up_ends_in_the_session_it_began_in() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P5).await;
    let callback = step_up_until_callback(&mut browser, people::P5).await;
    assert_eq!(browser.submit("/auth/sign-out", &[]).await.status, 303);
    assert_refused(&come_back(&server, &mut browser, callback).await, 400, &["step_up_session"]);

    browser.sign_in(people::P5).await;
    let callback = step_up_until_callback(&mut browser, people::P5).await;
    browser.sign_in(people::OTHER_P9).await;
    assert_refused(&come_back(&server, &mut browser, callback).await, 400, &["step_up_session"]);
    let page = browser.get("/account").await;
    assert!(page.body.contains("Pellwether"), "the later sign-in stands: {}", page.body);
    assert_eq!(session_status(&mut browser).await, 200);
}

#[tokio::test]
async fn a_step_up_does_not_start_the_twelve_hours_anew() {
    let clock = platform::ManualClock::new(Server::some_noon());
    let server = Server::with(tests::Options { clock: Some(clock.clone()), ..Default::default() }).await;
    let mut browser = server.signed_in(people::P5).await;
    let end = session(&mut browser).await["absolute_ends_at"].clone();
    clock.advance(chrono::Duration::minutes(20));
    let callback = step_up_until_callback(&mut browser, people::P5).await;
    assert_eq!(come_back(&server, &mut browser, callback).await.0.status, 303);
    assert_eq!(session(&mut browser).await["absolute_ends_at"], end);
}
