//! Answers: how much longer, how sure, and for what reason a wait ends.
//!
//! Two readings are given. *Remaining* is the time until a person is off the list for any reason; it is what the
//! back-test checks. *If you stay* counts treatment only and takes every other removal as if it told nothing about
//! the wait (censoring), which is not true of people who recover, move or give up: it is longer, and an upper reading.

use serde::Serialize;

use crate::ahead::{Ahead, Path};
use crate::curve::{GROUP_STARTS, GROUPS, LocalCurve, QUANTILES, SUB_AGES};
use crate::months::CellKey;
use crate::tables::{Level, Local, Model, Reason, Specialty, Status};

/// Ages beyond this many weeks are read as this many; the longest waits on record are shorter.
const LONGEST_WAIT: f64 = 520.0;
/// The standard: 18 weeks from referral (NHS Constitution).
const STANDARD_WEEKS: f64 = 18.0;
/// The most points on a curve.
const MOST_POINTS: usize = 1000;
/// A band's quantiles are solved for until a step is shorter than this, in weeks.
const CLOSE_WEEKS: f64 = 1e-6;
/// Halving alone brings a band's answers, a week or so apart, this close in twenty-odd steps.
const MOST_STEPS: usize = 60;

/// A length of time in weeks. When `open_ended`, the true length is more than `weeks` and the data do not say by how
/// much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Weeks {
    /// Weeks, not negative.
    pub weeks: f64,
    /// Whether this is only a lower bound.
    pub open_ended: bool,
}

/// Five points of a distribution of lengths of time, in order: by `p10` one in ten is done, by `p90` nine in ten.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the five are explained together")]
pub struct Quantiles {
    pub p10: Weeks,
    pub p25: Weeks,
    pub p50: Weeks,
    pub p75: Weeks,
    pub p90: Weeks,
}

impl Quantiles {
    /// The five, shortest first.
    #[must_use]
    pub fn at(&self) -> [Weeks; 5] {
        [self.p10, self.p25, self.p50, self.p75, self.p90]
    }

    fn from_array([p10, p25, p50, p75, p90]: [Weeks; 5]) -> Self {
        Self { p10, p25, p50, p75, p90 }
    }
}

/// Probabilities of being off the list, for any reason, within so many weeks from now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probabilities {
    /// Within 4 weeks.
    pub by_4w: f64,
    /// Within 12 weeks.
    pub by_12w: f64,
    /// Within 26 weeks.
    pub by_26w: f64,
    /// Within 52 weeks.
    pub by_52w: f64,
    /// By 18 weeks from the clock start; none if that is past.
    pub within_18w: Option<f64>,
}

/// The answer for a person who has waited so long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Weeks since the clock start, as used.
    pub weeks_waited: f64,
    /// Weeks from now until off the list for any reason.
    pub remaining: Quantiles,
    /// Weeks from the clock start until off the list for any reason.
    pub total: Quantiles,
    /// Weeks from now until treated, if nobody left the list otherwise. An upper reading.
    pub if_you_stay: Quantiles,
    /// Probabilities of being off the list.
    pub probability: Probabilities,
    /// Share of people in this position who leave the list otherwise than by a completed pathway, 0 to 1.
    pub other_removal_share: f64,
}

/// A point of the curve ahead. The three add up to one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Weeks from now.
    pub weeks: f64,
    /// Share still on the list.
    pub still_waiting: f64,
    /// Share whose pathway was completed.
    pub treated: f64,
    /// Share who left the list otherwise.
    pub other: f64,
}

/// What an estimate is based on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Basis {
    /// Whose figures these are, in the main: see `credibility` for what the list itself adds to a wider group's.
    pub level: Level,
    /// People on the list at the end of the base month; none if the provider has no such list.
    pub list_size: Option<u32>,
    /// Pairs of months over which the list (or the wider group) was followed.
    pub months_used: u16,
    /// The weight of the list's own experience against the wider group's, 0 to 1. Over nought also for a list of fewer
    /// than 50 people, whose level is the wider group's.
    pub credibility: f64,
    /// How far to rely on it.
    pub status: Status,
    /// Why, when not [`Status::Ok`].
    pub reasons: Vec<Reason>,
}

/// Makes estimates for one list. Cheap to make and to copy.
#[derive(Clone, Copy, Debug)]
pub struct CellEstimator<'a> {
    model: &'a Model,
    specialty: &'a Specialty,
    local: &'a Local,
    key: CellKey,
    reasons: u8,
    curve: LocalCurve<'a>,
    treated: [f64; GROUPS],
    ahead: Option<Ahead>,
}

impl<'a> CellEstimator<'a> {
    pub(crate) fn new(
        model: &'a Model,
        specialty: &'a Specialty,
        local: &'a Local,
        key: CellKey,
        extra: u8,
    ) -> Self {
        Self {
            model,
            specialty,
            local,
            key,
            reasons: local.reasons | extra,
            curve: LocalCurve::new(&specialty.curve, local.factor),
            treated: specialty.treated,
            ahead: None,
        }
    }

    /// The list asked for.
    #[must_use]
    pub fn key(&self) -> CellKey {
        self.key
    }

    /// What the estimates are based on.
    #[must_use]
    pub fn basis(&self) -> Basis {
        let reasons: Vec<_> =
            Reason::ALL.into_iter().filter(|reason| self.reasons & reason.bit() != 0).collect();
        let missing = Reason::NotOnList.bit() | Reason::UnknownTreatmentFunction.bit();
        let status = if reasons.is_empty() {
            Status::Ok
        } else if self.local.level != Level::ProviderTfc || self.reasons & Reason::SmallList.bit() != 0 {
            Status::Pooled
        } else {
            Status::LowData
        };
        Basis {
            level: self.local.level,
            list_size: (self.reasons & missing == 0).then_some(self.local.list_size),
            months_used: self.local.pairs,
            credibility: self.local.credibility,
            status,
            reasons,
        }
    }

    /// The same list for people with a decision to admit, from parts 1A and 2A. Experimental: it has not been
    /// back-tested. `None` where part 2A is not published.
    #[must_use]
    pub fn with_decision_to_admit(mut self) -> Option<Self> {
        let decided = self.specialty.decided?;
        let mut factor = *self.curve.factor();
        for group in 0..GROUPS {
            factor[group] *= decided[group];
            // Removals stay what they are; only the share of treatment grows with the hazard of treatment.
            let other = (1.0 - self.specialty.treated[group]) / decided[group];
            self.treated[group] = (1.0 - other).clamp(0.0, 1.0);
        }
        self.curve = LocalCurve::new(&self.specialty.curve, factor);
        Some(self)
    }

    /// The same list, with forecasts counted from the last month-end by the working days of the months that follow.
    /// For back-tests and exports; a patient's "now" is another day, and answers for patients use a mean week.
    #[must_use]
    pub fn from_period_end(mut self) -> Self {
        self.ahead = Some(Ahead::after(self.model.base));
        self
    }

    /// The estimate for a person who has waited exactly `weeks_waited`. What is not a number, or negative, is read as
    /// nought; more than ten years as ten years.
    #[must_use]
    pub fn estimate(&self, weeks_waited: f64) -> Estimate {
        let age = bounded(weeks_waited);
        let path = self.path(age);
        let targets = self.local.widening.targets();
        let remaining =
            Quantiles::from_array(targets.map(|target| self.open_or(age, path.reach(&self.curve, target))));
        let mut stay = *self.curve.factor();
        for (factor, treated) in stay.iter_mut().zip(self.treated) {
            *factor *= treated.max(SMALLEST_TREATED);
        }
        let stay = LocalCurve::new(&self.specialty.curve, stay);
        let stay_path = Path::new(&stay, age, self.ahead.as_ref());
        let if_you_stay =
            Quantiles::from_array(targets.map(|target| self.open_or(age, stay_path.reach(&stay, target))));
        let off_by = |weeks| 1.0 - self.survives(&path, weeks);
        Estimate {
            weeks_waited: age,
            remaining,
            total: Quantiles::from_array(
                remaining.at().map(|span| Weeks { weeks: span.weeks + age, open_ended: span.open_ended }),
            ),
            if_you_stay,
            probability: Probabilities {
                by_4w: off_by(4.0),
                by_12w: off_by(12.0),
                by_26w: off_by(26.0),
                by_52w: off_by(52.0),
                within_18w: (age < STANDARD_WEEKS).then(|| off_by(STANDARD_WEEKS - age)),
            },
            other_removal_share: 1.0 - self.treated_by(age, &path, f64::INFINITY),
        }
    }

    /// Remaining weeks for people in a weekly band (`weeks_waited` whole weeks and a fraction not known).
    #[must_use]
    pub fn estimate_band(&self, weeks_waited: u32) -> Quantiles {
        let start = bounded(f64::from(weeks_waited));
        let paths = self.band_paths(start);
        let targets = self.local.widening.targets();
        Quantiles::from_array(std::array::from_fn(|index| {
            self.open_or(start + 0.5, self.band_reach(start, &paths, QUANTILES[index], targets[index]))
        }))
    }

    /// The probability that a person who has waited `weeks_waited` is still on the list `weeks_ahead` later.
    #[must_use]
    pub fn survival(&self, weeks_waited: f64, weeks_ahead: f64) -> f64 {
        self.survives(&self.path(bounded(weeks_waited)), bounded_ahead(weeks_ahead))
    }

    fn survives(&self, path: &Path, ahead: f64) -> f64 {
        self.local.widening.mixture().survival(path.passed(&self.curve, ahead))
    }

    /// [`Self::survival`], averaged over people in a weekly band.
    #[must_use]
    pub fn band_survival(&self, weeks_waited: u32, weeks_ahead: f64) -> f64 {
        let start = bounded(f64::from(weeks_waited));
        self.band_mean(&self.band_paths(start), bounded_ahead(weeks_ahead))
    }

    /// The curve ahead of a person, `points` of them (at most 1000), `step` weeks apart, the first at nought.
    #[must_use]
    pub fn curve(&self, weeks_waited: f64, step: f64, points: usize) -> Vec<CurvePoint> {
        let age = bounded(weeks_waited);
        let step = bounded_ahead(step);
        let path = self.path(age);
        (0..points.min(MOST_POINTS))
            .map(|index| {
                let weeks = bounded_ahead(step * index as f64);
                let still_waiting = self.survives(&path, weeks);
                let treated = self.treated_by(age, &path, weeks).min(1.0 - still_waiting);
                CurvePoint { weeks, still_waiting, treated, other: (1.0 - still_waiting - treated).max(0.0) }
            })
            .collect()
    }

    /// The way ahead from an age.
    fn path(&self, age: f64) -> Path {
        Path::new(&self.curve, age, self.ahead.as_ref())
    }

    fn band_paths(&self, start: f64) -> [Path; SUB_AGES.len()] {
        SUB_AGES.map(|part| self.path(start + part))
    }

    fn band_mean(&self, paths: &[Path], ahead: f64) -> f64 {
        let mixture = self.local.widening.mixture();
        let sum: f64 = paths.iter().map(|path| mixture.survival(path.passed(&self.curve, ahead))).sum();
        sum / paths.len() as f64
    }

    /// Solves for the weeks after which a share `done` of a band is off the list. The answer lies between those for its
    /// youngest and oldest; Newton's method finds it from their mean, halving the interval wherever a step leaves it.
    fn band_reach(&self, start: f64, paths: &[Path], done: f64, target: f64) -> f64 {
        let (mut low, mut high, mut sum) = (f64::INFINITY, 0.0_f64, 0.0);
        for path in paths {
            let weeks = path.reach(&self.curve, target);
            (low, high, sum) = (low.min(weeks), high.max(weeks), sum + weeks);
        }
        let reach = f64::from(self.model.layout.open_from_weeks());
        if high - low <= CLOSE_WEEKS || start + low > reach || high > LONGEST_WAIT {
            return high;
        }
        let mut weeks = sum / paths.len() as f64;
        for _ in 0..MOST_STEPS {
            let (still, fall) = self.band_mean_and_fall(paths, weeks);
            let above = still - (1.0 - done);
            if above > 0.0 {
                low = weeks;
            } else {
                high = weeks;
            }
            let next = weeks + above / fall;
            let next = if next > low && next < high { next } else { f64::midpoint(low, high) };
            let step = (next - weeks).abs();
            weeks = next;
            if step < CLOSE_WEEKS {
                break;
            }
        }
        weeks
    }

    /// [`Self::band_mean`], and how fast it falls a week.
    fn band_mean_and_fall(&self, paths: &[Path], ahead: f64) -> (f64, f64) {
        let mixture = self.local.widening.mixture();
        let (mut still, mut fall) = (0.0, 0.0);
        for path in paths {
            let (passed, rate) = path.passed_and_rate(&self.curve, ahead);
            let (value, slope) = mixture.survival_and_fall(passed);
            still += value;
            fall += slope * rate;
        }
        let count = paths.len() as f64;
        (still / count, fall / count)
    }

    /// The length itself, or the bound the data reach when it lies beyond the last closed band.
    fn open_or(&self, age: f64, weeks: f64) -> Weeks {
        let reach = f64::from(self.model.layout.open_from_weeks());
        if age + weeks > reach {
            Weeks { weeks: (reach - age).max(0.0), open_ended: true }
        } else {
            Weeks { weeks, open_ended: false }
        }
    }

    /// Cumulative incidence of completion (Aalen & Johansen): within an age group the share of exits that are
    /// completions is constant, so it multiplies the group's share of exits.
    fn treated_by(&self, age: f64, path: &Path, ahead: f64) -> f64 {
        let end = age + ahead;
        let mut still = 1.0;
        let mut sum = 0.0;
        for group in 0..GROUPS {
            let next = GROUP_STARTS.get(group + 1).map_or(f64::INFINITY, |&start| start as f64).min(end);
            if next <= age {
                continue;
            }
            let after = if next.is_finite() { self.survives(path, next - age) } else { 0.0 };
            sum += self.treated[group] * (still - after);
            still = after;
            if next >= end || still < 1e-6 {
                break;
            }
        }
        sum.clamp(0.0, 1.0)
    }
}

/// No group of ages is wholly without treatment; keeps the upper reading finite.
const SMALLEST_TREATED: f64 = 0.02;

fn bounded(weeks: f64) -> f64 {
    if weeks.is_nan() { 0.0 } else { weeks.clamp(0.0, LONGEST_WAIT) }
}

fn bounded_ahead(weeks: f64) -> f64 {
    if weeks.is_nan() { 0.0 } else { weeks.clamp(0.0, 2.0 * LONGEST_WAIT) }
}
