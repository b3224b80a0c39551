//! Which claims a token carries: by scope, by level, and absent rather than null.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::faults::{Faults, VotClaim};
use super::scope::{self, Scope};
use super::state::{ACCESS_TOKEN_SECONDS, Authorization, ID_TOKEN_MINUTES};
use crate::people::{Persona, Proofing};

/// Who issues, and which of its tokens.
pub(crate) struct Issue<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) jti: String,
    pub(crate) now: DateTime<Utc>,
}

/// The id_token's claims.
pub(crate) fn id_token(
    issue: &Issue<'_>,
    allowed: &Authorization,
    person: &Persona,
    faults: &Faults,
) -> Value {
    let mut claims = Map::new();
    let now = issue.now.timestamp();
    let nonce = if faults.wrong_nonce { format!("not-{}", allowed.nonce) } else { allowed.nonce.clone() };
    put(&mut claims, "iss", issue.issuer);
    put(&mut claims, "sub", &person.sub);
    put(&mut claims, "aud", &allowed.client_id);
    claims.insert("exp".into(), json!(now + ID_TOKEN_MINUTES * 60));
    claims.insert("iat".into(), json!(now));
    claims.insert("auth_time".into(), json!(allowed.auth_time.timestamp()));
    put(&mut claims, "jti", &issue.jti);
    put(&mut claims, "nonce", &nonce);
    put(&mut claims, "token_use", "id");
    put_trust(&mut claims, issue.issuer, allowed, faults);
    put_demographics(&mut claims, allowed, person);
    if claims.contains_key("family_name") {
        // The real provider repeats the family name under this name, undocumented; relying parties must
        // tolerate it.
        put(&mut claims, "surname", &person.family_name);
    }
    Value::Object(claims)
}

/// The access token's claims: what the provider itself needs, and nothing that names the person.
pub(crate) fn access_token(
    issue: &Issue<'_>,
    allowed: &Authorization,
    person: &Persona,
    faults: &Faults,
) -> Value {
    let mut claims = Map::new();
    let now = issue.now.timestamp();
    put(&mut claims, "iss", issue.issuer);
    put(&mut claims, "sub", &person.sub);
    put(&mut claims, "aud", &allowed.client_id);
    put(&mut claims, "client_id", &allowed.client_id);
    claims.insert("exp".into(), json!(now + ACCESS_TOKEN_SECONDS));
    claims.insert("iat".into(), json!(now));
    claims.insert("auth_time".into(), json!(allowed.auth_time.timestamp()));
    put(&mut claims, "jti", &issue.jti);
    put(&mut claims, "token_use", "access");
    put(&mut claims, "scope", &scope::join(&allowed.scopes));
    put_trust(&mut claims, issue.issuer, allowed, faults);
    Value::Object(claims)
}

/// The userinfo answer. `sub` is given apart because a fault may swap it.
pub(crate) fn userinfo(issuer: &str, allowed: &Authorization, person: &Persona, sub: &str) -> Value {
    let mut claims = Map::new();
    let has = |scope| allowed.scopes.contains(&scope);
    let matched = allowed.vector.proofing() >= Proofing::P5;
    put(&mut claims, "iss", issuer);
    put(&mut claims, "sub", sub);
    put(&mut claims, "aud", &allowed.client_id);
    put_demographics(&mut claims, allowed, person);
    if matched && has(Scope::ProfileExtended) {
        put(&mut claims, "given_name", &person.given_name);
    }
    if matched && has(Scope::GpRegistrationDetails) {
        claims.insert("gp_registration_details".into(), json!({ "gp_ods_code": person.gp_practice }));
    }
    if has(Scope::Email) {
        put(&mut claims, "email", &person.email);
        claims.insert("email_verified".into(), json!(true));
    }
    if has(Scope::Phone) {
        put(&mut claims, "phone_number", &person.phone);
        claims.insert("phone_number_verified".into(), json!(true));
        claims.insert("phone_number_pds_matched".into(), json!(matched));
    }
    Value::Object(claims)
}

fn put_trust(claims: &mut Map<String, Value>, issuer: &str, allowed: &Authorization, faults: &Faults) {
    match &faults.vot {
        VotClaim::AsIs => put(claims, "vot", allowed.vector.as_str()),
        VotClaim::Literal(text) => put(claims, "vot", text),
        VotClaim::Missing => {}
    }
    put(claims, "vtm", &format!("{issuer}/trustmark"));
}

fn put_demographics(claims: &mut Map<String, Value>, allowed: &Authorization, person: &Persona) {
    let profile = allowed.scopes.contains(&Scope::Profile);
    let basic = allowed.scopes.contains(&Scope::BasicDemographics);
    if allowed.vector.proofing() < Proofing::P5 || !(profile || basic) {
        return;
    }
    put(claims, "family_name", &person.family_name);
    put(claims, "birthdate", &person.birth_date.to_string());
    put(claims, "identity_proofing_level", allowed.level.as_str());
    if profile {
        put(claims, "nhs_number", allowed.nhs_number.expose());
    }
}

fn put(claims: &mut Map<String, Value>, name: &str, value: &str) {
    claims.insert(name.into(), Value::String(value.into()));
}
