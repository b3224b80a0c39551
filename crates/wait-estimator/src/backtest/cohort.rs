//! What really became of the people on a list: cohorts followed through later month-ends.
//!
//! People in weekly band `w` at the origin are, `D` days later, in the bands around `w + D / 7`; the count there, taken
//! in proportion from the two bands it straddles, is how many of them still wait. Between month-ends the share still
//! waiting is taken to fall by a constant rate. Curves are kept at steps of a quarter of a week.

use crate::model::BandLayout;

/// The step of realised curves, in weeks.
const STEP: f64 = 0.25;
/// The cohorts of a 52-week layout: bands 0 to 33, so that runs with different horizons score the same people.
const COHORTS_OF_52_WEEK_LISTS: usize = 34;
/// The least share still waiting that is told apart from none: a logarithm is taken.
const LEAST_SHARE: f64 = 1e-4;
/// The most a cohort may seem to grow (people who return to the list, late records) before it is cut.
const MOST_SHARE: f64 = 1.5;

/// The times after the origin at which lists were counted again.
#[derive(Debug)]
pub(super) struct Horizons {
    days: Vec<u32>,
    weeks: Vec<f64>,
    steps: usize,
}

impl Horizons {
    /// Horizons so many days after the origin; `None` unless there is one, and they rise from above nothing.
    pub(super) fn new(days: Vec<u32>) -> Option<Self> {
        let weeks: Vec<f64> = days.iter().map(|days| f64::from(*days) / 7.0).collect();
        let rising =
            days.is_sorted_by(|one, next| one < next) && days.first().is_some_and(|first| *first > 0);
        let end = *weeks.last()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let steps = (end / STEP + 1e-9).floor() as usize;
        rising.then_some(Self { days, weeks, steps })
    }

    /// The horizons in days.
    pub(super) fn days(&self) -> &[u32] {
        &self.days
    }

    /// The horizons in weeks.
    pub(super) fn weeks(&self) -> &[f64] {
        &self.weeks
    }

    /// The last horizon in weeks: no wait is followed further.
    pub(super) fn end(&self) -> f64 {
        self.weeks.last().copied().unwrap_or_default()
    }

    /// The step nearest to a number of weeks, at most the last.
    pub(super) fn step_near(&self, weeks: f64) -> usize {
        if weeks >= self.end() {
            return self.steps;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the last step"
        )]
        let step = (weeks.max(0.0) / STEP).round_ties_even() as usize;
        step.min(self.steps)
    }

    /// The weeks at a step.
    #[expect(clippy::cast_precision_loss, reason = "a few hundred steps")]
    pub(super) fn weeks_at(step: usize) -> f64 {
        step as f64 * STEP
    }

    /// How many weekly bands of the origin can be followed to the last horizon without reaching an open band.
    pub(super) fn cohorts(&self, origin: BandLayout, later: impl Iterator<Item = BandLayout>) -> usize {
        let layouts: Vec<BandLayout> = later.chain([origin]).collect();
        let open = layouts.iter().map(|layout| layout.open_from_weeks()).min().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut at nothing below")]
        let followed = (f64::from(open) - self.end() - 1.0).max(0.0) as usize;
        if layouts.contains(&BandLayout::To52Weeks) {
            followed.min(COHORTS_OF_52_WEEK_LISTS)
        } else {
            followed
        }
    }
}

/// The people of one weekly band of one cell at the origin, and how many of them wait later.
#[derive(Debug)]
pub(super) struct Cohort {
    /// People in the band at the origin.
    pub(super) people: f64,
    /// How many still wait at each horizon.
    pub(super) waiting: Vec<f64>,
    survival: Vec<f64>,
    area: Vec<f64>,
}

impl Cohort {
    /// The cohort of `band`, from the list at the origin and the later lists, one for each horizon.
    pub(super) fn follow(band: usize, origin: &[u32], later: &[&[u32]], horizons: &Horizons) -> Self {
        let count = |list: &[u32], band: usize| list.get(band).copied().map_or(0.0, f64::from);
        let waiting = later.iter().zip(horizons.weeks()).map(|(list, weeks)| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small positive number"
            )]
            let whole = weeks.floor() as usize;
            let rest = weeks - weeks.floor();
            (1.0 - rest) * count(list, band + whole) + rest * count(list, band + whole + 1)
        });
        Self::new(count(origin, band), waiting.collect(), horizons)
    }

    fn new(people: f64, waiting: Vec<f64>, horizons: &Horizons) -> Self {
        let share = |count: f64| (count / people.max(1e-9)).clamp(LEAST_SHARE, MOST_SHARE).ln();
        let knots: Vec<(f64, f64)> = std::iter::once((0.0, share(people)))
            .chain(horizons.weeks().iter().copied().zip(waiting.iter().map(|count| share(*count))))
            .collect();
        let mut survival = Vec::with_capacity(horizons.steps + 1);
        let mut pieces = knots.windows(2).peekable();
        for step in 0..=horizons.steps {
            let weeks = Horizons::weeks_at(step);
            // A horizon that falls on a step begins the next piece, except the last.
            while pieces.len() > 1
                && pieces.peek().is_some_and(|piece| piece.last().is_some_and(|end| end.0 <= weeks))
            {
                pieces.next();
            }
            if let Some([(from, high), (to, low)]) = pieces.peek() {
                survival.push((high + (weeks - from) / (to - from) * (low - high)).exp());
            }
        }
        let mut area = Vec::with_capacity(survival.len());
        let mut sum = 0.0;
        area.push(sum);
        for pair in survival.windows(2) {
            sum += pair.iter().sum::<f64>() / 2.0 * STEP;
            area.push(sum);
        }
        Self { people, waiting, survival, area }
    }

    /// Whether there was anybody to follow, then or later.
    pub(super) fn is_empty(&self) -> bool {
        self.people == 0.0 && self.waiting.iter().all(|count| *count == 0.0)
    }

    /// The share still waiting at a step.
    pub(super) fn survival(&self, step: usize) -> f64 {
        self.survival.get(step).copied().unwrap_or_default()
    }

    /// The pinball loss, in weeks a person, of saying at `level` that a wait ends at `step`; waits are cut at the end.
    pub(super) fn pinball(&self, level: f64, step: usize) -> f64 {
        let upto = self.area.get(step).copied().unwrap_or_default();
        let all = self.area.last().copied().unwrap_or_default();
        level * (all - upto) + (1.0 - level) * (Horizons::weeks_at(step) - upto)
    }

    /// The first time, in weeks, at which the share still waiting is `1 - level` or less; infinite if there is none.
    pub(super) fn quantile(&self, level: f64) -> f64 {
        self.survival.iter().position(|share| *share <= 1.0 - level).map_or(f64::INFINITY, Horizons::weeks_at)
    }
}
