//! The published figures of one list, as they are answered.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    FigureMonth, ListSize, NO_FIGURES_FOR_THIS_LIST, NO_MONTH_IMPORTED, NOT_COMPUTED_FOR_MENTAL_HEALTH,
    Named, Reason, TOO_FEW_PATHWAYS, WeeksFigure, named_provider, named_treatment_function, rounded,
};
use crate::model::{ProviderCode, TreatmentFunction};
use crate::snapshot::ActiveMonth;
use crate::statistics::ListStatistics;

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

impl ReferralStatistics {
    /// The figures of one list, or why there are none.
    pub(crate) fn new(
        month: Option<&ActiveMonth>,
        provider: ProviderCode,
        treatment_function: TreatmentFunction,
        today: NaiveDate,
    ) -> Self {
        if treatment_function.is_mental_health() {
            return Self::Unavailable { reason: NOT_COMPUTED_FOR_MENTAL_HEALTH };
        }
        let Some(month) = month else { return Self::Unavailable { reason: NO_MONTH_IMPORTED } };
        match StatisticsAnswer::new(month, provider, treatment_function, today) {
            None => Self::Unavailable { reason: NO_FIGURES_FOR_THIS_LIST },
            Some(figures) if figures.suppressed.is_some() => Self::Suppressed { figures },
            Some(figures) => Self::Available { figures },
        }
    }

    /// The figures, where the list is known.
    #[must_use]
    pub fn figures(&self) -> Option<&StatisticsAnswer> {
        match self {
            Self::Available { figures } | Self::Suppressed { figures } => Some(figures),
            Self::Unavailable { .. } => None,
        }
    }
}
