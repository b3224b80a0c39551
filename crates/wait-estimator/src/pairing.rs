//! Which lists may be followed from one month to the next, and which may not.
//!
//! A list that is not there is not a list that everyone has left. A pair is formed for a provider only if it reported
//! in both months under codes the successor table brings together; a list that appears, vanishes, or jumps by more
//! than treatment could explain is left out, and the report says so.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::ageing::Ageing;
use crate::ahead::pace;
use crate::constants::Constants;
use crate::model::{Period, ProviderCode, TreatmentFunction};
use crate::months::{CellKey, Month, MonthCell};
use crate::report::{DropReason, Dropped, Merged, PairReport};
use crate::successors::Successors;

/// Two consecutive months, and what of them may be followed.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) earlier: usize,
    pub(crate) later: usize,
    pub(crate) ageing: Ageing,
    pub(crate) pace: f64,
    pub(crate) same_layout: bool,
    dropped_providers: BTreeSet<ProviderCode>,
    dropped_cells: BTreeSet<CellKey>,
    pub(crate) report: PairReport,
}

/// The months with mergers carried out, and their pairs.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) months: Vec<Cow<'a, Month>>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) merged: Vec<Merged>,
    pub(crate) aliases: BTreeMap<ProviderCode, ProviderCode>,
}

impl Prepared<'_> {
    /// The lists that may be followed over `pair`.
    pub(crate) fn followed<'b>(
        &'b self,
        pair: &'b Pair,
    ) -> impl Iterator<Item = (&'b CellKey, &'b MonthCell, &'b MonthCell)> {
        let later = self.months[pair.later].cells();
        self.months[pair.earlier].cells().iter().filter_map(move |(key, before)| {
            let kept = !pair.dropped_providers.contains(&key.provider)
                && !pair.dropped_cells.contains(key)
                && !before.list.is_empty();
            let after = later.get(key).filter(|_| kept)?;
            Some((key, before, after))
        })
    }
}

impl Pair {
    /// Leaves a list out after the fact.
    pub(crate) fn drop_list(&mut self, key: CellKey, reason: DropReason, before: u64, after: u64) {
        self.dropped_cells.insert(key);
        self.report.dropped.push(Dropped::new(
            key.provider,
            Some(key.treatment_function),
            reason,
            before,
            after,
        ));
    }
}

/// Orders the months, carries out mergers on all of them, and forms the pairs. The months must be distinct.
pub(crate) fn prepare<'a>(
    months: &'a [Month],
    successors: &Successors,
    constants: &Constants,
) -> Prepared<'a> {
    let mut ordered: Vec<&Month> = months.iter().collect();
    ordered.sort_by_key(|month| month.period());
    let mut merged = BTreeMap::new();
    let mut aliases = BTreeMap::new();
    let months: Vec<Cow<'a, Month>> = match ordered.last().map(|month| month.period()) {
        Some(base) => {
            for row in successors.rows() {
                let current = successors.resolve(row.predecessor, base);
                if current != row.predecessor {
                    aliases.insert(row.predecessor, current);
                }
            }
            ordered.into_iter().map(|month| merge(month, successors, base, &mut merged)).collect()
        }
        None => Vec::new(),
    };
    let pairs = (1..months.len()).filter_map(|later| form(&months, later - 1, later, constants)).collect();
    Prepared { months, pairs, merged: merged.into_values().collect(), aliases }
}

/// The month with every list under the code that reports it at `base`.
fn merge<'a>(
    month: &'a Month,
    successors: &Successors,
    base: Period,
    merged: &mut BTreeMap<ProviderCode, Merged>,
) -> Cow<'a, Month> {
    let providers: BTreeSet<_> = month.cells().keys().map(|key| key.provider).collect();
    let mut moved = false;
    for provider in providers {
        let current = successors.resolve(provider, base);
        if current != provider {
            moved = true;
            let entry = merged.entry(provider).or_insert_with(|| Merged {
                predecessor: provider.to_string(),
                successor: current.to_string(),
                months: Vec::new(),
            });
            entry.months.push(month.period().to_string());
        }
    }
    if moved {
        Cow::Owned(month.renamed(|provider| successors.resolve(provider, base)))
    } else {
        Cow::Borrowed(month)
    }
}

fn form(months: &[Cow<'_, Month>], earlier: usize, later: usize, constants: &Constants) -> Option<Pair> {
    let (first, second) = (&months[earlier], &months[later]);
    if !first.period().is_neighbour_of(second.period()) {
        return None;
    }
    let (from, to) = (first.period().last_day(), second.period().last_day());
    let days = (to - from).num_days();
    let mut pair = Pair {
        earlier,
        later,
        ageing: Ageing::new(days, first.layout(), second.layout())?,
        pace: pace(from, to),
        same_layout: first.layout() == second.layout(),
        dropped_providers: BTreeSet::new(),
        dropped_cells: BTreeSet::new(),
        report: PairReport {
            from: first.period().to_string(),
            to: second.period().to_string(),
            days,
            pace: pace(from, to),
            ..PairReport::default()
        },
    };
    drop_providers(&mut pair, first, second, constants);
    drop_lists(&mut pair, first, second, constants);
    Some(pair)
}

fn sizes<K: Ord>(month: &Month, key: impl Fn(&CellKey) -> K) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for (cell, counts) in month.cells() {
        *sums.entry(key(cell)).or_insert(0) += counts.list_size();
    }
    sums
}

/// Whether a list changed by more than `constants.largest_jump` and more than chance.
fn jumped(before: u64, after: u64, constants: &Constants) -> bool {
    if before == 0 || after == 0 {
        return false;
    }
    let (before, after) = (before as f64, after as f64);
    // Three standard deviations of the difference of two logs of Poisson counts.
    let chance = 3.0 * (1.0 / before + 1.0 / after).sqrt();
    libm::log(after / before).abs() > constants.largest_jump + chance
}

fn drop_providers(pair: &mut Pair, first: &Month, second: &Month, constants: &Constants) {
    let (before, after) = (sizes(first, |key| key.provider), sizes(second, |key| key.provider));
    let all: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let vanished: Vec<_> =
        before.iter().filter(|(code, n)| **n > 0 && after.get(code).is_none_or(|n| *n == 0)).collect();
    let appeared: Vec<_> =
        after.iter().filter(|(code, n)| **n > 0 && before.get(code).is_none_or(|n| *n == 0)).collect();
    for provider in all {
        let (was, is) = (before.get(&provider).copied(), after.get(&provider).copied());
        let (old, new) = (was.unwrap_or(0), is.unwrap_or(0));
        let mut other = None;
        let reason = match (was, is) {
            (_, None) => Some(DropReason::MissingLater),
            (None, _) => Some(DropReason::MissingEarlier),
            (Some(1..), Some(0)) => Some(DropReason::ZeroAfterNonZero),
            _ => {
                other = moved(new.saturating_sub(old), old, &vanished);
                let split = moved(old.saturating_sub(new), old, &appeared);
                if other.is_some() {
                    Some(DropReason::PossibleMerger)
                } else if split.is_some() {
                    other = split;
                    Some(DropReason::PossibleSplit)
                } else {
                    jumped(old, new, constants).then_some(DropReason::ProviderJump)
                }
            }
        };
        if let Some(reason) = reason {
            pair.dropped_providers.insert(provider);
            let mut dropped = Dropped::new(provider, None, reason, old, new);
            dropped.other_provider = other.map(|code| code.to_string());
            pair.report.dropped.push(dropped);
        }
    }
}

/// The provider, among those that vanished (or appeared), whose people would explain a change of `change` within a
/// quarter; only changes of more than a tenth of the list are looked at, for no list grows or shrinks so in a month.
fn moved(change: u64, list: u64, candidates: &[(&ProviderCode, &u64)]) -> Option<ProviderCode> {
    if change.saturating_mul(10) <= list || change < 20 {
        return None;
    }
    let fits = |people: u64| change.abs_diff(people).saturating_mul(4) <= people;
    candidates
        .iter()
        .filter(|(_, people)| fits(**people))
        .min_by_key(|(_, people)| change.abs_diff(**people))
        .map(|(code, _)| **code)
}

fn drop_lists(pair: &mut Pair, first: &Month, second: &Month, constants: &Constants) {
    let functions = |month: &Month| -> BTreeSet<TreatmentFunction> {
        sizes(month, |key| key.treatment_function)
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(code, _)| code)
            .collect()
    };
    let (before, after) = (functions(first), functions(second));
    let keys: BTreeSet<_> = first.cells().keys().chain(second.cells().keys()).copied().collect();
    for key in keys {
        if pair.dropped_providers.contains(&key.provider) {
            continue;
        }
        let size = |month: &Month| month.cells().get(&key).map_or(0, MonthCell::list_size);
        let (old, new) = (size(first), size(second));
        let function = key.treatment_function;
        let reason = if old + new == 0 {
            continue;
        } else if before.contains(&function) != after.contains(&function) {
            DropReason::TreatmentFunctionChanged
        } else if new == 0 {
            // A handful may all have left; more than that is a list not reported.
            if old < FEW && second.cells().get(&key).is_some_and(|cell| cell.completed() > 0) {
                continue;
            }
            if second.cells().contains_key(&key) {
                DropReason::ZeroAfterNonZero
            } else {
                DropReason::ListMissingLater
            }
        } else if old == 0 {
            DropReason::ListMissingEarlier
        } else if old >= BIG && jumped(old, new, constants) {
            DropReason::ListJump
        } else {
            continue;
        };
        pair.drop_list(key, reason, old, new);
    }
}

/// Lists below this size may come to nought by treatment alone.
const FEW: u64 = 10;
/// Lists from this size up are held to the jump check one by one.
const BIG: u64 = 200;
