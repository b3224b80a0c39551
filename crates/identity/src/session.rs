//! A session as a request sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use chrono::{DateTime, Duration, Utc};
use platform::crypto::{b64url, constant_time_eq, hmac_sha256};
use record_access::Principal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::from_micros;

/// Names a session to its owner. It stays the same when the session's secret is replaced, and opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId(pub Uuid);

/// What is fixed at sign-in for every session of this process.
pub(crate) struct Terms {
    /// Unused for so long, a session ends.
    pub idle: Duration,
    /// A secret older than this is to be replaced.
    pub rotate: Duration,
    /// Authenticates CSRF tokens.
    pub csrf_key: [u8; 32],
}

/// When a session was last used. Shared by everything in this process that holds the session.
#[derive(Debug)]
pub(crate) struct Touch {
    micros: AtomicI64,
    queued: AtomicBool,
}

impl Touch {
    pub fn new(micros: i64) -> Arc<Self> {
        Arc::new(Self { micros: AtomicI64::new(micros), queued: AtomicBool::new(false) })
    }

    /// When, in microseconds since 1970.
    pub fn micros(&self) -> i64 {
        self.micros.load(Ordering::Acquire)
    }

    /// Moves it forward, never back. Tells whether it moved.
    pub fn advance(&self, micros: i64) -> bool {
        self.micros.fetch_max(micros, Ordering::AcqRel) < micros
    }

    /// Marks it as waiting to be written. Tells whether it was not waiting before.
    pub fn enqueue(&self) -> bool {
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// Marks it as written.
    pub fn dequeue(&self) {
        self.queued.store(false, Ordering::Release);
    }
}

pub(crate) struct Inner {
    pub id: SessionId,
    pub token_hash: [u8; 32],
    pub principal: Principal,
    pub vot: String,
    pub id_token_jti: Option<String>,
    pub issuer: String,
    pub created_at: DateTime<Utc>,
    pub rotated_at: DateTime<Utc>,
    pub absolute_ends_at: DateTime<Utc>,
    pub touch: Arc<Touch>,
    pub terms: Arc<Terms>,
}

/// Somebody who is signed in. Cheap to clone.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Inner>);

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.0.id).finish_non_exhaustive()
    }
}

impl Session {
    /// Which session.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.0.id
    }

    /// Who is asking.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The vector of trust of the sign-in, as the provider wrote it.
    #[must_use]
    pub fn vot(&self) -> &str {
        &self.0.vot
    }

    /// The id of the id token that began the session, for handing the person on to a partner of the same
    /// provider. The token itself is not kept.
    #[must_use]
    pub fn id_token_jti(&self) -> Option<&str> {
        self.0.id_token_jti.as_deref()
    }

    /// The issuer the person signed in at.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// When the person signed in.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When the session was last used.
    #[must_use]
    pub fn last_seen_at(&self) -> DateTime<Utc> {
        from_micros(self.0.touch.micros())
    }

    /// When the session ends if it is not used again: never later than [`Session::absolute_ends_at`].
    #[must_use]
    pub fn idle_ends_at(&self) -> DateTime<Utc> {
        (self.last_seen_at() + self.0.terms.idle).min(self.0.absolute_ends_at)
    }

    /// When the session ends however much it is used.
    #[must_use]
    pub fn absolute_ends_at(&self) -> DateTime<Utc> {
        self.0.absolute_ends_at
    }

    /// Whether the session's secret is due to be replaced.
    #[must_use]
    pub fn needs_rotation(&self, now: DateTime<Utc>) -> bool {
        now - self.0.rotated_at >= self.0.terms.rotate
    }

    /// The token a form or an unsafe request of this session must carry. The same for the whole session,
    /// another for every session.
    #[must_use]
    pub fn csrf_token(&self) -> String {
        b64url(&hmac_sha256(&self.0.terms.csrf_key, self.0.id.0.as_bytes()))
    }

    /// Whether `told` is this session's token; takes the same time wherever the two differ.
    #[must_use]
    pub fn csrf_token_is(&self, told: &str) -> bool {
        constant_time_eq(self.csrf_token().as_bytes(), told.as_bytes())
    }

    pub(crate) fn alive_at(&self, now: DateTime<Utc>) -> bool {
        let now = now.timestamp_micros();
        now < self.0.absolute_ends_at.timestamp_micros()
            && now - self.0.touch.micros() < self.0.terms.idle.num_microseconds().unwrap_or(i64::MAX)
    }
}

/// A session as its owner sees it in the list of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// Which session.
    pub id: SessionId,
    /// The device it began on, coarsely.
    pub device: String,
    /// When the person signed in.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub absolute_ends_at: DateTime<Utc>,
    /// How sure the provider was of who it is.
    pub assurance: record_access::Assurance,
}
