//! The simulator and the real relying party, over a real socket: what each of the people, and each fault, comes
//! to at the other end.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use identity::{Begin, Callback, Identity, IdentityDeps, Session, SignInError, SignedIn};
use platform::cache::Cache;
use platform::keys::{KeyRing, RsaKey};
use platform::outgoing::{Outgoing, OutgoingLimits};
use platform::settings::{Profile, Settings};
use platform::{Db, ErrorKind, OsRandom, SharedClock, SharedRandom, SystemClock};
use record_access::{AccessLog, Assurance, Patients};
use sandbox::simulator::{Endpoint, FaultsChange};
use sandbox::{MadeUpPerson, RegisteredClient, Services, Simulator, SimulatorConfig, made_up_people};
use serde_json::{Value, json};
use tower::ServiceExt;
use url::{Url, form_urlencoded};
use uuid::Uuid;
use waiting_times::WaitingTimes;

const SEED: u64 = 11;

/// A service with its simulator, and a browser between the two.
struct House {
    _folder: tempfile::TempDir,
    simulator: Simulator,
    pages: Router,
    identity: Identity,
    settings: Settings,
    people: Vec<MadeUpPerson>,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::defaults_in(folder.path()).unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db")).await.unwrap();
        migrations::run(db.write()).await.unwrap();
        let random: SharedRandom = Arc::new(OsRandom);
        let clock: SharedClock = Arc::new(SystemClock);
        let keys = KeyRing::create(&folder.path().join("ring.json"), None, random.clone()).unwrap();
        let log = AccessLog::start(db.clone(), &keys, clock.clone()).unwrap();
        let patients = Patients::new(db.clone(), keys.clone(), clock.clone(), random.clone());
        let figures = WaitingTimes::new(db.clone(), Cache::in_process(100), clock.clone(), random.clone())
            .await
            .unwrap();
        let services = Services { patients: &patients, waiting_times: &figures, clock: &clock };
        sandbox::seed(&services, SEED).await.unwrap();

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let client_key = Arc::new(RsaKey::generate().unwrap());
        let wanted = &settings.identity;
        let people = made_up_people(SEED);
        let simulator = Simulator::new(SimulatorConfig {
            issuer: base.join("/simulator").unwrap(),
            clients: vec![RegisteredClient {
                client_id: wanted.client_id.clone(),
                redirect_uris: vec![
                    base.join(&format!("/auth/callback/{}", wanted.provider)).unwrap().to_string(),
                ],
                public_jwks: json!({ "keys": [client_key.public_jwk()] }),
                vtr: wanted.vtr.iter().chain(&wanted.step_up_vtr).cloned().collect(),
                scopes: wanted.scopes.clone(),
            }],
            people: people.iter().map(|person| person.persona.clone()).collect(),
            clock: clock.clone(),
            random: random.clone(),
        })
        .unwrap();
        let pages = Router::new().nest("/simulator", simulator.router());
        let service = pages.clone().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });

        let identity = Identity::new(IdentityDeps {
            db,
            clock,
            random,
            keys,
            client_key,
            patients,
            access_log: log,
            profile: Profile::Sandbox,
            settings: settings.identity.clone(),
            sessions: settings.sessions.clone(),
            issuer: simulator.issuer().to_owned(),
            redirect_base: base,
            http: Outgoing::new(OutgoingLimits::default()).unwrap(),
        })
        .unwrap();
        Self { _folder: folder, simulator, pages, identity, settings, people }
    }

    fn person(&self, given_name: &str) -> &MadeUpPerson {
        self.people.iter().find(|person| person.persona.given_name == given_name).unwrap()
    }

    async fn browse(&self, request: Request<Body>) -> Response {
        let mut request = request;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000))));
        self.pages.clone().oneshot(request).await.unwrap()
    }

    async fn post(&self, pairs: &[(&str, &str)]) -> Response {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = Request::post("/simulator/choose")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        self.browse(request).await
    }

    /// Signs a person in as a browser would, completing the identity check where it is asked for.
    async fn sign_in(&self, given_name: &str, step_up: Option<&Session>) -> Result<SignedIn, SignInError> {
        let sub = self.person(given_name).persona.sub.clone();
        let begin = Begin { request_id: Uuid::from_u128(1), ..Begin::default() };
        let begun = match step_up {
            None => self.identity.begin(begin).await?,
            Some(session) => self.identity.begin_step_up(session, begin).await?,
        };
        let path = format!("{}?{}", begun.redirect.path(), begun.redirect.query().unwrap());
        let response = self.browse(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let page =
            String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap();
        let (_, rest) = page.split_once(r#"name="request" value=""#).unwrap();
        let request = rest.split('"').next().unwrap();
        let mut response = self.post(&[("request", request), ("person", &sub)]).await;
        if response.status() == StatusCode::OK {
            response = self.post(&[("request", request), ("person", &sub), ("answer", "complete")]).await;
        }
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let location = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
        let mut told: HashMap<String, String> = location.query_pairs().into_owned().collect();
        let callback = Callback {
            provider: self.settings.identity.provider.clone(),
            code: told.remove("code"),
            state: told.remove("state"),
            iss: told.remove("iss"),
            error: told.remove("error"),
            error_description: told.remove("error_description"),
        };
        let request_id = Uuid::from_u128(2);
        self.identity.complete(callback, Some(&begun.browser), Some("test"), request_id, step_up).await
    }

    fn fault(&self, change: Value) {
        let change: FaultsChange = serde_json::from_value(change).unwrap();
        self.simulator.change_faults(change).unwrap();
    }
}

#[tokio::test]
async fn each_person_comes_to_what_the_banner_says() {
    let house = House::new().await;
    for person in &house.people {
        let name = &*person.persona.given_name;
        let done = house.sign_in(name, None).await.map(|done| {
            let principal = done.session.principal();
            (principal.assurance, principal.subject.is_some())
        });
        let expected = match name {
            "Saffron" => Err(ErrorKind::ConsentNotGiven),
            "Wren" => Err(ErrorKind::UnderAge),
            "Ludovic" => Ok((Assurance::P0, false)),
            "Tamsin" => Ok((Assurance::P5, true)),
            "Eulalia" => Ok((Assurance::P9, false)),
            _ => Ok((Assurance::P9, true)),
        };
        assert_eq!(done.map_err(|error| error.kind()), expected, "{name}");
    }
    let vots = [("Barnaby", "P9.Cm"), ("Philomena", "P9.Cp.Cd")];
    for (name, vot) in vots {
        assert_eq!(house.sign_in(name, None).await.unwrap().session.vot(), vot, "{name}");
    }
}

#[tokio::test]
async fn the_identity_check_lifts_a_session_to_p9() {
    let house = House::new().await;
    for name in ["Tamsin", "Ludovic"] {
        let before = house.sign_in(name, None).await.unwrap();
        assert!(before.session.principal().assurance < Assurance::P9);
        let after = house.sign_in(name, Some(&before.session)).await.unwrap();
        let principal = after.session.principal();
        assert_eq!((principal.assurance, principal.subject.is_some()), (Assurance::P9, true), "{name}");
    }
}

#[tokio::test]
async fn a_changed_number_opens_the_same_record() {
    let house = House::new().await;
    let first = house.sign_in("Ambrose", None).await.unwrap();
    let second = house.sign_in("Ambrose", None).await.unwrap();
    let (first, second) = (first.session.principal(), second.session.principal());
    assert!(first.subject.is_some());
    assert_eq!((first.subject, first.actor), (second.subject, second.actor));
}

#[tokio::test]
async fn faults_are_felt_at_the_other_end() {
    let house = House::new().await;
    let table = [
        (json!({ "wrong_nonce": true }), ErrorKind::ProviderAnswerInvalid),
        (json!({ "vot": "P9.Cp" }), ErrorKind::ProviderAnswerInvalid),
        (json!({ "vot": "missing" }), ErrorKind::ProviderAnswerInvalid),
        (json!({ "userinfo_sub_swap": true }), ErrorKind::ProviderAnswerInvalid),
        (json!({ "fail": { "token": 503 } }), ErrorKind::ProviderUnavailable),
        (json!({ "fail": { "userinfo": 500 } }), ErrorKind::ProviderUnavailable),
    ];
    for (fault, expected) in table {
        house.fault(fault.clone());
        let error = house.sign_in("Philomena", None).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{fault}: {}", error.reason);
        house.fault(json!({ "reset": true }));
        assert!(house.sign_in("Philomena", None).await.is_ok(), "after {fault}");
    }
    house.fault(json!({ "vot": "P5.Cp.Cd" }));
    let done = house.sign_in("Philomena", None).await.unwrap();
    assert_eq!(done.session.principal().assurance, Assurance::P5);
}

#[tokio::test]
async fn a_rotated_key_costs_one_more_fetch() {
    let house = House::new().await;
    let fetches = || house.simulator.report().calls[&Endpoint::Jwks];
    house.sign_in("Philomena", None).await.unwrap();
    let before = fetches();
    house.sign_in("Philomena", None).await.unwrap();
    assert_eq!(fetches(), before);
    house.fault(json!({ "rotate_key": true }));
    house.sign_in("Philomena", None).await.unwrap();
    assert_eq!(fetches(), before + 1);
    house.sign_in("Philomena", None).await.unwrap();
    assert_eq!(fetches(), before + 1);
}

#[tokio::test]
async fn the_assertions_it_wrote_down_are_the_ones_that_were_meant() {
    let house = House::new().await;
    for _ in 0..20 {
        house.sign_in("Philomena", None).await.unwrap();
    }
    let calls = house.simulator.report().token_calls;
    assert_eq!(calls.len(), 20);
    let mut jtis = std::collections::HashSet::new();
    let client = Some(json!(house.settings.identity.client_id));
    for call in calls {
        assert_eq!((call.outcome, call.alg), ("ok", Some(json!("RS512"))));
        assert!(call.kid.is_some());
        assert_eq!((&call.iss, &call.sub), (&client, &client));
        let lifetime = call.exp.unwrap().as_i64().unwrap() - call.iat.unwrap().as_i64().unwrap();
        assert!((1..=60).contains(&lifetime));
        assert!(jtis.insert(call.jti.unwrap().to_string()));
    }
}
