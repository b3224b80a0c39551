//! Who came, and whose record that opens.

use super::*;

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
async fn two_first_sign_ins_at_once_make_one_account() {
    let scene = Scene::new().await;
    let now = scene.world.clock.now();
    let open = || accounts::open(&scene.world.db, &scene.world.random, now, "https://i.example", "s");
    let (one, other) = tokio::join!(open(), open());
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!((scene.count("account").await, scene.count("account_identity").await), (1, 1));
}
