//! Hazards of every specialty, and of all together, from what their lists add up to.

use crate::ageing::Row;
use crate::constants::Constants;
use crate::credibility::Seen;
use crate::curve::AGES;
use crate::life_table::{self, Loss, Penalty, completion_rates};
use crate::model::BandLayout;
use crate::pairing::Prepared;
use crate::sums::{BySpecialty, Sums, Weekly};

/// A specialty's hazards.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    pub(crate) all: Weekly,
    pub(crate) completed: Weekly,
    /// For each pair, the specialty's own pace: the calendar's times what the month turned out to be.
    pub(crate) paces: Vec<f64>,
    pub(crate) pairs: usize,
}

/// The hazards of all specialties.
pub(crate) struct Curves {
    pub(crate) england: Rates,
    pub(crate) by_specialty: BySpecialty<Rates>,
    pub(crate) england_sums: Sums,
}

/// Fits them all.
pub(crate) fn curves_of(sums: &BySpecialty<Sums>, prepared: &Prepared<'_>, constants: &Constants) -> Curves {
    let mut england_sums = Sums::new(prepared.pairs.len());
    for one in sums.values() {
        england_sums.add(one);
    }
    let open = prepared.months.last().map_or(BandLayout::To104Weeks, |month| month.layout()).open_from_weeks()
        as usize;
    let general =
        completion_rates(&england_sums.completed, &england_sums.exposure, None, constants.completion_pseudo);
    let england = rates(&england_sums, &general, prepared, open, constants);
    let by_specialty = sums
        .iter()
        .map(|(&function, one)| {
            let shape =
                completion_rates(&one.completed, &one.exposure, Some(&general), constants.completion_pseudo);
            (function, rates(one, &shape, prepared, open, constants))
        })
        .collect();
    Curves { england, by_specialty, england_sums }
}

fn rates(sums: &Sums, shape: &Weekly, prepared: &Prepared<'_>, open: usize, constants: &Constants) -> Rates {
    let mut shape = *shape;
    for age in open + 1..AGES {
        shape[age] = shape[open];
    }
    let pairs = sums.pairs.iter().filter(|pair| pair.people.iter().any(|&people| people > 0.0)).count();
    let all = if pairs == 0 {
        shape.map(|rate| (rate + constants.assumed_removals).min(life_table::MOST_HAZARD))
    } else {
        let penalty = Penalty { smooth: constants.smooth, small: constants.small };
        let mut all = shape;
        for _ in 0..PASSES {
            all = life_table::fit(&losses(sums, prepared, open, &all), &shape, penalty, constants.floor);
        }
        for age in open + 1..AGES {
            all[age] = all[open];
        }
        all
    };
    let paces = prepared
        .pairs
        .iter()
        .zip(&sums.pairs)
        .map(|(pair, seen)| {
            let mut whole = Seen::default();
            for band in 0..pair.ageing.followed() {
                whole.people += seen.people[band];
                whole.stayed += seen.survivors[band];
                whole.expected += seen.people[band] * pair.ageing.expected(&all, band, pair.pace);
            }
            let ratio = whole.signal(0.0).map_or(1.0, |signal| libm::exp(signal.log_ratio));
            pair.pace * ratio
        })
        .collect();
    Rates { all, completed: shape, paces, pairs }
}

/// Fits of one specialty: the weights of the first come from completions alone, those of the second from the first.
const PASSES: usize = 2;

/// What every band of a specialty lost over every pair, weighted by what `hazard` leads one to expect.
fn losses(sums: &Sums, prepared: &Prepared<'_>, open: usize, hazard: &Weekly) -> Vec<Loss> {
    let mut losses = Vec::new();
    for (pair, seen) in prepared.pairs.iter().zip(&sums.pairs) {
        for band in 0..pair.ageing.followed() {
            let row = pair.ageing.row(band);
            let share = pair.ageing.expected(hazard, band, pair.pace);
            losses.extend(loss(seen.people[band], seen.survivors[band], row, pair.pace, share));
        }
        if seen.open_people > 0.0 {
            // Most of the pool spends the month in the open band, whose hazard is one.
            let weeks = pair.ageing.weeks();
            let row = Row { start: open, weeks: [weeks, 0.0, 0.0, 0.0, 0.0, 0.0] };
            let share = libm::exp(-pair.pace * weeks * hazard[open]);
            losses.extend(loss(seen.open_people, seen.open_survivors, row, pair.pace, share));
        }
    }
    losses
}

/// The loss of `people` of whom `survivors` are still there, at a mean pace; none where there is nobody.
///
/// Its weight is the inverse of its variance, `(1 - S) / (S n)`, at the *expected* share `S`. The share observed would
/// not do: a small band from which nobody happens to leave would weigh many times what it should, one from which many
/// leave too little, and the hazard would come out low.
fn loss(people: f64, survivors: f64, row: Row, pace: f64, expected: f64) -> Option<Loss> {
    if people <= 0.0 {
        return None;
    }
    // Half a person keeps the logarithm finite; returns to the list may make it negative.
    let stayed = ((survivors + 0.5) / (people + 0.5)).clamp(1e-3, 1.5);
    let share = expected.clamp(1e-3, 0.99);
    Some(Loss { row, loss: -libm::log(stayed) / pace, weight: people * share / (1.0 - share) * pace * pace })
}
