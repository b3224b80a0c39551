//! Whole sign-ins against a provider that says what a test tells it to.

mod forged;
mod people;
mod provider_faults;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use platform::Clock;
use platform::keys::RsaKey;
use platform::settings::Profile;
use record_access::NhsNumber;
use record_access::patients::{Details, NewPatient, PersonName};
use serde_json::{Value, json};

use super::*;
use crate::service::{Begin, reseal_names};
use crate::testing::{FakeProvider, Script, World};

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";

struct Scene {
    world: World,
    provider: FakeProvider,
    identity: Identity,
}

/// A browser on its way to the provider.
struct Away {
    state: String,
    browser: String,
    asked: HashMap<String, String>,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let provider = FakeProvider::start(&world.clock).await;
        let identity = world.identity(&provider.issuer);
        Self { world, provider, identity }
    }

    async fn patient(&self, number: &str, superseded: &[&str], born: &str) -> PatientId {
        let parse = |text: &str| NhsNumber::parse(text).unwrap();
        let new = NewPatient {
            nhs_number: parse(number),
            superseded_numbers: superseded.iter().map(|it| parse(it)).collect(),
            details: Details {
                name: PersonName { given: "Ada".to_owned(), family: "Example".to_owned() },
                birth_date: born.parse().unwrap(),
                contact: Default::default(),
            },
        };
        self.world.patients.register(&new).await.unwrap()
    }

    /// Goes to the provider and lets it speak to this sign-in: its nonce, its time.
    async fn leave(&self, session: Option<&Session>, begin: Begin) -> Away {
        let begun = match session {
            None => self.identity.begin(begin).await.unwrap(),
            Some(session) => self.identity.begin_step_up(session, begin).await.unwrap(),
        };
        let asked: HashMap<String, String> = begun.redirect.query_pairs().into_owned().collect();
        let now = self.world.clock.now().timestamp();
        self.provider.set(|script| {
            script.claims["nonce"] = asked["nonce"].clone().into();
            script.claims["iat"] = now.into();
            script.claims["exp"] = (now + 3600).into();
            script.claims["auth_time"] = (now - 30).into();
        });
        Away { state: asked["state"].clone(), browser: begun.browser, asked }
    }

    fn callback(&self, away: &Away) -> Callback {
        Callback {
            provider: "login".to_owned(),
            code: Some("code-1".to_owned()),
            state: Some(away.state.clone()),
            ..Callback::default()
        }
    }

    async fn back(
        &self,
        away: &Away,
        callback: Callback,
        session: Option<&Session>,
    ) -> Result<SignedIn, SignInError> {
        self.identity
            .complete(callback, Some(&away.browser), Some(FIREFOX), self.world.random.uuid(), session)
            .await
    }

    /// A whole sign-in, with a change to what the provider says.
    async fn sign_in(&self, change: impl FnOnce(&mut Script)) -> Result<SignedIn, SignInError> {
        let away = self.leave(None, Begin::default()).await;
        self.provider.set(change);
        self.back(&away, self.callback(&away), None).await
    }

    /// Every entry of the access log: actor told or not, subject, authority, refusal.
    async fn entries(&self) -> Vec<(bool, Option<Uuid>, String, Option<String>)> {
        let entries = self.world.log.search(|_| true).await.unwrap();
        entries
            .into_iter()
            .map(|entry| (entry.actor.is_some(), entry.subject, entry.authority, entry.refused))
            .collect()
    }

    async fn count(&self, table: &str) -> i64 {
        use sea_orm::{ConnectionTrait, Statement};
        let db = self.world.db.read();
        let sql = format!("SELECT COUNT(*) AS n FROM {table}");
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        row.unwrap().try_get("", "n").unwrap()
    }
}

fn assert_send<T: Send>(it: T) -> T {
    it
}

#[tokio::test]
async fn a_whole_sign_in() {
    let scene = Scene::new().await;
    let patient = scene.patient("9990000018", &[], "1980-05-04").await;
    let away =
        scene.leave(None, Begin { return_to: Some("/results?tab=1".to_owned()), ..Begin::default() }).await;

    assert_eq!(away.asked["response_type"], "code");
    assert_eq!(away.asked["client_id"], "front-door");
    assert_eq!(away.asked["redirect_uri"], "https://front.example/auth/callback/login");
    assert_eq!(away.asked["scope"], "openid profile profile_extended email");
    assert_eq!(away.asked["code_challenge_method"], "S256");
    let vtr: Vec<String> = serde_json::from_str(&away.asked["vtr"]).unwrap();
    assert_eq!(vtr, scene.world.settings.identity.vtr);

    let callback = scene.callback(&away);
    let signed_in = assert_send(scene.back(&away, callback.clone(), None)).await.unwrap();
    assert_eq!(signed_in.return_to, "/results?tab=1");
    let session = scene.identity.sessions().load(&signed_in.token).await.unwrap().unwrap();
    assert_eq!(session.id(), signed_in.session.id());
    assert_eq!(session.principal().subject, Some(patient));
    assert_eq!(session.principal().assurance, record_access::Assurance::P9);
    assert_eq!(session.id_token_jti(), Some("jti-1"));
    assert_eq!(session.vot(), "P9.Cp.Cd");
    assert_eq!(session.principal().authenticated_at, scene.world.clock.now() - chrono::Duration::seconds(30));
    let account = session.principal().actor;
    assert_eq!(scene.identity.person_name(account).await.unwrap().as_deref(), Some("Ada Example"));
    assert_eq!(scene.identity.sessions().list(account).await.unwrap()[0].device, "Firefox on Windows");
    assert_eq!(scene.entries().await, [(true, Some(patient.0), "self".to_owned(), None)]);

    // The code was redeemed with the verifier of the challenge, and with an assertion of our own.
    let body = scene.provider.bodies("/token").pop().unwrap();
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let challenge = platform::crypto::b64url(&sha256(form["code_verifier"].as_bytes()));
    assert_eq!(challenge, away.asked["code_challenge"]);
    assert!(!form.contains_key("client_secret"));
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let part = |at: usize| -> Value {
        let part = form["client_assertion"].split('.').nth(at).unwrap();
        serde_json::from_slice(&platform::crypto::from_b64url(part).unwrap()).unwrap()
    };
    assert_eq!(part(0)["alg"], "RS512");
    assert!(part(0)["kid"].is_string());
    assert_eq!(part(1)["iss"], "front-door");
    assert_eq!(part(1)["sub"], "front-door");
    assert_eq!(part(1)["aud"], format!("{}/token", scene.provider.issuer));
    assert_eq!(part(1)["exp"].as_i64().unwrap() - part(1)["iat"].as_i64().unwrap(), 60);

    // The same callback again opens nothing.
    let again = scene.back(&away, callback, Some(&signed_in.session)).await.unwrap_err();
    assert_eq!((again.kind, again.reason), (ErrorKind::SignInAttemptInvalid, "state_unknown"));
    assert_eq!(scene.count("session").await, 1);
    assert!(scene.identity.sessions().load(&signed_in.token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_callback_belongs_to_the_browser_the_provider_and_the_time_it_began_in() {
    let scene = Scene::new().await;
    let away = |begin| scene.leave(None, begin);
    type Change = fn(&mut Callback);
    let table: [(&str, Change, bool); 9] = [
        ("state_missing", |it| it.state = None, false),
        ("state_malformed", |it| it.state = Some("' OR 1=1".to_owned()), false),
        ("state_unknown", |it| it.state = Some("A".repeat(43)), false),
        ("provider_mismatch", |it| it.provider = "other".to_owned(), true),
        ("callback_issuer", |it| it.iss = Some("https://evil.example".to_owned()), true),
        ("code_missing", |it| it.code = None, true),
        ("code_missing", |it| it.code = Some(String::new()), true),
        ("code_malformed", |it| it.code = Some("x".repeat(4097)), true),
        ("browser_mismatch", |_| (), true),
    ];
    for (reason, change, consumed) in table {
        let mut gone = away(Begin::default()).await;
        let mut callback = scene.callback(&gone);
        change(&mut callback);
        if reason == "browser_mismatch" {
            gone.browser = scene.world.random.token();
        }
        let refused = scene.back(&gone, callback, None).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (ErrorKind::SignInAttemptInvalid, reason));
        // Whatever was wrong, the attempt is gone.
        let again = scene.back(&gone, scene.callback(&gone), None).await;
        assert_eq!(again.is_err(), consumed, "{reason}");
    }
    // Without any cookie.
    let gone = away(Begin::default()).await;
    let none = scene.identity.complete(scene.callback(&gone), None, None, Uuid::nil(), None).await;
    assert_eq!(none.unwrap_err().reason, "browser_mismatch");
    // Too late.
    let gone = away(Begin::default()).await;
    scene.world.clock.advance(chrono::Duration::minutes(10));
    assert_eq!(scene.back(&gone, scene.callback(&gone), None).await.unwrap_err().reason, "state_expired");
    // The issuer, where it is told, may be told.
    let gone = away(Begin::default()).await;
    let callback = Callback { iss: Some(scene.provider.issuer.clone()), ..scene.callback(&gone) };
    assert!(scene.back(&gone, callback, None).await.is_ok());
}

#[tokio::test]
async fn two_tabs_share_a_browser_and_one_of_two_callbacks_wins() {
    let scene = Scene::new().await;
    let first = scene.leave(None, Begin::default()).await;
    let second = scene.leave(None, Begin { browser: Some(first.browser.clone()), ..Begin::default() }).await;
    assert_eq!(first.browser, second.browser);
    let odd = scene.leave(None, Begin { browser: Some("odd".to_owned()), ..Begin::default() }).await;
    assert_ne!(odd.browser, "odd");
    scene.provider.set(|script| script.claims["nonce"] = second.asked["nonce"].clone().into());
    let (one, other) = tokio::join!(
        scene.back(&second, scene.callback(&second), None),
        scene.back(&second, scene.callback(&second), None)
    );
    assert!(one.is_ok() != other.is_ok(), "taken once");
    scene.provider.set(|script| script.claims["nonce"] = first.asked["nonce"].clone().into());
    assert!(scene.back(&first, scene.callback(&first), None).await.is_ok(), "the first tab still can");
}

#[tokio::test]
async fn proving_more_replaces_the_session_of_the_same_person_only() {
    let scene = Scene::new().await;
    let patient = scene.patient("9990000018", &[], "1980-05-04").await;
    let low = |script: &mut Script| {
        script.claims["vot"] = "P5.Cp.Cd".into();
    };
    let first = scene.sign_in(low).await.unwrap();
    scene.world.clock.advance(chrono::Duration::minutes(20));
    let session = first.session.clone();
    let begin = || Begin { return_to: Some("/results".to_owned()), ..Begin::default() };

    // Another person.
    let away = scene.leave(Some(&session), begin()).await;
    let vtr: Vec<String> = serde_json::from_str(&away.asked["vtr"]).unwrap();
    assert_eq!(vtr, scene.world.settings.identity.step_up_vtr);
    scene.provider.set(|script| {
        script.claims["vot"] = "P9.Cm".into();
        script.claims["sub"] = "person-2".into();
        script.userinfo["sub"] = "person-2".into();
    });
    let refused = scene.back(&away, scene.callback(&away), Some(&session)).await.unwrap_err();
    assert_eq!((refused.kind, refused.reason), (ErrorKind::SignInRefused, "step_up_other_person"));
    scene.provider.set(|script| {
        script.claims["sub"] = "person-1".into();
        script.userinfo["sub"] = "person-1".into();
    });
    // Less than was asked for, by vector and by proofing.
    let away = scene.leave(Some(&session), begin()).await;
    scene.provider.set(low);
    let refused = scene.back(&away, scene.callback(&away), Some(&session)).await.unwrap_err();
    assert_eq!((refused.kind, refused.reason), (ErrorKind::ProviderAnswerInvalid, "vot_not_requested"));
    let proofing = |level: &'static str| {
        move |script: &mut Script| {
            script.claims["vot"] = "P9.Cm".into();
            script.claims["identity_proofing_level"] = level.into();
            script.userinfo["identity_proofing_level"] = level.into();
        }
    };
    let away = scene.leave(Some(&session), begin()).await;
    scene.provider.set(proofing("P5"));
    let refused = scene.back(&away, scene.callback(&away), Some(&session)).await.unwrap_err();
    assert_eq!((refused.kind, refused.reason), (ErrorKind::SignInRefused, "step_up_not_reached"));
    scene.provider.set(proofing("P9"));
    // Without the session it began in, or in another.
    let other = scene.sign_in(|_| ()).await.unwrap().session;
    for current in [None, Some(&other)] {
        let away = scene.leave(Some(&session), begin()).await;
        let refused = scene.back(&away, scene.callback(&away), current).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (ErrorKind::SignInAttemptInvalid, "step_up_session"));
    }
    // None of that disturbed the session.
    let sessions = scene.identity.sessions();
    assert_eq!(
        sessions.load(&first.token).await.unwrap().unwrap().principal().assurance,
        record_access::Assurance::P5
    );

    let away = scene.leave(Some(&session), begin()).await;
    let done = scene.back(&away, scene.callback(&away), Some(&session)).await.unwrap();
    assert_eq!(done.return_to, "/results");
    assert_ne!(done.session.id(), session.id());
    assert_eq!(done.session.principal().assurance, record_access::Assurance::P9);
    assert_eq!(done.session.principal().subject, Some(patient));
    assert_eq!(done.session.absolute_ends_at(), session.absolute_ends_at(), "the twelve hours run on");
    assert!(sessions.load(&first.token).await.unwrap().is_none(), "the old one is dead");
    assert!(sessions.load(&done.token).await.unwrap().is_some());
}

#[tokio::test]
async fn signing_in_again_ends_the_session_the_browser_had() {
    let scene = Scene::new().await;
    let first = scene.sign_in(|_| ()).await.unwrap();
    let away = scene.leave(None, Begin::default()).await;
    let second = scene.back(&away, scene.callback(&away), Some(&first.session)).await.unwrap();
    let sessions = scene.identity.sessions();
    assert!(sessions.load(&first.token).await.unwrap().is_none());
    assert!(sessions.load(&second.token).await.unwrap().is_some());
}

#[tokio::test]
async fn without_an_entry_in_the_access_log_nobody_signs_in() {
    use sea_orm::ConnectionTrait;
    let scene = Scene::new().await;
    scene.world.db.write().execute_unprepared("ALTER TABLE access_log_block RENAME TO gone").await.unwrap();
    let refused = scene.sign_in(|_| ()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AccessLogUnavailable);
    assert_eq!(scene.count("session").await, 0);
    // A refusal that cannot be written down is told as such too.
    let refused = scene.sign_in(|script| script.claims["vot"] = "P9.Cp".into()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AccessLogUnavailable);
}

#[tokio::test]
async fn attempts_nobody_came_back_from_are_swept() {
    let scene = Scene::new().await;
    scene.leave(None, Begin::default()).await;
    assert_eq!(scene.identity.sweep(scene.world.clock.now()).await.unwrap(), 0);
    let later = scene.world.clock.now() + chrono::Duration::minutes(10);
    assert_eq!(scene.identity.sweep(later).await.unwrap(), 1);
}

#[test]
fn production_takes_no_simulator() {
    use crate::check_discovery_marker;
    for (document, allowed) in [
        (json!({ "simulator": true }), false),
        (json!({ "simulator": "yes" }), false),
        (json!({ "simulator": false }), true),
        (json!({}), true),
    ] {
        assert_eq!(check_discovery_marker(Profile::Production, &document).is_ok(), allowed, "{document}");
        assert_eq!(check_discovery_marker(Profile::Sandbox, &document), Ok(()));
    }
}
