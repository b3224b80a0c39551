//! The authorisation request: what must be in it, and how each defect is answered.
//!
//! Two kinds of refusal are kept apart. As long as it is not certain that the address to answer to belongs
//! to the client, the defect is shown on a page and nothing is redirected (RFC 6749 section 4.1.2.1); after
//! that every defect goes back to the client, with its state.

use super::client::{Client, Clients};
use super::params::{Params, Repeated, with_query};
use super::scope::Scope;
use super::trust::{self, Vector};

/// An authorisation request found in order.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizeRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) vectors: Vec<Vector>,
    /// The PKCE challenge (method S256), when one was sent.
    pub(crate) challenge: Option<String>,
}

/// Why an authorisation request goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Shown to the person; never redirected.
    Page(&'static str),
    /// Sent to the client at this address.
    Redirect(String),
}

/// The longest value taken for any one parameter, in bytes.
const LONGEST_VALUE: usize = 4_096;

/// Reads the request and refuses it, or finds it in order.
pub(crate) fn read(clients: &Clients, params: &Params) -> Result<AuthorizeRequest, Refusal> {
    let client = match params.get("client_id") {
        Ok(Some(id)) => {
            clients.get(id).ok_or(Refusal::Page("No client is registered under that client_id."))?
        }
        Ok(None) => return Err(Refusal::Page("The request has no client_id.")),
        Err(Repeated) => return Err(Refusal::Page("The request has more than one client_id.")),
    };
    let redirect_uri = match params.get("redirect_uri") {
        Ok(Some(uri)) => client
            .redirect_uris
            .iter()
            .find(|registered| registered.as_str() == uri)
            .ok_or(Refusal::Page("The redirect_uri is not one the client has registered."))?,
        Ok(None) => return Err(Refusal::Page("The request has no redirect_uri.")),
        Err(Repeated) => return Err(Refusal::Page("The request has more than one redirect_uri.")),
    };
    // A state that came twice belongs to nobody: none is returned.
    let state = params.get("state").ok().flatten();
    read_rest(client, redirect_uri, params).map_err(|(error, description)| {
        Refusal::Redirect(refusal_address(redirect_uri, error, description, state))
    })
}

/// The address that carries an error back to the client.
pub(crate) fn refusal_address(
    redirect_uri: &str,
    error: &str,
    description: &str,
    state: Option<&str>,
) -> String {
    let mut pairs = Vec::with_capacity(3);
    if !error.is_empty() {
        pairs.push(("error", error));
    }
    pairs.push(("error_description", description));
    if let Some(state) = state {
        pairs.push(("state", state));
    }
    with_query(redirect_uri, &pairs)
}

type Defect = (&'static str, &'static str);

fn read_rest(client: &Client, redirect_uri: &str, params: &Params) -> Result<AuthorizeRequest, Defect> {
    const REPEATED: Defect = ("invalid_request", "A parameter is repeated.");
    const LONG: Defect = ("invalid_request", "A parameter is too long.");
    let get = |name| match params.get(name) {
        Ok(Some(value)) if value.len() > LONGEST_VALUE => Err(LONG),
        Ok(value) => Ok(value),
        Err(Repeated) => Err(REPEATED),
    };

    let state = get("state")?.ok_or(("invalid_request", "state is missing."))?;
    if get("request")?.is_some() {
        return Err(("request_not_supported", "Request objects are not supported."));
    }
    if get("request_uri")?.is_some() {
        return Err(("request_uri_not_supported", "Request objects are not supported."));
    }
    match get("response_type")? {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "response_type must be code.")),
        None => return Err(("invalid_request", "response_type is missing.")),
    }
    if get("response_mode")?.is_some_and(|mode| mode != "query") {
        return Err(("invalid_request", "response_mode must be query."));
    }
    let nonce = get("nonce")?.ok_or(("invalid_request", "nonce is missing."))?;
    let scopes = read_scopes(client, get("scope")?)?;
    let vectors = read_vectors(client, get("vtr")?)?;
    let challenge = read_challenge(get("code_challenge")?, get("code_challenge_method")?)?;
    match get("prompt")? {
        None | Some("login") => {}
        Some("none") if get("asserted_login_identity")?.is_some() => {
            return Err(("sso_login_required", "The asserted identity cannot be used; sign in is needed."));
        }
        Some("none") => return Err(("login_required", "Nobody is signed in.")),
        Some(_) => return Err(("invalid_request", "prompt must be none or login.")),
    }
    Ok(AuthorizeRequest {
        client_id: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        state: state.to_owned(),
        nonce: nonce.to_owned(),
        scopes,
        vectors,
        challenge,
    })
}

/// A scope the provider does not have, or the client is not registered for, is left out, not refused.
fn read_scopes(client: &Client, asked: Option<&str>) -> Result<Vec<Scope>, Defect> {
    let asked = asked.ok_or(("invalid_request", "scope is missing."))?;
    let mut scopes: Vec<Scope> =
        asked.split(' ').filter_map(Scope::parse).filter(|scope| client.scopes.contains(scope)).collect();
    scopes.sort_unstable();
    scopes.dedup();
    if !scopes.contains(&Scope::OpenId) {
        return Err(("invalid_scope", "scope must include openid."));
    }
    if scopes.contains(&Scope::Profile) && scopes.contains(&Scope::BasicDemographics) {
        return Err(("invalid_scope", "profile and basic_demographics exclude each other."));
    }
    Ok(scopes)
}

fn read_vectors(client: &Client, asked: Option<&str>) -> Result<Vec<Vector>, Defect> {
    let vectors = match asked {
        None => trust::DEFAULT_VECTORS.to_vec(),
        Some(text) => trust::parse_vtr(text)
            .ok_or(("invalid_request", "vtr must be a JSON array of registered vectors of trust."))?,
    };
    if vectors.iter().all(|vector| client.vectors.contains(vector)) {
        Ok(vectors)
    } else {
        Err(("invalid_request", "vtr holds a vector the client is not registered for."))
    }
}

fn read_challenge(challenge: Option<&str>, method: Option<&str>) -> Result<Option<String>, Defect> {
    match (challenge, method) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(("invalid_request", "code_challenge is missing.")),
        // RFC 7636: no method means plain, which is refused.
        (Some(_), method) if method != Some("S256") => {
            Err(("invalid_request", "code_challenge_method must be S256."))
        }
        (Some(challenge), _) => match platform::crypto::from_b64url(challenge) {
            Some(hash) if hash.len() == 32 => Ok(Some(challenge.to_owned())),
            _ => Err(("invalid_request", "code_challenge is not a SHA-256 hash in base64url.")),
        },
    }
}
