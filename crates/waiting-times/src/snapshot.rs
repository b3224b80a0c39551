//! The figures in use, held whole in memory and swapped whole: no answer ever mixes two months.
//!
//! Only what answers need is held: per list its size and three figures, and the names, together well under one
//! megabyte for a real month. The bands stay in the database.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use crate::model::{Period, ProviderCode, TreatmentFunction};
use crate::search::ProviderIndex;
use crate::statistics::ListStatistics;

/// Where figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The publisher's own file.
    Official,
    /// Made up for the sandbox.
    MadeUp,
}

impl Origin {
    /// The code used in reports and in the store.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Official => "official",
            Self::MadeUp => "made_up",
        }
    }

    /// The inverse of [`Self::code`].
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Official, Self::MadeUp].into_iter().find(|origin| origin.code() == code)
    }
}

/// The figures in use, or that there are none yet.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Names the content of all live months; blank when none was ever imported.
    pub(crate) generation: String,
    pub(crate) month: Option<ActiveMonth>,
}

/// The latest month: what statistics are answered from.
#[derive(Debug)]
pub(crate) struct ActiveMonth {
    pub(crate) period: Period,
    pub(crate) origin: Origin,
    pub(crate) lists: HashMap<(ProviderCode, TreatmentFunction), ListStatistics>,
    pub(crate) providers: ProviderIndex,
    pub(crate) treatment_functions: BTreeMap<TreatmentFunction, Option<String>>,
}

impl ActiveMonth {
    /// Whole days from the day the list was counted to `today`; never negative.
    pub(crate) fn age_days(&self, today: NaiveDate) -> i64 {
        today.signed_duration_since(self.period.last_day()).num_days().max(0)
    }

    pub(crate) fn treatment_function_name(&self, code: TreatmentFunction) -> Option<&str> {
        self.treatment_functions.get(&code).and_then(Option::as_deref)
    }
}
