//! Taking a file in: read and checked whole, then stored in one transaction. What is in use changes only with the fit
//! that follows, so that statistics and estimates are always of one month.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;

use chrono::NaiveDate;
use platform::london_date;
use uuid::Uuid;

use crate::WaitingTimes;
use crate::error::{ImportError, WaitingTimesError};
use crate::generation::FitOptions;
use crate::intake::full_extract::{self, ExtractMonth};
use crate::intake::refusal::{Fault, RefusalReason};
use crate::model::{BandLayout, Part};
use crate::report::{HeadlineReport, ImportOutcome, ImportReport, ImportWarning, PartTotal};
use crate::snapshot::Origin;
use crate::statistics::headline;
use crate::store::months::{self, LiveMonth, NewMonth};

/// A list smaller than this share of the one it replaces is refused, as a fraction.
const SMALLEST_SHARE_KEPT: (u64, u64) = (3, 4);
/// From this list size on, a month is also held against the months beside it.
const COMPARABLE_LIST: u64 = 100_000;
/// A national list smaller than this is worth a remark; the smallest ever published had over two million.
const SMALLEST_NATIONAL_LIST: u64 = 1_000_000;
/// The most single findings a report lists.
const MOST_WARNINGS: usize = 20;

/// How an import may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Take a file whose list is more than a quarter smaller than the one it replaces, or than the month beside it.
    /// Take also a model that differs from the one in use by more than the checks allow.
    pub accept_large_change: bool,
    /// Only store: what is in use stays, until a fit.
    pub no_fit: bool,
}

/// A made-up file in the official layout.
#[derive(Clone, Debug)]
pub struct MadeUpFile {
    /// What to call it in reports.
    pub name: String,
    /// The file.
    pub contents: Vec<u8>,
}

/// A file that was read and found whole, with its rows made, ready to be stored.
struct Prepared {
    file: String,
    new: NewMonth,
    report: ImportReport,
}

impl WaitingTimes {
    /// Imports an official full extract: csv, gzip or zip, known by its content; then fits and switches to it, unless
    /// `options` say otherwise. The file is taken or refused whole; a refused file leaves everything as it was. The
    /// same content twice changes nothing, a revised file replaces its month, and the first official month takes the
    /// place of all made-up ones.
    ///
    /// # Errors
    /// [`ImportError::Refused`] with the place and the reason, [`ImportError::Failed`] when storing failed, or
    /// [`ImportError::NotFitted`]. That the fit did not pass its checks is no error: the report says so.
    pub async fn import_file(
        &self,
        path: &Path,
        options: ImportOptions,
    ) -> Result<ImportReport, ImportError> {
        let mut report = self.store_file(path, options).await?;
        if !options.no_fit {
            self.fit_after(std::slice::from_mut(&mut report), &fit_options(options)).await?;
        }
        Ok(report)
    }

    /// The first half of [`Self::import_file`]: the file is stored, and what is in use stays.
    ///
    /// # Errors
    /// As there.
    pub async fn store_file(&self, path: &Path, options: ImportOptions) -> Result<ImportReport, ImportError> {
        let shown = path.display().to_string();
        let name = path.file_name().map_or_else(|| shown.clone(), |name| name.to_string_lossy().into_owned());
        let path = path.to_owned();
        self.store(move || open(&path), shown, name, Origin::Official, options).await
    }

    /// The second half of [`Self::import_file`], for one file or several stored before: fits once, and adds the
    /// account to the last report.
    ///
    /// # Errors
    /// As there.
    pub async fn fit_after(
        &self,
        reports: &mut [ImportReport],
        options: &FitOptions,
    ) -> Result<(), ImportError> {
        let imported = reports.iter().any(|report| report.outcome != ImportOutcome::Unchanged);
        let fit = self.fit_if_needed(imported, options).await.map_err(ImportError::NotFitted)?;
        if let (Some(last), Some(fit)) = (reports.last_mut(), fit) {
            last.generation.clone_from(&fit.in_use);
            last.fit = Some(fit);
        }
        Ok(())
    }

    /// Imports made-up figures in the official layout, for the sandbox. Refused when official figures are here.
    ///
    /// # Errors
    /// As [`Self::import_file`].
    pub async fn import_made_up(
        &self,
        contents: impl Read + Seek + Send + 'static,
        name: &str,
    ) -> Result<ImportReport, ImportError> {
        let mut report = self.store_made_up(contents, name).await?;
        self.fit_after(std::slice::from_mut(&mut report), &fit_options(MADE_UP)).await?;
        Ok(report)
    }

    /// Several made-up files: all are stored, then one model is fitted to them.
    ///
    /// # Errors
    /// As [`Self::import_file`]; the files stored before the error stay stored.
    pub async fn import_made_up_months(
        &self,
        files: Vec<MadeUpFile>,
    ) -> Result<Vec<ImportReport>, ImportError> {
        let mut reports = Vec::with_capacity(files.len());
        for MadeUpFile { name, contents } in files {
            reports.push(self.store_made_up(Cursor::new(contents), &name).await?);
        }
        self.fit_after(&mut reports, &fit_options(MADE_UP)).await?;
        Ok(reports)
    }

    async fn store_made_up(
        &self,
        contents: impl Read + Seek + Send + 'static,
        name: &str,
    ) -> Result<ImportReport, ImportError> {
        self.store(move || Ok(contents), name.to_owned(), name.to_owned(), Origin::MadeUp, MADE_UP).await
    }

    async fn store<R: Read + Seek>(
        &self,
        open: impl FnOnce() -> Result<R, Box<Fault>> + Send + 'static,
        file: String,
        source_name: String,
        origin: Origin,
        options: ImportOptions,
    ) -> Result<ImportReport, ImportError> {
        let now = self.clock.now();
        let id = self.random.time_ordered_uuid(now);
        let prepared = tokio::task::spawn_blocking(move || {
            let month = open()
                .and_then(full_extract::read)
                .and_then(|month| check_is_past(month, london_date(now)))
                .map_err(|fault| fault.in_file(&file))?;
            Ok::<_, ImportError>(prepare(id, month, file, source_name, origin))
        })
        .await
        .map_err(|_| WaitingTimesError::Interrupted)??;
        let report = self.keep(prepared, options).await?;
        metrics::counter!("waiting_times_imports_total", "outcome" => report.outcome.code()).increment(1);
        Ok(report)
    }

    /// Stores what was prepared, in one transaction, unless it is live already.
    async fn keep(&self, prepared: Prepared, options: ImportOptions) -> Result<ImportReport, ImportError> {
        let Prepared { file, new, mut report } = prepared;
        let now = self.clock.now().timestamp_micros();
        let transaction = self.db.begin().await?;
        months::take_turn(&transaction).await?;
        let live = months::live(&transaction).await?;
        let same_period = live.iter().find(|month| month.period == new.period && month.origin == new.origin);
        if same_period.is_some_and(|month| month.content_sha256 == new.content_sha256) {
            report.outcome = ImportOutcome::Unchanged;
            report.generation = months::pointer(&transaction).await?.generation;
            return Ok(report);
        }
        check_beside(&new, &live, options).map_err(|fault| fault.in_file(&file))?;
        if months::was_superseded(&transaction, new.period, &new.content_sha256).await? {
            report.warnings.push(ImportWarning {
                code: "superseded_before",
                message: "this content was live before and had been replaced; it is live again now"
                    .to_owned(),
            });
        }
        if new.origin == Origin::Official {
            // They go for good when the first official generation is switched to; until then they are what is in use.
            for month in live.iter().filter(|month| month.origin == Origin::MadeUp) {
                months::supersede(&transaction, month.id, now).await?;
                report.made_up_months_removed += 1;
            }
        }
        if let Some(replaced) = same_period {
            months::supersede(&transaction, replaced.id, now).await?;
            report.outcome = ImportOutcome::Replaced;
        }
        months::insert(&transaction, new, now).await?;
        report.generation = months::pointer(&transaction).await?.generation;
        transaction.commit().await?;
        Ok(report)
    }
}

/// How made-up figures are imported.
const MADE_UP: ImportOptions = ImportOptions { accept_large_change: true, no_fit: false };

fn fit_options(options: ImportOptions) -> FitOptions {
    FitOptions { accept_changes: options.accept_large_change, ..FitOptions::default() }
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<File, Box<Fault>> {
    File::open(path)
        .map_err(|error| Fault::new(RefusalReason::Unreadable, format!("the file cannot be opened: {error}")))
}

/// A list cannot be counted before its day. A typing error here would be the latest month for years.
fn check_is_past(month: ExtractMonth, today: NaiveDate) -> Result<ExtractMonth, Box<Fault>> {
    let counted = month.period.last_day();
    if counted <= today {
        return Ok(month);
    }
    let said = format!("{} has not ended: its list is counted on {counted}", month.period.literal());
    Err(Fault::new(RefusalReason::WrongPeriod, said))
}

/// Holds a new month against those that are live.
fn check_beside(new: &NewMonth, live: &[LiveMonth], options: ImportOptions) -> Result<(), Box<Fault>> {
    if new.origin == Origin::MadeUp && live.iter().any(|month| month.origin == Origin::Official) {
        let said = "official figures are here; made-up ones may not stand beside them";
        return Err(Fault::new(RefusalReason::MadeUpBesideOfficial, said));
    }
    if options.accept_large_change {
        return Ok(());
    }
    for month in live.iter().filter(|month| month.origin == new.origin) {
        let is_replaced = month.period == new.period;
        let is_beside = month.period.is_neighbour_of(new.period)
            && month.list_total >= COMPARABLE_LIST
            && new.list_total >= COMPARABLE_LIST;
        let (kept, of) = SMALLEST_SHARE_KEPT;
        let is_small = new.list_total.saturating_mul(of) < month.list_total.saturating_mul(kept);
        if (is_replaced || is_beside) && is_small {
            let said = format!(
                "the list has {} pathways, more than a quarter fewer than the {} of {}{}; \
                 if that is right, import it with --accept-large-change",
                new.list_total,
                month.list_total,
                month.period,
                if is_replaced { ", which it would replace" } else { ", the month beside it" },
            );
            return Err(Fault::new(RefusalReason::LargeChange, said));
        }
    }
    Ok(())
}

fn prepare(id: Uuid, month: ExtractMonth, file: String, source_name: String, origin: Origin) -> Prepared {
    let parts: Vec<PartTotal> = Part::ALL
        .into_iter()
        .filter_map(|part| {
            let (all, non_english) = month.part_total(part)?;
            Some(PartTotal { part: part.code(), all, non_english })
        })
        .collect();
    let list_total = month.part_total(Part::Incomplete).map_or(0, |(all, _)| all);
    let report = ImportReport {
        file: file.clone(),
        outcome: ImportOutcome::Imported,
        origin: origin.code(),
        period: month.period.to_string(),
        layout: month.layout.code(),
        content_sha256: month.content_sha256.clone(),
        rows: month.rows,
        cells: month.cell_count(),
        providers: month.organisations.len(),
        headline: month
            .english_list()
            .map(|(bands, unknown)| HeadlineReport::from(headline(&bands, unknown))),
        warnings: warnings(&month, &parts, origin),
        parts,
        made_up_months_removed: 0,
        generation: String::new(),
        fit: None,
    };
    let new = NewMonth {
        id,
        period: month.period,
        origin,
        content_sha256: month.content_sha256.clone(),
        layout: month.layout,
        source_name,
        source_rows: month.rows,
        list_total,
        counts: month.cells().map(|cell| months::count_row(id, &cell)).collect(),
        organisations: month
            .organisations
            .into_iter()
            .map(|(code, organisation)| months::organisation_row(id, code, organisation))
            .collect(),
        treatment_functions: month
            .treatment_functions
            .into_iter()
            .map(|(code, name)| months::treatment_function_row(id, code, name))
            .collect(),
    };
    Prepared { file, new, report }
}

fn warnings(month: &ExtractMonth, parts: &[PartTotal], origin: Origin) -> Vec<ImportWarning> {
    let mut warnings = Vec::new();
    let has = |part: Part| parts.iter().any(|total| total.part == part.code());
    // Parts 2A and 3 do not exist in the older layout's first years.
    let expected: &[Part] = match month.layout {
        BandLayout::To104Weeks => &Part::ALL,
        BandLayout::To52Weeks => &[Part::CompletedAdmitted, Part::CompletedNonAdmitted],
    };
    for part in expected.iter().filter(|part| !has(**part)) {
        let message = format!("there are no {} rows", part.code());
        warnings.push(ImportWarning { code: "part_missing", message });
    }
    let list = parts.iter().find(|total| total.part == Part::Incomplete.code()).map_or(0, |total| total.all);
    if origin == Origin::Official && list < SMALLEST_NATIONAL_LIST {
        let message = format!("the list has only {list} pathways; a national list has millions");
        warnings.push(ImportWarning { code: "list_unusually_small", message });
    }
    let odd = month.more_decisions_than_people();
    for (provider, function, decided, listed) in odd.iter().take(MOST_WARNINGS) {
        let message = format!(
            "provider {provider}, {function}: {decided} with a decision to admit (Part_2A) but {listed} on the list (Part_2)"
        );
        warnings.push(ImportWarning { code: "more_decisions_than_people", message });
    }
    if odd.len() > MOST_WARNINGS {
        let message = format!("{} more cells like the {MOST_WARNINGS} above", odd.len() - MOST_WARNINGS);
        warnings.push(ImportWarning { code: "more_decisions_than_people", message });
    }
    warnings
}
