//! The life table as a curve: cumulative hazard, its inverse, and the mixture that widens it.
//!
//! Within a week of waiting the hazard is constant, so the cumulative hazard `H` is a broken line and the probability
//! of waiting from age `w` to `w + t` is `exp(-(H(w + t) - H(w)))`, exactly and for any fraction of a week. A list's
//! own hazard is its specialty's, times one factor an age group.
//!
//! What the data leave uncertain is a common factor `exp(s z)` on the hazard, `z` standard normal. The mean over it is
//! taken by five-point Gauss-Hermite quadrature (Abramowitz & Stegun, table 25.10, rescaled to the normal weight).

use libm::{exp, log};

use crate::model::BandLayout;

/// Weekly ages the model keeps: 0 to 103, then "104 and over".
pub(crate) const AGES: usize = 105;
/// Age groups over which local factors and shares of causes are constant.
pub(crate) const GROUPS: usize = 16;
/// Where each age group begins, in weeks.
pub(crate) const GROUP_STARTS: [usize; GROUPS] = [0, 2, 4, 7, 10, 13, 15, 17, 18, 20, 23, 26, 32, 40, 52, 65];
/// The sub-week ages over which a weekly band is averaged.
pub(crate) const SUB_AGES: [f64; 4] = [0.125, 0.375, 0.625, 0.875];

const NODES: [f64; 5] =
    [-2.856_970_013_872_806, -1.355_626_179_974_266, 0.0, 1.355_626_179_974_266, 2.856_970_013_872_806];
const WEIGHTS: [f64; 5] = [
    0.011_257_411_327_720_7,
    0.222_075_922_005_612_6,
    0.533_333_333_333_333_3,
    0.222_075_922_005_612_6,
    0.011_257_411_327_720_7,
];

/// The age group of a weekly band.
pub(crate) fn group_of(band: usize) -> usize {
    GROUP_STARTS.iter().rposition(|&start| start <= band).unwrap_or(0)
}

/// A specialty's weekly hazards and their running sum.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BaseCurve {
    hazard: Box<[f64; AGES]>,
    /// `cumulative[a]` is the hazard passed before age `a`.
    cumulative: Box<[f64; AGES]>,
}

impl BaseCurve {
    /// A curve from weekly hazards; those beyond the layout's open band take the open band's.
    pub(crate) fn new(mut hazard: [f64; AGES], layout: BandLayout) -> Self {
        let open = layout.open_from_weeks() as usize;
        for age in open + 1..AGES {
            hazard[age] = hazard[open];
        }
        let mut cumulative = [0.0; AGES];
        for age in 1..AGES {
            cumulative[age] = cumulative[age - 1] + hazard[age - 1];
        }
        Self { hazard: Box::new(hazard), cumulative: Box::new(cumulative) }
    }

    /// The weekly hazards.
    pub(crate) fn hazard(&self) -> &[f64; AGES] {
        &self.hazard
    }

    fn at(&self, age: f64) -> f64 {
        let whole = (age as usize).min(AGES - 1);
        self.cumulative[whole] + self.hazard[whole] * (age - whole as f64)
    }

    /// The age at which the running sum reaches `sum`, at or after the week `from`.
    fn inverse(&self, sum: f64, from: usize, to: usize) -> f64 {
        let week = from + self.cumulative[from..to].partition_point(|&passed| passed <= sum).max(1) - 1;
        week as f64 + (sum - self.cumulative[week]) / self.hazard[week]
    }
}

/// A curve with one factor an age group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalCurve<'a> {
    base: &'a BaseCurve,
    factor: [f64; GROUPS],
    /// The cumulative hazard at the beginning of each group.
    passed: [f64; GROUPS],
}

impl<'a> LocalCurve<'a> {
    pub(crate) fn new(base: &'a BaseCurve, factor: [f64; GROUPS]) -> Self {
        let mut passed = [0.0; GROUPS];
        for group in 1..GROUPS {
            let span = base.cumulative[GROUP_STARTS[group]] - base.cumulative[GROUP_STARTS[group - 1]];
            passed[group] = passed[group - 1] + factor[group - 1] * span;
        }
        Self { base, factor, passed }
    }

    /// The cumulative hazard from the clock start to `age` weeks.
    pub(crate) fn cumulative(&self, age: f64) -> f64 {
        let group = group_of(age as usize);
        self.passed[group]
            + self.factor[group] * (self.base.at(age) - self.base.cumulative[GROUP_STARTS[group]])
    }

    /// The weekly hazard at `age`.
    pub(crate) fn hazard(&self, age: f64) -> f64 {
        let week = (age as usize).min(AGES - 1);
        self.factor[group_of(week)] * self.base.hazard[week]
    }

    /// The age at which the cumulative hazard reaches `sum`.
    pub(crate) fn age_at(&self, sum: f64) -> f64 {
        let group = self.passed.partition_point(|&passed| passed <= sum).max(1) - 1;
        let start = GROUP_STARTS[group];
        let end = GROUP_STARTS.get(group + 1).copied().unwrap_or(AGES);
        let rest = (sum - self.passed[group]).max(0.0) / self.factor[group];
        let age = self.base.inverse(self.base.cumulative[start] + rest, start, end);
        if age.is_finite() { age } else { f64::MAX }
    }

    /// The factors, group by group.
    pub(crate) fn factor(&self) -> &[f64; GROUPS] {
        &self.factor
    }
}

/// The shares at which quantiles are given.
pub(crate) const QUANTILES: [f64; 5] = [0.10, 0.25, 0.50, 0.75, 0.90];

/// How far a list's quantiles are widened, with what follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Widening {
    sigma: f64,
    mixture: Mixture,
    targets: [f64; 5],
}

impl Widening {
    /// For a standard deviation `sigma` of the common log factor.
    pub(crate) fn new(sigma: f64) -> Self {
        let mixture = Mixture::new(sigma);
        Self { sigma, mixture, targets: QUANTILES.map(|quantile| mixture.hazard_at(quantile)) }
    }

    pub(crate) fn sigma(&self) -> f64 {
        self.sigma
    }

    pub(crate) fn mixture(&self) -> &Mixture {
        &self.mixture
    }

    /// Cumulative hazards after which each of [`QUANTILES`] is off the list.
    pub(crate) fn targets(&self) -> [f64; 5] {
        self.targets
    }
}

/// The uncertain common factor: its five points and their weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mixture {
    factors: [f64; 5],
}

impl Mixture {
    pub(crate) fn new(sigma: f64) -> Self {
        Self { factors: NODES.map(|node| if node == 0.0 { 1.0 } else { exp(sigma * node) }) }
    }

    /// The probability of still waiting after a cumulative hazard of `x`.
    pub(crate) fn survival(&self, x: f64) -> f64 {
        self.survival_and_fall(x).0
    }

    /// [`Self::survival`], and how fast it falls with `x`.
    pub(crate) fn survival_and_fall(&self, x: f64) -> (f64, f64) {
        let (mut value, mut fall) = (0.0, 0.0);
        for (factor, weight) in self.factors.iter().zip(WEIGHTS) {
            let part = weight * exp(-x * factor);
            value += part;
            fall += part * factor;
        }
        (value.min(1.0), fall)
    }

    /// The cumulative hazard after which a share `done` is off the list: Newton's method on the logarithm of the
    /// survival, a convex function that is nearly straight, so that a few steps reach the last digit.
    pub(crate) fn hazard_at(&self, done: f64) -> f64 {
        let target = log(1.0 - done);
        let mut x = -target;
        for _ in 0..40 {
            let (value, fall) = self.survival_and_fall(x);
            let step = (log(value) - target) * value / fall;
            x = (x + step).max(1e-9);
            if step.abs() < 1e-10 * x {
                break;
            }
        }
        x
    }
}
