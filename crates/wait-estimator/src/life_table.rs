//! The weekly hazards of a specialty: a penalised fit of log losses over the ages passed.
//!
//! Completions give the shape: `h_T(a) = (C + 50) / (E + 50 / g(a))`, completions over person-weeks at age `a`, drawn
//! to the rate `g` of all specialties by fifty imagined completions (the central rate of an actuarial life table). The
//! rest, `r`, everything else that lowers or swells a list, is the smooth curve that best explains the losses:
//!
//! `argmin sum_w v (L(w) - sum_a A[w, a] (h_T + r)(a))^2 + m (lambda^2 |D2 r|^2 + rho^2 |r|^2)`
//!
//! with weights `v = n S / (1 - S)`, the inverse of the variance of a log loss at the expected share `S` (from an earlier
//! fit), `m` their median and `D2` the second difference. The normal equations are banded, and solved by a banded Cholesky factorisation (Golub & Van Loan, 4.3).

use crate::ageing::{REACH, Row};
use crate::curve::AGES;

/// Half the width of the band of the normal equations.
const BAND: usize = REACH;

/// One observed loss: how long was spent at which age, what was lost, and how surely it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) row: Row,
    pub(crate) loss: f64,
    pub(crate) weight: f64,
}

/// How strongly the remainder is held smooth and small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Penalty {
    pub(crate) smooth: f64,
    pub(crate) small: f64,
}

/// Fits the remainder over `shape` and gives the whole hazard, at least `floor` a week at every age.
pub(crate) fn fit(losses: &[Loss], shape: &[f64; AGES], penalty: Penalty, floor: f64) -> [f64; AGES] {
    let scale = median(losses.iter().map(|loss| loss.weight).filter(|&weight| weight > 0.0).collect());
    let mut hazard = shape.map(|rate| rate.max(floor));
    if scale <= 0.0 {
        return hazard;
    }
    // Row i holds the entries (i, i) to (i, i + BAND).
    let mut matrix = [[0.0; BAND + 1]; AGES];
    let mut right = [0.0; AGES];
    for loss in losses.iter().filter(|loss| loss.weight > 0.0) {
        let weight = loss.weight / scale;
        let mut rest = loss.loss;
        for (step, &time) in loss.row.weeks.iter().enumerate() {
            rest -= time * shape[(loss.row.start + step).min(AGES - 1)];
        }
        for (step, &time) in loss.row.weeks.iter().enumerate().filter(|(_, time)| **time > 0.0) {
            let age = loss.row.start + step;
            if age >= AGES {
                break;
            }
            right[age] += weight * time * rest;
            for (other, &more) in loss.row.weeks.iter().enumerate().skip(step) {
                if age + other - step < AGES {
                    matrix[age][other - step] += weight * time * more;
                }
            }
        }
    }
    let smooth = penalty.smooth * penalty.smooth;
    for row in &mut matrix {
        row[0] += penalty.small * penalty.small;
    }
    for age in 0..AGES - 2 {
        for (first, one) in [1.0, -2.0, 1.0].into_iter().enumerate() {
            for (second, two) in [1.0, -2.0, 1.0].into_iter().enumerate().skip(first) {
                matrix[age + first][second - first] += smooth * one * two;
            }
        }
    }
    solve(&mut matrix, &mut right);
    for age in 0..AGES {
        let whole = shape[age] + right[age];
        hazard[age] = if whole.is_finite() { whole.clamp(floor, MOST_HAZARD) } else { hazard[age] };
    }
    hazard
}

/// No list empties faster than this a week.
pub(crate) const MOST_HAZARD: f64 = 1.9;

/// Solves `matrix x = right` in place for a symmetric positive definite band matrix.
fn solve(matrix: &mut [[f64; BAND + 1]; AGES], right: &mut [f64; AGES]) {
    for row in 0..AGES {
        let pivot = matrix[row][0].max(1e-12);
        let head = matrix[row];
        for step in 1..=BAND.min(AGES - 1 - row) {
            let ratio = head[step] / pivot;
            if ratio == 0.0 {
                continue;
            }
            for other in step..=BAND {
                matrix[row + step][other - step] -= ratio * head[other];
            }
            right[row + step] -= ratio * right[row];
        }
    }
    for row in (0..AGES).rev() {
        let mut sum = right[row];
        for step in 1..=BAND.min(AGES - 1 - row) {
            sum -= matrix[row][step] * right[row + step];
        }
        right[row] = sum / matrix[row][0].max(1e-12);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Completion rates by age: completions over person-weeks, drawn to `general` by `pseudo` completions.
pub(crate) fn completion_rates(
    completed: &[f64; AGES],
    exposure: &[f64; AGES],
    general: Option<&[f64; AGES]>,
    pseudo: f64,
) -> [f64; AGES] {
    let mut rates = [0.0; AGES];
    let mut last = 0.02;
    for age in 0..AGES {
        rates[age] = match general {
            Some(general) => (completed[age] + pseudo) / (exposure[age] + pseudo / general[age]),
            // All specialties together: only where nobody waits does the neighbour's rate stand in.
            None => (completed[age] + pseudo * last) / (exposure[age] + pseudo),
        }
        .clamp(1e-4, MOST_HAZARD);
        last = rates[age];
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ageing::Ageing;
    use crate::model::BandLayout;

    const PENALTY: Penalty = Penalty { smooth: 2.0, small: 0.6 };

    #[test]
    fn a_table_is_found_again_from_the_losses_it_makes() {
        let layout = BandLayout::To104Weeks;
        // A cliff at 18 weeks in what is completed, and a smooth remainder.
        let shape: [f64; AGES] = std::array::from_fn(|age| if (14..18).contains(&age) { 0.2 } else { 0.05 });
        let truth: [f64; AGES] = std::array::from_fn(|age| shape[age] + 0.02 - 0.0001 * age as f64);
        let mut losses = Vec::new();
        for days in [28, 30, 31] {
            let ageing = Ageing::new(days, layout, layout).unwrap();
            for band in 0..ageing.followed() {
                let row = ageing.row(band);
                let loss =
                    row.weeks.iter().enumerate().map(|(step, time)| time * truth[row.start + step]).sum();
                losses.push(Loss { row, loss, weight: 1e5 });
            }
        }
        let found = fit(&losses, &shape, PENALTY, 0.004);
        for age in 0..100 {
            assert!((found[age] - truth[age]).abs() < 0.004, "{age}: {} for {}", found[age], truth[age]);
        }
    }

    #[test]
    fn without_losses_the_shape_stands_and_the_floor_holds() {
        let mut shape = [0.05; AGES];
        shape[3] = 0.0;
        let found = fit(&[], &shape, PENALTY, 0.004);
        assert_eq!(found[2], 0.05);
        assert_eq!(found[3], 0.004);
    }

    #[test]
    fn few_completions_are_drawn_to_the_general_rate() {
        let general = [0.04; AGES];
        let (mut completed, mut exposure) = ([0.0; AGES], [0.0; AGES]);
        (completed[5], exposure[5]) = (800.0, 10_000.0);
        (completed[6], exposure[6]) = (1.0, 2.0);
        let rates = completion_rates(&completed, &exposure, Some(&general), 50.0);
        // (800 + 50) / (10000 + 50 / 0.04)
        assert!((rates[5] - 850.0 / 11_250.0).abs() < 1e-12);
        assert!((rates[6] - 51.0 / 1252.0).abs() < 1e-12);
        assert!((rates[7] - 0.04).abs() < 1e-12);
    }
}
