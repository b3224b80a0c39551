//! The access log: who opened or tried to open which part of whose record, when, on whose authority, through
//! which app, and whether they were let in.
//!
//! Entries are committed before the answer leaves; when they cannot be, there is no answer. They are only
//! ever appended: the database refuses to change or remove one. Each entry carries an HMAC over itself and
//! its predecessor's, so that a changed, removed or inserted entry breaks the chain, and whoever can write to
//! the database but does not hold the key cannot mend it. The head of each chain is kept beside it, so that
//! a chain cut at its end is noticed too.
//!
//! Chains are partitioned by month and lane. Entries that wait at the same moment share one commit. On
//! PostgreSQL any number of instances write at once: each keeps to a lane, knows where that lane's chain stands,
//! and moves to the next lane when it finds that another instance has been there.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use platform::crypto::{constant_time_eq, hmac_sha256};
use platform::keys::{KeyError, KeyRing};
use platform::{Db, SharedClock};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set, Statement, Value,
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::patients::{PatientId, from_micros};
use crate::policy::Category;
use crate::principal::{AccountId, ClientId};
use crate::store::{access_log, access_log_head};

/// Chains a month on PostgreSQL: as many instances can commit at the same moment.
const LANES: i16 = 8;
/// Most entries in one commit.
const BATCH: usize = 256;
/// Most entries that may wait. Past that the log is out of order and nothing is let through.
const QUEUE: usize = 8_192;
/// How long a commit may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Rows per insert statement, largest first: few statement texts, so that both databases keep them prepared, and
/// few statements for a batch of any size.
const CHUNKS: [usize; 8] = [128, 64, 32, 16, 8, 4, 2, 1];
/// How often a commit is tried on another lane when other instances keep getting there first.
const TRIES: usize = 32;

/// What to write down.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The request it happened in.
    pub request_id: Uuid,
    /// Who acts; none before sign-in.
    pub actor: Option<AccountId>,
    /// Whose record; none where no patient is concerned.
    pub subject: Option<PatientId>,
    /// On what grounds: `self`, `delegation:ID`, `none`.
    pub authority: Cow<'static, str>,
    /// Through which app.
    pub client: ClientId,
    /// Which part of the record.
    pub category: Category,
    /// What for.
    pub purpose: &'static str,
    /// What is done, as the API names the operation.
    pub operation: &'static str,
    /// Whether it was allowed.
    pub outcome: Outcome,
}

/// Whether an access was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was.
    Allowed,
    /// It was not, for this reason (a stable code).
    Refused(&'static str),
}

impl Outcome {
    const fn refused(self) -> Option<&'static str> {
        match self {
            Self::Allowed => None,
            Self::Refused(reason) => Some(reason),
        }
    }
}

/// An entry as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// When.
    pub at: DateTime<Utc>,
    /// The request it happened in.
    pub request_id: Uuid,
    /// Who acted.
    pub actor: Option<Uuid>,
    /// Whose record.
    pub subject: Option<Uuid>,
    /// On what grounds.
    pub authority: String,
    /// Through which app.
    pub client: String,
    /// Which part.
    pub category: String,
    /// What was done.
    pub operation: String,
    /// Why it was refused, if it was.
    pub refused: Option<String>,
}

/// The entry could not be committed, so the access did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access could not be entered in the access log")]
pub struct AccessLogUnavailable;

struct Waiting {
    entry: Entry,
    at_micros: i64,
    done: oneshot::Sender<Result<(), AccessLogUnavailable>>,
}

/// A handle on the access log. Cheap to clone; all handles share one writer.
#[derive(Clone)]
pub struct AccessLog {
    queue: mpsc::Sender<Waiting>,
    clock: SharedClock,
    db: Db,
    key: [u8; 32],
}

impl std::fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLog").finish_non_exhaustive()
    }
}

impl AccessLog {
    /// Opens the log and starts its writer, which ends when the last handle is gone.
    ///
    /// # Errors
    /// When the key for the chain cannot be derived.
    pub fn start(db: Db, keys: &KeyRing, clock: SharedClock) -> Result<Self, KeyError> {
        let key = keys.mac_key("access-log")?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(
            Writer { db: db.clone(), key, clock: clock.clone(), lane: 0, head: None }.run(waiting),
        );
        Ok(Self { queue, clock, db, key })
    }

    /// Writes `entry` down. When this returns `Ok`, it is committed.
    ///
    /// # Errors
    /// [`AccessLogUnavailable`] when it is not, or was not in time.
    pub async fn append(&self, entry: Entry) -> Result<(), AccessLogUnavailable> {
        let (done, committed) = oneshot::channel();
        let waiting = Waiting { entry, at_micros: self.clock.now().timestamp_micros(), done };
        self.queue.try_send(waiting).map_err(|_| AccessLogUnavailable)?;
        committed.await.unwrap_or(Err(AccessLogUnavailable))
    }

    /// Entries about `subject`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn about(&self, subject: PatientId, limit: u64) -> Result<Vec<Logged>, DbErr> {
        let rows = access_log::Entity::find()
            .filter(access_log::Column::Subject.eq(subject.0))
            .order_by_desc(access_log::Column::AtMicros)
            .limit(limit)
            .all(self.db.read())
            .await?;
        Ok(rows.into_iter().map(Logged::from).collect())
    }

    /// Entries of one request, in the order in which they were written: what support looks up.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of_request(&self, request_id: Uuid) -> Result<Vec<Logged>, DbErr> {
        let rows = access_log::Entity::find()
            .filter(access_log::Column::RequestId.eq(request_id))
            .order_by_asc(access_log::Column::AtMicros)
            .all(self.db.read())
            .await?;
        Ok(rows.into_iter().map(Logged::from).collect())
    }

    /// Walks every chain from its first entry to its head.
    ///
    /// # Errors
    /// When the database does not answer. A broken chain is not an error but [`Verdict::broken`].
    pub async fn verify(&self) -> Result<Verdict, DbErr> {
        verify(&self.db, &self.key).await
    }
}

impl From<access_log::Model> for Logged {
    fn from(row: access_log::Model) -> Self {
        Self {
            at: from_micros(row.at_micros),
            request_id: row.request_id,
            actor: row.actor,
            subject: row.subject,
            authority: row.authority,
            client: row.client,
            category: row.category,
            operation: row.operation,
            refused: row.refused,
        }
    }
}

/// The one task that writes.
struct Writer {
    db: Db,
    key: [u8; 32],
    clock: SharedClock,
    /// The lane this instance keeps to.
    lane: i16,
    /// Where that lane's chain stands, as this instance left it; none when that is not known for sure.
    head: Option<access_log_head::Model>,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            // Whoever is about to ask gets on board: others' entries cost less together than alone.
            tokio::task::yield_now().await;
            while batch.len() < BATCH
                && let Ok(more) = waiting.try_recv()
            {
                batch.push(more);
            }
            let outcome = match tokio::time::timeout(PATIENCE, self.commit(&batch)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => self.failed(&batch, &error),
                Err(late) => self.failed(&batch, &late),
            };
            metrics::counter!("access_log_commits_total").increment(1);
            metrics::counter!("access_log_entries_total").increment(batch.len() as u64);
            for waiting in batch.drain(..) {
                // Whoever stopped waiting was told that nothing happened; an entry too many is no harm.
                let _ = waiting.done.send(outcome);
            }
        }
    }

    /// Nobody in `batch` is let through. Where the chain stands is asked anew: the commit may have been carried
    /// out all the same.
    fn failed(
        &mut self,
        batch: &[Waiting],
        error: &dyn std::fmt::Display,
    ) -> Result<(), AccessLogUnavailable> {
        self.head = None;
        metrics::counter!("access_log_failures_total").increment(1);
        tracing::error!(error = %error, entries = batch.len(), "the access log could not be written");
        Err(AccessLogUnavailable)
    }

    async fn commit(&mut self, batch: &[Waiting]) -> Result<(), DbErr> {
        let now = self.clock.now();
        let month = now.year() * 100 + i32::try_from(now.month()).unwrap_or(0);
        for _ in 0..TRIES {
            let head = match self.head.take().filter(|head| head.month == month) {
                Some(head) => head,
                None => self.read_head(month).await?,
            };
            if let Some(after) = self.commit_after(head, batch).await? {
                self.head = Some(after);
                return Ok(());
            }
            // Another instance keeps to this lane.
            self.lane = (self.lane + 1) % lanes(self.db.backend());
        }
        Err(DbErr::Custom("every lane of the access log is taken".to_owned()))
    }

    /// Commits `batch` after `head`, and tells where the chain stands then; nothing if it stands elsewhere
    /// already.
    async fn commit_after(
        &self,
        head: access_log_head::Model,
        batch: &[Waiting],
    ) -> Result<Option<access_log_head::Model>, DbErr> {
        let access_log_head::Model { month, lane, next_seq, mac } = head;
        let (mut mac, mut seq) = (mac.unwrap_or_default(), next_seq);
        let mut rows = Vec::with_capacity(batch.len() * COLUMNS.len());
        for Waiting { entry, at_micros, .. } in batch {
            mac = link(&self.key, &mac, &Facts::of(entry, *at_micros, month, lane, seq));
            rows.extend(row_values(entry, *at_micros, month, lane, seq, &mac));
            seq += 1;
        }
        let transaction = self.db.begin().await?;
        let backend = transaction.get_database_backend();
        // First the head, whose row then keeps others out until this transaction ends.
        let moved = transaction
            .execute_raw(Statement::from_sql_and_values(
                backend,
                "UPDATE access_log_head SET next_seq = $1, mac = $2 \
                 WHERE month = $3 AND lane = $4 AND next_seq = $5",
                [seq.into(), mac.clone().into(), month.into(), lane.into(), next_seq.into()],
            ))
            .await?;
        if moved.rows_affected() != 1 {
            return Ok(None);
        }
        let mut rows = rows.into_iter();
        let mut left = batch.len();
        for (size, statement) in CHUNKS.into_iter().zip(insert_statements(backend)) {
            while left >= size {
                let values: Vec<Value> = rows.by_ref().take(size * COLUMNS.len()).collect();
                let insert = Statement::from_sql_and_values(backend, statement.as_str(), values);
                transaction.execute_raw(insert).await?;
                left -= size;
            }
        }
        transaction.commit().await?;
        Ok(Some(access_log_head::Model { month, lane, next_seq: seq, mac: Some(mac) }))
    }

    /// Where the chain of this instance's lane stands, begun if this is its first entry.
    async fn read_head(&self, month: i32) -> Result<access_log_head::Model, DbErr> {
        let key = (month, self.lane);
        if let Some(head) = access_log_head::Entity::find_by_id(key).one(self.db.write()).await? {
            return Ok(head);
        }
        let begun = access_log_head::ActiveModel {
            month: Set(month),
            lane: Set(self.lane),
            next_seq: Set(0),
            mac: Set(None),
        };
        access_log_head::Entity::insert(begun)
            .on_conflict(
                OnConflict::columns([access_log_head::Column::Month, access_log_head::Column::Lane])
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(self.db.write())
            .await?;
        let head = access_log_head::Entity::find_by_id(key).one(self.db.write()).await?;
        head.ok_or_else(|| DbErr::RecordNotFound("the head of the access log vanished".to_owned()))
    }
}

/// Chains a month.
fn lanes(backend: DbBackend) -> i16 {
    if backend == DbBackend::Postgres { LANES } else { 1 }
}

const COLUMNS: [&str; 14] = [
    "month",
    "lane",
    "seq",
    "at_micros",
    "request_id",
    "actor",
    "subject",
    "authority",
    "client",
    "category",
    "purpose",
    "operation",
    "refused",
    "mac",
];

fn row_values(entry: &Entry, at_micros: i64, month: i32, lane: i16, seq: i64, mac: &[u8]) -> [Value; 14] {
    [
        month.into(),
        lane.into(),
        seq.into(),
        at_micros.into(),
        entry.request_id.into(),
        entry.actor.map(|actor| actor.0).into(),
        entry.subject.map(|subject| subject.0).into(),
        entry.authority.as_ref().into(),
        entry.client.as_str().into(),
        entry.category.as_str().into(),
        entry.purpose.into(),
        entry.operation.into(),
        entry.outcome.refused().map(str::to_owned).into(),
        mac.to_vec().into(),
    ]
}

/// The insert statements for each of [`CHUNKS`]. SQLite gets its parameters without numbers: it keeps a numbered one
/// as a name, and looks names up one after the other.
fn insert_statements(backend: DbBackend) -> &'static [String; CHUNKS.len()] {
    static NUMBERED: OnceLock<[String; CHUNKS.len()]> = OnceLock::new();
    static PLAIN: OnceLock<[String; CHUNKS.len()]> = OnceLock::new();
    let numbered = backend == DbBackend::Postgres;
    let statement = |size: usize| {
        let mut text = format!("INSERT INTO access_log ({}) VALUES ", COLUMNS.join(","));
        for row in 0..size {
            text.push_str(if row == 0 { "(" } else { ",(" });
            for column in 0..COLUMNS.len() {
                let comma = if column == 0 { "" } else { "," };
                // Writing to a string does not fail.
                let _ = if numbered {
                    write!(text, "{comma}${}", row * COLUMNS.len() + column + 1)
                } else {
                    write!(text, "{comma}?")
                };
            }
            text.push(')');
        }
        text
    };
    if numbered { &NUMBERED } else { &PLAIN }.get_or_init(|| CHUNKS.map(statement))
}

/// What the chain protects, whether it comes from an entry to be written or from a row read back.
struct Facts<'a> {
    month: i32,
    lane: i16,
    seq: i64,
    at_micros: i64,
    request_id: Uuid,
    actor: Option<Uuid>,
    subject: Option<Uuid>,
    texts: [&'a str; 5],
    refused: Option<&'a str>,
}

impl<'a> Facts<'a> {
    fn of(entry: &'a Entry, at_micros: i64, month: i32, lane: i16, seq: i64) -> Self {
        Self {
            month,
            lane,
            seq,
            at_micros,
            request_id: entry.request_id,
            actor: entry.actor.map(|actor| actor.0),
            subject: entry.subject.map(|subject| subject.0),
            texts: [
                &entry.authority,
                entry.client.as_str(),
                entry.category.as_str(),
                entry.purpose,
                entry.operation,
            ],
            refused: entry.outcome.refused(),
        }
    }

    fn read(row: &'a access_log::Model) -> Self {
        Self {
            month: row.month,
            lane: row.lane,
            seq: row.seq,
            at_micros: row.at_micros,
            request_id: row.request_id,
            actor: row.actor,
            subject: row.subject,
            texts: [&row.authority, &row.client, &row.category, &row.purpose, &row.operation],
            refused: row.refused.as_deref(),
        }
    }
}

/// The HMAC of an entry: over its predecessor's and every fact, each with its length before it, so that no
/// two different entries give the same bytes.
fn link(key: &[u8; 32], before: &[u8], facts: &Facts<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    let mut put = |part: &[u8]| {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    put(before);
    put(&facts.month.to_be_bytes());
    put(&facts.lane.to_be_bytes());
    put(&facts.seq.to_be_bytes());
    put(&facts.at_micros.to_be_bytes());
    put(facts.request_id.as_bytes());
    for id in [facts.actor, facts.subject] {
        put(id.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));
    }
    for text in facts.texts {
        put(text.as_bytes());
    }
    match facts.refused {
        None => put(b"allowed"),
        Some(reason) => {
            put(b"refused");
            put(reason.as_bytes());
        }
    }
    hmac_sha256(key, &bytes).to_vec()
}

/// What a walk over the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Entries whose place in their chain is proved.
    pub entries: u64,
    /// Chains walked.
    pub chains: u64,
    /// The first entry that breaks its chain.
    pub broken: Option<Broken>,
}

/// An entry that breaks its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Year and month of the chain, as `202611`.
    pub month: i32,
    /// Lane of the chain.
    pub lane: i16,
    /// The entry's place in it.
    pub seq: i64,
    /// What is wrong.
    pub reason: &'static str,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry {} of chain {}/{}: {}", self.seq, self.month, self.lane, self.reason)
    }
}

async fn verify(db: &Db, key: &[u8; 32]) -> Result<Verdict, DbErr> {
    let heads = access_log_head::Entity::find()
        .order_by_asc(access_log_head::Column::Month)
        .order_by_asc(access_log_head::Column::Lane)
        .all(db.read())
        .await?;
    let mut verdict = Verdict { entries: 0, chains: 0, broken: None };
    for head in &heads {
        verdict.chains += 1;
        if let Some(broken) = walk(db, key, head, &mut verdict.entries).await? {
            verdict.broken = Some(broken);
            return Ok(verdict);
        }
    }
    // A chain whose head was removed would go unseen: every entry must have been walked or come since.
    let all = access_log::Entity::find().count(db.read()).await?;
    if all < verdict.entries {
        let month = heads.last().map_or(0, |head| head.month);
        verdict.broken =
            Some(Broken { month, lane: 0, seq: 0, reason: "entries disappear while being read" });
    } else if let Some(orphan) = orphan(db, &heads).await? {
        verdict.broken = Some(orphan);
    }
    Ok(verdict)
}

/// The first entry that belongs to no chain with a head.
async fn orphan(db: &Db, heads: &[access_log_head::Model]) -> Result<Option<Broken>, DbErr> {
    let chains: Vec<(i32, i16)> = access_log::Entity::find()
        .select_only()
        .column(access_log::Column::Month)
        .column(access_log::Column::Lane)
        .distinct()
        .into_tuple()
        .all(db.read())
        .await?;
    Ok(chains
        .into_iter()
        .find(|(month, lane)| !heads.iter().any(|head| head.month == *month && head.lane == *lane))
        .map(|(month, lane)| Broken { month, lane, seq: 0, reason: "the chain has no head" }))
}

async fn walk(
    db: &Db,
    key: &[u8; 32],
    head: &access_log_head::Model,
    entries: &mut u64,
) -> Result<Option<Broken>, DbErr> {
    const PAGE: u64 = 2_000;
    let broken = |seq, reason| Ok(Some(Broken { month: head.month, lane: head.lane, seq, reason }));
    let mut before = Vec::new();
    let mut expected = 0;
    loop {
        let rows = access_log::Entity::find()
            .filter(access_log::Column::Month.eq(head.month))
            .filter(access_log::Column::Lane.eq(head.lane))
            .filter(access_log::Column::Seq.gte(expected))
            .order_by_asc(access_log::Column::Seq)
            .limit(PAGE)
            .all(db.read())
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            // Entries written since the head was read are walked by the next verification.
            if expected == head.next_seq {
                break;
            }
            if row.seq != expected {
                return broken(expected, "the entry is missing");
            }
            let mac = link(key, &before, &Facts::read(&row));
            if !constant_time_eq(&mac, &row.mac) {
                return broken(expected, "the entry was changed, or one before it");
            }
            before = mac;
            expected += 1;
            *entries += 1;
        }
        if expected == head.next_seq {
            break;
        }
    }
    if expected != head.next_seq {
        return broken(expected, "the chain ends before its head");
    }
    if head.mac.as_deref().unwrap_or_default() != before {
        return broken(expected, "the head does not fit the last entry");
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Store, store};

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
            outcome: if subject.is_multiple_of(3) {
                Outcome::Refused("not_theirs")
            } else {
                Outcome::Allowed
            },
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
            (
                "UPDATE access_log_head SET next_seq = 9; DELETE FROM access_log WHERE seq = 9",
                9,
                "does not fit",
            ),
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
}
