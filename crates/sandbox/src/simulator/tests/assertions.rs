//! The client assertion: one defect at a time, beside a control that passes.

use base64::Engine;
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::*;

fn call(world: &World, assertion: &str) -> TokenError {
    // The code is unknown, so that a good assertion is told by another error than a bad one.
    world
        .token(&[
            ("grant_type", "authorization_code"),
            ("code", "unknown"),
            ("redirect_uri", REDIRECT),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
        ])
        .unwrap_err()
}

/// SubjectPublicKeyInfo of an RSA-2048 key with exponent 65537, as PEM.
fn public_pem(key: &RsaKey) -> String {
    let modulus = crypto::from_b64url(key.public_jwk()["n"].as_str().unwrap()).unwrap();
    assert_eq!(modulus.len(), 256);
    let mut der = crypto::from_b64url("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA").unwrap();
    der.extend(modulus);
    der.extend([2, 3, 1, 0, 1]);
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

#[test]
fn the_public_pem_of_the_attack_is_the_clients_own() {
    let world = World::new();
    let pem = public_pem(&client_key());
    let key = jsonwebtoken::DecodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let mut checks = jsonwebtoken::Validation::new(Algorithm::RS512);
    checks.validate_aud = false;
    checks.validate_exp = false;
    assert!(jsonwebtoken::decode::<Value>(world.assertion(), &key, &checks).is_ok());
}

#[test]
fn an_assertion_in_order_passes() {
    let world = World::new();
    assert_eq!(call(&world, &world.assertion()).error, "invalid_grant");
    let mut claims = world.assertion_claims();
    claims["aud"] = json!(["https://elsewhere.example/token", TOKEN_ENDPOINT]);
    assert_eq!(call(&world, &client_key().sign(None, &claims).unwrap()).error, "invalid_grant");
    claims["jti"] = json!("another");
    claims["exp"] = json!(world.now() + 300);
    claims.as_object_mut().unwrap().remove("iat");
    assert_eq!(call(&world, &client_key().sign(None, &claims).unwrap()).error, "invalid_grant");
}

#[test]
fn each_wrong_claim_is_refused_with_its_own_words() {
    let world = World::new();
    let now = world.now();
    let table: [(&str, Value, &str); 22] = [
        ("iss", json!("nobody"), "iss is not"),
        ("iss", Value::Null, "iss is not"),
        ("sub", json!("other"), "sub must equal"),
        ("sub", Value::Null, "sub must equal"),
        ("aud", json!("https://elsewhere.example/token"), "aud must contain"),
        ("aud", json!(ISSUER), "aud must contain"),
        ("aud", json!(format!("{TOKEN_ENDPOINT}/")), "aud must contain"),
        ("aud", json!([]), "aud must contain"),
        ("aud", json!([[TOKEN_ENDPOINT]]), "aud must contain"),
        ("exp", Value::Null, "exp"),
        ("exp", json!("soon"), "not a number"),
        ("exp", json!(now), "expired"),
        ("exp", json!(now - 1), "expired"),
        ("exp", json!(now + 301), "five minutes"),
        ("exp", json!(1e300), "five minutes"),
        ("iat", json!(now + 61), "iat"),
        ("iat", json!(now - 3_600), "iat"),
        ("iat", json!({}), "not a number"),
        ("nbf", json!(now + 120), "not valid yet"),
        ("jti", Value::Null, "jti"),
        ("jti", json!(""), "jti"),
        ("jti", json!("x".repeat(257)), "jti"),
    ];
    for (name, value, words) in table {
        let mut claims = world.assertion_claims();
        if value.is_null() && name != "exp" {
            claims.as_object_mut().unwrap().remove(name);
        } else if value.is_null() {
            claims.as_object_mut().unwrap().remove("exp");
        } else {
            claims[name] = value.clone();
        }
        let error = call(&world, &client_key().sign(None, &claims).unwrap());
        assert_eq!(error.error, "invalid_client", "{name} {value}");
        assert!(error.error_description.contains(words), "{name} {value}: {}", error.error_description);
    }
}

#[test]
fn only_rs512_by_a_known_key_of_the_client_is_believed() {
    let world = World::new();
    let claims = world.assertion_claims();
    let pem = client_key().to_pem().to_owned();
    let rsa = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let with = |alg, kid: Option<&str>, key: &EncodingKey| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(alg) };
        jsonwebtoken::encode(&header, &claims, key).unwrap()
    };
    let own = client_key();
    let good = with(Algorithm::RS512, Some(own.kid()), &rsa);
    let raw = |header: Value, signature: &str| {
        let part = |value: &Value| crypto::b64url(value.to_string().as_bytes());
        format!("{}.{}.{signature}", part(&header), part(&claims))
    };
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut bent = crypto::from_b64url(signature).unwrap();
    bent[17] ^= 1;
    let hmac = EncodingKey::from_secret(public_pem(&own).as_bytes());

    let table: Vec<(&str, String, &str)> = vec![
        ("RS256", with(Algorithm::RS256, Some(own.kid()), &rsa), "RS512"),
        ("RS384", with(Algorithm::RS384, Some(own.kid()), &rsa), "RS512"),
        ("PS512", with(Algorithm::PS512, Some(own.kid()), &rsa), "RS512"),
        ("HS512 by the public PEM", with(Algorithm::HS512, Some(own.kid()), &hmac), "RS512"),
        ("none", raw(json!({"alg": "none", "kid": own.kid()}), ""), "RS512"),
        ("alg absent", raw(json!({"kid": own.kid()}), signature), "RS512"),
        ("alg lower case", raw(json!({"alg": "rs512", "kid": own.kid()}), signature), "RS512"),
        (
            "says RS512, is HS512",
            {
                let hs = with(Algorithm::HS512, Some(own.kid()), &hmac);
                raw(json!({"alg": "RS512", "kid": own.kid()}), hs.rsplit_once('.').unwrap().1)
            },
            "signature",
        ),
        ("no kid", with(Algorithm::RS512, None, &rsa), "no kid"),
        ("unknown kid", with(Algorithm::RS512, Some("../../etc"), &rsa), "kid is not a key"),
        (
            "another client's kid",
            with(Algorithm::RS512, Some(other_client_key().kid()), &rsa),
            "kid is not a key",
        ),
        (
            "another key under our kid",
            {
                let stranger = EncodingKey::from_rsa_pem(other_client_key().to_pem().as_bytes()).unwrap();
                with(Algorithm::RS512, Some(own.kid()), &stranger)
            },
            "signature",
        ),
        ("bent signature", format!("{signed}.{}", crypto::b64url(&bent)), "signature"),
        ("no signature", format!("{signed}."), "signature"),
        (
            "critical header",
            raw(json!({"alg": "RS512", "kid": own.kid(), "crit": ["b64"]}), signature),
            "critical",
        ),
        ("another typ", raw(json!({"alg": "RS512", "kid": own.kid(), "typ": "at+jwt"}), signature), "typ"),
        ("two parts", signed.to_owned(), "not a signed JWT"),
        ("four parts", format!("{good}.x"), "not a signed JWT"),
        ("five parts", format!("{good}.x.y"), "not a signed JWT"),
        ("not base64url", format!("!{good}"), "not a signed JWT"),
        (
            "claims are no object",
            {
                let header = crypto::b64url(json!({"alg": "RS512", "kid": own.kid()}).to_string().as_bytes());
                format!("{header}.{}.{signature}", crypto::b64url(b"[]"))
            },
            "not a signed JWT",
        ),
    ];
    for (what, assertion, words) in table {
        let error = call(&world, &assertion);
        assert_eq!(error.error, "invalid_client", "{what}");
        assert!(error.error_description.contains(words), "{what}: {}", error.error_description);
    }
    assert_eq!(call(&world, &good).error, "invalid_grant", "the control");
}

#[test]
fn a_jti_is_good_once_even_after_other_errors() {
    let world = World::new();
    let assertion = world.assertion();
    assert_eq!(call(&world, &assertion).error, "invalid_grant");
    let again = call(&world, &assertion);
    assert_eq!(again.error, "invalid_client");
    assert!(again.error_description.contains("used before"));
    // Up to the last second of the longest lifetime.
    let mut claims = world.assertion_claims();
    claims["exp"] = json!(world.now() + 300);
    let long = client_key().sign(None, &claims).unwrap();
    assert_eq!(call(&world, &long).error, "invalid_grant");
    world.advance(Duration::seconds(299));
    assert!(call(&world, &long).error_description.contains("used before"));
    world.advance(Duration::seconds(1));
    assert!(call(&world, &long).error_description.contains("expired"));
}

#[test]
fn the_form_around_the_assertion_is_checked_too() {
    let world = World::new();
    let code = world.code("p9");
    let good = world.assertion();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let base = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", REDIRECT)];
    let with = |extra: &[(&str, &str)]| {
        let pairs: Vec<_> = base.iter().chain(extra).copied().collect();
        world.token(&pairs).unwrap_err().error
    };
    assert_eq!(with(&[]), "invalid_client");
    assert_eq!(with(&[("client_id", CLIENT), ("client_secret", "x")]), "invalid_client");
    assert_eq!(with(&[("client_assertion", &good)]), "invalid_client");
    assert_eq!(with(&[("client_assertion", &good), ("client_assertion_type", "saml")]), "invalid_client");
    let twice = [("client_assertion", &*good), ("client_assertion", &*good), ("client_assertion_type", kind)];
    assert_eq!(with(&twice), "invalid_request");
    let other = [("client_assertion", &*good), ("client_assertion_type", kind), ("client_id", "other")];
    assert_eq!(with(&other), "invalid_client");
    // None of this has used the code up.
    assert!(world.exchange(&code).is_ok());
}
