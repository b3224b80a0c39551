//! The back-test: a model is fitted on earlier months, and what it says is held against the months that followed.
//!
//! Forecasts are made from the list at the end of the last training month (the origin), for every weekly band of every
//! cell, and scored a person at a time against what later month-ends show. Several naive methods and the best that
//! hindsight could do are scored beside it, on the same people by the same code. The conventions are those under which
//! the published method was first measured: cohorts by weekly band, aged by days over seven, the share still waiting
//! falling at a constant rate between month-ends, waits cut at the last month scored.
//!
//! Scores: Brier (mean squared error of a probability) and pinball loss are proper, so no forecast gains by saying
//! anything but what it believes (Gneiting and Raftery, 2007).

mod cohort;
mod method;
mod naive;
mod plot;
mod report;
mod tally;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::model::{Period, ProviderCode, TreatmentFunction};
use crate::{CellEstimator, CellKey, FitError, Model, Month, MonthCell, Successors, Weeks, fit};
use cohort::{Cohort, Horizons};
use method::{Forecast, Method, Outlook};
use naive::{Completed, CompletedWaits, Figure, Histogram, SingleFigure};
use tally::Tally;

pub use method::{LEVELS, MethodName};
pub use plot::calibration_svg;
pub use report::{
    ATTRIBUTION, BacktestReport, Calibration, Checked, Dispersion, DropReason, Dropped, FunctionCalibration,
    MethodReport, MonthScores, Pinball, REMARK, Realised, Reliability, Scores, Slice, TestMonth,
};

/// The most months that may be scored at once.
pub const MOST_TEST_MONTHS: usize = 24;

/// Where list sizes are parted for the report.
const LIST_SIZES: [u64; 4] = [0, 50, 200, 1000];
/// Where weeks waited are parted for the report: the 18-week target bends the rate at which people leave.
const WEEKS_WAITED: [u64; 9] = [0, 4, 8, 13, 18, 26, 40, 52, 65];
/// A list of this size that is nought in the next month is a query, not data.
const LIST_THAT_CANNOT_VANISH: u64 = 50;
/// Lists large enough for their own share at the predicted median to mean something.
const LARGE_LIST: u64 = 1000;
/// The least number of people whose median lies before the last month scored, for the same.
const LARGE_LIST_CHECKABLE: u64 = 100;

/// Why a back-test could not be made.
#[derive(Debug, Error)]
pub enum BacktestError {
    /// There is no month to fit on.
    #[error("a back-test needs at least one month to fit on")]
    NoTrainingMonth,
    /// There is no month to score, or there are too many.
    #[error("a back-test scores 1 to {MOST_TEST_MONTHS} months, not {0}")]
    TestMonths(usize),
    /// A month to score is not after the last month fitted on.
    #[error("{test} cannot be scored: it is not after {origin}, the last month fitted on")]
    NotAfterOrigin {
        /// The month to score.
        test: Period,
        /// The last month fitted on.
        origin: Period,
    },
    /// A month to score was given twice.
    #[error("{0} is given twice")]
    Twice(Period),
    /// The last month to score is so late that no weekly band can be followed to it.
    #[error("no weekly band can be followed for {0} days")]
    TooFar(u32),
    /// No cell has a list at the origin and in every month to score.
    #[error("no list is found both at the origin and in every month to score")]
    NothingToScore,
    /// The model could not be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// How many of the latest of so many months a rolling back-test should hold out and score.
///
/// Three where that leaves three to fit on: in a single month only the shortest predicted points are reached, and the
/// coverage of an 80 % interval cannot be told. None below three months: a fit needs a pair.
#[must_use]
pub fn months_to_hold_out(months: usize) -> usize {
    match months {
        0..=2 => 0,
        3..=5 => months.saturating_sub(3).max(1),
        _ => 3,
    }
}

/// Fits on `train` and scores `test`.
///
/// Months may be in any order. Those in `test` need not follow one another but must come after all of `train`. Lists of
/// organisations that `successors` says have been succeeded by the last month scored are added to their successors'
/// in every month, so that a merger is not read as everybody leaving.
///
/// # Errors
/// When the months do not make a back-test, or the model cannot be fitted.
pub fn backtest(
    train: &[Month],
    test: &[Month],
    successors: &Successors,
) -> Result<BacktestReport, BacktestError> {
    let origin = train.iter().map(Month::period).max().ok_or(BacktestError::NoTrainingMonth)?;
    let last = test.iter().map(Month::period).max().unwrap_or(origin);
    let horizons = horizons(origin, test)?;
    let in_codes_of_last = |months: &[Month]| {
        let resolved = |month: &Month| month.renamed(|provider| successors.resolve(provider, last));
        let mut months: Vec<Month> = months.iter().map(resolved).collect();
        months.sort_by_key(Month::period);
        months
    };
    let train = in_codes_of_last(train);
    let test = in_codes_of_last(test);
    let model = fit(&train, successors)?.model;
    let start = train.last().ok_or(BacktestError::NoTrainingMonth)?;

    let bands = horizons.cohorts(start.layout(), test.iter().map(Month::layout));
    if bands == 0 {
        return Err(BacktestError::TooFar(horizons.days().last().copied().unwrap_or_default()));
    }
    let (cells, dropped) = cells_to_score(start, &test);
    if cells.is_empty() {
        return Err(BacktestError::NothingToScore);
    }
    let scored = score(&model, start, &cells, bands, &horizons);
    let tests: Vec<TestMonth> = test
        .iter()
        .zip(horizons.days())
        .map(|(month, days)| TestMonth { month: month.period().to_string(), days: *days })
        .collect();
    let product =
        scored.by_method.first().map_or_else(Tally::default, |product| product.overall.clone()).scores(None);
    Ok(BacktestReport {
        model_version: model.version().to_owned(),
        train: train.iter().map(|month| month.period().to_string()).collect(),
        origin: origin.to_string(),
        cells: cells.len() as u64,
        pathways: product.pathways,
        weeks_waited_below: bands as u64,
        dropped,
        methods: scored.methods(bands as u64),
        calibration: Calibration::new(&product, &tests),
        by_treatment_function: scored.calibrations(&tests),
        tests,
        remark: REMARK,
        attribution: ATTRIBUTION,
    })
}

/// Checks the months to score, and takes the days to each from the origin.
fn horizons(origin: Period, test: &[Month]) -> Result<Horizons, BacktestError> {
    if test.is_empty() || test.len() > MOST_TEST_MONTHS {
        return Err(BacktestError::TestMonths(test.len()));
    }
    let mut days = BTreeSet::new();
    for month in test.iter().map(Month::period) {
        let after = (month.last_day() - origin.last_day()).num_days();
        let after = u32::try_from(after)
            .ok()
            .filter(|days| *days > 0)
            .ok_or(BacktestError::NotAfterOrigin { test: month, origin })?;
        if !days.insert(after) {
            return Err(BacktestError::Twice(month));
        }
    }
    Horizons::new(days.into_iter().collect()).ok_or(BacktestError::TestMonths(0))
}

/// A cell at the origin, and its lists in the months scored.
struct Followed<'a> {
    key: CellKey,
    start: &'a MonthCell,
    later: Vec<&'a [u32]>,
}

/// The cells that can be followed, and an account of those that cannot.
fn cells_to_score<'a>(start: &'a Month, test: &'a [Month]) -> (Vec<Followed<'a>>, Vec<Dropped>) {
    let providers: Vec<BTreeSet<ProviderCode>> =
        test.iter().map(|month| month.cells().keys().map(|key| key.provider).collect()).collect();
    let mut dropped: BTreeMap<DropReason, (u64, u64)> = BTreeMap::new();
    let mut kept = Vec::new();
    for (key, cell) in start.cells() {
        let size = cell.list_size();
        let later: Vec<Option<&MonthCell>> = test.iter().map(|month| month.cells().get(key)).collect();
        let vanishes = |later: &MonthCell| size >= LIST_THAT_CANNOT_VANISH && later.list_size() == 0;
        let reason = if providers.iter().any(|present| !present.contains(&key.provider)) {
            Some(DropReason::ProviderAbsentFromTestMonth)
        } else if later.contains(&None) {
            Some(DropReason::CellAbsentFromTestMonth)
        } else if later.iter().copied().flatten().any(vanishes) {
            Some(DropReason::NothingAfterAList)
        } else {
            None
        };
        match reason {
            Some(_) if size == 0 => {}
            Some(reason) => {
                let (cells, people) = dropped.entry(reason).or_default();
                *cells += 1;
                *people += size;
            }
            None => kept.push(Followed {
                key: *key,
                start: cell,
                later: later.into_iter().flatten().map(|cell| cell.list.as_slice()).collect(),
            }),
        }
    }
    let dropped =
        dropped.into_iter().map(|(reason, (cells, people))| Dropped { reason, cells, people }).collect();
    (kept, dropped)
}

/// The sums of one method.
#[derive(Default)]
struct MethodTally {
    overall: Tally,
    by_list_size: [Tally; LIST_SIZES.len()],
    by_weeks_waited: [Tally; WEEKS_WAITED.len()],
    /// The share that left by the predicted median, for each large list where it could be checked.
    large_lists: Vec<f64>,
}

/// The sums of all methods, in the order of [`MethodName::ALL`].
struct Scored {
    by_method: Vec<MethodTally>,
    /// The product's.
    by_treatment_function: BTreeMap<TreatmentFunction, Tally>,
}

/// Puts every method to every cohort.
fn score(model: &Model, start: &Month, cells: &[Followed<'_>], bands: usize, horizons: &Horizons) -> Scored {
    // The cells that could not be followed still teach the naive methods what was completed.
    let waits = CompletedWaits::new(start.cells().iter().map(|(key, cell)| {
        (*key, Completed::of(start.layout(), &[&cell.completed_admitted, &cell.completed_non_admitted]))
    }));
    let methods: Vec<(MethodName, Box<dyn Method + '_>)> = vec![
        (MethodName::Product, Box::new(Product { model })),
        (MethodName::MeanMinusWaited, Box::new(SingleFigure::new(&waits, Figure::Mean, true))),
        (MethodName::MedianMinusWaited, Box::new(SingleFigure::new(&waits, Figure::Median, true))),
        (MethodName::MeanUnsubtracted, Box::new(SingleFigure::new(&waits, Figure::Mean, false))),
        (MethodName::CompletedHistogram, Box::new(Histogram::new(&waits))),
        (MethodName::SpecialtyLifeTable, Box::new(Specialty::new(model, bands))),
    ];
    let mut scored = Scored {
        by_method: MethodName::ALL.iter().map(|_| MethodTally::default()).collect(),
        by_treatment_function: BTreeMap::new(),
    };
    for cell in cells {
        let cohorts: Vec<Cohort> =
            (0..bands).map(|band| Cohort::follow(band, &cell.start.list, &cell.later, horizons)).collect();
        let size = cell.start.list_size();
        for (name, sums) in MethodName::ALL.into_iter().zip(&mut scored.by_method) {
            let method = methods.iter().find(|(of, _)| *of == name).map(|(_, method)| method);
            let mut whole = Tally::default();
            for (band, cohort) in cohorts.iter().enumerate().filter(|(_, cohort)| !cohort.is_empty()) {
                let forecast = match method {
                    Some(method) => method
                        .outlook(&cell.key, band)
                        .map(|outlook| Forecast::read(outlook.as_ref(), horizons)),
                    None => Some(Forecast::hindsight(cohort)),
                };
                let tally = Tally::of(cohort, forecast.as_ref(), horizons);
                if let Some(part) = part_of(&WEEKS_WAITED, band as u64, &mut sums.by_weeks_waited) {
                    *part += &tally;
                }
                whole += &tally;
            }
            sums.add_cell(size, &whole);
            if name == MethodName::Product {
                *scored.by_treatment_function.entry(cell.key.treatment_function).or_default() += &whole;
            }
        }
    }
    scored
}

/// The last of the parts that begin at or below a value.
fn part_of<'a, T>(begins: &[u64], value: u64, parts: &'a mut [T]) -> Option<&'a mut T> {
    let upto = begins.partition_point(|begin| *begin <= value);
    parts.get_mut(upto.checked_sub(1)?)
}

impl MethodTally {
    fn add_cell(&mut self, size: u64, whole: &Tally) {
        self.overall += whole;
        if let Some(part) = part_of(&LIST_SIZES, size, &mut self.by_list_size) {
            *part += whole;
        }
        #[expect(clippy::cast_precision_loss, reason = "a small bound")]
        if let (Some(share), checkable) = whole.left_by_median()
            && size >= LARGE_LIST
            && checkable >= LARGE_LIST_CHECKABLE as f64
        {
            self.large_lists.push(share);
        }
    }

    fn dispersion(&self) -> Dispersion {
        let mut shares = self.large_lists.clone();
        shares.sort_by(f64::total_cmp);
        let near = shares.iter().filter(|share| (0.4..=0.6).contains(*share)).count();
        // The nearest rank: every figure is that of a list.
        let centile =
            |of_hundred: usize| shares.get((shares.len() * of_hundred).div_ceil(100).max(1) - 1).copied();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand lists")]
        let near_half = (!shares.is_empty()).then(|| near as f64 / shares.len() as f64);
        Dispersion {
            list_from: LARGE_LIST,
            checkable_from: LARGE_LIST_CHECKABLE,
            lists: shares.len() as u64,
            near_half,
            p10: centile(10),
            p90: centile(90),
        }
    }
}

impl Scored {
    /// The report on each method, held against the naive mean on the same parts.
    fn methods(&self, bands: u64) -> Vec<MethodReport> {
        let naive_at =
            MethodName::ALL.iter().position(|name| *name == MethodName::MeanMinusWaited).unwrap_or_default();
        let naive = self.by_method.get(naive_at);
        // Parts that no cohort reaches are not there, and the last that one reaches has no bound.
        let parts = WEEKS_WAITED.partition_point(|begin| *begin < bands);
        MethodName::ALL
            .into_iter()
            .zip(&self.by_method)
            .map(|(method, sums)| MethodReport {
                method,
                label: method.label(),
                overall: figures(method, &sums.overall, naive.map(|naive| &naive.overall)),
                by_list_size: slices(
                    method,
                    &LIST_SIZES,
                    &sums.by_list_size,
                    naive.map_or(&[][..], |naive| &naive.by_list_size),
                ),
                by_weeks_waited: slices(
                    method,
                    WEEKS_WAITED.get(..parts).unwrap_or_default(),
                    &sums.by_weeks_waited,
                    naive.map_or(&[][..], |naive| &naive.by_weeks_waited),
                ),
                large_lists: sums.dispersion(),
            })
            .collect()
    }

    fn calibrations(&self, tests: &[TestMonth]) -> Vec<FunctionCalibration> {
        self.by_treatment_function
            .iter()
            .filter(|(_, tally)| tally.people() > 0.0)
            .map(|(treatment_function, tally)| FunctionCalibration {
                treatment_function: treatment_function.to_string(),
                calibration: Calibration::new(&tally.scores(None), tests),
            })
            .collect()
    }
}

/// The scores of a method beside the naive mean's on the same pathways. A single figure has no interval.
fn figures(method: MethodName, tally: &Tally, naive: Option<&Tally>) -> Scores {
    let scores = tally.scores(naive.and_then(Tally::mean_pinball));
    if !method.is_single_figure() {
        return scores;
    }
    let nothing = Checked { share: None, checkable: None };
    Scores { coverage50: nothing, coverage80: nothing, ..scores }
}

/// The scores of each part, those with nobody left out.
fn slices(method: MethodName, begins: &[u64], parts: &[Tally], naive: &[Tally]) -> Vec<Slice> {
    let ends = begins.iter().skip(1).copied().map(Some).chain([None]);
    begins
        .iter()
        .zip(ends)
        .zip(parts.iter().zip(naive))
        .filter(|(_, (part, _))| part.people() > 0.0)
        .map(|((from, below), (part, naive))| Slice {
            from: *from,
            below,
            scores: figures(method, part, Some(naive)),
        })
        .collect()
}

/// The product: the cell's own estimator, counted from the last month-end.
struct Product<'a> {
    model: &'a Model,
}

impl Method for Product<'_> {
    fn outlook(&self, cell: &CellKey, band: usize) -> Option<Box<dyn Outlook + '_>> {
        Some(Box::new(Estimated::new(self.model.estimator(cell)?, band)?))
    }
}

/// The life table of all England for the treatment function: worked out once for all its cells.
struct Specialty<'a> {
    bands: BTreeMap<TreatmentFunction, Vec<Estimated<'a>>>,
}

impl<'a> Specialty<'a> {
    fn new(model: &'a Model, bands: usize) -> Self {
        let table = |function: TreatmentFunction| {
            let estimator = model.specialty_estimator(function)?;
            Some((function, (0..bands).map_while(|band| Estimated::new(estimator, band)).collect()))
        };
        Self { bands: model.treatment_functions().filter_map(table).collect() }
    }
}

impl Method for Specialty<'_> {
    fn outlook(&self, cell: &CellKey, band: usize) -> Option<Box<dyn Outlook + '_>> {
        Some(Box::new(self.bands.get(&cell.treatment_function)?.get(band)?))
    }
}

/// An estimator's outlook for a weekly band.
struct Estimated<'a> {
    estimator: CellEstimator<'a>,
    band: u32,
    quantiles: [Weeks; LEVELS.len()],
}

impl<'a> Estimated<'a> {
    fn new(estimator: CellEstimator<'a>, band: usize) -> Option<Self> {
        let estimator = estimator.from_period_end();
        let band = u32::try_from(band).ok()?;
        let quantiles = estimator.estimate_band(band).at();
        Some(Self { estimator, band, quantiles })
    }
}

impl Outlook for Estimated<'_> {
    fn survival(&self, weeks: f64) -> f64 {
        self.estimator.band_survival(self.band, weeks)
    }

    fn quantile(&self, level: f64) -> f64 {
        let known = LEVELS.iter().zip(self.quantiles).find(|(of, _)| **of == level);
        known.map_or(f64::INFINITY, |(_, weeks)| if weeks.open_ended { f64::INFINITY } else { weeks.weeks })
    }
}

impl Outlook for &Estimated<'_> {
    fn survival(&self, weeks: f64) -> f64 {
        Estimated::survival(self, weeks)
    }

    fn quantile(&self, level: f64) -> f64 {
        Estimated::quantile(self, level)
    }
}
