//! The one task that writes: entries that wait at the same moment share a commit.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::Datelike;
use platform::db::lost_a_race;
use platform::{Db, SharedClock};
use sea_orm::{DbBackend, DbErr, EntityTrait};
use tokio::sync::{mpsc, oneshot};

use super::chain::{Facts, link};
use super::insert::{self, MOST_ROWS, Row};
use super::{AccessLogUnavailable, Entry};
use crate::store::access_log_head;

/// Chains a month on PostgreSQL: as many instances can commit at the same moment.
const LANES: i16 = 8;
/// How long a commit may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a commit is tried on another lane when other instances keep getting there first.
const TRIES: usize = 32;

/// An entry, and whoever waits for it to be committed.
pub(super) struct Waiting {
    pub(super) entry: Entry,
    pub(super) at_micros: i64,
    pub(super) done: oneshot::Sender<Result<(), AccessLogUnavailable>>,
}

/// The one task that writes.
pub(super) struct Writer {
    db: Db,
    key: [u8; 32],
    clock: SharedClock,
    /// The lane this instance keeps to.
    lane: i16,
    /// Where that lane's chain stands, as this instance left it; none when that is not known for sure.
    head: Option<access_log_head::Model>,
}

impl Writer {
    /// A writer that has not looked at the log yet.
    pub(super) fn new(db: Db, key: [u8; 32], clock: SharedClock) -> Self {
        Self { db, key, clock, lane: 0, head: None }
    }

    /// Writes until the last handle on the log is gone.
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut queue = VecDeque::with_capacity(2 * MOST_ROWS);
        let mut arrived = Vec::with_capacity(MOST_ROWS);
        loop {
            // Those left over are not kept waiting for others to arrive.
            if queue.is_empty() && waiting.recv_many(&mut arrived, MOST_ROWS).await == 0 {
                return;
            }
            queue.extend(arrived.drain(..));
            while queue.len() < MOST_ROWS
                && let Ok(more) = waiting.try_recv()
            {
                queue.push_back(more);
            }
            let size = insert::rows_at_once(queue.len());
            let batch: Vec<Waiting> = queue.drain(..size).collect();
            let outcome = match tokio::time::timeout(PATIENCE, self.commit(&batch)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => self.failed(&batch, &error),
                Err(late) => self.failed(&batch, &late),
            };
            metrics::counter!("access_log_commits_total").increment(1);
            metrics::counter!("access_log_entries_total").increment(batch.len() as u64);
            for waiting in batch {
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
            match self.commit_after(head, batch).await {
                Ok(after) => {
                    self.head = Some(after);
                    return Ok(());
                }
                // Another instance keeps to this lane, and was first with the next entry.
                Err(error) if lost_a_race(&error) => self.lane = (self.lane + 1) % lanes(self.db.backend()),
                Err(error) => return Err(error),
            }
        }
        Err(DbErr::Custom("every lane of the access log is taken".to_owned()))
    }

    /// Commits `batch` after `head` in one statement, and tells where the chain stands then. The table's key
    /// keeps two entries from taking the same place; a trigger moves the head along.
    async fn commit_after(
        &self,
        head: access_log_head::Model,
        batch: &[Waiting],
    ) -> Result<access_log_head::Model, DbErr> {
        let access_log_head::Model { month, lane, next_seq, mac } = head;
        let (mut mac, mut seq) = (mac.unwrap_or_default(), next_seq);
        let mut rows = Vec::with_capacity(batch.len());
        for Waiting { entry, at_micros, .. } in batch {
            mac = link(&self.key, &mac, &Facts::of(entry, *at_micros, month, lane, seq));
            rows.push(Row { month, lane, seq, at_micros: *at_micros, entry, mac: mac.clone() });
            seq += 1;
        }
        insert::insert(self.db.write(), &rows).await?;
        Ok(access_log_head::Model { month, lane, next_seq: seq, mac: Some(mac) })
    }

    /// Where the chain of this instance's lane stands.
    async fn read_head(&self, month: i32) -> Result<access_log_head::Model, DbErr> {
        let lane = self.lane;
        let head = access_log_head::Entity::find_by_id((month, lane)).one(self.db.write()).await?;
        Ok(head.unwrap_or(access_log_head::Model { month, lane, next_seq: 0, mac: None }))
    }
}

/// Chains a month.
fn lanes(backend: DbBackend) -> i16 {
    if backend == DbBackend::Postgres { LANES } else { 1 }
}
