//! How long a session lasts, what replaces it, and what ends it.

use std::time::Duration;

use chrono::Duration as Span;
use platform::ManualClock;
use reqwest::Method;
use serde_json::json;
use tests::{Browser, Options, Server};

use super::store::live_sessions;
use super::world::{SESSION, come_back, opens, people, session, session_status, simulator, until_callback};

async fn on_a_clock() -> (Server, ManualClock) {
    let clock = ManualClock::new(Server::some_noon());
    let server = Server::with(Options { clock: Some(clock.clone()), ..Options::default() }).await;
    (server, clock)
}

#[tokio::test]
async fn case_07_an_idle_session_lives_29_59_and_is_dead_at_30_01() {
    let (server, clock) = on_a_clock().await;
    let mut used = server.signed_in(people::P9).await;
    let mut unused = server.signed_in(people::OTHER_P9).await;
    clock.advance(Span::seconds(29 * 60 + 59));
    assert_eq!(session_status(&mut used).await, 200);
    clock.advance(Span::seconds(2));
    assert_eq!(session_status(&mut unused).await, 401, "30:01 after its only use");
    assert_eq!(session_status(&mut used).await, 200, "used two seconds ago");
    // Pages do not open either, and the cookie does not come alive again.
    let page = unused.get("/account").await;
    assert_eq!(page.status, 303, "{}", page.body);
    assert!(page.header("location").starts_with("/sign-in"), "{}", page.header("location"));
    clock.advance(Span::seconds(29 * 60 + 59));
    assert_eq!(session_status(&mut used).await, 200);
    clock.advance(Span::seconds(30 * 60 + 1));
    assert_eq!(session_status(&mut used).await, 401);
}

#[tokio::test]
async fn case_07_touched_every_five_minutes_it_dies_at_12_00_01() {
    let (server, clock) = on_a_clock().await;
    let began = Server::some_noon();
    let mut browser = server.signed_in(people::P9).await;
    let mut secrets = vec![browser.session().expect("signed in")];
    let said = session(&mut browser).await;
    assert_eq!(said["absolute_ends_at"], json!("2026-11-03T00:00:00Z"));
    for step in 1..=143 {
        clock.set(began + Span::minutes(5 * step));
        let reply = browser.api(Method::POST, "/v1/session/extend", &[]).await;
        assert_eq!(reply.status, 403, "asking is not enough: extending needs the token");
        let reply = browser.api_send(Method::POST, "/v1/session/extend", None).await;
        assert_eq!(reply.status, 200, "after {} minutes: {}", 5 * step, reply.body);
        assert_eq!(reply.json()["absolute_ends_at"], said["absolute_ends_at"]);
        let secret = browser.session().expect("signed in");
        if secrets.last() != Some(&secret) {
            secrets.push(secret);
        }
    }
    assert!(secrets.len() > 40, "the secret was replaced {} times", secrets.len() - 1);
    clock.set(began + Span::hours(12) - Span::seconds(1));
    assert_eq!(session_status(&mut browser).await, 200);
    let said = session(&mut browser).await;
    assert_eq!(said["idle_ends_at"], said["absolute_ends_at"], "the nearer end is the one that counts");
    assert_eq!(said["seconds_left"], json!(1));
    clock.set(began + Span::hours(12) + Span::seconds(1));
    assert_eq!(session_status(&mut browser).await, 401);
    let mut again = server.browser();
    for secret in secrets {
        again.plant(SESSION, &secret);
        assert_eq!(session_status(&mut again).await, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_07_what_a_process_remembers_extends_nothing() {
    let clock = ManualClock::new(Server::some_noon());
    // Without new secrets in between: the two instances are asked about one and the same.
    let options = || Options {
        clock: Some(clock.clone()),
        change: Some(Box::new(|settings| settings.sessions.rotate_minutes = 12 * 60)),
        ..Options::default()
    };
    let server = Server::with(options()).await;
    let browser = server.signed_in(people::P9).await;
    let secret = browser.session().expect("signed in");
    let other = Server::on(server.store(), options()).await;
    clock.advance(Span::seconds(29 * 60));
    assert!(opens(&other, &secret).await);
    // The other instance's use is written down when it stops; the first one's memory is older than that.
    let store = other.stop().await;
    clock.advance(Span::seconds(2 * 60));
    assert!(opens(&server, &secret).await, "used two minutes ago, on the other instance");
    clock.advance(Span::seconds(30 * 60 + 1));
    assert!(!opens(&server, &secret).await);
    let third = Server::on(store, options()).await;
    assert!(!opens(&third, &secret).await, "nor after a restart");
}

#[tokio::test]
async fn case_08_a_session_cookie_set_before_sign_in_is_not_the_one_after() {
    let server = Server::start().await;
    // Invented by an attacker.
    let planted = "B".repeat(43);
    let mut browser = server.browser();
    browser.plant(SESSION, &planted);
    browser.sign_in(people::P9).await;
    let secret = browser.session().expect("signed in");
    assert_ne!(secret, planted);
    assert!(!opens(&server, &planted).await && opens(&server, &secret).await);

    // The attacker's own, a real one.
    let attacker = server.signed_in(people::OTHER_P9).await;
    let planted = attacker.session().expect("signed in");
    let mut victim = server.browser();
    victim.plant(SESSION, &planted);
    victim.sign_in(people::P9).await;
    let secret = victim.session().expect("signed in");
    assert_ne!(secret, planted);
    assert!(!opens(&server, &planted).await, "the attacker does not share what comes after");
    let name = victim.get("/account").await;
    assert!(name.body.contains("Quarrybank") && !name.body.contains("Pellwether"), "{}", name.body);
}

#[tokio::test]
async fn case_08_old_secrets_are_dead_after_step_up_rotation_and_sign_out() {
    let (server, clock) = on_a_clock().await;
    let mut browser = server.signed_in(people::P5).await;
    let before = browser.session().expect("signed in");

    let page = browser.submit("/auth/step-up", &[("return_to", "/account")]).await;
    let page = browser.follow(page).await;
    let check = browser.choose_only(&page, people::P5).await;
    let done = super::assurance::complete_check(&mut browser, check).await;
    assert_eq!((done.status, done.url.path()), (200, "/account"), "{}", done.body);
    let stepped_up = browser.session().expect("signed in");
    assert_ne!(stepped_up, before);
    assert!(!opens(&server, &before).await, "dead after step-up");

    clock.advance(Span::minutes(14));
    assert_eq!(session_status(&mut browser).await, 200);
    assert_eq!(browser.session().as_ref(), Some(&stepped_up), "not yet due");
    clock.advance(Span::minutes(1));
    let reply = browser.api(Method::GET, "/v1/session", &[]).await;
    let cookies = reply.set_cookies();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    super::sign_in::check_session_cookie(&cookies[0]);
    let rotated = browser.session().expect("signed in");
    assert_ne!(rotated, stepped_up);
    assert!(!opens(&server, &stepped_up).await, "dead after rotation");
    assert!(opens(&server, &rotated).await);

    let reply = browser.submit("/auth/sign-out", &[]).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/signed-out"), "{}", reply.body);
    assert_eq!(reply.header("clear-site-data"), "\"cache\"");
    assert_eq!(browser.session(), None, "the browser is told to forget it");
    assert!(!opens(&server, &rotated).await, "dead after sign-out");
    assert_eq!(live_sessions(&server).await, 0);

    let mut browser = server.signed_in(people::P9).await;
    let secret = browser.session().expect("signed in");
    assert_eq!(browser.api_send(Method::DELETE, "/v1/session", None).await.status, 204);
    assert!(!opens(&server, &secret).await, "dead after the API's sign-out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_08_signing_out_elsewhere_ends_the_others_on_every_instance_within_a_second() {
    let first = Server::start().await;
    let second = Server::on(first.store(), Options::default()).await;
    let mut here = first.signed_in(people::P9).await;
    let (one, two) = (first.signed_in(people::P9).await, first.signed_in(people::P9).await);
    let stranger = first.signed_in(people::OTHER_P9).await;
    let secret = |browser: &Browser| browser.session().expect("signed in");
    let ended = [secret(&one), secret(&two)];
    let kept = [secret(&here), secret(&stranger)];
    for secret in ended.iter().chain(&kept) {
        assert!(opens(&second, secret).await, "one store, one session");
    }
    let listed = here.api(Method::GET, "/v1/sessions", &[]).await.json();
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(3), "{listed}");

    assert_eq!(here.api_send(Method::DELETE, "/v1/sessions", None).await.status, 204);
    for secret in &ended {
        assert!(!opens(&first, secret).await, "at once on the instance that ended them");
    }
    // The other instance is kept busy with them meanwhile, so that its memory never goes cold.
    let until = std::time::Instant::now() + Duration::from_secs(1);
    while std::time::Instant::now() < until {
        for secret in &ended {
            let _ = opens(&second, secret).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for secret in &ended {
        assert!(!opens(&second, secret).await, "a second later everywhere");
    }
    for secret in &kept {
        assert!(opens(&second, secret).await && opens(&first, secret).await, "nobody else is signed out");
    }
    let listed = here.api(Method::GET, "/v1/sessions", &[]).await.json();
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let server = Server::start().await;
    let mut here = server.signed_in(people::P9).await;
    let mut there = server.signed_in(people::P9).await;
    let mut stranger = server.signed_in(people::OTHER_P9).await;
    let id = |value: &serde_json::Value| value["id"].as_str().expect("an id").to_owned();
    let (own, other) = (id(&session(&mut here).await), id(&session(&mut there).await));
    let of_stranger = id(&session(&mut stranger).await);

    let listed = here.api(Method::GET, "/v1/sessions", &[]).await.json();
    let listed = listed["sessions"].as_array().expect("a list").clone();
    let mut ids: Vec<String> = listed.iter().map(id).collect();
    ids.sort();
    let mut expected = vec![own.clone(), other.clone()];
    expected.sort();
    assert_eq!(ids, expected, "their own, and nobody else's");
    for one in &listed {
        assert_eq!(one["current"].as_bool(), Some(id(one) == own));
        assert_eq!(one["device"], "Firefox on Linux");
        assert_eq!(one["assurance"], "P9");
    }
    // Somebody else's cannot be told from one that does not exist.
    let theirs = here.api_send(Method::DELETE, &format!("/v1/sessions/{of_stranger}"), None).await;
    let nobodys =
        here.api_send(Method::DELETE, &format!("/v1/sessions/{}", super::world::request_id()), None).await;
    assert_eq!((theirs.status, theirs.code()), (nobodys.status, nobodys.code()));
    assert_eq!(theirs.status, 404);
    let form = here.submit("/auth/sessions/end", &[("session", &of_stranger)]).await;
    assert_eq!(form.status, 404);
    assert_eq!(session_status(&mut stranger).await, 200);

    assert_eq!(here.api_send(Method::DELETE, &format!("/v1/sessions/{other}"), None).await.status, 204);
    assert_eq!(session_status(&mut there).await, 401);
    let again = here.api_send(Method::DELETE, &format!("/v1/sessions/{other}"), None).await;
    assert_eq!(again.status, 404, "it has ended");
    let reply = here.api_send(Method::DELETE, &format!("/v1/sessions/{own}"), None).await;
    assert_eq!(reply.status, 204);
    assert_eq!(here.session(), None, "ending one's own is signing out");
}

#[tokio::test]
async fn the_page_of_sessions_ends_them_by_forms() {
    let server = Server::start().await;
    let mut here = server.signed_in(people::P9).await;
    let mut one = server.signed_in(people::P9).await;
    let mut two = server.signed_in(people::P9).await;
    let mut three = server.signed_in(people::P9).await;
    let page = here.get("/account/sessions").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body.matches("/auth/sessions/end\"").count(), 3, "{}", page.body);
    assert_eq!(page.body.matches("This one").count(), 1);
    assert!(page.body.contains("Firefox on Linux"));

    let ended = session(&mut one).await["id"].as_str().expect("an id").to_owned();
    let reply = here.submit("/auth/sessions/end", &[("session", &ended)]).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/account/sessions"));
    assert_eq!(session_status(&mut one).await, 401);
    assert_eq!(session_status(&mut two).await, 200);
    let reply = here.submit("/auth/sessions/end-others", &[]).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/account/sessions"));
    for browser in [&mut two, &mut three] {
        assert_eq!(session_status(browser).await, 401);
    }
    let page = here.get("/account/sessions").await;
    assert!(page.body.contains("You are signed in nowhere else."), "{}", page.body);
    let own = session(&mut here).await["id"].as_str().expect("an id").to_owned();
    let reply = here.submit("/auth/sessions/end", &[("session", &own)]).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/signed-out"));
    assert_eq!(here.session(), None);
}

#[tokio::test]
async fn the_page_about_the_end_of_a_session_shows_when() {
    let (server, clock) = on_a_clock().await;
    let mut browser = server.signed_in(people::P9).await;
    clock.advance(Span::minutes(10));
    let page = browser.get("/session-ending").await;
    assert_eq!(page.status, 200);
    // Noon in winter: UTC is the time on the wall. Opening the page began the half hour anew.
    assert!(page.body.contains("12:40"), "{}", page.body);
    assert!(page.body.contains("midnight") || page.body.contains("00:00"), "{}", page.body);
    let reply = browser.submit("/auth/extend", &[("return_to", "/session-ending")]).await;
    assert_eq!((reply.status, reply.header("location")), (303, "/session-ending"));
}

#[tokio::test]
async fn people_stay_signed_in_while_the_provider_is_down() {
    let (server, clock) = on_a_clock().await;
    let mut browser = server.signed_in(people::P9).await;
    let all = json!({ "discovery": 503, "jwks": 503, "token": 503, "userinfo": 503 });
    simulator(&server, json!({ "fail": all })).await;
    for _ in 0..3 {
        clock.advance(Span::minutes(25));
        assert_eq!(browser.get("/waiting-times").await.status, 200);
        assert_eq!(browser.get("/account").await.status, 200);
        assert_eq!(browser.api_send(Method::POST, "/v1/session/extend", None).await.status, 200);
    }
    // Discovery is an hour old and cannot be renewed: the last good one stays in force, so a sign-in gets as
    // far as the token endpoint, and leaves the session there is as it was.
    let callback = until_callback(&mut browser, people::P9).await;
    let (reply, _) = come_back(&server, &mut browser, callback).await;
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert_eq!(session_status(&mut browser).await, 200);
    simulator(&server, json!({ "fail": {} })).await;
    let callback = until_callback(&mut browser, people::P9).await;
    assert_eq!(come_back(&server, &mut browser, callback).await.0.status, 303);
    let reply = browser.submit("/auth/sign-out", &[]).await;
    assert_eq!(reply.status, 303);
}
