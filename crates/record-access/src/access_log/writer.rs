//! The one task that writes: entries that wait at the same moment share a commit.

use std::time::Duration;

use chrono::Datelike;
use platform::db::lost_a_race;
use platform::{Db, SharedClock};
use sea_orm::{DbBackend, DbErr, EntityTrait, IntoActiveModel};
use tokio::sync::{mpsc, oneshot};

use super::block::{Block, MOST_ENTRIES};
use super::chain::{Facts, link};
use super::{AccessLogUnavailable, Entry};
use crate::store::{access_log_block, access_log_head};

/// Chains a month on PostgreSQL: as many instances can commit at the same moment.
const LANES: i16 = 8;
/// How often nobody new may arrive, at a turn of the scheduler each, before a commit begins.
const IDLE_TURNS: usize = 2;
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
        let mut batch = Vec::with_capacity(MOST_ENTRIES);
        while waiting.recv_many(&mut batch, MOST_ENTRIES).await > 0 {
            gather(&mut waiting, &mut batch).await;
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

    /// Commits `batch` after `head` as one block, and tells where the chain stands then. The table's key keeps two
    /// blocks from taking the same place; triggers move the head along and index the subjects.
    async fn commit_after(
        &self,
        head: access_log_head::Model,
        batch: &[Waiting],
    ) -> Result<access_log_head::Model, DbErr> {
        let access_log_head::Model { month, lane, next_seq, mac } = head;
        let (mut mac, mut seq) = (mac.unwrap_or_default(), next_seq);
        let mut block = Block::with_capacity(batch.len());
        for Waiting { entry, at_micros, .. } in batch {
            mac = link(&self.key, &mac, &Facts::of(entry, *at_micros, month, lane, seq));
            block.push(entry, *at_micros, &mac);
            seq += 1;
        }
        let (entries, subjects) = block.finish();
        let row = access_log_block::Model {
            month,
            lane,
            first_seq: next_seq,
            entry_count: i32::try_from(batch.len()).unwrap_or(i32::MAX),
            at_micros: batch.last().map_or(0, |waiting| waiting.at_micros),
            entries,
            subjects,
            mac: mac.clone(),
        };
        access_log_block::Entity::insert(row.into_active_model())
            .exec_without_returning(self.db.write())
            .await?;
        Ok(access_log_head::Model { month, lane, next_seq: seq, mac: Some(mac) })
    }

    /// Where the chain of this instance's lane stands.
    async fn read_head(&self, month: i32) -> Result<access_log_head::Model, DbErr> {
        let lane = self.lane;
        let head = access_log_head::Entity::find_by_id((month, lane)).one(self.db.write()).await?;
        Ok(head.unwrap_or(access_log_head::Model { month, lane, next_seq: 0, mac: None }))
    }
}

/// Adds those that arrive while others are getting ready to: a commit costs the same for one as for many.
async fn gather(waiting: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>) {
    let mut idle = 0;
    while batch.len() < MOST_ENTRIES && idle < IDLE_TURNS {
        tokio::task::yield_now().await;
        let before = batch.len();
        while batch.len() < MOST_ENTRIES
            && let Ok(more) = waiting.try_recv()
        {
            batch.push(more);
        }
        idle = if batch.len() == before { idle + 1 } else { 0 };
    }
}

/// Chains a month.
fn lanes(backend: DbBackend) -> i16 {
    if backend == DbBackend::Postgres { LANES } else { 1 }
}
