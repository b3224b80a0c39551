//! Working days of England: the exposure of a month.
//!
//! Clinics and theatres that stop clocks run on working days, so a month with fewer of them empties a list more slowly. England's bank holidays
//! follow rules (Banking and Financial Dealings Act 1971, and the proclamations under it): New Year's Day, Good
//! Friday, Easter Monday, the first and last Monday in May, the last Monday in August, Christmas Day and Boxing Day;
//! one that falls on a weekend moves to the next working day. One-off holidays are listed by date.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Working days in a mean week of England: 253 in a year of 365.25 days.
pub(crate) const MEAN_PER_WEEK: f64 = 253.0 * 7.0 / 365.25;

/// Bank holidays moved or added once, by proclamation: (year, month, day, whether it is a holiday).
const EXCEPTIONS: [(i32, u32, u32, bool); 11] = [
    (2011, 4, 29, true),
    (2012, 5, 28, false),
    (2012, 6, 4, true),
    (2012, 6, 5, true),
    (2020, 5, 4, false),
    (2020, 5, 8, true),
    (2022, 5, 30, false),
    (2022, 6, 2, true),
    (2022, 6, 3, true),
    (2022, 9, 19, true),
    (2023, 5, 8, true),
];

/// Working days after `from`, up to and with `to`. Nought when `to` is not after `from`.
pub(crate) fn working_days(from: NaiveDate, to: NaiveDate) -> u32 {
    let mut day = from;
    let mut count = 0;
    while let Some(next) = day.checked_add_days(Days::new(1)).filter(|next| *next <= to) {
        count += u32::from(is_working_day(next));
        day = next;
    }
    count
}

fn is_working_day(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !is_bank_holiday(day)
}

fn is_bank_holiday(day: NaiveDate) -> bool {
    let (year, month, date) = (day.year(), day.month(), day.day());
    if let Some(&(.., holiday)) = EXCEPTIONS.iter().find(|&&(y, m, d, _)| (y, m, d) == (year, month, date)) {
        return holiday;
    }
    let monday = day.weekday() == Weekday::Mon;
    match month {
        1 => date == 1 || (monday && date <= 3),
        3 | 4 => {
            let from_easter = i64::from(day.num_days_from_ce()) - i64::from(easter(year).unwrap_or(0));
            from_easter == -2 || from_easter == 1
        }
        5 => monday && (date <= 7 || date >= 25),
        8 => monday && date >= 25,
        // Christmas and Boxing Day, or what they move to when one or both fall on a weekend.
        12 => {
            matches!(date, 25 | 26)
                || (matches!(date, 27 | 28) && matches!(day.weekday(), Weekday::Mon | Weekday::Tue))
        }
        _ => false,
    }
}

/// Easter Sunday as days from the common era, by the anonymous Gregorian rule (Meeus, Astronomical Algorithms, ch. 8).
fn easter(year: i32) -> Option<i32> {
    let golden = year % 19;
    let (century, rest) = (year / 100, year % 100);
    let correction = (8 * century + 13) / 25;
    let epact = (19 * golden + century - century / 4 - correction + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4) % 7;
    let shift = (golden + 11 * epact + 22 * weekday) / 451;
    let code = epact + weekday - 7 * shift + 114;
    let (month, day) = (u32::try_from(code / 31).ok()?, u32::try_from(code % 31).ok()? + 1);
    NaiveDate::from_ymd_opt(year, month, day).map(|date| date.num_days_from_ce())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Period;

    #[test]
    fn working_days_of_months_known_from_the_wall_calendar() {
        for (year, month, want) in [
            (2009, 12, 21), // Boxing Day on a Saturday moves to Monday 28
            (2010, 1, 20),
            (2010, 4, 20), // Good Friday 2, Easter Monday 5
            (2010, 5, 19),
            (2014, 12, 21),
            (2015, 1, 21),
            (2015, 2, 20),
            (2015, 4, 20),
            (2015, 5, 19),
            (2022, 1, 20),  // 1 January on a Saturday moves to Monday 3
            (2022, 6, 20),  // Jubilee
            (2021, 12, 21), // 25 and 26 on a weekend move to 27 and 28
            (2026, 8, 20),
            (2024, 3, 20), // Good Friday 29 March
        ] {
            let last = Period::new(year, month).unwrap().last_day();
            let before = Period::new(year, month).unwrap().first_day().pred_opt().unwrap();
            assert_eq!(working_days(before, last), want, "{year}-{month}");
        }
    }
}
