//! What a production start refuses, each with its name. It looks at everything before it says no, so that
//! one attempt shows all there is to mend.

use platform::keys::{KeyError, KeyRing, RsaKey, SECRET_BYTES};
use platform::settings::Settings;
use platform::{OsRandom, SharedRandom};
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// One thing that must not be in production.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its stable name.
    pub name: &'static str,
    /// What to do about it.
    pub what: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

/// Everything in `settings`, and in the key files they name, that production refuses.
#[must_use]
pub fn refusals(settings: &Settings) -> Vec<Refusal> {
    let mut found = Vec::new();
    let mut refuse = |name, what: &str| found.push(Refusal { name, what: what.to_owned() });

    let issuer = settings.identity.issuer.as_str();
    if issuer.is_empty() {
        refuse("simulator_issuer", "set identity.issuer to the real sign-in provider");
    } else {
        if !issuer.starts_with("https://") {
            refuse("plain_http_issuer", "identity.issuer must be an https address");
        }
        if !settings.identity.trusted_issuers.iter().any(|trusted| trusted == issuer) {
            refuse("untrusted_issuer", "identity.issuer is not among identity.trusted_issuers");
        }
    }
    if Url::parse(&settings.http.public_url).map(|url| url.scheme() != "https").unwrap_or(true) {
        refuse("plain_http_public_url", "set http.public_url to the https address people type");
    }
    if settings.database.url.starts_with("sqlite:") {
        refuse("sqlite_database", "set database.url to a PostgreSQL database");
    }
    if settings.cache.url.is_empty() {
        refuse("missing_redis", "set cache.url to a Redis that all instances share");
    }
    if !settings.sessions.secure_cookies {
        refuse("cookies_without_secure", "sessions.secure_cookies must be true");
    }
    if settings.sessions.idle_minutes > 30 || settings.sessions.absolute_hours > 12 {
        refuse("sessions_too_long", "sessions may idle 30 minutes and last 12 hours at most");
    }
    found.extend(key_ring(settings));
    found.extend(client_key(settings));
    found
}

fn key_ring(settings: &Settings) -> Option<Refusal> {
    let refuse = |name, what: String| Some(Refusal { name, what });
    if settings.keys.file.is_empty() {
        return refuse("example_key", "set keys.file to a key file of this deployment's own".to_owned());
    }
    let random: SharedRandom = Arc::new(OsRandom);
    match KeyRing::load(Path::new(&settings.keys.file), random) {
        Ok(ring) if ring.is_sandbox_made() => {
            refuse("example_key", "keys.file was made by the sandbox".to_owned())
        }
        Ok(_) => None,
        Err(KeyError::Malformed { reason, .. }) if reason.contains("short") => refuse(
            "short_secret",
            format!("every secret in keys.file must be at least {SECRET_BYTES} bytes: {reason}"),
        ),
        Err(error) => refuse("unreadable_key", error.to_string()),
    }
}

fn client_key(settings: &Settings) -> Option<Refusal> {
    let refuse = |name, what: String| Some(Refusal { name, what });
    if settings.identity.client_key_file.is_empty() {
        return refuse(
            "example_key",
            "set identity.client_key_file to the key registered at the sign-in provider".to_owned(),
        );
    }
    match RsaKey::load(Path::new(&settings.identity.client_key_file)) {
        Ok((_, true)) => refuse("example_key", "identity.client_key_file was made by the sandbox".to_owned()),
        Ok(_) => None,
        Err(error) => refuse("unreadable_key", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::keys::SANDBOX_MARK;
    use platform::settings::Profile;

    /// Settings that production accepts, with their key files.
    fn sound() -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        let random: SharedRandom = Arc::new(OsRandom);
        let mut settings = Settings::defaults_in(folder.path()).unwrap();
        settings.profile = Profile::Production;
        settings.http.public_url = "https://front-door.example".into();
        settings.database.url = "postgres://db/front".into();
        settings.cache.url = "redis://cache".into();
        settings.identity.issuer = settings.identity.trusted_issuers[0].clone();
        settings.keys.file = folder.path().join("ring.json").display().to_string();
        settings.identity.client_key_file = folder.path().join("client.pem").display().to_string();
        KeyRing::create(Path::new(&settings.keys.file), None, random).unwrap();
        RsaKey::load_or_create(Path::new(&settings.identity.client_key_file), "").unwrap();
        (folder, settings)
    }

    fn names(settings: &Settings) -> Vec<&'static str> {
        refusals(settings).into_iter().map(|refusal| refusal.name).collect()
    }

    #[test]
    fn sound_settings_are_accepted() {
        let (_folder, settings) = sound();
        assert_eq!(names(&settings), Vec::<&str>::new());
    }

    #[test]
    fn each_thing_of_the_sandbox_is_refused_by_its_name() {
        type Change = fn(&mut Settings);
        let changes: [(&str, Change); 10] = [
            ("simulator_issuer", |settings| settings.identity.issuer.clear()),
            ("untrusted_issuer", |settings| settings.identity.issuer = "https://elsewhere.example".into()),
            ("plain_http_public_url", |settings| {
                settings.http.public_url = "http://front-door.example".into()
            }),
            ("sqlite_database", |settings| settings.database.url = "sqlite://x.db".into()),
            ("missing_redis", |settings| settings.cache.url.clear()),
            ("cookies_without_secure", |settings| settings.sessions.secure_cookies = false),
            ("sessions_too_long", |settings| settings.sessions.idle_minutes = 31),
            ("example_key", |settings| settings.keys.file.clear()),
            ("example_key", |settings| settings.identity.client_key_file.clear()),
            ("unreadable_key", |settings| settings.keys.file.push_str(".missing")),
        ];
        for (name, change) in changes {
            let (_folder, mut settings) = sound();
            change(&mut settings);
            assert_eq!(names(&settings), [name]);
        }
        let (_folder, mut settings) = sound();
        settings.identity.issuer = "http://127.0.0.1:9/simulator".into();
        assert_eq!(names(&settings), ["plain_http_issuer", "untrusted_issuer"]);
    }

    #[test]
    fn keys_that_the_sandbox_made_and_short_secrets_are_refused() {
        let (folder, mut settings) = sound();
        let random: SharedRandom = Arc::new(OsRandom);
        let made = folder.path().join("sandbox.json");
        KeyRing::create(&made, Some(SANDBOX_MARK), random).unwrap();
        settings.keys.file = made.display().to_string();
        let pem = folder.path().join("sandbox.pem");
        RsaKey::load_or_create(&pem, SANDBOX_MARK).unwrap();
        settings.identity.client_key_file = pem.display().to_string();
        assert_eq!(names(&settings), ["example_key", "example_key"]);

        let (folder, mut settings) = sound();
        let short = folder.path().join("short.json");
        let text = r#"{"active":"a","generations":{"a":"c2hvcnQ="},"signing":"c2hvcnQ="}"#;
        std::fs::write(&short, text).unwrap();
        settings.keys.file = short.display().to_string();
        assert_eq!(names(&settings), ["short_secret"]);
    }
}
