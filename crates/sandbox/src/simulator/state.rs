//! Everything the provider remembers, and for how long.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use platform::keys::RsaKey;
use record_access::NhsNumber;

use super::assertion;
use super::authorize::AuthorizeRequest;
use super::expiring::ExpiringMap;
use super::faults::{Faults, Observed};
use super::scope::Scope;
use super::trust::Vector;
use crate::people::{Persona, Proofing};

/// Times the real provider keeps.
pub(crate) const CODE_MINUTES: i64 = 10;
pub(crate) const ID_TOKEN_MINUTES: i64 = 60;
pub(crate) const ACCESS_TOKEN_SECONDS: i64 = 300;
const REFRESH_DAYS: i64 = 30;
/// How long a person may look at the simulator's pages.
const REQUEST_MINUTES: i64 = 10;

/// Ceilings: a sandbox under a load test stays within a few dozen megabytes.
const MOST_REQUESTS: usize = 10_000;
const MOST_CODES: usize = 50_000;
const MOST_TOKENS: usize = 50_000;
const MOST_JTIS: usize = 100_000;

/// What a person allowed a client, as it was when they did.
#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) client_id: String,
    /// Place of the person in the list of people.
    pub(crate) person: usize,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) vector: Vector,
    /// The best level this person has ever reached, which need not be this sign-in's.
    pub(crate) level: Proofing,
    pub(crate) nhs_number: NhsNumber,
    pub(crate) nonce: String,
    pub(crate) auth_time: DateTime<Utc>,
}

/// An authorisation code. It stays until it expires, so that a second use is noticed.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) authorization: Arc<Authorization>,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) used: bool,
    pub(crate) replayed: bool,
    /// What the first use issued.
    pub(crate) grant: Option<String>,
}

/// What one code became: the root of its access and refresh tokens.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) authorization: Arc<Authorization>,
    /// The only refresh token that is good.
    pub(crate) refresh: String,
}

/// One of the people, as they are now.
#[derive(Debug, Clone)]
pub(crate) struct PersonState {
    pub(crate) level: Proofing,
    pub(crate) sign_ins: u64,
}

/// The provider's memory. It lives as long as the process: this is a simulator.
pub(crate) struct State {
    pub(crate) requests: ExpiringMap<Arc<AuthorizeRequest>>,
    pub(crate) codes: ExpiringMap<Code>,
    /// By grant id. A revoked grant is not here.
    pub(crate) grants: ExpiringMap<Grant>,
    /// Access token to grant id.
    pub(crate) access_tokens: ExpiringMap<String>,
    /// Refresh token to grant id, superseded tokens included.
    pub(crate) refresh_tokens: ExpiringMap<String>,
    /// Client id and jti of the assertions seen.
    pub(crate) jtis: ExpiringMap<()>,
    pub(crate) people: Vec<PersonState>,
    pub(crate) faults: Faults,
    pub(crate) observed: Observed,
    pub(crate) signing_key: Arc<RsaKey>,
    /// Published beside the signing key but never used: see `IdTokenKid::AbsentTwoKeys`.
    pub(crate) spare_key: Option<Arc<RsaKey>>,
}

impl State {
    pub(crate) fn new(people: &[Persona], signing_key: Arc<RsaKey>) -> Self {
        Self {
            requests: ExpiringMap::new(Duration::minutes(REQUEST_MINUTES), MOST_REQUESTS),
            codes: ExpiringMap::new(Duration::minutes(CODE_MINUTES), MOST_CODES),
            grants: ExpiringMap::new(Duration::days(REFRESH_DAYS), MOST_TOKENS),
            access_tokens: ExpiringMap::new(Duration::seconds(ACCESS_TOKEN_SECONDS), MOST_TOKENS),
            refresh_tokens: ExpiringMap::new(Duration::days(REFRESH_DAYS), MOST_TOKENS),
            // An assertion lives no longer than this, so a jti need not be remembered longer.
            jtis: ExpiringMap::new(Duration::seconds(assertion::LONGEST_LIFETIME), MOST_JTIS),
            people: at_the_start(people),
            faults: Faults::default(),
            observed: Observed::default(),
            signing_key,
            spare_key: None,
        }
    }
}

/// The people as they are before anyone signs in.
pub(crate) fn at_the_start(people: &[Persona]) -> Vec<PersonState> {
    people.iter().map(|person| PersonState { level: person.level, sign_ins: 0 }).collect()
}
