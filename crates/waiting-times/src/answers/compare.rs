//! The same kind of care at other providers, side by side. The order is that of names: nothing here is a rank.

use serde::Serialize;
use utoipa::ToSchema;

use super::estimate::{EstimateAnswer, EstimateLevel, EstimateStatus, ThreeWeeks};
use super::estimating::{Context, Question};
use super::reasons;
use super::{FiguresState, ListSize, Named, Reason, WeeksFigure, named_treatment_function};
use crate::estimates::WeeksWaited;
use crate::model::TreatmentFunction;
use crate::search::Provider;

/// One provider in a comparison. Numbers are null together, when the status is `unavailable`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ComparedProvider {
    /// Who provides the care: the trust or company, not the site.
    pub provider: Named,
    /// The integrated care board it belongs to, where the figures name one.
    pub region: Option<Named>,
    /// How far to rely on its numbers.
    pub status: EstimateStatus,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Whose figures the numbers describe.
    pub level: Option<EstimateLevel>,
    /// The same in plain words.
    pub described_as: Option<String>,
    /// People on its list when it was last counted; null if it has published no such list.
    pub list_size: Option<ListSize>,
    /// Weeks from now until off the list for any reason.
    pub remaining_weeks: Option<ThreeWeeks>,
    /// Published: half of those on the list have waited longer than this so far; null below 50 people.
    pub median_weeks: Option<WeeksFigure>,
    /// Published: 92 in 100 of those on the list have waited at most this long so far; null below 50 people.
    pub percentile_92_weeks: Option<WeeksFigure>,
    /// Published: the share of the list that has waited at most 18 weeks, 0 to 1; null below 50 people.
    pub within_18_weeks_share: Option<f64>,
}

impl ComparedProvider {
    fn new(provider: &Provider, answer: EstimateAnswer) -> Self {
        let official = answer.official.figures();
        Self {
            median_weeks: official.and_then(|figures| figures.median_weeks),
            percentile_92_weeks: official.and_then(|figures| figures.percentile_92_weeks),
            within_18_weeks_share: official.and_then(|figures| figures.within_18_weeks_share),
            provider: answer.provider,
            region: region(provider),
            status: answer.status,
            reasons: answer.reasons,
            level: answer.basis.as_ref().map(|basis| basis.level),
            list_size: answer.basis.as_ref().and_then(|basis| basis.list_size),
            described_as: answer.basis.map(|basis| basis.described_as),
            remaining_weeks: answer.remaining_weeks.map(|weeks| weeks.three()),
        }
    }
}

/// The body a provider belongs to.
pub(crate) fn region(provider: &Provider) -> Option<Named> {
    let code = provider.parent_code?;
    Some(Named { code: code.to_string(), name: provider.parent_name.clone() })
}

/// One page of a comparison, in the order of names.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CompareAnswer {
    /// The kind of care.
    pub treatment_function: Named,
    /// The wait so far that is compared, in weeks.
    #[schema(example = 18.0)]
    pub weeks_waited: f64,
    /// The providers. Empty when none of those asked for has such a list.
    pub providers: Vec<ComparedProvider>,
    /// The state of the published figures.
    pub figures: FiguresState,
    /// The licence line of the publisher, to be shown with the numbers; null for made-up figures.
    pub attribution: Option<&'static str>,
    /// What the numbers count and do not. Show them with the numbers.
    pub caveats: Vec<Reason>,
}

impl CompareAnswer {
    pub(crate) fn new(
        context: Context<'_>,
        treatment_function: TreatmentFunction,
        waited: WeeksWaited,
        providers: &[&Provider],
    ) -> Self {
        let month = context.snapshot.month.as_ref();
        let providers = providers
            .iter()
            .map(|provider| {
                let question = Question::of_list(provider.code, treatment_function, Some(waited), false);
                ComparedProvider::new(provider, context.estimate(&question))
            })
            .collect();
        let mut caveats = vec![
            reasons::IN_ORDER_OF_NAME,
            reasons::MOVING_IS_DIFFERENT,
            reasons::NOT_A_BOOKING,
            reasons::COUNTS_ALL_REASONS,
            reasons::NOT_YOUR_CARE,
            reasons::PROVIDER_NOT_SITE,
        ];
        caveats.extend(reasons::mixture(treatment_function.as_str()));
        Self {
            treatment_function: named_treatment_function(month, treatment_function),
            weeks_waited: super::rounded(waited.weeks(), 10.0),
            providers,
            figures: FiguresState::new(context.snapshot, context.today),
            attribution: month.and_then(|month| super::FigureSource::new(month.origin).attribution),
            caveats,
        }
    }
}
