//! The rooms, composed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use identity::{Identity, IdentityDeps, IdentityError};
use platform::cache::Cache;
use platform::keys::{KeyError, KeyRing, RsaKey, SANDBOX_MARK};
use platform::outgoing::{Outgoing, OutgoingError, OutgoingLimits};
use platform::settings::Settings;
use platform::{Db, OsRandom, SharedClock, SharedRandom, SystemClock};
use record_access::concerns::Concerns;
use record_access::patients::StoreError;
use record_access::{AccessLog, Patients, Records};
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;
use waiting_times::{WaitingTimes, WaitingTimesError};

use crate::background;
use crate::http::cookies::Cookies;
use crate::http::cursor::Cursors;
use crate::production;
use crate::routes;
use crate::server::{Bounds, Running, serve};
use crate::telemetry;

/// What a process is started with.
pub struct Launch {
    /// The settings.
    pub settings: Settings,
    /// Tells the time.
    pub clock: SharedClock,
    /// Makes secrets and identifiers.
    pub random: SharedRandom,
}

impl Launch {
    /// With the machine's own clock and randomness.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, clock: Arc::new(SystemClock), random: Arc::new(OsRandom) }
    }
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Production refuses what is meant for the sandbox.
    #[error("a production start is refused:\n{}", lines(.0))]
    Refused(Vec<production::Refusal>),
    /// This build has no sandbox, and the settings ask for one.
    #[error("this build has no sandbox: set profile to \"production\" and identity.issuer to a provider")]
    NoSandbox,
    /// A setting makes no sense.
    #[error("setting {0}")]
    Setting(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The data directory cannot be made.
    #[error("cannot make {path}: {source}")]
    DataDir {
        /// The directory.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database cannot be reached or brought up to date.
    #[error("the database: {0}")]
    Db(#[from] sea_orm::DbErr),
    /// Keys cannot be read or made.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Outgoing requests cannot be made.
    #[error("outgoing requests: {0}")]
    Outgoing(#[from] OutgoingError),
    /// The room of identity did not open.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The room of waiting times did not open.
    #[error(transparent)]
    WaitingTimes(#[from] WaitingTimesError),
    /// The store of patients does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sandbox could not be set up.
    #[error("the sandbox: {0}")]
    Sandbox(String),
}

fn lines(refusals: &[production::Refusal]) -> String {
    refusals.iter().map(|refusal| format!("  {refusal}")).collect::<Vec<_>>().join("\n")
}

/// The rooms without the web around them: what the command line works with.
#[derive(Clone)]
pub struct Rooms {
    /// The settings.
    pub settings: Arc<Settings>,
    /// Tells the time.
    pub clock: SharedClock,
    /// Makes secrets and identifiers.
    pub random: SharedRandom,
    /// The key ring.
    pub keys: KeyRing,
    /// The database.
    pub db: Db,
    /// Finished answers.
    pub cache: Cache,
    /// The access log.
    pub access_log: AccessLog,
    /// People with a record here.
    pub patients: Patients,
    /// The door to records.
    pub records: Records,
    /// What people said looks wrong.
    pub concerns: Concerns,
    /// Waiting times.
    pub waiting_times: WaitingTimes,
}

impl Rooms {
    /// Opens the store the settings name, brought up to date, and the rooms on it.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn open(launch: Launch) -> Result<Self, StartError> {
        let Launch { settings, clock, random } = launch;
        let sandbox = !settings.is_production();
        if sandbox {
            std::fs::create_dir_all(&settings.data_dir).map_err(|source| StartError::DataDir {
                path: settings.data_dir.display().to_string(),
                source,
            })?;
        }
        let keys = if sandbox {
            KeyRing::load_or_create(&settings.key_ring_path(), Some(SANDBOX_MARK), random.clone())?
        } else {
            KeyRing::load(&settings.key_ring_path(), random.clone())?
        };
        let db = Db::connect(&settings.database).await?;
        migrations::run(db.write()).await?;
        let capacity = settings.cache.capacity_bytes;
        let cache = if settings.cache.url.is_empty() {
            Cache::in_process(capacity)
        } else {
            Cache::with_redis(capacity, &settings.cache.url, &settings.cache.prefix, &keys.mac_key("cache")?)
                .map_err(|_| StartError::Setting("cache.url is not a Redis address".to_owned()))?
        };
        let access_log = AccessLog::start(db.clone(), &keys, clock.clone())?;
        let patients = Patients::new(db.clone(), keys.clone(), clock.clone(), random.clone());
        Ok(Self {
            records: Records::new(access_log.clone(), patients.clone()),
            concerns: Concerns::new(db.clone(), keys.clone(), clock.clone(), random.clone()),
            waiting_times: WaitingTimes::new(db.clone(), cache.clone(), clock.clone(), random.clone())
                .await?,
            settings: Arc::new(settings),
            clock,
            random,
            keys,
            db,
            cache,
            access_log,
            patients,
        })
    }

    fn client_key(&self) -> Result<RsaKey, KeyError> {
        let path = self.settings.client_key_path();
        if self.settings.is_production() {
            RsaKey::load(&path).map(|(key, _)| key)
        } else {
            RsaKey::load_or_create(&path, SANDBOX_MARK)
        }
    }
}

/// Everything a request may need. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What [`App`] holds.
pub struct Inner {
    rooms: Rooms,
    /// Who is asking.
    pub identity: Identity,
    /// Signed cursors.
    pub cursors: Cursors,
    /// Cookie names and marks.
    pub cookies: Cookies,
    /// Our own origin, as browsers send it.
    pub origin: String,
    /// When this process started to serve.
    pub started_at: chrono::DateTime<chrono::Utc>,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::ops::Deref for Inner {
    type Target = Rooms;
    fn deref(&self) -> &Rooms {
        &self.rooms
    }
}

impl App {
    /// What the pages are made from.
    #[must_use]
    pub fn pages(&self) -> web::WebState {
        web::WebState {
            identity: self.identity.clone(),
            waiting_times: self.waiting_times.clone(),
            records: self.records.clone(),
            concerns: self.concerns.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            demonstration: self.demonstration(),
        }
    }

    /// Whether everybody here is made up: every page says so.
    #[must_use]
    pub fn demonstration(&self) -> bool {
        !self.settings.is_production()
    }
}

/// Starts the whole service and returns when it answers.
///
/// # Errors
/// [`StartError`]
pub async fn start(launch: Launch) -> Result<Running, StartError> {
    let settings = &launch.settings;
    if settings.is_production() {
        let refusals = production::refusals(settings);
        if !refusals.is_empty() {
            return Err(StartError::Refused(refusals));
        }
    } else if settings.identity.issuer.is_empty() && !cfg!(feature = "sandbox") {
        return Err(StartError::NoSandbox);
    }
    let listener = listen(&settings.http.listen.to_string()).await?;
    let address = listener.local_addr().map_err(|source| listen_error(&settings.http.listen, source))?;
    let public_url = public_url(settings, address)?;
    let metrics_listener = metrics_listener(settings).await?;

    let rooms = Rooms::open(launch).await?;
    let client_key = Arc::new(rooms.client_key()?);
    let sandbox = Sandbox::open(&rooms, &public_url, &client_key).await?;
    let app = compose(rooms, &public_url, client_key, sandbox.issuer.clone())?;

    let (stop, stopped) = watch::channel(false);
    let http = &app.settings.http;
    let bounds = Bounds {
        header_timeout: Duration::from_secs(http.header_timeout_seconds),
        buffer: (http.max_header_bytes + http.max_uri_bytes).max(64 * 1024),
        connections: http.max_connections,
        drain: Duration::from_secs(http.drain_seconds),
    };
    let mut listeners = Vec::new();
    let metrics_address = metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok());
    // First of all: what is counted before the recorder stands is not counted.
    if let Some(listener) = metrics_listener {
        let bounds = Bounds { connections: 64, drain: Duration::from_secs(1), ..bounds };
        listeners.push(tokio::spawn(serve(listener, telemetry::metrics_router(), bounds, stopped.clone())));
    }
    let router = routes::router(&app, sandbox.router);
    listeners.push(tokio::spawn(serve(listener, router, bounds, stopped.clone())));
    let background = tokio::spawn(background::run(app.clone(), stopped));
    Ok(Running { address, metrics_address, people: sandbox.people, app, stop, listeners, background })
}

fn compose(
    rooms: Rooms,
    public_url: &Url,
    client_key: Arc<RsaKey>,
    simulator_issuer: Option<String>,
) -> Result<App, StartError> {
    let settings = rooms.settings.clone();
    let issuer = simulator_issuer.unwrap_or_else(|| settings.identity.issuer.clone());
    let http = Outgoing::new(OutgoingLimits {
        connect: Duration::from_secs(settings.identity.connect_timeout_seconds),
        total: Duration::from_secs(settings.identity.total_timeout_seconds),
        ..OutgoingLimits::default()
    })?;
    let identity = Identity::new(IdentityDeps {
        db: rooms.db.clone(),
        clock: rooms.clock.clone(),
        random: rooms.random.clone(),
        keys: rooms.keys.clone(),
        client_key,
        patients: rooms.patients.clone(),
        access_log: rooms.access_log.clone(),
        profile: settings.profile,
        settings: settings.identity.clone(),
        sessions: settings.sessions.clone(),
        issuer,
        redirect_base: public_url.clone(),
        http,
    })?;
    Ok(App(Arc::new(Inner {
        identity,
        cursors: Cursors::new(rooms.keys.mac_key("cursor")?),
        cookies: Cookies::new(settings.sessions.secure_cookies),
        origin: public_url.origin().ascii_serialization(),
        started_at: rooms.clock.now(),
        rooms,
    })))
}

async fn listen(address: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address: address.to_owned(), source })
}

fn listen_error(address: &SocketAddr, source: std::io::Error) -> StartError {
    StartError::Listen { address: address.to_string(), source }
}

/// The metrics listener. In the sandbox, where two services may well run side by side on their defaults, a
/// port that is taken costs the metrics; in production it is an error.
async fn metrics_listener(settings: &Settings) -> Result<Option<TcpListener>, StartError> {
    if settings.metrics.listen.is_empty() {
        return Ok(None);
    }
    match listen(&settings.metrics.listen).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if settings.is_production() => Err(error),
        Err(error) => {
            tracing::warn!(error = %error, "no metrics are served");
            Ok(None)
        }
    }
}

fn public_url(settings: &Settings, address: SocketAddr) -> Result<Url, StartError> {
    let text = if settings.http.public_url.is_empty() {
        format!("http://{address}/")
    } else {
        settings.http.public_url.clone()
    };
    let url =
        Url::parse(&text).map_err(|_| StartError::Setting("http.public_url is not a URL".to_owned()))?;
    if !matches!(url.scheme(), "http" | "https") || !matches!(url.path(), "" | "/") {
        return Err(StartError::Setting("http.public_url must be scheme, host and port only".to_owned()));
    }
    Ok(url)
}

/// What the sandbox adds to a process, if anything.
#[derive(Default)]
struct Sandbox {
    issuer: Option<String>,
    router: Option<Router>,
    people: Vec<String>,
}

#[cfg(not(feature = "sandbox"))]
impl Sandbox {
    async fn open(_: &Rooms, _: &Url, _: &RsaKey) -> Result<Self, StartError> {
        Ok(Self::default())
    }
}

#[cfg(feature = "sandbox")]
impl Sandbox {
    /// Seeds a store that has no made-up people yet, and starts the simulator where no other provider is named.
    async fn open(rooms: &Rooms, public_url: &Url, client_key: &RsaKey) -> Result<Self, StartError> {
        if rooms.settings.is_production() {
            return Ok(Self::default());
        }
        let failed = |error: &dyn std::fmt::Display| StartError::Sandbox(error.to_string());
        let seed = rooms.settings.sandbox.seed;
        let services = sandbox::Services {
            patients: &rooms.patients,
            waiting_times: &rooms.waiting_times,
            clock: &rooms.clock,
        };
        sandbox::seed(&services, seed).await.map_err(|error| failed(&error))?;
        if !rooms.settings.identity.issuer.is_empty() {
            return Ok(Self::default());
        }
        let identity = &rooms.settings.identity;
        let callback = public_url
            .join(&format!("/auth/callback/{}", identity.provider))
            .map_err(|error| failed(&error))?;
        let config = sandbox::SimulatorConfig {
            issuer: public_url.join("/simulator").map_err(|error| failed(&error))?,
            clients: vec![sandbox::RegisteredClient {
                client_id: identity.client_id.clone(),
                redirect_uris: vec![callback.to_string()],
                public_jwks: serde_json::json!({ "keys": [client_key.public_jwk()] }),
                vtr: identity.vtr.iter().chain(&identity.step_up_vtr).cloned().collect(),
                scopes: identity.scopes.clone(),
            }],
            people: sandbox::made_up_people(seed).into_iter().map(|person| person.persona).collect(),
            clock: rooms.clock.clone(),
            random: rooms.random.clone(),
        };
        let key_path = rooms.settings.data_dir.join("keys/simulator-key.pem");
        let key = RsaKey::load_or_create(&key_path, SANDBOX_MARK)?;
        let simulator = sandbox::Simulator::with_key(config, key).map_err(|error| failed(&error))?;
        Ok(Self {
            issuer: Some(simulator.issuer().to_owned()),
            router: Some(simulator.router()),
            people: sandbox::people_lines(seed),
        })
    }
}
