//! The access log as a chain: whole after everything that happens, broken by whoever tampers, and without it
//! nothing of anybody is read.

use std::time::Duration;

use reqwest::Method;
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use serde_json::{Value, json};
use tests::{Browser, Options, Server, Store};
use uuid::Uuid;

use crate::process::{on, run, text};

const RECORD: [&str; 3] = ["/v1/waiting-times", "/v1/profile", "/v1/concerns"];

/// Reads under a request id, so that the entry can be found.
async fn read(browser: &mut Browser, path: &str) -> (Uuid, tests::Reply) {
    let random: platform::SharedRandom = std::sync::Arc::new(platform::OsRandom);
    let id = random.uuid();
    let reply = browser.api(Method::GET, path, &[("x-request-id", &id.to_string())]).await;
    (id, reply)
}

/// What the binary says about the chain.
fn verify(store: &Store) -> (bool, Value, String) {
    let output = run(&mut on(store, &["access-log", "verify", "--json"]));
    let report = serde_json::from_slice(&output.stdout);
    let complained = text(&output.stderr);
    (output.status.success(), report.unwrap_or_else(|error| panic!("{error}: {complained}")), complained)
}

#[tokio::test]
async fn it_is_whole_after_all_that_happened_and_names_the_entry_that_was_changed() {
    let server = Server::start().await;
    let mut someone = server.signed_in("Philomena Quarrybank").await;
    let mut refused = server.signed_in("Ludovic Fenwhistle").await;
    server.browser().sign_in("Saffron Wetherlight").await;
    let mut ids = Vec::new();
    for path in RECORD {
        ids.push(read(&mut someone, path).await.0);
        read(&mut refused, path).await;
    }
    someone.submit("/auth/sign-out", &[]).await;
    let entries = server.app().access_log.verify().await.unwrap().entries;
    assert!(entries >= 9, "{entries}");
    let store = server.stop().await;

    let (whole, report, complained) = verify(&store);
    assert!(whole, "{complained}");
    assert_eq!((report["entries"].as_u64(), &report["broken"]), (Some(entries), &Value::Null));
    let output = run(&mut on(&store, &["access-log", "verify"]));
    assert!(text(&output.stdout).starts_with("The access log is whole"), "{}", text(&output.stdout));

    // Whoever holds the database's password takes the guard away and whitewashes one entry.
    let database = store.connect().await;
    let backend = database.get_database_backend();
    let blocks = Statement::from_string(
        backend,
        "SELECT month, lane, first_seq, entry_count, entries FROM access_log_block",
    );
    let id: uuid::Uuid = ids[1];
    let (row, bytes) = database
        .query_all_raw(blocks)
        .await
        .unwrap()
        .into_iter()
        .map(|row| {
            let bytes: Vec<u8> = row.try_get("", "entries").unwrap();
            (row, bytes)
        })
        .find(|(_, bytes)| bytes.windows(16).any(|window| window == id.as_bytes()))
        .expect("the request has its entry");
    let month: i32 = row.try_get("", "month").unwrap();
    let lane: i16 = row.try_get("", "lane").unwrap();
    let first: i64 = row.try_get("", "first_seq").unwrap();
    let count: i32 = row.try_get("", "entry_count").unwrap();
    let from = bytes.windows(16).position(|window| window == id.as_bytes()).unwrap();
    let at = from + bytes[from..].windows(4).position(|window| window == b"self").unwrap();
    let mut whitewashed = bytes;
    whitewashed[at..at + 4].copy_from_slice(b"none");
    let marks = if backend == DbBackend::Postgres { ["$1", "$2", "$3", "$4"] } else { ["?"; 4] };
    let change = Statement::from_sql_and_values(
        backend,
        format!(
            "UPDATE access_log_block SET entries = {} WHERE month = {} AND lane = {} AND first_seq = {}",
            marks[0], marks[1], marks[2], marks[3]
        ),
        [whitewashed.into(), month.into(), lane.into(), first.into()],
    );
    let kept = database.execute_raw(change.clone()).await.unwrap_err().to_string();
    assert!(kept.contains("append-only"), "{kept}");
    let disarm = match backend {
        DbBackend::Postgres => "DROP TRIGGER access_log_append_only ON access_log_block",
        _ => "DROP TRIGGER access_log_no_update",
    };
    database.execute_unprepared(disarm).await.unwrap();
    database.execute_raw(change).await.unwrap();

    let (whole, report, complained) = verify(&store);
    assert!(!whole);
    assert_eq!((&report["broken"]["month"], &report["broken"]["lane"]), (&json!(month), &json!(lane)));
    let seq = report["broken"]["seq"].as_i64().unwrap();
    assert!((first..first + i64::from(count)).contains(&seq), "{seq} is not in the block of {first}");
    let named = format!("entry {seq} of chain {month}/{lane}");
    assert!(complained.contains(&named) && complained.lines().count() == 1, "{complained}");
}

/// What keeps everybody else from writing to the log until it is rolled back.
async fn hold(server: &Server) -> sea_orm::DatabaseTransaction {
    let held = server.app().db.write().begin().await.expect("a transaction");
    let lock = match held.get_database_backend() {
        DbBackend::Postgres => "LOCK TABLE access_log_block IN EXCLUSIVE MODE",
        // A write takes the one lock there is.
        _ => "UPDATE access_log_head SET lane = lane",
    };
    held.execute_unprepared(lock).await.expect("the log is there");
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn the_entry_is_written_before_the_answer_leaves() {
    let server = Server::start().await;
    let mut browser = server.signed_in("Philomena Quarrybank").await;
    // Whatever can be kept in memory is.
    assert_eq!(read(&mut browser, RECORD[0]).await.1.status, 200);

    let held = hold(&server).await;
    let asked = tokio::spawn(async move { read(&mut browser, RECORD[0]).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!asked.is_finished(), "answered, and its entry cannot have been written");
    held.rollback().await.unwrap();
    let (id, reply) = asked.await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(server.app().access_log.of_request(id).await.unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_log_no_record_is_opened_and_everything_else_goes_on() {
    let server = Server::start().await;
    let mut browser = server.signed_in("Philomena Quarrybank").await;
    for path in RECORD {
        assert_eq!(read(&mut browser, path).await.1.status, 200);
    }
    let database = server.store().connect().await;
    database.execute_unprepared("ALTER TABLE access_log_block RENAME TO access_log_gone").await.unwrap();

    let people = sandbox::made_up_people(server.app().settings.sandbox.seed);
    let person = &people[0].persona;
    for path in RECORD {
        let (_, reply) = read(&mut browser, path).await;
        assert_eq!((reply.status, reply.code().as_str()), (503, "access_log_unavailable"), "{path}");
        assert!(!reply.header("retry-after").is_empty());
        for told in [&person.given_name, &person.family_name, person.nhs_number.expose(), "RRK", "referral"] {
            assert!(!reply.body.contains(told), "{path}: {}", reply.body);
        }
    }
    for path in ["/waiting-times", "/account/concerns"] {
        let reply = browser.get(path).await;
        assert_eq!(reply.status, 503, "{path}");
        assert!(!reply.body.contains(&person.family_name) && !reply.body.contains("Orthopaedic"), "{path}");
    }
    let body = json!({ "category": "other", "text": "Wrong." });
    let key = [("idempotency-key", "while-it-is-gone")];
    let reply = browser.api_send_with(Method::POST, "/v1/concerns", Some(&body), &key).await;
    assert_eq!(reply.code(), "access_log_unavailable");

    // Nobody signs in unseen either.
    let reply = server.browser().sign_in("Barnaby Thistlewick").await;
    assert_eq!(reply.status, 503, "{}", reply.body);

    for path in ["/", "/help", "/waiting-times/look-up", "/_ping", "/v1/waiting-times/providers", "/account"]
    {
        assert_eq!(browser.get(path).await.status, 200, "{path}");
    }
    assert_eq!(browser.api(Method::GET, "/v1/sessions", &[]).await.status, 200);
    assert_eq!(browser.api_send(Method::POST, "/v1/session/extend", None).await.status, 200);

    database.execute_unprepared("ALTER TABLE access_log_gone RENAME TO access_log_block").await.unwrap();
    for path in RECORD {
        let (_, reply) = read(&mut browser, path).await;
        assert_eq!(reply.status, 200, "it heals by itself: {}", reply.body);
    }
    let again = browser.api_send_with(Method::POST, "/v1/concerns", Some(&body), &key).await;
    assert_eq!(again.status, 201, "what was refused was not taken as done: {}", again.body);
    assert_eq!(server.app().access_log.verify().await.unwrap().broken, None);
    assert_eq!(browser.api_send(Method::DELETE, "/v1/session", None).await.status, 204);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_reads_through_two_instances_leave_one_entry_each() {
    const EACH: usize = 25;
    let one = Server::start().await;
    let other = Server::on(one.store(), Options::default()).await;
    let mut browsers = Vec::new();
    for server in [&one, &other] {
        for name in ["Philomena Quarrybank", "Barnaby Thistlewick", "Cosmo Hathersnipe"] {
            browsers.push(server.signed_in(name).await);
        }
    }
    let before = one.app().access_log.verify().await.unwrap().entries;
    let expected = browsers.len() * EACH;
    let work = browsers.into_iter().map(|mut browser| {
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for number in 0..EACH {
                let (id, reply) = read(&mut browser, RECORD[number % RECORD.len()]).await;
                assert_eq!(reply.status, 200, "{}", reply.body);
                ids.push(id);
            }
            ids
        })
    });
    let mut answered = 0;
    for ids in futures::future::join_all(work).await {
        for id in ids.unwrap() {
            assert_eq!(other.app().access_log.of_request(id).await.unwrap().len(), 1);
            answered += 1;
        }
    }
    let verdict = one.app().access_log.verify().await.unwrap();
    assert_eq!(verdict.broken, None);
    assert_eq!(answered, expected);
    assert_eq!(verdict.entries - before, u64::try_from(expected).unwrap(), "as many entries as answers");
    let store = one.stop().await;
    other.stop().await;
    let (whole, report, complained) = verify(&store);
    assert!(whole, "{complained}");
    assert_eq!(report["entries"].as_u64(), Some(verdict.entries));
}
