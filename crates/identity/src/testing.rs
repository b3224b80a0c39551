//! A store and a provider of one test's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeZone, Utc};
use platform::keys::{KeyRing, RsaKey};
use platform::outgoing::{Outgoing, OutgoingLimits};
use platform::settings::{Profile, Settings};
use platform::{Clock, Db, ManualClock, OsRandom, SharedClock, SharedRandom};
use record_access::{AccessLog, Patients};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{Identity, IdentityDeps, Sessions};

/// A Monday morning.
pub(crate) fn nine_o_clock() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 2, 9, 0, 0).unwrap()
}

pub(crate) struct World {
    _folder: tempfile::TempDir,
    pub clock: ManualClock,
    pub db: Db,
    pub keys: KeyRing,
    pub random: SharedRandom,
    pub settings: Settings,
    pub log: AccessLog,
    pub patients: Patients,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = platform::testing::empty_database(folder.path()).await;
        migrations::run(db.write()).await.unwrap();
        let random: SharedRandom = Arc::new(OsRandom);
        let clock = ManualClock::new(nine_o_clock());
        let shared: SharedClock = Arc::new(clock.clone());
        let keys = KeyRing::create(&folder.path().join("ring.json"), None, random.clone()).unwrap();
        let log = AccessLog::start(db.clone(), &keys, shared.clone()).unwrap();
        let patients = Patients::new(db.clone(), keys.clone(), shared, random.clone());
        let settings = Settings::defaults_in(folder.path()).unwrap();
        Self { _folder: folder, clock, db, keys, random, settings, log, patients }
    }

    pub fn shared_clock(&self) -> SharedClock {
        Arc::new(self.clock.clone())
    }

    /// The sessions as one more instance sees them.
    pub fn sessions(&self) -> Sessions {
        Sessions::new(
            self.db.clone(),
            self.shared_clock(),
            self.random.clone(),
            &self.keys,
            &self.settings.sessions,
        )
        .unwrap()
    }

    pub fn identity(&self, issuer: &str) -> Identity {
        Identity::new(IdentityDeps {
            db: self.db.clone(),
            clock: self.shared_clock(),
            random: self.random.clone(),
            keys: self.keys.clone(),
            client_key: Arc::new(RsaKey::generate().unwrap()),
            patients: self.patients.clone(),
            access_log: self.log.clone(),
            profile: Profile::Sandbox,
            settings: self.settings.identity.clone(),
            sessions: self.settings.sessions.clone(),
            issuer: issuer.to_owned(),
            redirect_base: "https://front.example".parse().unwrap(),
            http: Outgoing::new(OutgoingLimits {
                total: std::time::Duration::from_millis(400),
                ..OutgoingLimits::default()
            })
            .unwrap(),
        })
        .unwrap()
    }
}

/// What the provider will say next.
pub(crate) struct Script {
    /// Signs id tokens.
    pub key: Arc<RsaKey>,
    /// The key set it shows.
    pub jwks: Value,
    /// Whether its id tokens name their key.
    pub names_key: bool,
    /// Added to the discovery document.
    pub discovery: Value,
    /// The id token's claims; the nonce of the last authorisation is put in where there is `null`.
    pub claims: Value,
    /// Said instead of a signed token.
    pub raw_token: Option<String>,
    pub userinfo: Value,
    /// Status and body instead of the proper one, by path.
    pub instead: HashMap<&'static str, (u16, String)>,
    /// Paths that never answer.
    pub silent: Vec<&'static str>,
}

/// An OpenID provider that says what a test tells it to, and remembers what it was asked.
pub(crate) struct FakeProvider {
    pub issuer: String,
    pub script: Arc<Mutex<Script>>,
    /// Path and body of every request.
    pub asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl FakeProvider {
    pub async fn start(clock: &ManualClock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = Arc::new(RsaKey::generate().unwrap());
        let now = clock.now().timestamp();
        let script = Script {
            jwks: json!({ "keys": [key.public_jwk()] }),
            key,
            names_key: true,
            discovery: json!({}),
            claims: json!({
                "iss": issuer, "aud": "front-door", "sub": "person-1", "nonce": null,
                "iat": now, "exp": now + 3600, "auth_time": now - 30, "jti": "jti-1",
                "vot": "P9.Cp.Cd", "vtm": "https://vtm.example", "identity_proofing_level": "P9",
                "nhs_number": "9990000018", "birthdate": "1980-05-04", "family_name": "Example",
            }),
            raw_token: None,
            userinfo: json!({
                "sub": "person-1", "nhs_number": "9990000018", "birthdate": "1980-05-04",
                "family_name": "Example", "given_name": "Ada", "identity_proofing_level": "P9",
            }),
            instead: HashMap::new(),
            silent: Vec::new(),
        };
        let provider =
            Self { issuer, script: Arc::new(Mutex::new(script)), asked: Arc::new(Mutex::new(Vec::new())) };
        let (script, asked, issuer) =
            (provider.script.clone(), provider.asked.clone(), provider.issuer.clone());
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                tokio::spawn(serve(peer, script.clone(), asked.clone(), issuer.clone()));
            }
        });
        provider
    }

    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub fn times_asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(it, _)| it == path).count()
    }

    pub fn bodies(&self, path: &str) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|(it, _)| it == path).map(|(_, body)| body.clone()).collect()
    }
}

async fn serve(
    mut peer: TcpStream,
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
    issuer: String,
) {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        let Ok(read @ 1..) = peer.read(&mut part).await else { return };
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned))
            .map_or(0, |value| value.trim().parse::<usize>().unwrap());
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let path = head.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push((path.clone(), body));
    let (silent, status, answer) = {
        let script = script.lock().unwrap();
        let (status, answer) = match script.instead.get(path.as_str()) {
            Some((status, body)) => (*status, body.clone()),
            None => (200, proper(&script, &path, &issuer)),
        };
        (script.silent.contains(&path.as_str()), status, answer)
    };
    if silent {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    }
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    let _ = peer.write_all(format!("{head}{answer}").as_bytes()).await;
}

fn proper(script: &Script, path: &str, issuer: &str) -> String {
    let answer = match path {
        "/.well-known/openid-configuration" => {
            let mut document = json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/userinfo"),
                "jwks_uri": format!("{issuer}/jwks"),
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS512", "HS512", "RS256", "none"],
            });
            for (name, value) in script.discovery.as_object().unwrap() {
                document[name] = value.clone();
            }
            document
        }
        "/jwks" => script.jwks.clone(),
        "/userinfo" => script.userinfo.clone(),
        "/token" => {
            let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS512);
            header.typ = None;
            header.kid = script.names_key.then(|| script.key.kid().to_owned());
            let token = script
                .raw_token
                .clone()
                .unwrap_or_else(|| script.key.sign_with(&header, &script.claims).unwrap());
            json!({ "access_token": "access-1", "token_type": "Bearer", "expires_in": 300, "id_token": token })
        }
        _ => json!({}),
    };
    answer.to_string()
}
