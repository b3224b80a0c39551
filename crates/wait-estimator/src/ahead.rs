//! The calendar ahead of a month-end: how fast lists empty in each of the months that follow.

use chrono::{Months, NaiveDate};

use crate::calendar::{MEAN_PER_WEEK, working_days};
use crate::curve::LocalCurve;
use crate::model::Period;

/// Months ahead that are looked up; after them every week is a mean week.
const MONTHS: usize = 12;
/// How much of a month's lack of working days shows in its exits. Not all of it: clinics catch up.
const ELASTICITY: f64 = 0.6;

/// The pace of a span of days against a mean week.
pub(crate) fn pace(from: NaiveDate, to: NaiveDate) -> f64 {
    let days = (to - from).num_days();
    if days <= 0 {
        return 1.0;
    }
    let ratio = f64::from(working_days(from, to)) * 7.0 / (days as f64 * MEAN_PER_WEEK);
    1.0 + ELASTICITY * (ratio - 1.0)
}

/// Month by month: weeks from the month-end to the end of the month, and its pace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ahead {
    ends: [f64; MONTHS],
    paces: [f64; MONTHS],
}

impl Ahead {
    pub(crate) fn after(base: Period) -> Self {
        let origin = base.last_day();
        let mut ahead = Self { ends: [0.0; MONTHS], paces: [1.0; MONTHS] };
        let mut from = origin;
        for month in 0..MONTHS {
            let count = u32::try_from(month).unwrap_or(0) + 1;
            let Some(to) = base
                .first_day()
                .checked_add_months(Months::new(count + 1))
                .and_then(|first| first.pred_opt())
            else {
                break;
            };
            ahead.ends[month] = (to - origin).num_days() as f64 / 7.0;
            ahead.paces[month] = pace(from, to);
            from = to;
        }
        ahead
    }
}

/// The way ahead of a person: hazard passed as weeks go by, month by month where a calendar is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    age: f64,
    knots: usize,
    /// Weeks from now at which each span of constant pace begins.
    starts: [f64; MONTHS + 1],
    paces: [f64; MONTHS + 1],
    /// The curve's cumulative hazard there.
    cumulative: [f64; MONTHS + 1],
    /// The hazard passed by then, at the paces so far.
    passed: [f64; MONTHS + 1],
}

impl Path {
    /// The way ahead of a person of `age`, in mean weeks or along a calendar that begins now.
    pub(crate) fn new(curve: &LocalCurve<'_>, age: f64, calendar: Option<&Ahead>) -> Self {
        let mut path = Self {
            age,
            knots: 1,
            starts: [0.0; MONTHS + 1],
            paces: [1.0; MONTHS + 1],
            cumulative: [curve.cumulative(age); MONTHS + 1],
            passed: [0.0; MONTHS + 1],
        };
        if let Some(calendar) = calendar {
            path.knots = MONTHS + 1;
            for month in 0..MONTHS {
                path.paces[month] = calendar.paces[month];
                path.starts[month + 1] = calendar.ends[month];
                path.cumulative[month + 1] = curve.cumulative(age + calendar.ends[month]);
                path.passed[month + 1] = path.passed[month]
                    + calendar.paces[month] * (path.cumulative[month + 1] - path.cumulative[month]);
            }
        }
        path
    }

    /// The hazard passed in `ahead` weeks.
    pub(crate) fn passed(&self, curve: &LocalCurve<'_>, ahead: f64) -> f64 {
        self.passed_and_rate(curve, ahead).0
    }

    /// [`Self::passed`], and how much passes a week just then.
    pub(crate) fn passed_and_rate(&self, curve: &LocalCurve<'_>, ahead: f64) -> (f64, f64) {
        let span = self.starts[1..self.knots].partition_point(|&start| start <= ahead);
        let age = self.age + ahead;
        let pace = self.paces[span];
        (self.passed[span] + pace * (curve.cumulative(age) - self.cumulative[span]), pace * curve.hazard(age))
    }

    /// The weeks after which a hazard of `target` has passed.
    pub(crate) fn reach(&self, curve: &LocalCurve<'_>, target: f64) -> f64 {
        let span = self.passed[1..self.knots].partition_point(|&passed| passed <= target);
        let sum = self.cumulative[span] + (target - self.passed[span]) / self.paces[span];
        (curve.age_at(sum) - self.age).max(self.starts[span])
    }
}
