//! The same thing at the same time, on one instance and on several.

use std::sync::Arc;

use futures::future::join_all;
use platform::ManualClock;
use reqwest::Method;
use tests::{Options, Server, fresh_store};

use super::store::{count, live_sessions};
use super::world::{
    LOGIN, Node, SESSION, ask, begin, come_back, free_port, opens, people, session_status, until_callback,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_callbacks_at_once_one_signs_in() {
    let server = Server::start().await;
    let mut browser = server.browser();
    let callback = until_callback(&mut browser, people::P9).await;
    let answers = join_all((0..10).map(|_| {
        let (mut copy, callback, server) = (browser.clone(), callback.clone(), &server);
        async move { come_back(server, &mut copy, callback).await.0.status }
    }))
    .await;
    let with = |status: u16| answers.iter().filter(|told| **told == status).count();
    assert_eq!((with(303), with(400)), (1, 9), "{answers:?}");
    assert_eq!(live_sessions(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_first_sign_ins_at_once_all_get_one_account() {
    let server = Server::start().await;
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let mut browser = server.browser();
        let callback = until_callback(&mut browser, people::P9).await;
        waiting.push((browser, callback));
    }
    let statuses = join_all(waiting.into_iter().map(|(mut browser, callback)| {
        let server = &server;
        async move { come_back(server, &mut browser, callback).await.0.status }
    }))
    .await;
    assert!(statuses.iter().all(|status| *status == 303), "{statuses:?}");
    assert_eq!(count(&server, "account_identity").await, 1);
    assert_eq!(count(&server, "account").await, 1);
    assert_eq!(live_sessions(&server).await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_that_find_an_old_secret_one_is_given_the_new_one() {
    let clock = ManualClock::new(Server::some_noon());
    let server = Server::with(Options { clock: Some(clock.clone()), ..Options::default() }).await;
    let mut browser = server.signed_in(people::P9).await;
    assert_eq!(session_status(&mut browser).await, 200);
    let old = browser.session().expect("signed in");
    clock.advance(chrono::Duration::minutes(16));
    let answers = join_all((0..20).map(|_| {
        let mut copy = browser.clone();
        async move {
            let reply = copy.api(Method::GET, "/v1/session", &[]).await;
            // One that comes too late is told to sign in, but never to forget the cookie.
            assert!(!reply.set_cookies().iter().any(|cookie| cookie.to_lowercase().contains("max-age=0")));
            (reply.status, copy.session())
        }
    }))
    .await;
    let fresh: std::collections::BTreeSet<String> =
        answers.iter().filter_map(|(_, secret)| secret.clone()).filter(|secret| *secret != old).collect();
    assert_eq!(fresh.len(), 1, "{answers:?}");
    let fresh = fresh.into_iter().next().expect("the new secret");
    assert!(opens(&server, &fresh).await && !opens(&server, &old).await);
    // Those that came before the new secret was made are answered; a late one finds the old secret dead.
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 401)), "{answers:?}");
    assert!(answers.iter().any(|(status, _)| *status == 200));
    assert_eq!(live_sessions(&server).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_begun_at_one_instance_ends_at_another() {
    let Some(node) = Node::forging() else { return };
    let store = Arc::new(fresh_store().await);
    let port = free_port();
    let public = format!("http://127.0.0.1:{port}");
    let options = |port: u16| {
        let public = public.clone();
        Options {
            issuer: Some(node.issuer.clone()),
            port: Some(port),
            change: Some(Box::new(move |settings| settings.http.public_url = public)),
            ..Options::default()
        }
    };
    let first = Server::on(store.clone(), options(port)).await;
    let second = Server::on(store.clone(), options(free_port())).await;
    let mut browser = first.browser();
    let authorize = begin(&mut browser).await;
    let callback = ask(&mut browser, authorize).await;
    assert_eq!(callback.port(), Some(port), "people come back to the public address");

    // A balancer sends them to the other instance.
    let mut behind = second.browser();
    behind.plant(LOGIN, &browser.cookie(LOGIN).expect("the sign-in cookie"));
    let mut moved = callback.clone();
    moved.set_port(Some(second.port())).expect("a port");
    let (reply, entries) = come_back(&second, &mut behind, moved).await;
    assert_eq!((reply.status, entries.len()), (303, 1), "{}", reply.body);
    let secret = behind.session().expect("signed in");
    assert!(opens(&first, &secret).await && opens(&second, &secret).await);
    let (reply, _) = come_back(&first, &mut browser, callback).await;
    assert_eq!(reply.status, 400, "spent everywhere");

    // And both go, one after the other, and come back.
    second.stop().await;
    first.stop().await;
    let third = Server::on(store, options(free_port())).await;
    assert!(opens(&third, &secret).await, "a restart signs nobody out");
}

#[tokio::test]
async fn what_is_signed_in_stays_so_over_a_restart_and_what_is_ended_stays_ended() {
    let server = Server::start().await;
    let kept = server.signed_in(people::P9).await.session().expect("signed in");
    let mut ended = server.signed_in(people::P9).await;
    let gone = ended.session().expect("signed in");
    assert_eq!(ended.api_send(Method::DELETE, "/v1/session", None).await.status, 204);
    let store = server.stop().await;
    let server = Server::on(store, Options::default()).await;
    assert!(opens(&server, &kept).await);
    assert!(!opens(&server, &gone).await);
    let mut browser = server.browser();
    browser.plant(SESSION, &kept);
    assert_eq!(browser.api_send(Method::POST, "/v1/session/extend", None).await.status, 200, "its token too");
}
