//! What a process does between requests.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::App;
use crate::telemetry;

/// Writes the last use of sessions every second, follows the active month of waiting-time figures every two,
/// keeps the metrics tidy every five, and clears out what has run out every minute, until told to stop.
pub async fn run(app: App, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seconds: u64 = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => seconds += 1,
            _ = stop.wait_for(|stop| *stop) => return,
        }
        report("flush_touches", app.identity.sessions().flush_touches().await);
        if seconds.is_multiple_of(2) {
            report("refresh_figures", app.waiting_times.refresh_if_changed().await);
        }
        if seconds.is_multiple_of(5) {
            telemetry::upkeep();
            // Another process may have made a new key.
            report("reload_keys", app.keys.reload_from_file());
        }
        if seconds.is_multiple_of(60) {
            let now = app.clock.now();
            report("sweep_identity", app.identity.sweep(now).await);
            report("sweep_generations", app.waiting_times.sweep_generations().await);
            report("sweep_idempotency", platform::idempotency::sweep(&app.db, now).await);
        }
    }
}

/// A task that fails is tried again at its next turn; that it fails is seen.
fn report<T, E: std::fmt::Display>(task: &'static str, outcome: Result<T, E>) {
    if let Err(error) = outcome {
        metrics::counter!("background_failures_total", "task" => task).increment(1);
        tracing::warn!(task, error = %error, "a background task failed and will be tried again");
    }
}
