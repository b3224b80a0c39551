//! The way back from the provider: from a callback to a session, one check after the other.

use std::time::Duration;

use platform::crypto::{hmac_sha256, sha256};
use platform::{ErrorKind, london_date};
use record_access::patients::StoreError;
use record_access::{AccountId, Category, ClientId, Entry, Outcome, PatientId};
use uuid::Uuid;

use crate::attempt::{Attempt, Purpose, is_token};
use crate::claims::{Identified, Rules, identify};
use crate::device::device_label;
use crate::error::{IdentityError, SignInError};
use crate::provider::Answer;
use crate::service::{Callback, Identity, NAME, SignedIn};
use crate::session::Session;
use crate::sessions::{EndReason, NewSession};
use crate::store::accounts::{self, Seen};
use crate::store::attempts;
use crate::trust::Vector;

/// The longest code taken from a callback, in bytes.
const LONGEST_CODE: usize = 4096;
/// All that is asked of the provider in one callback must be done by then; a request has nine seconds.
const PATIENCE: Duration = Duration::from_secs(8);

impl Identity {
    pub(crate) async fn try_complete(
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
            Some(code) if code.len() > LONGEST_CODE => Err(invalid("code_malformed")),
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

    pub(crate) async fn log(
        &self,
        request_id: Uuid,
        actor: Option<AccountId>,
        subject: Option<PatientId>,
        authority: &'static str,
        outcome: Outcome,
    ) -> Result<(), SignInError> {
        let entry = Entry {
            request_id,
            actor,
            subject,
            authority: authority.into(),
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

#[cfg(test)]
mod tests;
