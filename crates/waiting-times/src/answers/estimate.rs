//! How much longer, how sure, and from whose figures: the shape of an estimate.
//!
//! Nothing in it is a date, a rank or a promise. Every span is in weeks with one decimal; what the figures cannot
//! tell is open-ended or null, never a guess.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::{FigureSource, Freshness, ListSize, MovedAnswer, Named, Reason, ReferralStatistics, WeeksFigure};

/// How far an estimate may be relied on. Every reason is listed, whatever the status; where several apply, the
/// status is the last of them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EstimateStatus {
    /// From the list's own figures of several months.
    Ok,
    /// From little, or beyond what the figures tell apart.
    LowData,
    /// This list cannot speak for itself: the figures are those of a wider group.
    Pooled,
    /// From figures over 130 days old.
    Stale,
    /// No numbers are given.
    Unavailable,
}

/// Whose figures an estimate describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EstimateLevel {
    /// This list: one provider, one kind of care.
    ProviderTfc,
    /// This kind of care at the providers of one integrated care board.
    IcbTfc,
    /// This kind of care in England.
    EnglandTfc,
    /// All kinds of care in England.
    England,
}

/// What an estimate is based on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EstimateBasis {
    /// Whose figures these are.
    pub level: EstimateLevel,
    /// The same in plain words.
    #[schema(example = "people waiting for Ophthalmology at a made-up hospital")]
    pub described_as: String,
    /// People on this list when it was last counted; null if the provider has published no such list.
    pub list_size: Option<ListSize>,
    /// How many months of figures were read.
    pub months_used: usize,
    /// The months, oldest first, `YYYY-MM`.
    pub months: Vec<String>,
    /// Pairs of successive months over which the list, or the wider group, could be followed.
    pub pairs_used: u16,
    /// The weight of the list's own experience against that of the same care elsewhere, 0 to 1.
    #[schema(example = 0.87)]
    pub credibility: f64,
    /// The day the latest list was counted.
    pub period_end: NaiveDate,
    /// Days since then.
    pub age_days: i64,
    /// How recent that is.
    pub freshness: Freshness,
    /// Where the figures come from.
    pub source: FigureSource,
    /// The version of the method.
    pub model_version: &'static str,
    /// Names the figures and the method together: the same generation gives the same numbers.
    pub generation: String,
}

/// Five points of a distribution, never decreasing: of 10 people, 1 is done by `p10` and 9 are done by `p90`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct FiveWeeks {
    /// 10 in 100 are done by then.
    pub p10: WeeksFigure,
    /// 25 in 100 are done by then.
    pub p25: WeeksFigure,
    /// Half are done by then.
    pub p50: WeeksFigure,
    /// 75 in 100 are done by then.
    pub p75: WeeksFigure,
    /// 90 in 100 are done by then.
    pub p90: WeeksFigure,
}

impl FiveWeeks {
    /// The five, shortest first.
    #[must_use]
    pub fn at(&self) -> [WeeksFigure; 5] {
        [self.p10, self.p25, self.p50, self.p75, self.p90]
    }

    /// The first, the middle and the last.
    #[must_use]
    pub fn three(&self) -> ThreeWeeks {
        ThreeWeeks { p10: self.p10, p50: self.p50, p90: self.p90 }
    }
}

/// Three points of a distribution, never decreasing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ThreeWeeks {
    /// 10 in 100 are done by then.
    pub p10: WeeksFigure,
    /// Half are done by then.
    pub p50: WeeksFigure,
    /// 90 in 100 are done by then.
    pub p90: WeeksFigure,
}

/// Weeks from now until treatment if nobody left the list otherwise. An upper reading, which no back-test has checked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct UpperReading {
    /// The three points.
    #[serde(flatten)]
    pub weeks: ThreeWeeks,
    /// What this reading is and is not. Show it wherever the numbers are shown.
    pub label: Reason,
}

/// Chances of being off the list for any reason, 0.01 to 0.99. Null where the figures do not reach that far: published
/// bands tell waits apart up to 104 weeks (52 in months before April 2021).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProbabilityFigures {
    /// Within 4 weeks from now.
    #[schema(example = 0.18)]
    pub by_4_weeks: Option<f64>,
    /// Within 12 weeks from now.
    pub by_12_weeks: Option<f64>,
    /// Within 26 weeks from now.
    pub by_26_weeks: Option<f64>,
    /// Within 52 weeks from now.
    pub by_52_weeks: Option<f64>,
    /// Within 18 weeks from the clock start; null if that is past (`standard.reason` says so) or not known.
    pub within_18_week_standard: Option<f64>,
}

/// The 18-week standard of the NHS Constitution, and where this wait stands to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct StandardAnswer {
    /// Treatment should begin within so many weeks.
    #[schema(example = 18)]
    pub weeks: u32,
    /// For this share of people.
    #[schema(example = 0.92)]
    pub target_share: f64,
    /// The share of this list that has waited at most 18 weeks so far; null below 50 people.
    pub share_now: Option<f64>,
    /// Whether 18 weeks have passed; null where the wait so far is not known.
    pub already_past: Option<bool>,
    /// Weeks left to 18; null when they have passed or the wait so far is not known.
    pub weeks_to_18: Option<f64>,
    /// Why there is no chance of 18 weeks to give; null when there is one.
    pub reason: Option<Reason>,
}

/// Over what a model was tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationScope {
    /// This kind of care.
    TreatmentFunction,
    /// All kinds of care together.
    All,
}

/// How the estimates came out when past months were forecast from the months before them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CalibrationAnswer {
    /// The share of people who came off the list between the predicted `p10` and `p90`, 0 to 1. 0.80 is exact.
    #[schema(example = 0.79)]
    pub coverage80: f64,
    /// On how many waits that could be checked.
    pub n: u64,
    /// The months whose lists were held against the forecasts, `YYYY-MM`.
    pub tested_on: Vec<String>,
    /// For which care.
    pub scope: CalibrationScope,
}

/// How many people were expected to leave their list in past months, and how many did. Unlike an interval this can be
/// checked for everybody.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExitsTested {
    /// The share expected to have left by the last month tested, 0 to 1.
    #[schema(example = 0.61)]
    pub expected_share: f64,
    /// The share that had left, 0 to 1.
    #[schema(example = 0.62)]
    pub left_share: f64,
    /// How many waits were forecast.
    pub n: u64,
    /// The months whose lists were held against the forecasts, `YYYY-MM`.
    pub tested_on: Vec<String>,
    /// For which care.
    pub scope: CalibrationScope,
}

/// For somebody who does not know how long they have waited: everyone in a range of waits together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct RangeEstimate {
    /// Waited at least so many weeks.
    pub from_weeks: u32,
    /// And less than so many; null for the longest waits.
    pub to_weeks: Option<u32>,
    /// Weeks from now until off the list for any reason.
    pub remaining_weeks: FiveWeeks,
    /// Chances of being off the list.
    pub probability: ProbabilityFigures,
}

/// How much longer a wait is likely to be, for one list and one length of wait so far. The numbers are null together,
/// when the status is `unavailable` or when `ranges` are given instead.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EstimateAnswer {
    /// How far to rely on it.
    pub status: EstimateStatus,
    /// Why, when the status is not `ok`, and what else lessens it. Every reason, the gravest first.
    pub reasons: Vec<Reason>,
    /// Who provides the care: the trust or company, not the site.
    pub provider: Named,
    /// The kind of care.
    pub treatment_function: Named,
    /// The day, in England, for which ages are counted.
    pub as_of: NaiveDate,
    /// Weeks waited so far, on the hospital's clock; null when `ranges` are given.
    #[schema(example = 18.0)]
    pub weeks_waited: Option<f64>,
    /// Whether this is the reading for people with a decision to admit. It is an experiment: no back-test has checked it.
    pub experimental: bool,
    /// What it is based on; null when there are no figures to base one on.
    pub basis: Option<EstimateBasis>,
    /// Weeks from now until off the list for any reason: the reading that back-tests check.
    pub remaining_weeks: Option<FiveWeeks>,
    /// Weeks from now until treatment if nobody left the list otherwise: an upper reading.
    pub if_you_stay_weeks: Option<UpperReading>,
    /// Weeks from the clock start until off the list for any reason.
    pub total_wait_weeks: Option<ThreeWeeks>,
    /// Chances of being off the list.
    pub probability: Option<ProbabilityFigures>,
    /// Of people who come off the list from here, the share who do so without treatment recorded, 0 to 1.
    #[schema(example = 0.15)]
    pub other_removal_share: Option<f64>,
    /// Estimates for three ranges of waits, for somebody who does not know how long they have waited; null otherwise.
    pub ranges: Option<Vec<RangeEstimate>>,
    /// The 18-week standard; null where it does not apply.
    pub standard: Option<StandardAnswer>,
    /// The published figures of the same list and the same month: how long people have waited so far.
    pub official: ReferralStatistics,
    /// How estimates like this came out when tested; null with the reason in `calibration_missing`.
    pub calibration: Option<CalibrationAnswer>,
    /// Why there is no calibration; null when there is one.
    pub calibration_missing: Option<Reason>,
    /// How many were expected to leave their lists when this was tested, and how many did; null when not tested.
    pub exits_tested: Option<ExitsTested>,
    /// The licence line of the publisher, to be shown with the numbers; null for made-up figures.
    pub attribution: Option<&'static str>,
    /// What the numbers count and do not. Show them with the numbers.
    pub caveats: Vec<Reason>,
    /// What the newest figures changed by more than time alone; null when nothing, and for anybody not signed in.
    pub moved: Option<MovedAnswer>,
}

/// The numbers of an estimate, which are given together or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    /// Weeks waited so far.
    pub weeks_waited: f64,
    /// What they are based on.
    pub basis: &'a EstimateBasis,
    /// Weeks from now until off the list.
    pub remaining_weeks: &'a FiveWeeks,
    /// The upper reading.
    pub if_you_stay_weeks: &'a UpperReading,
    /// Weeks from the clock start.
    pub total_wait_weeks: &'a ThreeWeeks,
    /// Chances of being off the list.
    pub probability: &'a ProbabilityFigures,
    /// Share of exits without recorded treatment.
    pub other_removal_share: f64,
}

impl EstimateAnswer {
    /// The numbers, if they are given.
    #[must_use]
    pub fn numbers(&self) -> Option<Numbers<'_>> {
        Some(Numbers {
            weeks_waited: self.weeks_waited?,
            basis: self.basis.as_ref()?,
            remaining_weeks: self.remaining_weeks.as_ref()?,
            if_you_stay_weeks: self.if_you_stay_weeks.as_ref()?,
            total_wait_weeks: self.total_wait_weeks.as_ref()?,
            probability: self.probability.as_ref()?,
            other_removal_share: self.other_removal_share?,
        })
    }

    /// Whether a reason of this code is listed.
    #[must_use]
    pub fn has_reason(&self, code: &str) -> bool {
        self.reasons.iter().any(|reason| reason.code == code)
    }
}

/// The status of an estimate that is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HiddenStatus {
    /// The person asked not to be shown estimates.
    Hidden,
}

/// An estimate that is not shown, because the person asked for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HiddenEstimate {
    /// Always `hidden`.
    pub status: HiddenStatus,
    /// The reason.
    pub reasons: [Reason; 1],
}

/// The estimate for a person's own referral, or word that they asked for none.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ReferralEstimate {
    /// The person asked not to be shown estimates.
    Hidden(HiddenEstimate),
    /// The estimate; for a wait that has ended its status is `unavailable`.
    Shown(Box<EstimateAnswer>),
}
