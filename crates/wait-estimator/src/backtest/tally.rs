//! Adding up scores over people, and turning the sums into figures.

use std::ops::AddAssign;

use super::cohort::{Cohort, Horizons};
use super::method::{Forecast, LEVELS};
use super::report::{Checked, MonthScores, Pinball, Realised, Reliability, Scores};

/// The intervals whose coverage is scored: the positions in [`LEVELS`] of their ends, the half first.
const INTERVALS: [(usize, usize); 2] = [(1, 3), (0, 4)];

/// Into how many equal parts probabilities of having left are sorted.
const TENTHS: usize = 10;

/// Forecast probabilities of one size, and what came of them, over person-horizons.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Said {
    people: f64,
    said: f64,
    left: f64,
}

/// What was forecast for one month scored, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct AtMonth {
    people: f64,
    /// Squared errors of the probability of still waiting.
    squares: f64,
    /// People expected to have left, and people who had.
    expected: f64,
    left: f64,
}

impl AtMonth {
    fn per_person(&self, sum: f64) -> Option<f64> {
        (self.people > 0.0).then(|| sum / self.people)
    }
}

/// A sum and the people it was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Share {
    sum: f64,
    people: f64,
}

impl Share {
    fn value(self) -> Option<f64> {
        (self.people > 0.0).then(|| self.sum / self.people)
    }
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.people += other.people;
    }
}

/// The sums behind [`Scores`], over any set of cohorts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    people: f64,
    unanswered: f64,
    /// Pinball loss in weeks, at each of [`LEVELS`].
    loss: [f64; LEVELS.len()],
    /// People who had left by the predicted point, of those whose point lies before the last horizon.
    done: [Share; LEVELS.len()],
    covered: [Share; INTERVALS.len()],
    /// Months scored, in order; empty when no forecast was made.
    months: Vec<AtMonth>,
    /// Probabilities of having left by a horizon, by tenths.
    reliability: [Said; TENTHS],
}

impl Tally {
    /// The sums for one cohort and what was forecast for it. Without a forecast, its people count as if told that they
    /// wait beyond the last horizon, and are left out of every share.
    pub(super) fn of(cohort: &Cohort, forecast: Option<&Forecast>, horizons: &Horizons) -> Self {
        let people = cohort.people;
        let quantiles = forecast.map_or([f64::INFINITY; LEVELS.len()], |forecast| forecast.quantiles);
        let steps = quantiles.map(|weeks| horizons.step_near(weeks));
        let left = steps.map(|step| 1.0 - cohort.survival(step));
        let checkable = quantiles.map(|weeks| if weeks < horizons.end() { people } else { 0.0 });

        let mut tally = Self { people, ..Self::default() };
        for (((loss, done), (level, step)), (left, people)) in tally
            .loss
            .iter_mut()
            .zip(&mut tally.done)
            .zip(LEVELS.into_iter().zip(steps))
            .zip(left.into_iter().zip(checkable))
        {
            *loss = cohort.pinball(level, step) * cohort.people;
            *done = Share { sum: left * people, people };
        }
        for (covered, (low, high)) in tally.covered.iter_mut().zip(INTERVALS) {
            let at = |of: &[f64; LEVELS.len()], index: usize| of.get(index).copied().unwrap_or_default();
            let people = at(&checkable, high);
            *covered = Share { sum: (at(&left, high) - at(&left, low)) * people, people };
        }
        match forecast {
            Some(forecast) => {
                tally.months = cohort
                    .waiting
                    .iter()
                    .zip(&forecast.waiting)
                    .map(|(still, said)| AtMonth {
                        people,
                        squares: still * (1.0 - said).powi(2) + (people - still) * said.powi(2),
                        expected: people * (1.0 - said),
                        left: people - still,
                    })
                    .collect();
                for (still, said) in cohort.waiting.iter().zip(&forecast.waiting) {
                    tally.file(people, people - still, 1.0 - said);
                }
            }
            None => tally.unanswered = people,
        }
        tally
    }

    /// Files what was said of people's having left by a horizon under its tenth.
    fn file(&mut self, people: f64, left: f64, said: f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to nothing below")]
        let tenth = (said.max(0.0) * TENTHS as f64) as usize;
        if let Some(slot) = self.reliability.get_mut(tenth.min(TENTHS - 1)) {
            slot.people += people;
            slot.said += people * said;
            slot.left += left;
        }
    }

    /// The people scored.
    pub(super) fn people(&self) -> f64 {
        self.people
    }

    /// The share of people who had left by the predicted median, and of how many this could be checked.
    pub(super) fn left_by_median(&self) -> (Option<f64>, f64) {
        self.done.get(2).map_or((None, 0.0), |share| (share.value(), share.people))
    }

    /// The mean pinball loss over 10, 50 and 90 %, in weeks; `None` over nobody.
    pub(super) fn mean_pinball(&self) -> Option<f64> {
        let [low, _, middle, _, high] = self.loss;
        (self.people > 0.0).then(|| (low + middle + high) / 3.0 / self.people)
    }

    /// The figures; `naive` is the mean pinball loss that theirs is held against.
    pub(super) fn scores(&self, naive: Option<f64>) -> Scores {
        let of_people = |sum: f64| (self.people > 0.0).then(|| sum / self.people);
        let checked = |share: &Share| Checked { share: share.value(), checkable: of_people(share.people) };
        let brier: Option<Vec<f64>> =
            self.months.iter().map(|month| month.per_person(month.squares)).collect();
        let [p10, _, p50, _, p90] = self.loss.map(of_people);
        let [half, most] = &self.covered;
        let mean_pinball = self.mean_pinball();
        #[expect(clippy::cast_precision_loss, reason = "a handful of horizons")]
        let mean_brier =
            brier.filter(|each| !each.is_empty()).map(|each| each.iter().sum::<f64>() / each.len() as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of people")]
        let pathways = self.people as u64;
        Scores {
            pathways,
            not_answered: of_people(self.unanswered),
            brier: mean_brier,
            by_month: self
                .months
                .iter()
                .map(|month| MonthScores {
                    brier: month.per_person(month.squares),
                    expected_left: month.per_person(month.expected),
                    left: month.per_person(month.left),
                })
                .collect(),
            pinball: Pinball { p10, p50, p90 },
            mean_pinball,
            ratio_to_mean_minus_waited: mean_pinball
                .zip(naive.filter(|naive| *naive > 0.0))
                .map(|(ours, naive)| ours / naive),
            coverage50: checked(half),
            coverage80: checked(most),
            realised: LEVELS
                .iter()
                .zip(&self.done)
                .map(|(level, share)| Realised { predicted: *level, realised: checked(share) })
                .collect(),
            reliability: self.reliability(),
        }
    }

    /// The tenths in which anything was said.
    fn reliability(&self) -> Vec<Reliability> {
        let all: f64 = self.reliability.iter().map(|slot| slot.people).sum();
        let filled = self.reliability.iter().filter(|slot| slot.people > 0.0);
        filled
            .map(|slot| Reliability {
                said: slot.said / slot.people,
                left: slot.left / slot.people,
                of_all: slot.people / all,
            })
            .collect()
    }
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        self.people += other.people;
        self.unanswered += other.unanswered;
        for (sum, loss) in self.loss.iter_mut().zip(other.loss) {
            *sum += loss;
        }
        let mine = self.done.iter_mut().chain(&mut self.covered);
        for (sum, share) in mine.zip(other.done.iter().chain(&other.covered)) {
            *sum += *share;
        }
        if self.months.len() < other.months.len() {
            self.months.resize(other.months.len(), AtMonth::default());
        }
        for (sum, month) in self.months.iter_mut().zip(&other.months) {
            sum.people += month.people;
            sum.squares += month.squares;
            sum.expected += month.expected;
            sum.left += month.left;
        }
        for (sum, slot) in self.reliability.iter_mut().zip(&other.reliability) {
            sum.people += slot.people;
            sum.said += slot.said;
            sum.left += slot.left;
        }
    }
}
