//! The sign-in simulator: an OpenID provider with the real one's rules, made-up people and faults on request.
//!
//! It keeps the real provider's shape: RS512 in both directions, `private_key_jwt` only, registered vectors
//! of trust, codes good for ten minutes and one use, access tokens for five minutes, refresh tokens of which
//! only the latest is good, no id_token on refresh, status 400 for every token error, no logout, no
//! revocation, no introspection. What it adds is said on every page and in the discovery document
//! (`"simulator": true`).
//!
//! It answers loopback peers only, under a `Host` that names this machine, and keeps its bounded memory in the
//! process. Left out: `asserted_login_identity` (with `prompt=none` it answers `sso_login_required`), the FIDO
//! parameters, and userinfo `PATCH`.
//!
//! For a scripted sign-in: `GET authorize` answers a page whose form posts `request` (a hidden field) and
//! `person` (a button's value, the person's `sub`) to `choose`; that answers 303 to the client, or a second
//! page whose form adds `answer` = `complete` or `cancel`.

mod assertion;
mod authorize;
mod claims;
mod client;
mod expiring;
mod faults;
mod http;
mod pages;
mod params;
mod provider;
mod scope;
mod state;
#[cfg(test)]
mod tests;
mod token;
mod trust;

use std::sync::Arc;

use platform::keys::{KeyError, RsaKey};
use platform::{SharedClock, SharedRandom};
use url::Url;

pub use client::RegisteredClient;
pub use faults::{
    ChangedNumber, ConsentRefusal, Endpoint, Faults, FaultsChange, IdTokenKid, Report, TokenCall, VotClaim,
};

use crate::people::Persona;
use provider::Provider;

/// What the simulator is built from.
pub struct SimulatorConfig {
    /// Where it will be found, such as `http://127.0.0.1:8080/simulator`: the address the router is mounted
    /// at, known once the port is bound. A trailing slash is taken off.
    pub issuer: Url,
    /// The relying parties it knows.
    pub clients: Vec<RegisteredClient>,
    /// The people who can sign in.
    pub people: Vec<Persona>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Makes codes, tokens and identifiers.
    pub random: SharedRandom,
}

/// Why the simulator cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A client's registration is not in order.
    #[error("simulator client {id:?}: {what}")]
    Client {
        /// The client.
        id: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The issuer cannot be one.
    #[error("simulator issuer: {0}")]
    Issuer(&'static str),
    /// A change of faults that cannot be made.
    #[error("simulator fault: {0}")]
    Fault(&'static str),
    /// A signing key could not be made.
    #[error("simulator key: {0}")]
    Key(#[from] KeyError),
}

/// The sign-in simulator. Clones are the same simulator.
#[derive(Clone)]
pub struct Simulator {
    provider: Arc<Provider>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("issuer", &self.provider.issuer).finish_non_exhaustive()
    }
}

impl Simulator {
    /// A simulator with a fresh signing key. Making the key takes a good part of a second of computing.
    ///
    /// # Errors
    /// When the issuer or a client's registration is not in order, or no key could be made.
    pub fn new(config: SimulatorConfig) -> Result<Self, SimulatorError> {
        Self::with_key(config, RsaKey::generate()?)
    }

    /// A simulator that signs with `signing_key`.
    ///
    /// # Errors
    /// When the issuer or a client's registration is not in order.
    pub fn with_key(config: SimulatorConfig, signing_key: RsaKey) -> Result<Self, SimulatorError> {
        let SimulatorConfig { issuer, clients, people, clock, random } = config;
        if !matches!(issuer.scheme(), "http" | "https") || issuer.host_str().is_none() {
            return Err(SimulatorError::Issuer("must be an http address"));
        }
        if issuer.query().is_some() || issuer.fragment().is_some() {
            return Err(SimulatorError::Issuer("has neither query string nor fragment"));
        }
        let issuer = issuer.as_str().trim_end_matches('/').to_owned();
        let clients = client::read_all(clients)?;
        let provider = Arc::new(Provider::new(issuer, clients, people, clock, random, signing_key));
        Ok(Self { provider })
    }

    /// The issuer, as it stands in tokens: without trailing slash.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.provider.issuer
    }

    /// The provider's routes, to be nested where the issuer says. The server must hand on the peer's address
    /// (`ConnectInfo<SocketAddr>`): a request without one is refused, as is one from another machine.
    pub fn router(&self) -> axum::Router {
        http::router(self.provider.clone())
    }

    /// What is wrong at present and what was seen so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.provider.report()
    }

    /// Changes what is wrong. Blocks while a key is made, when one is asked for.
    ///
    /// # Errors
    /// When a value is out of bounds; nothing is changed then.
    pub fn change_faults(&self, change: FaultsChange) -> Result<Report, SimulatorError> {
        self.provider.change_faults(change)?;
        Ok(self.provider.report())
    }
}
