//! What the lists of a specialty add up to, pair of months by pair of months.

use std::collections::BTreeMap;

use crate::curve::{AGES, GROUPS, group_of};
use crate::model::TreatmentFunction;
use crate::months::MonthCell;
use crate::pairing::Prepared;

/// Counts by week, dense.
pub(crate) type Weekly = [f64; AGES];

/// Counts as numbers, with the bands that were left out as nought.
pub(crate) fn dense(counts: &[u32]) -> Weekly {
    let mut weekly = [0.0; AGES];
    for (slot, &count) in weekly.iter_mut().zip(counts) {
        *slot = f64::from(count);
    }
    weekly
}

/// What a specialty adds up to.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    /// For each pair: people and survivors by week, and of the open band.
    pub(crate) pairs: Vec<PairSums>,
    pub(crate) completed: Weekly,
    pub(crate) exposure: Weekly,
    /// Admissions, and person-weeks with a decision to admit, by age group.
    pub(crate) admitted: [f64; GROUPS],
    pub(crate) decided: [f64; GROUPS],
}

/// One pair of months.
#[derive(Clone, Debug)]
pub(crate) struct PairSums {
    pub(crate) people: Weekly,
    pub(crate) survivors: Weekly,
    pub(crate) open_people: f64,
    pub(crate) open_survivors: f64,
}

impl Sums {
    pub(crate) fn new(pairs: usize) -> Self {
        let empty =
            PairSums { people: [0.0; AGES], survivors: [0.0; AGES], open_people: 0.0, open_survivors: 0.0 };
        Self {
            pairs: vec![empty; pairs],
            completed: [0.0; AGES],
            exposure: [0.0; AGES],
            admitted: [0.0; GROUPS],
            decided: [0.0; GROUPS],
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let weekly = |mine: &mut Weekly, theirs: &Weekly| {
            for (sum, value) in mine.iter_mut().zip(theirs) {
                *sum += value;
            }
        };
        for (mine, theirs) in self.pairs.iter_mut().zip(&other.pairs) {
            weekly(&mut mine.people, &theirs.people);
            weekly(&mut mine.survivors, &theirs.survivors);
            mine.open_people += theirs.open_people;
            mine.open_survivors += theirs.open_survivors;
        }
        weekly(&mut self.completed, &other.completed);
        weekly(&mut self.exposure, &other.exposure);
        for group in 0..GROUPS {
            self.admitted[group] += other.admitted[group];
            self.decided[group] += other.decided[group];
        }
    }
}

/// By treatment function.
pub(crate) type BySpecialty<T> = BTreeMap<TreatmentFunction, T>;

/// Adds up every list that may be followed, and its completions in the later month.
pub(crate) fn gather(prepared: &Prepared<'_>) -> BySpecialty<Sums> {
    let count = prepared.pairs.len();
    let mut all: BySpecialty<Sums> = BTreeMap::new();
    for (index, pair) in prepared.pairs.iter().enumerate() {
        for (key, before, after) in prepared.followed(pair) {
            let sums = all.entry(key.treatment_function).or_insert_with(|| Sums::new(count));
            let (old, new) = (dense(&before.list), dense(&after.list));
            let slot = &mut sums.pairs[index];
            for (band, people) in old.iter().enumerate().take(pair.ageing.followed()) {
                slot.people[band] += people;
                slot.survivors[band] += pair.ageing.survivors(&new, band);
            }
            if let Some((people, survivors)) = pair.ageing.open_pool(pair.same_layout, &old, &new) {
                slot.open_people += people;
                slot.open_survivors += survivors;
            }
            add_completions(sums, after, |band| {
                pair.ageing.weeks() * pair.pace * (old[band] + new[band]) / 2.0
            });
        }
    }
    // Functions without any pair speak through the base month alone.
    if let Some(base) = prepared.months.last() {
        let days = (base.period().last_day() - base.period().first_day()).num_days() + 1;
        let mut single: BySpecialty<Sums> = BTreeMap::new();
        for (key, cell) in base.cells().iter().filter(|(key, _)| !all.contains_key(&key.treatment_function)) {
            let sums = single.entry(key.treatment_function).or_insert_with(|| Sums::new(count));
            let list = dense(&cell.list);
            add_completions(sums, cell, |band| days as f64 / 7.0 * list[band]);
        }
        all.extend(single);
    }
    all
}

pub(crate) fn add_completions(sums: &mut Sums, cell: &MonthCell, exposure: impl Fn(usize) -> f64) {
    let (admitted, others) = (dense(&cell.completed_admitted), dense(&cell.completed_non_admitted));
    let decided = dense(&cell.decided_to_admit);
    let list = dense(&cell.list);
    for band in 0..AGES {
        let weeks = exposure(band);
        sums.completed[band] += admitted[band] + others[band];
        sums.exposure[band] += weeks;
        sums.admitted[group_of(band)] += admitted[band];
        if list[band] > 0.0 {
            sums.decided[group_of(band)] += weeks * (decided[band] / list[band]).min(1.0);
        }
    }
}
