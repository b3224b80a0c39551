//! How fast, as ratios: an axum hello-world and our own routes under the same load from the same tool in the
//! same run. Also what importing the real file costs, what an idle server holds, and how soon it answers.
//!
//! `cargo bench -p tests --bench load [-- --seconds 4 --rounds 3 --connections 64]`. The embedded form by
//! default; PostgreSQL and Redis with `FRONT_DOOR_TEST_DATABASE_URL` and `FRONT_DOOR_TEST_CACHE_URL`. The
//! import is measured where `FRONT_DOOR_CONFORMANCE_DATA` names the published files. `docs/performance.md`
//! says how to read the figures.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up must stop, and its figures are printed"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tests::{Browser, Form, Process, conformance_data, form, fresh_store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SERVER: &str = env!("CARGO_BIN_EXE_front-door-under-test");
const HELLO: &str = "--hello";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    if arguments.iter().any(|argument| argument == HELLO) {
        runtime.block_on(hello());
    } else {
        runtime.block_on(measure(&Plan::read(&arguments)));
    }
}

/// The baseline: the smallest axum server there is, as a process of its own like the one it is held against.
async fn hello() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", serde_json::json!({"address": listener.local_addr().expect("an address")}));
    let router =
        Router::new().route("/", get(|| async { axum::Json(serde_json::json!({"hello": "world"})) }));
    axum::serve(listener, router).await.expect("the baseline serves");
}

struct Plan {
    seconds: u64,
    rounds: usize,
    connections: usize,
}

impl Plan {
    fn read(arguments: &[String]) -> Self {
        let number = |name: &str, default: u64| {
            arguments
                .iter()
                .position(|argument| argument == name)
                .and_then(|at| arguments.get(at + 1))
                .map_or(default, |value| value.parse().expect("a number"))
        };
        let small = |value: u64| usize::try_from(value).expect("a small number");
        Self {
            seconds: number("--seconds", 4),
            rounds: small(number("--rounds", 3)),
            connections: small(number("--connections", 64)),
        }
    }
}

/// What is asked, of whom, and what came of it in each round.
struct Target {
    name: &'static str,
    address: SocketAddr,
    pid: u32,
    requests: Vec<Arc<[u8]>>,
    runs: Vec<Run>,
}

#[derive(Clone, Copy)]
struct Run {
    per_second: f64,
    cpu_micros: f64,
    p50: Duration,
    p99: Duration,
}

async fn measure(plan: &Plan) {
    let shape = match form() {
        Form::Embedded => "SQLite and the in-process cache",
        Form::Production { .. } => "PostgreSQL and Redis",
    };
    println!(
        "Form: {shape}. {} connections, {} rounds of {} s.\n",
        plan.connections, plan.rounds, plan.seconds
    );
    import().await;

    let baseline = Process::start(Command::new(std::env::current_exe().expect("this file")).arg(HELLO));
    let hello_address = baseline.json_line()["address"].as_str().expect("an address").parse().expect("one");

    let store = fresh_store().await;
    let started = Instant::now();
    let (server, address) = serve(&store).await;
    wait_for(address, "/_ping").await;
    println!("Start to first answer on a seeded store: {} ms", started.elapsed().as_millis());
    let base = format!("http://{address}");
    let mut cookies = Vec::new();
    for name in ["Philomena", "Barnaby", "Cosmo", "Peregrine"] {
        let mut browser = Browser::new(&base);
        assert_eq!(browser.sign_in(name).await.status, 200, "{name} could not sign in");
        cookies.push(browser.session().expect("a session"));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("Idle memory (proportional set size): {:.1} MiB\n", memory(server.id()));

    let public = |path: &str| vec![request(address, path, None)];
    let personal =
        |path: &str| cookies.iter().map(|cookie| request(address, path, Some(cookie))).collect::<Vec<_>>();
    let target = |name, requests| Target { name, address, pid: server.id(), requests, runs: Vec::new() };
    let mut targets = vec![
        Target {
            name: "hello-world",
            address: hello_address,
            pid: baseline.id(),
            requests: vec![request(hello_address, "/", None)],
            runs: Vec::new(),
        },
        target("GET /_ping", public("/_ping")),
        target(
            "GET /v1/waiting-times/statistics",
            public("/v1/waiting-times/statistics?provider=RTH&treatment_function=C_120"),
        ),
        target(
            "GET /v1/waiting-times/estimate",
            public("/v1/waiting-times/estimate?provider=RTH&treatment_function=C_120&weeks_waited=18"),
        ),
        target("GET /v1/waiting-times (signed in, logged)", personal("/v1/waiting-times")),
        target("GET /waiting-times (page, signed in, logged)", personal("/waiting-times")),
    ];
    for target in &targets {
        load(target, plan.connections, Duration::from_secs(1)).await;
    }
    for _ in 0..plan.rounds {
        for target in &mut targets {
            let run = load(target, plan.connections, Duration::from_secs(plan.seconds)).await;
            target.runs.push(run);
        }
    }
    report(&targets);
    println!("\nMemory after the load: {:.1} MiB", memory(server.id()));
}

async fn serve(store: &tests::Store) -> (Process, SocketAddr) {
    let settings = store.settings();
    let mut command = Command::new(SERVER);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(store.folder())
        .env("FRONT_DOOR__DATABASE__URL", &settings.database.url)
        .env("FRONT_DOOR__CACHE__URL", &settings.cache.url)
        .env("FRONT_DOOR__CACHE__PREFIX", &settings.cache.prefix)
        .env("FRONT_DOOR__METRICS__LISTEN", "127.0.0.1:0")
        .env("FRONT_DOOR__LOG__FORMAT", "json");
    let process = Process::start_quiet(&mut command);
    let line = process.line(|line| line.starts_with("Front Door is at"));
    let address = line.rsplit("http://").next().expect("an address").trim_end_matches('/');
    (process, address.parse().expect("an address"))
}

async fn wait_for(address: SocketAddr, path: &str) {
    let asked = request(address, path, None);
    for _ in 0..500 {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let mut buffer = Vec::new();
            if stream.write_all(&asked).await.is_ok() && answer(&mut stream, &mut buffer).await == Some(200) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("no answer from {address}");
}

fn request(address: SocketAddr, path: &str, cookie: Option<&str>) -> Arc<[u8]> {
    let cookie = cookie.map(|cookie| format!("cookie: __Host-sid={cookie}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{cookie}\r\n").into_bytes().into()
}

/// Keeps `connections` busy for `length`, one request at a time on each; every answer must be 200.
async fn load(target: &Target, connections: usize, length: Duration) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let cpu_before = cpu(target.pid);
    let started = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|client| {
            let asked = target.requests[client % target.requests.len()].clone();
            let stop = stop.clone();
            let address = target.address;
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.expect("a connection");
                stream.set_nodelay(true).expect("no delay");
                let mut took = Vec::with_capacity(16_384);
                let mut buffer = Vec::with_capacity(65_536);
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    stream.write_all(&asked).await.expect("a request is sent");
                    let status = answer(&mut stream, &mut buffer).await;
                    assert_eq!(status, Some(200), "under load");
                    took.push(begun.elapsed());
                }
                took
            })
        })
        .collect();
    tokio::time::sleep(length).await;
    stop.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for client in clients {
        took.extend(client.await.expect("a client ends"));
    }
    let elapsed = started.elapsed().as_secs_f64();
    let used = cpu(target.pid) - cpu_before;
    took.sort_unstable();
    let count = took.len();
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let requests = count as f64;
    Run {
        per_second: requests / elapsed,
        cpu_micros: used * 1e6 / requests,
        p50: took[count / 2],
        p99: took[count * 99 / 100],
    }
}

/// Reads one answer with a `content-length`; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<u16> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).ok()?;
        let status = head.get(9..12)?.parse().ok()?;
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(Some(0), |length| length.parse().ok())?;
        while buffer.len() < end + 4 + length {
            if stream.read_buf(buffer).await.ok()? == 0 {
                return None;
            }
        }
        return Some(status);
    }
}

fn report(targets: &[Target]) {
    let median = |target: &Target, of: fn(&Run) -> f64| {
        let mut figures: Vec<f64> = target.runs.iter().map(of).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let rate = |target: &Target| median(target, |run| run.per_second);
    let cost = |target: &Target| median(target, |run| run.cpu_micros);
    let baseline = &targets[0];
    println!("| what | requests/s | of hello-world | server CPU us | of hello-world | p50 ms | p99 ms |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for target in targets {
        println!(
            "| {} | {:.0} | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} |",
            target.name,
            rate(target),
            rate(target) / rate(baseline),
            cost(target),
            cost(target) / cost(baseline),
            median(target, |run| run.p50.as_secs_f64() * 1e3),
            median(target, |run| run.p99.as_secs_f64() * 1e3),
        );
    }
}

/// What importing the real January 2026 file costs.
async fn import() {
    let Some(data) = conformance_data() else { return };
    let file = data.join("rtt/full-extract/2026-01-full-extract.csv.gz");
    let store = fresh_store().await;
    let settings = store.settings();
    let mut command = Command::new(SERVER);
    command
        .args(["rtt", "import", "--json", "--data-dir"])
        .arg(store.folder())
        .arg(&file)
        .env("FRONT_DOOR__DATABASE__URL", &settings.database.url)
        .env("FRONT_DOOR__CACHE__URL", &settings.cache.url);
    let started = Instant::now();
    let mut process = Process::start_quiet(&mut command);
    let (mut used, mut peak) = (0.0_f64, 0.0_f64);
    // The kernel's own account, looked at until the process ends.
    while process.exit_code().is_none() {
        if Path::new(&format!("/proc/{}/stat", process.id())).exists() {
            used = used.max(cpu(process.id()));
            peak = peak.max(peak_memory(process.id()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(process.exit_code(), Some(0), "the import failed");
    let report = process.json_line();
    println!(
        "Import of {}: {} rows, list {}; {used:.2} s of CPU in {:.2} s, peak memory {peak:.0} MiB\n",
        report["period"].as_str().unwrap_or("?"),
        report["rows"],
        report["parts"]
            .as_array()
            .and_then(|parts| parts.iter().find(|part| part["part"] == "Part_2"))
            .map_or(0, |part| part["all"].as_u64().unwrap_or(0)),
        started.elapsed().as_secs_f64(),
    );
}

/// Seconds of CPU the process used so far, from the kernel's account (100 ticks a second on Linux).
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The most memory the process ever held, MiB.
fn peak_memory(pid: u32) -> f64 {
    kib(&format!("/proc/{pid}/status"), "VmHWM:") / 1024.0
}

/// The memory the process holds, pages shared with others counted in part, MiB.
fn memory(pid: u32) -> f64 {
    kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:") / 1024.0
}

fn kib(file: &str, field: &str) -> f64 {
    std::fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0.0)
}
