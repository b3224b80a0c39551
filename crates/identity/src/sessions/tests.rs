use super::*;
use crate::testing::World;
use platform::Clock;
use sea_orm::{ActiveModelTrait, Set};

async fn account(world: &World) -> AccountId {
    let account = crate::store::account::ActiveModel {
        account_id: Set(world.random.uuid()),
        created_at_micros: Set(0),
    };
    AccountId(account.insert(world.db.write()).await.unwrap().account_id)
}

fn new(account: AccountId) -> NewSession {
    NewSession {
        account,
        patient: None,
        assurance: Assurance::P9,
        vot: "P9.Cm".to_owned(),
        id_token_jti: Some("jti".to_owned()),
        issuer: "https://issuer.example".to_owned(),
        device: "Firefox on Windows".to_owned(),
        authenticated_at: DateTime::UNIX_EPOCH,
        ends_at_latest: None,
    }
}

async fn alive(sessions: &Sessions, token: &str) -> bool {
    sessions.load(token).await.unwrap().is_some()
}

#[tokio::test]
async fn unused_for_half_an_hour_a_session_is_dead() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (token, session) = sessions.open(new(account(&world).await)).await.unwrap();
    world.clock.advance(Duration::seconds(29 * 60 + 59));
    assert!(sessions.peek(&token).await.unwrap().is_some(), "looking does not count as use");
    assert_eq!(session.idle_ends_at(), world.clock.now() + Duration::seconds(1));
    world.clock.advance(Duration::seconds(2));
    assert!(!alive(&sessions, &token).await);
    assert!(!alive(&world.sessions(), &token).await, "nor on an instance that never saw it");
}

#[tokio::test]
async fn use_keeps_a_session_alive_for_twelve_hours_and_no_longer() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (token, _) = sessions.open(new(account(&world).await)).await.unwrap();
    for _ in 0..143 {
        world.clock.advance(Duration::minutes(5));
        assert!(alive(&sessions, &token).await);
        sessions.flush_touches().await.unwrap();
    }
    world.clock.advance(Duration::seconds(299));
    let session = sessions.load(&token).await.unwrap().unwrap();
    assert_eq!(session.idle_ends_at(), session.absolute_ends_at(), "the idle end is never told to be later");
    world.clock.advance(Duration::seconds(2));
    assert!(!alive(&sessions, &token).await);
}

#[tokio::test]
async fn the_time_last_seen_reaches_the_store_and_never_goes_back() {
    let world = World::new().await;
    let (here, there) = (world.sessions(), world.sessions());
    let (token, session) = here.open(new(account(&world).await)).await.unwrap();
    world.clock.advance(Duration::minutes(20));
    assert!(alive(&here, &token).await);
    assert_eq!(here.flush_touches().await.unwrap(), 1);
    assert_eq!(here.flush_touches().await.unwrap(), 0, "written once");
    world.clock.advance(Duration::minutes(20));
    assert!(alive(&there, &token).await, "another instance knows of the use");
    there.flush_touches().await.unwrap();
    // A late flush of an older use changes nothing.
    store::touch(&world.db, &[session.id().0], 1).await.unwrap();
    world.clock.advance(Duration::minutes(25));
    assert!(alive(&world.sessions(), &token).await);
}

#[tokio::test]
async fn a_use_while_the_touches_are_written_is_not_lost() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (token, session) = sessions.open(new(account(&world).await)).await.unwrap();
    world.clock.advance(Duration::minutes(1));
    assert!(alive(&sessions, &token).await);
    let micros = session.last_seen_at().timestamp_micros();
    assert_ne!(micros, world.clock.now().timestamp_micros(), "the value at sign-in does not move");
    let seen = world.clock.now().timestamp_micros();
    world.clock.advance(Duration::minutes(1));
    assert!(alive(&sessions, &token).await);
    sessions.written(&[(session.id().0, seen)]);
    assert_eq!(sessions.flush_touches().await.unwrap(), 1);
    let row = store::by_token(&world.db, &sha256(token.as_bytes())).await.unwrap().unwrap();
    assert_eq!(row.last_seen_at_micros, world.clock.now().timestamp_micros());
}

#[tokio::test]
async fn an_ended_session_is_dead_here_at_once_and_elsewhere_within_a_second() {
    let world = World::new().await;
    let (here, there) = (world.sessions(), world.sessions());
    let (token, session) = here.open(new(account(&world).await)).await.unwrap();
    assert!(alive(&here, &token).await && alive(&there, &token).await);
    here.end(&session, EndReason::SignedOut).await.unwrap();
    here.end(&session, EndReason::Replaced).await.unwrap();
    assert!(!alive(&here, &token).await);
    world.clock.advance(Duration::milliseconds(999));
    assert!(!alive(&there, &token).await);
    let row = store::by_token(&world.db, &sha256(token.as_bytes())).await.unwrap().unwrap();
    assert_eq!(row.end_reason.as_deref(), Some("signed_out"), "the first end stands");
}

#[tokio::test]
async fn while_one_request_asks_the_database_others_carry_on_for_less_than_a_second() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (token, _) = sessions.open(new(account(&world).await)).await.unwrap();
    assert!(alive(&sessions, &token).await);
    let hash = sha256(token.as_bytes());
    let held = sessions.0.remembered.get(&hash).await.unwrap();
    held.asking.store(true, Ordering::Release);
    store::end(&world.db, Condition::all().add(Column::TokenHash.eq(hash.to_vec())), world.clock.now(), "x")
        .await
        .unwrap();
    world.clock.advance(Duration::milliseconds(700));
    assert!(alive(&sessions, &token).await);
    world.clock.advance(Duration::milliseconds(200));
    assert!(!alive(&sessions, &token).await);
}

#[tokio::test]
async fn the_secret_is_replaced_once_and_the_session_stays_the_same() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (old, first) = sessions.open(new(account(&world).await)).await.unwrap();
    world.clock.advance(Duration::minutes(14));
    assert!(!sessions.load(&old).await.unwrap().unwrap().needs_rotation(world.clock.now()));
    world.clock.advance(Duration::minutes(1));
    let session = sessions.load(&old).await.unwrap().unwrap();
    assert!(session.needs_rotation(world.clock.now()));
    let other = world.sessions();
    let (a, b, c) =
        tokio::join!(sessions.rotate(&session), sessions.rotate(&session), other.rotate(&session));
    let mut won: Vec<String> = [a, b, c].into_iter().filter_map(Result::unwrap).collect();
    let new = won.pop().expect("one wins");
    assert!(won.is_empty(), "and only one");
    assert!(!alive(&sessions, &old).await, "the old secret is dead");
    let session = sessions.load(&new).await.unwrap().unwrap();
    assert_eq!(session.id(), first.id());
    assert_eq!(session.csrf_token(), first.csrf_token());
    assert!(!session.needs_rotation(world.clock.now()));
}

#[tokio::test]
async fn an_ended_session_gets_no_new_secret() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (_, session) = sessions.open(new(account(&world).await)).await.unwrap();
    sessions.end(&session, EndReason::SignedOut).await.unwrap();
    assert_eq!(sessions.rotate(&session).await.unwrap(), None);
}

#[tokio::test]
async fn people_see_and_end_their_own_sessions_only() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (me, you) = (account(&world).await, account(&world).await);
    let (first, one) = sessions.open(new(me)).await.unwrap();
    world.clock.advance(Duration::minutes(1));
    let (second, two) = sessions.open(new(me)).await.unwrap();
    let (third, three) = sessions.open(new(me)).await.unwrap();
    let (yours, other) = sessions.open(new(you)).await.unwrap();
    for token in [&first, &second, &third, &yours] {
        assert!(alive(&sessions, token).await);
    }
    assert_eq!(sessions.list(me).await.unwrap().len(), 3);
    assert!(!sessions.end_by_id(me, other.id()).await.unwrap());
    assert!(alive(&sessions, &yours).await);
    assert!(sessions.end_by_id(me, one.id()).await.unwrap());
    assert!(!sessions.end_by_id(me, one.id()).await.unwrap(), "ended once");
    assert!(!alive(&sessions, &first).await);
    assert_eq!(sessions.end_others(me, three.id()).await.unwrap(), 1);
    assert!(!alive(&sessions, &second).await && alive(&sessions, &third).await);
    assert!(alive(&sessions, &yours).await);
    let left = sessions.list(me).await.unwrap();
    assert_eq!(left.iter().map(|it| it.id).collect::<Vec<_>>(), [three.id()]);
    assert_eq!(left[0].device, "Firefox on Windows");
    assert_ne!(two.csrf_token(), three.csrf_token());
    assert!(three.csrf_token_is(&three.csrf_token()) && !three.csrf_token_is(&two.csrf_token()));
    // One that ran out is no longer shown.
    world.clock.advance(Duration::minutes(31));
    assert_eq!(sessions.list(me).await.unwrap(), []);
}

#[tokio::test]
async fn rows_are_kept_thirty_days_after_the_end() {
    let world = World::new().await;
    let sessions = world.sessions();
    let account = account(&world).await;
    let (_, ended) = sessions.open(new(account)).await.unwrap();
    sessions.end(&ended, EndReason::SignedOut).await.unwrap();
    let (_, _) = sessions.open(new(account)).await.unwrap();
    let at = |duration| world.clock.now() + duration;
    assert_eq!(sessions.sweep(at(Duration::hours(13))).await.unwrap(), 0);
    assert_eq!(
        store::of_account(&world.db, account).await.unwrap(),
        [],
        "one that ran out is marked as ended"
    );
    assert_eq!(sessions.sweep(at(Duration::days(30) - Duration::seconds(1))).await.unwrap(), 0);
    assert_eq!(sessions.sweep(at(Duration::days(30))).await.unwrap(), 1);
    assert_eq!(sessions.sweep(at(Duration::days(31))).await.unwrap(), 1);
}

#[tokio::test]
async fn only_a_hash_of_the_secret_is_stored_and_nothing_else_opens_a_session() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (token, session) = sessions.open(new(account(&world).await)).await.unwrap();
    let row = store::by_token(&world.db, &sha256(token.as_bytes())).await.unwrap().unwrap();
    assert!(!format!("{row:?}").contains(&token));
    let hash = platform::crypto::b64url(&row.token_hash);
    for wrong in [
        "",
        "x",
        &hash,
        &session.id().0.to_string(),
        &token[..42],
        &format!("{token}A"),
        &world.random.token(),
    ] {
        assert!(!alive(&sessions, wrong).await, "{wrong}");
    }
}

#[tokio::test]
async fn a_database_that_is_down_signs_nobody_out() {
    let world = World::new().await;
    let sessions = world.sessions();
    let (token, _) = sessions.open(new(account(&world).await)).await.unwrap();
    world.clock.advance(Duration::seconds(1));
    assert!(alive(&sessions, &token).await);
    world.db.clone().close().await.unwrap();
    assert!(alive(&sessions, &token).await, "what is fresh still holds");
    world.clock.advance(Duration::seconds(1));
    let error = sessions.load(&token).await.unwrap_err();
    assert_eq!(error.kind(), platform::ErrorKind::StoreUnavailable);
    assert!(sessions.flush_touches().await.is_err());
    assert_eq!(sessions.touched().len(), 1, "kept for the next time");
}
