use super::*;
use crate::testing::{Store, store};
use futures::future::join_all;
use sea_orm::{ActiveModelTrait, ConnectionTrait, IntoActiveModel, Set};

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
    for sql in [
        "UPDATE access_log_block SET entry_count = 0",
        "DELETE FROM access_log_block",
        "UPDATE access_log_subject SET at_micros = 0",
        "DELETE FROM access_log_subject",
    ] {
        let refused = store.db.write().execute_unprepared(sql).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn every_way_of_tampering_is_named_by_the_first_broken_entry() {
    let other =
        |column, from| format!("(SELECT b.{column} FROM access_log_block b WHERE b.first_seq = {from})");
    for (sql, seq, reason) in [
        (
            format!("UPDATE access_log_block SET entries = {} WHERE first_seq = 3", other("entries", 2)),
            3,
            "changed",
        ),
        (
            format!("UPDATE access_log_block SET subjects = {} WHERE first_seq = 0", other("subjects", 1)),
            0,
            "changed",
        ),
        (
            "UPDATE access_log_block SET subjects = '[]' WHERE first_seq = 5".to_owned(),
            5,
            "does not read back",
        ),
        ("UPDATE access_log_block SET subjects = 'x' WHERE first_seq = 5".to_owned(), 5, "do not read back"),
        ("UPDATE access_log_block SET entry_count = 2 WHERE first_seq = 8".to_owned(), 9, "missing"),
        ("UPDATE access_log_block SET first_seq = 20 WHERE first_seq = 8".to_owned(), 8, "missing"),
        ("DELETE FROM access_log_block WHERE first_seq = 4".to_owned(), 4, "missing"),
        ("DELETE FROM access_log_block WHERE first_seq >= 7".to_owned(), 7, "ends before its head"),
        (
            "UPDATE access_log_head SET next_seq = 9; DELETE FROM access_log_block WHERE first_seq = 9"
                .to_owned(),
            9,
            "does not fit",
        ),
        ("DELETE FROM access_log_head".to_owned(), 0, "no head"),
        ("DELETE FROM access_log_subject WHERE first_seq = 6".to_owned(), 6, "index"),
        ("UPDATE access_log_subject SET first_seq = 2 WHERE first_seq = 6".to_owned(), 6, "index"),
    ] {
        let store = filled(10).await;
        tamper(&store, &sql).await;
        let broken = store.log.verify().await.unwrap().broken.unwrap_or_else(|| panic!("unseen: {sql}"));
        assert_eq!(broken.seq, seq, "{sql}: {broken}");
        assert!(broken.reason.contains(reason), "{sql}: {broken}");
    }
}

#[tokio::test]
async fn a_changed_byte_anywhere_in_a_block_is_named_by_its_entry() {
    let store = store().await;
    // Sent before the writer has its turn: all in one block.
    let all = (0..5).map(|number| store.log.append(entry(number)));
    assert!(join_all(all).await.iter().all(Result::is_ok));
    let row = access_log_block::Entity::find().one(store.db.read()).await.unwrap().unwrap();
    assert_eq!(row.entry_count, 5);
    let length = row.entries.len();
    let entry_length = (length - 1) / 5;
    store.break_in().await;
    for at in (0..length).step_by(7) {
        let mut damaged = row.clone().into_active_model();
        let mut bytes = row.entries.clone();
        bytes[at] ^= 1;
        damaged.entries = Set(bytes);
        damaged.update(store.db.write()).await.unwrap();
        let broken = store.log.verify().await.unwrap().broken.unwrap_or_else(|| panic!("unseen: byte {at}"));
        // The third and fifth lengths differ a little: refusals carry their reason.
        let about = i64::try_from(at.saturating_sub(1) / entry_length).unwrap();
        assert!((broken.seq - about).abs() <= 1, "byte {at}: {broken}");
    }
}

#[tokio::test]
async fn without_a_database_nothing_is_let_through() {
    let store = filled(1).await;
    tamper(&store, "ALTER TABLE access_log_block RENAME TO elsewhere").await;
    assert_eq!(store.log.append(entry(1)).await, Err(AccessLogUnavailable));
}

proptest::proptest! {
    #[test]
    fn a_block_reads_back_as_it_was_written(
        facts in proptest::collection::vec((0..9_u128, proptest::bool::ANY, proptest::option::of(0..4_u128)), 0..40),
    ) {
        let entries: Vec<Entry> = facts
            .iter()
            .map(|(number, acted, subject)| Entry {
                actor: acted.then(|| AccountId(Uuid::from_u128(*number))),
                subject: subject.map(|subject| PatientId(Uuid::from_u128(subject))),
                authority: format!("delegation:{number}").into(),
                ..entry(*number)
            })
            .collect();
        let mut block = block::Block::with_capacity(entries.len());
        for (at, entry) in (0..).zip(&entries) {
            block.push(entry, at, &[7; 32]);
        }
        let (bytes, subjects) = block.finish();
        let subjects = block::subjects(&subjects).unwrap();
        proptest::prop_assert!(subjects.len() <= 4);
        let (read, whole) = block::read(&bytes, &subjects);
        proptest::prop_assert!(whole && read.len() == entries.len());
        for ((at, entry), stored) in (0..).zip(&entries).zip(&read) {
            proptest::prop_assert_eq!(stored.at_micros, at);
            proptest::prop_assert_eq!(stored.actor, entry.actor.map(|actor| actor.0));
            proptest::prop_assert_eq!(stored.subject, entry.subject.map(|subject| subject.0));
            proptest::prop_assert_eq!(stored.texts.each_ref().map(String::as_str), entry.texts());
            proptest::prop_assert_eq!(stored.refused.as_deref(), entry.outcome.refused());
        }
        // Cut anywhere, it is not taken for whole, and what stands before the cut still reads.
        for cut in 0..bytes.len() {
            let (read, whole) = block::read(&bytes[..cut], &subjects);
            proptest::prop_assert!(read.len() <= entries.len());
            proptest::prop_assert!(!whole || read.len() < entries.len());
        }
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_panic(bytes: Vec<u8>, subjects: String) {
        let subjects = block::subjects(&subjects).unwrap_or_default();
        let mut one = bytes.clone();
        one.insert(0, 1);
        block::read(&bytes, &subjects);
        block::read(&one, &subjects);
    }
}
