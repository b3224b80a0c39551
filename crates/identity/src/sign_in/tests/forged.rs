//! Answers that are not what the provider would say.

use super::*;

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
    type Forge = Box<dyn Fn(&mut Script)>;
    let forged: Vec<(&str, Forge)> = vec![
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
        (
            "token_type",
            Box::new(|script| {
                let token = script.key.sign(None, &script.claims).unwrap();
                let answer = json!({ "access_token": "a", "token_type": "DPoP", "id_token": token });
                script.instead.insert("/token", (200, answer.to_string()));
            }),
        ),
        (
            "token_malformed",
            Box::new(|script| {
                let token = script.key.sign(None, &script.claims).unwrap();
                let answer = json!({ "access_token": "a", "id_token": token });
                script.instead.insert("/token", (200, answer.to_string()));
            }),
        ),
        (
            "token_malformed",
            Box::new(|script| {
                let token = script.key.sign(None, &script.claims).unwrap();
                let answer = json!({ "token_type": "Bearer", "id_token": token });
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
