//! A month of published figures as the estimator takes it: dense weekly counts per list.

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

use crate::model::{BandLayout, OrganisationCode, Part, Period, ProviderCode, TreatmentFunction};

/// A list: one provider's people waiting for one kind of care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellKey {
    /// Who provides the care.
    pub provider: ProviderCode,
    /// The kind of care.
    pub treatment_function: TreatmentFunction,
}

impl Serialize for CellKey {
    /// `PROVIDER/FUNCTION`.
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl std::fmt::Display for CellKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.provider, self.treatment_function)
    }
}

/// The counts of one list in one month. Each slice is either empty (the part is not published for this list, which is
/// arithmetically nought) or counts whole weeks waited, the shortest first; trailing noughts may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthCell {
    /// Part 2: people waiting at the end of the month.
    pub list: Vec<u32>,
    /// Part 1A: clocks stopped in the month by an admission.
    pub completed_admitted: Vec<u32>,
    /// Part 1B: clocks stopped in the month without an admission.
    pub completed_non_admitted: Vec<u32>,
    /// Part 2A: those of part 2 with a decision to admit. Published from October 2015.
    pub decided_to_admit: Vec<u32>,
}

impl MonthCell {
    /// People on the list at the end of the month.
    #[must_use]
    pub fn list_size(&self) -> u64 {
        total(&self.list)
    }

    /// Clocks stopped in the month, parts 1A and 1B together.
    #[must_use]
    pub fn completed(&self) -> u64 {
        total(&self.completed_admitted).saturating_add(total(&self.completed_non_admitted))
    }

    fn part_mut(&mut self, part: Part) -> Option<&mut Vec<u32>> {
        match part {
            Part::CompletedAdmitted => Some(&mut self.completed_admitted),
            Part::CompletedNonAdmitted => Some(&mut self.completed_non_admitted),
            Part::Incomplete => Some(&mut self.list),
            Part::IncompleteWithDecisionToAdmit => Some(&mut self.decided_to_admit),
            Part::NewClockStarts => None,
        }
    }

    /// Adds another list's counts to this one's, as when two providers have merged.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.list, &other.list),
            (&mut self.completed_admitted, &other.completed_admitted),
            (&mut self.completed_non_admitted, &other.completed_non_admitted),
            (&mut self.decided_to_admit, &other.decided_to_admit),
        ] {
            add_counts(mine, theirs);
        }
    }
}

fn total(counts: &[u32]) -> u64 {
    counts.iter().copied().map(u64::from).sum()
}

/// Adds `theirs` band by band; trailing noughts are not kept. A count that would overflow stays at the largest.
fn add_counts(mine: &mut Vec<u32>, theirs: &[u32]) {
    let length = theirs.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
    if mine.len() < length {
        mine.resize(length, 0);
    }
    for (sum, &count) in mine.iter_mut().zip(theirs) {
        *sum = sum.saturating_add(count);
    }
}

/// Why counts could not be added to a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MonthError {
    /// More bands than the month's layout has.
    #[error("{found} weekly bands where the layout has {most}")]
    TooManyBands {
        /// How many were given.
        found: usize,
        /// How many the layout has.
        most: usize,
    },
    /// The part has no weekly bands (part 3).
    #[error("{0} is not counted in weekly bands")]
    NoBands(&'static str),
}

/// One month of published figures, by list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Month {
    period: Period,
    layout: BandLayout,
    content: String,
    cells: BTreeMap<CellKey, MonthCell>,
    regions: BTreeMap<ProviderCode, OrganisationCode>,
}

impl Month {
    /// An empty month. `content` names the file's content (a hash), so that a revised file of the same month is told
    /// from the one before.
    #[must_use]
    pub fn new(period: Period, layout: BandLayout, content: impl Into<String>) -> Self {
        Self { period, layout, content: content.into(), cells: BTreeMap::new(), regions: BTreeMap::new() }
    }

    /// Adds the counts of one row. Rows of the same list and part (one a commissioner, `NONC` among them) add up.
    ///
    /// # Errors
    /// When there are more counts than the layout has bands, or the part has no bands.
    pub fn add(
        &mut self,
        provider: ProviderCode,
        treatment_function: TreatmentFunction,
        part: Part,
        counts: &[u32],
    ) -> Result<(), MonthError> {
        if counts.len() > self.layout.bands() {
            return Err(MonthError::TooManyBands { found: counts.len(), most: self.layout.bands() });
        }
        let cell = self.cells.entry(CellKey { provider, treatment_function }).or_default();
        let bands = cell.part_mut(part).ok_or(MonthError::NoBands(part.code()))?;
        add_counts(bands, counts);
        Ok(())
    }

    /// Says which integrated care board a provider lies in (the provider's parent organisation in the published file).
    pub fn set_region(&mut self, provider: ProviderCode, region: OrganisationCode) {
        self.regions.insert(provider, region);
    }

    /// The calendar month.
    #[must_use]
    pub fn period(&self) -> Period {
        self.period
    }

    /// The shape of the weekly bands.
    #[must_use]
    pub fn layout(&self) -> BandLayout {
        self.layout
    }

    /// The name of the file's content.
    #[must_use]
    pub fn content(&self) -> &str {
        &self.content
    }

    /// The lists, in the order of their keys.
    #[must_use]
    pub fn cells(&self) -> &BTreeMap<CellKey, MonthCell> {
        &self.cells
    }

    /// The integrated care board of each provider, where published.
    #[must_use]
    pub fn regions(&self) -> &BTreeMap<ProviderCode, OrganisationCode> {
        &self.regions
    }

    /// The same month with every provider's lists under another code; those that meet are added together.
    pub(crate) fn renamed(&self, code: impl Fn(ProviderCode) -> ProviderCode) -> Self {
        let mut renamed = Self::new(self.period, self.layout, self.content.clone());
        for (key, cell) in &self.cells {
            let key = CellKey { provider: code(key.provider), ..*key };
            renamed.cells.entry(key).or_default().merge(cell);
        }
        // The successor's own region stands, if it has one.
        for (&provider, &region) in &self.regions {
            renamed.regions.entry(code(provider)).or_insert(region);
        }
        for (&provider, &region) in self.regions.iter().filter(|(provider, _)| code(**provider) == **provider)
        {
            renamed.regions.insert(provider, region);
        }
        renamed
    }

    /// The same month without the lists for which `keep` is false. For tests and what-if questions.
    #[must_use]
    pub fn filtered(mut self, mut keep: impl FnMut(&CellKey) -> bool) -> Self {
        self.cells.retain(|key, _| keep(key));
        self
    }
}
