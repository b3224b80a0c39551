//! Sessions: opened at sign-in, found by their secret on every request, ended by time or on request.
//!
//! The secret is 256 random bits that only the browser holds; the store knows its SHA-256. The database
//! decides. What this process remembers only spares it the question, for half a second at most, so that a
//! session ended by one instance is dead on every other within a second; and it can only say yes: a no is
//! always the database's. Both ends of a session's life are judged by the times in the store and the clock
//! handed in, never by the expiry of something cached.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use platform::crypto::sha256;
use platform::keys::KeyRing;
use platform::settings::SessionSettings;
use platform::{Db, SharedClock, SharedRandom};
use record_access::{AccountId, Assurance, ClientId, PatientId, Principal, Scopes};
use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use crate::attempt::is_token;
use crate::error::IdentityError;
use crate::session::{Inner, Session, SessionId, SessionSummary, Terms, Touch};
use crate::store::session::{Column, Model};
use crate::store::{from_micros, sessions as store};

/// How long this process takes its own word for a session.
const REMEMBERED: Duration = Duration::milliseconds(500);
/// How long it does so while another request is asking the database: together with that question, less than
/// the second within which an end must hold everywhere.
const AT_MOST: Duration = Duration::milliseconds(800);
/// Most sessions remembered.
const CAPACITY: u64 = 200_000;
/// Most sessions in one statement of [`Sessions::flush_touches`].
const TOUCHES: usize = 500;
/// How long an ended session is kept, for the record.
const KEPT: Duration = Duration::days(30);

/// What a sign-in found out, from which a session is made.
pub(crate) struct NewSession {
    pub account: AccountId,
    pub patient: Option<PatientId>,
    pub assurance: Assurance,
    pub vot: String,
    pub id_token_jti: Option<String>,
    pub issuer: String,
    pub device: String,
    pub authenticated_at: DateTime<Utc>,
    /// Where the session takes the place of another one: the end that one had.
    pub ends_at_latest: Option<DateTime<Utc>>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The person signed out.
    SignedOut,
    /// The person ended it from another session of theirs.
    EndedElsewhere,
    /// The person signed in again in the same browser, or proved who they are: a new session took its place.
    Replaced,
}

impl EndReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::EndedElsewhere => "ended_elsewhere",
            Self::Replaced => "replaced",
        }
    }
}

struct Remembered {
    session: Session,
    asked_at: DateTime<Utc>,
    asking: AtomicBool,
}

struct Shared {
    db: Db,
    clock: SharedClock,
    random: SharedRandom,
    absolute: Duration,
    terms: Arc<Terms>,
    remembered: moka::future::Cache<[u8; 32], Arc<Remembered>>,
    /// Grows with every session that ends or changes its secret here: what was read before is not remembered.
    changes: AtomicU64,
    /// Touches not yet written.
    touched: Mutex<HashMap<Uuid, Arc<Touch>>>,
}

/// The sessions of signed-in people. Cheap to clone; clones share one memory.
#[derive(Clone)]
pub struct Sessions(Arc<Shared>);

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("remembered", &self.0.remembered.entry_count())
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// The sessions kept in `db`.
    ///
    /// # Errors
    /// When the key ring does not derive the key of the CSRF tokens.
    pub fn new(
        db: Db,
        clock: SharedClock,
        random: SharedRandom,
        keys: &KeyRing,
        settings: &SessionSettings,
    ) -> Result<Self, IdentityError> {
        let terms =
            Terms { idle: settings.idle(), rotate: settings.rotate(), csrf_key: keys.mac_key("csrf")? };
        Ok(Self(Arc::new(Shared {
            db,
            clock,
            random,
            absolute: settings.absolute(),
            terms: Arc::new(terms),
            remembered: moka::future::Cache::builder().max_capacity(CAPACITY).build(),
            changes: AtomicU64::new(0),
            touched: Mutex::new(HashMap::new()),
        })))
    }

    /// The session with this secret, used now: its idle time starts anew. None: there is none, it was ended,
    /// or it ran out.
    ///
    /// # Errors
    /// When the database does not answer. That is never a reason to treat anybody as signed out.
    pub async fn load(&self, token: &str) -> Result<Option<Session>, IdentityError> {
        let found = self.peek(token).await?;
        if let Some(session) = &found {
            self.touch(session);
        }
        Ok(found)
    }

    /// The session with this secret, without counting as a use of it: for asking how long it still lasts.
    ///
    /// # Errors
    /// As [`Sessions::load`].
    pub async fn peek(&self, token: &str) -> Result<Option<Session>, IdentityError> {
        if !is_token(token) {
            return Ok(None);
        }
        let shared = &*self.0;
        let hash = sha256(token.as_bytes());
        let now = shared.clock.now();
        if let Some(held) = shared.remembered.get(&hash).await {
            let age = now - held.asked_at;
            // One request asks the database again; the others need not wait for it, nor join it.
            let fresh = age <= REMEMBERED || (age <= AT_MOST && held.asking.swap(true, Ordering::AcqRel));
            if age >= Duration::zero() && fresh && held.session.alive_at(now) {
                return Ok(Some(held.session.clone()));
            }
        }
        self.ask(hash, now).await
    }

    /// Counts as a use of the session: its idle time starts anew.
    pub fn touch(&self, session: &Session) {
        let touch = &session.0.touch;
        let moved = touch.advance(self.0.clock.now().timestamp_micros());
        if moved
            && touch.enqueue()
            && let Some(other) = self.touched().insert(session.0.id.0, touch.clone())
        {
            touch.advance(other.micros());
        }
    }

    /// Replaces the session's secret; the old one is dead from then on, on this instance at once. Of several
    /// requests that try, one gets the new secret, and the others nothing: they carry on as they are, the
    /// browser hears from the one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rotate(&self, session: &Session) -> Result<Option<String>, IdentityError> {
        let token = self.0.random.token();
        let new = sha256(token.as_bytes());
        let won = store::rotate(&self.0.db, &session.0.token_hash, &new, self.0.clock.now()).await?;
        self.forget([session.0.token_hash]).await;
        Ok(won.then_some(token))
    }

    /// Ends a session. Ending it again changes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end(&self, session: &Session, reason: EndReason) -> Result<(), IdentityError> {
        let which = Condition::all().add(Column::SessionId.eq(session.0.id.0));
        store::end(&self.0.db, which, self.0.clock.now(), reason.as_str()).await?;
        self.forget([session.0.token_hash]).await;
        Ok(())
    }

    /// Ends the session of `account` with this id. False: the account has no such session, or it has ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_by_id(&self, account: AccountId, id: SessionId) -> Result<bool, IdentityError> {
        let which = Condition::all().add(Column::SessionId.eq(id.0)).add(Column::AccountId.eq(account.0));
        Ok(self.end_some(account, which).await? > 0)
    }

    /// Ends every session of `account` but this one. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_others(&self, account: AccountId, except: SessionId) -> Result<u64, IdentityError> {
        let which = Condition::all().add(Column::SessionId.ne(except.0)).add(Column::AccountId.eq(account.0));
        self.end_some(account, which).await
    }

    /// The sessions of `account` that are alive, newest first; at most a hundred.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, account: AccountId) -> Result<Vec<SessionSummary>, IdentityError> {
        let now = self.0.clock.now();
        let rows = store::of_account(&self.0.db, account).await?;
        let sessions = rows.into_iter().filter_map(|row| {
            let device = row.device.clone();
            let hash = row.token_hash.clone().try_into().ok()?;
            let session = self.session(row, hash, None)?;
            session.alive_at(now).then(|| SessionSummary {
                id: session.id(),
                device,
                created_at: session.created_at(),
                last_seen_at: session.last_seen_at(),
                absolute_ends_at: session.absolute_ends_at(),
                assurance: session.principal().assurance,
            })
        });
        Ok(sessions.collect())
    }

    /// Writes down when sessions were last used. To be called about once a second, and before stopping. What
    /// could not be written is kept for the next time. Returns how many sessions were written.
    ///
    /// Sessions used in the same second are written by one statement, as of the beginning of that second:
    /// a store that has to stand in for this process's memory ends a session up to a second early, not late.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn flush_touches(&self) -> Result<usize, IdentityError> {
        const SECOND: i64 = 1_000_000;
        let mut by_second: BTreeMap<i64, Vec<(Uuid, i64)>> = BTreeMap::new();
        for (&id, touch) in self.touched().iter() {
            let micros = touch.micros();
            by_second.entry(micros.div_euclid(SECOND)).or_default().push((id, micros));
        }
        let mut written = 0;
        for (second, sessions) in by_second {
            for some in sessions.chunks(TOUCHES) {
                let ids: Vec<Uuid> = some.iter().map(|&(id, _)| id).collect();
                store::touch(&self.0.db, &ids, second * SECOND).await?;
                written += some.len();
                self.written(some);
            }
        }
        Ok(written)
    }

    /// Marks sessions that ran out as ended, and removes those that ended more than 30 days before `now`.
    /// Returns how many were removed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, IdentityError> {
        Ok(store::sweep(&self.0.db, now, now - KEPT, self.0.absolute).await?)
    }

    /// Begins a session. Returns its secret.
    pub(crate) async fn open(&self, new: NewSession) -> Result<(String, Session), IdentityError> {
        let shared = &*self.0;
        let token = shared.random.token();
        let hash = sha256(token.as_bytes());
        let now = shared.clock.now();
        let ends_at = now + shared.absolute;
        let ends_at = new.ends_at_latest.map_or(ends_at, |latest| latest.min(ends_at));
        let micros = now.timestamp_micros();
        let row = Model {
            session_id: shared.random.uuid(),
            token_hash: hash.to_vec(),
            account_id: new.account.0,
            patient_id: new.patient.map(|patient| patient.0),
            assurance: new.assurance.as_str().to_owned(),
            vot: new.vot,
            id_token_jti: new.id_token_jti,
            issuer: new.issuer,
            device: new.device,
            authenticated_at_micros: new.authenticated_at.timestamp_micros(),
            created_at_micros: micros,
            last_seen_at_micros: micros,
            rotated_at_micros: micros,
            absolute_ends_at_micros: ends_at.timestamp_micros(),
            ended_at_micros: None,
            end_reason: None,
        };
        store::insert(&shared.db, row.clone()).await?;
        let session = self
            .session(row, hash, None)
            .ok_or_else(|| IdentityError::Settings("a new session does not read back".to_owned()))?;
        Ok((token, session))
    }

    async fn ask(&self, hash: [u8; 32], now: DateTime<Utc>) -> Result<Option<Session>, IdentityError> {
        let shared = &*self.0;
        let before = shared.changes.load(Ordering::Acquire);
        let row = store::by_token(&shared.db, &hash).await?;
        let held = shared.remembered.get(&hash).await;
        let session = row
            .filter(|row| row.ended_at_micros.is_none())
            .and_then(|row| self.session(row, hash, held.map(|it| it.session.0.touch.clone())))
            .filter(|session| session.alive_at(now));
        if let Some(session) = &session {
            let fresh =
                Remembered { session: session.clone(), asked_at: now, asking: AtomicBool::new(false) };
            shared.remembered.insert(hash, Arc::new(fresh)).await;
        }
        // Something may have ended while we asked: then what we read is not remembered.
        if session.is_none() || shared.changes.load(Ordering::Acquire) != before {
            shared.remembered.invalidate(&hash).await;
        }
        Ok(session)
    }

    /// The session in `row`, last used when the row or this process says, whichever is later.
    fn session(&self, row: Model, token_hash: [u8; 32], held: Option<Arc<Touch>>) -> Option<Session> {
        let touch = held
            .or_else(|| self.touched().get(&row.session_id).cloned())
            .unwrap_or_else(|| Touch::new(row.last_seen_at_micros));
        touch.advance(row.last_seen_at_micros);
        Some(Session(Arc::new(Inner {
            id: SessionId(row.session_id),
            token_hash,
            principal: Principal {
                actor: AccountId(row.account_id),
                subject: row.patient_id.map(PatientId),
                delegation: None,
                client: ClientId::web(),
                scopes: Scopes::OWN_SESSION,
                assurance: Assurance::parse(&row.assurance)?,
                authenticated_at: from_micros(row.authenticated_at_micros),
            },
            vot: row.vot,
            id_token_jti: row.id_token_jti,
            issuer: row.issuer,
            created_at: from_micros(row.created_at_micros),
            rotated_at: from_micros(row.rotated_at_micros),
            absolute_ends_at: from_micros(row.absolute_ends_at_micros),
            touch,
            terms: self.0.terms.clone(),
        })))
    }

    async fn end_some(&self, account: AccountId, which: Condition) -> Result<u64, IdentityError> {
        let theirs = store::of_account(&self.0.db, account).await?;
        let ended =
            store::end(&self.0.db, which, self.0.clock.now(), EndReason::EndedElsewhere.as_str()).await?;
        self.forget(theirs.into_iter().filter_map(|row| row.token_hash.try_into().ok())).await;
        Ok(ended)
    }

    async fn forget(&self, hashes: impl IntoIterator<Item = [u8; 32]>) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
        for hash in hashes {
            self.0.remembered.invalidate(&hash).await;
        }
    }

    fn written(&self, sessions: &[(Uuid, i64)]) {
        let mut touched = self.touched();
        for (id, micros) in sessions {
            let Some(touch) = touched.get(id) else { continue };
            touch.dequeue();
            // Used again while it was written: it stays for the next time.
            if touch.micros() == *micros || !touch.enqueue() {
                touched.remove(id);
            }
        }
    }

    fn touched(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Touch>>> {
        self.0.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
