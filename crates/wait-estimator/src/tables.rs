//! A fitted model: a life table for each treatment function, and for each list what sets it apart.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use crate::curve::{BaseCurve, GROUPS, Widening};
use crate::estimate::CellEstimator;
use crate::model::{BandLayout, OrganisationCode, Period, ProviderCode, TreatmentFunction};
use crate::months::CellKey;

/// The version of the method. Part of a generation's name: a change in how figures are made changes it.
pub const MODEL_VERSION: &str = "life-table-2";

/// Whose figures an estimate is made from. A list's own are blended with its specialty's by credibility; a wider group's
/// may hold a little of a small list's own experience ([`Reason::SmallList`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The list itself: provider and treatment function.
    ProviderTfc,
    /// The treatment function within the provider's integrated care board.
    IcbTfc,
    /// The treatment function in England.
    EnglandTfc,
    /// All treatment functions in England.
    England,
}

impl Level {
    /// The word used in answers and exports.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ProviderTfc => "provider_tfc",
            Self::IcbTfc => "icb_tfc",
            Self::EnglandTfc => "england_tfc",
            Self::England => "england",
        }
    }
}

/// How far an estimate may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// From the list's own figures of two months or more, blended with its specialty.
    Ok,
    /// Made, but from little: the reasons say of what.
    LowData,
    /// The list is too small, too new or too silent to speak for itself: in the main the figures are those of the wider
    /// group that [`Level`] names. A small list's own experience is blended in by its credibility; of the others
    /// nothing is.
    Pooled,
}

impl Status {
    /// The word used in answers and exports.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::LowData => "low_data",
            Self::Pooled => "pooled",
        }
    }
}

/// Why an estimate's status is not [`Status::Ok`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Only one month is known, so that removals without treatment are assumed, not measured.
    SingleMonth,
    /// The list could be followed between fewer than two pairs of months.
    FewPairs,
    /// Fewer than 50 people are on the list. Its own experience still moves the wider group's figures, by as much as
    /// [`Basis::credibility`](crate::Basis::credibility) says: leaving it out altogether forecast worse in both runs of
    /// months back-tested.
    SmallList,
    /// The provider publishes no such list in the latest month.
    NotOnList,
    /// People wait, but nobody's wait was completed in any month known.
    NoCompletions,
    /// The provider does not appear in the earlier months.
    NewProvider,
    /// No figures are published for the treatment function.
    UnknownTreatmentFunction,
    /// The list is large, and its median is more than three times its specialty's, or less than a third: it may be so
    /// in truth, or lists were moved on paper.
    StandsApart,
}

impl Reason {
    /// All reasons, in the order of their bits.
    pub(crate) const ALL: [Self; 8] = [
        Self::SingleMonth,
        Self::FewPairs,
        Self::SmallList,
        Self::NotOnList,
        Self::NoCompletions,
        Self::NewProvider,
        Self::UnknownTreatmentFunction,
        Self::StandsApart,
    ];

    /// The word used in answers.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::SingleMonth => "single_month",
            Self::FewPairs => "few_pairs",
            Self::SmallList => "small_list",
            Self::NotOnList => "not_on_list",
            Self::NoCompletions => "no_completions",
            Self::NewProvider => "new_provider",
            Self::UnknownTreatmentFunction => "unknown_treatment_function",
            Self::StandsApart => "stands_apart",
        }
    }

    pub(crate) fn bit(self) -> u8 {
        1 << Self::ALL.iter().position(|&reason| reason == self).unwrap_or(0)
    }
}

/// What sets one list (or one board's lists) apart from its specialty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Local {
    /// People on the list at the end of the base month.
    pub(crate) list_size: u32,
    /// Pairs of months over which it could be followed.
    pub(crate) pairs: u16,
    /// Whose figures these are.
    pub(crate) level: Level,
    /// The weight of the list's own experience, 0 to 1.
    pub(crate) credibility: f64,
    /// How far the quantiles are widened.
    pub(crate) widening: Widening,
    /// Bits of [`Reason`].
    pub(crate) reasons: u8,
    /// Factors on the specialty's hazard, one an age group.
    pub(crate) factor: [f64; GROUPS],
}

/// One treatment function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Specialty {
    /// Hazard of leaving the list for any reason.
    pub(crate) curve: BaseCurve,
    /// Share of exits that are completed pathways, one an age group, 0 to 1.
    pub(crate) treated: [f64; GROUPS],
    /// Factors on the hazard for people with a decision to admit, where part 2A is published.
    pub(crate) decided: Option<[f64; GROUPS]>,
    /// England's figures of this function.
    pub(crate) england: Local,
    /// The boards' figures.
    pub(crate) regions: BTreeMap<OrganisationCode, Local>,
    /// The lists of the base month.
    pub(crate) cells: BTreeMap<ProviderCode, Local>,
}

/// Everything that estimates are made from. Small (a few hundred bytes a list), immutable, compared and named by its
/// bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) months: Vec<Period>,
    pub(crate) base: Period,
    pub(crate) layout: BandLayout,
    pub(crate) aliases: BTreeMap<ProviderCode, ProviderCode>,
    pub(crate) regions: BTreeMap<ProviderCode, OrganisationCode>,
    /// All functions together: curve and shares only.
    pub(crate) england: Specialty,
    pub(crate) specialties: BTreeMap<TreatmentFunction, Specialty>,
}

impl Model {
    /// The month whose list the estimates stand on.
    #[must_use]
    pub fn base(&self) -> Period {
        self.base
    }

    /// The day that list was counted.
    #[must_use]
    pub fn period_end(&self) -> NaiveDate {
        self.base.last_day()
    }

    /// The months used, in order.
    #[must_use]
    pub fn months(&self) -> &[Period] {
        &self.months
    }

    /// The shape of the weekly bands of the base month; beyond its open band estimates are open-ended.
    #[must_use]
    pub fn layout(&self) -> BandLayout {
        self.layout
    }

    /// The version of the method.
    #[must_use]
    pub fn version(&self) -> &'static str {
        MODEL_VERSION
    }

    /// The treatment functions with figures, in order.
    pub fn treatment_functions(&self) -> impl Iterator<Item = TreatmentFunction> {
        self.specialties.keys().copied()
    }

    /// The lists of the base month, by treatment function and then provider.
    pub fn cells(&self) -> impl Iterator<Item = CellKey> {
        self.specialties.iter().flat_map(|(&treatment_function, specialty)| {
            specialty.cells.keys().map(move |&provider| CellKey { provider, treatment_function })
        })
    }

    /// People on a list at the end of the base month; a merged provider's old code finds its successor's list.
    #[must_use]
    pub fn list_size(&self, key: &CellKey) -> Option<u32> {
        let cells = &self.specialties.get(&key.treatment_function)?.cells;
        cells.get(&self.current_code(key.provider)).map(|local| local.list_size)
    }

    /// The code a provider reports under in the base month.
    #[must_use]
    pub fn current_code(&self, provider: ProviderCode) -> ProviderCode {
        self.aliases.get(&provider).copied().unwrap_or(provider)
    }

    /// The estimates of a list: its own if it has any, else those of its board, its specialty or England. `None` when
    /// neither the provider nor the treatment function is in the figures.
    #[must_use]
    pub fn estimator(&self, key: &CellKey) -> Option<CellEstimator<'_>> {
        let provider = self.current_code(key.provider);
        let Some(specialty) = self.specialties.get(&key.treatment_function) else {
            let known = self.specialties.values().any(|other| other.cells.contains_key(&provider));
            let extra = Reason::UnknownTreatmentFunction.bit();
            return known
                .then(|| CellEstimator::new(self, &self.england, &self.england.england, *key, extra));
        };
        if let Some(local) = specialty.cells.get(&provider) {
            return Some(CellEstimator::new(self, specialty, local, *key, 0));
        }
        let board = self.regions.get(&provider).and_then(|region| specialty.regions.get(region));
        let local = board.unwrap_or(&specialty.england);
        Some(CellEstimator::new(self, specialty, local, *key, Reason::NotOnList.bit()))
    }

    /// The estimates of a treatment function in England, local factors left out.
    #[must_use]
    pub fn specialty_estimator(&self, treatment_function: TreatmentFunction) -> Option<CellEstimator<'_>> {
        let specialty = self.specialties.get(&treatment_function)?;
        // Nobody's code: the estimator speaks for all providers.
        let provider = ProviderCode::parse("ENG")?;
        let key = CellKey { provider, treatment_function };
        Some(CellEstimator::new(self, specialty, &specialty.england, key, 0))
    }
}
