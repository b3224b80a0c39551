//! What becomes of each kind of person.

use super::*;

fn vot(world: &World, callback: &HashMap<String, String>) -> String {
    let tokens = world.exchange(&callback["code"]).unwrap();
    claims_of(tokens.id_token.as_ref().unwrap())["vot"].as_str().unwrap().to_owned()
}

#[test]
fn the_vector_given_is_the_best_within_reach() {
    let world = World::new();
    let table = [
        ("p9", "", "P9.Cp.Cd"),
        ("p9-passkey", "", "P9.Cm"),
        ("p9", r#"["P5.Cp.Cd"]"#, "P5.Cp.Cd"),
        ("p9", r#"["P0.Cp","P5.Cp.Cd","P9.Cp.Cd"]"#, "P9.Cp.Cd"),
        ("p5", r#"["P5.Cp.Cd","P9.Cp.Cd","P9.Cm"]"#, "P5.Cp.Cd"),
        ("p0", r#"["P0.Cp","P9.Cp.Cd"]"#, "P0.Cp"),
    ];
    for (sub, vtr, expected) in table {
        assert_eq!(vot(&world, &world.callback(sub, &[("vtr", vtr)])), expected, "{sub} {vtr}");
    }
}

#[test]
fn a_person_short_of_the_level_is_asked_and_may_cancel() {
    let world = World::new();
    for sub in ["p5", "p0"] {
        let request = world.begin(&[]).unwrap();
        let Choice::IdentityCheck(check) = world.choose(&request, sub, "") else { panic!("{sub}") };
        assert_eq!(check.needed, Some(Proofing::P9));
        let Choice::Redirect(address) = world.choose(&request, sub, "cancel") else { panic!("{sub}") };
        let query = query_of(&address);
        assert_eq!(query["error"], "access_denied");
        assert_eq!(query["state"], "a state & more");
        assert!(!query.contains_key("code"));
        assert!(matches!(world.choose(&request, sub, "complete"), Choice::Gone));
    }
}

#[test]
fn a_completed_check_lasts_until_the_reset() {
    let world = World::new();
    let request = world.begin(&[]).unwrap();
    assert!(matches!(world.choose(&request, "p5", ""), Choice::IdentityCheck(_)));
    assert!(matches!(world.choose(&request, "p5", "complete"), Choice::Redirect(_)));
    // No page the second time.
    assert_eq!(vot(&world, &world.callback("p5", &[])), "P9.Cp.Cd");
    world.fault(json!({ "reset": true }));
    let request = world.begin(&[]).unwrap();
    assert!(matches!(world.choose(&request, "p5", ""), Choice::IdentityCheck(_)));
}

#[test]
fn no_check_helps_where_the_credential_is_the_trouble() {
    let world = World::new();
    let request = world.begin(&[("vtr", r#"["P9.Cp.Ck"]"#)]).unwrap();
    let Choice::IdentityCheck(check) = world.choose(&request, "p9", "complete") else { panic!() };
    assert_eq!(check.needed, None);
}

#[test]
fn the_level_in_the_token_is_the_best_ever_and_the_vot_this_sign_ins() {
    let world = World::new();
    let callback = world.callback("p9", &[("vtr", r#"["P5.Cp.Cd"]"#)]);
    let tokens = world.exchange(&callback["code"]).unwrap();
    let claims = claims_of(tokens.id_token.as_ref().unwrap());
    assert_eq!(claims["vot"], "P5.Cp.Cd");
    assert_eq!(claims["identity_proofing_level"], "P9");
}

#[test]
fn a_refusal_to_share_is_told_in_either_form() {
    let world = World::new();
    let query = world.callback("refuses", &[]);
    assert_eq!(query["error"], "access_denied");
    assert_eq!(query["error_description"], "ConsentNotGiven");
    world.fault(json!({ "consent_refusal": "description_only" }));
    let query = world.callback("refuses", &[]);
    assert!(!query.contains_key("error"));
    assert_eq!(query["error_description"], "ConsentNotGiven");
    assert_eq!(query["state"], "a state & more");
}

#[test]
fn a_changed_number_keeps_its_sub() {
    let world = World::new();
    let number = |world: &World| {
        let tokens = world.exchange(&world.code("changed")).unwrap();
        let claims = claims_of(tokens.id_token.as_ref().unwrap());
        assert_eq!(claims["sub"], "changed");
        let told = world.provider().userinfo(&tokens.access_token).unwrap();
        assert_eq!(told["nhs_number"], claims["nhs_number"], "one sign-in tells one number");
        claims["nhs_number"].as_str().unwrap().to_owned()
    };
    assert_eq!(number(&world), "9990000026");
    assert_eq!(number(&world), "9990000018");
    assert_eq!(number(&world), "9990000018");
    world.fault(json!({ "changed_number": "old" }));
    assert_eq!(number(&world), "9990000026");
    world.fault(json!({ "reset": true, "changed_number": "new" }));
    assert_eq!(number(&world), "9990000018");
}
