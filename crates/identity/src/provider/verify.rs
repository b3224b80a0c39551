//! Is this id token what the provider says about the person who began this sign-in, now?

use chrono::{DateTime, Duration, Utc};
use openidconnect::core::{CoreIdTokenVerifier, CoreJsonWebKey, CoreJwsSigningAlgorithm};
use openidconnect::{
    ClaimsVerificationError, ClientId, IssuerUrl, JsonWebKeySet, Nonce, SignatureVerificationError,
};
use serde_json::Value;

use super::types::{Token, TokenClaims};

/// How far the provider's clock may be from ours.
pub(super) const SKEW: Duration = Duration::seconds(60);
/// How far from now a token may say it was issued.
pub(super) const ISSUED_WITHIN: Duration = Duration::minutes(5);
/// The longest life of an id token that makes sense; the national provider's live an hour.
const LONGEST_LIFE: Duration = Duration::hours(24);
/// Most keys of one set that are tried.
pub(super) const MOST_KEYS: usize = 16;

const ISSUED_AT: &str = "iat";

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// None of the keys fits: fresh ones may.
    KeyUnknown,
    /// It is named by no key id, and no key verifies it: fresh ones may.
    NoKeyVerifies,
    /// A check failed; the code says which.
    Failed(&'static str),
}

impl Refusal {
    pub fn reason(self) -> &'static str {
        match self {
            Self::KeyUnknown => "id_token_key_unknown",
            Self::NoKeyVerifies => "id_token_signature",
            Self::Failed(reason) => reason,
        }
    }
}

/// What a token must agree with.
pub(super) struct Expected<'a> {
    pub issuer: &'a IssuerUrl,
    pub client_id: &'a ClientId,
    pub nonce: &'a Nonce,
    pub now: DateTime<Utc>,
}

/// Checks the token against each key that may fit, RS512 alone, whatever discovery says. Where a key came
/// from is never taken from the token (`jku`, `x5u`, `jwk` are ignored).
pub(super) fn verify<'t>(
    token: &'t Token,
    keys: &[CoreJsonWebKey],
    expected: &Expected<'_>,
) -> Result<&'t TokenClaims, Refusal> {
    let mut refusal = Refusal::KeyUnknown;
    for key in keys.iter().take(MOST_KEYS) {
        let now = expected.now;
        let verifier = CoreIdTokenVerifier::new_public_client(
            expected.client_id.clone(),
            expected.issuer.clone(),
            JsonWebKeySet::new(vec![key.clone()]),
        )
        .set_allowed_algs([CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512])
        .set_time_fn(move || now - SKEW)
        .set_issue_time_verifier_fn(move |issued| {
            if (now - issued).abs() <= ISSUED_WITHIN { Ok(()) } else { Err(ISSUED_AT.to_owned()) }
        });
        match token.claims(&verifier, expected.nonce) {
            Ok(claims) => return further(claims, expected).map(|()| claims).map_err(Refusal::Failed),
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {}
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::CryptoError(_) | SignatureVerificationError::InvalidKey(_),
            )) => refusal = Refusal::NoKeyVerifies,
            Err(error) => return Err(Refusal::Failed(reason(&error))),
        }
    }
    Err(refusal)
}

/// What the library leaves to us.
fn further(claims: &TokenClaims, expected: &Expected<'_>) -> Result<(), &'static str> {
    let latest = expected.now + SKEW;
    if claims.authorized_party().is_some_and(|party| party != expected.client_id) {
        return Err("id_token_authorized_party");
    }
    if claims.expiration() <= claims.issue_time() || claims.expiration() - claims.issue_time() > LONGEST_LIFE
    {
        return Err("id_token_lifetime");
    }
    if claims.auth_time().is_some_and(|at| at > latest) {
        return Err("id_token_auth_time");
    }
    if let Some(not_before) = &claims.additional_claims().nbf {
        let at = not_before.as_i64().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        if at.is_none_or(|at| at > latest) {
            return Err("id_token_not_before");
        }
    }
    // OpenID Connect Core 2: at most 255 ASCII characters.
    let subject = claims.subject().as_str();
    if subject.is_empty() || subject.len() > 255 || !subject.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("id_token_subject");
    }
    match &claims.additional_claims().jti {
        None => Ok(()),
        Some(Value::String(jti)) if jti.len() <= 255 => Ok(()),
        Some(_) => Err("id_token_jti"),
    }
}

fn reason(error: &ClaimsVerificationError) -> &'static str {
    use ClaimsVerificationError as Claims;
    use SignatureVerificationError as Signature;
    match error {
        Claims::Expired(why) if why == ISSUED_AT => "id_token_issued_at",
        Claims::Expired(_) => "id_token_expired",
        Claims::InvalidAudience(_) => "id_token_audience",
        Claims::InvalidIssuer(_) => "id_token_issuer",
        Claims::InvalidNonce(_) => "id_token_nonce",
        Claims::SignatureVerification(
            Signature::DisallowedAlg(_) | Signature::NoSignature | Signature::UnsupportedAlg(_),
        ) => "id_token_alg",
        Claims::SignatureVerification(_) => "id_token_signature",
        _ => "id_token_header",
    }
}

/// The reason for which an answer of the token endpoint could not even be read.
pub(super) fn unreadable(body: &[u8]) -> &'static str {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return "token_malformed" };
    // RFC 6749, 5.1: both are required.
    if !["access_token", "token_type"].iter().all(|needed| answer.get(needed).is_some_and(Value::is_string)) {
        return "token_malformed";
    }
    let Some(token) = answer.get("id_token") else { return "token_malformed" };
    let alg = token
        .as_str()
        .and_then(|token| token.split('.').next())
        .and_then(platform::crypto::from_b64url)
        .and_then(|header| serde_json::from_slice::<Value>(&header).ok())
        .and_then(|header| header.get("alg")?.as_str().map(str::to_owned));
    if alg.is_some_and(|alg| alg != "RS512") { "id_token_alg" } else { "id_token_malformed" }
}
