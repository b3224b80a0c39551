//! The OpenID provider: where it is, what its keys are, and what it says about who came back.
//!
//! Discovery happens at the first sign-in and is renewed hourly; when renewing fails, the last good document
//! and keys stay in force. A token signed by a key we do not know makes us fetch the keys again, once a
//! minute at most, however many such tokens come. People already signed in never wait for any of this.

mod faults;
mod types;
mod verify;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Duration, Utc};
use openidconnect::core::{CoreErrorResponseType, CoreJsonWebKey, CoreTokenType};
use openidconnect::{
    AccessToken, AuthType, AuthenticationFlow, AuthorizationCode, ClientId, CsrfToken, EndpointNotSet,
    IssuerUrl, JsonWebKeySet, JsonWebKeySetUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse, TokenUrl, UserInfoUrl,
};
use platform::keys::RsaKey;
use platform::outgoing::Outgoing;
use platform::settings::{IdentitySettings, Profile};
use platform::{ErrorKind, SharedClock, SharedRandom};
use serde_json::{Value, json};
use url::Url;

use self::faults::{Http, Step, refused};
use self::types::{Metadata, ProviderClaims, RelyingParty, Token, TokenAnswer, TokenClaims, UserInfo};
use self::verify::{Expected, MOST_KEYS, Refusal, unreadable, verify};
use crate::attempt::Attempt;
use crate::claims::Told;
use crate::error::{IdentityError, SignInError};

/// Discovery and keys older than this are renewed.
const RENEWED: Duration = Duration::hours(1);
/// Between two attempts to renew, or to find an unknown key.
const COOL_DOWN: Duration = Duration::seconds(60);
/// How long one of our assertions is good for.
const ASSERTION: Duration = Duration::seconds(60);
/// RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What the provider said, checked for being said by it, to us, now, about this sign-in.
pub(crate) struct Answer {
    /// The person, to the provider.
    pub subject: String,
    /// The id of the id token.
    pub jti: Option<String>,
    /// When the person proved it, not after now.
    pub authenticated_at: DateTime<Utc>,
    /// The vector of trust, as it came.
    pub vot: Option<Value>,
    /// What the id token tells about the person.
    pub by_token: Told,
    /// What the userinfo endpoint tells.
    pub by_userinfo: Told,
}

/// Discovery and keys as last fetched.
#[derive(Clone)]
struct Known {
    party: Arc<RelyingParty>,
    token_endpoint: String,
    jwks_uri: JsonWebKeySetUrl,
    keys: Arc<Vec<CoreJsonWebKey>>,
    fetched_at: DateTime<Utc>,
}

/// Under the lock of whoever fetches.
#[derive(Default)]
struct Fetches {
    /// How many fetches of discovery have ended.
    ended: u64,
    /// When the last of them failed, and how.
    failed: Option<(DateTime<Utc>, ErrorKind, &'static str)>,
    /// When an unknown key last made us fetch the keys.
    keys_at: Option<DateTime<Utc>>,
}

/// One provider and our client there.
pub(crate) struct Provider {
    pub name: String,
    issuer: IssuerUrl,
    client_id: ClientId,
    client_key: Arc<RsaKey>,
    redirect: RedirectUrl,
    scopes: Vec<Scope>,
    profile: Profile,
    clock: SharedClock,
    random: SharedRandom,
    http: Outgoing,
    known: RwLock<Option<Arc<Known>>>,
    fetches: tokio::sync::Mutex<Fetches>,
    /// The same as `ended` of the fetches, to be read without waiting for one.
    ended: AtomicU64,
}

/// What a [`Provider`] is made from.
pub(crate) struct ProviderDeps<'a> {
    pub settings: &'a IdentitySettings,
    pub profile: Profile,
    pub issuer: String,
    pub redirect_base: &'a Url,
    pub client_key: Arc<RsaKey>,
    pub clock: SharedClock,
    pub random: SharedRandom,
    pub http: Outgoing,
}

/// May a deployment of this profile use a provider with this discovery document?
///
/// # Errors
/// `simulator_issuer` when the document says that it is a simulator and the deployment is for real people.
pub fn check_discovery_marker(profile: Profile, document: &Value) -> Result<(), &'static str> {
    marker(profile, document.get("simulator"))
}

fn marker(profile: Profile, simulator: Option<&Value>) -> Result<(), &'static str> {
    let marked = simulator.is_some_and(|it| !matches!(it, Value::Null | Value::Bool(false)));
    if profile == Profile::Production && marked { Err("simulator_issuer") } else { Ok(()) }
}

impl Provider {
    pub fn new(deps: ProviderDeps<'_>) -> Result<Self, IdentityError> {
        let wrong = |what: &str| IdentityError::Settings(what.to_owned());
        let name = deps.settings.provider.clone();
        if name.is_empty()
            || !name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
        {
            return Err(wrong("identity.provider must be lower-case letters, digits and hyphens"));
        }
        if deps.profile == Profile::Production && !deps.issuer.starts_with("https://") {
            return Err(wrong("identity.issuer: http_issuer"));
        }
        let redirect = deps
            .redirect_base
            .join(&format!("/auth/callback/{name}"))
            .map_err(|_| wrong("http.public_url is not an address to come back to"))?;
        Ok(Self {
            name,
            issuer: IssuerUrl::new(deps.issuer).map_err(|_| wrong("identity.issuer is not a URL"))?,
            client_id: ClientId::new(deps.settings.client_id.clone()),
            client_key: deps.client_key,
            redirect: RedirectUrl::from_url(redirect),
            // The library adds `openid` itself.
            scopes: deps
                .settings
                .scopes
                .iter()
                .filter(|it| *it != "openid")
                .cloned()
                .map(Scope::new)
                .collect(),
            profile: deps.profile,
            clock: deps.clock,
            random: deps.random,
            http: deps.http,
            known: RwLock::new(None),
            fetches: tokio::sync::Mutex::new(Fetches::default()),
            ended: AtomicU64::new(0),
        })
    }

    /// The issuer, byte for byte.
    pub fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// Where to send the browser.
    pub async fn authorize_url(&self, attempt: &Attempt, state: &str) -> Result<Url, SignInError> {
        let known = self.known().await?;
        let vtr = json!(attempt.vtr).to_string();
        let verifier = PkceCodeVerifier::new(attempt.pkce_verifier.clone());
        let (state, nonce) = (state.to_owned(), attempt.nonce.clone());
        let (url, _, _) = known
            .party
            .authorize_url(
                AuthenticationFlow::<openidconnect::core::CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scopes(self.scopes.iter().cloned())
            .add_extra_param("vtr", vtr)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Exchanges the code, checks the id token, asks userinfo. The tokens live no longer than this call.
    pub async fn answer(&self, attempt: &Attempt, code: &str) -> Result<Answer, SignInError> {
        let known = self.known().await?;
        let tokens = self.exchange(&known, attempt, code).await?;
        // RFC 6749, 7.1: a token of a type we do not know must not be used.
        if *tokens.token_type() != CoreTokenType::Bearer {
            return Err(refused("token_type"));
        }
        let token = tokens.id_token().ok_or_else(|| refused("id_token_missing"))?;
        let nonce = Nonce::new(attempt.nonce.clone());
        let claims = self.verified(&known, token, &nonce).await?;
        let userinfo = self.userinfo(&known, tokens.access_token(), claims).await?;
        let told = claims.additional_claims();
        let now = self.clock.now();
        Ok(Answer {
            subject: claims.subject().as_str().to_owned(),
            jti: told.jti.as_ref().and_then(|jti| jti.as_str().map(str::to_owned)),
            authenticated_at: claims.auth_time().unwrap_or_else(|| claims.issue_time()).min(now),
            vot: told.vot.clone(),
            by_token: Told {
                given_name: claims.given_name().and_then(|it| it.get(None)).map(|it| it.as_str().to_owned()),
                family_name: claims
                    .family_name()
                    .and_then(|it| it.get(None))
                    .map(|it| it.as_str().to_owned()),
                birthdate: claims.birthdate().map(|it| it.as_str().to_owned()),
                ..extras(told)
            },
            by_userinfo: Told {
                given_name: userinfo
                    .given_name()
                    .and_then(|it| it.get(None))
                    .map(|it| it.as_str().to_owned()),
                family_name: userinfo
                    .family_name()
                    .and_then(|it| it.get(None))
                    .map(|it| it.as_str().to_owned()),
                birthdate: userinfo.birthdate().map(|it| it.as_str().to_owned()),
                ..extras(userinfo.additional_claims())
            },
        })
    }

    async fn exchange(
        &self,
        known: &Known,
        attempt: &Attempt,
        code: &str,
    ) -> Result<TokenAnswer, SignInError> {
        let http = Http::at(Step::Token, &self.http);
        let answer = known
            .party
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.pkce_verifier.clone()))
            .add_extra_param("client_assertion_type", ASSERTION_TYPE)
            .add_extra_param("client_assertion", self.assertion(&known.token_endpoint)?)
            .request_async(&http)
            .await;
        answer.map_err(|error| match error {
            RequestTokenError::Request(fault) => fault.at(Step::Token),
            RequestTokenError::ServerResponse(refusal) => match refusal.error() {
                // The code was used before, belongs to another attempt, or came too late.
                CoreErrorResponseType::InvalidGrant => {
                    SignInError::new(ErrorKind::SignInAttemptInvalid, "code_refused")
                }
                CoreErrorResponseType::InvalidClient | CoreErrorResponseType::UnauthorizedClient => {
                    SignInError::new(ErrorKind::ProviderUnavailable, "client_refused")
                }
                _ => SignInError::new(ErrorKind::ProviderUnavailable, "token_refused"),
            },
            RequestTokenError::Parse(_, body) => refused(unreadable(&body)),
            RequestTokenError::Other(_) => Step::Token.malformed(),
        })
    }

    /// Says that it is us (RFC 7523, `private_key_jwt`). Every call makes a new one: a provider takes each once.
    fn assertion(&self, audience: &str) -> Result<String, SignInError> {
        let now = self.clock.now();
        self.client_key
            .sign(
                Some("JWT"),
                &json!({
                    "iss": self.client_id.as_str(),
                    "sub": self.client_id.as_str(),
                    "aud": audience,
                    "jti": self.random.token(),
                    "iat": now.timestamp(),
                    "exp": (now + ASSERTION).timestamp(),
                }),
            )
            .map_err(|error| IdentityError::Keys(error).into())
    }

    async fn verified<'t>(
        &self,
        known: &Known,
        token: &'t Token,
        nonce: &Nonce,
    ) -> Result<&'t TokenClaims, SignInError> {
        let expected =
            Expected { issuer: &self.issuer, client_id: &self.client_id, nonce, now: self.clock.now() };
        let failed = |refusal: Refusal| refused(refusal.reason());
        match verify(token, &known.keys, &expected) {
            Err(Refusal::KeyUnknown | Refusal::NoKeyVerifies) => {}
            other => return other.map_err(failed),
        }
        let keys = self.other_keys(&known.keys).await?;
        verify(token, &keys, &expected).map_err(failed)
    }

    async fn userinfo(
        &self,
        known: &Known,
        token: &AccessToken,
        claims: &TokenClaims,
    ) -> Result<UserInfo, SignInError> {
        // The library would stop the process over a token that does not fit into a header.
        if !token.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused("access_token_malformed"));
        }
        let http = Http::at(Step::UserInfo, &self.http);
        known
            .party
            .user_info(token.clone(), Some(claims.subject().clone()))
            .request_async(&http)
            .await
            .map_err(|error| Step::UserInfo.userinfo_error(error))
    }

    fn held(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        known
    }

    /// Discovery and keys, fetched if there are none yet or they are old. Those who wait for the same fetch
    /// share what it brings.
    async fn known(&self) -> Result<Arc<Known>, SignInError> {
        let fresh = |known: &Known, now: DateTime<Utc>| now - known.fetched_at < RENEWED;
        let asked_at = self.clock.now();
        if let Some(known) = self.held().filter(|known| fresh(known, asked_at)) {
            return Ok(known);
        }
        let ended = self.ended.load(Ordering::Acquire);
        let mut fetches = self.fetches.lock().await;
        let held = self.held();
        let failed = fetches.failed;
        match (&held, failed) {
            (Some(known), _) if fresh(known, asked_at) => return Ok(known.clone()),
            (Some(known), Some((at, _, _))) if asked_at - at < COOL_DOWN => return Ok(known.clone()),
            (None, Some((_, kind, reason))) if fetches.ended != ended => {
                return Err(SignInError::new(kind, reason));
            }
            _ => {}
        }
        let found = self.discover().await;
        fetches.ended += 1;
        self.ended.store(fetches.ended, Ordering::Release);
        match (found, held) {
            (Ok(known), _) => {
                fetches.failed = None;
                Ok(self.hold(known))
            }
            (Err(error), held) => {
                fetches.failed = Some((self.clock.now(), error.kind, error.reason));
                tracing::warn!(reason = error.reason, "the provider's discovery could not be fetched");
                held.ok_or(error)
            }
        }
    }

    async fn discover(&self) -> Result<Known, SignInError> {
        let http = Http::at(Step::Discovery, &self.http);
        let metadata = Metadata::discover_async(self.issuer.clone(), &http)
            .await
            .map_err(|error| Step::Discovery.discovery_error(error))?;
        marker(self.profile, metadata.additional_metadata().simulator.as_ref()).map_err(refused)?;
        let token = metadata.token_endpoint().cloned().ok_or_else(|| Step::Discovery.malformed())?;
        let userinfo = metadata.userinfo_endpoint().cloned().ok_or_else(|| Step::Discovery.malformed())?;
        let endpoints =
            [metadata.authorization_endpoint().url(), token.url(), userinfo.url(), metadata.jwks_uri().url()];
        let allowed = |url: &&Url| {
            url.scheme() == "https" || (url.scheme() == "http" && self.profile != Profile::Production)
        };
        if !endpoints.iter().all(allowed) {
            return Err(refused("discovery_endpoint"));
        }
        Ok(Known {
            party: Arc::new(self.party(&metadata, token.clone(), userinfo)),
            token_endpoint: token.as_str().to_owned(),
            jwks_uri: metadata.jwks_uri().clone(),
            keys: Arc::new(bounded(metadata.jwks())),
            fetched_at: self.clock.now(),
        })
    }

    fn party(&self, metadata: &Metadata, token: TokenUrl, userinfo: UserInfoUrl) -> RelyingParty {
        // Not from the metadata as a whole: that would let the document choose the algorithms.
        RelyingParty::<EndpointNotSet>::new(
            self.client_id.clone(),
            self.issuer.clone(),
            JsonWebKeySet::default(),
        )
        .set_auth_type(AuthType::RequestBody)
        .set_auth_uri(metadata.authorization_endpoint().clone())
        .set_token_uri(token)
        .set_user_info_url(userinfo)
        .set_redirect_uri(self.redirect.clone())
    }

    /// The keys to try after `tried`: those another sign-in fetched meanwhile, or the provider's present ones,
    /// asked for once a minute at most; else the same again.
    async fn other_keys(
        &self,
        tried: &Arc<Vec<CoreJsonWebKey>>,
    ) -> Result<Arc<Vec<CoreJsonWebKey>>, SignInError> {
        let mut fetches = self.fetches.lock().await;
        let Some(known) = self.held() else { return Ok(tried.clone()) };
        let now = self.clock.now();
        if !Arc::ptr_eq(&known.keys, tried) || fetches.keys_at.is_some_and(|at| now - at < COOL_DOWN) {
            return Ok(known.keys.clone());
        }
        fetches.keys_at = Some(now);
        let http = Http::at(Step::Keys, &self.http);
        let set = JsonWebKeySet::fetch_async(&known.jwks_uri, &http)
            .await
            .map_err(|error| Step::Keys.discovery_error(error))?;
        let keys = Arc::new(bounded(&set));
        self.hold(Known { keys: keys.clone(), ..Known::clone(&known) });
        Ok(keys)
    }
}

/// The keys that can sign for us at all, as many as are ever tried.
fn bounded(set: &JsonWebKeySet<CoreJsonWebKey>) -> Vec<CoreJsonWebKey> {
    use openidconnect::JsonWebKey;
    let rsa = |key: &&CoreJsonWebKey| *key.key_type() == openidconnect::core::CoreJsonWebKeyType::RSA;
    set.keys().iter().filter(rsa).take(MOST_KEYS).cloned().collect()
}

fn extras(claims: &ProviderClaims) -> Told {
    Told {
        nhs_number: claims.nhs_number.clone(),
        proofing: claims.identity_proofing_level.clone(),
        ..Told::default()
    }
}
