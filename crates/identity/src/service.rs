//! The public door: sign in, step up, and the sessions that come of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use platform::crypto::sha256;
use platform::keys::{KeyRing, RsaKey, Sealed};
use platform::outgoing::Outgoing;
use platform::settings::{IdentitySettings, Profile, SessionSettings};
use platform::{Db, SharedClock, SharedRandom};
use record_access::{AccessLog, AccountId, Outcome, Patients};
use url::Url;
use uuid::Uuid;

use crate::attempt::{Attempt, Purpose, is_token};
use crate::claims::ToldName;
use crate::error::{IdentityError, SignInError};
use crate::provider::{Provider, ProviderDeps};
use crate::return_to::return_to;
use crate::session::Session;
use crate::sessions::Sessions;
use crate::store::accounts;
use crate::store::attempts;
use crate::trust::Vector;

/// Seals people's names.
pub(crate) const NAME: &str = "account.name";
/// Authenticates the NHS number an identity came with.
const NUMBER: &str = "account.nhs-number";

/// What [`Identity`] is made from.
pub struct IdentityDeps {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: SharedClock,
    /// Secrets.
    pub random: SharedRandom,
    /// Seals names, authenticates CSRF tokens.
    pub keys: KeyRing,
    /// Signs our assertions at the provider.
    pub client_key: Arc<RsaKey>,
    /// Whose record an NHS number opens.
    pub patients: Patients,
    /// Where every sign-in is entered.
    pub access_log: AccessLog,
    /// What the deployment is for.
    pub profile: Profile,
    /// The provider and what is asked of it.
    pub settings: IdentitySettings,
    /// How long sessions last.
    pub sessions: SessionSettings,
    /// The provider's issuer, byte for byte as it writes it.
    pub issuer: String,
    /// The address people type; the provider sends them back to `/auth/callback/{provider}` there.
    pub redirect_base: Url,
    /// The way to the provider.
    pub http: Outgoing,
}

/// Somebody wants to sign in.
#[derive(Debug, Clone, Default)]
pub struct Begin {
    /// The page they want to see afterwards, as the browser says it.
    pub return_to: Option<String>,
    /// The sign-in cookie the browser sent, if it sent one.
    pub browser: Option<String>,
    /// The request's id.
    pub request_id: Uuid,
}

/// Send the browser on.
#[derive(Debug, Clone)]
pub struct Begun {
    /// To here.
    pub redirect: Url,
    /// With this sign-in cookie. It is the one it came with where that was of its form, so that sign-ins in two
    /// tabs do not undo each other.
    pub browser: String,
}

/// The browser came back from the provider with these parameters.
#[derive(Clone, Default)]
pub struct Callback {
    /// The provider whose callback path it is.
    pub provider: String,
    /// `code`
    pub code: Option<String>,
    /// `state`
    pub state: Option<String>,
    /// `iss` (RFC 9207); not every provider sends it.
    pub iss: Option<String>,
    /// `error`
    pub error: Option<String>,
    /// `error_description`
    pub error_description: Option<String>,
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").field("provider", &self.provider).finish_non_exhaustive()
    }
}

/// Somebody is signed in.
#[derive(Clone)]
pub struct SignedIn {
    /// The session's secret, for the cookie.
    pub token: String,
    /// The session.
    pub session: Session,
    /// Where to send the browser: a path on this site.
    pub return_to: String,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("session", &self.session).finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    pub(crate) db: Db,
    pub(crate) clock: SharedClock,
    pub(crate) random: SharedRandom,
    pub(crate) keys: KeyRing,
    pub(crate) number_key: [u8; 32],
    pub(crate) patients: Patients,
    pub(crate) access_log: AccessLog,
    pub(crate) settings: IdentitySettings,
    pub(crate) sessions: Sessions,
    pub(crate) provider: Provider,
}

/// Who is asking. Cheap to clone.
#[derive(Clone)]
pub struct Identity(pub(crate) Arc<Shared>);

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("issuer", &self.0.provider.issuer()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Makes the service. Asks nothing of the provider yet: that waits for the first sign-in.
    ///
    /// # Errors
    /// [`IdentityError::Settings`] when a vector of trust, the issuer or the provider's name is not of its form.
    pub fn new(deps: IdentityDeps) -> Result<Self, IdentityError> {
        for vector in deps.settings.vtr.iter().chain(&deps.settings.step_up_vtr) {
            Vector::parse(vector).map_err(|_| {
                IdentityError::Settings(format!("identity: {vector:?} is not a vector of trust"))
            })?;
        }
        if deps.settings.vtr.is_empty() || deps.settings.step_up_vtr.is_empty() {
            return Err(IdentityError::Settings(
                "identity: vtr and step_up_vtr must not be empty".to_owned(),
            ));
        }
        let provider = Provider::new(ProviderDeps {
            settings: &deps.settings,
            profile: deps.profile,
            issuer: deps.issuer,
            redirect_base: &deps.redirect_base,
            client_key: deps.client_key,
            clock: deps.clock.clone(),
            random: deps.random.clone(),
            http: deps.http,
        })?;
        let sessions = Sessions::new(
            deps.db.clone(),
            deps.clock.clone(),
            deps.random.clone(),
            &deps.keys,
            &deps.sessions,
        )?;
        Ok(Self(Arc::new(Shared {
            number_key: deps.keys.mac_key(NUMBER)?,
            db: deps.db,
            clock: deps.clock,
            random: deps.random,
            keys: deps.keys,
            patients: deps.patients,
            access_log: deps.access_log,
            settings: deps.settings,
            sessions,
            provider,
        })))
    }

    /// The sessions of signed-in people.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// The provider's issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.0.provider.issuer()
    }

    /// Begins a sign-in: where to send the browser, and with which cookie.
    ///
    /// # Errors
    /// When the provider cannot be reached, or the attempt cannot be written down.
    pub async fn begin(&self, begin: Begin) -> Result<Begun, SignInError> {
        self.start(begin, Purpose::SignIn, &self.0.settings.vtr).await
    }

    /// Begins a sign-in at which whoever has `session` is to prove who they are. Who comes back must be the
    /// same person, in the same session.
    ///
    /// # Errors
    /// As [`Identity::begin`].
    pub async fn begin_step_up(&self, session: &Session, begin: Begin) -> Result<Begun, SignInError> {
        self.start(begin, Purpose::StepUp(session.id().0), &self.0.settings.step_up_vtr).await
    }

    /// Ends a sign-in: checks everything that came back, enters the outcome in the access log, and only then
    /// opens a session. A sign-in that fails leaves `current`, the session the browser has, as it was; one that
    /// succeeds takes its place.
    ///
    /// `browser` is the sign-in cookie, `device` the `User-Agent` header.
    ///
    /// # Errors
    /// [`SignInError`]: its kind is for the browser, its reason stands in the access log.
    pub async fn complete(
        &self,
        callback: Callback,
        browser: Option<&str>,
        device: Option<&str>,
        request_id: Uuid,
        current: Option<&Session>,
    ) -> Result<SignedIn, SignInError> {
        let done = self.try_complete(callback, browser, device, request_id, current).await;
        let reason = done.as_ref().map_or_else(|error| error.reason, |_| "signed_in");
        metrics::counter!("sign_ins_total", "outcome" => reason).increment(1);
        if let Err(error) = &done {
            let cause = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
            tracing::info!(reason, cause, %request_id, "a sign-in did not succeed");
            if error.is_refusal() {
                let actor = current.map(|session| session.principal().actor);
                self.log(request_id, actor, None, "none", Outcome::Refused(error.reason)).await?;
            }
        }
        done
    }

    /// What the account's holder is called, as the provider last told it.
    ///
    /// # Errors
    /// When the database does not answer or the name does not open.
    pub async fn person_name(&self, account: AccountId) -> Result<Option<String>, IdentityError> {
        let Some(sealed) = accounts::sealed_name(&self.0.db, account).await? else { return Ok(None) };
        let plain = self.0.keys.open(NAME, &sealed)?;
        Ok(serde_json::from_slice::<ToldName>(&plain).ok().and_then(|name| name.shown()))
    }

    /// Removes what has run out: sign-ins nobody came back from, and sessions that ended long ago. To be called
    /// every few minutes. Returns how many rows went.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sweep(&self, now: DateTime<Utc>) -> Result<u64, IdentityError> {
        Ok(attempts::sweep(&self.0.db, now).await? + self.0.sessions.sweep(now).await?)
    }

    async fn start(&self, begin: Begin, purpose: Purpose, vtr: &[String]) -> Result<Begun, SignInError> {
        let shared = &*self.0;
        let now = shared.clock.now();
        let state = shared.random.token();
        let browser = begin.browser.filter(|it| is_token(it)).unwrap_or_else(|| shared.random.token());
        let attempt = Attempt {
            state_hash: sha256(state.as_bytes()),
            browser_hash: sha256(browser.as_bytes()),
            nonce: shared.random.token(),
            pkce_verifier: shared.random.token(),
            provider: shared.provider.name.clone(),
            issuer: shared.provider.issuer().to_owned(),
            vtr: vtr.to_vec(),
            return_to: return_to(begin.return_to.as_deref()),
            purpose,
            created_at: now,
            expires_at: now + chrono::Duration::minutes(shared.settings.attempt_minutes.into()),
        };
        let redirect = shared.provider.authorize_url(&attempt, &state).await.inspect_err(|error| {
            tracing::warn!(reason = error.reason, request_id = %begin.request_id, "a sign-in could not begin");
        })?;
        attempts::put(&shared.db, &attempt).await?;
        Ok(Begun { redirect, browser })
    }
}

/// Seals every account's name again that is not sealed by the active key. Returns how many changed.
///
/// # Errors
/// When the database does not answer or an old name does not open.
pub async fn reseal_names(db: &Db, keys: &KeyRing) -> Result<u64, IdentityError> {
    let active = keys.active_id();
    let mut changed = 0;
    loop {
        let transaction = db.begin().await?;
        let some = accounts::names_not_sealed_by(&transaction, &active).await?;
        if some.is_empty() {
            return Ok(changed);
        }
        for row in some {
            let (Some(key_id), Some(bytes)) = (&row.name_key_id, &row.name_sealed) else { continue };
            let old = Sealed { key_id: key_id.clone(), bytes: bytes.clone() };
            let sealed = keys.seal(NAME, &keys.open(NAME, &old)?)?;
            accounts::rename(&transaction, row, sealed).await?;
            changed += 1;
        }
        transaction.commit().await?;
    }
}
