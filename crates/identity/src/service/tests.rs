//! Whole sign-ins against a provider that says what a test tells it to.

use std::collections::HashMap;

use chrono::NaiveDate;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use platform::Clock;
use record_access::NhsNumber;
use record_access::patients::{Details, NewPatient, PersonName};
use serde_json::{Value, json};

use super::*;
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
        use sea_orm::{ConnectionTrait, Statement};
        let sql = "SELECT actor, subject, authority, refused FROM access_log ORDER BY month, lane, seq";
        let db = self.world.db.read();
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        rows.iter()
            .map(|row| {
                let actor: Option<Uuid> = row.try_get("", "actor").unwrap();
                (
                    actor.is_some(),
                    row.try_get("", "subject").unwrap(),
                    row.try_get("", "authority").unwrap(),
                    row.try_get("", "refused").unwrap(),
                )
            })
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
async fn forged_answers_open_nothing_and_leave_one_entry_each() {
    let scene = Scene::new().await;
    scene.patient("9990000018", &[], "1980-05-04").await;
    let now = scene.world.clock.now().timestamp();
    let key = scene.provider.script.lock().unwrap().key.clone();
    let claim = |name: &'static str, value: Value| -> Box<dyn Fn(&mut Script)> {
        Box::new(move |script| {
            if value.is_null() {
                script.claims.as_object_mut().unwrap().remove(name);
            } else {
                script.claims[name] = value.clone();
            }
        })
    };
    let userinfo = |name: &'static str, value: Value| -> Box<dyn Fn(&mut Script)> {
        Box::new(move |script| script.userinfo[name] = value.clone())
    };
    let header = |change: fn(&mut Header)| -> Box<dyn Fn(&mut Script)> {
        let key = key.clone();
        Box::new(move |script| {
            let mut header = Header::new(Algorithm::RS512);
            header.kid = Some(key.kid().to_owned());
            change(&mut header);
            script.raw_token = Some(key.sign_with(&header, &script.claims).unwrap());
        })
    };
    let stranger = Arc::new(RsaKey::generate().unwrap());
    let issuer = scene.provider.issuer.clone();
    let forged: Vec<(&str, Box<dyn Fn(&mut Script)>)> = vec![
        ("id_token_alg", header(|it| it.alg = Algorithm::RS256)),
        ("id_token_alg", header(|it| it.alg = Algorithm::RS384)),
        ("id_token_alg", header(|it| it.alg = Algorithm::PS512)),
        ("id_token_alg", {
            let pem = key.public_jwk()["n"].as_str().unwrap().to_owned();
            Box::new(move |script| {
                let mut header = Header::new(Algorithm::HS512);
                header.kid = Some(script.key.kid().to_owned());
                let secret = EncodingKey::from_secret(pem.as_bytes());
                script.raw_token = Some(jsonwebtoken::encode(&header, &script.claims, &secret).unwrap());
            })
        }),
        (
            "id_token_alg",
            Box::new(|script| {
                let claims = platform::crypto::b64url(script.claims.to_string().as_bytes());
                script.raw_token =
                    Some(format!("{}.{claims}.", platform::crypto::b64url(br#"{"alg":"none"}"#)));
            }),
        ),
        (
            "id_token_alg",
            Box::new(|script| {
                let claims = platform::crypto::b64url(script.claims.to_string().as_bytes());
                script.raw_token =
                    Some(format!("{}.{claims}.", platform::crypto::b64url(br#"{"alg":"nOnE"}"#)));
            }),
        ),
        ("id_token_header", header(|it| it.typ = Some("at+jwt".to_owned()))),
        ("id_token_header", header(|it| it.cty = Some("JWT".to_owned()))),
        (
            "id_token_signature",
            Box::new(|script| {
                let token = script.key.sign(None, &script.claims).unwrap();
                let (body, signature) = token.rsplit_once('.').unwrap();
                let mut bytes = platform::crypto::from_b64url(signature).unwrap();
                bytes[7] ^= 1;
                script.raw_token = Some(format!("{body}.{}", platform::crypto::b64url(&bytes)));
            }),
        ),
        (
            "id_token_signature",
            Box::new(|script| {
                let token = script.key.sign(None, &script.claims).unwrap();
                let parts: Vec<&str> = token.split('.').collect();
                let mut claims = script.claims.clone();
                claims["sub"] = "person-2".into();
                let body = platform::crypto::b64url(claims.to_string().as_bytes());
                script.raw_token = Some(format!("{}.{body}.{}", parts[0], parts[2]));
            }),
        ),
        ("id_token_signature", {
            let stranger = stranger.clone();
            Box::new(move |script| {
                let mut header = Header::new(Algorithm::RS512);
                header.kid = Some(script.key.kid().to_owned());
                script.raw_token = Some(stranger.sign_with(&header, &script.claims).unwrap());
            })
        }),
        ("id_token_signature", {
            let stranger = stranger.clone();
            Box::new(move |script| {
                let header = Header::new(Algorithm::RS512);
                script.raw_token = Some(stranger.sign_with(&header, &script.claims).unwrap());
            })
        }),
        ("id_token_key_unknown", header(|it| it.kid = Some("../../etc/passwd".to_owned()))),
        ("id_token_key_unknown", header(|it| it.kid = Some(String::new()))),
        ("id_token_key_unknown", {
            // A key the token itself points to is never fetched.
            let stranger = stranger.clone();
            Box::new(move |script| {
                let mut header = Header::new(Algorithm::RS512);
                header.kid = Some("theirs".to_owned());
                header.jku = Some("http://127.0.0.1:1/jwks".to_owned());
                header.x5u = Some("http://127.0.0.1:1/x5u".to_owned());
                script.raw_token = Some(stranger.sign_with(&header, &script.claims).unwrap());
            })
        }),
        ("id_token_malformed", Box::new(|script| script.raw_token = Some("not.a.token".to_owned()))),
        ("id_token_malformed", Box::new(|script| script.raw_token = Some(String::new()))),
        ("id_token_issuer", claim("iss", json!("https://evil.example"))),
        ("id_token_issuer", claim("iss", json!(format!("{issuer}/")))),
        ("id_token_malformed", claim("iss", Value::Null)),
        ("id_token_audience", claim("aud", json!("other-client"))),
        ("id_token_audience", claim("aud", json!(["front-door", "other-client"]))),
        ("id_token_audience", claim("aud", json!([]))),
        ("id_token_audience", claim("aud", Value::Null)),
        ("id_token_authorized_party", claim("azp", json!("other-client"))),
        ("id_token_expired", claim("exp", json!(now - 61))),
        ("id_token_malformed", claim("exp", Value::Null)),
        ("id_token_malformed", claim("exp", json!("soon"))),
        ("id_token_malformed", claim("exp", json!(1e300))),
        ("id_token_lifetime", claim("exp", json!(now + 10 * 365 * 86_400))),
        ("id_token_issued_at", claim("iat", json!(now + 301))),
        ("id_token_issued_at", claim("iat", json!(now - 301))),
        ("id_token_malformed", claim("iat", Value::Null)),
        ("id_token_auth_time", claim("auth_time", json!(now + 120))),
        ("id_token_not_before", claim("nbf", json!(now + 120))),
        ("id_token_not_before", claim("nbf", json!("now"))),
        ("id_token_nonce", claim("nonce", json!("another"))),
        ("id_token_nonce", claim("nonce", Value::Null)),
        ("id_token_subject", claim("sub", json!(""))),
        ("id_token_subject", claim("sub", json!("a\nb"))),
        ("id_token_subject", claim("sub", json!("x".repeat(256)))),
        ("id_token_malformed", claim("sub", Value::Null)),
        ("id_token_jti", claim("jti", json!(7))),
        ("vot_missing", claim("vot", Value::Null)),
        ("vot_malformed", claim("vot", json!(["P9.Cm"]))),
        ("vot_malformed", claim("vot", json!("P9.Cp.Cp.Cd"))),
        ("vot_not_requested", claim("vot", json!("P9.Cp"))),
        (
            "proofing_level_malformed",
            Box::new(|script| {
                script.claims["identity_proofing_level"] = json!("P99");
                script.userinfo["identity_proofing_level"] = json!("P99");
            }),
        ),
        ("proofing_level_contradicted", userinfo("identity_proofing_level", json!("P5"))),
        ("userinfo_subject", userinfo("sub", json!("person-2"))),
        ("userinfo_malformed", Box::new(|script| script.userinfo = json!({}))),
        ("userinfo_malformed", Box::new(|script| script.userinfo = json!("eyJ.eyJ.sig"))),
        ("nhs_number_contradicted", userinfo("nhs_number", json!("9990000026"))),
        ("birthdate_contradicted", userinfo("birthdate", json!("1980-05-05"))),
        (
            "nhs_number_invalid",
            Box::new(|script| {
                script.claims["nhs_number"] = json!("9990000019");
                script.userinfo["nhs_number"] = json!("9990000019");
            }),
        ),
        (
            "nhs_number_invalid",
            Box::new(|script| {
                script.claims["nhs_number"] = json!(9_990_000_018_i64);
                script.userinfo["nhs_number"] = json!(9_990_000_018_i64);
            }),
        ),
        (
            "birthdate_invalid",
            Box::new(|script| {
                script.claims["birthdate"] = json!("1980-02-30");
                script.userinfo["birthdate"] = json!("1980-02-30");
            }),
        ),
        (
            "birthdate_missing",
            Box::new(|script| {
                script.claims.as_object_mut().unwrap().remove("birthdate");
                script.userinfo.as_object_mut().unwrap().remove("birthdate");
            }),
        ),
        (
            "id_token_missing",
            Box::new(|script| {
                script
                    .instead
                    .insert("/token", (200, r#"{"access_token":"a","token_type":"Bearer"}"#.to_owned()));
            }),
        ),
        (
            "token_malformed",
            Box::new(|script| {
                script.instead.insert("/token", (200, "<html>".to_owned()));
            }),
        ),
        (
            "access_token_malformed",
            Box::new(|script| {
                let token = script.key.sign(None, &script.claims).unwrap();
                let answer = json!({ "access_token": "a\r\nb", "token_type": "Bearer", "id_token": token });
                script.instead.insert("/token", (200, answer.to_string()));
            }),
        ),
    ];
    let control = {
        let script = scene.provider.script.lock().unwrap();
        (script.claims.clone(), script.userinfo.clone())
    };
    for (at, (reason, forge)) in forged.iter().enumerate() {
        let refused = scene.sign_in(forge).await.expect_err(reason);
        assert_eq!((refused.kind, refused.reason), (ErrorKind::ProviderAnswerInvalid, *reason), "case {at}");
        scene.provider.set(|script| {
            (script.claims, script.userinfo) = control.clone();
            script.raw_token = None;
            script.instead.clear();
        });
        let entries = scene.entries().await;
        assert_eq!(entries.len(), at + 1, "one entry for case {at}");
        assert_eq!(entries[at].3.as_deref(), Some(*reason));
    }
    assert_eq!(scene.count("session").await, 0);
    assert_eq!(scene.count("account").await, 0);
    assert_eq!(scene.count("sign_in_attempt").await, 0);
    assert!(scene.sign_in(|_| ()).await.is_ok(), "the unchanged control passes");
}

#[tokio::test]
async fn clocks_may_differ_by_a_minute() {
    let scene = Scene::new().await;
    let now = scene.world.clock.now().timestamp();
    for (name, value) in [("exp", now - 59), ("iat", now + 299), ("iat", now - 299), ("auth_time", now + 59)]
    {
        let done = scene.sign_in(|script| {
            if name == "exp" {
                script.claims["iat"] = (now - 200).into();
            }
            script.claims[name] = value.into();
        });
        assert!(done.await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn assurance_follows_vector_and_proofing_and_p0_opens_no_record() {
    use record_access::Assurance::{P0, P5, P9};
    let scene = Scene::new().await;
    let patient = scene.patient("9990000018", &[], "1980-05-04").await;
    for (vot, proofing, expected, subject) in [
        ("P0.Cp", Some("P9"), P0, None),
        ("P5.Cd.Cp", Some("P9"), P5, Some(patient)),
        ("P9.Cm", Some("P9"), P9, Some(patient)),
        ("P9.Cm", Some("P5"), P5, Some(patient)),
        ("P9.Cm", None, P0, None),
    ] {
        let signed_in = scene.sign_in(|script| {
            script.claims["vot"] = vot.into();
            script.claims["identity_proofing_level"] = proofing.into();
            script.userinfo["identity_proofing_level"] = proofing.into();
        });
        let session = signed_in.await.unwrap().session;
        assert_eq!(
            (session.principal().assurance, session.principal().subject),
            (expected, subject),
            "{vot} {proofing:?}"
        );
    }
    assert_eq!(scene.count("account").await, 1);
}

#[tokio::test]
async fn a_record_opens_only_where_number_and_birth_date_agree() {
    let scene = Scene::new().await;
    let patient = scene.patient("9990000018", &["9990000026"], "1980-05-04").await;
    let told = |number: &'static str, born: &'static str| {
        move |script: &mut Script| {
            for claims in [&mut script.claims, &mut script.userinfo] {
                claims["nhs_number"] = number.into();
                claims["birthdate"] = born.into();
            }
        }
    };
    let subject = |done: SignedIn| done.session.principal().subject;
    assert_eq!(subject(scene.sign_in(told("9990000018", "1980-05-05")).await.unwrap()), None);
    assert_eq!(subject(scene.sign_in(told("9990000018", "1980-05-04")).await.unwrap()), Some(patient));
    // A former number of the same patient is the same person.
    assert_eq!(subject(scene.sign_in(told("9990000026", "1980-05-04")).await.unwrap()), Some(patient));
    assert!(scene.entries().await.iter().all(|entry| entry.3.is_none()));
}

#[tokio::test]
async fn a_changed_number_of_another_person_opens_nothing_ever() {
    let scene = Scene::new().await;
    let mine = scene.patient("9990000018", &[], "1980-05-04").await;
    let theirs = scene.patient("9990000026", &[], "1980-05-04").await;
    let number = |number: &'static str| {
        move |script: &mut Script| {
            script.claims["nhs_number"] = number.into();
            script.userinfo["nhs_number"] = number.into();
        }
    };
    assert_eq!(scene.sign_in(number("9990000018")).await.unwrap().session.principal().subject, Some(mine));
    for _ in 0..2 {
        let session = scene.sign_in(number("9990000026")).await.unwrap().session;
        assert_eq!(session.principal().subject, None);
        assert_ne!(session.principal().subject, Some(theirs));
        let refused: Vec<_> = scene.entries().await.into_iter().filter_map(|entry| entry.3).collect();
        assert!(refused.iter().all(|reason| reason == "nhs_number_changed") && !refused.is_empty());
    }
    assert_eq!(scene.sign_in(number("9990000018")).await.unwrap().session.principal().subject, Some(mine));
    // The same number with another subject is a second account of the same patient, and the log says so.
    let second = scene.sign_in(|script| {
        number("9990000018")(script);
        script.claims["sub"] = "person-2".into();
        script.userinfo["sub"] = "person-2".into();
    });
    assert_eq!(second.await.unwrap().session.principal().subject, Some(mine));
    assert_eq!(scene.entries().await.last().unwrap().2, "self:another-account");
    assert_eq!(scene.count("account").await, 2);
}

#[tokio::test]
async fn a_child_has_no_account_before_the_thirteenth_birthday() {
    let scene = Scene::new().await;
    let born = |day: &'static str| {
        move |script: &mut Script| {
            script.claims["birthdate"] = day.into();
            script.userinfo["birthdate"] = day.into();
        }
    };
    let today = NaiveDate::from_ymd_opt(2026, 11, 2).unwrap();
    assert_eq!(london_date(scene.world.clock.now()), today);
    let refused = scene.sign_in(born("2013-11-03")).await.unwrap_err();
    assert_eq!((refused.kind, refused.reason), (ErrorKind::UnderAge, "under_age"));
    assert_eq!((scene.count("account").await, scene.count("session").await), (0, 0));
    assert!(scene.sign_in(born("2013-11-02")).await.is_ok());
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
async fn every_way_the_provider_says_no() {
    let scene = Scene::new().await;
    use ErrorKind::{ConsentNotGiven, ProviderUnavailable, SignInRefused};
    for (error, description, kind, reason) in [
        (Some("access_denied"), Some("ConsentNotGiven"), ConsentNotGiven, "consent_not_given"),
        (None, Some("ConsentNotGiven"), ConsentNotGiven, "consent_not_given"),
        (Some("access_denied"), Some("End-User aborted interaction"), SignInRefused, "access_denied"),
        (Some("access_denied"), None, SignInRefused, "access_denied"),
        (Some("login_required"), None, SignInRefused, "provider_interaction_required"),
        (Some("invalid_scope"), None, SignInRefused, "provider_request_refused"),
        (Some("<script>"), None, SignInRefused, "provider_error"),
        (Some("server_error"), None, ProviderUnavailable, "provider_server_error"),
        (Some("temporarily_unavailable"), None, ProviderUnavailable, "provider_busy"),
    ] {
        let away = scene.leave(None, Begin::default()).await;
        let callback = Callback {
            error: error.map(str::to_owned),
            error_description: description.map(str::to_owned),
            ..scene.callback(&away)
        };
        let refused = scene.back(&away, callback, None).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (kind, reason));
        assert_eq!(scene.entries().await.last().unwrap().3.as_deref(), Some(reason));
    }
    assert_eq!((scene.count("account").await, scene.count("session").await), (0, 0));
    assert_eq!(scene.provider.times_asked("/token"), 0);
}

#[tokio::test]
async fn a_provider_that_is_down_slow_or_wrong_is_told_apart() {
    use ErrorKind::{ProviderAnswerInvalid, ProviderTimeout, ProviderUnavailable, SignInAttemptInvalid};
    let scene = Scene::new().await;
    let error = |code: &str| (400, json!({ "error": code }).to_string());
    for (path, instead, kind, reason) in [
        ("/token", (500, String::new()), ProviderUnavailable, "token_unavailable"),
        ("/token", (503, "<html>".to_owned()), ProviderUnavailable, "token_unavailable"),
        ("/token", (429, String::new()), ProviderUnavailable, "token_unavailable"),
        ("/token", error("invalid_grant"), SignInAttemptInvalid, "code_refused"),
        ("/token", error("invalid_client"), ProviderUnavailable, "client_refused"),
        ("/token", error("invalid_request"), ProviderUnavailable, "token_refused"),
        ("/token", (400, "<html>".to_owned()), ProviderAnswerInvalid, "token_malformed"),
        ("/token", (302, String::new()), ProviderAnswerInvalid, "token_malformed"),
        ("/userinfo", (500, String::new()), ProviderUnavailable, "userinfo_unavailable"),
        ("/userinfo", (401, String::new()), ProviderAnswerInvalid, "userinfo_refused"),
        ("/userinfo", (200, "x".repeat(300 * 1024)), ProviderAnswerInvalid, "userinfo_malformed"),
    ] {
        let refused = scene.sign_in(|script| {
            script.instead.insert(path, instead);
        });
        let refused = refused.await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (kind, reason), "{path}");
        scene.provider.set(|script| script.instead.clear());
    }
    for (path, reason) in [("/token", "token_timeout"), ("/userinfo", "userinfo_timeout")] {
        let refused = scene.sign_in(|script| script.silent.push(path)).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (ProviderTimeout, reason));
        scene.provider.set(|script| script.silent.clear());
    }
}

#[tokio::test]
async fn discovery_is_lazy_checked_and_survives_an_outage() {
    use ErrorKind::{ProviderAnswerInvalid, ProviderUnavailable};
    const DOCUMENT: &str = "/.well-known/openid-configuration";
    let scene = Scene::new().await;
    assert_eq!(scene.provider.times_asked(DOCUMENT), 0);
    let begin = || scene.identity.begin(Begin::default());
    for (change, kind, reason) in [
        (
            json!({ "issuer": format!("{}/", scene.provider.issuer) }),
            ProviderAnswerInvalid,
            "discovery_issuer",
        ),
        (json!({ "token_endpoint": null }), ProviderAnswerInvalid, "discovery_malformed"),
        (json!({ "userinfo_endpoint": null }), ProviderAnswerInvalid, "discovery_malformed"),
        (json!({ "token_endpoint": "file:///etc/passwd" }), ProviderAnswerInvalid, "discovery_endpoint"),
        (json!({ "jwks_uri": 7 }), ProviderAnswerInvalid, "discovery_malformed"),
    ] {
        scene.provider.set(|script| script.discovery = change);
        let refused = begin().await.unwrap_err();
        assert_eq!((refused.kind, refused.reason), (kind, reason));
    }
    scene.provider.set(|script| {
        script.discovery = json!({});
        script.instead.insert(DOCUMENT, (500, String::new()));
    });
    let refused = begin().await.unwrap_err();
    assert_eq!((refused.kind, refused.reason), (ProviderUnavailable, "discovery_unavailable"));
    assert_eq!(scene.count("sign_in_attempt").await, 0);
    // Up again: found, once for all who ask.
    scene.provider.set(|script| script.instead.clear());
    let before = scene.provider.times_asked(DOCUMENT);
    let (one, other) = tokio::join!(begin(), begin());
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(scene.provider.times_asked(DOCUMENT), before + 1);
    // Old, and down again: the last good one serves, and is not asked for at every sign-in.
    scene.world.clock.advance(chrono::Duration::hours(2));
    scene.provider.set(|script| {
        script.instead.insert(DOCUMENT, (500, String::new()));
    });
    for _ in 0..3 {
        assert!(begin().await.is_ok());
    }
    assert_eq!(scene.provider.times_asked(DOCUMENT), before + 2);
}

#[tokio::test]
async fn rotated_keys_are_fetched_once_and_unknown_ones_do_not_hammer_the_provider() {
    let scene = Scene::new().await;
    assert!(scene.sign_in(|_| ()).await.is_ok());
    assert_eq!(scene.provider.times_asked("/jwks"), 1);
    let fresh = Arc::new(RsaKey::generate().unwrap());
    let rotated = |script: &mut Script| {
        script.key = fresh.clone();
        script.jwks = json!({ "keys": [fresh.public_jwk()] });
    };
    assert!(scene.sign_in(rotated).await.is_ok(), "without a restart");
    assert!(scene.sign_in(|_| ()).await.is_ok());
    assert_eq!(scene.provider.times_asked("/jwks"), 2);
    for _ in 0..5 {
        let unknown = |script: &mut Script| {
            let mut header = Header::new(Algorithm::RS512);
            header.kid = Some(scene.world.random.token());
            script.raw_token = Some(script.key.sign_with(&header, &script.claims).unwrap());
        };
        assert_eq!(scene.sign_in(unknown).await.unwrap_err().reason, "id_token_key_unknown");
    }
    assert_eq!(scene.provider.times_asked("/jwks"), 2, "within the minute");
    scene.world.clock.advance(chrono::Duration::seconds(60));
    scene.provider.set(|script| script.raw_token = None);
    // A key set that cannot be had leaves the last good one in force.
    let broken = |script: &mut Script| {
        let stranger = RsaKey::generate().unwrap();
        script.raw_token = Some(stranger.sign(None, &script.claims).unwrap());
        script.instead.insert("/jwks", (500, String::new()));
    };
    assert_eq!(scene.sign_in(broken).await.unwrap_err().reason, "keys_unavailable");
    assert_eq!(scene.provider.times_asked("/jwks"), 3);
    scene.provider.set(|script| script.raw_token = None);
    assert!(scene.sign_in(|_| ()).await.is_ok());
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_against_each() {
    let scene = Scene::new().await;
    let many: Vec<Value> = (0..3).map(|_| RsaKey::generate().unwrap().public_jwk()).collect();
    let signed_in = scene.sign_in(|script| {
        script.names_key = false;
        let mut keys = many.clone();
        keys.push(json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }));
        keys.push(json!({ "kty": "oct", "k": "c2VjcmV0" }));
        keys.push(json!("nonsense"));
        keys.push(script.key.public_jwk());
        script.jwks = json!({ "keys": keys });
    });
    assert!(signed_in.await.is_ok());
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
    scene
        .world
        .db
        .write()
        .execute_unprepared(
            "CREATE TRIGGER broken BEFORE INSERT ON access_log BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .await
        .unwrap();
    let refused = scene.sign_in(|_| ()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AccessLogUnavailable);
    assert_eq!(scene.count("session").await, 0);
    // A refusal that cannot be written down is told as such too.
    let refused = scene.sign_in(|script| script.claims["vot"] = "P9.Cp".into()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::AccessLogUnavailable);
}

#[tokio::test]
async fn names_are_sealed_and_sealed_again_after_a_rotation() {
    let scene = Scene::new().await;
    let session = scene.sign_in(|_| ()).await.unwrap().session;
    let account = session.principal().actor;
    let sealed = accounts::sealed_name(&scene.world.db, account).await.unwrap().unwrap();
    assert!(!sealed.bytes.windows(3).any(|it| it == b"Ada"));
    let active = scene.world.keys.add_generation().unwrap();
    assert_eq!(reseal_names(&scene.world.db, &scene.world.keys).await.unwrap(), 1);
    assert_eq!(reseal_names(&scene.world.db, &scene.world.keys).await.unwrap(), 0);
    assert_eq!(accounts::sealed_name(&scene.world.db, account).await.unwrap().unwrap().key_id, active);
    scene.world.keys.retire_old_generations().unwrap();
    assert_eq!(scene.identity.person_name(account).await.unwrap().as_deref(), Some("Ada Example"));
}

#[tokio::test]
async fn attempts_nobody_came_back_from_are_swept() {
    let scene = Scene::new().await;
    scene.leave(None, Begin::default()).await;
    assert_eq!(scene.identity.sweep(scene.world.clock.now()).await.unwrap(), 0);
    let later = scene.world.clock.now() + chrono::Duration::minutes(10);
    assert_eq!(scene.identity.sweep(later).await.unwrap(), 1);
}

#[tokio::test]
async fn two_first_sign_ins_at_once_make_one_account() {
    let scene = Scene::new().await;
    let now = scene.world.clock.now();
    let open = || accounts::open(&scene.world.db, &scene.world.random, now, "https://i.example", "s");
    let (one, other) = tokio::join!(open(), open());
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!((scene.count("account").await, scene.count("account_identity").await), (1, 1));
}

#[test]
fn production_takes_no_simulator_and_no_plain_http() {
    use crate::{check_discovery_marker, check_issuer};
    let folder = tempfile::tempdir().unwrap();
    let mut settings = platform::settings::Settings::defaults_in(folder.path()).unwrap().identity;
    for (issuer, expected) in [
        ("", Err("simulator_issuer")),
        ("http://auth.login.nhs.uk", Err("http_issuer")),
        ("https://auth.login.nhs.uk.evil.example", Err("issuer_not_trusted")),
        ("https://auth.login.nhs.uk/", Err("issuer_not_trusted")),
        ("https://auth.login.nhs.uk", Ok(())),
    ] {
        settings.issuer = issuer.to_owned();
        assert_eq!(check_issuer(Profile::Production, &settings), expected, "{issuer}");
        assert_eq!(check_issuer(Profile::Sandbox, &settings), Ok(()));
    }
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
