//! A provider that says no, is down, slow or wrong, or changes its keys.

use super::*;

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
