use super::*;
use crate::testing::{Store, store};
use sea_orm::ConnectionTrait;

fn entry(subject: u128) -> Entry {
    Entry {
        request_id: Uuid::from_u128(subject * 1_000),
        actor: Some(AccountId(Uuid::from_u128(1))),
        subject: Some(PatientId(Uuid::from_u128(subject))),
        authority: "self".into(),
        client: ClientId::web(),
        category: Category::WaitingTimes,
        purpose: "direct-care-self",
        operation: "test",
        outcome: if subject.is_multiple_of(3) { Outcome::Refused("not_theirs") } else { Outcome::Allowed },
    }
}

async fn filled(entries: u128) -> Store {
    let store = store().await;
    let log = &store.log;
    let all = (0..entries).map(|number| log.append(entry(number)));
    for outcome in futures_join(all).await {
        outcome.unwrap();
    }
    store
}

async fn futures_join<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut out = Vec::new();
    for one in all {
        out.push(one.await);
    }
    out
}

/// Breaks into the store as somebody with the database's password would.
async fn tamper(store: &Store, sql: &str) {
    store.break_in().await;
    store.db.write().execute_unprepared(sql).await.unwrap();
}

#[tokio::test]
async fn entries_read_back_and_the_chain_holds() {
    let store = filled(200).await;
    let verdict = store.log.verify().await.unwrap();
    assert_eq!((verdict.entries, verdict.broken), (200, None));
    let found = store.log.about(PatientId(Uuid::from_u128(3)), 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].refused.as_deref(), Some("not_theirs"));
    assert_eq!(store.log.of_request(Uuid::from_u128(7_000)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn entries_that_wait_together_share_commits_and_all_are_there() {
    let store = store().await;
    let all: Vec<_> = (0..500_u128)
        .map(|number| {
            let log = store.log.clone();
            tokio::spawn(async move { log.append(entry(number)).await })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    let verdict = store.log.verify().await.unwrap();
    assert_eq!((verdict.entries, verdict.broken), (500, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_on_one_store_never_break_each_others_chains() {
    let store = store().await;
    let other = AccessLog::start(store.db.clone(), &store.keys, store.log.clock.clone()).unwrap();
    let third = AccessLog::start(store.db.clone(), &store.keys, store.log.clock.clone()).unwrap();
    let all: Vec<_> = (0..600_u128)
        .map(|number| {
            let logs = [store.log.clone(), other.clone(), third.clone()];
            tokio::spawn(async move { logs[number as usize % 3].append(entry(number)).await })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    let verdict = store.log.verify().await.unwrap();
    assert_eq!((verdict.entries, verdict.broken), (600, None));
}

#[tokio::test]
async fn the_database_refuses_to_change_or_remove_an_entry() {
    let store = filled(3).await;
    for sql in ["UPDATE access_log SET operation = 'x'", "DELETE FROM access_log"] {
        let refused = store.db.write().execute_unprepared(sql).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn every_way_of_tampering_is_named_by_the_first_broken_entry() {
    for (sql, seq, reason) in [
        ("UPDATE access_log SET refused = NULL WHERE seq = 3", 3, "changed"),
        ("UPDATE access_log SET subject = actor WHERE seq = 0", 0, "changed"),
        ("UPDATE access_log SET at_micros = at_micros + 1 WHERE seq = 8", 8, "changed"),
        ("DELETE FROM access_log WHERE seq = 4", 4, "missing"),
        ("DELETE FROM access_log WHERE seq >= 7", 7, "ends before its head"),
        ("UPDATE access_log_head SET next_seq = 9; DELETE FROM access_log WHERE seq = 9", 9, "does not fit"),
        ("DELETE FROM access_log_head", 0, "no head"),
    ] {
        let store = filled(10).await;
        tamper(&store, sql).await;
        let broken = store.log.verify().await.unwrap().broken.unwrap_or_else(|| panic!("unseen: {sql}"));
        assert_eq!(broken.seq, seq, "{sql}: {broken}");
        assert!(broken.reason.contains(reason), "{sql}: {broken}");
    }
}

#[tokio::test]
async fn without_a_database_nothing_is_let_through() {
    let store = filled(1).await;
    tamper(&store, "ALTER TABLE access_log RENAME TO elsewhere").await;
    assert_eq!(store.log.append(entry(1)).await, Err(AccessLogUnavailable));
}
