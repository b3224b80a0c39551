//! The relying parties the simulator knows.

use std::collections::HashMap;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet, KeyAlgorithm};
use url::Url;

use super::SimulatorError;
use super::scope::Scope;
use super::trust::Vector;

/// A relying party, registered before the simulator starts. There is no registration while it runs, as
/// there is none at the real provider.
#[derive(Debug, Clone)]
pub struct RegisteredClient {
    /// The name the client goes by.
    pub client_id: String,
    /// Where answers may be sent: one to ten absolute addresses, compared byte for byte, without query
    /// string or fragment.
    pub redirect_uris: Vec<String>,
    /// The JSON Web Key Set that verifies the client's assertions: RSA keys, each with a `kid`.
    pub public_jwks: serde_json::Value,
    /// The vectors of trust it may ask for, such as `P9.Cp.Cd`. A request without `vtr` asks for `P9.Cp.Cd`,
    /// `P9.Cp.Ck` and `P9.Cm`, so a client that sends none needs all three.
    pub vtr: Vec<String>,
    /// The scopes it may be given. `openid` is implied.
    pub scopes: Vec<String>,
}

/// A client whose registration has been read and found whole.
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) keys: HashMap<String, DecodingKey>,
    pub(crate) vectors: Vec<Vector>,
    pub(crate) scopes: Vec<Scope>,
}

pub(crate) type Clients = HashMap<String, Client>;

const MOST_REDIRECT_URIS: usize = 10;

pub(crate) fn read_all(registered: Vec<RegisteredClient>) -> Result<Clients, SimulatorError> {
    registered
        .into_iter()
        .map(|client| {
            let id = client.client_id.clone();
            read(client)
                .map(|client| (id.clone(), client))
                .map_err(|what| SimulatorError::Client { id, what })
        })
        .collect()
}

fn read(client: RegisteredClient) -> Result<Client, &'static str> {
    if client.client_id.is_empty() {
        return Err("the client has no id");
    }
    if client.redirect_uris.is_empty() || client.redirect_uris.len() > MOST_REDIRECT_URIS {
        return Err("a client has one to ten redirect addresses");
    }
    for uri in &client.redirect_uris {
        let parsed = Url::parse(uri).map_err(|_| "a redirect address is not absolute")?;
        let plain = parsed.query().is_none() && parsed.fragment().is_none() && !parsed.cannot_be_a_base();
        let printable = uri.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain || !printable {
            return Err("a redirect address has no query string, no fragment and plain characters only");
        }
    }
    let set: JwkSet =
        serde_json::from_value(client.public_jwks).map_err(|_| "the keys are not a JSON Web Key Set")?;
    let mut keys = HashMap::new();
    for jwk in set.keys {
        let kid = jwk.common.key_id.ok_or("a key has no kid")?;
        let AlgorithmParameters::RSA(rsa) = jwk.algorithm else {
            return Err("a key is not an RSA key");
        };
        if jwk.common.key_algorithm.is_some_and(|alg| alg != KeyAlgorithm::RS512) {
            return Err("a key is for another algorithm than RS512");
        }
        let key = DecodingKey::from_rsa_components(&rsa.n, &rsa.e).map_err(|_| "a key cannot be read")?;
        keys.insert(kid, key);
    }
    if keys.is_empty() {
        return Err("the client has no key");
    }
    let vectors = client.vtr.iter().map(|name| Vector::parse(name)).collect::<Option<Vec<_>>>();
    let vectors = vectors.ok_or("a vector of trust is not one of the registered profiles")?;
    if vectors.is_empty() {
        return Err("the client has no vector of trust");
    }
    let scopes = client.scopes.iter().map(|name| Scope::parse(name)).collect::<Option<Vec<_>>>();
    let mut scopes = scopes.ok_or("a scope is not one the provider has")?;
    if !scopes.contains(&Scope::OpenId) {
        scopes.push(Scope::OpenId);
    }
    Ok(Client { id: client.client_id, redirect_uris: client.redirect_uris, keys, vectors, scopes })
}
