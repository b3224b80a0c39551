//! Published waiting-time figures: imported, fitted, tried out and written.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use platform::settings::Settings;
use wait_estimator::backtest::{BacktestReport, backtest, calibration_svg};
use wait_estimator::{Month, Successors, fit};
use waiting_times::export::ExportError;
use waiting_times::{
    FitAccount, FitOptions, FitOutcome, ImportError, ImportOptions, ImportReport, WaitingTimes,
};

use super::{Said, json_line, open, pretty, say};

/// The largest table of successors read; the whole of England's history has a few hundred rows.
const MOST_SUCCESSOR_BYTES: u64 = 4 << 20;

/// What can be done with published figures.
#[derive(Debug, Subcommand)]
pub(super) enum RttCommand {
    /// Import official full extracts (csv, csv.gz or zip), then fit and switch. A file is taken whole or refused
    /// whole.
    Import(ImportArgs),
    /// Fit the newest months that are imported, check the fit, and switch to it.
    Fit(FitArgs),
    /// List the generations that are kept: the one in use, and those that can be gone back to.
    Generations {
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Go back to the generation that was in use before this one, or to one that is named.
    Rollback {
        /// The name of a generation that is kept.
        #[arg(value_name = "GENERATION")]
        generation: Option<String>,
        /// Report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fit some months and score the forecasts on later ones. Reads the files given and nothing else.
    Backtest(BacktestArgs),
    /// Write estimates for every list and week waited as csv to standard output.
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Take a revised file even if its list is more than a quarter smaller than the one it replaces, and a model
    /// that differs from the one in use by more than the checks allow.
    #[arg(long)]
    accept_large_change: bool,
    /// Only store the months; what is in use stays until `rtt fit`.
    #[arg(long)]
    no_fit: bool,
    /// A table of the successors of organisations (predecessor,successor,from,source), put over the built-in one.
    #[arg(long, value_name = "FILE")]
    successors: Option<PathBuf>,
    /// Report as JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct FitArgs {
    /// Go past the checks against the model in use. Those of the model itself always hold.
    #[arg(long)]
    accept_changes: bool,
    /// How many of the newest months to fit.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u8).range(1..=36))]
    months: u8,
    /// A table of the successors of organisations (predecessor,successor,from,source), put over the built-in one.
    #[arg(long, value_name = "FILE")]
    successors: Option<PathBuf>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    /// The months to fit.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    train: Vec<PathBuf>,
    /// The later months to score.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    test: Vec<PathBuf>,
    /// A table of the successors of organisations (predecessor,successor,from,source), put over the built-in one.
    #[arg(long, value_name = "FILE")]
    successors: Option<PathBuf>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
    /// Draw predicted against realised shares into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Fit these files on the spot instead of taking the generation in use. No database is touched.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    months: Vec<PathBuf>,
    /// Days after the last month-end for which to write the probability of still being on the list.
    #[arg(long, value_name = "DAYS", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=3650))]
    horizon_days: Vec<u32>,
    /// With --months: a table of the successors of organisations (predecessor,successor,from,source), put over the
    /// built-in one.
    #[arg(long, value_name = "FILE", requires = "months")]
    successors: Option<PathBuf>,
}

pub(super) async fn run(settings: Settings, command: RttCommand) -> Said {
    match command {
        RttCommand::Import(args) => import(settings, args).await,
        RttCommand::Fit(args) => fit_stored(settings, args).await,
        RttCommand::Generations { json } => generations(settings, json).await,
        RttCommand::Rollback { generation, json } => rollback(settings, generation.as_deref(), json).await,
        RttCommand::Backtest(args) => run_backtest(&args),
        RttCommand::Export(args) => export(settings, args).await,
    }
}

async fn import(settings: Settings, args: ImportArgs) -> Said {
    let successors = successors(args.successors.as_deref())?;
    let rooms = open(settings).await?;
    let times = &rooms.waiting_times;
    let options = ImportOptions { accept_large_change: args.accept_large_change, no_fit: args.no_fit };
    let fit = FitOptions { accept_changes: args.accept_large_change, successors, ..FitOptions::default() };
    let outcome = import_files(times, &args, options, &fit).await;
    rooms.db.close().await.map_err(|error| error.to_string())?;
    outcome
}

/// Stores one file after the other and fits once. A file that is refused ends the import; what was stored before it is
/// fitted all the same.
async fn import_files(
    times: &WaitingTimes,
    args: &ImportArgs,
    options: ImportOptions,
    fit: &FitOptions,
) -> Said {
    let mut stored: Vec<ImportReport> = Vec::new();
    let mut refused: Option<ImportError> = None;
    for file in &args.files {
        match times.store_file(file, options).await {
            Ok(report) => stored.push(report),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
        // The last report waits for the account of the fit.
        if let [.., before, _] = stored.as_slice() {
            tell(before, args.json)?;
        }
    }
    let fitted =
        if args.no_fit || stored.is_empty() { Ok(()) } else { times.fit_after(&mut stored, fit).await };
    if let Some(last) = stored.last() {
        tell(last, args.json)?;
    }
    if let Some(error) = refused {
        return Err(error.to_string());
    }
    fitted.map_err(|error| error.to_string())?;
    verdict(stored.last().and_then(|last| last.fit.as_ref()))
}

fn tell(report: &ImportReport, json: bool) -> Said {
    if json { say(&json_line(report)?) } else { say(&report.to_string()) }
}

/// A fit that did not pass is an error of the command, named in one line.
fn verdict(fit: Option<&FitAccount>) -> Said {
    match fit {
        Some(fit) if matches!(fit.outcome, FitOutcome::Refused | FitOutcome::StatisticsOnly) => {
            let why: Vec<String> = fit.failures.iter().map(ToString::to_string).collect();
            let kept = match fit.outcome {
                FitOutcome::Refused => format!("generation {} stays in use", fit.in_use),
                _ => "there are statistics only".to_owned(),
            };
            Err(format!("the fit did not pass its checks, {kept}: {}", why.join("; ")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

async fn fit_stored(settings: Settings, args: FitArgs) -> Said {
    let options = FitOptions {
        accept_changes: args.accept_changes,
        months: args.months.into(),
        successors: successors(args.successors.as_deref())?,
    };
    let rooms = open(settings).await?;
    let account = rooms.waiting_times.fit(&options).await.map_err(|error| error.to_string());
    rooms.db.close().await.map_err(|error| error.to_string())?;
    let account = account?;
    if args.json {
        say(&json_line(&account)?)?;
    } else {
        say(&account.to_string())?;
    }
    verdict(Some(&account))
}

async fn generations(settings: Settings, json: bool) -> Said {
    let rooms = open(settings).await?;
    let kept = rooms.waiting_times.generations().await.map_err(|error| error.to_string());
    rooms.db.close().await.map_err(|error| error.to_string())?;
    let kept = kept?;
    if json {
        return say(&pretty(&serde_json::to_value(&kept).map_err(|error| error.to_string())?)?);
    }
    if kept.is_empty() {
        return say("No generation has been fitted yet.\n");
    }
    say(&kept.iter().map(|generation| format!("{generation}\n")).collect::<String>())
}

async fn rollback(settings: Settings, generation: Option<&str>, json: bool) -> Said {
    let rooms = open(settings).await?;
    let in_use = rooms.waiting_times.rollback(generation).await.map_err(|error| error.to_string());
    rooms.db.close().await.map_err(|error| error.to_string())?;
    let in_use = in_use?;
    if json {
        say(&json_line(&serde_json::json!({ "in_use": in_use }))?)
    } else {
        say(&format!("Generation {in_use} is in use.\n"))
    }
}

fn run_backtest(args: &BacktestArgs) -> Said {
    let table = successors_or_built_in(args.successors.as_deref())?;
    let (train, test) = (read(&args.train)?, read(&args.test)?);
    let report = backtest(&train, &test, &table).map_err(|error| format!("the back-test: {error}"))?;
    if let Some(path) = &args.svg {
        std::fs::write(path, calibration_svg(&report))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if args.json { say(&json_line::<BacktestReport>(&report)?) } else { say(&report.text()) }
}

async fn export(settings: Settings, args: ExportArgs) -> Said {
    if !args.months.is_empty() {
        let table = successors_or_built_in(args.successors.as_deref())?;
        let months = read(&args.months)?;
        let model = fit(&months, &table).map_err(|error| format!("the fit: {error}"))?.model;
        drop(months);
        let out = BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
        return quiet(waiting_times::export::write(&model, &args.horizon_days, out).map_err(Into::into));
    }
    let rooms = open(settings).await?;
    let out = BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
    let written = rooms.waiting_times.export(&args.horizon_days, out);
    rooms.db.close().await.map_err(|error| error.to_string())?;
    quiet(written)
}

/// A reader that went away (`| head`) is not an error.
fn quiet(written: Result<(), ExportError>) -> Said {
    match written {
        Err(ExportError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(error.to_string()),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn read(files: &[PathBuf]) -> Result<Vec<Month>, String> {
    waiting_times::read_months(files).map_err(|refusal| refusal.to_string())
}

fn successors_or_built_in(path: Option<&Path>) -> Result<Successors, String> {
    match successors(path)? {
        Some(table) => Ok(table),
        None => Successors::built_in().map_err(|error| error.to_string()),
    }
}

/// The table in the file put over the one that is built in.
fn successors(path: Option<&Path>) -> Result<Option<Successors>, String> {
    let Some(path) = path else { return Ok(None) };
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let size = std::fs::metadata(path).map_err(|error| said(&error))?.len();
    if size > MOST_SUCCESSOR_BYTES {
        return Err(said(&"the table is too large"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| said(&error))?;
    let table = Successors::parse(&text).map_err(|error| said(&error))?;
    let whole = Successors::built_in().and_then(|built_in| built_in.extended(table));
    whole.map(Some).map_err(|error| said(&error))
}
