//! The other side of a sign-in: the two providers that run beside the server, the simulator's switches, and
//! the steps of a sign-in taken one at a time.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use platform::keys::RsaKey;
use platform::{OsRandom, SharedRandom};
use record_access::access_log::Logged;
use reqwest::Method;
use sandbox::MadeUpPerson;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Browser, Options, Process, Reply, Server, Store, fresh_store, hidden_field, node_script};
use url::Url;

/// The cookie of a session.
pub const SESSION: &str = "__Host-sid";
/// The cookie that binds a sign-in to its browser.
pub const LOGIN: &str = "__Host-login";

/// Made-up people who can sign in at the simulator.
pub mod people {
    /// Photo identity checked, three referrals.
    pub const P9: &str = "Philomena Quarrybank";
    /// The same for another person.
    pub const OTHER_P9: &str = "Octavian Pellwether";
    /// Details matched only.
    pub const P5: &str = "Tamsin Oddlesworth";
    /// Nothing checked.
    pub const P0: &str = "Ludovic Fenwhistle";
    /// Does not let the provider share anything.
    pub const REFUSES: &str = "Saffron Wetherlight";
    /// Too young.
    pub const CHILD: &str = "Wren Brackenfold";
    /// Signs in with an old NHS number first, with the new one later.
    pub const CHANGED_NUMBER: &str = "Ambrose Dunterfield";
}

/// The made-up person called `name`, of the seed the servers have.
pub fn made_up(name: &str) -> MadeUpPerson {
    let settings =
        platform::settings::Settings::defaults_in(std::path::Path::new(".")).expect("the defaults");
    let people = sandbox::made_up_people(settings.sandbox.seed);
    people.into_iter().find(|person| person.persona.name() == name).expect("one of the cast")
}

/// A provider in a process of its own.
pub struct Node {
    _process: Process,
    _config: TempDir,
    /// Its issuer.
    pub issuer: String,
    /// What it said when it was ready.
    pub ready: Value,
}

impl Node {
    /// npm `oidc-provider`, which is certified for OpenID Connect.
    pub fn certified(config: &Value) -> Option<Self> {
        Self::start("certified-provider.mjs", config)
    }

    /// The provider that forges what it is told to.
    pub fn forging() -> Option<Self> {
        Self::start("forging-provider.mjs", &json!({}))
    }

    fn start(script: &str, config: &Value) -> Option<Self> {
        let mut command = node_script(script)?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, config.to_string()).expect("a written configuration");
        let process = Process::start(command.arg(path));
        let ready = process.json_line();
        let issuer = ready["issuer"].as_str().expect("an issuer").to_owned();
        Some(Self { _process: process, _config: folder, issuer, ready })
    }

    /// What was asked of it, and what it issued.
    pub async fn log(&self) -> Value {
        Browser::new(&self.issuer).api(Method::GET, "/test/log", &[]).await.json()
    }

    /// Tells it something.
    pub async fn tell(&self, path: &str, what: &Value) -> Value {
        let url = Url::parse(&format!("{}{path}", self.issuer)).expect("an address");
        post_json(url, what).await
    }
}

/// Changes what is wrong with the simulator of `server`.
pub async fn simulator(server: &Server, change: Value) -> Value {
    post_json(Url::parse(&server.at("/simulator/faults")).expect("an address"), &change).await
}

/// What the simulator of `server` saw.
pub async fn simulator_report(server: &Server) -> Value {
    server.browser().api(Method::GET, "/simulator/faults", &[]).await.json()
}

async fn post_json(url: Url, what: &Value) -> Value {
    let body = Some(what.to_string().into_bytes());
    let headers = [("content-type", "application/json")];
    let reply = Browser::new(url.as_str()).send(Method::POST, url, &headers, body).await;
    assert_eq!(reply.status, 200, "{what}: {}", reply.body);
    reply.json()
}

/// A port nobody listens on, below those that the system gives to outgoing connections: nothing takes it
/// before the server does.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).expect("below ten thousand");
    for _ in 0..10_000 {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free")
}

/// What the certified provider must know of a server on `store` that will listen on `port`. Its person is
/// the made-up one called `name`.
pub fn certified_config(store: &Store, port: u16, name: &str) -> Value {
    let (key, _) = RsaKey::load(&store.settings().client_key_path()).expect("the store's client key");
    let person = made_up(name).persona;
    json!({
        "clientId": "front-door",
        "redirectUris": [format!("http://127.0.0.1:{port}/auth/callback/login")],
        "clientJwk": key.public_jwk(),
        "people": [{
            "sub": person.sub,
            "vot": "P9.Cp.Cd",
            "identity_proofing_level": "P9",
            "nhs_number": person.nhs_number.expose(),
            "family_name": person.family_name,
            "given_name": person.given_name,
            "birthdate": person.birth_date.to_string(),
            "email": person.email,
        }],
    })
}

/// A server beside the certified provider, or none where Node is missing.
pub async fn beside_certified(name: &str) -> Option<(Server, Node)> {
    let store = Arc::new(fresh_store().await);
    let port = free_port();
    let node = Node::certified(&certified_config(&store, port, name))?;
    let options = Options { issuer: Some(node.issuer.clone()), port: Some(port), ..Options::default() };
    Some((Server::on(store, options).await, node))
}

/// Signs in at the certified provider, and follows to the end.
pub async fn sign_in_certified(browser: &mut Browser, name: &str) -> Reply {
    let sub = made_up(name).persona.sub;
    let mut reply = browser.visit("/auth/login").await;
    for _ in 0..3 {
        if !reply.url.path().starts_with("/interaction/") {
            break;
        }
        let fields: &[(&str, &str)] = match hidden_field(&reply.body, "prompt").as_str() {
            "login" => &[("prompt", "login"), ("login", &sub), ("password", "any")],
            _ => &[("prompt", "consent")],
        };
        let answered = browser.post_form(reply.url.clone(), fields).await;
        reply = browser.follow(answered).await;
    }
    reply
}

/// Begins a sign-in, and says where the provider wants the browser.
pub async fn begin(browser: &mut Browser) -> Url {
    let reply = browser.get("/auth/login").await;
    assert_eq!(reply.status, 303, "{}", reply.body);
    reply.location().expect("the provider's address")
}

/// Goes to a provider that asks nothing, and says where it wants the browser next.
pub async fn ask(browser: &mut Browser, authorize: Url) -> Url {
    let reply = browser.send(Method::GET, authorize, &[("accept", "text/html")], None).await;
    reply.location().unwrap_or_else(|| panic!("the provider did not send the browser back: {}", reply.body))
}

/// Begins a sign-in at the simulator as `name`, and says which callback ends it.
pub async fn until_callback(browser: &mut Browser, name: &str) -> Url {
    let page = browser.visit("/auth/login").await;
    let reply = browser.choose_only(&page, name).await;
    reply.location().unwrap_or_else(|| panic!("the simulator did not send the browser back: {}", reply.body))
}

/// A fresh request id.
pub fn request_id() -> uuid::Uuid {
    let random: SharedRandom = Arc::new(OsRandom);
    random.uuid()
}

/// Comes back to the callback at `url`: the answer, and what stands in the access log about it.
pub async fn come_back(server: &Server, browser: &mut Browser, url: Url) -> (Reply, Vec<Logged>) {
    let id = request_id();
    let text = id.to_string();
    let headers = [("accept", "text/html"), ("x-request-id", text.as_str())];
    let reply = browser.send(Method::GET, url, &headers, None).await;
    assert_eq!(reply.header("x-request-id"), text);
    (reply, server.app().access_log.of_request(id).await.expect("the access log answers"))
}

/// Checks that a callback was refused with a page of this status and heading, gave no session, and stands in
/// the access log once, with one of these reasons.
pub fn assert_refused(answer: &(Reply, Vec<Logged>), status: u16, reasons: &[&str]) {
    let (reply, entries) = answer;
    assert_eq!(reply.status, status, "{}", reply.body);
    assert!(reply.header("content-type").starts_with("text/html"), "a page: {}", reply.body);
    assert!(no_session_cookie(reply), "{:?}", reply.set_cookies());
    let told: Vec<_> = entries.iter().map(|entry| entry.refused.as_deref().unwrap_or("allowed")).collect();
    assert_eq!(told.len(), 1, "one entry: {told:?}");
    assert!(reasons.contains(&told[0]), "{told:?} is none of {reasons:?}");
    assert_eq!(entries[0].category, "sign-in");
    assert!(entries[0].subject.is_none(), "nobody's record is concerned");
    assert!(!reply.body.contains(told[0]), "the browser learns no reason");
}

/// Whether the answer sets no session.
pub fn no_session_cookie(reply: &Reply) -> bool {
    !reply.set_cookies().iter().any(|cookie| cookie.starts_with(SESSION) || cookie.starts_with("sid="))
}

/// The status of the caller's session: 200, or 401 when there is none.
pub async fn session_status(browser: &mut Browser) -> u16 {
    browser.api(Method::GET, "/v1/session", &[]).await.status
}

/// The caller's session.
pub async fn session(browser: &mut Browser) -> Value {
    let reply = browser.api(Method::GET, "/v1/session", &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// Whether this session secret opens anything at `server`.
pub async fn opens(server: &Server, secret: &str) -> bool {
    let mut browser = server.browser();
    browser.plant(SESSION, secret);
    let status = session_status(&mut browser).await;
    assert!(matches!(status, 200 | 401), "{status}");
    status == 200
}
