//! Codes, tokens, refresh and userinfo.

use serde::Deserialize;

use super::*;

type Names<'a> = &'a [&'a str];

#[test]
fn the_id_token_is_the_real_ones_shape() {
    let world = World::new();
    let tokens = world.exchange(&world.code("p9")).unwrap();
    assert_eq!((tokens.token_type, tokens.expires_in), ("Bearer", 300));
    let token = tokens.id_token.unwrap();
    assert_eq!(header_of(&token), json!({ "alg": "RS512", "kid": signing_key().kid() }));
    let claims = claims_of(&token);
    let now = world.now();
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], CLIENT);
    assert_eq!(claims["sub"], "p9");
    assert_eq!(claims["nonce"], "a nonce");
    assert_eq!(claims["iat"], now);
    assert_eq!(claims["auth_time"], now);
    assert_eq!(claims["exp"], now + 3_600);
    assert_eq!(claims["vot"], "P9.Cp.Cd");
    assert_eq!(claims["vtm"], format!("{ISSUER}/trustmark"));
    assert_eq!(claims["nhs_number"], "9990000018");
    assert_eq!(claims["family_name"], "Quillfeather");
    assert_eq!(claims["birthdate"], "1980-05-17");
    assert_eq!(claims["identity_proofing_level"], "P9");
    assert!(claims["jti"].as_str().unwrap().len() == 36);
    for absent in ["given_name", "email", "acr", "amr", "azp", "at_hash"] {
        assert!(claims.get(absent).is_none(), "{absent}");
    }
    let key = jsonwebtoken::jwk::JwkSet::deserialize(world.provider().jwks()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&key.keys[0]).unwrap();
    let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS512);
    checks.validate_exp = false;
    checks.set_audience(&[CLIENT]);
    checks.set_issuer(&[ISSUER]);
    assert!(jsonwebtoken::decode::<Value>(&token, &key, &checks).is_ok());
}

#[test]
fn claims_follow_scope_and_level_and_are_absent_never_null() {
    let world = World::new();
    // sub, vtr, scope, claims of the id_token that must be there, and must not
    let demographics: &[&str] = &["family_name", "birthdate", "identity_proofing_level"];
    let all: &[&str] = &["nhs_number", "family_name", "birthdate", "identity_proofing_level"];
    let table: [(&str, &str, &str, Names<'_>, Names<'_>); 5] = [
        ("p9", "", "openid", &[], all),
        ("p9", "", "openid profile", all, &[]),
        ("p5", r#"["P5.Cp.Cd"]"#, "openid profile", all, &[]),
        ("p9", "", "openid basic_demographics", demographics, &["nhs_number"]),
        ("p0", r#"["P0.Cp"]"#, "openid profile profile_extended", &[], all),
    ];
    for (sub, vtr, scope, present, absent) in table {
        let callback = world.callback(sub, &[("vtr", vtr), ("scope", scope)]);
        let tokens = world.exchange(&callback["code"]).unwrap();
        let id_token = claims_of(tokens.id_token.as_ref().unwrap());
        let userinfo = world.provider().userinfo(&tokens.access_token).unwrap();
        for claims in [&id_token, &userinfo] {
            for name in present {
                assert!(claims[name].is_string(), "{sub} {scope} {name}");
            }
            for name in absent {
                assert!(claims.get(name).is_none(), "{sub} {scope} {name}");
            }
            assert!(claims.as_object().unwrap().values().all(|value| !value.is_null()));
        }
        for secret in ["nhs_number", "family_name", "birthdate", "given_name", "email"] {
            assert!(claims_of(&tokens.access_token).get(secret).is_none());
        }
    }
}

#[test]
fn userinfo_opens_contact_and_given_name_by_scope() {
    let world = World::new();
    let told = |scope: &str| {
        let tokens = world.exchange(&world.callback("p9", &[("scope", scope)])["code"]).unwrap();
        world.provider().userinfo(&tokens.access_token).unwrap()
    };
    let table = [("given_name", "profile_extended"), ("email", "email"), ("phone_number", "phone")];
    for (claim, scope) in table {
        assert!(told("openid profile").get(claim).is_none(), "{claim}");
        assert!(told(&format!("openid profile {scope}"))[claim].is_string(), "{claim}");
    }
    assert_eq!(told("openid profile")["sub"], "p9");
}

#[test]
fn an_access_token_is_a_jwt_for_five_minutes() {
    let world = World::new();
    let tokens = world.exchange(&world.code("p9")).unwrap();
    let claims = claims_of(&tokens.access_token);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    world.advance(Duration::seconds(299));
    assert!(world.provider().userinfo(&tokens.access_token).is_some());
    world.advance(Duration::seconds(1));
    assert!(world.provider().userinfo(&tokens.access_token).is_none());
    assert!(world.provider().userinfo("").is_none());
    assert!(world.provider().userinfo(tokens.id_token.as_ref().unwrap()).is_none());
}

#[test]
fn a_code_is_good_once_and_a_replay_takes_back_what_it_issued() {
    let world = World::new();
    let code = world.code("p9");
    let tokens = world.exchange(&code).unwrap();
    let renewed = world.refresh(&tokens.refresh_token).unwrap();
    assert!(world.provider().userinfo(&renewed.access_token).is_some());

    assert_eq!(world.exchange(&code).unwrap_err().error, "invalid_grant");

    assert!(world.provider().userinfo(&tokens.access_token).is_none());
    assert!(world.provider().userinfo(&renewed.access_token).is_none());
    assert_eq!(world.refresh(&renewed.refresh_token).unwrap_err().error, "invalid_grant");
    assert_eq!(world.exchange(&code).unwrap_err().error, "invalid_grant");
}

#[test]
fn a_code_lives_ten_minutes() {
    let world = World::new();
    let code = world.code("p9");
    world.advance(Duration::seconds(599));
    assert!(world.exchange(&code).is_ok());
    let code = world.code("p9");
    world.advance(Duration::seconds(600));
    assert_eq!(world.exchange(&code).unwrap_err().error, "invalid_grant");
}

#[test]
fn a_code_is_bound_to_its_client_and_its_address() {
    let world = World::new();
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let code = world.code("p9");
    let mut claims = world.assertion_claims();
    claims["iss"] = json!("other");
    claims["sub"] = json!("other");
    let foreign = other_client_key().sign(None, &claims).unwrap();
    let grant = ("grant_type", "authorization_code");
    let pairs = [grant, ("code", &*code), ("redirect_uri", REDIRECT), kind, ("client_assertion", &*foreign)];
    assert_eq!(world.token(&pairs).unwrap_err().error, "invalid_grant");
    // Another client's try does not use the code up; the owner's wrong one does.
    for wrong in ["http://127.0.0.1:8080/second", "http://127.0.0.1:8080/auth/callback/sim/", ""] {
        let code = world.code("p9");
        let own = world.assertion();
        let pairs = [grant, ("code", &*code), ("redirect_uri", wrong), kind, ("client_assertion", &*own)];
        assert_eq!(world.token(&pairs).unwrap_err().error, "invalid_grant", "{wrong}");
        assert_eq!(world.exchange(&code).unwrap_err().error, "invalid_grant", "{wrong}");
    }
    assert!(world.exchange(&code).is_ok());
}

#[test]
fn pkce_is_honoured_when_sent_and_not_asked_for_otherwise() {
    let world = World::new();
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let try_with = |challenged: bool, verifier: &str| {
        let challenge = challenge();
        let sent = [("code_challenge", &*challenge), ("code_challenge_method", "S256")];
        let callback = world.callback("p9", if challenged { &sent } else { &[] });
        let own = world.assertion();
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", &*callback["code"]),
            ("redirect_uri", REDIRECT),
            kind,
            ("client_assertion", &*own),
            ("code_verifier", verifier),
        ];
        world.token(&pairs).map(|_| ()).map_err(|error| error.error)
    };
    assert_eq!(try_with(true, VERIFIER), Ok(()));
    assert_eq!(try_with(false, ""), Ok(()));
    assert_eq!(try_with(true, ""), Err("invalid_grant"));
    assert_eq!(try_with(true, &VERIFIER.to_uppercase()), Err("invalid_grant"));
    assert_eq!(try_with(true, &challenge()), Err("invalid_grant"));
    assert_eq!(try_with(false, VERIFIER), Err("invalid_grant"));
}

#[test]
fn only_the_latest_refresh_token_is_good_and_none_brings_an_id_token() {
    let world = World::new();
    let first = world.exchange(&world.code("p9")).unwrap();
    let second = world.refresh(&first.refresh_token).unwrap();
    assert!(second.id_token.is_none());
    let answer = serde_json::to_value(&second).unwrap();
    assert!(answer.get("id_token").is_none(), "absent, not null");
    assert_ne!(first.refresh_token, second.refresh_token);
    assert_eq!(world.refresh(&first.refresh_token).unwrap_err().error, "invalid_grant");
    let third = world.refresh(&second.refresh_token).unwrap();
    assert!(world.provider().userinfo(&third.access_token).is_some());
    world.advance(Duration::days(30));
    assert_eq!(world.refresh(&third.refresh_token).unwrap_err().error, "invalid_grant");
}

#[test]
fn a_refresh_widens_nothing() {
    let world = World::new();
    let tokens = world.exchange(&world.callback("p9", &[("scope", "openid profile")])["code"]).unwrap();
    let own = world.assertion();
    let pairs = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*tokens.refresh_token),
        ("scope", "openid profile email"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &*own),
    ];
    assert_eq!(world.token(&pairs).unwrap_err().error, "invalid_scope");
    assert_eq!(world.refresh(&tokens.refresh_token).unwrap().scope, "openid profile");
}

#[test]
fn other_grants_are_refused() {
    let world = World::new();
    for grant in ["client_credentials", "password", ""] {
        let own = world.assertion();
        let pairs = [
            ("grant_type", grant),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &*own),
        ];
        let error = world.token(&pairs).unwrap_err().error;
        assert_eq!(error, if grant.is_empty() { "invalid_request" } else { "unsupported_grant_type" });
    }
}
