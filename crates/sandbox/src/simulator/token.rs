//! The token and userinfo endpoints.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, Header};
use platform::crypto;
use platform::keys::RsaKey;
use serde::Serialize;
use serde_json::{Value, json};

use super::assertion;
use super::claims::{self, Issue};
use super::faults::{Faults, IdTokenKid, TokenCall};
use super::params::Params;
use super::provider::Provider;
use super::scope::{self, Scope};
use super::state::{ACCESS_TOKEN_SECONDS, Authorization, Grant};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Tokens, as the endpoint answers them.
#[derive(Debug, Serialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: i64,
    pub(crate) scope: String,
    pub(crate) refresh_token: String,
    /// Absent on refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<String>,
}

/// A refusal of the token endpoint. Always sent with status 400, whatever the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct TokenError {
    pub(crate) error: &'static str,
    pub(crate) error_description: &'static str,
}

const fn refused(error: &'static str, error_description: &'static str) -> TokenError {
    TokenError { error, error_description }
}

const REPEATED: TokenError = refused("invalid_request", "A parameter is repeated.");
const NOT_GOOD: TokenError = refused("invalid_grant", "The code is unknown, used or expired.");
const NO_REFRESH: TokenError =
    refused("invalid_grant", "The refresh token is unknown, expired or no longer the latest.");
const NO_SIGNATURE: TokenError = refused("server_error", "The tokens could not be signed.");

impl Provider {
    /// Answers a token request and writes down what it was. With `failed` the call is only written down.
    pub(crate) fn token(&self, params: &Params, failed: bool) -> Result<Tokens, TokenError> {
        let sent = params.first("client_assertion");
        let parts = sent.and_then(assertion::split);
        let mut call = TokenCall::new(params.first("grant_type"), parts.as_ref());
        let answer = if failed {
            Err(refused("fault", "failed on request"))
        } else {
            self.answer(params, sent.is_some(), parts.as_ref())
        };
        if let Err(error) = &answer {
            call.outcome = error.error;
        }
        self.state().observed.keep(call);
        answer
    }

    fn answer(
        &self,
        params: &Params,
        assertion_sent: bool,
        parts: Option<&assertion::Parts<'_>>,
    ) -> Result<Tokens, TokenError> {
        let get = |name| params.get(name).map_err(|_| REPEATED);
        let unknown = |what| refused("invalid_client", what);
        get("client_assertion")?;
        if !assertion_sent {
            return Err(unknown("client_assertion is missing: the client must use private_key_jwt."));
        }
        if get("client_assertion_type")? != Some(ASSERTION_TYPE) {
            return Err(unknown("client_assertion_type must be the JWT bearer type."));
        }
        let parts = parts.ok_or(unknown("The client assertion is not a signed JWT."))?;
        let now = self.now();
        let proven = assertion::check(parts, &self.clients, &self.token_endpoint(), now).map_err(unknown)?;
        let client = proven.client;
        if get("client_id")?.is_some_and(|id| id != client.id) {
            return Err(unknown("client_id is not the client that signed the assertion."));
        }
        {
            let mut state = self.state();
            let key = format!("{} {}", client.id, proven.jti);
            if state.jtis.get(&key, now).is_some() {
                return Err(unknown("The client assertion's jti was used before."));
            }
            state.jtis.insert(key, (), now);
        }
        match get("grant_type")? {
            Some("authorization_code") => {
                let code = get("code")?.ok_or(refused("invalid_request", "code is missing."))?;
                self.exchange(&client.id, code, get("redirect_uri")?, get("code_verifier")?)
            }
            Some("refresh_token") => {
                let token =
                    get("refresh_token")?.ok_or(refused("invalid_request", "refresh_token is missing."))?;
                self.refresh(&client.id, token, get("scope")?)
            }
            Some(_) => Err(refused(
                "unsupported_grant_type",
                "grant_type must be authorization_code or refresh_token.",
            )),
            None => Err(refused("invalid_request", "grant_type is missing.")),
        }
    }

    /// A code becomes tokens, once. A code that comes a second time takes back what the first use issued.
    fn exchange(
        &self,
        client_id: &str,
        code: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
    ) -> Result<Tokens, TokenError> {
        let now = self.now();
        let (allowed, key, faults) = {
            let mut state = self.state();
            let held = state.codes.get_mut(code, now).ok_or(NOT_GOOD)?;
            if held.authorization.client_id != client_id {
                return Err(refused("invalid_grant", "The code was issued to another client."));
            }
            if held.used {
                held.replayed = true;
                if let Some(grant) = held.grant.take() {
                    state.grants.remove(&grant, now);
                }
                return Err(NOT_GOOD);
            }
            held.used = true;
            if redirect_uri != Some(held.redirect_uri.as_str()) {
                return Err(refused("invalid_grant", "redirect_uri is not the one the code was sent to."));
            }
            match (&held.challenge, verifier) {
                (Some(challenge), Some(verifier)) if pkce_matches(challenge, verifier) => {}
                (None, None) => {}
                (None, Some(_)) => {
                    return Err(refused("invalid_grant", "code_verifier without a code_challenge."));
                }
                (Some(_), _) => {
                    return Err(refused("invalid_grant", "code_verifier does not match the code_challenge."));
                }
            }
            let allowed = held.authorization.clone();
            let faults = state.faults.clone();
            (allowed, state.signing_key.clone(), faults)
        };

        // Signing is the slow part and is done with the lock open.
        let id_token = self.sign_id_token(&key, &allowed, &faults)?;
        let access_token = self.sign_access_token(&key, &allowed, &faults)?;
        let grant_id = self.random.uuid().to_string();
        let refresh_token = self.random.token();
        let scope = scope::join(&allowed.scopes);

        let mut state = self.state();
        if let Some(held) = state.codes.get_mut(code, now) {
            // The second use came while the first was being signed: neither gets anything.
            if held.replayed {
                return Err(NOT_GOOD);
            }
            held.grant = Some(grant_id.clone());
        }
        state.access_tokens.insert(access_token.clone(), grant_id.clone(), now);
        state.refresh_tokens.insert(refresh_token.clone(), grant_id.clone(), now);
        state.grants.insert(grant_id, Grant { authorization: allowed, refresh: refresh_token.clone() }, now);
        Ok(Tokens {
            access_token,
            token_type: "Bearer",
            expires_in: ACCESS_TOKEN_SECONDS,
            scope,
            refresh_token,
            id_token: Some(id_token),
        })
    }

    /// The latest refresh token becomes a new one and a new access token; there is no id_token.
    fn refresh(&self, client_id: &str, token: &str, scopes: Option<&str>) -> Result<Tokens, TokenError> {
        let now = self.now();
        let next = self.random.token();
        let (allowed, key, faults, grant_id) = {
            let mut state = self.state();
            let grant_id = state.refresh_tokens.get(token, now).ok_or(NO_REFRESH)?.clone();
            let grant = state.grants.get_mut(&grant_id, now).ok_or(NO_REFRESH)?;
            if grant.refresh != token {
                return Err(NO_REFRESH);
            }
            let allowed = grant.authorization.clone();
            if allowed.client_id != client_id {
                return Err(refused("invalid_grant", "The refresh token was issued to another client."));
            }
            let widened = scopes.is_some_and(|asked| {
                asked.split(' ').any(|name| Scope::parse(name).is_none_or(|s| !allowed.scopes.contains(&s)))
            });
            if widened {
                return Err(refused("invalid_scope", "A scope was not granted at sign-in."));
            }
            grant.refresh.clone_from(&next);
            state.refresh_tokens.insert(next.clone(), grant_id.clone(), now);
            let faults = state.faults.clone();
            (allowed, state.signing_key.clone(), faults, grant_id)
        };
        let access_token = self.sign_access_token(&key, &allowed, &faults)?;
        self.state().access_tokens.insert(access_token.clone(), grant_id, now);
        Ok(Tokens {
            access_token,
            token_type: "Bearer",
            expires_in: ACCESS_TOKEN_SECONDS,
            scope: scope::join(&allowed.scopes),
            refresh_token: next,
            id_token: None,
        })
    }

    /// The claims a bearer may read; nothing when the token is unknown, expired or taken back.
    pub(crate) fn userinfo(&self, bearer: &str) -> Option<Value> {
        let now = self.now();
        let state = self.state();
        let grant = state.access_tokens.get(bearer, now)?;
        let allowed = state.grants.get(grant, now)?.authorization.clone();
        let swapped = state.faults.userinfo_sub_swap;
        drop(state);
        let person = self.people.get(allowed.person)?;
        let sub = if swapped {
            self.people.iter().map(|other| other.sub.as_str()).find(|sub| *sub != person.sub)
        } else {
            None
        };
        Some(claims::userinfo(&self.issuer, &allowed, person, sub.unwrap_or(&person.sub)))
    }

    fn sign_id_token(
        &self,
        key: &Arc<RsaKey>,
        allowed: &Authorization,
        faults: &Faults,
    ) -> Result<String, TokenError> {
        let person = self.people.get(allowed.person).ok_or(NO_SIGNATURE)?;
        let claims = claims::id_token(&self.issue(), allowed, person, faults);
        let kid = (faults.id_token_kid == IdTokenKid::Present).then(|| key.kid().to_owned());
        sign(key, kid, &claims)
    }

    fn sign_access_token(
        &self,
        key: &Arc<RsaKey>,
        allowed: &Authorization,
        faults: &Faults,
    ) -> Result<String, TokenError> {
        let person = self.people.get(allowed.person).ok_or(NO_SIGNATURE)?;
        let claims = claims::access_token(&self.issue(), allowed, person, faults);
        sign(key, Some(key.kid().to_owned()), &claims)
    }

    fn issue(&self) -> Issue<'_> {
        Issue { issuer: &self.issuer, jti: self.random.uuid().to_string(), now: self.now() }
    }
}

/// RS512 under a header with `alg`, at most a `kid`, and no `typ`: as the real tokens are.
fn sign(key: &RsaKey, kid: Option<String>, claims: &Value) -> Result<String, TokenError> {
    let header = Header { typ: None, kid, ..Header::new(Algorithm::RS512) };
    key.sign_with(&header, claims).map_err(|_| NO_SIGNATURE)
}

/// RFC 7636 section 4.6, method S256.
fn pkce_matches(challenge: &str, verifier: &str) -> bool {
    let well_formed = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let hash = crypto::b64url(&crypto::sha256(verifier.as_bytes()));
    well_formed && crypto::constant_time_eq(hash.as_bytes(), challenge.as_bytes())
}

/// The body of a 401 from userinfo.
pub(crate) fn invalid_token() -> Value {
    json!({ "error": "invalid_token", "error_description": "The access token is missing, unknown or expired." })
}
