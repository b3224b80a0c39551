//! People who are not signed in although nothing is wrong with the provider.

use serde_json::json;
use tests::Server;

use super::store::count;
use super::world::{assert_refused, come_back, people, session, session_status, simulator, until_callback};

#[tokio::test]
async fn case_11_whoever_refuses_to_share_is_shown_where_to_turn_and_leaves_no_trace() {
    let server = Server::start().await;
    for (how, with_error) in [("error_and_description", true), ("description_only", false)] {
        simulator(&server, json!({ "consent_refusal": how })).await;
        let mut browser = server.browser();
        let callback = until_callback(&mut browser, people::REFUSES).await;
        let told = |name: &str| callback.query_pairs().any(|(key, _)| key == name);
        assert_eq!((told("error"), told("error_description")), (with_error, true));
        let answer = come_back(&server, &mut browser, callback).await;
        assert_refused(&answer, 403, &["consent_not_given"]);
        let page = &answer.0.body;
        assert!(page.contains("You did not agree to share your details") || page.contains("share"), "{page}");
        for number in ["111", "999"] {
            assert!(page.contains(number), "{number}: {page}");
        }
        assert!(
            page.contains("tel:111") || page.contains("https://111.nhs.uk") || page.contains("call 111"),
            "{page}"
        );
        assert!(answer.1[0].actor.is_none());
        assert_eq!(session_status(&mut browser).await, 401);
        for table in ["account", "account_identity", "session", "sign_in_attempt"] {
            assert_eq!(count(&server, table).await, 0, "{how}: {table}");
        }
    }
}

#[tokio::test]
async fn nobody_under_13_gets_an_account() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let callback = until_callback(&mut browser, people::CHILD).await;
    let answer = come_back(&server, &mut browser, callback).await;
    assert_refused(&answer, 403, &["under_age"]);
    assert!(answer.0.body.contains("<h1>You are too young"), "{}", answer.0.body);
    for table in ["account", "account_identity", "session"] {
        assert_eq!(count(&server, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_refusal_in_a_signed_in_browser_ends_nothing() {
    let server = Server::start().await;
    let mut browser = server.signed_in(people::P9).await;
    let before = browser.session();
    let callback = until_callback(&mut browser, people::REFUSES).await;
    let answer = come_back(&server, &mut browser, callback).await;
    assert_refused(&answer, 403, &["consent_not_given"]);
    assert_eq!(browser.session(), before);
    assert_eq!(session_status(&mut browser).await, 200);
}

#[tokio::test]
async fn a_changed_nhs_number_of_the_same_person_opens_the_same_record() {
    let server = Server::start().await;
    let mut subjects = Vec::new();
    for number in ["old", "new", "new", "old"] {
        simulator(&server, json!({ "changed_number": number })).await;
        let mut browser = server.browser();
        let callback = until_callback(&mut browser, people::CHANGED_NUMBER).await;
        let (reply, entries) = come_back(&server, &mut browser, callback).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        assert_eq!(session(&mut browser).await["record_linked"], json!(true), "{number}: {entries:?}");
        subjects.push(entries.last().and_then(|entry| entry.subject).expect("a record"));
    }
    assert!(subjects.windows(2).all(|pair| pair[0] == pair[1]), "{subjects:?}");
    assert_eq!(count(&server, "account").await, 1);
}

#[tokio::test]
async fn cancelling_leads_to_a_page_and_not_to_a_session() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let page = browser.visit("/auth/login").await;
    let (action, request) = tests::form_with(&page, "/choose");
    let reply = browser.post_form(action, &[("request", &request), ("answer", "cancel")]).await;
    let callback = reply.location().expect("back to us");
    let answer = come_back(&server, &mut browser, callback).await;
    assert_refused(&answer, 403, &["access_denied"]);
    assert_eq!(count(&server, "account").await, 0);
}
