//! What the newest figures changed by more than time alone.
//!
//! The same wait, as long as it is today, is put to the model in use and to the one before. The hazard is by the age of
//! the wait, so that time alone changes nothing between the two: what differs comes from the figures.

use serde::Serialize;
use utoipa::ToSchema;
use wait_estimator::{CellKey, Model, Quantiles};

use super::estimating::describe;
use super::{WeeksFigure, rounded};
use crate::snapshot::{ActiveMonth, Estimates};

/// A median that differs by no more than so many weeks has not moved.
const LEAST_WEEKS: f64 = 2.0;
/// Nor one that differs by no more than this share.
const LEAST_SHARE: f64 = 0.20;
/// A pace that differs by more than this factor, here or in England, is named as a cause.
const PACE: f64 = 1.10;
/// So is a list that grew or shrank by at least this share.
const LIST_CHANGE: f64 = 0.05;
/// Changes of lists shorter than this are not told: a percentage of few people could point at one.
const SMALLEST_LIST: u32 = 50;

/// Which way an estimate moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To a longer wait.
    Longer,
    /// To a shorter wait.
    Shorter,
}

/// A likely cause of a move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MovedReason {
    /// A stable code.
    #[schema(example = "list_grew")]
    pub code: &'static str,
    /// The cause as a sentence.
    #[schema(example = "The list has grown by 12 %.")]
    pub text: String,
}

/// An estimate that moved when newer figures came. Both medians are of weeks still to wait, for a wait as long as it
/// is today.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MovedAnswer {
    /// The median by the figures before.
    pub from_median_weeks: WeeksFigure,
    /// The median by the figures in use.
    pub to_median_weeks: WeeksFigure,
    /// Which way.
    pub direction: Direction,
    /// Names the figures before.
    pub from_generation: String,
    /// The month of the figures before, `YYYY-MM`.
    pub from_period: String,
    /// Likely causes; at least one.
    pub why: Vec<MovedReason>,
}

/// What moved for a wait of `weeks` on the list `key`, if anything did.
pub(super) fn moved(
    estimates: &Estimates,
    month: &ActiveMonth,
    key: CellKey,
    weeks: f64,
) -> Option<MovedAnswer> {
    let previous = estimates.previous.as_ref()?;
    let median = |model: &Model| {
        let Quantiles { p50, .. } = model.estimator(&key)?.estimate(weeks).remaining;
        Some(WeeksFigure { value: p50.weeks, open_ended: p50.open_ended })
    };
    let (from, to) = (median(&previous.model)?, median(&estimates.model)?);
    let direction = direction(from, to)?;
    let shown = |weeks: WeeksFigure| WeeksFigure { value: rounded(weeks.value, 10.0), ..weeks };
    Some(MovedAnswer {
        from_median_weeks: shown(from),
        to_median_weeks: shown(to),
        direction,
        from_generation: previous.generation.clone(),
        from_period: previous.model.base().to_string(),
        why: Change { before: &previous.model, now: &estimates.model, month, key, weeks, direction }
            .why(to.value / from.value),
    })
}

/// Which way a median moved, if it certainly moved by more than [`LEAST_WEEKS`] and [`LEAST_SHARE`]. An open-ended one
/// is only known to be longer than its value.
fn direction(from: WeeksFigure, to: WeeksFigure) -> Option<Direction> {
    let least = LEAST_WEEKS.max(LEAST_SHARE * from.value);
    let change = to.value - from.value;
    if change.abs() <= least {
        None
    } else if change > 0.0 {
        (!from.open_ended).then_some(Direction::Longer)
    } else {
        (!to.open_ended).then_some(Direction::Shorter)
    }
}

/// Two models and the wait that differs between them.
struct Change<'a> {
    before: &'a Model,
    now: &'a Model,
    month: &'a ActiveMonth,
    key: CellKey,
    weeks: f64,
    direction: Direction,
}

impl Change<'_> {
    /// The likely causes. `ratio` is the new median against the old.
    fn why(&self, ratio: f64) -> Vec<MovedReason> {
        let Self { before, now, key, .. } = *self;
        let mut why = Vec::new();
        let mut add = |code, text: String| why.push(MovedReason { code, text });
        if before.version() != now.version() {
            add("method_changed", "The way we estimate has changed.".to_owned());
        }
        if before.base() == now.base() && before.months() == now.months() {
            add("figures_revised", "The published figures for the same months were corrected.".to_owned());
        }
        let code = now.current_code(key.provider);
        if before.current_code(key.provider) != code {
            let name = self.month.providers.get(code).and_then(|provider| provider.name.as_deref());
            let name = name.unwrap_or("another provider");
            add("codes_merged", format!("The hospital's figures are now part of those of {name}."));
        }
        if let (Some(was), Some(is)) = (before.estimator(&key), now.estimator(&key))
            && was.basis().level != is.basis().level
        {
            let whose = describe(self.month, now, key, is.basis().level);
            add(
                "other_level",
                format!("The numbers now describe {whose}. Before, they described another group."),
            );
        }
        if let Some((code, text)) = self.list_change() {
            add(code, text);
        }
        let in_england = self.pace_in_england();
        if let Some(pace) = in_england.filter(|pace| self.fits(*pace)) {
            let (code, how) = self.pace_words("slower_in_england", "faster_in_england", pace);
            add(
                code,
                format!(
                    "In England as a whole, people are coming off lists for this care {how} than before."
                ),
            );
        }
        let here = ratio / in_england.unwrap_or(1.0);
        if self.fits(here) {
            let (code, how) = self.pace_words("slower_here", "faster_here", here);
            add(
                code,
                format!(
                    "People are coming off this list {how} than before, compared with the same care elsewhere."
                ),
            );
        }
        if why.is_empty() {
            why.push(MovedReason {
                code: "newer_figures",
                text: "Newer figures were published, and they differ from those before.".to_owned(),
            });
        }
        why
    }

    /// Whether a ratio of medians explains part of the move: large enough, and the same way.
    fn fits(&self, ratio: f64) -> bool {
        match self.direction {
            Direction::Longer => ratio > PACE,
            Direction::Shorter => ratio < 1.0 / PACE,
        }
    }

    fn pace_words(
        &self,
        slower: &'static str,
        faster: &'static str,
        ratio: f64,
    ) -> (&'static str, &'static str) {
        if ratio > 1.0 { (slower, "more slowly") } else { (faster, "faster") }
    }

    /// The new median of the treatment function in England against the old.
    fn pace_in_england(&self) -> Option<f64> {
        let median = |model: &Model| {
            let estimator = model.specialty_estimator(self.key.treatment_function)?;
            let median = estimator.estimate(self.weeks).remaining.p50;
            (!median.open_ended && median.weeks > 0.0).then_some(median.weeks)
        };
        Some(median(self.now)? / median(self.before)?)
    }

    fn list_change(&self) -> Option<(&'static str, String)> {
        let (was, is) = (self.before.list_size(&self.key)?, self.now.list_size(&self.key)?);
        if was.min(is) < SMALLEST_LIST {
            return None;
        }
        let change = f64::from(is) / f64::from(was) - 1.0;
        let percent = (change.abs() * 100.0).round();
        if change >= LIST_CHANGE {
            Some(("list_grew", format!("The list has grown by {percent} %.")))
        } else if change <= -LIST_CHANGE {
            Some(("list_shrank", format!("The list has shrunk by {percent} %.")))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_has_moved_only_by_more_than_two_weeks_and_a_fifth() {
        let exact = |value| WeeksFigure { value, open_ended: false };
        let open = |value| WeeksFigure { value, open_ended: true };
        use Direction::{Longer, Shorter};
        for (from, to, want) in [
            (exact(4.0), exact(6.0), None),
            (exact(4.0), exact(6.1), Some(Longer)),
            (exact(20.0), exact(24.0), None),
            (exact(20.0), exact(24.1), Some(Longer)),
            (exact(20.0), exact(15.9), Some(Shorter)),
            (exact(20.0), open(40.0), Some(Longer)),
            (exact(60.0), open(40.0), None),
            (open(40.0), exact(20.0), Some(Shorter)),
            (open(40.0), exact(60.0), None),
            (open(40.0), open(40.0), None),
        ] {
            assert_eq!(direction(from, to), want, "{from:?} {to:?}");
        }
    }
}
