//! The one place that asks the machine what time it is.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Duration, NaiveDate, SubsecRound, Utc};

/// Tells the time. Handed to whatever needs it, so that every rule can be tested at any date.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, cut to microseconds: PostgreSQL keeps no more, and an instant must read back
    /// as it was written on either database.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock shared by everything that runs in one process.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the ambient clock is read")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock that stands still until it is moved. Clones share the same hands.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<DateTime<Utc>>>);

impl ManualClock {
    /// A clock standing at `at`.
    #[must_use]
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(at.trunc_subsecs(6))))
    }

    /// Moves the hands to `at`, forwards or back.
    pub fn set(&self, at: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = at.trunc_subsecs(6);
    }

    /// Moves the hands by `by`.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *hands += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The civil date in England at `at`. Ages, waits and campaign windows are counted in these dates.
#[must_use]
pub fn london_date(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&chrono_tz::Europe::London).date_naive()
}

/// Whole years from `born` to `on`. A person born on 29 February comes of age on 1 March of a common year.
#[must_use]
pub fn age_in_years(born: NaiveDate, on: NaiveDate) -> Option<u32> {
    on.years_since(born)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn the_civil_date_follows_summer_time() {
        let winter = Utc.with_ymd_and_hms(2026, 1, 10, 23, 30, 0).unwrap();
        let summer = Utc.with_ymd_and_hms(2026, 7, 10, 23, 30, 0).unwrap();
        assert_eq!(london_date(winter).to_string(), "2026-01-10");
        assert_eq!(london_date(summer).to_string(), "2026-07-11");
    }

    #[test]
    fn a_clone_of_a_manual_clock_shows_the_same_time() {
        let clock = ManualClock::new(Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap());
        let other = clock.clone();
        clock.advance(Duration::minutes(5));
        assert_eq!(other.now(), Utc.with_ymd_and_hms(2026, 1, 1, 0, 5, 0).unwrap());
    }

    #[test]
    fn a_leap_day_birthday_falls_on_the_first_of_march() {
        let born = NaiveDate::from_ymd_opt(2012, 2, 29).unwrap();
        assert_eq!(age_in_years(born, NaiveDate::from_ymd_opt(2025, 2, 28).unwrap()), Some(12));
        assert_eq!(age_in_years(born, NaiveDate::from_ymd_opt(2025, 3, 1).unwrap()), Some(13));
    }
}
