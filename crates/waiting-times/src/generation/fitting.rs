//! Making a generation: the months read, a model fitted, checked and tried out, and the pointer switched; or, when a
//! check fails, nothing switched and the failure kept.

use std::collections::BTreeMap;
use std::fmt;

use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use wait_estimator::{FitReport, MODEL_VERSION, Model, ModelBytes, Month, Successors, check, fit};

use super::calibration::{self, StoredCalibration, Tested};
use super::{KEPT_AFTER_SUPERSESSION, Made, MonthMade, loading, name};
use crate::WaitingTimes;
use crate::error::WaitingTimesError;
use crate::snapshot::Origin;
use crate::store::generations::{self, NewFailure, NewGeneration, Row};
use crate::store::months::{self, LiveMonth, Pointer};

/// The most months a fit takes.
const MOST_MONTHS: usize = 36;
/// How often a fit begins again because months were imported meanwhile.
const ATTEMPTS: usize = 5;
/// Names generations that have statistics and no model.
const WITHOUT_MODEL: &str = "statistics-only";

/// How a fit may go.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Go past the checks that compare with the generation in use; never past those of the model itself.
    pub accept_changes: bool,
    /// How many of the newest months to fit, 1 to 36.
    pub months: usize,
    /// The successors of organisations; none for the table that is built in.
    pub successors: Option<Successors>,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { accept_changes: false, months: 12, successors: None }
    }
}

/// What a fit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FitOutcome {
    /// A new generation was made and is in use.
    Switched,
    /// A generation made from the same files was kept, and is in use again.
    PointedBack,
    /// A generation made from the same files is in use already.
    Unchanged,
    /// A check failed: the generation in use is the one that was.
    Refused,
    /// A check failed or no model was possible, and there was no model in use to keep: there are statistics only.
    StatisticsOnly,
}

impl FitOutcome {
    /// The code used in reports and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Switched => "switched",
            Self::PointedBack => "pointed_back",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
            Self::StatisticsOnly => "statistics_only",
        }
    }
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCheck {
    /// A stable code.
    pub code: String,
    /// What was found.
    pub detail: String,
}

impl fmt::Display for FailedCheck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} [{}]", self.detail, self.code)
    }
}

/// The account of a fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitAccount {
    /// What was done.
    pub outcome: FitOutcome,
    /// The generation these months make.
    pub generation: String,
    /// The generation in use after the fit.
    pub in_use: String,
    /// The months, oldest first, `YYYY-MM`.
    pub months: Vec<String>,
    /// The checks that failed.
    pub failures: Vec<FailedCheck>,
    /// How the newest months came out when they were forecast from the others; null when that was not done anew.
    pub tested: Option<Tested>,
    /// Why there was no such test.
    pub not_tested: Option<String>,
    /// What was used, left out and learnt; null when nothing was fitted anew.
    pub report: Option<serde_json::Value>,
}

impl fmt::Display for FitAccount {
    /// The account as a few lines for a terminal.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let months = match self.months.as_slice() {
            [first, .., last] => format!("{} months, {first} to {last}", self.months.len()),
            [only] => only.clone(),
            [] => "no months".to_owned(),
        };
        let Self { generation, in_use, .. } = self;
        match self.outcome {
            FitOutcome::Switched => writeln!(out, "fit of {months}: generation {generation} is in use")?,
            FitOutcome::PointedBack => {
                writeln!(out, "fit of {months}: generation {generation} was kept and is in use again")?;
            }
            FitOutcome::Unchanged => {
                writeln!(out, "fit of {months}: generation {generation} is in use already")?;
            }
            FitOutcome::Refused => {
                writeln!(out, "fit of {months}: checks failed, generation {in_use} stays in use")?;
            }
            FitOutcome::StatisticsOnly => writeln!(
                out,
                "fit of {months}: no model can be used; generation {in_use} has statistics only"
            )?,
        }
        for failure in &self.failures {
            writeln!(out, "  failed: {failure}")?;
        }
        if let Some(tested) = &self.tested {
            write!(out, "  {} forecast from the others", tested.on.join(", "))?;
            if let (Some(expected), Some(left)) = (tested.expected_left, tested.left) {
                write!(
                    out,
                    ": {:.1} % of {} expected to leave, {:.1} % left",
                    expected * 100.0,
                    tested.pathways,
                    left * 100.0
                )?;
            }
            if let Some(share) = tested.coverage80 {
                write!(out, "; 80 % intervals held {:.1} % of {}", share * 100.0, tested.coverage80_n)?;
            }
            writeln!(out)?;
        }
        if let Some(why) = &self.not_tested {
            writeln!(out, "  no back-test: {why}")?;
        }
        Ok(())
    }
}

/// What a fit starts from: if any of it changes meanwhile, the fit begins again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan {
    pointer: Pointer,
    origin: Origin,
    made_of: Vec<MonthMade>,
    base: uuid::Uuid,
    name: String,
}

/// A model that may be used, ready to be stored.
struct Ready {
    bytes: ModelBytes,
    calibration: Result<StoredCalibration, String>,
}

/// What became of the fitting itself.
struct Computed {
    /// What was made, or what was wrong with it.
    made: Result<Ready, Vec<FailedCheck>>,
    report: Option<FitReport>,
}

impl WaitingTimes {
    /// Fits a model to the newest months that are stored, checks it, and switches to the generation it makes. A
    /// generation of the same files and method has the same name and is not made twice. Official and made-up months
    /// are never fitted together, nor compared.
    ///
    /// # Errors
    /// [`WaitingTimesError::NoMonthImported`] when there is nothing to fit, or when the database does not answer or
    /// months change faster than they can be fitted. That a check failed is no error: the account says so.
    pub async fn fit(&self, options: &FitOptions) -> Result<FitAccount, WaitingTimesError> {
        for _ in 0..ATTEMPTS {
            if let Some(account) = self.fit_once(options).await? {
                metrics::counter!("waiting_times_fits_total", "outcome" => account.outcome.code())
                    .increment(1);
                self.take_up().await;
                return Ok(account);
            }
        }
        Err(WaitingTimesError::Inconsistent("the months change faster than they can be fitted"))
    }

    /// [`Self::fit`], unless nothing was imported and there is a model in use already.
    ///
    /// # Errors
    /// As there.
    pub async fn fit_if_needed(
        &self,
        imported: bool,
        options: &FitOptions,
    ) -> Result<Option<FitAccount>, WaitingTimesError> {
        if !imported {
            let pointer = months::pointer(self.db.read()).await?;
            if generations::find(self.db.read(), &pointer.generation).await?.is_some() {
                return Ok(None);
            }
        }
        self.fit(options).await.map(Some)
    }

    /// One attempt; none if the months or the pointer changed while it went on.
    async fn fit_once(&self, options: &FitOptions) -> Result<Option<FitAccount>, WaitingTimesError> {
        let pointer = months::pointer(self.db.read()).await?;
        let live = newest(months::live(self.db.read()).await?, options.months);
        let plan =
            plan(pointer, &live, options.successors.as_ref()).ok_or(WaitingTimesError::NoMonthImported)?;
        let active = generations::find(self.db.read(), &plan.pointer.generation).await?;
        let known = generations::find(self.db.read(), &plan.name).await?;
        if known.is_some_and(|row| row.header.is_some()) {
            return self.point_at_known(&plan, options).await;
        }
        let previous = match &active {
            Some(row) if row.origin == plan.origin.code() => {
                loading::model(&self.db, &self.cache, row).await?
            }
            _ => None,
        };
        let keeps_old = previous.is_some();
        let mut counts = Vec::with_capacity(live.len());
        for month in &live {
            counts.push(months::load_counts(self.db.read(), month).await?);
        }
        let successors = match &options.successors {
            Some(table) => table.clone(),
            None => Successors::built_in()
                .map_err(|_| WaitingTimesError::Inconsistent("the built-in successors do not read"))?,
        };
        let accept = options.accept_changes;
        let computed =
            tokio::task::spawn_blocking(move || compute(&counts, &successors, previous.as_ref(), accept))
                .await
                .map_err(|_| WaitingTimesError::Interrupted)?;
        self.conclude(plan, options, computed, active, keeps_old).await
    }

    /// Points at a generation that is kept.
    async fn point_at_known(
        &self,
        plan: &Plan,
        options: &FitOptions,
    ) -> Result<Option<FitAccount>, WaitingTimesError> {
        let Some(transaction) = self.begin_as_planned(plan, options).await? else { return Ok(None) };
        if generations::find(&transaction, &plan.name).await?.is_none() {
            return Ok(None);
        }
        let outcome = if plan.pointer.generation == plan.name {
            FitOutcome::Unchanged
        } else {
            self.activate(&transaction, plan, &plan.name).await?;
            FitOutcome::PointedBack
        };
        generations::resolve_failures(&transaction, self.clock.now().timestamp_micros()).await?;
        transaction.commit().await?;
        Ok(Some(plan.account(outcome, &plan.name)))
    }

    /// Stores what was made and switches to it, or keeps that it was refused.
    async fn conclude(
        &self,
        plan: Plan,
        options: &FitOptions,
        computed: Computed,
        active: Option<Row>,
        keeps_old: bool,
    ) -> Result<Option<FitAccount>, WaitingTimesError> {
        let report = computed.report.as_ref().map(serde_json::to_value).transpose()?;
        let made = Made { months: plan.made_of.clone(), fit: report.clone() };
        let report_json = serde_json::to_string(&made)?;
        let previous = active.filter(|row| row.origin == plan.origin.code()).map(|row| row.generation);
        let now = self.clock.now();
        let Some(transaction) = self.begin_as_planned(&plan, options).await? else { return Ok(None) };
        let mut account;
        let mut chunks = BTreeMap::new();
        match computed.made {
            Ok(Ready { bytes: ModelBytes { header, chunks: of_model }, calibration }) => {
                account = plan.account(FitOutcome::Switched, &plan.name);
                let new = NewGeneration {
                    generation: plan.name.clone(),
                    base_month_id: plan.base,
                    origin: plan.origin,
                    model_version: MODEL_VERSION.to_owned(),
                    header: Some(header),
                    chunks: of_model,
                    report_json,
                    calibration_json: calibration.as_ref().ok().map(serde_json::to_string).transpose()?,
                    previous,
                };
                generations::insert(&transaction, &new, now.timestamp_micros()).await?;
                self.activate(&transaction, &plan, &plan.name).await?;
                generations::resolve_failures(&transaction, now.timestamp_micros()).await?;
                chunks = new.chunks;
                match calibration {
                    Ok(calibration) => account.tested = Some(calibration.tested()),
                    Err(why) => account.not_tested = Some(why),
                }
            }
            Err(failures) => {
                account = if keeps_old {
                    plan.account(FitOutcome::Refused, &plan.pointer.generation)
                } else {
                    let bare = self.use_statistics_only(&transaction, &plan, options, report_json).await?;
                    plan.account(FitOutcome::StatisticsOnly, &bare)
                };
                let failure = NewFailure {
                    id: self.random.time_ordered_uuid(now),
                    generation: plan.name.clone(),
                    inputs_json: serde_json::to_string(&plan.made_of)?,
                    failures_json: serde_json::to_string(&failures)?,
                };
                // Only the last counts.
                generations::resolve_failures(&transaction, now.timestamp_micros()).await?;
                generations::insert_failure(&transaction, failure, now.timestamp_micros()).await?;
                account.failures = failures;
            }
        }
        transaction.commit().await?;
        loading::fill_cache(&self.cache, &plan.name, &chunks).await;
        account.report = report;
        Ok(Some(account))
    }

    /// Where there is no model in use to keep, the newest statistics are better than older ones or none.
    async fn use_statistics_only(
        &self,
        transaction: &DatabaseTransaction,
        plan: &Plan,
        options: &FitOptions,
        report_json: String,
    ) -> Result<String, WaitingTimesError> {
        let contents = plan.made_of.iter().map(|month| month.content_sha256.clone());
        let bare = name(contents, options.successors.as_ref(), WITHOUT_MODEL);
        if generations::find(transaction, &bare).await?.is_none() {
            let new = NewGeneration {
                generation: bare.clone(),
                base_month_id: plan.base,
                origin: plan.origin,
                model_version: WITHOUT_MODEL.to_owned(),
                header: None,
                chunks: BTreeMap::new(),
                report_json,
                calibration_json: None,
                previous: None,
            };
            generations::insert(transaction, &new, self.clock.now().timestamp_micros()).await?;
        }
        if plan.pointer.generation != bare {
            self.activate(transaction, plan, &bare).await?;
        }
        Ok(bare)
    }

    /// Switches the pointer, and clears away what the switch has made needless.
    async fn activate(
        &self,
        transaction: &DatabaseTransaction,
        plan: &Plan,
        name: &str,
    ) -> Result<(), WaitingTimesError> {
        let now = self.clock.now();
        let expires = (now + KEPT_AFTER_SUPERSESSION).timestamp_micros();
        generations::activate(transaction, name, plan.base, now.timestamp_micros(), expires).await?;
        if plan.origin == Origin::Official {
            generations::remove_made_up(transaction).await?;
        }
        generations::sweep(transaction, now.timestamp_micros()).await?;
        Ok(())
    }

    /// A transaction that has the turn, if everything still is as it was planned.
    async fn begin_as_planned(
        &self,
        planned: &Plan,
        options: &FitOptions,
    ) -> Result<Option<DatabaseTransaction>, WaitingTimesError> {
        let transaction = self.db.begin().await?;
        months::take_turn(&transaction).await?;
        let pointer = months::pointer(&transaction).await?;
        let live = newest(months::live(&transaction).await?, options.months);
        let now = plan(pointer, &live, options.successors.as_ref());
        Ok((now.as_ref() == Some(planned)).then_some(transaction))
    }
}

impl Plan {
    fn account(&self, outcome: FitOutcome, in_use: &str) -> FitAccount {
        FitAccount {
            outcome,
            generation: self.name.clone(),
            in_use: in_use.to_owned(),
            months: self.made_of.iter().map(|month| month.period.clone()).collect(),
            failures: Vec::new(),
            tested: None,
            not_tested: None,
            report: None,
        }
    }
}

/// The newest `most` of the live months, oldest first; official ones alone where there are any.
fn newest(live: Vec<LiveMonth>, most: usize) -> Vec<LiveMonth> {
    let has_official = live.iter().any(|month| month.origin == Origin::Official);
    let mut chosen: Vec<LiveMonth> =
        live.into_iter().filter(|month| (month.origin == Origin::Official) == has_official).collect();
    chosen.drain(..chosen.len().saturating_sub(most.clamp(1, MOST_MONTHS)));
    chosen
}

/// What these months make; none if there are none.
fn plan(pointer: Pointer, months: &[LiveMonth], successors: Option<&Successors>) -> Option<Plan> {
    let base = months.last()?;
    let contents = months.iter().map(|month| month.content_sha256.clone());
    Some(Plan {
        pointer,
        origin: base.origin,
        base: base.id,
        name: name(contents, successors, MODEL_VERSION),
        made_of: months
            .iter()
            .map(|month| MonthMade {
                period: month.period.to_string(),
                content_sha256: month.content_sha256.clone(),
            })
            .collect(),
    })
}

/// Fits, checks and tries out. Takes seconds for a national year; to be run where that is allowed.
fn compute(months: &[Month], successors: &Successors, previous: Option<&Model>, accept: bool) -> Computed {
    let fitted = match fit(months, successors) {
        Ok(fitted) => fitted,
        Err(error) => {
            let failure = FailedCheck { code: "no_model".to_owned(), detail: error.to_string() };
            return Computed { made: Err(vec![failure]), report: None };
        }
    };
    let against = if accept { None } else { previous };
    let failures: Vec<FailedCheck> = check(&fitted.model, against)
        .into_iter()
        .map(|failure| FailedCheck { code: failure.code.to_owned(), detail: failure.detail })
        .collect();
    let report = Some(fitted.report);
    if !failures.is_empty() {
        return Computed { made: Err(failures), report };
    }
    let bytes = fitted.model.encode();
    // Before the back-test, which fits again: one model at a time.
    drop(fitted.model);
    Computed { made: Ok(Ready { bytes, calibration: calibration::rolling(months, successors) }), report }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BandLayout, Period};

    fn live(origin: Origin, month: u32) -> LiveMonth {
        LiveMonth {
            id: uuid::Uuid::from_u128(month.into()),
            period: Period::new(2026, month).unwrap(),
            origin,
            content_sha256: format!("{month}"),
            layout: BandLayout::To104Weeks,
            list_total: 1,
        }
    }

    #[test]
    fn the_newest_months_of_one_origin_are_fitted() {
        let months = |chosen: &[LiveMonth]| -> Vec<String> {
            chosen.iter().map(|month| month.period.to_string()).collect()
        };
        let official: Vec<_> = (1..=4).map(|month| live(Origin::Official, month)).collect();
        assert_eq!(months(&newest(official.clone(), 2)), ["2026-03", "2026-04"]);
        assert_eq!(months(&newest(official.clone(), 0)), ["2026-04"]);
        assert_eq!(newest(official.clone(), 99).len(), 4);
        let mixed = [official, vec![live(Origin::MadeUp, 5)]].concat();
        assert_eq!(months(&newest(mixed, 12)).last().unwrap(), "2026-04");
        assert_eq!(months(&newest(vec![live(Origin::MadeUp, 5)], 12)), ["2026-05"]);
        assert!(newest(Vec::new(), 12).is_empty());
    }

    #[test]
    fn no_months_make_no_plan() {
        let pointer = Pointer { generation: String::new(), month_id: None, changed_at_micros: 0 };
        assert_eq!(plan(pointer.clone(), &[], None), None);
        let plan = plan(pointer, &[live(Origin::MadeUp, 1), live(Origin::MadeUp, 2)], None).unwrap();
        assert_eq!((plan.base.as_u128(), plan.origin, plan.made_of.len()), (2, Origin::MadeUp, 2));
    }
}
