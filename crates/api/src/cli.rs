//! What a person types.

mod rtt;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use platform::settings::Settings;
use serde::Serialize;

use crate::app::{Launch, Rooms, start};
use crate::openapi;
use crate::server::Running;
use crate::telemetry;

/// A patient-facing health service: waiting times, with test results and vaccinations to come.
#[derive(Debug, Parser)]
#[command(name = "front-door", version, about, max_term_width = 100)]
struct Cli {
    /// A TOML file with settings; the environment (FRONT_DOOR__SECTION__KEY) goes before it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the default database and the keys live.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (what happens without a command).
    Serve(ServeArgs),
    /// Bring the database's schema up to date.
    Migrate,
    /// Waiting-time figures.
    #[command(subcommand)]
    Rtt(rtt::RttCommand),
    /// The access log.
    #[command(subcommand)]
    AccessLog(AccessLogCommand),
    /// The keys that seal personal fields.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Print the OpenAPI document.
    Openapi,
    /// Print the settings in force, without secrets.
    Settings,
}

#[derive(Debug, Clone, Default, Args)]
struct ServeArgs {
    /// Where to listen, for example 127.0.0.1:8080.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
enum AccessLogCommand {
    /// Walk the chain and name the first broken entry.
    Verify {
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key file of a deployment's own: keys.file of the settings, or a file given here.
    Create {
        /// Where to write it; it must not exist.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Make a new key and seal every personal field again with it. Old keys still open what they sealed.
    Rotate {
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Drop the old keys, once every instance has taken up the new one (they do within seconds of seeing the
    /// new key file). Whatever was still sealed by an old key is sealed again first.
    Retire {
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Why a command could not do what was asked, in one line.
type Said = Result<ExitCode, String>;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Two libraries bring a TLS provider each; this one is used.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(cli) {
        Ok(code) => code,
        Err(line) => {
            // Nowhere else is left to say it.
            let _ = writeln!(std::io::stderr(), "front-door: {line}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Said {
    let settings = settings(&cli)?;
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    match &command {
        Command::Openapi => return say(&openapi::document().map_err(|error| error.to_string())?),
        Command::Settings => return say(&pretty(&settings.redacted())?),
        Command::Keys(KeysCommand::Create { file }) => return create_keys(file),
        _ => {}
    }
    // In force until the process ends, and ended in order. Traces leave on a thread of their own, not in the
    // runtime that serves.
    let _telemetry = telemetry::start(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        match command {
            Command::Serve(_) => serve(settings).await,
            Command::Migrate => migrate(settings).await,
            Command::Rtt(command) => rtt::run(settings, command).await,
            Command::AccessLog(AccessLogCommand::Verify { json }) => verify(settings, json).await,
            Command::Keys(KeysCommand::Rotate { json }) => rotate(settings, true, json).await,
            Command::Keys(KeysCommand::Retire { json }) => rotate(settings, false, json).await,
            Command::Keys(KeysCommand::Create { .. }) | Command::Openapi | Command::Settings => {
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

fn settings(cli: &Cli) -> Result<Settings, String> {
    let mut settings = Settings::load(cli.config.as_deref())?;
    if let Some(data_dir) = &cli.data_dir {
        settings = settings.with_data_dir(data_dir);
    }
    let chosen = match &cli.command {
        Some(Command::Serve(args)) => args.listen.or(cli.serve.listen),
        _ => cli.serve.listen,
    };
    if let Some(listen) = chosen {
        settings.http.listen = listen;
    }
    Ok(settings)
}

async fn serve(settings: Settings) -> Said {
    let running = start(Launch::new(settings)).await.map_err(|error| error.to_string())?;
    greet(&running)?;
    signal().await;
    tracing::info!("stopping");
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// What a newcomer needs to know, on standard output; log lines go to standard error.
fn greet(running: &Running) -> Result<(), String> {
    let mut text = format!("Front Door is at http://{}/\n", running.address);
    if let Some(metrics) = running.metrics_address {
        text.push_str(&format!("Metrics are at http://{metrics}/metrics\n"));
    }
    if !running.people.is_empty() {
        text.push_str("\nSign in as one of these made-up people:\n");
        for person in &running.people {
            text.push_str("  ");
            text.push_str(person);
            text.push('\n');
        }
    }
    text.push_str("\nStop with Ctrl-C.\n");
    say(&text).map(|_| ())
}

/// Waits for Ctrl-C or a request to terminate.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler there is nothing to wait for: stop in order rather than never.
    let _ = tokio::signal::ctrl_c().await;
}

async fn open(settings: Settings) -> Result<Rooms, String> {
    Rooms::open(Launch::new(settings)).await.map_err(|error| error.to_string())
}

async fn migrate(settings: Settings) -> Said {
    let rooms = open(settings).await?;
    rooms.db.close().await.map_err(|error| error.to_string())?;
    say("The schema is up to date.\n")
}

async fn verify(settings: Settings, json: bool) -> Said {
    let rooms = open(settings).await?;
    let verdict = rooms.access_log.verify().await.map_err(|error| format!("the access log: {error}"))?;
    if json {
        let broken = verdict.broken.as_ref().map(|broken| {
            serde_json::json!({
                "month": broken.month, "lane": broken.lane, "seq": broken.seq, "reason": broken.reason,
            })
        });
        let report =
            serde_json::json!({"entries": verdict.entries, "chains": verdict.chains, "broken": broken});
        say(&pretty(&report)?)?;
    }
    match verdict.broken {
        Some(broken) => Err(format!("the access log is broken: {broken}")),
        None if json => Ok(ExitCode::SUCCESS),
        None => say(&format!(
            "The access log is whole: {} entries in {} chains.\n",
            verdict.entries, verdict.chains
        )),
    }
}

fn create_keys(file: &Path) -> Said {
    let launch = std::sync::Arc::new(platform::OsRandom);
    let ring = platform::keys::KeyRing::create(file, None, launch).map_err(|error| error.to_string())?;
    say(&format!("{}: made, with the active key {}.\n", file.display(), ring.active_id()))
}

/// Seals everything again with the active key: a new one, or, to retire the old ones, the one there is.
async fn rotate(settings: Settings, new_key: bool, json: bool) -> Said {
    let rooms = open(settings).await?;
    let words = |error: &dyn std::fmt::Display| format!("keys: {error}");
    if new_key {
        rooms.keys.add_generation().map_err(|error| words(&error))?;
    }
    let mut resealed = rooms.patients.reseal().await.map_err(|error| words(&error))?;
    resealed += rooms.concerns.reseal().await.map_err(|error| words(&error))?;
    resealed += identity::reseal_names(&rooms.db, &rooms.keys).await.map_err(|error| words(&error))?;
    if !new_key {
        rooms.keys.retire_old_generations().map_err(|error| words(&error))?;
    }
    let (active, held) = (rooms.keys.active_id(), rooms.keys.ids().len());
    rooms.db.close().await.map_err(|error| words(&error))?;
    if json {
        say(&pretty(&serde_json::json!({"active": active, "keys": held, "resealed": resealed}))?)
    } else {
        say(&format!("The active key is {active}, of {held} held; {resealed} rows were sealed again.\n"))
    }
}

fn pretty(value: &serde_json::Value) -> Result<String, String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// One line of JSON.
fn json_line<T: Serialize>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// Writes to standard output. A reader that went away (`| head`) is not an error.
fn say(text: &str) -> Said {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("standard output: {error}"))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn listen_may_stand_before_or_after_serve() {
        for line in [
            &["front-door", "--listen", "127.0.0.1:1"][..],
            &["front-door", "serve", "--listen", "127.0.0.1:1"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            let settings = settings(&cli).unwrap();
            assert_eq!(settings.http.listen.port(), 1, "{line:?}");
        }
    }
}
