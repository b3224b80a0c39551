//! What is said to callers: the shapes of the API, which the pages use too.
//!
//! Nothing missing is shown as none: a figure that is held back carries its reason, and a list without figures says
//! why there are none.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::{ProviderCode, TreatmentFunction};
use crate::referral::{Referral, ReferralStatus};
use crate::search::Provider;
use crate::snapshot::{ActiveMonth, Origin, Snapshot};
use crate::statistics::{ListStatistics, SMALLEST_COUNT_SHOWN, Weeks};

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
    fn new(weeks: Weeks) -> Self {
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
    fn new(count: u64) -> Self {
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
    fn of(age_days: i64) -> Self {
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

/// Published figures for one provider and one kind of care: everyone still waiting at the end of the month.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StatisticsAnswer {
    /// Who provides the care: the trust or company, not the site.
    pub provider: Named,
    /// The kind of care.
    pub treatment_function: Named,
    /// The month the figures are from.
    #[serde(flatten)]
    pub month: FigureMonth,
    /// People on the list.
    pub list_size: ListSize,
    /// Half of those on the list have waited longer than this so far; null when `suppressed`.
    pub median_weeks: Option<WeeksFigure>,
    /// 92 in 100 of those on the list have waited at most this long so far; null when `suppressed`.
    pub percentile_92_weeks: Option<WeeksFigure>,
    /// The share of the list that has waited at most 18 weeks, 0 to 1; null when `suppressed`.
    #[schema(example = 0.614)]
    pub within_18_weeks_share: Option<f64>,
    /// Why the figures are null; null when they are given.
    pub suppressed: Option<Reason>,
}

impl StatisticsAnswer {
    /// The figures of one list; `None` when the month has no such list.
    pub(crate) fn new(
        month: &ActiveMonth,
        provider: ProviderCode,
        treatment_function: TreatmentFunction,
        today: NaiveDate,
    ) -> Option<Self> {
        let ListStatistics { list_size, figures } = month.lists.get(&(provider, treatment_function))?;
        Some(Self {
            provider: named_provider(Some(month), provider),
            treatment_function: named_treatment_function(Some(month), treatment_function),
            month: FigureMonth::new(month, today),
            list_size: ListSize::new(*list_size),
            median_weeks: figures.map(|figures| WeeksFigure::new(figures.median)),
            percentile_92_weeks: figures.map(|figures| WeeksFigure::new(figures.percentile_92)),
            within_18_weeks_share: figures.map(|figures| rounded(figures.within_18_weeks, 1000.0)),
            suppressed: figures.is_none().then_some(TOO_FEW_PATHWAYS),
        })
    }
}

/// What can be said about the list a referral is on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReferralStatistics {
    /// Figures are given.
    Available {
        /// The figures.
        figures: StatisticsAnswer,
    },
    /// The list is known and too small for figures.
    Suppressed {
        /// The list, its figures null, with the reason.
        figures: StatisticsAnswer,
    },
    /// There are no figures for this list.
    Unavailable {
        /// Why.
        reason: Reason,
    },
}

/// Where a referral stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReferralState {
    /// Still waiting.
    Waiting,
    /// Treatment has begun.
    Treated,
    /// The wait ended without treatment.
    ClosedWithoutTreatment,
}

/// One referral of the person, and the published figures for the list it is on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReferralAnswer {
    /// The referral's identifier here.
    pub id: Uuid,
    /// Who provides the care.
    pub provider: Named,
    /// The kind of care.
    pub treatment_function: Named,
    /// The day the 18-week clock started, by the hospital's record.
    pub clock_start: NaiveDate,
    /// Where the referral stands.
    pub status: ReferralState,
    /// The day the wait ended; null while waiting.
    pub stopped_on: Option<NaiveDate>,
    /// Weeks from the clock start to today, or to the day the wait ended; one decimal.
    #[schema(example = 18.3)]
    pub weeks_waited: f64,
    /// The figures for everyone on the same list. They are not a forecast of this person's wait.
    pub statistics: ReferralStatistics,
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

/// A person's referrals. An empty list means that no hospital has reported a referral to this service.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MyWaitsAnswer {
    /// The day, in England, for which weeks and ages are counted.
    pub as_of: NaiveDate,
    /// The referrals, those still waiting first, the longest wait first.
    pub referrals: Vec<ReferralAnswer>,
    /// The state of the published figures.
    pub figures: FiguresState,
}

impl MyWaitsAnswer {
    pub(crate) fn new(mut referrals: Vec<Referral>, snapshot: &Snapshot, today: NaiveDate) -> Self {
        referrals.sort_by_key(|referral| {
            (referral.status != ReferralStatus::Waiting, referral.clock_start, referral.id)
        });
        let month = snapshot.month.as_ref();
        let referrals =
            referrals.into_iter().filter_map(|referral| referral_answer(&referral, month, today)).collect();
        Self { as_of: today, referrals, figures: FiguresState::new(snapshot, today) }
    }
}

/// The answer for one referral; none for one that was entered in error.
#[expect(clippy::cast_precision_loss, reason = "days of a life are few")]
fn referral_answer(
    referral: &Referral,
    month: Option<&ActiveMonth>,
    today: NaiveDate,
) -> Option<ReferralAnswer> {
    let status = match referral.status {
        ReferralStatus::Waiting => ReferralState::Waiting,
        ReferralStatus::Treated(_) => ReferralState::Treated,
        ReferralStatus::ClosedWithoutTreatment(_) => ReferralState::ClosedWithoutTreatment,
        ReferralStatus::EnteredInError => return None,
    };
    Some(ReferralAnswer {
        id: referral.id,
        provider: named_provider(month, referral.provider),
        treatment_function: named_treatment_function(month, referral.treatment_function),
        clock_start: referral.clock_start,
        status,
        stopped_on: referral.status.stopped_on(),
        weeks_waited: rounded(referral.days_waited(today) as f64 / 7.0, 10.0),
        statistics: referral_statistics(referral, month, today),
    })
}

fn referral_statistics(
    referral: &Referral,
    month: Option<&ActiveMonth>,
    today: NaiveDate,
) -> ReferralStatistics {
    if referral.treatment_function.is_mental_health() {
        return ReferralStatistics::Unavailable { reason: NOT_COMPUTED_FOR_MENTAL_HEALTH };
    }
    let Some(month) = month else {
        return ReferralStatistics::Unavailable { reason: NO_MONTH_IMPORTED };
    };
    match StatisticsAnswer::new(month, referral.provider, referral.treatment_function, today) {
        None => ReferralStatistics::Unavailable { reason: NO_FIGURES_FOR_THIS_LIST },
        Some(figures) if figures.suppressed.is_some() => ReferralStatistics::Suppressed { figures },
        Some(figures) => ReferralStatistics::Available { figures },
    }
}

/// A provider that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProviderAnswer {
    /// Its ODS code.
    pub code: String,
    /// Its name; null where the figures give none.
    pub name: Option<String>,
    /// The body it belongs to, an integrated care board, where the figures name one.
    pub parent: Option<Named>,
}

impl ProviderAnswer {
    pub(crate) fn new(provider: &Provider) -> Self {
        Self {
            code: provider.code.to_string(),
            name: provider.name.clone(),
            parent: provider
                .parent_code
                .map(|code| Named { code: code.to_string(), name: provider.parent_name.clone() }),
        }
    }
}

/// One page of providers that match a search, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProvidersAnswer {
    /// The providers.
    pub providers: Vec<ProviderAnswer>,
    /// The state of the published figures the providers are from.
    pub figures: FiguresState,
}

/// The kinds of care the figures tell apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpecialtiesAnswer {
    /// The treatment functions, in the order of their codes.
    pub specialties: Vec<Named>,
    /// The state of the published figures they are from.
    pub figures: FiguresState,
}

impl SpecialtiesAnswer {
    pub(crate) fn new(snapshot: &Snapshot, today: NaiveDate) -> Self {
        let named = snapshot.month.iter().flat_map(|month| &month.treatment_functions);
        Self {
            specialties: named
                .map(|(code, name)| Named { code: code.to_string(), name: name.clone() })
                .collect(),
            figures: FiguresState::new(snapshot, today),
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
