//! What is said to callers: the shapes of the API, which the pages use too.
//!
//! Nothing missing is shown as none: a figure that is held back carries its reason, and a list without figures says
//! why there are none.

mod compare;
mod directory;
mod estimate;
mod estimating;
mod moved;
mod ranges;
mod reasons;
mod statistics;
#[cfg(test)]
mod tests;
mod waits;

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{ProviderCode, TreatmentFunction};
use crate::snapshot::{ActiveMonth, Origin, Snapshot};
use crate::statistics::{SMALLEST_COUNT_SHOWN, Weeks};

pub(crate) use compare::region;
pub use compare::{CompareAnswer, ComparedProvider};
pub use directory::{ProviderAnswer, ProvidersAnswer, SpecialtiesAnswer};
pub use estimate::{
    CalibrationAnswer, CalibrationScope, EstimateAnswer, EstimateBasis, EstimateLevel, EstimateStatus,
    ExitsTested, FiveWeeks, HiddenEstimate, HiddenStatus, Numbers, ProbabilityFigures, RangeEstimate,
    ReferralEstimate, StandardAnswer, ThreeWeeks, UpperReading,
};
pub(crate) use estimating::{Context, Question};
pub use moved::{Direction, MovedAnswer, MovedReason};
pub use reasons::*;
pub use statistics::{ReferralStatistics, StatisticsAnswer};
pub use waits::{MyWaitsAnswer, PreferencesAnswer, ReferralAnswer, ReferralState};

/// The line the Open Government Licence asks for wherever an official figure is shown.
pub const ATTRIBUTION: &str =
    "Contains public sector information licensed under the Open Government Licence v3.0.";

/// Figures older than this many days are said to be ageing.
const AGEING_AFTER_DAYS: i64 = 75;
/// Figures older than this many days are said to be old.
const OLD_AFTER_DAYS: i64 = 130;

/// Something with a code and, where the figures name it, a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Named {
    /// The official code: an ODS code, or a treatment function code such as `C_110`.
    #[schema(example = "RTH")]
    pub code: String,
    /// The name; null when the figures in use do not know the code.
    pub name: Option<String>,
}

/// A wait in weeks, with one decimal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct WeeksFigure {
    /// Weeks.
    #[schema(example = 13.6)]
    pub value: f64,
    /// True when only "over `value` weeks" is known: the wait lies beyond the last published band.
    pub open_ended: bool,
}

impl WeeksFigure {
    pub(crate) fn new(weeks: Weeks) -> Self {
        Self { value: rounded(weeks.value, 10.0), open_ended: weeks.open_ended }
    }
}

/// How many people are on a list. Counts under 10 are never given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ListSize {
    /// The number of people.
    Exact {
        /// People on the list.
        count: u64,
    },
    /// Too few to give the number.
    FewerThan {
        /// The list is shorter than this.
        limit: u64,
    },
}

impl ListSize {
    pub(crate) fn new(count: u64) -> Self {
        if count < SMALLEST_COUNT_SHOWN {
            Self::FewerThan { limit: SMALLEST_COUNT_SHOWN }
        } else {
            Self::Exact { count }
        }
    }
}

/// A reason, as a code for programs and a sentence for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reason {
    /// A stable code.
    #[schema(example = "too_few_pathways")]
    pub code: &'static str,
    /// The reason as a sentence.
    pub text: &'static str,
}

/// Fewer than 50 people are on the list.
pub const TOO_FEW_PATHWAYS: Reason = Reason {
    code: "too_few_pathways",
    text: "Fewer than 50 people are on this list. Figures for so few would mislead, so none are published.",
};
/// The month in use has no list for this provider and kind of care.
pub const NO_FIGURES_FOR_THIS_LIST: Reason = Reason {
    code: "no_figures_for_this_list",
    text: "The published figures have no list for this provider and this kind of care.",
};
/// No month of figures was ever imported.
pub const NO_MONTH_IMPORTED: Reason =
    Reason { code: "no_month_imported", text: "No published waiting-time figures have been loaded yet." };
/// Weekly waiting-list bands do not describe mental health care.
pub const NOT_COMPUTED_FOR_MENTAL_HEALTH: Reason = Reason {
    code: "not_computed_for_mental_health",
    text: "Published waiting lists do not describe waits for mental health care, so we show no figures for it.",
};

/// How recent figures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// At most 75 days since the list was counted: as recent as official figures get.
    Current,
    /// Over 75 days: a newer month has probably been published.
    Ageing,
    /// Over 130 days.
    Old,
}

impl Freshness {
    pub(crate) fn of(age_days: i64) -> Self {
        if age_days > OLD_AFTER_DAYS {
            Self::Old
        } else if age_days > AGEING_AFTER_DAYS {
            Self::Ageing
        } else {
            Self::Current
        }
    }
}

/// Whether figures are real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Accredited official statistics.
    Official,
    /// Made up, for trying the service.
    MadeUp,
}

/// Where figures come from. Show `attribution` wherever a figure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FigureSource {
    /// Whether the figures are real.
    pub kind: SourceKind,
    /// The publication.
    pub name: &'static str,
    /// Who publishes it; null for made-up figures.
    pub publisher: Option<&'static str>,
    /// The licence line of the publisher; null for made-up figures.
    pub attribution: Option<&'static str>,
}

impl FigureSource {
    fn new(origin: Origin) -> Self {
        match origin {
            Origin::Official => Self {
                kind: SourceKind::Official,
                name: "Consultant-led Referral to Treatment Waiting Times",
                publisher: Some("NHS England"),
                attribution: Some(ATTRIBUTION),
            },
            Origin::MadeUp => Self {
                kind: SourceKind::MadeUp,
                name: "Made-up figures for trying this service. They describe no real hospital.",
                publisher: None,
                attribution: None,
            },
        }
    }
}

/// The month figures are from, and how old it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FigureMonth {
    /// The month, `YYYY-MM`.
    #[schema(example = "2026-01")]
    pub period: String,
    /// The last day of the month: the day the list was counted.
    pub period_end: NaiveDate,
    /// Days since then.
    pub age_days: i64,
    /// How recent that is.
    pub freshness: Freshness,
    /// Where the figures come from.
    pub source: FigureSource,
}

impl FigureMonth {
    fn new(month: &ActiveMonth, today: NaiveDate) -> Self {
        let age_days = month.age_days(today);
        Self {
            period: month.period.to_string(),
            period_end: month.period.last_day(),
            age_days,
            freshness: Freshness::of(age_days),
            source: FigureSource::new(month.origin),
        }
    }
}

/// Whether figures are loaded, and which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FiguresState {
    /// A month of figures is in use.
    Loaded {
        /// The month.
        month: FigureMonth,
    },
    /// No month was ever imported.
    NotImported {
        /// The same as a reason.
        reason: Reason,
    },
}

impl FiguresState {
    pub(crate) fn new(snapshot: &Snapshot, today: NaiveDate) -> Self {
        match &snapshot.month {
            Some(month) => Self::Loaded { month: FigureMonth::new(month, today) },
            None => Self::NotImported { reason: NO_MONTH_IMPORTED },
        }
    }
}

fn named_provider(month: Option<&ActiveMonth>, code: ProviderCode) -> Named {
    let name = month.and_then(|month| month.providers.get(code)).and_then(|provider| provider.name.clone());
    Named { code: code.to_string(), name }
}

fn named_treatment_function(month: Option<&ActiveMonth>, code: TreatmentFunction) -> Named {
    let name = month.and_then(|month| month.treatment_function_name(code)).map(str::to_owned);
    Named { code: code.to_string(), name }
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
