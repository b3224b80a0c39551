//! The generation in use, held whole in memory and swapped whole: no answer ever mixes two months.
//!
//! A generation is one month's statistics and the model fitted on it and the months before it. Of the month only what
//! answers need is held: per list its size and three figures, and the names, together well under one megabyte for a
//! real month. The bands stay in the database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;
use wait_estimator::Model;

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

/// The figures in use, or that there are none yet. Month and estimates are of one generation: whoever holds a snapshot
/// answers from one state of affairs, whatever is switched meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Names the files the month and the model were made from; blank when none was ever imported.
    pub(crate) generation: String,
    pub(crate) month: Option<ActiveMonth>,
    /// None until a model could be fitted.
    pub(crate) estimates: Option<Estimates>,
}

/// What estimates are made from.
#[derive(Debug)]
pub(crate) struct Estimates {
    /// Fitted on `fitted_from`; its base is the snapshot's month.
    pub(crate) model: Arc<Model>,
    /// How this model's intervals came out when its newest month was forecast from the months before.
    pub(crate) calibration: Calibration,
    /// The generation that was in use before this one, if it is of the same origin and still kept.
    pub(crate) previous: Option<Previous>,
    /// The months the model was fitted on, oldest first.
    pub(crate) fitted_from: Vec<Period>,
    /// How many pairs of successive months could be followed. Below two, removals are poorly known.
    pub(crate) pairs: usize,
}

/// The generation before, kept so that what moved can be told.
#[derive(Debug)]
pub(crate) struct Previous {
    pub(crate) generation: String,
    pub(crate) model: Arc<Model>,
}

/// How the 80 % interval came out in the last rolling back-test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CalibrationFigure {
    /// The share of people who left the list between the predicted 10 % and 90 % points, 0 to 1.
    pub(crate) coverage80: f64,
    /// The months whose lists were held against the forecasts.
    pub(crate) tested_on: Vec<Period>,
    /// Pathways on which it could be checked.
    pub(crate) n: u64,
}

/// How many were expected to leave the list in the last rolling back-test, and how many did: unlike an interval, this
/// can be checked for everybody.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LeftFigure {
    /// The share of people expected to have left by the last month tested, 0 to 1.
    pub(crate) expected: f64,
    /// The share that had, 0 to 1.
    pub(crate) left: f64,
    /// The months whose lists were held against the forecasts.
    pub(crate) tested_on: Vec<Period>,
    /// Pathways forecast.
    pub(crate) pathways: u64,
}

/// The calibration of a model. Empty when too few months were there to test on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Calibration {
    pub(crate) overall: Option<CalibrationFigure>,
    pub(crate) by_treatment_function: BTreeMap<TreatmentFunction, CalibrationFigure>,
    pub(crate) overall_left: Option<LeftFigure>,
    pub(crate) left_by_treatment_function: BTreeMap<TreatmentFunction, LeftFigure>,
}

impl Calibration {
    /// How the 80 % interval came out for one kind of care.
    pub(crate) fn of(&self, treatment_function: TreatmentFunction) -> Option<&CalibrationFigure> {
        self.by_treatment_function.get(&treatment_function)
    }

    /// How many left, of those expected to, for one kind of care.
    pub(crate) fn left_of(&self, treatment_function: TreatmentFunction) -> Option<&LeftFigure> {
        self.left_by_treatment_function.get(&treatment_function)
    }
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
