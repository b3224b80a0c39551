//! Whoever means harm, or is merely broken: what never ends, what is not HTTP, what is not a word. Nothing of it
//! breaks anything, costs others their answers, or is said back.

use std::time::{Duration, Instant};

use reqwest::Method;
use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use serde_json::{Value, json};
use tests::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::manners::{SOMEONE, problem, send, with};

/// Sends bytes, closes nothing, and reads until the server does or `patience` runs out.
async fn raw(server: &Server, bytes: &[u8], patience: Duration) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.expect("a connection");
    stream.write_all(bytes).await.expect("bytes are sent");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(patience, stream.read_to_end(&mut answer)).await;
    // A connection that is reset was ended all the same.
    read.is_ok().then(|| String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn a_header_that_never_ends_is_cut_off() {
    let server = Server::with(with(|settings| settings.http.header_timeout_seconds = 1)).await;
    for start in
        ["", "GET", "GET /_ping HTTP/1.1\r\nhost: x\r\n", "GET /_ping HTTP/1.1\r\nhost: x\r\nx-slow: a"]
    {
        let answer = raw(&server, start.as_bytes(), Duration::from_secs(8)).await;
        let answer = answer.unwrap_or_else(|| panic!("{start:?}: the connection stays open"));
        assert!(!answer.contains("200 OK"), "{start:?}: {answer}");
    }
    // Byte by byte does not help: the time is for the whole header.
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let started = Instant::now();
    let mut sent = stream.write_all(b"GET /_ping HTTP/1.1\r\nx: ").await;
    while sent.is_ok() && started.elapsed() < Duration::from_secs(8) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        sent = stream.write_all(b"a").await;
    }
    assert!(sent.is_err(), "the connection stays open for whoever drips");
    assert_eq!(server.browser().get("/_ping").await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_answered_or_cut_off_and_harms_nobody() {
    let server = Server::with(with(|settings| settings.http.header_timeout_seconds = 1)).await;
    let huge = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: a\r\n".repeat(500));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(80_000));
    let cases: [&[u8]; 14] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n",
        b"POST /v1/concerns HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST /v1/concerns HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/concerns HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        huge.as_bytes(),
        many.as_bytes(),
        long.as_bytes(),
    ];
    for bytes in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let answer = raw(&server, bytes, Duration::from_secs(8)).await;
        let answer = answer.unwrap_or_else(|| panic!("{shown:?}: the connection stays open"));
        let status: u16 = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(400);
        assert!((400..500).contains(&status), "{shown:?}: {answer}");
        assert_eq!(server.browser().get("/_ping").await.status, 200, "after {shown:?}");
    }
    // Two ways to say where a body ends: the request after it may not be another's.
    let smuggled =
        b"POST /v1/concerns HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n\
        0\r\n\r\nGET /v1/waiting-times/specialties HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = raw(&server, smuggled, Duration::from_secs(8)).await.unwrap();
    assert!(!answer.contains("specialties\":["), "{answer}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_too_long_is_given_up() {
    let server = Server::with(with(|settings| settings.http.answer_timeout_seconds = 1)).await;
    let mut browser = server.signed_in(SOMEONE).await;
    // Somebody holds what every read of a record must write to.
    let held = server.app().db.write().begin().await.unwrap();
    let lock = match held.get_database_backend() {
        DbBackend::Postgres => "LOCK TABLE access_log_block IN EXCLUSIVE MODE",
        _ => "UPDATE access_log_head SET lane = lane",
    };
    held.execute_unprepared(lock).await.unwrap();
    let reply = browser.api(Method::GET, "/v1/profile", &[]).await;
    assert_eq!((reply.status, problem(&reply).as_str()), (503, "answer_timeout"));
    assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    let page = browser.get("/waiting-times").await;
    assert_eq!(page.status, 503);
    assert!(!page.header("retry-after").is_empty() && page.body.contains("SV-"), "{}", page.body);
    held.rollback().await.unwrap();
    assert_eq!(browser.api(Method::GET, "/v1/profile", &[]).await.status, 200);

    // A body that does not come.
    let request = format!(
        "POST /v1/concerns HTTP/1.1\r\nhost: x\r\norigin: {}\r\ncookie: __Host-sid={}\r\nx-csrf-token: {}\r\n\
         content-type: application/json\r\nidempotency-key: a-key-of-mine\r\ncontent-length: 100\r\n\r\n{{",
        browser.origin(),
        browser.session().unwrap(),
        browser.csrf_token().await,
    );
    let answer = raw(&server, request.as_bytes(), Duration::from_secs(15)).await;
    let answer = answer.expect("the connection ends");
    assert!(answer.starts_with("HTTP/1.1 503") || answer.starts_with("HTTP/1.1 408"), "{answer}");
    server.stop().await;
}

/// What somebody may send instead of a word, as it stands in an address; the last ones are not well formed.
fn hostile() -> Vec<String> {
    let mut plain: Vec<String> = [
        "",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\0",
        "a\0b",
        "\u{1}\u{2}\u{1f}\u{7f}",
        "\u{80}\u{9f}",
        "\u{feff}",
        "\u{200b}",
        "\u{202e}txt.exe",
        "\u{ffff}",
        "\u{10ffff}",
        "e\u{301}\u{301}\u{301}",
        "İıſß",
        "𝕬𝖇",
        "👩‍⚕️",
        "ﷺ",
        "٣٤",
        "'",
        "''",
        "\"",
        "`",
        "' OR '1'='1",
        "'; DROP TABLE patient; --",
        "\" OR \"\"=\"",
        "1; SELECT pg_sleep(9)",
        "') UNION SELECT NULL,NULL--",
        "%' ESCAPE '",
        "%",
        "_",
        "%%%",
        "\\",
        "\\\\",
        "$$",
        "${jndi:ldap://x/a}",
        "{{7*7}}",
        "<%= 7*7 %>",
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'-alert(1)-'",
        "</title><svg/onload=alert(1)>",
        "<!--",
        "]]>",
        "&lt;b&gt;",
        "javascript:alert(1)",
        "data:text/html,<b>",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "\\\\evil.example\\x",
        "/%2f/evil.example",
        "/.//evil.example",
        "/\tevil",
        "/@evil.example",
        "../../etc/passwd",
        "..%2f..%2f",
        "/..;/",
        "file:///etc/passwd",
        "C:\\x",
        "|id",
        "$(id)",
        "a;b",
        "a\r\nset-cookie: x=y",
        "a\u{2028}b",
        "NaN",
        "null",
        "undefined",
        "true",
        "-1",
        "0",
        "1e309",
        "0x10",
        "99999999999999999999",
        "1.5",
        "+1",
        "１",
    ]
    .map(str::to_owned)
    .into();
    plain.extend([
        "x".repeat(101),
        "x".repeat(1_000),
        "é".repeat(200),
        "%".repeat(300),
        "(".repeat(500),
        "A".repeat(43),
    ]);
    let encode = |text: &String| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let mut all: Vec<String> = plain.iter().map(encode).collect();
    for malformed in [
        "%",
        "%0",
        "%zz",
        "%ff%fe",
        "%c0%af",
        "%ed%a0%80",
        "%f8%88%80%80%80",
        "%u0041",
        "+%00+",
        "[]",
        "a&a=b",
    ] {
        all.push(malformed.to_owned());
    }
    all
}

/// What an address says, read as browsers write it.
fn meant(encoded: &str) -> String {
    let pair = format!("x={encoded}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[tokio::test]
async fn hostile_inputs_break_nothing_and_are_not_said_back() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    let session = browser.session();
    let inputs = hostile();
    assert!(inputs.len() >= 60);
    let places = [
        "/v1/waiting-times/providers?query=",
        "/v1/waiting-times/providers?limit=",
        "/v1/waiting-times/providers?cursor=",
        "/v1/waiting-times/statistics?treatment_function=C_120&provider=",
        "/v1/waiting-times/statistics?provider=RTH&treatment_function=",
        "/v1/concerns?cursor=",
        "/waiting-times/look-up?specialty=C_120&name=",
        "/waiting-times/look-up?name=ox&specialty=",
        "/waiting-times/look-up?specialty=C_120&provider=",
        "/waiting-times/look-up?specialty=C_120&name=ox&after=",
        "/account/concerns?category=",
        "/account/concerns?about=",
        "/sign-in?return_to=",
        "/auth/callback/login?state=x&code=",
        "/auth/callback/login?error_description=x&error=",
        "/nowhere?x=",
    ];
    for place in places {
        for input in &inputs {
            let path = format!("{place}{input}");
            let Ok(url) = Url::parse(&browser.origin()).unwrap().join(&path) else { continue };
            let reply = browser.send(Method::GET, url, &[("accept", "text/html")], None).await;
            let shown = format!("{path}: {} {}", reply.status, reply.body);
            assert!(reply.status < 500, "{shown}");
            let text = meant(input);
            if reply.header("content-type").starts_with("text/html") {
                for sign in ['<', '"'] {
                    let told = text.contains(sign) && text.len() > 2;
                    assert!(!told || !reply.body.contains(&text), "{shown}");
                }
                assert!(!reply.body.contains("alert(1)<") && !reply.body.contains("<svg/onload"), "{shown}");
                for part in [
                    "href=\"//",
                    "href=\"javascript",
                    "href=\"http",
                    "name=\"return_to\" value=\"//",
                    "action=\"http",
                    "href=\"\\",
                    "href=\"/\\",
                ] {
                    assert!(!reply.body.contains(part), "{part} in {shown}");
                }
            } else if reply.status != 303 {
                assert!(serde_json::from_str::<Value>(&reply.body).is_ok(), "{shown}");
                assert_eq!(reply.header("x-content-type-options"), "nosniff");
            }
            assert!(reply.set_cookies().iter().all(|cookie| !cookie.starts_with("x=")), "{shown}");
        }
    }
    assert_eq!(browser.session(), session, "and nobody was signed out by it");

    // Where to go after signing in: a path on this site, whatever was asked.
    for input in &inputs {
        let mut fresh = server.browser();
        let begun = fresh.get(&format!("/auth/login?return_to={input}")).await;
        assert!(matches!(begun.status, 303 | 400), "{input}: {}", begun.status);
        let Some(to) = begun.location() else { continue };
        assert_eq!(
            (to.origin(), to.path()),
            (Url::parse(&server.url()).unwrap().origin(), "/simulator/authorize")
        );
    }
    for target in ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"] {
        let mut fresh = server.browser();
        let arrived = fresh.sign_in_to(SOMEONE, target).await;
        assert_eq!(arrived.url.origin(), Url::parse(&server.url()).unwrap().origin(), "{target}");
        assert_eq!((arrived.status, arrived.url.path()), (200, "/"), "{target}");
    }

    // As bodies.
    let (token, origin) = (browser.csrf_token().await, browser.origin());
    for input in &inputs {
        let text = meant(input);
        let key = format!("hostile-{}", platform::crypto::sha256_hex(text.as_bytes()));
        let headers = [
            ("origin", origin.as_str()),
            ("x-csrf-token", token.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
        ];
        let body = json!({ "category": "other", "text": text }).to_string();
        let reply = send(&mut browser, "POST", "/v1/concerns", &headers, Some(&body)).await;
        assert!(matches!(reply.status, 201 | 400), "{text:?}: {} {}", reply.status, reply.body);
        if reply.status == 201 {
            assert_eq!(reply.json()["text"], text, "kept as it was said");
        }
    }
    let page = browser.get("/account/concerns").await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"), "{}", page.body);
    server.stop().await;
}
