//! Whether a model may be used: checks on what came out of a fit, and on what changed since the last.
//!
//! Handbook of the method, load checks: no hazard out of range, no local factor beyond two on the log scale, no large
//! list whose median is three times its specialty's, and no sudden change against the model in use.

use std::fmt;

use serde::Serialize;

use crate::life_table::MOST_HAZARD;
use crate::months::CellKey;
use crate::tables::{Level, Model, Reason};

/// Change of England's list, as a share, beyond which a new model is not believed.
const LARGEST_CHANGE: f64 = 0.25;
/// Local factors are `exp` of at most this.
const LARGEST_LOG_FACTOR: f64 = 2.0;
/// A large list's median may be this many times its specialty's, or the inverse.
const LARGEST_MEDIAN_RATIO: f64 = 3.0;
/// Lists from this size up are large.
const LARGE: u32 = 1000;
/// Share of large lists that may stand apart before the model is refused. In real months one or two in a hundred do; in
/// copies of one month, whose people do not age, four in ten.
const MOST_APART: f64 = 0.6;
/// Share of providers, by people, that may vanish between two models.
const MOST_LOST: f64 = 0.05;
/// The most cells named in one failure.
const MOST_NAMED: usize = 5;

/// Why a model is not to be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckFailure {
    /// A fixed word for the rule.
    pub code: &'static str,
    /// What was found.
    pub detail: String,
}

impl fmt::Display for CheckFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code, self.detail)
    }
}

/// Checks `model`, and what changed since `previous`. Empty when it may be used.
#[must_use]
pub fn check(model: &Model, previous: Option<&Model>) -> Vec<CheckFailure> {
    let mut failures = Vec::new();
    let mut fail = |code, detail| failures.push(CheckFailure { code, detail });
    if model.cells().next().is_none() {
        fail("no_lists", format!("{} has no list", model.base()));
    }
    hazards(model, &mut fail);
    factors(model, &mut fail);
    medians(model, &mut fail);
    if let Some(previous) = previous {
        changes(model, previous, &mut fail);
    }
    failures
}

fn hazards(model: &Model, fail: &mut impl FnMut(&'static str, String)) {
    for (function, specialty) in &model.specialties {
        let hazard = specialty.curve.hazard();
        if let Some(age) = hazard.iter().position(|rate| !(*rate > 0.0 && *rate <= MOST_HAZARD)) {
            fail("hazard_out_of_range", format!("{function} at {age} weeks: {} a week", hazard[age]));
        }
        if specialty.treated.iter().all(|&share| share <= 0.0) && !specialty.cells.is_empty() {
            fail("no_completions", format!("{function} has a list, and no completed pathway"));
        }
    }
    if model.england.treated.iter().all(|&share| share <= 0.0) {
        fail("missing_part", "no completed pathway in England: part 1A or 1B is missing".to_owned());
    }
}

fn factors(model: &Model, fail: &mut impl FnMut(&'static str, String)) {
    let bound = libm::exp(LARGEST_LOG_FACTOR);
    let mut wild = Vec::new();
    for (&treatment_function, specialty) in &model.specialties {
        for (&provider, local) in &specialty.cells {
            let inside = |factor: &f64| *factor < bound && *factor > 1.0 / bound;
            if !local.factor.iter().all(inside) {
                wild.push(CellKey { provider, treatment_function });
            }
        }
    }
    if !wild.is_empty() {
        fail("factor_out_of_range", named(&wild));
    }
}

/// Lists that stand apart are marked as such and answered with care; when most do, it is the fit that is wrong.
fn medians(model: &Model, fail: &mut impl FnMut(&'static str, String)) {
    let (mut large, mut apart) = (0_u32, Vec::new());
    for (&treatment_function, specialty) in &model.specialties {
        for (&provider, local) in specialty.cells.iter().filter(|(_, local)| local.list_size >= LARGE) {
            large += 1;
            if local.reasons & Reason::StandsApart.bit() != 0 {
                apart.push(CellKey { provider, treatment_function });
            }
        }
    }
    if apart.len() as f64 > (MOST_APART * f64::from(large)).max(3.0) {
        fail("median_out_of_range", format!("{} of {large} large lists: {}", apart.len(), named(&apart)));
    }
}

/// Marks the large lists whose median, for people who come, have waited eight weeks, or as long as the standard, is
/// beyond three times their specialty's, or below a third of it.
pub(crate) fn mark_apart(model: &mut Model) {
    let apart: Vec<CellKey> = model
        .cells()
        .filter(|key| model.list_size(key).is_some_and(|size| size >= LARGE))
        .filter(|key| stands_apart(model, key))
        .collect();
    for CellKey { provider, treatment_function } in apart {
        let specialty = model.specialties.get_mut(&treatment_function);
        if let Some(local) = specialty.and_then(|specialty| specialty.cells.get_mut(&provider)) {
            local.reasons |= Reason::StandsApart.bit();
        }
    }
}

fn stands_apart(model: &Model, key: &CellKey) -> bool {
    let (Some(own), Some(england)) =
        (model.estimator(key), model.specialty_estimator(key.treatment_function))
    else {
        return false;
    };
    own.basis().level == Level::ProviderTfc
        && [0.0, 8.0, 18.0].into_iter().any(|age| {
            let one = own.estimate(age).remaining.p50.weeks;
            let two = england.estimate(age).remaining.p50.weeks;
            one > LARGEST_MEDIAN_RATIO * two + 0.5 || two > LARGEST_MEDIAN_RATIO * one + 0.5
        })
}

fn changes(model: &Model, previous: &Model, fail: &mut impl FnMut(&'static str, String)) {
    if model.base() < previous.base() {
        fail("older_than_active", format!("{} is before {}", model.base(), previous.base()));
    }
    let people = |model: &Model| -> f64 {
        model.specialties.values().map(|specialty| f64::from(specialty.england.list_size)).sum()
    };
    let (now, then) = (people(model), people(previous));
    if then > 0.0 && ((now - then) / then).abs() > LARGEST_CHANGE {
        fail("list_changed", format!("England's list went from {then} to {now}"));
    }
    for (function, specialty) in &previous.specialties {
        let size = f64::from(specialty.england.list_size);
        if size > 0.01 * then && !model.specialties.contains_key(function) {
            fail("treatment_function_lost", format!("{function}, {size} people"));
        }
    }
    let mut lost = Vec::new();
    let mut missing = 0.0;
    for (&treatment_function, specialty) in &previous.specialties {
        for (&provider, local) in &specialty.cells {
            let key = CellKey { provider, treatment_function };
            if model.list_size(&key).is_none() {
                missing += f64::from(local.list_size);
                lost.push(key);
            }
        }
    }
    if then > 0.0 && missing > MOST_LOST * then {
        fail(
            "providers_lost",
            format!("lists of {missing} of {then} people are no longer there: {}", named(&lost)),
        );
    }
}

fn named(keys: &[CellKey]) -> String {
    let mut text: Vec<_> = keys.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if keys.len() > MOST_NAMED {
        text.push(format!("and {} more", keys.len() - MOST_NAMED));
    }
    text.join(", ")
}
