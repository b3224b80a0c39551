//! The report of a back-test: the form that is written as JSON. Field names are stable.

use serde::Serialize;

use super::method::MethodName;

/// What every reader of a report has to know first.
pub const REMARK: &str = "The target is leaving the list for any reason: treatment, a decision that treatment is not \
needed now, or removal for another reason. It is not treatment alone. Waits are followed to the last month-end scored \
and no further; `checkable` is the share of pathways whose predicted point lies before it, and later points are \
unchecked, which bears down on the coverage of wide intervals.";

/// The line that the data's licence asks for.
pub const ATTRIBUTION: &str = "Contains public sector information licensed under the Open Government Licence v3.0. \
Source: NHS England, Consultant-led Referral to Treatment Waiting Times.";

/// A back-test: a model fitted on earlier months, and how its forecasts and those of naive methods came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestReport {
    /// The version of the model that was tested.
    pub model_version: String,
    /// The months fitted on, `YYYY-MM`, in order.
    pub train: Vec<String>,
    /// The last of them: forecasts are made from its list and look forward from its end.
    pub origin: String,
    /// The months scored, in order.
    pub tests: Vec<TestMonth>,
    /// Cells (provider and treatment function) followed through every month scored.
    pub cells: u64,
    /// Pathways on their lists at the origin, in the weekly bands that were followed.
    pub pathways: u64,
    /// Pathways that had waited so many weeks or more at the origin are not scored: they reach the open band.
    pub weeks_waited_below: u64,
    /// Cells with a list at the origin that were not scored, by reason.
    pub dropped: Vec<Dropped>,
    /// Every method, on the same pathways.
    pub methods: Vec<MethodReport>,
    /// The product's calibration over all lists.
    pub calibration: Calibration,
    /// The same for each treatment function, in order of code.
    pub by_treatment_function: Vec<FunctionCalibration>,
    /// [`REMARK`].
    pub remark: &'static str,
    /// [`ATTRIBUTION`].
    pub attribution: &'static str,
}

impl BacktestReport {
    /// The part on one method.
    #[must_use]
    pub fn method(&self, name: MethodName) -> Option<&MethodReport> {
        self.methods.iter().find(|method| method.method == name)
    }

    /// The share of pathways whose 80 % interval could be checked, of the product.
    #[must_use]
    pub fn checkable(&self) -> Option<f64> {
        self.method(MethodName::Product).and_then(|product| product.overall.coverage80.checkable)
    }
}

/// A month whose list was held against the forecasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestMonth {
    /// The month, `YYYY-MM`.
    pub month: String,
    /// Days from the origin's last day to this month's.
    pub days: u32,
}

/// Cells that could not be scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Why.
    pub reason: DropReason,
    /// How many cells.
    pub cells: u64,
    /// How many people were on their lists at the origin.
    pub people: u64,
}

/// Why a cell could not be scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The provider reports nothing at all in a month scored: a missing return, not a cleared list.
    ProviderAbsentFromTestMonth,
    /// The provider reports, but not this treatment function.
    CellAbsentFromTestMonth,
    /// A list of fifty or more people that is nought in a month scored: a query to the provider, not data.
    NothingAfterAList,
}

impl DropReason {
    /// The reason in plain words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::ProviderAbsentFromTestMonth => "the provider reports nothing in a month scored",
            Self::CellAbsentFromTestMonth => "the list is not reported in a month scored",
            Self::NothingAfterAList => "fifty or more people, then nought: a query, not data",
        }
    }
}

/// How one method came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodReport {
    /// Which method.
    pub method: MethodName,
    /// The same in a few words.
    pub label: &'static str,
    /// Over all pathways.
    pub overall: Scores,
    /// By the number of people on the cell's list at the origin.
    pub by_list_size: Vec<Slice>,
    /// By the weeks waited at the origin.
    pub by_weeks_waited: Vec<Slice>,
    /// How evenly the predicted median serves large lists.
    pub large_lists: Dispersion,
}

/// Scores of a part of the pathways.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slice {
    /// From this many (people, or weeks), inclusive.
    pub from: u64,
    /// To below this many; absent: no bound.
    pub below: Option<u64>,
    /// The scores.
    pub scores: Scores,
}

/// The scores of one method. Absent figures are not defined on the pathways at hand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Pathways scored.
    pub pathways: u64,
    /// Share of them for which the method had no answer.
    pub not_answered: Option<f64>,
    /// Mean squared error of the probability of still waiting, averaged over the months scored; 0 is best.
    pub brier: Option<f64>,
    /// Each month scored, in order.
    pub by_month: Vec<MonthScores>,
    /// Pinball loss in weeks; waits are cut at the last month scored.
    pub pinball: Pinball,
    /// The mean of the three.
    pub mean_pinball: Option<f64>,
    /// That mean over the same of "mean completed, less waited", on the same pathways.
    pub ratio_to_mean_minus_waited: Option<f64>,
    /// Share that left between the predicted 25 % and 75 % points; one half is right. A single figure covers nothing.
    pub coverage50: Checked,
    /// Share that left between the predicted 10 % and 90 % points; 0.8 is right.
    pub coverage80: Checked,
    /// Share that had left by each predicted point.
    pub realised: Vec<Realised>,
    /// Probabilities of having left by a month scored, sorted into tenths, against the share that had. Unlike the
    /// predicted points, every one of them could be checked.
    pub reliability: Vec<Reliability>,
}

/// What was forecast for one month scored, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MonthScores {
    /// Mean squared error of the probability of still waiting.
    pub brier: Option<f64>,
    /// Share expected to have left the list by that month-end.
    pub expected_left: Option<f64>,
    /// Share that had.
    pub left: Option<f64>,
}

/// Probabilities of about one size, and what came of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// The mean probability of having left, as forecast.
    pub said: f64,
    /// The share that had left.
    pub left: f64,
    /// The share of all such forecasts (one a pathway and month scored) that lie in this tenth.
    pub of_all: f64,
}

/// Pinball loss, in weeks a pathway.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pinball {
    /// At the 10 % point.
    pub p10: Option<f64>,
    /// At the median.
    pub p50: Option<f64>,
    /// At the 90 % point.
    pub p90: Option<f64>,
}

/// A share, and the share of pathways on which it could be checked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// Of the pathways that could be checked.
    pub share: Option<f64>,
    /// Pathways whose predicted point lies before the last month scored, of all.
    pub checkable: Option<f64>,
}

/// What came of one predicted point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Realised {
    /// The share predicted to have left by then.
    pub predicted: f64,
    /// The share that had.
    #[serde(flatten)]
    pub realised: Checked,
}

/// How the share that left by the predicted median varies between large lists.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Dispersion {
    /// Lists of so many people or more ...
    pub list_from: u64,
    /// ... of whom the median could be checked for at least so many.
    pub checkable_from: u64,
    /// How many such lists there are.
    pub lists: u64,
    /// The share of them where between 40 and 60 % of people had left by the predicted median.
    pub near_half: Option<f64>,
    /// The share that had left, in the list at the 10th centile of such lists ...
    pub p10: Option<f64>,
    /// ... and at the 90th.
    pub p90: Option<f64>,
}

/// How the product's forecasts came out: what an answer carries about its own model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The months scored, `YYYY-MM`, in order.
    pub tested_on: Vec<String>,
    /// Days from the origin to the last of them.
    pub days: u32,
    /// Pathways scored.
    pub pathways: u64,
    /// Share of them expected to have left by the last month scored ...
    pub expected_left: Option<f64>,
    /// ... and the share that had. Everybody could be checked for this.
    pub left: Option<f64>,
    /// The pathways on which `coverage80` could be checked.
    pub n: u64,
    /// Share that left between the predicted 10 % and 90 % points. Absent where fewer than a thousand pathways, or
    /// fewer than one in ten, could be checked: the short waits among them would say more about the choice than about
    /// the interval.
    pub coverage80: Option<f64>,
    /// Share that left between the predicted 25 % and 75 % points, under the same condition.
    pub coverage50: Option<f64>,
}

impl Calibration {
    /// The least number of pathways for a coverage to be told.
    pub const LEAST_CHECKED: f64 = 1000.0;
    /// The least share of pathways.
    pub const LEAST_SHARE_CHECKED: f64 = 0.1;

    /// What a method's scores say about it.
    pub(super) fn new(scores: &Scores, tests: &[TestMonth]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^52")]
        let checked = |of: Checked| of.checkable.unwrap_or_default() * scores.pathways as f64;
        let told = |of: Checked| {
            let enough =
                checked(of) >= Self::LEAST_CHECKED && of.checkable >= Some(Self::LEAST_SHARE_CHECKED);
            of.share.filter(|_| enough)
        };
        let last = scores.by_month.last();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of people")]
        let n = checked(scores.coverage80).round() as u64;
        Self {
            tested_on: tests.iter().map(|test| test.month.clone()).collect(),
            days: tests.last().map_or(0, |test| test.days),
            pathways: scores.pathways,
            expected_left: last.and_then(|month| month.expected_left),
            left: last.and_then(|month| month.left),
            n,
            coverage80: told(scores.coverage80),
            coverage50: told(scores.coverage50),
        }
    }
}

/// The calibration of the lists of one treatment function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunctionCalibration {
    /// The treatment function's code.
    pub treatment_function: String,
    /// How the forecasts came out there.
    #[serde(flatten)]
    pub calibration: Calibration,
}
