//! What an entry of the access log costs when 64 requests wait for theirs at the same time: entries a second,
//! CPU per entry, entries per commit. `cargo bench -p record-access`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops when it cannot go on, and prints"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use platform::keys::KeyRing;
use platform::{OsRandom, SharedRandom, SystemClock};
use record_access::{AccessLog, AccountId, Category, ClientId, Entry, Outcome, PatientId};

const WAITING: usize = 64;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let random: SharedRandom = Arc::new(OsRandom);
    let db = platform::testing::empty_database(folder.path()).await;
    migrations::run(db.write()).await.expect("the schema");
    let keys = KeyRing::create(&folder.path().join("ring.json"), None, random.clone()).expect("keys");
    let access_log = AccessLog::start(db, &keys, Arc::new(SystemClock)).expect("the log opens");
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let (cpu_before, started) = (cpu(), Instant::now());
    let clients: Vec<_> = (0..WAITING)
        .map(|_| {
            let (log, stop, written) = (access_log.clone(), stop.clone(), written.clone());
            let (random, subject) = (random.clone(), PatientId(random.uuid()));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let entry = Entry {
                        request_id: random.uuid(),
                        actor: Some(AccountId(subject.0)),
                        subject: Some(subject),
                        authority: "self".into(),
                        client: ClientId::web(),
                        category: Category::WaitingTimes,
                        purpose: "direct-care-self",
                        operation: "getMyWaitingTimes",
                        outcome: Outcome::Allowed,
                    };
                    log.append(entry).await.expect("the entry is committed");
                    written.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(4)).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("a client ends");
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let entries = written.load(Ordering::Relaxed) as f64;
    println!(
        "{:.0} entries a second, {:.1} us of CPU each",
        entries / started.elapsed().as_secs_f64(),
        (cpu() - cpu_before) * 1e6 / entries,
    );
    let verdict = access_log.verify().await.expect("the log can be read");
    assert!(verdict.broken.is_none(), "the chain is broken: {:?}", verdict.broken);
}

/// Seconds of CPU this process used so far (100 ticks a second on Linux).
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
