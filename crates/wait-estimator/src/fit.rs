//! From months of counts to a model.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::check;
use crate::constants::Constants;
use crate::lists;
use crate::model::{Period, ProviderCode};
use crate::months::{Month, MonthCell};
use crate::pairing::{Prepared, prepare};
use crate::rates::{Curves, curves_of};
use crate::report::{DropReason, FitReport, LittlesLaw, SpecialtyReport};
use crate::successors::Successors;
use crate::sums::{BySpecialty, Sums, dense, gather};
use crate::tables::{MODEL_VERSION, Model};

/// The most months taken at once.
const MOST_MONTHS: usize = 36;

/// A model and the account of how it was made.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// What estimates are made from.
    pub model: Model,
    /// What was used, left out, and learnt.
    pub report: FitReport,
}

/// Why no model could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FitError {
    /// No month was given.
    #[error("no month was given")]
    NoMonths,
    /// Two files of the same month; the caller must choose (usually the revised one).
    #[error("{0} was given twice")]
    DuplicateMonth(Period),
    /// More than the bound.
    #[error("{0} months were given; at most {MOST_MONTHS} are taken")]
    TooManyMonths(usize),
    /// The latest month has no list with anyone on it.
    #[error("{0} has no waiting list")]
    EmptyBase(Period),
}

/// Fits a model to `months`, in any order; gaps are allowed and lose only the pairs across them. The latest month is
/// the base: its lists are those the model answers for.
///
/// # Errors
/// When there is no month, a month twice, too many, or nobody on the latest month's lists.
pub fn fit(months: &[Month], successors: &Successors) -> Result<Fitted, FitError> {
    fit_with(months, successors, &Constants::default())
}

/// [`fit`] with other constants.
///
/// # Errors
/// As [`fit`].
pub fn fit_with(
    months: &[Month],
    successors: &Successors,
    constants: &Constants,
) -> Result<Fitted, FitError> {
    if months.len() > MOST_MONTHS {
        return Err(FitError::TooManyMonths(months.len()));
    }
    let mut seen = BTreeSet::new();
    for month in months {
        if !seen.insert(month.period()) {
            return Err(FitError::DuplicateMonth(month.period()));
        }
    }
    let Some(&base) = seen.last() else { return Err(FitError::NoMonths) };
    let mut prepared = prepare(months, successors, constants);
    let people: u64 =
        prepared.months.last().map_or(0, |month| month.cells().values().map(MonthCell::list_size).sum());
    if people == 0 {
        return Err(FitError::EmptyBase(base));
    }
    let mut sums = gather(&prepared);
    let mut curves = curves_of(&sums, &prepared, constants);
    if screen(&mut prepared, &curves, constants) {
        sums = gather(&prepared);
        curves = curves_of(&sums, &prepared, constants);
    }
    let (mut model, notes) = model(&prepared, base, &sums, &curves, constants);
    check::mark_apart(&mut model);
    let report = account(&prepared, &sums, &curves, notes, &model, constants);
    Ok(Fitted { model, report })
}

/// Leaves out lists whose losses are out of range. True if there were any.
fn screen(prepared: &mut Prepared<'_>, curves: &Curves, constants: &Constants) -> bool {
    let expected = lists::expectations(prepared, curves);
    let mut found = Vec::new();
    for (index, pair) in prepared.pairs.iter().enumerate() {
        for (key, before, after) in prepared.followed(pair) {
            let Some(expected) = expected.get(&key.treatment_function).and_then(|pairs| pairs.get(index))
            else {
                continue;
            };
            let seen = lists::seen(pair, expected, before, after);
            // Too few exits to tell a jump from chance.
            if seen.people - seen.expected < FEWEST_EXITS {
                continue;
            }
            let bound = libm::log(constants.largest_ratio);
            if seen.signal(0.0).is_some_and(|signal| signal.log_ratio.abs() > bound) {
                found.push((index, *key, before.list_size(), after.list_size()));
            }
        }
    }
    let any = !found.is_empty();
    for (index, key, before, after) in found {
        prepared.pairs[index].drop_list(key, DropReason::LossOutOfRange, before, after);
    }
    any
}

/// Exits expected of a list below which its losses are not held against a range.
const FEWEST_EXITS: f64 = 30.0;

fn model(
    prepared: &Prepared<'_>,
    base: Period,
    sums: &BySpecialty<Sums>,
    curves: &Curves,
    constants: &Constants,
) -> (Model, BTreeMap<String, SpecialtyReport>) {
    let month = &prepared.months[prepared.months.len() - 1];
    let world = lists::World::new(prepared, curves, constants);
    let mut specialties = BTreeMap::new();
    let mut notes = BTreeMap::new();
    for (&function, rates) in &curves.by_specialty {
        let Some(sums) = sums.get(&function) else { continue };
        let (specialty, note) = world.specialty(function, sums, rates);
        if !specialty.cells.is_empty() {
            notes.insert(function.to_string(), note);
            specialties.insert(function, specialty);
        }
    }
    let england = lists::national(&curves.england_sums, &curves.england, month.layout(), constants);
    let model = Model {
        months: prepared.months.iter().map(|month| month.period()).collect(),
        base,
        layout: month.layout(),
        aliases: prepared.aliases.clone(),
        regions: month.regions().clone(),
        england,
        specialties,
    };
    (model, notes)
}

fn account(
    prepared: &Prepared<'_>,
    sums: &BySpecialty<Sums>,
    curves: &Curves,
    specialties: BTreeMap<String, SpecialtyReport>,
    model: &Model,
    constants: &Constants,
) -> FitReport {
    let pairs = prepared
        .pairs
        .iter()
        .map(|pair| {
            let mut report = pair.report.clone();
            for (_, before, _) in prepared.followed(pair) {
                report.lists += 1;
                report.people += before.list_size();
            }
            report
        })
        .collect();
    let gaps = prepared
        .months
        .windows(2)
        .filter(|two| !two[0].period().is_neighbour_of(two[1].period()))
        .map(|two| format!("{} to {}", two[0].period(), two[1].period()))
        .collect();
    let providers = |month: &Month| -> BTreeSet<ProviderCode> {
        month.cells().iter().filter(|(_, cell)| cell.list_size() > 0).map(|(key, _)| key.provider).collect()
    };
    let mut lost = BTreeSet::new();
    if let Some((last, before)) = prepared.months.split_last() {
        let now = providers(last);
        for month in before {
            lost.extend(providers(month).difference(&now).map(ToString::to_string));
        }
    }
    FitReport {
        model_version: MODEL_VERSION,
        base: model.base.to_string(),
        months: prepared
            .months
            .iter()
            .map(|month| (month.period().to_string(), month.content().to_owned()))
            .collect(),
        gaps,
        pairs,
        merged: prepared.merged.clone(),
        providers_lost: lost.into_iter().collect(),
        specialties,
        littles_law: littles_law(prepared, sums, curves),
        constants: *constants,
    }
}

/// England's list over the people a week leaving it, by completions and by all exits.
fn littles_law(prepared: &Prepared<'_>, sums: &BySpecialty<Sums>, curves: &Curves) -> LittlesLaw {
    let (mut list, mut completed, mut exits) = (0_u64, 0.0, 0.0);
    let Some(base) = prepared.months.last() else { return LittlesLaw::default() };
    for (key, cell) in base.cells() {
        list += cell.list_size();
        let Some(rates) = curves.by_specialty.get(&key.treatment_function) else { continue };
        if !sums.contains_key(&key.treatment_function) {
            continue;
        }
        for (age, people) in dense(&cell.list).into_iter().enumerate() {
            completed += people * rates.completed[age];
            exits += people * rates.all[age];
        }
    }
    let weeks = |flow: f64| if flow > 0.0 { list as f64 / flow } else { 0.0 };
    LittlesLaw { list, weeks_on_completions: weeks(completed), weeks_on_exits: weeks(exits) }
}
