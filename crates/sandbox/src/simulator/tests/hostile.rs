//! Properties that hold whatever is sent.

use proptest::prelude::*;

use super::super::assertion;
use super::super::authorize::Refusal;
use super::*;

const REGISTERED: [&str; 2] = [REDIRECT, "http://127.0.0.1:8080/second"];

/// A value that is right, nearly right, or anything.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(CLIENT.to_owned()),
        Just(REDIRECT.to_owned()),
        Just("code".to_owned()),
        Just("openid profile".to_owned()),
        Just(r#"["P9.Cp.Cd"]"#.to_owned()),
        Just("none".to_owned()),
        (proptest::sample::select(REGISTERED.to_vec()), ".{0,12}")
            .prop_map(|(uri, tail)| format!("{uri}{tail}")),
        ".{0,40}",
    ]
}

fn name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "vtr",
        "prompt",
        "code_challenge",
        "code_challenge_method",
        "response_mode",
        "request",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nobody_is_ever_sent_to_an_address_that_is_not_registered(
        changes in proptest::collection::vec((name(), value()), 0..4),
        repeat in proptest::option::of((name(), value())),
    ) {
        let world = World::new();
        let changes: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut form = authorize_form(&changes);
        if let Some((name, value)) = &repeat {
            form = format!("{form}&{}", super::form(&[(name, value)]));
        }
        let sent_to = |address: &str| {
            REGISTERED.iter().any(|uri| address.strip_prefix(uri).is_some_and(|rest| rest.starts_with('?')))
        };
        match world.provider().begin(&Params::parse(form.as_bytes())) {
            Err(Refusal::Page(_)) => {}
            Err(Refusal::Redirect(address)) => prop_assert!(sent_to(&address), "{}", address),
            Ok(request) => {
                let Choice::Redirect(address) = world.choose(&request, "p9", "cancel") else {
                    return Err(TestCaseError::fail("no redirect"));
                };
                prop_assert!(sent_to(&address), "{}", address);
                prop_assert!(address.is_ascii() && !address.contains(['\r', '\n', ' ']));
            }
        }
    }

    #[test]
    fn any_bytes_are_answered_without_a_token(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let world = World::new();
        let params = Params::parse(&bytes);
        prop_assert!(world.provider().begin(&params).is_err());
        prop_assert!(matches!(world.provider().choose(&params), Choice::Malformed | Choice::Gone));
        prop_assert!(world.provider().token(&params, false).is_err());
        let _ = super::super::pages::faults_from_form(&params);
    }

    #[test]
    fn any_text_is_taken_apart_or_not(text in "[A-Za-z0-9_.=-]{0,80}|.{0,40}") {
        let world = World::new();
        if let Some(parts) = assertion::split(&text) {
            let now = world.provider().now();
            let refused = assertion::check(&parts, &world.provider().clients, TOKEN_ENDPOINT, now).is_err();
            prop_assert!(refused);
        }
        prop_assert!(world.provider().userinfo(&text).is_none());
    }
}
