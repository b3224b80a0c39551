//! A server of one test's own, started from a copy of a seeded store.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeZone, Utc};
use front_door::app::start;
use front_door::{Launch, Running};
use platform::settings::Settings;
use platform::testing::{database_at, on_server, unique};
use platform::{ManualClock, OsRandom, SharedClock, SystemClock};
use sea_orm::{Database, DatabaseConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::Browser;

/// On what the servers stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// SQLite and the in-process cache.
    Embedded,
    /// PostgreSQL and Redis.
    Production {
        /// A database on the server where others may be made.
        database: String,
        /// The Redis.
        cache: String,
    },
}

/// The form this run of the suite is about.
#[must_use]
pub fn form() -> &'static Form {
    static FORM: OnceLock<Form> = OnceLock::new();
    FORM.get_or_init(|| {
        let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        match (set("FRONT_DOOR_TEST_DATABASE_URL"), set("FRONT_DOOR_TEST_CACHE_URL")) {
            (None, None) => Form::Embedded,
            (Some(database), Some(cache)) => Form::Production { database, cache },
            _ => panic!("set both FRONT_DOOR_TEST_DATABASE_URL and FRONT_DOOR_TEST_CACHE_URL, or neither"),
        }
    })
}

/// A change of settings.
pub type Change = Box<dyn FnOnce(&mut Settings) + Send>;

/// How a server differs from the default.
#[derive(Default)]
pub struct Options {
    /// A clock that is moved by hand; without one, the machine's.
    pub clock: Option<ManualClock>,
    /// A sign-in provider other than the simulator: its issuer.
    pub issuer: Option<String>,
    /// Changes any setting.
    pub change: Option<Change>,
    /// The port to listen on; without one, any.
    pub port: Option<u16>,
}

/// A seeded store that servers are started from.
pub struct Store {
    folder: TempDir,
    database: Option<String>,
    prefix: String,
}

impl Store {
    /// Where its keys are, and its SQLite database.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database's address.
    #[must_use]
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(name) => database_at(server(), name),
            None => format!("sqlite://{}?mode=rwc", self.folder().join("front-door.db").display()),
        }
    }

    /// The environment that makes the binary run on this store, on ports of its own.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("FRONT_DOOR__DATA_DIR", self.folder().display().to_string()),
            ("FRONT_DOOR__DATABASE__URL", self.database_url()),
            ("FRONT_DOOR__DATABASE__MAX_CONNECTIONS", "6".to_owned()),
            ("FRONT_DOOR__HTTP__LISTEN", "127.0.0.1:0".to_owned()),
            ("FRONT_DOOR__METRICS__LISTEN", "127.0.0.1:0".to_owned()),
        ];
        if let Form::Production { cache, .. } = form() {
            environment.push(("FRONT_DOOR__CACHE__URL", cache.clone()));
            environment.push(("FRONT_DOOR__CACHE__PREFIX", self.prefix.clone()));
        }
        environment
    }

    /// A connection to the database behind the service's back, as whoever holds its password has.
    pub async fn connect(&self) -> DatabaseConnection {
        Database::connect(self.database_url()).await.expect("the store's database answers")
    }

    /// The settings of a server on this store.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let mut settings = base_settings(self.folder());
        settings.database.url = self.database_url();
        if let Form::Production { cache, .. } = form() {
            settings.cache.url.clone_from(cache);
            settings.cache.prefix.clone_from(&self.prefix);
        }
        settings
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(name) = self.database.take() {
            // On a thread of its own: the test's runtime may be ending.
            let done = std::thread::spawn(move || {
                block_on(on_server(server(), &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
            });
            // A database left behind is swept away with the server it lives on.
            let _ = done.join();
        }
    }
}

/// A running server and its store.
pub struct Server {
    running: Option<Running>,
    store: Arc<Store>,
}

impl Server {
    /// A server on a seeded store of its own.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// The same, different as `options` say.
    pub async fn with(options: Options) -> Self {
        let store = Arc::new(fresh_store().await);
        Self::on(store, options).await
    }

    /// Another server on a store that may have one already: another instance.
    pub async fn on(store: Arc<Store>, options: Options) -> Self {
        let mut settings = store.settings();
        if let Some(issuer) = options.issuer {
            settings.identity.issuer = issuer;
        }
        if let Some(port) = options.port {
            settings.http.listen.set_port(port);
        }
        if let Some(change) = options.change {
            change(&mut settings);
        }
        let clock: SharedClock = match options.clock {
            Some(clock) => Arc::new(clock),
            None => Arc::new(SystemClock),
        };
        let launch = Launch { settings, clock, random: Arc::new(OsRandom) };
        let running = start(launch).await.unwrap_or_else(|error| panic!("no server: {error}"));
        Self { running: Some(running), store }
    }

    /// A noon to set clocks by: a working day in winter.
    #[must_use]
    pub fn some_noon() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 2, 12, 0, 0).single().expect("a moment that exists")
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.running().address)
    }

    /// An address on it.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url())
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.running().address.port()
    }

    /// Where its metrics are.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        let address = self.running().metrics_address.expect("the server has metrics");
        format!("http://{address}/metrics")
    }

    /// The composed rooms, for tests that must look behind the answers.
    #[must_use]
    pub fn app(&self) -> &front_door::App {
        &self.running().app
    }

    /// Its store, to start another instance on.
    #[must_use]
    pub fn store(&self) -> Arc<Store> {
        self.store.clone()
    }

    /// A browser that has been nowhere yet.
    #[must_use]
    pub fn browser(&self) -> Browser {
        Browser::new(&self.url())
    }

    /// A browser in which a made-up person is signed in.
    pub async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let reply = browser.sign_in(name).await;
        assert_eq!(reply.status, 200, "{name} could not sign in: {}", reply.body);
        browser
    }

    /// Stops in order; the store stays.
    pub async fn stop(mut self) -> Arc<Store> {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
        self.store.clone()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the server runs until it is stopped")
    }
}

/// A seeded store that no other test touches: a copy of one that is made once a run.
pub async fn fresh_store() -> Store {
    static TEMPLATE: OnceCell<Store> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(make_template).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&template.folder().join("keys"), &folder.path().join("keys"));
    let name = unique("fd_test");
    let database = match &template.database {
        None => {
            let file = "front-door.db";
            std::fs::copy(template.folder().join(file), folder.path().join(file)).expect("a copied database");
            None
        }
        Some(template) => {
            on_server(server(), &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
            Some(name.clone())
        }
    };
    Store { folder, database, prefix: format!("{name}:") }
}

/// Starts a server on an empty store, which migrates and seeds it, and stops it again.
async fn make_template() -> Store {
    let store = empty_store().await;
    let running = start(Launch::new(store.settings())).await.unwrap_or_else(|error| panic!("{error}"));
    running.stop().await;
    store
}

/// A store with nothing in it, not even tables.
pub async fn empty_store() -> Store {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = unique("fd_empty");
    let database = match form() {
        Form::Embedded => None,
        Form::Production { .. } => {
            on_server(server(), &format!("CREATE DATABASE {name}")).await;
            Some(name.clone())
        }
    };
    Store { folder, database, prefix: format!("{name}:") }
}

fn base_settings(folder: &Path) -> Settings {
    let mut settings = Settings::defaults_in(folder).expect("the defaults are sound");
    settings.http.listen.set_port(0);
    settings.metrics.listen = "127.0.0.1:0".to_owned();
    settings.database.max_connections = 6;
    settings
}

fn copy(from: &PathBuf, to: &PathBuf) {
    std::fs::create_dir_all(to).expect("a folder for keys");
    for entry in std::fs::read_dir(from).expect("the template's keys") {
        let entry = entry.expect("a key file");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copied key file");
    }
}

/// A PostgreSQL server, in the form that has one.
fn server() -> &'static str {
    let Form::Production { database, .. } = form() else { panic!("there is no PostgreSQL in this form") };
    database
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work);
}
