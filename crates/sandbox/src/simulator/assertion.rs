//! The client assertion (`private_key_jwt`): a JWT the client signs to prove itself at the token endpoint.
//!
//! Every check has its own description, so that whoever writes a client against the simulator learns which
//! one failed. The header and claims are read by hand and the algorithm is compared before any key is
//! touched: the only thing the cryptographic library is asked is "does this RSA key verify this RS512
//! signature".

use chrono::{DateTime, Utc};
use jsonwebtoken::Algorithm;
use platform::crypto;
use serde_json::{Map, Value};

use super::client::{Client, Clients};

/// A client that has proved itself, with what is needed to see that the proof is not used again.
pub(crate) struct Proven<'a> {
    pub(crate) client: &'a Client,
    pub(crate) jti: String,
}

/// An assertion may be good for this long at most, seconds from now.
pub(crate) const LONGEST_LIFETIME: i64 = 300;
/// How far `iat` and `nbf` may lie ahead of our clock, seconds.
const CLOCK_SKEW: i64 = 60;
/// The longest `jti` and `kid` taken.
const LONGEST_NAME: usize = 256;

/// Header and claims as sent, nothing verified.
pub(crate) struct Parts<'a> {
    signed: &'a str,
    signature: &'a str,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
}

/// Takes the assertion apart.
pub(crate) fn split(assertion: &str) -> Option<Parts<'_>> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if claims.contains('.') {
        return None;
    }
    let object = |part| serde_json::from_slice(&crypto::from_b64url(part)?).ok();
    Some(Parts { signed, signature, header: object(header)?, claims: object(claims)? })
}

/// Checks everything but whether the `jti` was seen before.
///
/// # Errors
/// The one thing that is wrong, in words for the client's author.
pub(crate) fn check<'a>(
    parts: &Parts<'_>,
    clients: &'a Clients,
    token_endpoint: &str,
    now: DateTime<Utc>,
) -> Result<Proven<'a>, &'static str> {
    let text = |name| parts.claims.get(name).and_then(Value::as_str);
    let header = |name| parts.header.get(name).and_then(Value::as_str);

    if header("alg") != Some("RS512") {
        return Err("The client assertion must be signed with RS512.");
    }
    if parts.header.contains_key("crit") {
        return Err("The client assertion names a critical header that is not supported.");
    }
    if parts
        .header
        .get("typ")
        .is_some_and(|typ| typ.as_str().is_none_or(|typ| !typ.eq_ignore_ascii_case("JWT")))
    {
        return Err("The client assertion's typ must be JWT.");
    }
    let client = text("iss")
        .and_then(|iss| clients.get(iss))
        .ok_or("The client assertion's iss is not a registered client_id.")?;
    if text("sub") != Some(client.id.as_str()) {
        return Err("The client assertion's sub must equal its iss.");
    }
    let kid = header("kid").ok_or("The client assertion has no kid.")?;
    let key = client.keys.get(kid).ok_or("The client assertion's kid is not a key of this client.")?;
    let verified =
        jsonwebtoken::crypto::verify(parts.signature, parts.signed.as_bytes(), key, Algorithm::RS512);
    if !matches!(verified, Ok(true)) {
        return Err("The client assertion's signature does not verify.");
    }

    let for_us = match parts.claims.get("aud") {
        Some(Value::String(aud)) => aud == token_endpoint,
        Some(Value::Array(list)) => list.iter().any(|aud| aud.as_str() == Some(token_endpoint)),
        _ => false,
    };
    if !for_us {
        return Err("The client assertion's aud must contain the token endpoint.");
    }
    let seconds = |name| -> Result<Option<f64>, &'static str> {
        match parts.claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or("A time in the client assertion is not a number."),
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in a double")]
    let (now, lifetime, skew) = (now.timestamp() as f64, LONGEST_LIFETIME as f64, CLOCK_SKEW as f64);
    let exp = seconds("exp")?.ok_or("The client assertion has no exp.")?;
    if exp <= now {
        return Err("The client assertion has expired.");
    }
    if exp > now + lifetime {
        return Err("The client assertion's exp is more than five minutes ahead.");
    }
    if let Some(iat) = seconds("iat")?
        && (iat > now + skew || iat > exp || iat < now - lifetime - skew)
    {
        return Err("The client assertion's iat is not a time just past.");
    }
    if seconds("nbf")?.is_some_and(|nbf| nbf > now + skew) {
        return Err("The client assertion is not valid yet.");
    }
    let jti = text("jti").filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_NAME);
    let jti = jti.ok_or("The client assertion needs a jti of at most 256 characters.")?;
    Ok(Proven { client, jti: jti.to_owned() })
}
