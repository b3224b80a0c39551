//! How the service behaves towards any caller: errors in one form, names for requests, answers that may be
//! kept, headers that protect.

use std::collections::BTreeSet;

use reqwest::Method;
use tests::{Browser, Options, Reply, Server};
use url::Url;
use uuid::Uuid;
use waiting_times::model::{ProviderCode, TreatmentFunction};
use waiting_times::referral::{Filing, Pathway, ReferralNotice, ReferralStatus};

pub(crate) const SOMEONE: &str = "Philomena Quarrybank";
const LIST: &str = "/v1/waiting-times/statistics?provider=RTH&treatment_function=C_120";

pub(crate) fn with(change: impl FnOnce(&mut platform::settings::Settings) + Send + 'static) -> Options {
    Options { change: Some(Box::new(change)), ..Options::default() }
}

/// Looks at every member of a problem document and gives its code.
pub(crate) fn problem(reply: &Reply) -> String {
    let code = reply.code();
    let body = reply.json();
    assert_eq!(body["type"], format!("/problems/{code}"), "{body}");
    assert_eq!(body["status"], reply.status, "{body}");
    assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{body}");
    let request_id = body["request_id"].as_str().unwrap_or_default();
    assert!(Uuid::try_parse(request_id).is_ok(), "{body}");
    assert_eq!(request_id, reply.header("x-request-id"));
    let reference = body["support_reference"].as_str().unwrap_or_default();
    let (area, rest) = reference.split_once('-').unwrap_or_default();
    assert!(area.len() == 2 && area.bytes().all(|byte| byte.is_ascii_uppercase()), "{reference}");
    assert!(rest.len() == 6 && rest.chars().all(|c| "346789ACEFGHJKMNPQRTWXYZ".contains(c)), "{reference}");
    assert_eq!(reply.header("cache-control"), "no-store");
    code
}

pub(crate) async fn send(
    browser: &mut Browser,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Reply {
    let url = Url::parse(&browser.origin()).expect("an origin").join(path).expect("an address");
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    browser.send(method, url, headers, body.map(|body| body.as_bytes().to_vec())).await
}

#[tokio::test]
async fn every_refusal_has_the_form_of_a_problem() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    let (token, origin) = (browser.csrf_token().await, browser.origin());
    let json_type = ("content-type", "application/json");
    let own =
        [("origin", origin.as_str()), ("x-csrf-token", token.as_str()), ("idempotency-key", "a-key-of-mine")];
    let posts = |more: &[(&'static str, &'static str)]| [&own[..], more].concat();
    let json_posts = posts(&[json_type]);
    let too_large = format!("{{\"category\":\"other\",\"text\":\"{}\"}}", "x".repeat(70_000));
    let long_path = format!("/v1/{}", "x".repeat(5_000));
    let long_query = format!("/v1/waiting-times/providers?query={}", "x".repeat(5_000));
    let long_value = "x".repeat(20_000);
    let large_header = [("x-large", long_value.as_str())];
    let a_hundred_and_one = format!("/v1/waiting-times/providers?query={}", "x".repeat(101));
    let statistics = "/v1/waiting-times/statistics";
    let of = |query: &str| format!("{statistics}?{query}");
    let page_of = |query: &str| format!("/v1/waiting-times/providers?{query}");

    type Case<'a> = (&'a str, String, &'a [(&'a str, &'a str)], Option<&'a str>, u16, &'a str, &'a str);
    let cases: [Case<'_>; 30] = [
        ("GET", "/v1/nowhere".into(), &[], None, 404, "not_found", ""),
        ("GET", "/v1/waiting-times/".into(), &[], None, 404, "not_found", ""),
        ("GET", "/_nothing".into(), &[], None, 404, "not_found", ""),
        ("DELETE", statistics.into(), &own, None, 405, "method_not_allowed", ""),
        ("PUT", "/v1/session".into(), &own, None, 405, "method_not_allowed", ""),
        ("BREW", "/_ping".into(), &[], None, 405, "method_not_allowed", ""),
        ("GET", statistics.into(), &[], None, 400, "parameter_invalid", "missing field `provider`"),
        ("GET", of("provider=RTH"), &[], None, 400, "parameter_invalid", "treatment_function"),
        (
            "GET",
            of("provider=RTH&treatment_function=C_120&x=1"),
            &[],
            None,
            400,
            "parameter_invalid",
            "unknown field",
        ),
        (
            "GET",
            of("provider=RTH&provider=RRK&treatment_function=C_120"),
            &[],
            None,
            400,
            "parameter_invalid",
            "not of its form",
        ),
        (
            "GET",
            of("provider=R-H&treatment_function=C_120"),
            &[],
            None,
            400,
            "parameter_invalid",
            "\"provider\"",
        ),
        (
            "GET",
            of("provider=RTH&treatment_function=ENT"),
            &[],
            None,
            400,
            "parameter_invalid",
            "\"treatment_function\"",
        ),
        ("GET", of("provider=ZZZ&treatment_function=C_120"), &[], None, 404, "not_found", "no list"),
        ("GET", page_of("limit=ten"), &[], None, 400, "parameter_invalid", ""),
        ("GET", page_of("limit=0"), &[], None, 400, "parameter_invalid", "\"limit\""),
        ("GET", page_of("limit=101"), &[], None, 400, "parameter_invalid", "\"limit\""),
        ("GET", page_of("limit=99999999999999999999"), &[], None, 400, "parameter_invalid", ""),
        ("GET", page_of("cursor=AAAA"), &[], None, 400, "cursor_invalid", "\"cursor\""),
        ("GET", a_hundred_and_one, &[], None, 400, "parameter_invalid", "\"query\""),
        ("GET", long_path, &[], None, 414, "uri_too_long", ""),
        ("GET", long_query, &[], None, 414, "uri_too_long", ""),
        ("GET", "/_ping".into(), &large_header, None, 431, "headers_too_large", ""),
        ("DELETE", "/v1/sessions/not-an-id".into(), &own, None, 404, "not_found", ""),
        (
            "DELETE",
            "/v1/sessions/00000000-0000-0000-0000-000000000000".into(),
            &own,
            None,
            404,
            "not_found",
            "",
        ),
        ("POST", "/v1/concerns".into(), &json_posts, Some("{\"category\":"), 400, "body_invalid", "not JSON"),
        ("POST", "/v1/concerns".into(), &json_posts, Some(""), 400, "body_invalid", "not JSON"),
        (
            "POST",
            "/v1/concerns".into(),
            &json_posts,
            Some("{\"category\":5,\"text\":\"a\"}"),
            400,
            "body_invalid",
            "wrong type",
        ),
        (
            "POST",
            "/v1/concerns".into(),
            &json_posts,
            Some("{\"category\":\"other\",\"text\":\"a\",\"x\":1}"),
            400,
            "body_invalid",
            "unknown",
        ),
        ("POST", "/v1/concerns".into(), &json_posts, Some(&too_large), 413, "body_too_large", ""),
        ("POST", "/v1/concerns".into(), &own, Some("{}"), 415, "media_type_unsupported", "application/json"),
    ];
    for (method, path, headers, body, status, code, said) in cases {
        let reply = send(&mut browser, method, &path, headers, body).await;
        let shown = format!("{method} {}: {} {}", &path[..path.len().min(90)], reply.status, reply.body);
        assert_eq!((reply.status, problem(&reply).as_str()), (status, code), "{shown}");
        assert!(reply.body.contains(said), "{shown}");
        assert_eq!(!reply.header("allow").is_empty(), status == 405, "{shown}: Allow");
        assert!(reply.header("retry-after").is_empty(), "{shown}");
    }
    let wrong_type = posts(&[("content-type", "text/plain")]);
    let reply = send(&mut browser, "POST", "/v1/concerns", &wrong_type, Some("{}")).await;
    assert_eq!((reply.status, problem(&reply).as_str()), (415, "media_type_unsupported"));
    let deep = format!("{{\"category\":\"other\",\"text\":{}", "[".repeat(30_000));
    let reply = send(&mut browser, "POST", "/v1/concerns", &json_posts, Some(&deep)).await;
    assert_eq!(problem(&reply), "body_invalid");

    // A form, for a program: what it sends that cannot be read.
    let form = ("content-type", "application/x-www-form-urlencoded");
    let accept = ("accept", "application/problem+json");
    let large_form = format!("text={}", "x".repeat(70_000));
    for (headers, body, code) in [
        (posts(&[accept, json_type]), "{}", "media_type_unsupported"),
        (posts(&[accept, form]), large_form.as_str(), "body_too_large"),
        (vec![("origin", origin.as_str()), accept, form], large_form.as_str(), "body_too_large"),
        (vec![("origin", origin.as_str()), accept, form], "text=a", "csrf_refused"),
        (vec![("x-csrf-token", token.as_str()), accept, form], "text=a", "csrf_refused"),
        (
            vec![("origin", "http://127.0.0.1:1"), ("x-csrf-token", token.as_str()), accept, form],
            "text=a",
            "csrf_refused",
        ),
    ] {
        let reply = send(&mut browser, "POST", "/account/concerns", &headers, Some(body)).await;
        assert_eq!(problem(&reply), code, "{headers:?}");
    }
    let reply =
        send(&mut browser, "POST", "/auth/sessions/end", &posts(&[accept, form]), Some("session=x")).await;
    assert_eq!(problem(&reply), "body_invalid");
    server.stop().await;
}

#[tokio::test]
async fn people_get_a_page_where_programs_get_a_problem() {
    let server = Server::start().await;
    let mut browser = server.browser();
    for (accept, kind) in [
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
    ] {
        let reply = browser.api(Method::GET, "/nowhere", &[("accept", accept)]).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, kind), "{accept}");
    }
    let page = browser.get("/nowhere/<script>").await;
    assert!(page.body.contains("<h1>") && !page.body.contains("/nowhere"), "{}", page.body);
    let reference = page.body.split(['>', ' ', '<', '.']).find(|word| word.starts_with("RQ-"));
    assert!(reference.is_some_and(|reference| reference.len() == 9), "{}", page.body);
    server.stop().await;
}

#[tokio::test]
async fn requests_are_named_and_the_names_come_back() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let mine = "6F9619FF-8B86-D011-B42D-00CF4FC964FF";
    let reply = browser.api(Method::GET, "/_ping", &[("x-request-id", mine)]).await;
    assert_eq!(reply.header("x-request-id"), mine.to_lowercase());
    let mut made = BTreeSet::new();
    for told in [
        "",
        "7",
        "not-a-uuid-but-as-long-as-one-would-be",
        "6F9619FF8B86D011B42D00CF4FC964FF",
        "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
    ] {
        let reply = browser.api(Method::GET, "/v1/nowhere", &[("x-request-id", told)]).await;
        let given = reply.header("x-request-id").to_owned();
        assert!(Uuid::try_parse(&given).is_ok() && given != told, "{told}: {given}");
        assert!(made.insert(given), "{told}");
    }
    let longest = "c".repeat(128);
    for (told, expected) in [("a trace of mine/7", "a trace of mine/7"), (longest.as_str(), longest.as_str())]
    {
        for path in ["/_ping", "/v1/nowhere", "/", "/assets/style.css"] {
            let reply = browser.api(Method::GET, path, &[("x-correlation-id", told)]).await;
            assert_eq!(reply.header("x-correlation-id"), expected, "{path}");
        }
    }
    for told in ["c".repeat(129), String::new(), "caf\u{e9}".to_owned()] {
        let reply = browser.api(Method::GET, "/_ping", &[("x-correlation-id", told.as_str())]).await;
        assert_eq!((reply.status, reply.header("x-correlation-id")), (200, ""), "{told}");
    }
    let reply = browser.api(Method::GET, "/_ping", &[]).await;
    assert_eq!(reply.header("x-correlation-id"), "", "none is made up");
    server.stop().await;
}

/// Asks again with the tag of the answer, and gives the tag.
async fn holds(browser: &mut Browser, path: &str, reply: &Reply) -> String {
    let etag = reply.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "not a strong tag: {etag}");
    let again = browser.api(Method::GET, path, &[("if-none-match", &etag)]).await;
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", etag.as_str()), "{path}");
    assert_eq!(again.header("cache-control"), reply.header("cache-control"));
    let other = browser.api(Method::GET, path, &[("if-none-match", "\"another\"")]).await;
    assert_eq!((other.status, &other.body), (200, &reply.body), "{path}");
    etag
}

#[tokio::test]
async fn answers_that_have_not_changed_are_not_sent_again() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    for path in [LIST, "/v1/waiting-times/specialties", "/v1/waiting-times/providers?query=ox"] {
        let reply = browser.api(Method::GET, path, &[]).await;
        assert_eq!(reply.header("cache-control"), "public, max-age=60", "{path}");
        assert_eq!(reply.header("content-type"), "application/json");
        holds(&mut browser, path, &reply).await;
    }
    let profile = browser.api(Method::GET, "/v1/profile", &[]).await;
    holds(&mut browser, "/v1/profile", &profile).await;
    let path = "/v1/waiting-times";
    let before = browser.api(Method::GET, path, &[]).await;
    for reply in [&before, &profile] {
        assert_eq!(reply.header("cache-control"), "private, no-cache");
        let vary = reply.header("vary").to_lowercase();
        assert!(vary.contains("cookie"), "{vary}");
    }
    let etag = holds(&mut browser, path, &before).await;

    // The record changes: the tag no longer holds.
    let app = server.app();
    let person = sandbox::made_up_people(app.settings.sandbox.seed)[0].persona.clone();
    let patient = app.patients.find(&person.nhs_number, person.birth_date).await.unwrap().unwrap();
    let notice = ReferralNotice {
        source: "a test".to_owned(),
        filler_id: "1".to_owned(),
        provider: ProviderCode::parse("RX1").unwrap(),
        treatment_function: TreatmentFunction::parse("C_301").unwrap(),
        clock_start: platform::london_date(app.clock.now()),
        status: ReferralStatus::Waiting,
        pathway: Pathway::Routine,
        recorded_at: app.clock.now(),
    };
    let filed = app.waiting_times.file_referral(patient, &notice).await.unwrap();
    assert_eq!(filed.filing, Filing::Created);
    app.patients.changed(patient).await;
    let after = browser.api(Method::GET, path, &[("if-none-match", &etag)]).await;
    assert_eq!(after.status, 200);
    assert_ne!(after.header("etag"), etag);
    let count = |reply: &Reply| reply.json()["referrals"].as_array().map(Vec::len).unwrap();
    assert_eq!(count(&after), count(&before) + 1);

    // Nobody else's tag opens anything.
    let tag = after.header("etag").to_owned();
    let refused = server.browser().api(Method::GET, path, &[("if-none-match", &tag)]).await;
    assert_eq!(problem(&refused), "not_signed_in");
    server.stop().await;
}

#[tokio::test]
async fn every_kind_of_answer_carries_the_headers_that_protect() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    for (path, status) in [
        ("/", 200),
        ("/waiting-times", 200),
        ("/account", 200),
        ("/sign-in", 200),
        ("/nowhere", 404),
        ("/v1/waiting-times", 200),
        ("/v1/nowhere", 404),
        ("/v1/session", 200),
        ("/_status", 200),
        ("/openapi.json", 200),
        ("/assets/style.css", 200),
        ("/assets/none.css", 404),
        ("/auth/login", 303),
        ("/auth/callback/login", 400),
        ("/simulator/choose?request=none", 410),
        ("/simulator/style.css", 200),
        ("/docs/", 200),
        ("/docs/swagger-ui.css", 200),
    ] {
        let reply = browser.get(path).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        for (name, expected) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", ""),
        ] {
            assert_eq!(reply.header(name), expected, "{path}: {name}");
        }
        assert!(!reply.header("permissions-policy").is_empty(), "{path}");
        assert!(!reply.header("cache-control").is_empty(), "{path}");
        assert!(!reply.header("x-request-id").is_empty(), "{path}");
        assert_eq!(reply.header("server"), "", "{path} says what it is made of");
        let policy = reply.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        for part in ["unsafe-eval", "*", "data: ;", "script-src 'self' 'unsafe-inline'"] {
            assert!(!policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(policy.contains("unsafe-inline"), path.starts_with("/docs"), "{path}: {policy}");
        if reply.header("content-type").starts_with("text/html") && !path.starts_with("/docs") {
            for inline in [" style=\"", "<style", " onclick=", "javascript:"] {
                assert!(!reply.body.contains(inline), "{path} has {inline}");
            }
            assert!(reply.body.split("<script").skip(1).all(|tag| tag.contains("src=\"/")), "{path}");
        }
    }
    server.stop().await;

    let server =
        Server::with(with(|settings| settings.http.public_url = "https://front-door.example".into())).await;
    for path in ["/", "/_ping", "/nowhere"] {
        let reply = server.browser().get(path).await;
        assert!(reply.header("strict-transport-security").starts_with("max-age=63072000"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_documentation_loads_from_its_own_host_only() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let page = browser.visit("/docs").await;
    assert_eq!(page.status, 200);
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in page.body.split(attribute).skip(1) {
            let told = rest.split('"').next().unwrap();
            let url = page.url.join(told).unwrap();
            assert_eq!(url.origin(), page.url.origin(), "{told}");
            let reply = browser.send(Method::GET, url, &[], None).await;
            assert_eq!(reply.status, 200, "{told}");
            loaded += 1;
            if told.contains("initializer") {
                assert!(reply.body.contains("/openapi.json"), "{}", reply.body);
                assert!(!reply.body.contains("http:") && !reply.body.contains("https:"), "{}", reply.body);
            }
        }
    }
    assert!(loaded >= 4, "only {loaded} files");
    assert!(!page.body.contains("<script>"), "inline script is refused by the policy: {}", page.body);
    server.stop().await;
}

#[tokio::test]
async fn a_list_walked_page_by_page_is_the_list() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let codes = |reply: &Reply| -> Vec<String> {
        let answer = reply.json();
        let providers = answer["providers"].as_array().unwrap().iter();
        providers.map(|provider| provider["code"].as_str().unwrap().to_owned()).collect()
    };
    let whole = codes(&browser.api(Method::GET, "/v1/waiting-times/providers?limit=100", &[]).await);
    assert!(whole.len() >= 5);
    for limit in [1, 2, 3, 7] {
        let mut walked = Vec::new();
        let mut next = Some(format!("/v1/waiting-times/providers?limit={limit}"));
        while let Some(path) = next {
            let reply = browser.api(Method::GET, &path, &[]).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let page = codes(&reply);
            assert!((1..=limit).contains(&page.len()), "a page of {}", page.len());
            walked.extend(page);
            let link = reply.header("link");
            next = link.split(['<', '>']).nth(1).map(str::to_owned);
            assert_eq!(next.is_some(), link.ends_with("; rel=\"next\""), "{link}");
        }
        assert_eq!(walked, whole, "limit {limit}");
    }
    // A cursor holds for its own list and unchanged, and for nothing else.
    let reply = browser.api(Method::GET, "/v1/waiting-times/providers?limit=1", &[]).await;
    let next = reply.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
    let cursor = next.rsplit("cursor=").next().unwrap().to_owned();
    let mut changed = cursor.clone().into_bytes();
    changed[5] = if changed[5] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    for query in [
        format!("cursor={changed}"),
        format!("cursor={cursor}A"),
        format!("cursor={}", &cursor[1..]),
        format!("query=ox&cursor={cursor}"),
        format!("cursor={}", "A".repeat(513)),
    ] {
        let reply =
            browser.api(Method::GET, &format!("/v1/waiting-times/providers?limit=1&{query}"), &[]).await;
        assert_eq!((reply.status, problem(&reply).as_str()), (400, "cursor_invalid"), "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    for path in ["/", LIST, "/v1/waiting-times", "/v1/profile", "/_ping", "/assets/style.css", "/v1/nowhere"]
    {
        let get = browser.api(Method::GET, path, &[("accept", "*/*")]).await;
        let head = browser.api(Method::HEAD, path, &[("accept", "*/*")]).await;
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        for name in ["content-type", "etag", "cache-control", "content-length", "content-security-policy"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
        assert!(!head.header("content-length").is_empty(), "{path}");
    }
    server.stop().await;
}
