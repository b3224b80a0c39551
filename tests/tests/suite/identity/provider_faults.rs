//! A provider that is down, slow, or talks nonsense: each has a page and a code of its own, nobody is signed
//! in by it, and it passes with its cause.

use platform::ErrorKind;
use platform::ErrorKind::{
    ProviderAnswerInvalid, ProviderTimeout, ProviderUnavailable, SignInAttemptInvalid,
};
use reqwest::Method;
use serde_json::json;
use tests::{Options, Reply, Server};

use super::store::count;
use super::world::{Node, ask, begin, come_back, no_session_cookie, session_status};

async fn beside(node: &Node) -> Server {
    let quick = |settings: &mut platform::settings::Settings| settings.identity.total_timeout_seconds = 2;
    let options =
        Options { issuer: Some(node.issuer.clone()), change: Some(Box::new(quick)), ..Options::default() };
    Server::with(options).await
}

fn heading(reply: &Reply) -> String {
    let rest = reply.body.split("<h1>").nth(1).unwrap_or_default();
    rest.split("</h1>").next().unwrap_or_default().to_owned()
}

/// What each fault is to become, wherever it happens.
const FAULTS: [(&str, ErrorKind); 13] = [
    ("500", ProviderUnavailable),
    ("503", ProviderUnavailable),
    ("429", ProviderUnavailable),
    ("error_html", ProviderUnavailable),
    ("close", ProviderUnavailable),
    ("cut_short", ProviderUnavailable),
    ("hang", ProviderTimeout),
    ("trickle", ProviderTimeout),
    ("html", ProviderAnswerInvalid),
    ("garbage", ProviderAnswerInvalid),
    ("empty", ProviderAnswerInvalid),
    ("oversize", ProviderAnswerInvalid),
    ("redirect", ProviderUnavailable),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_fails_before_anybody_is_sent_there() {
    let Some(node) = Node::forging() else { return };
    let server = beside(&node).await;
    let more = [
        ("404", ProviderUnavailable),
        ("other_issuer", ProviderAnswerInvalid),
        ("issuer_slash", ProviderAnswerInvalid),
        ("no_token_endpoint", ProviderAnswerInvalid),
        ("no_userinfo_endpoint", ProviderAnswerInvalid),
        ("file_endpoint", ProviderAnswerInvalid),
    ];
    for endpoint in ["discovery", "jwks"] {
        let own = more.iter().filter(|_| endpoint == "discovery");
        for (mode, kind) in FAULTS.iter().chain(own) {
            node.tell("/test/mode", &json!({ endpoint: mode })).await;
            let mut browser = server.browser();
            let page = browser.get("/auth/login").await;
            assert_eq!(page.status, kind.status(), "{endpoint} {mode}: {}", heading(&page));
            assert!(page.header("content-type").starts_with("text/html"), "{endpoint} {mode}");
            assert!(page.body.contains("111") && page.body.contains("999"), "{endpoint} {mode}");
            let json = [("accept", "application/json")];
            let problem = browser.api(Method::GET, "/auth/login", &json).await;
            assert_eq!(problem.code(), kind.code(), "{endpoint} {mode}");
            let retry = !problem.header("retry-after").is_empty();
            assert_eq!(retry, kind.may_be_retried(), "{endpoint} {mode}");
        }
        node.tell("/test/mode", &json!({ endpoint: "normal" })).await;
    }
    assert_eq!(count(&server, "sign_in_attempt").await, 0, "none was begun");
    assert_eq!(node.log().await["redirected_fetches"], 0);
    // It passes with its cause; a document that names other algorithms changes nothing.
    node.tell("/test/mode", &json!({ "discovery": "other_algs" })).await;
    let mut browser = server.browser();
    let authorize = begin(&mut browser).await;
    let callback = ask(&mut browser, authorize).await;
    assert_eq!(come_back(&server, &mut browser, callback).await.0.status, 303);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_fails_when_somebody_comes_back() {
    let Some(node) = Node::forging() else { return };
    let server = beside(&node).await;
    let token = [
        ("invalid_client", ProviderUnavailable),
        ("invalid_grant", SignInAttemptInvalid),
        ("invalid_request", ProviderUnavailable),
    ];
    let mut headings = std::collections::BTreeMap::new();
    for endpoint in ["token", "userinfo"] {
        let own = token.iter().filter(|_| endpoint == "token");
        for (mode, kind) in FAULTS.iter().chain(own) {
            // Where a redirect or nonsense comes instead of an answer, an answer that cannot be accepted came.
            let kind = if *mode == "redirect" { ProviderAnswerInvalid } else { *kind };
            node.tell("/test/mode", &json!({ endpoint: mode })).await;
            let mut browser = server.browser();
            let authorize = begin(&mut browser).await;
            let callback = ask(&mut browser, authorize).await;
            let (page, entries) = come_back(&server, &mut browser, callback).await;
            assert_eq!(page.status, kind.status(), "{endpoint} {mode}: {}", heading(&page));
            assert!(no_session_cookie(&page), "{endpoint} {mode}");
            assert_eq!(entries.len(), 1, "{endpoint} {mode}");
            let reason = entries[0].refused.clone().expect("a reason");
            assert!(!reason.is_empty() && !page.body.contains(&reason), "{endpoint} {mode}: {reason}");
            assert_eq!(session_status(&mut browser).await, 401);
            headings
                .entry(kind.code())
                .or_insert_with(std::collections::BTreeSet::new)
                .insert(heading(&page));
        }
        node.tell("/test/mode", &json!({ endpoint: "normal" })).await;
    }
    // One page for each kind, and another for each.
    assert!(headings.values().all(|own| own.len() == 1), "{headings:?}");
    let different: std::collections::BTreeSet<_> = headings.values().flatten().collect();
    assert_eq!(different.len(), headings.len(), "{headings:?}");
    assert!(headings.len() >= 4, "{headings:?}");
    assert_eq!(count(&server, "session").await, 0);
    assert_eq!(count(&server, "account").await, 0);
    assert_eq!(node.log().await["redirected_fetches"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_provider_says_instead_of_a_code() {
    let Some(node) = Node::forging() else { return };
    let server = beside(&node).await;
    for (mode, status, reason) in [
        ("consent_refused", 403, "consent_not_given"),
        ("consent_refused_without_error", 403, "consent_not_given"),
        ("access_denied", 403, "access_denied"),
        ("login_required", 403, "provider_interaction_required"),
        ("invalid_request", 403, "provider_request_refused"),
        ("invalid_scope", 403, "provider_request_refused"),
        ("server_error", 503, "provider_server_error"),
        ("temporarily_unavailable", 503, "provider_busy"),
        ("markup", 403, "access_denied"),
        ("wrong_issuer", 400, "callback_issuer"),
        ("state_wrong", 400, "state_malformed"),
        ("state_missing", 400, "state_missing"),
        ("code_missing", 400, "code_missing"),
        ("code_unknown", 400, "code_refused"),
    ] {
        node.tell("/test/mode", &json!({ "callback": mode })).await;
        let mut browser = server.browser();
        let authorize = begin(&mut browser).await;
        let callback = ask(&mut browser, authorize).await;
        let (page, entries) = come_back(&server, &mut browser, callback).await;
        assert_eq!(page.status, status, "{mode}: {}", page.body);
        let told: Vec<_> = entries.iter().map(|entry| entry.refused.as_deref()).collect();
        assert_eq!(told, [Some(reason)], "{mode}");
        assert!(no_session_cookie(&page), "{mode}");
        assert!(!page.body.contains("<script>alert"), "{mode}");
        assert!(page.body.contains("111") && page.body.contains("999"), "{mode}");
    }
    assert_eq!(count(&server, "account").await, 0);
    assert_eq!(count(&server, "session").await, 0);
    node.tell("/test/mode", &json!({ "callback": "with_issuer" })).await;
    let mut browser = server.browser();
    let authorize = begin(&mut browser).await;
    let callback = ask(&mut browser, authorize).await;
    assert_eq!(come_back(&server, &mut browser, callback).await.0.status, 303, "RFC 9207");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_provider_keeps_nobody_else_waiting() {
    let Some(node) = Node::forging() else { return };
    let server = beside(&node).await;
    let mut signed_in = server.browser();
    let authorize = begin(&mut signed_in).await;
    let callback = ask(&mut signed_in, authorize).await;
    assert_eq!(come_back(&server, &mut signed_in, callback).await.0.status, 303);

    node.tell("/test/mode", &json!({ "token": "hang" })).await;
    let mut slow = server.browser();
    let authorize = begin(&mut slow).await;
    let callback = ask(&mut slow, authorize).await;
    let (mut meanwhile, mut done) = (0, false);
    let waiting = async { come_back(&server, &mut slow, callback).await };
    tokio::pin!(waiting);
    while !done {
        tokio::select! {
            answer = &mut waiting => {
                assert_eq!(answer.0.status, 504);
                done = true;
            }
            status = session_status(&mut signed_in) => {
                assert_eq!(status, 200);
                meanwhile += 1;
            }
        }
    }
    assert!(meanwhile >= 3, "answered {meanwhile} times in the two seconds the other one waited");
}
