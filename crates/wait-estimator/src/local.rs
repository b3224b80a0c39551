//! A list's own factors, age by age, from what was seen of it and what its specialty leads one to expect.
//!
//! People in band `w` were expected to lose `L(w)` on the log scale, a share `B[w, g]` of it while passing age group
//! `g`. If the list's log factors are `f`, the one-step score `y(w) = (expected - stayed) / (expected L)` is about
//! `sum_g B[w, g] f(g)`, with variance `(1 - S) / (S n L^2)` by chance, plus what bands and months add of their own.
//! Lists differ from their specialty as a whole (`tau`) and age by age (`tau_groups`, alike for near ages), so `f` has
//! a normal prior with covariance `tau^2 + tau_groups^2 exp(-|a - b| / reach)`, and its best linear forecast solves a
//! small symmetric system: credibility (Buehlmann 1967) with several dimensions at once.

use crate::ageing::Ageing;
use crate::curve::{AGES, GROUP_STARTS, GROUPS, group_of};

/// A symmetric matrix over age groups.
pub(crate) type Square = [[f64; GROUPS]; GROUPS];

/// What a specialty leads one to expect over one pair of months, band by band.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// The share expected to stay.
    pub(crate) share: [f64; AGES],
    /// The expected loss on the log scale.
    loss: [f64; AGES],
    /// The part of the loss that falls in each age group.
    parts: Vec<[f64; GROUPS]>,
    followed: usize,
}

impl Expected {
    pub(crate) fn new(ageing: &Ageing, hazard: &[f64; AGES], pace: f64) -> Self {
        let followed = ageing.followed();
        let mut expected =
            Self { share: [0.0; AGES], loss: [0.0; AGES], parts: vec![[0.0; GROUPS]; followed], followed };
        for band in 0..followed {
            let share = ageing.expected(hazard, band, pace).clamp(1e-6, 1.0 - 1e-6);
            expected.share[band] = share;
            expected.loss[band] = -libm::log(share);
            let row = ageing.row(band);
            let mut sum = 0.0;
            for (step, time) in row.weeks.iter().enumerate() {
                let age = (row.start + step).min(AGES - 1);
                expected.parts[band][group_of(age)] += time * hazard[age];
                sum += time * hazard[age];
            }
            for part in &mut expected.parts[band] {
                *part /= sum;
            }
        }
        expected
    }
}

/// How lists differ from their specialty, and how months scatter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prior {
    /// Variance of a list's factor as a whole.
    pub(crate) whole: f64,
    /// Variance of age groups about it.
    pub(crate) groups: f64,
    /// Weeks of age over which neighbouring groups are alike.
    pub(crate) reach: f64,
    /// Variance of what one month adds to all bands of a list.
    pub(crate) month: f64,
    /// Variance of what one month adds to one band.
    pub(crate) band: f64,
}

/// The evidence about one list: precision and weighted scores.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    precision: Square,
    score: [f64; GROUPS],
}

impl Evidence {
    pub(crate) fn none() -> Self {
        Self { precision: [[0.0; GROUPS]; GROUPS], score: [0.0; GROUPS] }
    }

    /// Adds one pair of months, whose bands share one month's common noise (Sherman & Morrison 1950 for its inverse).
    pub(crate) fn add(
        &mut self,
        expected: &Expected,
        people: &[f64; AGES],
        stayed: &[f64; AGES],
        prior: &Prior,
    ) {
        let mut column = [0.0; GROUPS];
        let (mut total, mut weighted) = (0.0, 0.0);
        for band in (0..expected.followed).filter(|&band| people[band] > 0.0) {
            let (share, loss) = (expected.share[band], expected.loss[band]);
            let count = people[band];
            let raw = (share - stayed[band] / count) / (share * loss);
            let variance = (1.0 - share) / (share * count * loss * loss) + prior.band;
            let weight = 1.0 / variance;
            // A single band may be wild; no more than a few standard deviations of it are heard.
            let limit = 4.0 * libm::sqrt(variance + prior.whole + prior.groups + prior.month);
            let score = raw.clamp(-limit, limit);
            let parts = &expected.parts[band];
            for (one, &first) in parts.iter().enumerate().filter(|(_, part)| **part > 0.0) {
                column[one] += weight * first;
                self.score[one] += weight * first * score;
                for (two, &second) in parts.iter().enumerate() {
                    self.precision[one][two] += weight * first * second;
                }
            }
            total += weight;
            weighted += weight * score;
        }
        if total > 0.0 {
            let shared = prior.month / (1.0 + prior.month * total);
            for one in 0..GROUPS {
                self.score[one] -= shared * column[one] * weighted;
                for two in 0..GROUPS {
                    self.precision[one][two] -= shared * column[one] * column[two];
                }
            }
        }
    }

    /// Adds the completions of one month: `y(a) = completed / expected - 1` at every age, with variance `1 / expected`.
    pub(crate) fn add_completions(&mut self, completed: &[f64; AGES], expected: &[f64; AGES], prior: &Prior) {
        let mut column = [0.0; GROUPS];
        let (mut total, mut weighted) = (0.0, 0.0);
        for age in (0..AGES).filter(|&age| expected[age] > 0.01) {
            let variance = 1.0 / expected[age] + prior.band;
            let weight = 1.0 / variance;
            let limit = 4.0 * libm::sqrt(variance + prior.whole + prior.groups + prior.month);
            let score = (completed[age] / expected[age] - 1.0).clamp(-limit, limit);
            let group = group_of(age);
            column[group] += weight;
            self.score[group] += weight * score;
            self.precision[group][group] += weight;
            total += weight;
            weighted += weight * score;
        }
        if total > 0.0 {
            let shared = prior.month / (1.0 + prior.month * total);
            for one in 0..GROUPS {
                self.score[one] -= shared * column[one] * weighted;
                for two in 0..GROUPS {
                    self.precision[one][two] -= shared * column[one] * column[two];
                }
            }
        }
    }

    /// The forecast of the log factors, and their covariance, under a prior with the inverse covariance `inverse` about `mean`.
    pub(crate) fn forecast(&self, inverse: &Square, mean: &[f64; GROUPS]) -> ([f64; GROUPS], Square) {
        let mut matrix = *inverse;
        let mut right = self.score;
        for one in 0..GROUPS {
            for two in 0..GROUPS {
                matrix[one][two] += self.precision[one][two];
                right[one] += inverse[one][two] * mean[two];
            }
        }
        let covariance = invert(&matrix);
        let factors =
            std::array::from_fn(|one| (0..GROUPS).map(|two| covariance[one][two] * right[two]).sum());
        (factors, covariance)
    }
}

/// The prior covariance of a list's log factors.
pub(crate) fn covariance(prior: &Prior) -> Square {
    let middle = |group: usize| {
        let end = GROUP_STARTS.get(group + 1).map_or(GROUP_STARTS[group] as f64 + 20.0, |&end| end as f64);
        f64::midpoint(GROUP_STARTS[group] as f64, end)
    };
    std::array::from_fn(|one| {
        std::array::from_fn(|two| {
            let apart = (middle(one) - middle(two)).abs();
            prior.whole + prior.groups * libm::exp(-apart / prior.reach)
        })
    })
}

/// The inverse of a symmetric positive definite matrix, by its Cholesky factor, a column at a time.
pub(crate) fn invert(matrix: &Square) -> Square {
    let mut lower = [[0.0; GROUPS]; GROUPS];
    for row in 0..GROUPS {
        for column in 0..=row {
            let known: f64 =
                lower[row].iter().zip(&lower[column]).take(column).map(|(one, two)| one * two).sum();
            let rest = matrix[row][column] - known;
            lower[row][column] = if row == column {
                // Rounding must not make a root of something negative.
                libm::sqrt(rest.max(1e-9))
            } else {
                rest / lower[column][column]
            };
        }
    }
    let mut inverse = [[0.0; GROUPS]; GROUPS];
    for (unit, column) in inverse.iter_mut().enumerate() {
        column[unit] = 1.0;
        for row in unit..GROUPS {
            let known: f64 =
                lower[row][unit..row].iter().zip(&column[unit..row]).map(|(one, two)| one * two).sum();
            column[row] = (column[row] - known) / lower[row][row];
        }
        for row in (0..GROUPS).rev() {
            let known: f64 = (row + 1..GROUPS).map(|below| lower[below][row] * column[below]).sum();
            column[row] = (column[row] - known) / lower[row][row];
        }
    }
    inverse
}

/// The variance of the mean log factor over the ages at which most people wait: what is uncertain of all ages alike.
pub(crate) fn mean_variance(covariance: &Square) -> f64 {
    let groups = GROUP_STARTS.iter().filter(|start| **start < 26).count();
    let sum: f64 = covariance.iter().take(groups).map(|row| row.iter().take(groups).sum::<f64>()).sum();
    sum / (groups * groups) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        let prior = Prior { whole: 0.06, groups: 0.05, reach: 5.0, month: 0.04, band: 0.01 };
        let matrix = covariance(&prior);
        let inverse = invert(&matrix);
        for (row, left) in matrix.iter().enumerate() {
            for (column, right) in inverse.iter().enumerate() {
                // The inverse is symmetric: its rows are its columns.
                let product: f64 = left.iter().zip(right).map(|(one, two)| one * two).sum();
                let want = if row == column { 1.0 } else { 0.0 };
                assert!((product - want).abs() < 1e-9, "{row} {column}: {product}");
            }
        }
    }

    #[test]
    fn without_evidence_the_forecast_is_the_prior_and_with_much_it_is_what_was_seen() {
        let prior = Prior { whole: 0.06, groups: 0.05, reach: 5.0, month: 0.0001, band: 0.0001 };
        let inverse = invert(&covariance(&prior));
        let mean = [0.1; GROUPS];
        let (nothing, covariance_left) = Evidence::none().forecast(&inverse, &mean);
        assert!(nothing.iter().all(|value| (value - 0.1).abs() < 1e-9));
        assert!((mean_variance(&covariance_left) - mean_variance(&covariance(&prior))).abs() < 1e-9);

        // A list that empties 1.3 times as fast at every age, so large that chance plays no part.
        let layout = crate::model::BandLayout::To104Weeks;
        let ageing = Ageing::new(28, layout, layout).unwrap();
        let hazard = [0.05; AGES];
        let expected = Expected::new(&ageing, &hazard, 1.0);
        let people = [1e7; AGES];
        let stayed = std::array::from_fn(|_| 1e7 * libm::exp(-4.0 * 0.05 * 1.3));
        let mut evidence = Evidence::none();
        for _ in 0..12 {
            evidence.add(&expected, &people, &stayed, &prior);
        }
        let (factors, _) = evidence.forecast(&inverse, &[0.0; GROUPS]);
        for factor in factors {
            assert!((libm::exp(factor) - 1.3).abs() < 0.05, "{factor}");
        }
    }
}
