//! What a fit used, what it left out and why, and the constants it ran with.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::constants::Constants;
use crate::model::{ProviderCode, TreatmentFunction};

/// Why something was left out of a pair of months.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// The provider is not in the later month: not submitted, closed, or merged without a row in the table.
    MissingLater,
    /// The provider is not in the earlier month.
    MissingEarlier,
    /// A list of the provider is not in the later month, though the provider is.
    ListMissingLater,
    /// A list of the provider is not in the earlier month, though the provider is.
    ListMissingEarlier,
    /// Nought after a count: a query, not a fact.
    ZeroAfterNonZero,
    /// All the provider's lists together jumped: a new record system, a merger not known, a validation drive.
    ProviderJump,
    /// One large list jumped.
    ListJump,
    /// The provider grew by about as much as another that vanished had: a merger without a row in the table.
    PossibleMerger,
    /// The provider shrank by about as much as a new one has: a split without a row in the table.
    PossibleSplit,
    /// Losses more than three times, or less than a third of, those expected.
    LossOutOfRange,
    /// The treatment function is in one of the two months only.
    TreatmentFunctionChanged,
}

/// Something left out of a pair of months.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Whose figures.
    pub provider: ProviderText,
    /// Which list; none if all of the provider's.
    pub treatment_function: Option<String>,
    /// Why.
    pub reason: DropReason,
    /// People on the list (or all lists) in the earlier month.
    pub before: u64,
    /// The same in the later month.
    pub after: u64,
    /// The other provider of a possible merger or split.
    pub other_provider: Option<ProviderText>,
}

/// A provider's code as text.
pub type ProviderText = String;

impl Dropped {
    pub(crate) fn new(
        provider: ProviderCode,
        treatment_function: Option<TreatmentFunction>,
        reason: DropReason,
        before: u64,
        after: u64,
    ) -> Self {
        Self {
            provider: provider.to_string(),
            treatment_function: treatment_function.map(|code| code.to_string()),
            reason,
            before,
            after,
            other_provider: None,
        }
    }
}

/// One pair of consecutive months.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PairReport {
    /// The earlier month, `YYYY-MM`.
    pub from: String,
    /// The later month.
    pub to: String,
    /// Days between the two month-ends.
    pub days: i64,
    /// Working days of England between them, against a mean week's.
    pub pace: f64,
    /// Lists followed.
    pub lists: usize,
    /// People on them in the earlier month.
    pub people: u64,
    /// What was left out.
    pub dropped: Vec<Dropped>,
}

/// A merger carried out on both sides of every pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// The old code.
    pub predecessor: ProviderText,
    /// The code its lists were added to.
    pub successor: ProviderText,
    /// The months in which the old code still reported.
    pub months: Vec<String>,
}

/// What was learnt of one treatment function.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SpecialtyReport {
    /// Lists in the base month.
    pub lists: usize,
    /// People on them.
    pub people: u64,
    /// Standard deviation of lists' log factors.
    pub tau: f64,
    /// Standard deviation of age groups' log factors about their list's.
    pub tau_groups: f64,
    /// Standard deviation of what a month adds to one list and no other month repeats.
    pub month_noise: f64,
    /// Share of exits that are completed pathways.
    pub completed_share: f64,
}

/// Little's law (1961): people on the list over people leaving it a week is the mean time on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LittlesLaw {
    /// The list of the base month.
    pub list: u64,
    /// Weeks by completions alone.
    pub weeks_on_completions: f64,
    /// Weeks by all exits.
    pub weeks_on_exits: f64,
}

/// The account of a fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FitReport {
    /// The version of the method.
    pub model_version: &'static str,
    /// The month of the base list.
    pub base: String,
    /// The months given, in order, with the names of their content.
    pub months: Vec<(String, String)>,
    /// Neighbouring months that are missing between the first and the last.
    pub gaps: Vec<String>,
    /// The pairs formed.
    pub pairs: Vec<PairReport>,
    /// Mergers carried out.
    pub merged: Vec<Merged>,
    /// Providers not in the last two months or more, though in earlier ones.
    pub providers_lost: Vec<ProviderText>,
    /// By treatment function.
    pub specialties: BTreeMap<String, SpecialtyReport>,
    /// Little's law for England.
    pub littles_law: LittlesLaw,
    /// The constants of the method.
    pub constants: Constants,
}
