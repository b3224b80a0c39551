//! For somebody who does not know how long they have waited: everyone in a range of waits together.
//!
//! The people of a range are taken as the life table itself would have them stand there: as many of each week's wait
//! as survive to it (a stationary list). Their chances are averaged, and the quantiles are those of the average.

use wait_estimator::CellEstimator;

use super::estimate::{FiveWeeks, ProbabilityFigures, RangeEstimate};
use super::estimating::bounded_chance;
use super::{WeeksFigure, rounded};
use crate::model::BandLayout;

/// Where the ranges begin, in weeks: around the 18-week standard and the year.
const STARTS: [u32; 3] = [0, 18, 52];
/// Halvings after which a quantile is exact to less than a tenth of the decimal given: 104 weeks / 2^14.
const HALVINGS: usize = 14;

/// People of one range: ages in weeks and their weights, which add up to one.
struct Group<'a> {
    estimator: &'a CellEstimator<'a>,
    ages: Vec<(f64, f64)>,
    mean_age: f64,
    /// Where the last, open band begins.
    reach: f64,
}

/// The three ranges.
pub(super) fn ranges(estimator: &CellEstimator<'_>, layout: BandLayout) -> Vec<RangeEstimate> {
    let reach = layout.open_from_weeks();
    STARTS
        .iter()
        .enumerate()
        .map(|(place, &from)| {
            let to = STARTS.get(place + 1).copied();
            Group::new(estimator, from, to.unwrap_or(reach), reach).estimate(from, to)
        })
        .collect()
}

impl<'a> Group<'a> {
    /// Those who have waited from `from` to `to` weeks. Beyond the first range every second week stands for two.
    fn new(estimator: &'a CellEstimator<'a>, from: u32, to: u32, reach: u32) -> Self {
        let step = if from == 0 { 1 } else { 2 };
        let mut ages: Vec<(f64, f64)> = (from..to)
            .step_by(step as usize)
            .map(|week| f64::from(week) + f64::from(step) / 2.0)
            .map(|age| (age, estimator.survival(0.0, age)))
            .collect();
        let sum: f64 = ages.iter().map(|(_, weight)| weight).sum();
        for (_, weight) in &mut ages {
            *weight /= sum.max(f64::MIN_POSITIVE);
        }
        let mean_age = if ages.is_empty() {
            f64::from(from)
        } else {
            ages.iter().map(|(age, weight)| age * weight).sum()
        };
        Self { estimator, ages, mean_age, reach: f64::from(reach) }
    }

    /// The share that is off the list `ahead` weeks from now.
    fn off_by(&self, ahead: f64) -> f64 {
        self.ages.iter().map(|(age, weight)| weight * (1.0 - self.estimator.survival(*age, ahead))).sum()
    }

    /// How far ahead the figures tell of the group: until its mean member reaches the open band.
    fn horizon(&self) -> f64 {
        (self.reach - self.mean_age).max(0.0)
    }

    fn quantile(&self, done: f64, at_least: f64) -> f64 {
        let (mut low, mut high) = (at_least, self.horizon());
        if self.off_by(high) < done {
            return f64::INFINITY;
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.off_by(middle) < done { low = middle } else { high = middle }
        }
        high
    }

    fn estimate(&self, from_weeks: u32, to_weeks: Option<u32>) -> RangeEstimate {
        let mut at_least = 0.0;
        let mut next = |done| {
            let weeks =
                if at_least <= self.horizon() { self.quantile(done, at_least) } else { f64::INFINITY };
            at_least = weeks;
            if weeks.is_finite() {
                WeeksFigure { value: rounded(weeks, 10.0), open_ended: false }
            } else {
                WeeksFigure { value: rounded(self.horizon(), 10.0), open_ended: true }
            }
        };
        let remaining_weeks =
            FiveWeeks { p10: next(0.10), p25: next(0.25), p50: next(0.50), p75: next(0.75), p90: next(0.90) };
        let chance = |ahead: f64| (ahead <= self.horizon()).then(|| bounded_chance(self.off_by(ahead)));
        RangeEstimate {
            from_weeks,
            to_weeks,
            remaining_weeks,
            probability: ProbabilityFigures {
                by_4_weeks: chance(4.0),
                by_12_weeks: chance(12.0),
                by_26_weeks: chance(26.0),
                by_52_weeks: chance(52.0),
                within_18_week_standard: None,
            },
        }
    }
}
