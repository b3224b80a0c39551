//! How long somebody has waited, as they typed it into a form: in weeks, or by the day the wait began. It is read for
//! one answer and kept nowhere.

use chrono::NaiveDate;
use serde::Deserialize;
use waiting_times::WaitingTimes;
use waiting_times::estimates::{ClockStartFault, WeeksWaited};

/// The longest text looked at: more digits than any number here has.
const LONGEST: usize = 8;

/// The fields, as they were sent. `Debug` does not show them.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct WaitForm {
    /// Weeks, with a decimal or without.
    pub(crate) weeks: String,
    /// The day the wait began, in parts.
    pub(crate) day: String,
    pub(crate) month: String,
    pub(crate) year: String,
}

impl std::fmt::Debug for WaitForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitForm").finish_non_exhaustive()
    }
}

/// What has to be put right, beside its field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WaitErrors {
    pub(crate) weeks: Option<&'static str>,
    pub(crate) date: Option<&'static str>,
}

impl WaitForm {
    /// The wait; none where nothing was typed.
    pub(crate) fn read(&self, figures: &WaitingTimes) -> Result<Option<WeeksWaited>, WaitErrors> {
        self.read_with(|day| figures.weeks_since(day))
    }

    fn read_with(
        &self,
        since: impl Fn(NaiveDate) -> Result<WeeksWaited, ClockStartFault>,
    ) -> Result<Option<WeeksWaited>, WaitErrors> {
        let weeks = self.weeks.trim();
        let date = [&self.day, &self.month, &self.year].map(|part| part.trim());
        let has_date = date.iter().any(|part| !part.is_empty());
        match (weeks.is_empty(), has_date) {
            (true, false) => Ok(None),
            (false, true) => {
                Err(WaitErrors { weeks: Some("Enter the weeks or the day, not both"), date: None })
            }
            (false, false) => number(weeks)
                .and_then(WeeksWaited::new)
                .map(Some)
                .ok_or(WaitErrors { weeks: Some("Enter weeks as a number from 0 to 520"), date: None }),
            (true, true) => {
                let wrong = |message| WaitErrors { weeks: None, date: Some(message) };
                let day = day(date).ok_or(wrong("Enter a real day, such as 27 3 2026"))?;
                since(day).map(Some).map_err(|fault| {
                    wrong(match fault {
                        ClockStartFault::InTheFuture => "Enter a day that is not in the future",
                        ClockStartFault::TooLongAgo => "Enter a day in the last 10 years",
                    })
                })
            }
        }
    }

    /// The fields for an address, those that are filled.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("weeks", &self.weeks), ("day", &self.day), ("month", &self.month), ("year", &self.year)]
            .into_iter()
            .map(|(name, value)| (name, value.trim()))
            .filter(|(_, value)| !value.is_empty() && value.len() <= LONGEST)
    }
}

/// Digits, with a decimal point or without; nothing else that a program might take for a number.
fn number(text: &str) -> Option<f64> {
    let good = text.len() <= LONGEST && text.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    if good { text.parse().ok() } else { None }
}

fn day([day, month, year]: [&str; 3]) -> Option<NaiveDate> {
    let part = |text: &str| {
        let good = text.len() <= 4 && text.chars().all(|letter| letter.is_ascii_digit());
        if good { text.parse::<u32>().ok() } else { None }
    };
    NaiveDate::from_ymd_opt(i32::try_from(part(year)?).ok()?, part(month)?, part(day)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, 20).unwrap()
    }

    fn read(weeks: &str, date: [&str; 3]) -> Result<Option<f64>, WaitErrors> {
        let [day, month, year] = date.map(str::to_owned);
        let form = WaitForm { weeks: weeks.to_owned(), day, month, year };
        form.read_with(|day| WeeksWaited::since(day, today())).map(|weeks| weeks.map(WeeksWaited::weeks))
    }

    #[test]
    fn a_wait_is_read_in_weeks_or_from_its_day() {
        let none = ["", "", ""];
        for (weeks, date, want) in [
            ("", none, None),
            (" ", ["", " ", ""], None),
            ("18", none, Some(18.0)),
            (" 18.5 ", none, Some(18.5)),
            ("0", none, Some(0.0)),
            ("520", none, Some(520.0)),
            ("", ["13", "3", "2026"], Some(1.0)),
            ("", ["06", "03", "2026"], Some(2.0)),
        ] {
            assert_eq!(read(weeks, date), Ok(want), "{weeks:?} {date:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_said_at_its_field() {
        let none = ["", "", ""];
        for (weeks, date, field) in [
            ("many", none, "weeks"),
            ("-1", none, "weeks"),
            ("521", none, "weeks"),
            ("NaN", none, "weeks"),
            ("inf", none, "weeks"),
            ("1e2", none, "weeks"),
            ("18,5", none, "weeks"),
            (".", none, "weeks"),
            ("000000018", none, "weeks"),
            ("18", ["1", "1", "2026"], "weeks"),
            ("", ["31", "2", "2026"], "date"),
            ("", ["1", "", ""], "date"),
            ("", ["", "", "2026"], "date"),
            ("", ["1", "1", "26"], "date"),
            ("", ["+1", "1", "2026"], "date"),
            ("", ["1", "1", "99999"], "date"),
            ("", ["21", "3", "2026"], "date"),
            ("", ["19", "3", "2016"], "date"),
        ] {
            let errors = read(weeks, date).unwrap_err();
            assert_eq!(errors.weeks.is_some(), field == "weeks", "{weeks:?} {date:?}");
            assert_eq!(errors.date.is_some(), field == "date", "{weeks:?} {date:?}");
        }
    }

    #[test]
    fn only_what_was_typed_goes_into_an_address() {
        let form = WaitForm { weeks: " 18 ".to_owned(), year: "123456789".to_owned(), ..WaitForm::default() };
        assert_eq!(form.pairs().collect::<Vec<_>>(), [("weeks", "18")]);
        assert!(!format!("{form:?}").contains("18"));
    }
}
