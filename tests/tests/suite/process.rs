//! The binary, as a person starts it, stops it and mistypes at it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::{Value, json};
use tests::{Browser, Form, Process, Store, empty_store, form, fresh_store};
use waiting_times::model::Period;

/// The binary, with none of the settings of whoever runs the tests.
pub(crate) fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_front-door-under-test"));
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FRONT_DOOR") {
            command.env_remove(name);
        }
    }
    command
}

/// The binary on `store`.
pub(crate) fn on(store: &Store, arguments: &[&str]) -> Command {
    let mut command = binary(arguments);
    command.envs(store.environment());
    command
}

/// What a command that ends by itself did.
pub(crate) fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A text of a process.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A process that serves, and where.
pub(crate) struct Service {
    pub(crate) process: Process,
    pub(crate) url: String,
    pub(crate) metrics_url: Option<String>,
}

impl Service {
    /// Starts it and waits until it says where it is.
    pub(crate) fn start(command: &mut Command) -> Self {
        let process = Process::start(command);
        let line = process.line(|line| line.starts_with("Front Door is at http://"));
        let url = line.trim_start_matches("Front Door is at ").trim_end_matches('/').to_owned();
        let _ = process.line(|line| line.starts_with("Stop with Ctrl-C"));
        let said = process.said();
        let metrics = said.iter().find_map(|line| line.strip_prefix("Metrics are at "));
        Self { metrics_url: metrics.map(str::to_owned), process, url }
    }

    /// Who it says can sign in.
    fn people(&self) -> Vec<String> {
        let said = self.process.said();
        let lines = said.iter().skip_while(|line| !line.starts_with("Sign in as one of these"));
        lines.skip(1).map_while(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
    }

    /// Stops it as Ctrl-C does.
    pub(crate) fn stop(mut self) {
        let (_, code) = self.process.interrupt(Duration::from_secs(10));
        assert_eq!(code, Some(0), "{:?}", self.process.complained());
    }
}

async fn count(database: &DatabaseConnection, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) AS n FROM {table}");
    let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql)).await;
    row.expect("the table answers").expect("a row").try_get("", "n").expect("a number")
}

/// The rows a seeding makes.
async fn seeded_rows(database: &DatabaseConnection) -> Vec<i64> {
    let mut rows = Vec::new();
    for table in ["patient", "patient_number", "referral", "rtt_month"] {
        rows.push(count(database, table).await);
    }
    rows
}

/// January 2026 in the official layout, as a file.
pub(crate) fn month_file(folder: &Path, seed: u64) -> std::path::PathBuf {
    let path = folder.join(format!("month-{seed}.csv"));
    let period = Period::new(2026, 1).expect("a month");
    let bytes = sandbox::month::made_up_month(seed, period).expect("the bytes of a month");
    std::fs::write(&path, bytes).expect("a file");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_from_nothing_stops_in_order_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("not-there-yet");
    let data = data.to_str().unwrap();
    let mut service = Service::start(&mut binary(&["serve", "--data-dir", data, "--listen", "127.0.0.1:0"]));
    let people = service.people();
    assert_eq!(people.len(), sandbox::made_up_people(2026).len(), "{people:?}");

    let mut browser = Browser::new(&service.url);
    assert_eq!(browser.sign_in("Philomena Quarrybank").await.status, 200);
    let waits = browser.api(Method::GET, "/v1/waiting-times", &[]).await.json();
    let secret = browser.session().unwrap();
    let url = format!("sqlite://{data}/front-door.db");
    let rows = seeded_rows(&Database::connect(&url).await.unwrap()).await;

    // A request is under way when the signal comes.
    let slow = json!({ "slow_seconds": { "discovery": 2 } }).to_string().into_bytes();
    let at = |path: &str| url::Url::parse(&service.url).unwrap().join(path).unwrap();
    let json = [("content-type", "application/json")];
    let reply = browser.send(Method::POST, at("/simulator/faults"), &json, Some(slow)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let mut other = Browser::new(&service.url);
    let document = at("/simulator/.well-known/openid-configuration");
    let under_way = tokio::spawn(async move { other.send(Method::GET, document, &[], None).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!under_way.is_finished(), "the request must be under way");
    let (took, code) = service.process.interrupt(Duration::from_secs(10));
    assert_eq!(code, Some(0), "{:?}", service.process.complained());
    assert!(took >= Duration::from_millis(500), "it did not wait for the request: {took:?}");
    let answered = under_way.await.unwrap();
    assert_eq!(answered.status, 200);
    assert!(answered.json()["issuer"].is_string());

    let address = service.url.trim_start_matches("http://").to_owned();
    let again = Service::start(&mut binary(&["serve", "--data-dir", data, "--listen", &address]));
    assert_eq!((&again.url, &again.people()), (&service.url, &people));
    let after = browser.api(Method::GET, "/v1/waiting-times", &[]).await;
    assert_eq!(after.status, 200, "{}", after.body);
    assert_eq!(after.json(), waits);
    assert_eq!(browser.session().unwrap(), secret);
    assert_eq!(seeded_rows(&Database::connect(&url).await.unwrap()).await, rows, "nothing is seeded twice");
    again.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_imported_by_another_process_shows_up() {
    let store = fresh_store().await;
    let service = Service::start(&mut on(&store, &["serve"]));
    let mut browser = Browser::new(&service.url);
    let list = "/v1/waiting-times/statistics?provider=RTH&treatment_function=C_120";
    let before = browser.api(Method::GET, list, &[]).await.json();
    assert_eq!(before["source"]["kind"], "made_up");

    let file = month_file(store.folder(), 77);
    let done = run(&mut on(&store, &["rtt", "import", "--json", file.to_str().unwrap()]));
    assert!(done.status.success(), "{}", text(&done.stderr));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((report["outcome"].as_str(), report["period"].as_str()), (Some("imported"), Some("2026-01")));

    let mut after = before.clone();
    for _ in 0..100 {
        after = browser.api(Method::GET, list, &[]).await.json();
        if after["source"]["kind"] != "made_up" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(after["source"]["kind"], "official");
    assert_ne!(after["list_size"], before["list_size"]);

    // The same again changes nothing, and says so.
    let done = run(&mut on(&store, &["rtt", "import", file.to_str().unwrap()]));
    assert!(text(&done.stdout).contains("unchanged"), "{}", text(&done.stdout));
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_on_a_listener_of_their_own() {
    let store = fresh_store().await;
    let service = Service::start(&mut on(&store, &["serve"]));
    let mut browser = Browser::new(&service.url);
    assert_eq!(browser.api(Method::GET, "/_ping", &[]).await.status, 200);
    assert_eq!(browser.api(Method::GET, "/metrics", &[]).await.status, 404, "not on the public one");
    let metrics = url::Url::parse(service.metrics_url.as_ref().unwrap()).unwrap();
    let reply = browser.send(Method::GET, metrics.clone(), &[], None).await;
    assert_eq!(reply.status, 200);
    let counted = r#"http_requests_total{route="/_ping",method="GET",status="200"} 1"#;
    assert!(reply.body.contains(counted), "{}", reply.body);
    let other = browser.send(Method::GET, metrics.join("/v1/session").unwrap(), &[], None).await;
    assert_eq!(other.status, 404, "and the public routes not on this one");
    service.stop();
}

/// Every command, found by following the help of each.
fn commands(path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    let done = run(&mut binary(&arguments));
    let help = text(&done.stdout);
    assert!(done.status.success() && done.stderr.is_empty(), "{arguments:?}: {}", text(&done.stderr));
    assert!(help.contains("Usage: front-door"), "{arguments:?}: {help}");
    let said = help.lines().next().unwrap_or_default();
    assert!(said.len() > 10 && !said.starts_with("Usage"), "{arguments:?}: {said:?}");
    found.push(path.clone());
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names: Vec<String> = listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    for name in names {
        path.push(name);
        commands(path, found);
        path.pop();
    }
}

#[test]
fn every_command_explains_itself() {
    let mut found = Vec::new();
    commands(&mut Vec::new(), &mut found);
    let found: BTreeSet<String> = found.into_iter().map(|path| path.join(" ")).collect();
    for command in
        ["serve", "migrate", "rtt import", "access-log verify", "openapi", "keys rotate", "settings"]
    {
        assert!(found.contains(command), "{command} is not among {found:?}");
    }
    let version = run(&mut binary(&["--version"]));
    assert_eq!(text(&version.stdout).trim(), format!("front-door {}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_one_line() {
    let store = fresh_store().await;
    let folder = store.folder();
    let write = |name: &str, contents: &str| {
        let path = folder.join(name);
        std::fs::write(&path, contents).unwrap();
        path.display().to_string()
    };
    let missing = folder.join("missing.toml").display().to_string();
    let directory = folder.display().to_string();
    let no_toml = write("no.toml", "profile = \"sandbox\n[http\n");
    let unknown = write("unknown.toml", "[http]\nlisten_at = \"127.0.0.1:0\"\n");
    let wrong_type = write("type.toml", "[http]\nmax_body_bytes = \"many\"\n");
    let no_extract = write("no-extract.csv", "a,b\n1,2\n");
    let blocked = format!("{}/under", write("a-file", ""));
    let missing_file = folder.join("missing.csv").display().to_string();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let existing_keys = folder.join("keys/record-keys.json").display().to_string();

    type Settings<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&[&str], Settings<'_>, &str); 17] = [
        (&["--config", &missing], &[], "missing.toml"),
        (&["--config", &directory], &[], "directory"),
        (&["--config", &no_toml], &[], "no.toml"),
        (&["--config", &unknown], &[], "listen_at"),
        (&["--config", &wrong_type], &[], "max_body_bytes"),
        (&["settings"], &[("FRONT_DOOR__HTTP__LISTEN", "nowhere")], "HTTP.LISTEN"),
        (&["settings"], &[("FRONT_DOOR__HTTP__DRAIN_SECONDS", "-1")], "HTTP.DRAIN_SECONDS"),
        (&["settings"], &[("FRONT_DOOR__HTTP__DRAIN", "1")], "drain"),
        (&["settings"], &[("FRONT_DOOR__PROFILE", "prod")], "PROFILE"),
        (&["serve"], &[("FRONT_DOOR__HTTP__LISTEN", &taken)], &taken),
        (&["serve"], &[("FRONT_DOOR__LOG__FILTER", "a=b=c")], "log.filter"),
        (&["serve"], &[("FRONT_DOOR__HTTP__PUBLIC_URL", "not a url")], "http.public_url"),
        (&["migrate", "--data-dir", &blocked], &[], "a-file"),
        (&["migrate"], &[("FRONT_DOOR__DATABASE__URL", "postgres://127.0.0.1:1/none")], "database"),
        (&["rtt", "import", &missing_file], &[], "missing.csv"),
        (&["rtt", "import", &no_extract], &[], "no-extract.csv"),
        (&["keys", "create", &existing_keys], &[], "record-keys.json"),
    ];
    for (arguments, settings, named) in cases {
        let mut command = on(&store, arguments);
        command.envs(settings.iter().copied());
        let output = run(&mut command);
        let complained = text(&output.stderr);
        let all =
            format!("{arguments:?} {settings:?}: said {:?}, complained {complained}", text(&output.stdout));
        assert!(!output.status.success() && output.stdout.is_empty(), "{all}");
        assert_eq!(complained.lines().count(), 1, "{all}");
        assert!(complained.starts_with("front-door: ") && complained.contains(named), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_store_keep_it_whole() {
    let store = Arc::new(fresh_store().await);
    let services = [(); 2].map(|()| Service::start(&mut on(&store, &["serve"])));
    let mut browsers = Vec::new();
    for (service, name) in services.iter().zip(["Philomena Quarrybank", "Barnaby Thistlewick"]) {
        let mut browser = Browser::new(&service.url);
        assert_eq!(browser.sign_in(name).await.status, 200);
        browsers.push(browser);
    }
    const EACH: usize = 20;
    let work = browsers.into_iter().enumerate().map(|(place, mut browser)| {
        tokio::spawn(async move {
            for number in 0..EACH {
                let body = json!({ "category": "other", "text": format!("Number {number}.") });
                let key = format!("writer-{place}-{number}");
                let more = [("idempotency-key", key.as_str())];
                let reply = browser.api_send_with(Method::POST, "/v1/concerns", Some(&body), &more).await;
                assert_eq!(reply.status, 201, "{}", reply.body);
                let reply = browser.api(Method::GET, "/v1/waiting-times", &[]).await;
                assert_eq!(reply.status, 200, "{}", reply.body);
            }
            let reply = browser.api(Method::GET, "/v1/concerns?limit=100", &[]).await;
            assert_eq!(reply.json()["concerns"].as_array().map(Vec::len), Some(EACH));
        })
    });
    for outcome in futures::future::join_all(work).await {
        outcome.unwrap();
    }
    for service in services {
        service.stop();
    }
    let database = store.connect().await;
    if *form() == Form::Embedded {
        let check = Statement::from_string(database.get_database_backend(), "PRAGMA integrity_check");
        let row = database.query_one_raw(check).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "ok");
    }
    assert_eq!(count(&database, "concern").await, 2 * i64::try_from(EACH).unwrap());
    let verified = run(&mut on(&store, &["access-log", "verify"]));
    assert!(text(&verified.stdout).contains("is whole"), "{}", text(&verified.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_start_at_once_on_an_empty_store_all_come_up() {
    let store = Arc::new(empty_store().await);
    // PostgreSQL is production's: instances migrate at once there, and none of them seeds.
    if *form() != Form::Embedded {
        let migrations = (0..3).map(|_| {
            let store = store.clone();
            tokio::task::spawn_blocking(move || run(&mut on(&store, &["migrate"])))
        });
        for done in futures::future::join_all(migrations).await {
            let done = done.unwrap();
            assert!(done.status.success(), "{}", text(&done.stderr));
        }
        Service::start(&mut on(&store, &["serve"])).stop();
    }
    let starts = (0..3).map(|_| {
        let store = store.clone();
        tokio::task::spawn_blocking(move || Service::start(&mut on(&store, &["serve"])))
    });
    let services: Vec<Service> =
        futures::future::join_all(starts).await.into_iter().map(Result::unwrap).collect();
    for service in &services {
        let mut browser = Browser::new(&service.url);
        assert_eq!(browser.sign_in("Philomena Quarrybank").await.status, 200);
        assert_eq!(browser.api(Method::GET, "/v1/profile", &[]).await.status, 200, "one key ring for all");
    }
    let people = sandbox::made_up_people(2026);
    let known: Vec<_> = people.iter().filter_map(|person| person.record.as_ref()).collect();
    let referrals: usize = known.iter().map(|record| record.referrals.len()).sum();
    let rows = seeded_rows(&store.connect().await).await;
    // Six made-up months.
    let expected = [known.len(), referrals, 6].map(|number| i64::try_from(number).unwrap());
    assert_eq!([rows[0], rows[2], rows[3]], expected, "seeded once");
    for service in services {
        service.stop();
    }
    let verified = run(&mut on(&store, &["access-log", "verify"]));
    assert!(verified.status.success(), "{}", text(&verified.stderr));
}
