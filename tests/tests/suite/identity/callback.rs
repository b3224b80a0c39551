//! The way back from the provider: once, in the browser that set out, with what belongs together.

use reqwest::Method;
use tests::Server;
use url::Url;

use super::store::{count, live_sessions};
use super::world::{
    LOGIN, SESSION, assert_refused, come_back, made_up, opens, people, request_id, session, session_status,
    until_callback,
};

const INVALID: u16 = 400;
const HEADING: &str = "<h1>This sign-in cannot be completed</h1>";

fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let kept: Vec<(String, String)> =
        url.query_pairs().filter(|(told, _)| told != name).map(|(k, v)| (k.into(), v.into())).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
    changed
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(told, _)| told == name).expect("the parameter").1.into_owned()
}

#[tokio::test]
async fn case_05_a_callback_works_once() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let callback = until_callback(&mut browser, people::P9).await;
    let login = browser.cookie(LOGIN).expect("the sign-in is bound to the browser");
    let (reply, entries) = come_back(&server, &mut browser, callback.clone()).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/"));
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((entries[0].refused.as_deref(), entries[0].operation.as_str()), (None, "completeSignIn"));
    assert_eq!(browser.cookie(LOGIN).as_ref(), Some(&login), "another tab may still need it");

    let before = count(&server, "session").await;
    // The same address again: as it is, and with the sign-in cookie a thief of the whole jar would have.
    for planted in [None, Some(login)] {
        let mut again = server.browser();
        if let Some(login) = planted {
            again.plant(LOGIN, &login);
        }
        let answer = come_back(&server, &mut again, callback.clone()).await;
        assert_refused(&answer, INVALID, &["state_unknown"]);
        assert!(answer.0.body.contains(HEADING), "{}", answer.0.body);
    }
    // In the signed-in browser itself: nothing happens to its session.
    let answer = come_back(&server, &mut browser, callback).await;
    assert_refused(&answer, INVALID, &["state_unknown"]);
    assert_eq!(session_status(&mut browser).await, 200);
    assert_eq!(count(&server, "session").await, before);
}

#[tokio::test]
async fn case_05_a_callback_in_a_second_browser_is_refused_and_spends_the_attempt() {
    let server = Server::start().await;
    let mut victim = server.browser();
    let callback = until_callback(&mut victim, people::P9).await;
    // Login CSRF. First a browser that began nothing.
    let mut stranger = server.browser();
    let answer = come_back(&server, &mut stranger, callback.clone()).await;
    assert_refused(&answer, INVALID, &["browser_mismatch"]);
    assert_eq!(session_status(&mut stranger).await, 401);
    assert_eq!(count(&server, "sign_in_attempt").await, 0, "it is spent");

    let answer = come_back(&server, &mut victim, callback).await;
    assert_refused(&answer, INVALID, &["state_unknown"]);

    // One that began another sign-in.
    let other = until_callback(&mut victim, people::P9).await;
    let mut began_something_else = server.browser();
    let own = until_callback(&mut began_something_else, people::OTHER_P9).await;
    let answer = come_back(&server, &mut began_something_else, other).await;
    assert_refused(&answer, INVALID, &["browser_mismatch"]);
    let (reply, _) = come_back(&server, &mut began_something_else, own).await;
    assert_eq!(reply.status, 303, "what it began itself still works: {}", reply.body);

    // One with an invented cookie.
    let third = until_callback(&mut victim, people::P9).await;
    let mut inventive = server.browser();
    inventive.plant(LOGIN, &"A".repeat(43));
    let answer = come_back(&server, &mut inventive, third).await;
    assert_refused(&answer, INVALID, &["browser_mismatch"]);
    assert_eq!(count(&server, "session").await, 1);
}

#[tokio::test]
async fn case_05_the_state_of_one_attempt_with_the_code_of_another_is_refused() {
    let server = Server::start().await;
    // In one browser, where the cookie fits both: the provider holds code and verifier together.
    let mut browser = server.browser();
    let first = until_callback(&mut browser, people::P9).await;
    let second = until_callback(&mut browser, people::P9).await;
    let mixed = with(&first, "code", Some(&parameter(&second, "code")));
    let answer = come_back(&server, &mut browser, mixed).await;
    assert_refused(&answer, INVALID, &["code_refused"]);
    let answer = come_back(&server, &mut browser, first).await;
    assert_refused(&answer, INVALID, &["state_unknown"]);

    // The attacker's code in the victim's attempt, and the victim's code in the attacker's.
    let (mut victim, mut attacker) = (server.browser(), server.browser());
    let of_victim = until_callback(&mut victim, people::P9).await;
    let of_attacker = until_callback(&mut attacker, people::OTHER_P9).await;
    let injected = with(&of_victim, "code", Some(&parameter(&of_attacker, "code")));
    let stolen = with(&of_attacker, "code", Some(&parameter(&of_victim, "code")));
    assert_refused(&come_back(&server, &mut victim, injected).await, INVALID, &["code_refused"]);
    assert_refused(&come_back(&server, &mut attacker, stolen).await, INVALID, &["code_refused"]);
    assert_eq!(count(&server, "session").await, 0);
    assert_eq!(count(&server, "account").await, 0);
}

#[tokio::test]
async fn case_05_callbacks_that_are_none_are_refused_in_so_many_words() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let table: [(&str, Option<&str>, u16, &str); 9] = [
        ("state", None, 400, "state_missing"),
        ("state", Some(""), 400, "state_missing"),
        ("state", Some("of-nobody"), 400, "state_malformed"),
        ("state", Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 400, "state_unknown"),
        ("code", None, 400, "code_missing"),
        ("code", Some(""), 400, "code_missing"),
        ("code", Some("never-issued"), 400, "code_refused"),
        ("iss", Some("https://issuer.example"), 400, "callback_issuer"),
        ("error", Some("access_denied"), 403, "access_denied"),
    ];
    for (name, value, status, reason) in table {
        let callback = until_callback(&mut browser, people::P9).await;
        let answer = come_back(&server, &mut browser, with(&callback, name, value)).await;
        assert_refused(&answer, status, &[reason]);
        if status == INVALID {
            assert!(answer.0.body.contains(HEADING), "{}", answer.0.body);
        }
    }
    // Another provider's callback path: the mix-up attack.
    let mut callback = until_callback(&mut browser, people::P9).await;
    callback.set_path("/auth/callback/another");
    let answer = come_back(&server, &mut browser, callback).await;
    assert_refused(&answer, INVALID, &["provider_mismatch"]);
    // A parameter that comes twice.
    let callback = until_callback(&mut browser, people::P9).await;
    let mut twice = callback.clone();
    twice.query_pairs_mut().append_pair("code", "another");
    let (reply, _) = come_back(&server, &mut browser, twice).await;
    assert!(matches!(reply.status, 400), "{}: {}", reply.status, reply.body);
    assert_eq!(count(&server, "session").await, 0);
}

#[tokio::test]
async fn case_05_programs_are_told_the_code_of_the_problem() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let reply = browser
        .api(Method::GET, "/auth/callback/login?state=x&code=y", &[("accept", "application/json")])
        .await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "sign_in_attempt_invalid"));
    let reply = browser.get("/auth/callback/login?state=x&code=y").await;
    assert!(reply.body.contains(HEADING), "{}", reply.body);
}

#[tokio::test]
async fn an_attempt_ends_after_ten_minutes() {
    let clock = platform::ManualClock::new(Server::some_noon());
    let server = Server::with(tests::Options { clock: Some(clock.clone()), ..Default::default() }).await;
    let mut browser = server.browser();
    let in_time = until_callback(&mut browser, people::P9).await;
    clock.advance(chrono::Duration::seconds(599));
    assert_eq!(come_back(&server, &mut browser, in_time).await.0.status, 303);
    let late = until_callback(&mut browser, people::P9).await;
    clock.advance(chrono::Duration::seconds(600));
    assert_refused(&come_back(&server, &mut browser, late).await, INVALID, &["state_expired"]);
}

#[tokio::test]
async fn two_tabs_sign_in_side_by_side() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let first = until_callback(&mut browser, people::P9).await;
    let second = until_callback(&mut browser, people::P9).await;
    assert_eq!(come_back(&server, &mut browser, second).await.0.status, 303);
    let after_second = browser.session().expect("signed in");
    // The first tab comes back last: both belong to this browser.
    let answer = come_back(&server, &mut browser, first).await;
    assert_eq!(answer.0.status, 303, "{}", answer.0.body);
    assert_ne!(browser.session().expect("signed in"), after_second);
    assert_eq!(session_status(&mut browser).await, 200);
    assert!(!opens(&server, &after_second).await, "one browser, one session");
    assert_eq!(live_sessions(&server).await, 1);
}

#[tokio::test]
async fn a_session_cookie_that_comes_twice_counts_as_none() {
    let server = Server::start().await;
    let browser = server.signed_in(people::P9).await;
    let secret = browser.session().expect("signed in");
    let mut bare = server.browser();
    for line in [
        format!("{SESSION}={secret}; {SESSION}={secret}"),
        format!("{SESSION}={secret}; {SESSION}={}", "A".repeat(43)),
        format!("{SESSION}={}; {SESSION}={secret}", "A".repeat(43)),
        format!("sid={secret}"),
        format!("__host-sid={secret}"),
        format!("{SESSION}=\"{secret}\""),
        format!("{SESSION}={secret}A"),
        format!("{SESSION}="),
    ] {
        let reply = bare.api(Method::GET, "/v1/session", &[("cookie", &line)]).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "not_signed_in"), "{line}");
    }
    let two = [("cookie", format!("{SESSION}={secret}")), ("cookie", format!("{SESSION}={secret}"))];
    let two: Vec<(&str, &str)> = two.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(bare.api(Method::GET, "/v1/session", &two).await.status, 401);
    let once = format!("theme=dark; {SESSION}={secret}");
    assert_eq!(bare.api(Method::GET, "/v1/session", &[("cookie", &once)]).await.status, 200);
}

#[tokio::test]
async fn a_request_id_of_the_callers_stands_in_the_access_log() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let callback = until_callback(&mut browser, people::P9).await;
    let (_, entries) = come_back(&server, &mut browser, callback).await;
    let patient = session(&mut browser).await["record_linked"].as_bool();
    assert_eq!(patient, Some(true), "{} has a record", made_up(people::P9).persona.name());
    assert!(entries[0].subject.is_some() && entries[0].actor.is_some());
    assert_eq!(entries[0].authority, "self");
    assert_ne!(entries[0].request_id, request_id());
}
