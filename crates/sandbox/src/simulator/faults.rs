//! What can be made to go wrong on request, and what the simulator saw.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::assertion::Parts;

/// An endpoint of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/.well-known/openid-configuration`
    Discovery,
    /// `/.well-known/jwks.json`
    Jwks,
    /// `/authorize`: counted, never slowed or failed.
    Authorize,
    /// `/token`
    Token,
    /// `/userinfo`
    Userinfo,
}

impl Endpoint {
    /// Those that can be slowed or failed.
    pub const FALLIBLE: [Self; 4] = [Self::Discovery, Self::Jwks, Self::Token, Self::Userinfo];

    /// As it stands in JSON and in the page's form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
        }
    }
}

/// Whether the id_token's header names its key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdTokenKid {
    /// The header has a `kid`, as the real provider's has.
    #[default]
    Present,
    /// The header has no `kid`; one key is published.
    Absent,
    /// The header has no `kid` and two keys are published, of which one signs.
    AbsentTwoKeys,
}

/// The `vot` claim put into tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum VotClaim {
    /// What the sign-in really was. In JSON `"as_is"`.
    #[default]
    AsIs,
    /// The claim is left out. In JSON `"missing"`.
    Missing,
    /// This text, whatever the sign-in was.
    Literal(String),
}

impl From<String> for VotClaim {
    fn from(text: String) -> Self {
        match text.as_str() {
            "as_is" | "" => Self::AsIs,
            "missing" => Self::Missing,
            _ => Self::Literal(text),
        }
    }
}

impl From<VotClaim> for String {
    fn from(vot: VotClaim) -> Self {
        match vot {
            VotClaim::AsIs => "as_is".into(),
            VotClaim::Missing => "missing".into(),
            VotClaim::Literal(text) => text,
        }
    }
}

/// How a person's refusal to share is told to the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentRefusal {
    /// `error=access_denied&error_description=ConsentNotGiven`
    #[default]
    ErrorAndDescription,
    /// `error_description=ConsentNotGiven` alone, as some stubs of the provider send it.
    DescriptionOnly,
}

/// Which NHS number the person whose number changed signs in with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangedNumber {
    /// The old number at the first sign-in, the new one from then on.
    #[default]
    Automatic,
    /// Always the old number.
    Old,
    /// Always the new number.
    New,
}

/// Everything that is wrong at present. All off is the real provider's behaviour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// Seconds an endpoint waits before it answers, at most 60.
    pub slow_seconds: BTreeMap<Endpoint, u8>,
    /// The 5xx status an endpoint answers with.
    pub fail: BTreeMap<Endpoint, u16>,
    /// Whether the id_token's header names its key.
    pub id_token_kid: IdTokenKid,
    /// The `vot` claim of the id_token and access token.
    pub vot: VotClaim,
    /// The id_token carries another nonce than the request's.
    pub wrong_nonce: bool,
    /// Userinfo answers with another person's `sub`.
    pub userinfo_sub_swap: bool,
    /// How a refusal to share is told.
    pub consent_refusal: ConsentRefusal,
    /// Which number the person whose number changed signs in with.
    pub changed_number: ChangedNumber,
}

/// A change of faults: what is left out stays as it is. A map given replaces the whole map.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultsChange {
    /// First: all faults off, all counters zero, all people as at the start. Keys and tokens stay.
    pub reset: bool,
    /// A new signing key is made; the old one is no longer published.
    pub rotate_key: bool,
    /// See [`Faults::slow_seconds`].
    pub slow_seconds: Option<BTreeMap<Endpoint, u8>>,
    /// See [`Faults::fail`].
    pub fail: Option<BTreeMap<Endpoint, u16>>,
    /// See [`Faults::id_token_kid`].
    pub id_token_kid: Option<IdTokenKid>,
    /// See [`Faults::vot`].
    pub vot: Option<VotClaim>,
    /// See [`Faults::wrong_nonce`].
    pub wrong_nonce: Option<bool>,
    /// See [`Faults::userinfo_sub_swap`].
    pub userinfo_sub_swap: Option<bool>,
    /// See [`Faults::consent_refusal`].
    pub consent_refusal: Option<ConsentRefusal>,
    /// See [`Faults::changed_number`].
    pub changed_number: Option<ChangedNumber>,
}

const LONGEST_DELAY: u8 = 60;
const LONGEST_VOT: usize = 64;

impl FaultsChange {
    /// Whether the change can be made.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let fallible = |endpoint: &Endpoint| Endpoint::FALLIBLE.contains(endpoint);
        if let Some(slow) = &self.slow_seconds
            && !slow.iter().all(|(endpoint, seconds)| fallible(endpoint) && *seconds <= LONGEST_DELAY)
        {
            return Err("slow_seconds: discovery, jwks, token or userinfo, 0 to 60 seconds");
        }
        if let Some(fail) = &self.fail
            && !fail.iter().all(|(endpoint, status)| fallible(endpoint) && (500..=599).contains(status))
        {
            return Err("fail: discovery, jwks, token or userinfo, a status from 500 to 599");
        }
        if matches!(&self.vot, Some(VotClaim::Literal(text)) if text.len() > LONGEST_VOT) {
            return Err("vot: at most 64 characters");
        }
        Ok(())
    }

    /// Makes the change. Resetting and rotating are the provider's own work.
    pub(crate) fn apply(self, faults: &mut Faults) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut faults.slow_seconds, self.slow_seconds);
        set(&mut faults.fail, self.fail);
        set(&mut faults.id_token_kid, self.id_token_kid);
        set(&mut faults.vot, self.vot);
        set(&mut faults.wrong_nonce, self.wrong_nonce);
        set(&mut faults.userinfo_sub_swap, self.userinfo_sub_swap);
        set(&mut faults.consent_refusal, self.consent_refusal);
        set(&mut faults.changed_number, self.changed_number);
    }
}

/// One call of the token endpoint, as it came in: nothing here was verified when it was written down.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TokenCall {
    /// `grant_type` as sent.
    pub grant_type: Option<String>,
    /// The assertion header's `alg`.
    pub alg: Option<Value>,
    /// The assertion header's `kid`.
    pub kid: Option<Value>,
    /// Assertion claim.
    pub iss: Option<Value>,
    /// Assertion claim.
    pub sub: Option<Value>,
    /// Assertion claim.
    pub aud: Option<Value>,
    /// Assertion claim, seconds since 1970.
    pub exp: Option<Value>,
    /// Assertion claim, seconds since 1970.
    pub iat: Option<Value>,
    /// Assertion claim.
    pub jti: Option<Value>,
    /// `ok`, the OAuth error code, or `fault` when the call was failed on request.
    pub outcome: &'static str,
}

impl TokenCall {
    pub(crate) fn new(grant_type: Option<&str>, parts: Option<&Parts<'_>>) -> Self {
        let header = |name: &str| parts.and_then(|parts| parts.header.get(name).cloned());
        let claim = |name: &str| parts.and_then(|parts| parts.claims.get(name).cloned());
        Self {
            grant_type: grant_type.map(|text| text.chars().take(64).collect()),
            alg: header("alg"),
            kid: header("kid"),
            iss: claim("iss"),
            sub: claim("sub"),
            aud: claim("aud"),
            exp: claim("exp"),
            iat: claim("iat"),
            jti: claim("jti"),
            outcome: "ok",
        }
    }

    /// Bytes this call may keep: hostile assertions can be as large as a body.
    fn is_small(&self) -> bool {
        let size = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.to_string().len());
        [&self.alg, &self.kid, &self.iss, &self.sub, &self.aud, &self.exp, &self.iat, &self.jti]
            .into_iter()
            .map(size)
            .sum::<usize>()
            <= 2_048
    }
}

/// Calls counted and token calls kept, the newest 4,096 of them.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    calls: BTreeMap<Endpoint, u64>,
    token_calls: VecDeque<TokenCall>,
}

const MOST_TOKEN_CALLS: usize = 4_096;

impl Observed {
    pub(crate) fn count(&mut self, endpoint: Endpoint) {
        *self.calls.entry(endpoint).or_default() += 1;
    }

    pub(crate) fn keep(&mut self, call: TokenCall) {
        if self.token_calls.len() >= MOST_TOKEN_CALLS {
            self.token_calls.pop_front();
        }
        let small = call.is_small();
        self.token_calls.push_back(if small {
            call
        } else {
            TokenCall { grant_type: call.grant_type, outcome: call.outcome, ..TokenCall::default() }
        });
    }

    pub(crate) fn report(&self, faults: &Faults, kids: Vec<String>) -> Report {
        let mut calls: BTreeMap<Endpoint, u64> = Endpoint::FALLIBLE
            .into_iter()
            .chain([Endpoint::Authorize])
            .map(|endpoint| (endpoint, 0))
            .collect();
        calls.extend(&self.calls);
        Report {
            faults: faults.clone(),
            calls,
            token_calls: self.token_calls.iter().cloned().collect(),
            published_kids: kids,
        }
    }
}

/// What is wrong at present and what the simulator saw: the answer of `/faults`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Everything that is wrong at present.
    pub faults: Faults,
    /// Calls per endpoint since the start or the last reset, refused ones included.
    pub calls: BTreeMap<Endpoint, u64>,
    /// The newest token calls, oldest first, at most 4,096.
    pub token_calls: Vec<TokenCall>,
    /// The key ids in the published key set; the first one signs.
    pub published_kids: Vec<String>,
}
