//! Faults on request, and what the simulator writes down.

use super::super::faults::Endpoint;
use super::*;

#[test]
fn tokens_go_wrong_as_asked_and_right_after_the_reset() {
    let world = World::new();
    let id_token = |world: &World| world.exchange(&world.code("p9")).unwrap().id_token.unwrap();

    world.fault(json!({ "wrong_nonce": true }));
    assert_ne!(claims_of(&id_token(&world))["nonce"], "a nonce");
    for vot in ["P5.Cp.Cd", "P9.Cp", "P9.Cm"] {
        world.fault(json!({ "vot": vot }));
        assert_eq!(claims_of(&id_token(&world))["vot"], vot);
    }
    world.fault(json!({ "vot": "missing" }));
    assert!(claims_of(&id_token(&world)).get("vot").is_none());
    world.fault(json!({ "userinfo_sub_swap": true }));
    let tokens = world.exchange(&world.code("p9")).unwrap();
    assert_ne!(world.provider().userinfo(&tokens.access_token).unwrap()["sub"], "p9");

    let report = world.fault(json!({ "reset": true }));
    assert_eq!(report.faults, Faults::default());
    let claims = claims_of(&id_token(&world));
    assert_eq!((&claims["nonce"], &claims["vot"]), (&json!("a nonce"), &json!("P9.Cp.Cd")));
    assert_eq!(world.provider().userinfo(&tokens.access_token).unwrap()["sub"], "p9");
}

#[test]
fn a_rotated_key_signs_and_the_old_one_is_no_longer_published() {
    let world = World::new();
    let before = world.simulator.report().published_kids;
    let after = world.fault(json!({ "rotate_key": true })).published_kids;
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    let tokens = world.exchange(&world.code("p9")).unwrap();
    assert_eq!(header_of(&tokens.id_token.unwrap())["kid"], after[0]);
    let published = world.provider().jwks();
    assert_eq!(published["keys"].as_array().unwrap().len(), 1);
    assert_eq!(published["keys"][0]["kid"], after[0]);
}

#[test]
fn the_header_can_lack_its_kid_beside_one_key_or_two() {
    let world = World::new();
    let header = |world: &World| header_of(&world.exchange(&world.code("p9")).unwrap().id_token.unwrap());
    for (mode, keys) in [("absent", 1), ("absent_two_keys", 2), ("absent", 1)] {
        let report = world.fault(json!({ "id_token_kid": mode }));
        assert_eq!(header(&world), json!({ "alg": "RS512" }), "{mode}");
        assert_eq!(report.published_kids.len(), keys, "{mode}");
    }
    world.fault(json!({ "id_token_kid": "present" }));
    assert_eq!(header(&world)["kid"], signing_key().kid());
}

#[test]
fn token_calls_are_written_down_as_they_came() {
    let world = World::new();
    let code = world.code("p9");
    world.exchange(&code).unwrap();
    world.exchange(&code).unwrap_err();
    let params = form(&[("grant_type", "authorization_code"), ("client_assertion", &world.assertion())]);
    world.provider().token(&Params::parse(params.as_bytes()), true).unwrap_err();
    let report = world.simulator.report();
    let outcomes: Vec<_> = report.token_calls.iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, ["ok", "invalid_grant", "fault"]);
    let call = &report.token_calls[0];
    assert_eq!(call.grant_type.as_deref(), Some("authorization_code"));
    assert_eq!(call.alg, Some(json!("RS512")));
    assert_eq!(call.kid, Some(json!(client_key().kid())));
    assert_eq!((&call.iss, &call.sub), (&Some(json!(CLIENT)), &Some(json!(CLIENT))));
    assert_eq!(call.aud, Some(json!(TOKEN_ENDPOINT)));
    assert_eq!((&call.iat, &call.exp), (&Some(json!(world.now())), &Some(json!(world.now() + 60))));
    let jtis: std::collections::HashSet<_> =
        report.token_calls.iter().map(|call| call.jti.clone().unwrap().to_string()).collect();
    assert_eq!(jtis.len(), 3);
}

#[test]
fn hostile_assertions_do_not_fill_the_memory() {
    let world = World::new();
    let part = |value: Value| crypto::b64url(value.to_string().as_bytes());
    let fat = format!("{}.{}.x", part(json!({ "alg": "x".repeat(5_000) })), part(json!({})));
    for _ in 0..4_200 {
        world.token(&[("client_assertion", &fat)]).unwrap_err();
    }
    let report = world.simulator.report();
    assert_eq!(report.token_calls.len(), 4_096);
    assert!(report.token_calls.iter().all(|call| call.alg.is_none()));
}

#[test]
fn a_change_out_of_bounds_changes_nothing() {
    let world = World::new();
    let table = [
        json!({ "wrong_nonce": true, "slow_seconds": { "token": 61 } }),
        json!({ "wrong_nonce": true, "slow_seconds": { "authorize": 1 } }),
        json!({ "wrong_nonce": true, "fail": { "token": 400 } }),
        json!({ "wrong_nonce": true, "vot": "x".repeat(65) }),
    ];
    for change in table {
        let change: FaultsChange = serde_json::from_value(change).unwrap();
        assert!(world.simulator.change_faults(change).is_err());
        assert_eq!(world.simulator.report().faults, Faults::default());
    }
    for unknown in [json!({ "no_such_fault": 1 }), json!({ "fail": { "tokne": 500 } })] {
        assert!(serde_json::from_value::<FaultsChange>(unknown).is_err());
    }
}

#[test]
fn endpoints_count_their_calls_and_learn_their_faults() {
    let world = World::new();
    world.fault(json!({ "slow_seconds": { "jwks": 2 }, "fail": { "userinfo": 503 } }));
    let jwks = world.provider().enter(Endpoint::Jwks);
    assert_eq!((jwks.delay.as_secs(), jwks.fail), (2, None));
    assert_eq!(world.provider().enter(Endpoint::Userinfo).fail, Some(503));
    assert_eq!(world.provider().enter(Endpoint::Token).fail, None);
    let calls = world.simulator.report().calls;
    assert_eq!((calls[&Endpoint::Jwks], calls[&Endpoint::Discovery]), (1, 0));
    // What is left out stays; a map given replaces the map.
    let faults = world.fault(json!({ "slow_seconds": {} })).faults;
    assert!(faults.slow_seconds.is_empty());
    assert_eq!(faults.fail.len(), 1);
}
