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

mod block;
mod chain;
#[cfg(test)]
mod tests;
mod writer;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use platform::keys::{KeyError, KeyRing};
use platform::{Db, SharedClock};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::patients::{PatientId, from_micros};
use crate::policy::Category;
use crate::principal::{AccountId, ClientId};
use crate::store::{access_log_block, access_log_head, access_log_subject};

pub use chain::{Broken, Verdict};
use writer::{Waiting, Writer};

/// Most entries that may wait. Past that the log is out of order and nothing is let through.
const QUEUE: usize = 8_192;

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

impl Entry {
    /// Authority, client, category, purpose, operation: what the chain and the store keep as text, in this order.
    fn texts(&self) -> [&str; 5] {
        [&self.authority, self.client.as_str(), self.category.as_str(), self.purpose, self.operation]
    }
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
        tokio::spawn(Writer::new(db.clone(), key, clock.clone()).run(waiting));
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
    pub async fn about(&self, subject: PatientId, limit: usize) -> Result<Vec<Logged>, DbErr> {
        let places = access_log_subject::Entity::find()
            .filter(access_log_subject::Column::Subject.eq(subject.0))
            .order_by_desc(access_log_subject::Column::AtMicros)
            // A block that is named here has at least one entry about the subject.
            .limit(u64::try_from(limit).unwrap_or(u64::MAX))
            .all(self.db.read())
            .await?;
        let mut found = Vec::new();
        for access_log_subject::Model { month, lane, first_seq, .. } in places {
            if found.len() >= limit {
                break;
            }
            let block = access_log_block::Entity::find_by_id((month, lane, first_seq));
            if let Some(row) = block.one(self.db.read()).await? {
                found.extend(logged(&row).filter(|entry| entry.subject == Some(subject.0)));
            }
        }
        found.sort_by_key(|entry: &Logged| std::cmp::Reverse(entry.at));
        found.truncate(limit);
        Ok(found)
    }

    /// Entries of one request, in the order in which they were written: what support looks up. Walks the whole log:
    /// nothing in it is ordered by request.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn of_request(&self, request_id: Uuid) -> Result<Vec<Logged>, DbErr> {
        self.search(|entry| entry.request_id == request_id).await
    }

    /// The entries that `wanted` picks, in the order in which they were written. Walks the whole log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn search(&self, wanted: impl Fn(&Logged) -> bool) -> Result<Vec<Logged>, DbErr> {
        const PAGE: u64 = 64;
        let mut found = Vec::new();
        for head in access_log_head::Entity::find()
            .order_by_asc(access_log_head::Column::Month)
            .order_by_asc(access_log_head::Column::Lane)
            .all(self.db.read())
            .await?
        {
            let mut from = 0;
            loop {
                let blocks = access_log_block::Entity::find()
                    .filter(access_log_block::Column::Month.eq(head.month))
                    .filter(access_log_block::Column::Lane.eq(head.lane))
                    .filter(access_log_block::Column::FirstSeq.gte(from))
                    .order_by_asc(access_log_block::Column::FirstSeq)
                    .limit(PAGE)
                    .all(self.db.read())
                    .await?;
                let Some(last) = blocks.last() else { break };
                from = last.first_seq + 1;
                found.extend(blocks.iter().flat_map(logged).filter(&wanted));
            }
        }
        found.sort_by_key(|entry: &Logged| entry.at);
        Ok(found)
    }

    /// Walks every chain from its first entry to its head.
    ///
    /// # Errors
    /// When the database does not answer. A broken chain is not an error but [`Verdict::broken`].
    pub async fn verify(&self) -> Result<Verdict, DbErr> {
        chain::verify(&self.db, &self.key).await
    }
}

/// The entries of a block, as many as read back.
fn logged(row: &access_log_block::Model) -> impl Iterator<Item = Logged> + use<> {
    let subjects = block::subjects(&row.subjects).unwrap_or_default();
    block::read(&row.entries, &subjects).0.into_iter().map(|stored| {
        let [authority, client, category, _, operation] = stored.texts;
        Logged {
            at: from_micros(stored.at_micros),
            request_id: stored.request_id,
            actor: stored.actor,
            subject: stored.subject,
            authority,
            client,
            category,
            operation,
            refused: stored.refused,
        }
    })
}
