//! Settings: commented defaults compiled in, then a TOML file, then the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::{Deserialize, Serialize};

/// The defaults, as they are documented.
pub const DEFAULTS: &str = include_str!("settings.toml");

/// What a deployment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Made-up people and a simulated sign-in provider.
    Sandbox,
    /// Real people.
    Production,
}

/// All settings of one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What this deployment is for.
    pub profile: Profile,
    /// Where the default database and the keys live.
    pub data_dir: PathBuf,
    /// The public listener and its limits.
    pub http: HttpSettings,
    /// The metrics listener.
    pub metrics: MetricsSettings,
    /// Log lines.
    pub log: LogSettings,
    /// Traces.
    pub telemetry: TelemetrySettings,
    /// The database.
    pub database: DatabaseSettings,
    /// The cache.
    pub cache: CacheSettings,
    /// The key ring.
    pub keys: KeySettings,
    /// The sign-in provider.
    pub identity: IdentitySettings,
    /// Sessions of signed-in people.
    pub sessions: SessionSettings,
    /// The sandbox.
    pub sandbox: SandboxSettings,
}

/// The public listener and its limits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address people type; empty: derived from the listener.
    pub public_url: String,
    /// Largest request body, bytes.
    pub max_body_bytes: usize,
    /// Largest request header, bytes.
    pub max_header_bytes: usize,
    /// Longest path and query, bytes.
    pub max_uri_bytes: usize,
    /// Time for a whole request header to arrive, seconds.
    pub header_timeout_seconds: u64,
    /// Time for an answer to be ready, seconds.
    pub answer_timeout_seconds: u64,
    /// Time for requests under way to end after a signal to stop, seconds.
    pub drain_seconds: u64,
    /// Most connections at once.
    pub max_connections: usize,
}

/// The metrics listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSettings {
    /// Where to listen; empty: nowhere.
    pub listen: String,
}

/// Log lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// `auto`, `json` or `plain`.
    pub format: LogFormat,
    /// Which lines to write, in the syntax of `RUST_LOG`.
    pub filter: String,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// JSON in production, plain otherwise.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Plain,
}

/// Traces.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    /// An OTLP/HTTP collector; empty: none.
    pub otlp_endpoint: String,
}

/// The database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// `sqlite:` or `postgres:` URL; empty: SQLite in the data directory.
    pub url: String,
    /// Connections for reading (SQLite) or in all (PostgreSQL).
    pub max_connections: u32,
}

/// The cache.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// `redis:` URL; empty: in this process only.
    pub url: String,
    /// Put before every key in Redis.
    pub prefix: String,
    /// What the in-process level may hold, bytes.
    pub capacity_bytes: u64,
}

/// The key ring.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The key file; empty: in the data directory.
    pub file: String,
}

/// The sign-in provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySettings {
    /// The provider's short name, part of the callback's path.
    pub provider: String,
    /// Its issuer; empty: the simulator.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// The key that signs our assertions; empty: in the data directory.
    pub client_key_file: String,
    /// Vectors of trust asked for at sign-in.
    pub vtr: Vec<String>,
    /// Vectors of trust asked for when proving who one is.
    pub step_up_vtr: Vec<String>,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// Issuers a production start accepts.
    pub trusted_issuers: Vec<String>,
    /// For a connection to the provider to stand, seconds.
    pub connect_timeout_seconds: u64,
    /// For an answer of the provider, seconds.
    pub total_timeout_seconds: u64,
    /// How long a sign-in may take, minutes.
    pub attempt_minutes: u32,
    /// Youngest age for an account of one's own, years.
    pub minimum_age_years: u32,
}

/// Sessions of signed-in people.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    /// Unused for so long, a session ends; minutes.
    pub idle_minutes: u32,
    /// So long after sign-in a session ends, used or not; hours.
    pub absolute_hours: u32,
    /// A session's secret is replaced when it is older than this; minutes.
    pub rotate_minutes: u32,
    /// `Secure`, `__Host-` cookies.
    pub secure_cookies: bool,
}

/// The sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxSettings {
    /// Decides the made-up people.
    pub seed: u64,
}

impl Settings {
    /// Reads defaults, then `file` where given, then the environment.
    ///
    /// # Errors
    /// When the file is missing, or a setting is unknown or not of its type; the message names its source.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        figment
            .merge(Env::prefixed("FRONT_DOOR__").split("__"))
            .extract::<Self>()
            .map(Self::completed)
            .map_err(|error| in_one_line(&error.to_string()))
    }

    /// The defaults alone, with everything kept under `data_dir`.
    ///
    /// # Errors
    /// Never, unless the compiled-in defaults are broken.
    pub fn defaults_in(data_dir: &Path) -> Result<Self, String> {
        let mut settings: Self =
            Figment::from(Toml::string(DEFAULTS)).extract().map_err(|error| error.to_string())?;
        settings.data_dir = data_dir.to_owned();
        Ok(settings.completed())
    }

    /// Puts another data directory in force, for everything that was derived from the former one.
    #[must_use]
    pub fn with_data_dir(mut self, data_dir: &Path) -> Self {
        let former = default_database_url(&self.data_dir);
        if self.database.url == former {
            self.database.url.clear();
        }
        self.data_dir = data_dir.to_owned();
        self.completed()
    }

    fn completed(mut self) -> Self {
        if self.database.url.is_empty() {
            self.database.url = default_database_url(&self.data_dir);
        }
        self
    }

    /// Whether this is a production deployment.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.profile == Profile::Production
    }

    /// Where the key ring is.
    #[must_use]
    pub fn key_ring_path(&self) -> PathBuf {
        self.or_in_data_dir(&self.keys.file, "keys/record-keys.json")
    }

    /// Where the key that signs our assertions is.
    #[must_use]
    pub fn client_key_path(&self) -> PathBuf {
        self.or_in_data_dir(&self.identity.client_key_file, "keys/client-key.pem")
    }

    fn or_in_data_dir(&self, set: &str, default: &str) -> PathBuf {
        if set.is_empty() { self.data_dir.join(default) } else { PathBuf::from(set) }
    }

    /// The settings as TOML-like lines with passwords left out, for `front-door settings` and the log.
    #[must_use]
    pub fn redacted(&self) -> serde_json::Value {
        let mut shown = self.clone();
        shown.database.url = without_password(&shown.database.url);
        shown.cache.url = without_password(&shown.cache.url);
        serde_json::to_value(shown).unwrap_or_default()
    }
}

impl SessionSettings {
    /// Unused for so long, a session ends.
    #[must_use]
    pub fn idle(&self) -> chrono::Duration {
        chrono::Duration::minutes(self.idle_minutes.into())
    }

    /// So long after sign-in a session ends.
    #[must_use]
    pub fn absolute(&self) -> chrono::Duration {
        chrono::Duration::hours(self.absolute_hours.into())
    }

    /// A secret older than this is replaced.
    #[must_use]
    pub fn rotate(&self) -> chrono::Duration {
        chrono::Duration::minutes(self.rotate_minutes.into())
    }
}

impl HttpSettings {
    /// Time for an answer to be ready.
    #[must_use]
    pub fn answer_timeout(&self) -> Duration {
        Duration::from_secs(self.answer_timeout_seconds)
    }
}

impl std::fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseSettings").field("url", &without_password(&self.url)).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CacheSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheSettings").field("url", &without_password(&self.url)).finish_non_exhaustive()
    }
}

/// A message about settings in one line, without the picture of the file's own line: secrets may stand in it.
fn in_one_line(message: &str) -> String {
    let is_picture =
        |line: &&str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    message.lines().filter(|line| !is_picture(line)).map(str::trim).collect::<Vec<_>>().join(", ")
}

fn default_database_url(data_dir: &Path) -> String {
    format!("sqlite://{}?mode=rwc", data_dir.join("front-door.db").display())
}

fn without_password(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(mut url) if url.password().is_some() => {
            // Setting a password fails only for URLs that cannot have one.
            let _ = url.set_password(Some("***"));
            url.to_string()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete() {
        let settings = Settings::defaults_in(Path::new("/nowhere")).unwrap();
        assert_eq!(settings.profile, Profile::Sandbox);
        assert_eq!(settings.database.url, "sqlite:///nowhere/front-door.db?mode=rwc");
        assert_eq!(settings.key_ring_path(), Path::new("/nowhere/keys/record-keys.json"));
        let moved = settings.with_data_dir(Path::new("/else"));
        assert_eq!(moved.database.url, "sqlite:///else/front-door.db?mode=rwc");
    }

    #[test]
    fn passwords_are_never_shown() {
        let mut settings = Settings::defaults_in(Path::new("/nowhere")).unwrap();
        settings.database.url = "postgres://app:hunter2@db/front".to_owned();
        settings.cache.url = "redis://:hunter2@cache/".to_owned();
        for shown in [settings.redacted().to_string(), format!("{settings:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("***"), "{shown}");
        }
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("front-door.toml");
        std::fs::write(&file, "[http]\nlisten_at = \"127.0.0.1:1\"\n").unwrap();
        let said = Settings::load(Some(&file)).unwrap_err();
        assert!(said.contains("listen_at"), "{said}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_in_one_line_without_its_contents() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("front-door.toml");
        std::fs::write(&file, "[database]\nurl = \"postgres://app:hunter2@db/front\n").unwrap();
        for (path, expected) in [(file, "line 2"), (folder.path().join("missing.toml"), "No such file")] {
            let said = Settings::load(Some(&path)).unwrap_err();
            assert!(said.contains(expected) && said.contains(&path.display().to_string()), "{said}");
            assert!(!said.contains('\n') && !said.contains("hunter2"), "{said}");
        }
    }
}
