//! The public door: sign in, step up, and the sessions that come of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use platform::crypto::{hmac_sha256, sha256};
use platform::keys::{KeyRing, RsaKey, Sealed};
use platform::outgoing::Outgoing;
use platform::settings::{IdentitySettings, Profile, SessionSettings};
use platform::{Db, ErrorKind, SharedClock, SharedRandom, london_date};
use record_access::patients::StoreError;
use record_access::{AccessLog, AccountId, Category, ClientId, Entry, Outcome, PatientId, Patients};
use url::Url;
use uuid::Uuid;

use crate::attempt::{Attempt, Purpose, is_token};
use crate::claims::{Identified, Rules, ToldName, identify};
use crate::device::device_label;
use crate::error::{IdentityError, SignInError};
use crate::provider::{Answer, Provider, ProviderDeps};
use crate::return_to::return_to;
use crate::session::Session;
use crate::sessions::{EndReason, NewSession, Sessions};
use crate::store::accounts::{self, Seen};
use crate::store::attempts;
use crate::trust::Vector;

/// Seals people's names.
const NAME: &str = "account.name";
/// Authenticates the NHS number an identity came with.
const NUMBER: &str = "account.nhs-number";
/// The longest value taken from a callback, in bytes.
const LONGEST_PARAMETER: usize = 4096;
/// All that is asked of the provider in one callback must be done by then; a request has nine seconds.
const PATIENCE: Duration = Duration::from_secs(8);

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

struct Shared {
    db: Db,
    clock: SharedClock,
    random: SharedRandom,
    keys: KeyRing,
    number_key: [u8; 32],
    patients: Patients,
    access_log: AccessLog,
    settings: IdentitySettings,
    sessions: Sessions,
    provider: Provider,
}

/// Who is asking. Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Shared>);

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

    async fn try_complete(
        &self,
        callback: Callback,
        browser: Option<&str>,
        device: Option<&str>,
        request_id: Uuid,
        current: Option<&Session>,
    ) -> Result<SignedIn, SignInError> {
        let shared = &*self.0;
        let attempt = self.take_attempt(&callback).await?;
        let code = self.check_callback(&callback, &attempt, browser, current)?;
        let asked = tokio::time::timeout(PATIENCE, shared.provider.answer(&attempt, code)).await;
        let answer =
            asked.map_err(|_| SignInError::new(ErrorKind::ProviderTimeout, "provider_timeout"))??;
        let who = identify(
            answer.vot.as_ref(),
            &answer.by_token,
            &answer.by_userinfo,
            &Rules {
                requested: &attempt.vtr,
                today: london_date(shared.clock.now()),
                minimum_age: shared.settings.minimum_age_years,
            },
        )?;
        let replaced = match attempt.purpose {
            Purpose::SignIn => None,
            Purpose::StepUp(_) => Some(self.check_step_up(&attempt, &answer, &who, current).await?),
        };
        let session = self.account(&answer, who, request_id).await?;
        let new = NewSession {
            device: device_label(device),
            // Proving more does not start the twelve hours anew.
            ends_at_latest: replaced.map(Session::absolute_ends_at),
            ..session
        };
        let (token, session) = shared.sessions.open(new).await?;
        if let Some(former) = current {
            shared.sessions.end(former, EndReason::Replaced).await?;
        }
        Ok(SignedIn { token, session, return_to: attempt.return_to })
    }

    /// Takes the attempt the state names. It is gone from here on, whatever else is wrong with the callback.
    async fn take_attempt(&self, callback: &Callback) -> Result<Attempt, SignInError> {
        let invalid = |reason| SignInError::new(ErrorKind::SignInAttemptInvalid, reason);
        let state = callback.state.as_deref().ok_or_else(|| invalid("state_missing"))?;
        if !is_token(state) {
            return Err(invalid("state_malformed"));
        }
        let taken = attempts::take(&self.0.db, &sha256(state.as_bytes())).await?;
        let attempt = taken.ok_or_else(|| invalid("state_unknown"))?;
        if self.0.clock.now() >= attempt.expires_at {
            return Err(invalid("state_expired"));
        }
        Ok(attempt)
    }

    /// Everything that can be judged before the provider is asked.
    fn check_callback<'c>(
        &self,
        callback: &'c Callback,
        attempt: &Attempt,
        browser: Option<&str>,
        current: Option<&Session>,
    ) -> Result<&'c str, SignInError> {
        let invalid = |reason| SignInError::new(ErrorKind::SignInAttemptInvalid, reason);
        let issuer = self.0.provider.issuer();
        if !attempt.was_begun_by(browser) {
            return Err(invalid("browser_mismatch"));
        }
        if callback.provider != attempt.provider
            || attempt.provider != self.0.provider.name
            || attempt.issuer != issuer
        {
            return Err(invalid("provider_mismatch"));
        }
        if callback.iss.as_ref().is_some_and(|iss| iss != issuer) {
            return Err(invalid("callback_issuer"));
        }
        if let Purpose::StepUp(session) = attempt.purpose
            && current.is_none_or(|it| it.id().0 != session)
        {
            return Err(invalid("step_up_session"));
        }
        if let Some(refused) =
            provider_refusal(callback.error.as_deref(), callback.error_description.as_deref())
        {
            return Err(refused);
        }
        match callback.code.as_deref() {
            None | Some("") => Err(invalid("code_missing")),
            Some(code) if code.len() > LONGEST_PARAMETER => Err(invalid("code_malformed")),
            Some(code) => Ok(code),
        }
    }

    /// The session that is to be replaced: of the same person, who proved what was asked for.
    async fn check_step_up<'s>(
        &self,
        attempt: &Attempt,
        answer: &Answer,
        who: &Identified,
        current: Option<&'s Session>,
    ) -> Result<&'s Session, SignInError> {
        let refused = |reason| SignInError::new(ErrorKind::SignInRefused, reason);
        let session =
            current.ok_or_else(|| SignInError::new(ErrorKind::SignInAttemptInvalid, "step_up_session"))?;
        let known = accounts::find(self.0.db.read(), self.issuer(), &answer.subject).await?;
        if known.is_none_or(|known| known.account != session.principal().actor) {
            return Err(refused("step_up_other_person"));
        }
        let asked = attempt.vtr.iter().filter_map(|it| Vector::parse(it).ok()).map(|it| it.level).min();
        if asked.is_none_or(|asked| who.assurance < asked) {
            return Err(refused("step_up_not_reached"));
        }
        Ok(session)
    }

    /// The account of who came, joined to a record where there is one they may open; entered in the access log.
    async fn account(
        &self,
        answer: &Answer,
        who: Identified,
        request_id: Uuid,
    ) -> Result<NewSession, SignInError> {
        let shared = &*self.0;
        let (issuer, subject) = (self.issuer(), answer.subject.as_str());
        let now = shared.clock.now();
        let known = accounts::find(shared.db.read(), issuer, subject).await?;
        let found = match &who.claims_record {
            Some((number, born)) => shared.patients.find(number, *born).await.map_err(patients_error)?,
            None => None,
        };
        let number_mac = who
            .claims_record
            .as_ref()
            .map(|(number, _)| hmac_sha256(&shared.number_key, number.expose().as_bytes()).to_vec());
        let account = match &known {
            Some(known) => known.account,
            None => accounts::open(&shared.db, &shared.random, now, issuer, subject).await?,
        };
        let (was_mac, was_patient) = known.map_or((None, None), |known| (known.number_mac, known.patient));
        // A number that is not the former one opens a record only if it is another number of the same person.
        let number_changed = matches!((&was_mac, &number_mac), (Some(was), Some(is)) if was != is)
            && (found.is_none() || found != was_patient);
        let patient = found.filter(|_| !number_changed);
        let name = who
            .name
            .as_ref()
            .map(|name| {
                let plain = serde_json::to_vec(name).unwrap_or_default();
                shared.keys.seal(NAME, &plain).map_err(IdentityError::Keys)
            })
            .transpose()?;
        let seen = if number_changed || number_mac.is_none() {
            // What was known stays: below P5 no number is told, and a changed one must not become the rule.
            Seen { patient: was_patient, number_mac: was_mac, name }
        } else {
            Seen { patient, number_mac, name }
        };
        accounts::record(&shared.db, now, issuer, subject, seen).await?;

        if number_changed {
            let refused = Outcome::Refused("nhs_number_changed");
            self.log(request_id, Some(account), None, "self", refused).await?;
        }
        let authority = match patient {
            Some(patient) if accounts::patient_has_other_account(&shared.db, patient, account).await? => {
                "self:another-account"
            }
            _ => "self",
        };
        self.log(request_id, Some(account), patient, authority, Outcome::Allowed).await?;
        Ok(NewSession {
            account,
            patient,
            assurance: who.assurance,
            vot: who.vot,
            id_token_jti: answer.jti.clone(),
            issuer: issuer.to_owned(),
            device: String::new(),
            authenticated_at: answer.authenticated_at,
            ends_at_latest: None,
        })
    }

    async fn log(
        &self,
        request_id: Uuid,
        actor: Option<AccountId>,
        subject: Option<PatientId>,
        authority: &str,
        outcome: Outcome,
    ) -> Result<(), SignInError> {
        let entry = Entry {
            request_id,
            actor,
            subject,
            authority: authority.to_owned(),
            client: ClientId::web(),
            category: Category::SignIn,
            purpose: "sign-in",
            operation: "completeSignIn",
            outcome,
        };
        self.0.access_log.append(entry).await.map_err(|error| {
            SignInError::new(ErrorKind::AccessLogUnavailable, "access_log_unavailable").because(error)
        })
    }
}

/// What the provider's `error` and `error_description` mean; none: it reports no error. Some send the
/// description without the error.
fn provider_refusal(error: Option<&str>, description: Option<&str>) -> Option<SignInError> {
    if description == Some("ConsentNotGiven") {
        return Some(SignInError::new(ErrorKind::ConsentNotGiven, "consent_not_given"));
    }
    let (kind, reason) = match error? {
        "access_denied" => (ErrorKind::SignInRefused, "access_denied"),
        "server_error" => (ErrorKind::ProviderUnavailable, "provider_server_error"),
        "temporarily_unavailable" => (ErrorKind::ProviderUnavailable, "provider_busy"),
        "login_required"
        | "interaction_required"
        | "consent_required"
        | "account_selection_required"
        | "sso_login_required" => (ErrorKind::SignInRefused, "provider_interaction_required"),
        // It does not take our request: no doing of the person's, and trying again does not help.
        "invalid_request" | "invalid_scope" | "unauthorized_client" | "unsupported_response_type" => {
            (ErrorKind::SignInRefused, "provider_request_refused")
        }
        _ => (ErrorKind::SignInRefused, "provider_error"),
    };
    Some(SignInError::new(kind, reason))
}

fn patients_error(error: StoreError) -> SignInError {
    let reason = match &error {
        StoreError::Db(_) => "store_unavailable",
        StoreError::Keys(_) => "key_ring",
        StoreError::Inconsistent(_) => "store_inconsistent",
    };
    SignInError::new(error.kind(), reason).because(error)
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

#[cfg(test)]
mod tests;
