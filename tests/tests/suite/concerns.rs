//! What a person says looks wrong: kept once however often it is sent, shown to them alone, sealed in the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::Method;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tests::{Browser, Form, Options, Reply, Server, form, hidden_field};
use tokio::sync::Barrier;

const SOMEONE: &str = "Philomena Quarrybank";
const OTHER: &str = "Barnaby Thistlewick";
const PATH: &str = "/v1/concerns";

async fn raise(browser: &mut Browser, key: &str, body: &Value) -> Reply {
    browser.api_send_with(Method::POST, PATH, Some(body), &[("idempotency-key", key)]).await
}

fn saying(text: &str) -> Value {
    json!({ "category": "waiting-times", "text": text })
}

/// The texts of all concerns, newest first.
async fn texts(browser: &mut Browser) -> Vec<String> {
    let answer = browser.api(Method::GET, "/v1/concerns?limit=100", &[]).await.json();
    let concerns = answer["concerns"].as_array().expect("concerns").iter();
    concerns.map(|concern| concern["text"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn sent_twice_it_is_kept_once_and_answered_the_same() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    let body = saying("I was referred in March.");
    let first = raise(&mut browser, "the-same-key", &body).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let answer = first.json();
    assert_eq!(
        (answer["state"].as_str(), answer["category"].as_str()),
        (Some("received"), Some("waiting-times"))
    );
    assert_eq!(answer["about"], Value::Null);
    assert_eq!(first.header("cache-control"), "no-store");

    let second = raise(&mut browser, "the-same-key", &body).await;
    assert_eq!((second.status, &second.body), (201, &first.body));
    assert_eq!(texts(&mut browser).await, ["I was referred in March."]);

    // Another request under the same key, through either door, is refused and keeps nothing.
    let other = raise(&mut browser, "the-same-key", &saying("I was referred in May.")).await;
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    let fields = [("category", "other"), ("text", "From the form."), ("idempotency_key", "the-same-key")];
    assert_eq!(browser.submit("/account/concerns", &fields).await.status, 422);
    assert_eq!(texts(&mut browser).await.len(), 1);

    // A key belongs to whoever used it: the same one of another person is another.
    let mut other = server.signed_in(OTHER).await;
    let theirs = raise(&mut other, "the-same-key", &body).await;
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.body, first.body);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_twenty_times_at_once_through_two_instances_it_is_kept_once() {
    const AT_ONCE: usize = 20;
    let one = Server::start().await;
    let two = Server::on(one.store(), Options::default()).await;
    let mut browser = one.signed_in(SOMEONE).await;
    let token = browser.csrf_token().await;
    let body = saying("Only once.");
    let start = Arc::new(Barrier::new(AT_ONCE));
    let work = (0..AT_ONCE).map(|number| {
        let server = if number % 2 == 0 { &one } else { &two };
        let mut browser_there = server.browser();
        browser_there.plant("__Host-sid", &browser.session().unwrap());
        let (start, token, body) = (start.clone(), token.clone(), body.to_string());
        let url = url::Url::parse(&server.at(PATH)).unwrap();
        tokio::spawn(async move {
            let origin = browser_there.origin();
            let headers = [
                ("origin", origin.as_str()),
                ("x-csrf-token", &token),
                ("content-type", "application/json"),
                ("idempotency-key", "twenty-at-once"),
            ];
            start.wait().await;
            browser_there.send(Method::POST, url, &headers, Some(body.into_bytes())).await
        })
    });
    let work: Vec<_> = work.collect();
    let mut bodies = BTreeSet::new();
    for outcome in futures::future::join_all(work).await {
        let reply = outcome.unwrap();
        assert_eq!(reply.status, 201, "{}", reply.body);
        bodies.insert(reply.body);
    }
    assert_eq!(bodies.len(), 1, "all are told of the same one: {bodies:?}");
    assert_eq!(texts(&mut browser).await, ["Only once."]);
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_the_place_that_is_wrong() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    let longest = "é".repeat(2_000);
    for (body, pointer) in [
        (saying(""), Some("/text")),
        (saying(" \n\t "), Some("/text")),
        (saying(&format!("{longest}x")), Some("/text")),
        (json!({ "category": "test-results", "text": "a" }), None),
        (json!({ "category": "other" }), None),
        (json!({ "category": "other", "text": 5 }), None),
        (json!({ "category": "other", "text": "a", "about": "not an id" }), None),
        (json!({ "category": "other", "text": "a", "state": "answered" }), None),
        (json!(["other"]), None),
    ] {
        let reply = raise(&mut browser, "a-key-of-its-own", &body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "body_invalid"), "{body}");
        assert_eq!(reply.json()["pointer"].as_str(), pointer, "{body}");
    }
    let too_long = "k".repeat(129);
    for key in [None, Some("short"), Some(too_long.as_str()), Some("with\u{e9}accent")] {
        let headers: Vec<(&str, &str)> = key.map(|key| ("idempotency-key", key)).into_iter().collect();
        let reply = browser.api_send_with(Method::POST, PATH, Some(&saying("a")), &headers).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "parameter_invalid"), "{key:?}");
        assert_eq!(reply.json()["pointer"], "Idempotency-Key");
    }
    assert_eq!(texts(&mut browser).await, Vec::<String>::new());

    // The longest there may be, in characters; and nothing that was refused used up its key.
    let reply = raise(&mut browser, "a-key-of-its-own", &saying(&longest)).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(texts(&mut browser).await, [longest]);
    server.stop().await;
}

#[tokio::test]
async fn the_list_is_walked_page_by_page_newest_first() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    assert_eq!(texts(&mut browser).await, Vec::<String>::new(), "none said is an empty list");
    for number in 0..7 {
        let reply =
            raise(&mut browser, &format!("number-{number}"), &saying(&format!("Number {number}."))).await;
        assert_eq!(reply.status, 201);
    }
    let all = texts(&mut browser).await;
    let expected: Vec<String> = (0..7).rev().map(|number| format!("Number {number}.")).collect();
    assert_eq!(all, expected);
    let mut walked = Vec::new();
    let mut next = Some("/v1/concerns?limit=3".to_owned());
    while let Some(path) = next {
        let reply = browser.api(Method::GET, &path, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let page = reply.json();
        let page = page["concerns"].as_array().unwrap();
        assert!((1..=3).contains(&page.len()));
        walked.extend(page.iter().map(|concern| concern["text"].as_str().unwrap().to_owned()));
        // One that is raised meanwhile does not move the pages that follow.
        raise(&mut browser, &format!("meanwhile-{}", walked.len()), &saying("Meanwhile.")).await;
        let link = reply.header("link");
        assert!(link.is_empty() || link.ends_with(">; rel=\"next\""), "{link}");
        next = link.split(['<', '>']).nth(1).map(str::to_owned);
    }
    assert_eq!(walked, expected);
    for wrong in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1&limit=2", "cursor=AAAA", "more=1"] {
        let reply = browser.api(Method::GET, &format!("/v1/concerns?{wrong}"), &[]).await;
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_form_keeps_shows_and_says_what_to_put_right() {
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    let page = browser.get("/account/concerns").await;
    assert_eq!(page.status, 200);
    let key = hidden_field(&page.body, "idempotency_key");
    assert!(key.len() >= 8, "{key:?}");

    let hostile = "<script>alert(1)</script> & \"quotes\"";
    let fields = [("category", ""), ("text", hostile), ("idempotency_key", key.as_str())];
    let wrong = browser.submit("/account/concerns", &fields).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.header("content-type").starts_with("text/html"));
    assert!(wrong.body.contains("There is a problem"), "a summary: {}", wrong.body);
    assert!(wrong.body.contains("href=\"#category\""), "that leads to the field: {}", wrong.body);
    assert!(wrong.body.contains("Error:") && !wrong.body.contains("<script>alert"), "{}", wrong.body);
    assert_eq!(hidden_field(&wrong.body, "idempotency_key"), key, "the key stays the form's own");
    let long = "x".repeat(2_001);
    let fields = [("category", "other"), ("text", long.as_str()), ("idempotency_key", key.as_str())];
    let wrong = browser.submit("/account/concerns", &fields).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("2,000 characters or fewer") && wrong.body.contains(&long));
    assert_eq!(texts(&mut browser).await, Vec::<String>::new());

    let fields = [("category", "profile"), ("text", hostile), ("idempotency_key", key.as_str())];
    for _ in 0..2 {
        let sent = browser.submit("/account/concerns", &fields).await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        let shown = browser.follow(sent).await;
        assert_eq!((shown.status, shown.url.path()), (200, "/account/concerns"));
        assert!(!shown.body.contains("<script>alert"), "{}", shown.body);
        assert_eq!(
            shown
                .body
                .matches("&quot;quotes&quot;")
                .count()
                .max(shown.body.matches("&#34;quotes&#34;").count()),
            1
        );
    }
    assert_eq!(texts(&mut browser).await, [hostile]);

    // Through the form or through the API, it is one list.
    raise(&mut browser, "from-the-api", &saying("From the API.")).await;
    assert!(browser.get("/account/concerns").await.body.contains("From the API."));
    server.stop().await;
}

#[tokio::test]
async fn nobody_else_sees_them_and_nobody_reads_them_in_the_store() {
    const WORDS: &str = "zebrawood quillwort hornbeam";
    let server = Server::start().await;
    let mut browser = server.signed_in(SOMEONE).await;
    assert_eq!(raise(&mut browser, "from-the-api", &saying(WORDS)).await.status, 201);
    let page = browser.get("/account/concerns").await;
    let key = hidden_field(&page.body, "idempotency_key");
    let fields = [("category", "other"), ("text", WORDS), ("idempotency_key", key.as_str())];
    assert_eq!(browser.submit("/account/concerns", &fields).await.status, 303);
    assert_eq!(texts(&mut browser).await, [WORDS, WORDS]);

    let mut other = server.signed_in(OTHER).await;
    assert_eq!(texts(&mut other).await, Vec::<String>::new());
    for page in ["/account/concerns", "/account", "/"] {
        assert!(!other.get(page).await.body.contains("zebrawood"), "{page}");
    }

    let store = server.stop().await;
    let database = store.connect().await;
    // Row by row, as text, whatever the type of the column.
    for table in ["concern", "idempotent_request", "access_log_block"] {
        let columns = match (table, database.get_database_backend()) {
            (_, DbBackend::Postgres) => format!("encode(convert_to(({table}.*)::text, 'UTF8'), 'escape')"),
            ("concern", _) => "quote(text_sealed) || category || quote(about) || state".to_owned(),
            ("idempotent_request", _) => "quote(body) || quote(key_hash) || quote(request_hash)".to_owned(),
            _ => "quote(entries) || subjects".to_owned(),
        };
        let sql = format!("SELECT {columns} AS row_text FROM {table}");
        let rows = database
            .query_all_raw(Statement::from_string(database.get_database_backend(), sql))
            .await
            .unwrap();
        assert!(rows.len() >= 2, "{table}");
        for row in rows {
            let text: String = row.try_get("", "row_text").unwrap();
            let text = text.to_lowercase();
            let hex: String = "zebrawood".bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains("zebrawood") && !text.contains(&hex), "{table}: {text}");
        }
    }
    database.close().await.unwrap();
    if *form() == Form::Embedded {
        for entry in std::fs::read_dir(store.folder()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes.windows(9).any(|window| window == b"zebrawood");
                assert!(!found, "{} holds the words", path.display());
            }
        }
    }
}
