//! What the service stands on goes away and comes back: Redis, which costs nothing but speed, and the database,
//! without which nothing is said that might be wrong. Only the production form has either as a server of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tests::{Browser, Form, Options, Reply, Server, form, fresh_store};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

const OWNER: &str = "Philomena Quarrybank";
const LIST: &str = "/v1/waiting-times/statistics?provider=RTH&treatment_function=C_120";

/// What the way between the service and a server does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Everything passes.
    Open,
    /// What is there is cut, and nothing new gets through.
    Cut,
    /// Connections stay, and not a byte passes.
    Hangs,
}

/// A way to a server that can be cut.
struct Line {
    address: SocketAddr,
    set: watch::Sender<Way>,
}

impl Line {
    async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (set, way) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (target, way) = (target.clone(), way.clone());
                tokio::spawn(async move { carry(near, &target, way).await });
            }
        });
        Self { address, set }
    }

    fn is_now(&self, way: Way) {
        self.set.send_replace(way);
    }
}

/// Carries one connection until it ends or is cut.
async fn carry(mut near: TcpStream, target: &str, mut way: watch::Receiver<Way>) {
    if *way.borrow_and_update() == Way::Cut {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    loop {
        let now = *way.borrow_and_update();
        match now {
            Way::Cut => return,
            Way::Hangs => {
                if way.changed().await.is_err() {
                    return;
                }
            }
            Way::Open => tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                changed = way.changed() => if changed.is_err() { return },
            },
        }
    }
}

/// The production form, or a line that says that this run is not about it.
fn production() -> Option<(&'static str, &'static str)> {
    match form() {
        Form::Production { database, cache } => Some((database, cache)),
        Form::Embedded => {
            println!("skipped: only PostgreSQL and Redis can go away");
            None
        }
    }
}

fn authority(url: &str, port: u16) -> String {
    let url = Url::parse(url).expect("an address");
    format!("{}:{}", url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(port))
}

fn through(url: &str, line: &Line) -> String {
    let mut url = Url::parse(url).expect("an address");
    url.set_host(Some(&line.address.ip().to_string())).expect("a host");
    url.set_port(Some(line.address.port())).expect("a port");
    url.to_string()
}

async fn get(browser: &mut Browser, path: &str) -> Reply {
    browser.api(Method::GET, path, &[]).await
}

/// A part of the status.
async fn health(browser: &mut Browser, part: &str) -> (u16, String, String) {
    let reply = get(browser, "/_status").await;
    let answer: Value = reply.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (reply.status, text(&answer["status"]), text(&answer["checks"][part]["status"]))
}

/// Asks until `path` is answered with 200, and for how long that took.
async fn heals(browser: &mut Browser, path: &str, patience: Duration) -> Reply {
    let started = Instant::now();
    loop {
        let reply = get(browser, path).await;
        if reply.status == 200 {
            return reply;
        }
        assert!(started.elapsed() < patience, "{path} does not heal: {} {}", reply.status, reply.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_everything_works() {
    if production().is_none() {
        return;
    }
    let change =
        |settings: &mut platform::settings::Settings| settings.cache.url = "redis://127.0.0.1:1".into();
    let server = Server::with(Options { change: Some(Box::new(change)), ..Options::default() }).await;
    let mut browser = server.signed_in(OWNER).await;
    for path in [LIST, "/v1/waiting-times", "/v1/profile", "/v1/concerns", "/v1/waiting-times/specialties"] {
        let reply = get(&mut browser, path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    }
    assert_eq!(health(&mut browser, "cache").await, (200, "warn".to_owned(), "warn".to_owned()));
    assert_eq!(browser.submit("/auth/sign-out", &[]).await.status, 303);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_may_come_and_go() {
    let Some((_, cache)) = production() else { return };
    let line = Line::to(authority(cache, 6379)).await;
    let url = through(cache, &line);
    let change = move |settings: &mut platform::settings::Settings| settings.cache.url = url;
    let server = Server::with(Options { change: Some(Box::new(change)), ..Options::default() }).await;
    let mut browser = server.signed_in(OWNER).await;
    let expected = get(&mut browser, LIST).await.body;
    assert_eq!(health(&mut browser, "cache").await.2, "pass");
    for way in [Way::Cut, Way::Hangs] {
        line.is_now(way);
        for path in
            [LIST, "/v1/waiting-times/statistics?provider=RRK&treatment_function=C_110", "/v1/waiting-times"]
        {
            let started = Instant::now();
            let reply = get(&mut browser, path).await;
            assert_eq!(reply.status, 200, "{way:?}: {}", reply.body);
            assert!(started.elapsed() < Duration::from_secs(5), "{way:?}: nobody waits for a cache");
        }
        assert_eq!(get(&mut browser, LIST).await.body, expected);
        assert_eq!(health(&mut browser, "cache").await.2, "warn", "{way:?}");
        line.is_now(Way::Open);
        let started = Instant::now();
        while health(&mut browser, "cache").await.2 != "pass" {
            assert!(started.elapsed() < Duration::from_secs(20), "{way:?}: it does not heal");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_may_go_and_come_back_and_nobody_is_told_anything_wrong() {
    let Some((database, _)) = production() else { return };
    let line = Line::to(authority(database, 5432)).await;
    let store = Arc::new(fresh_store().await);
    let url = through(&store.database_url(), &line);
    let change = move |settings: &mut platform::settings::Settings| settings.database.url = url;
    let server = Server::on(store, Options { change: Some(Box::new(change)), ..Options::default() }).await;
    let mut browser = server.signed_in(OWNER).await;
    let waits = get(&mut browser, "/v1/waiting-times").await.body;
    let figures = get(&mut browser, LIST).await.body;
    let session = browser.session();

    for way in [Way::Cut, Way::Hangs] {
        line.is_now(way);
        // What this process remembers of a session holds for less than a second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        for path in ["/v1/waiting-times", "/v1/profile", "/v1/session"] {
            let started = Instant::now();
            let reply = get(&mut browser, path).await;
            assert_eq!(reply.status, 503, "{way:?} {path}: {}", reply.body);
            assert!(reply.header("retry-after").parse::<u32>().is_ok(), "{way:?} {path}");
            assert!(
                !reply.body.contains("Quarrybank") && !reply.body.contains("referrals"),
                "{}",
                reply.body
            );
            assert!(reply.set_cookies().is_empty(), "{way:?}: nobody is signed out by that");
            assert!(
                started.elapsed() < Duration::from_secs(12),
                "{way:?} {path} took {:?}",
                started.elapsed()
            );
        }
        let page = browser.get("/waiting-times").await;
        assert_eq!(page.status, 503, "{way:?}: not sent to sign in: {}", page.body);
        assert_eq!(get(&mut browser, "/_ping").await.status, 200, "{way:?}");
        assert_eq!(
            health(&mut browser, "database").await,
            (503, "fail".to_owned(), "fail".to_owned()),
            "{way:?}"
        );
        // The published figures are in memory.
        let mut stranger = server.browser();
        assert_eq!(get(&mut stranger, LIST).await.body, figures, "{way:?}");
        let begun = stranger.api(Method::GET, "/auth/login", &[("accept", "application/json")]).await;
        assert_eq!(begun.status, 503, "{way:?}: {}", begun.body);

        line.is_now(Way::Open);
        let healed = heals(&mut browser, "/v1/waiting-times", Duration::from_secs(20)).await;
        assert_eq!(healed.body, waits, "{way:?}: the session and the record are as they were");
        assert_eq!(browser.session(), session);
    }
    assert_eq!(server.app().access_log.verify().await.unwrap().broken, None);
    assert!(server.signed_in("Barnaby Thistlewick").await.session().is_some());
    server.stop().await;
}
