//! The provider itself: requests in, answers out, no HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use platform::keys::RsaKey;
use platform::{SharedClock, SharedRandom};
use record_access::NhsNumber;
use serde_json::{Value, json};

use super::SimulatorError;
use super::authorize::{self, AuthorizeRequest, Refusal};
use super::client::Clients;
use super::faults::{ChangedNumber, ConsentRefusal, Endpoint, Faults, FaultsChange, IdTokenKid, Report};
use super::params::{Params, with_query};
use super::scope::Scope;
use super::state::{self, Authorization, Code, State};
use super::trust;
use crate::people::{Persona, Proofing, Sharing};

/// The provider: its rules over its memory, with clock, randomness and keys handed in.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) clients: Clients,
    pub(crate) people: Vec<Persona>,
    pub(crate) clock: SharedClock,
    pub(crate) random: SharedRandom,
    state: Mutex<State>,
}

/// What comes of an answer on one of the pages.
pub(crate) enum Choice {
    /// Back to the client.
    Redirect(String),
    /// This person cannot yet sign in at the level asked for: ask them.
    IdentityCheck(IdentityCheck),
    /// The request is unknown, used or older than ten minutes.
    Gone,
    /// The form is not one of ours.
    Malformed,
}

/// A person short of the level a client asked for.
pub(crate) struct IdentityCheck {
    /// Place of the person in the list of people.
    pub(crate) person: usize,
    pub(crate) level: Proofing,
    /// The level that would do; nothing when the credential asked for is one the person does not hold.
    pub(crate) needed: Option<Proofing>,
}

/// How an endpoint is to behave, according to the faults.
pub(crate) struct Admission {
    pub(crate) delay: Duration,
    pub(crate) fail: Option<u16>,
}

impl Provider {
    pub(crate) fn new(
        issuer: String,
        clients: Clients,
        people: Vec<Persona>,
        clock: SharedClock,
        random: SharedRandom,
        signing_key: RsaKey,
    ) -> Self {
        let state = Mutex::new(State::new(&people, Arc::new(signing_key)));
        Self { issuer, clients, people, clock, random, state }
    }

    /// A panic while the lock was held cannot leave half a change that matters here: go on.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn token_endpoint(&self) -> String {
        format!("{}/token", self.issuer)
    }

    /// Counts a call and says how the endpoint is to behave.
    pub(crate) fn enter(&self, endpoint: Endpoint) -> Admission {
        let mut state = self.state();
        state.observed.count(endpoint);
        let seconds = state.faults.slow_seconds.get(&endpoint).copied().unwrap_or(0);
        Admission {
            delay: Duration::from_secs(seconds.into()),
            fail: state.faults.fail.get(&endpoint).copied(),
        }
    }

    /// The discovery document. What the real one lacks (PKCE methods, logout, revocation, introspection) is
    /// absent here too; `simulator` is the marker production refuses.
    pub(crate) fn discovery(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": self.token_endpoint(),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
            "scopes_supported": Scope::ALL.map(Scope::as_str),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS512"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS512"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "jti", "auth_time", "nonce", "vot", "vtm", "nhs_number",
                "family_name", "given_name", "birthdate", "identity_proofing_level", "email",
                "email_verified", "phone_number", "phone_number_verified", "gp_registration_details",
            ],
            "simulator": true,
        })
    }

    /// The published keys; the first one signs.
    pub(crate) fn jwks(&self) -> Value {
        let state = self.state();
        let keys: Vec<Value> = published(&state).iter().map(|key| key.public_jwk()).collect();
        json!({ "keys": keys })
    }

    /// Takes in an authorisation request; the answer is the id its pages carry.
    pub(crate) fn begin(&self, params: &Params) -> Result<String, Refusal> {
        let request = authorize::read(&self.clients, params)?;
        let id = self.random.token();
        self.state().requests.insert(id.clone(), Arc::new(request), self.clock.now());
        Ok(id)
    }

    /// Whether the request is still waiting for an answer, and from which client it came.
    pub(crate) fn waiting(&self, request: &str) -> Option<Arc<AuthorizeRequest>> {
        self.state().requests.get(request, self.clock.now()).cloned()
    }

    /// Takes an answer from one of the pages.
    pub(crate) fn choose(&self, params: &Params) -> Choice {
        let now = self.clock.now();
        let Some(id) = params.first("request") else { return Choice::Malformed };
        let mut state = self.state();
        let Some(request) = state.requests.get(id, now).cloned() else { return Choice::Gone };
        let answer = params.first("answer");
        if answer == Some("cancel") {
            state.requests.remove(id, now);
            return Choice::Redirect(refuse(&request, "access_denied", "The person cancelled the sign-in."));
        }
        let Some(sub) = params.first("person") else { return Choice::Malformed };
        let Some(index) = self.people.iter().position(|person| person.sub == sub) else {
            return Choice::Malformed;
        };
        let person = &self.people[index];

        let mut level = state.people[index].level;
        let needed = trust::level_needed(&request.vectors, person.passkey);
        let mut vector = trust::best(&request.vectors, level, person.passkey);
        if vector.is_none() && answer == Some("complete") && needed.is_some() {
            // The check is taken all the way at once, as it is at the real provider: photo identity.
            level = Proofing::P9;
            state.people[index].level = level;
            vector = trust::best(&request.vectors, level, person.passkey);
        }
        let Some(vector) = vector else {
            return Choice::IdentityCheck(IdentityCheck { person: index, level, needed });
        };
        state.requests.remove(id, now);

        if person.sharing == Sharing::Refuses {
            let error = match state.faults.consent_refusal {
                ConsentRefusal::ErrorAndDescription => "access_denied",
                ConsentRefusal::DescriptionOnly => "",
            };
            return Choice::Redirect(refuse(&request, error, "ConsentNotGiven"));
        }
        let nhs_number = number_now(person, state.people[index].sign_ins, &state.faults);
        state.people[index].sign_ins += 1;
        let authorization = Authorization {
            client_id: request.client_id.clone(),
            person: index,
            scopes: request.scopes.clone(),
            vector,
            level,
            nhs_number,
            nonce: request.nonce.clone(),
            auth_time: now,
        };
        let code = self.random.token();
        state.codes.insert(
            code.clone(),
            Code {
                authorization: Arc::new(authorization),
                redirect_uri: request.redirect_uri.clone(),
                challenge: request.challenge.clone(),
                used: false,
                replayed: false,
                grant: None,
            },
            now,
        );
        drop(state);
        Choice::Redirect(with_query(&request.redirect_uri, &[("code", &code), ("state", &request.state)]))
    }

    /// The people with the level each has now.
    pub(crate) fn levels(&self) -> Vec<Proofing> {
        self.state().people.iter().map(|person| person.level).collect()
    }

    /// The civil date in England now.
    pub(crate) fn today(&self) -> chrono::NaiveDate {
        platform::london_date(self.now())
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// What is wrong at present, and the key that signs.
    pub(crate) fn faults(&self) -> (Faults, String) {
        let state = self.state();
        (state.faults.clone(), state.signing_key.kid().to_owned())
    }

    /// What is wrong at present and what was seen.
    pub(crate) fn report(&self) -> Report {
        let state = self.state();
        let kids = published(&state).iter().map(|key| key.kid().to_owned()).collect();
        state.observed.report(&state.faults, kids)
    }

    /// Changes what is wrong. Making an RSA key takes a good part of a second of computing: call this where
    /// blocking is allowed.
    pub(crate) fn change_faults(&self, mut change: FaultsChange) -> Result<(), SimulatorError> {
        change.check().map_err(SimulatorError::Fault)?;
        let new_key = change.rotate_key.then(RsaKey::generate).transpose()?;
        let two_keys = change.id_token_kid == Some(IdTokenKid::AbsentTwoKeys);
        let spare = two_keys.then(RsaKey::generate).transpose()?;

        let mut state = self.state();
        if std::mem::take(&mut change.reset) {
            state.faults = Faults::default();
            state.observed = Default::default();
            state.people = state::at_the_start(&self.people);
        }
        change.apply(&mut state.faults);
        if let Some(key) = new_key {
            state.signing_key = Arc::new(key);
        }
        if let Some(key) = spare {
            state.spare_key = Some(Arc::new(key));
        } else if state.faults.id_token_kid != IdTokenKid::AbsentTwoKeys {
            state.spare_key = None;
        }
        Ok(())
    }
}

fn published(state: &State) -> Vec<Arc<RsaKey>> {
    std::iter::once(state.signing_key.clone()).chain(state.spare_key.clone()).collect()
}

fn refuse(request: &AuthorizeRequest, error: &str, description: &str) -> String {
    authorize::refusal_address(&request.redirect_uri, error, description, Some(&request.state))
}

/// The NHS number this sign-in is made with.
fn number_now(person: &Persona, sign_ins: u64, faults: &Faults) -> NhsNumber {
    let Some(old) = &person.superseded_nhs_number else { return person.nhs_number.clone() };
    let use_old = match faults.changed_number {
        ChangedNumber::Automatic => sign_ins == 0,
        ChangedNumber::Old => true,
        ChangedNumber::New => false,
    };
    if use_old { old.clone() } else { person.nhs_number.clone() }
}
