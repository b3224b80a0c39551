//! One door for every way of forecasting a wait, so that none is scored differently.

use serde::Serialize;

use super::cohort::{Cohort, Horizons};
use crate::CellKey;

/// The levels at which predicted waits are scored: the share of people expected to have left by then.
pub const LEVELS: [f64; 5] = [0.10, 0.25, 0.50, 0.75, 0.90];

/// A way of forecasting how much longer people wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodName {
    /// This library's estimate.
    Product,
    /// The mean wait of the pathways completed in the origin month, less the weeks already waited: what patients are
    /// commonly shown.
    MeanMinusWaited,
    /// The median wait of the pathways completed in the origin month, less the weeks already waited.
    MedianMinusWaited,
    /// The mean wait of the pathways completed in the origin month, as it stands.
    MeanUnsubtracted,
    /// The waits of the pathways completed in the origin month, given that so many weeks have passed already.
    CompletedHistogram,
    /// This library's life table of all England for the treatment function, without the local factor.
    SpecialtyLifeTable,
    /// What really happened to each cohort: nobody can do better by weekly bands.
    Oracle,
}

impl MethodName {
    /// All of them, as reports list them.
    pub const ALL: [Self; 7] = [
        Self::Product,
        Self::MeanMinusWaited,
        Self::MedianMinusWaited,
        Self::MeanUnsubtracted,
        Self::CompletedHistogram,
        Self::SpecialtyLifeTable,
        Self::Oracle,
    ];

    /// Whether the method says a single figure: it has no interval to cover anything, and is read as a median.
    #[must_use]
    pub fn is_single_figure(self) -> bool {
        matches!(self, Self::MeanMinusWaited | Self::MedianMinusWaited | Self::MeanUnsubtracted)
    }

    /// A few plain words, for tables and pictures.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Product => "this estimate",
            Self::MeanMinusWaited => "mean completed, less waited",
            Self::MedianMinusWaited => "median completed, less waited",
            Self::MeanUnsubtracted => "mean completed, as it stands",
            Self::CompletedHistogram => "completed waits, given waited",
            Self::SpecialtyLifeTable => "England's life table",
            Self::Oracle => "what really happened (floor)",
        }
    }
}

/// What a method says about the people of one weekly band of one cell.
pub(super) trait Outlook {
    /// The probability of still being on the list after so many more weeks.
    fn survival(&self, weeks: f64) -> f64;

    /// The weeks after which the share `level` has left the list; infinite where the method sees no end.
    fn quantile(&self, level: f64) -> f64;
}

/// A way of forecasting, fitted and ready.
pub(super) trait Method {
    /// The outlook of the people in a weekly band of a cell at the origin; `None` when the method has no answer.
    fn outlook(&self, cell: &CellKey, band: usize) -> Option<Box<dyn Outlook + '_>>;
}

/// An outlook read at the points that are scored.
#[derive(Debug)]
pub(super) struct Forecast {
    /// Weeks at each of [`LEVELS`].
    pub(super) quantiles: [f64; LEVELS.len()],
    /// The probability of still waiting at each horizon.
    pub(super) waiting: Vec<f64>,
}

impl Forecast {
    pub(super) fn read(outlook: &dyn Outlook, horizons: &Horizons) -> Self {
        Self {
            quantiles: LEVELS.map(|level| outlook.quantile(level)),
            waiting: horizons.weeks().iter().map(|weeks| outlook.survival(*weeks)).collect(),
        }
    }

    /// The forecast of one who knows what became of the cohort.
    pub(super) fn hindsight(cohort: &Cohort) -> Self {
        Self {
            quantiles: LEVELS.map(|level| cohort.quantile(level)),
            // Nothing to divide by means that all who are there later count as growth.
            waiting: cohort.waiting.iter().map(|count| (count / cohort.people.max(1e-9)).min(1.0)).collect(),
        }
    }
}
