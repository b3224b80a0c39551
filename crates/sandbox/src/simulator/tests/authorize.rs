//! The authorisation request.

use super::super::authorize::Refusal;
use super::*;

fn error_of(world: &World, changes: &[(&str, &str)]) -> (String, Option<String>) {
    match world.begin(changes) {
        Err(Refusal::Redirect(address)) => {
            assert!(address.starts_with(&format!("{REDIRECT}?")), "{address}");
            let query = query_of(&address);
            assert!(query.contains_key("error_description"));
            assert!(!query.contains_key("iss"), "the real provider sends no iss");
            (query["error"].clone(), query.get("state").cloned())
        }
        other => panic!("{changes:?}: {other:?}"),
    }
}

#[test]
fn an_address_that_is_not_exactly_registered_is_never_redirected_to() {
    let world = World::new();
    let table = [
        "http://127.0.0.1:8080/auth/callback/sim/",
        "http://127.0.0.1:8080/auth/callback/sim?",
        "http://127.0.0.1:8080/auth/callback/sim?next=/",
        "http://127.0.0.1:8080/auth/callback/sim#x",
        "http://127.0.0.1:8080/auth/callback/sim%2F..",
        "http://127.0.0.1:8080/auth/callback/../callback/sim",
        "http://127.0.0.1:8080/auth/callback",
        "http://127.0.0.1:8080/AUTH/callback/sim",
        "HTTP://127.0.0.1:8080/auth/callback/sim",
        "http://127.0.0.1/auth/callback/sim",
        "http://127.0.0.1:8081/auth/callback/sim",
        "https://127.0.0.1:8080/auth/callback/sim",
        "http://localhost:8080/auth/callback/sim",
        "http://127.0.0.1:8080@evil.example/auth/callback/sim",
        "http://evil.example/http://127.0.0.1:8080/auth/callback/sim",
        "http://127.0.0.1:8080\\@evil.example/auth/callback/sim",
        " http://127.0.0.1:8080/auth/callback/sim",
        "http://127.0.0.1:8080/auth/callback/sim\r\nX: y",
        "//127.0.0.1:8080/auth/callback/sim",
        "javascript:alert(1)",
    ];
    for uri in table {
        assert!(matches!(world.begin(&[("redirect_uri", uri)]), Err(Refusal::Page(_))), "{uri}");
    }
    assert!(world.begin(&[("redirect_uri", "http://127.0.0.1:8080/second")]).is_ok());
}

#[test]
fn an_unknown_client_or_a_missing_address_is_shown_on_a_page() {
    let world = World::new();
    for change in [("client_id", "nobody"), ("client_id", ""), ("redirect_uri", "")] {
        assert!(matches!(world.begin(&[change]), Err(Refusal::Page(_))), "{change:?}");
    }
    for repeated in ["client_id=front-door", "redirect_uri=http%3A%2F%2Fevil.example"] {
        let form = format!("{}&{repeated}", authorize_form(&[]));
        let refusal = world.provider().begin(&Params::parse(form.as_bytes()));
        assert!(matches!(refusal, Err(Refusal::Page(_))), "{repeated}");
    }
}

#[test]
fn every_other_defect_goes_back_to_the_client_with_its_state() {
    let world = World::new();
    let challenge = challenge();
    let long = "x".repeat(5_000);
    let table: Vec<(Vec<(&str, &str)>, &str)> = vec![
        (vec![("response_type", "")], "invalid_request"),
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "code id_token")], "unsupported_response_type"),
        (vec![("response_mode", "form_post")], "invalid_request"),
        (vec![("response_mode", "fragment")], "invalid_request"),
        (vec![("scope", "")], "invalid_request"),
        (vec![("scope", "profile")], "invalid_scope"),
        (vec![("scope", "openid profile basic_demographics")], "invalid_scope"),
        (vec![("nonce", "")], "invalid_request"),
        (vec![("nonce", &long)], "invalid_request"),
        (vec![("request", "x")], "request_not_supported"),
        (vec![("request_uri", "https://x.example")], "request_uri_not_supported"),
        (vec![("prompt", "none")], "login_required"),
        (vec![("prompt", "none"), ("asserted_login_identity", "x.y.z")], "sso_login_required"),
        (vec![("prompt", "consent")], "invalid_request"),
        (vec![("prompt", "none login")], "invalid_request"),
        (vec![("vtr", "P9.Cp.Cd")], "invalid_request"),
        (vec![("vtr", "[]")], "invalid_request"),
        (vec![("vtr", r#"["P9.Cp"]"#)], "invalid_request"),
        (vec![("vtr", r#"["P9.Cp.Cd","P5.Cp.Ck"]"#)], "invalid_request"),
        (vec![("code_challenge", &challenge)], "invalid_request"),
        (vec![("code_challenge", &challenge), ("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge", "short"), ("code_challenge_method", "S256")], "invalid_request"),
        (vec![("code_challenge_method", "S256")], "invalid_request"),
    ];
    for (changes, expected) in table {
        let (error, state) = error_of(&world, &changes);
        assert_eq!(error, expected, "{changes:?}");
        assert_eq!(state.as_deref(), Some("a state & more"), "{changes:?}");
    }
    assert_eq!(error_of(&world, &[("state", "")]), ("invalid_request".into(), None));
    let form = format!("{}&state=again", authorize_form(&[]));
    let Err(Refusal::Redirect(address)) = world.provider().begin(&Params::parse(form.as_bytes())) else {
        panic!("not redirected")
    };
    assert!(!query_of(&address).contains_key("state"), "a state that came twice belongs to nobody");
}

#[test]
fn a_client_asks_only_for_vectors_it_is_registered_for() {
    let world = World::new();
    let other = |vtr| world.begin(&[("client_id", "other"), ("vtr", vtr)]);
    assert!(other(r#"["P9.Cp.Cd"]"#).is_ok());
    assert!(other(r#"["P5.Cp.Cd"]"#).is_err());
    assert!(other(r#"["P9.Cp.Cd","P9.Cm"]"#).is_err());
    // Asking for none is asking for the three P9 vectors.
    assert!(other("").is_err());
    assert!(world.begin(&[("vtr", "")]).is_ok());
}

#[test]
fn what_is_unknown_is_ignored() {
    let world = World::new();
    let scope = "openid profile gp_integration_credentials no_such_scope";
    let callback = world.callback(
        "p9",
        &[("scope", scope), ("max_age", "0"), ("display", "touch"), ("ui_locales", "cy"), ("fancy", "1")],
    );
    let tokens = world.exchange(&callback["code"]).unwrap();
    assert_eq!(tokens.scope, "openid profile");
}

#[test]
fn the_callback_carries_code_and_state_and_nothing_else() {
    let world = World::new();
    let callback = world.callback("p9", &[("prompt", "login")]);
    let mut names: Vec<_> = callback.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["code", "state"]);
    assert_eq!(callback["state"], "a state & more");
}

#[test]
fn a_request_waits_ten_minutes_and_is_answered_once() {
    let world = World::new();
    let request = world.begin(&[]).unwrap();
    assert!(matches!(world.choose(&request, "nobody", ""), Choice::Malformed));
    assert!(matches!(world.choose(&request, "p9", ""), Choice::Redirect(_)));
    assert!(matches!(world.choose(&request, "p9", ""), Choice::Gone));
    let request = world.begin(&[]).unwrap();
    world.advance(Duration::minutes(10));
    assert!(matches!(world.choose(&request, "p9", ""), Choice::Gone));
    assert!(matches!(world.choose("made-up", "p9", ""), Choice::Gone));
}
