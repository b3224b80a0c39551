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

mod chain;
mod insert;
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
use crate::store::access_log;

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
        chain::verify(&self.db, &self.key).await
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
