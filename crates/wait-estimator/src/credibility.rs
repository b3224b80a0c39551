//! How far a list differs from its specialty, and how much of that to believe.
//!
//! Over one pair of months a list of `n` people, of whom a share `S` was expected to stay with a mean loss
//! `L = -ln S`, shows the log ratio `y = ln(L_obs / L_exp)`, with variance `v = (1 - S) / (S n L^2)` by chance alone. On
//! top of chance a list has good and bad months (`noise`). What repeats is its own: with `tau^2` the variance of true
//! log factors, the best linear forecast is `z * mean(y)` with `z = tau^2 / (tau^2 + 1 / sum 1 / (v + noise))`
//! (Buehlmann 1967). `tau^2` is the weighted mean of products of different months' `y` of the same list: only signal
//! repeats. The same is done for boards about their specialty, lists about their board, and age groups about their list.

use libm::{log, sqrt};

/// What was seen of a group of people over one pair of months.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// People followed.
    pub(crate) people: f64,
    /// Of whom still there.
    pub(crate) stayed: f64,
    /// How many were expected to be.
    pub(crate) expected: f64,
}

impl Seen {
    /// The log ratio of losses, with `pseudo` imagined people who behave as expected.
    pub(crate) fn signal(&self, pseudo: f64) -> Option<Signal> {
        if self.people <= 0.0 {
            return None;
        }
        let expected = (self.expected / self.people).clamp(1e-6, 1.0 - 1e-6);
        let people = self.people + pseudo;
        let stayed = ((self.stayed + pseudo * expected) / people).max(1e-6);
        let loss = -log(expected);
        let ratio = -log(stayed) / loss;
        let log_ratio = if ratio > 0.0 { log(ratio).clamp(-LARGEST, LARGEST) } else { -LARGEST };
        let variance = (1.0 - expected) / (expected * people * loss * loss);
        Some(Signal { log_ratio, variance })
    }
}

/// No list is believed to be further from its specialty than this, on the log scale.
const LARGEST: f64 = 2.0;

/// A log ratio and its variance by chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signal {
    pub(crate) log_ratio: f64,
    pub(crate) variance: f64,
}

/// How true factors are spread, and how months scatter about them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// Variance of true log factors.
    pub(crate) signal: f64,
    /// Variance of what a month adds and no other repeats.
    pub(crate) noise: f64,
}

/// A shrunk estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shrunk {
    /// The forecast of the log factor.
    pub(crate) mean: f64,
    /// What remains unknown of it.
    pub(crate) variance: f64,
    /// The weight given to the list's own experience.
    pub(crate) credibility: f64,
}

impl Spread {
    /// Learns the spread from lists seen over several months; `prior` stands in, with the weight of `PRIOR_LISTS`
    /// lists, where there is little to learn from.
    pub(crate) fn learn<'a>(lists: impl Iterator<Item = &'a [Signal]>, prior: Self) -> Self {
        let (mut products, mut weights) = (0.0, 0.0);
        let (mut squares, mut square_weights) = (0.0, 0.0);
        for months in lists {
            for (index, one) in months.iter().enumerate() {
                let weight = 1.0 / (one.variance + prior.noise + prior.signal);
                squares += weight * (one.log_ratio * one.log_ratio - one.variance);
                square_weights += weight;
                for two in &months[index + 1..] {
                    let weight = sqrt(weight / (two.variance + prior.noise + prior.signal));
                    products += weight * one.log_ratio * two.log_ratio;
                    weights += weight;
                }
            }
        }
        // A weight of one list well seen.
        let unit = PRIOR_LISTS / (prior.noise + prior.signal).max(1e-6);
        let signal = ((products + unit * prior.signal) / (weights + unit)).clamp(1e-4, 1.0);
        let whole = (squares + unit * (prior.signal + prior.noise)) / (square_weights + unit);
        Self { signal, noise: (whole - signal).clamp(1e-3, 1.0) }
    }

    /// The credible part of `months`.
    pub(crate) fn shrink(&self, months: &[Signal]) -> Shrunk {
        let (mut sum, mut weights) = (0.0, 0.0);
        for month in months {
            let weight = 1.0 / (month.variance + self.noise);
            sum += weight * month.log_ratio;
            weights += weight;
        }
        if weights <= 0.0 {
            return Shrunk { mean: 0.0, variance: self.signal, credibility: 0.0 };
        }
        let credibility = self.signal / (self.signal + 1.0 / weights);
        Shrunk { mean: credibility * sum / weights, variance: self.signal * (1.0 - credibility), credibility }
    }
}

/// The weight of what is assumed of a specialty's spread against what its lists show.
const PRIOR_LISTS: f64 = 10.0;
