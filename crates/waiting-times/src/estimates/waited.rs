//! How long somebody has waited, as they tell it.

use chrono::{Months, NaiveDate};

/// The longest wait asked about, in weeks.
const LONGEST_WEEKS: f64 = 520.0;
/// A clock start further back than this is a mistake.
const LONGEST_MONTHS: Months = Months::new(120);

/// Weeks since a clock start, not negative. It is a patient's: it stands in no log, no metric and no cache key, and
/// `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct WeeksWaited(f64);

impl std::fmt::Debug for WeeksWaited {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("WeeksWaited(..)")
    }
}

/// Why a clock start is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockStartFault {
    /// It lies in the future.
    #[error("the clock start must not be in the future")]
    InTheFuture,
    /// It lies over ten years back.
    #[error("the clock start must not be more than 10 years ago")]
    TooLongAgo,
}

impl WeeksWaited {
    /// So many weeks; `None` outside 0 to 520.
    #[must_use]
    pub fn new(weeks: f64) -> Option<Self> {
        (0.0..=LONGEST_WEEKS).contains(&weeks).then_some(Self(weeks))
    }

    /// The weeks since `clock_start`, seen from `today` in England.
    ///
    /// # Errors
    /// When the day lies in the future or over ten years back.
    pub fn since(clock_start: NaiveDate, today: NaiveDate) -> Result<Self, ClockStartFault> {
        if clock_start > today {
            return Err(ClockStartFault::InTheFuture);
        }
        if today.checked_sub_months(LONGEST_MONTHS).is_some_and(|earliest| clock_start < earliest) {
            return Err(ClockStartFault::TooLongAgo);
        }
        Ok(Self::of_days(today.signed_duration_since(clock_start).num_days()))
    }

    /// So many days.
    #[expect(clippy::cast_precision_loss, reason = "days of a life are few")]
    pub(crate) fn of_days(days: i64) -> Self {
        Self(days.max(0) as f64 / 7.0)
    }

    /// The weeks.
    #[must_use]
    pub fn weeks(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn weeks_are_from_nought_to_520() {
        for (weeks, want) in [
            (0.0, true),
            (18.3, true),
            (520.0, true),
            (520.1, false),
            (-0.1, false),
            (f64::NAN, false),
            (f64::INFINITY, false),
        ] {
            assert_eq!(WeeksWaited::new(weeks).is_some(), want, "{weeks}");
        }
    }

    #[test]
    fn a_clock_start_is_a_day_of_the_last_ten_years() {
        let today = day(2026, 3, 20);
        for (start, want) in [
            (today, Ok(0.0)),
            (day(2026, 3, 13), Ok(1.0)),
            (day(2025, 3, 20), Ok(365.0 / 7.0)),
            (day(2016, 3, 20), Ok(3652.0 / 7.0)),
            (day(2016, 3, 19), Err(ClockStartFault::TooLongAgo)),
            (day(2026, 3, 21), Err(ClockStartFault::InTheFuture)),
            (NaiveDate::MIN, Err(ClockStartFault::TooLongAgo)),
        ] {
            assert_eq!(WeeksWaited::since(start, today).map(WeeksWaited::weeks), want, "{start}");
        }
        assert!(!format!("{:?}", WeeksWaited::new(18.3)).contains("18"));
    }
}
