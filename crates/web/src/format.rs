//! Dates, times, numbers and names as they are written for people.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::London;

/// `3 February 2026`.
pub(crate) fn date(date: NaiveDate) -> String {
    date.format("%-d %B %Y").to_string()
}

/// The time of day in London, `09:05`.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.with_timezone(&London).format("%H:%M").to_string()
}

/// Day and time in London, `3 February 2026 at 09:05`.
pub(crate) fn date_time(at: DateTime<Utc>) -> String {
    format!("{} at {}", date(at.with_timezone(&London).date_naive()), time(at))
}

/// A number with its thousands parted, `7,155,958`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `13.6 weeks`.
pub(crate) fn weeks(weeks: f64) -> String {
    format!("{weeks:.1} weeks")
}

/// A share as people in a hundred, `61 in 100`. Neither all nor none is said unless it is so.
pub(crate) fn in_100(share: f64) -> String {
    let hundredths = share * 100.0;
    if share > 0.0 && hundredths < 1.0 {
        "fewer than 1 in 100".to_owned()
    } else if share < 1.0 && hundredths > 99.0 {
        "more than 99 in 100".to_owned()
    } else {
        format!("{hundredths:.0} in 100")
    }
}

/// How long ago, `40 days` or `295 days (about 10 months)`.
pub(crate) fn age(days: i64) -> String {
    const DAYS_OF_A_MONTH: i64 = 30;
    match (days, (days + DAYS_OF_A_MONTH / 2) / DAYS_OF_A_MONTH) {
        (1, _) => "1 day".to_owned(),
        (days, months) if months < 2 => format!("{days} days"),
        (days, months) => format!("{days} days (about {months} months)"),
    }
}

/// The name of an organisation without shouting: the published figures write many in capitals. A name with
/// small letters of its own is left as it is.
pub(crate) fn organisation_name(name: &str) -> String {
    if name.chars().any(char::is_lowercase) {
        return name.trim().to_owned();
    }
    let words: Vec<String> =
        name.split_whitespace().enumerate().map(|(place, word)| calm_word(word, place == 0)).collect();
    words.join(" ")
}

/// A sentence in which names from the published figures do not shout.
pub(crate) fn calm(sentence: &str) -> String {
    let is_loud = |word: &str| {
        word.chars().filter(|letter| letter.is_alphabetic()).count() > 1
            && !word.chars().any(char::is_lowercase)
    };
    let words: Vec<String> = sentence
        .split(' ')
        .map(|word| if is_loud(word) { calm_word(word, false) } else { word.to_owned() })
        .collect();
    words.join(" ")
}

/// A month as the figures write it, `2026-01`, in words: `January 2026`. Anything else stays as it is.
pub(crate) fn month(month: &str) -> String {
    NaiveDate::parse_from_str(&format!("{month}-01"), "%Y-%m-%d")
        .map_or_else(|_| month.to_owned(), |day| day.format("%B %Y").to_string())
}

fn calm_word(word: &str, first: bool) -> String {
    const SMALL: [&str; 8] = ["and", "at", "for", "in", "of", "on", "the", "with"];
    const TITLES: [&str; 4] = ["St", "Dr", "Mr", "Ltd"];
    const ABBREVIATIONS: [&str; 9] = ["NHS", "UK", "CIC", "BMI", "HCA", "ICB", "IVF", "GP", "II"];
    let letters: String = word.chars().filter(|c| c.is_alphabetic()).collect();
    let is_any = |list: &[&str]| list.iter().any(|known| letters.eq_ignore_ascii_case(known));
    if !first && is_any(&SMALL) {
        return word.to_lowercase();
    }
    let holds_vowel = letters.chars().any(|c| "AEIOUY".contains(c));
    if is_any(&ABBREVIATIONS) || (!holds_vowel && !is_any(&TITLES)) {
        return word.to_owned();
    }
    let mut out = String::with_capacity(word.len());
    // A letter after an apostrophe begins a name only when one letter stands before: O'Neill, but George's.
    let mut run = 0_usize;
    let mut capital = true;
    for letter in word.chars() {
        if letter.is_alphanumeric() {
            if capital {
                out.push(letter)
            } else {
                out.extend(letter.to_lowercase())
            }
            capital = false;
            run += 1;
        } else {
            capital = !matches!(letter, '\'' | '\u{2019}') || run == 1;
            run = 0;
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn dates_and_times_are_those_of_london() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        assert_eq!(date(day(2026, 2, 3)), "3 February 2026");
        assert_eq!(date(day(2026, 12, 31)), "31 December 2026");
        let at = |month, h, min| Utc.with_ymd_and_hms(2026, month, 10, h, min, 59).unwrap();
        assert_eq!(time(at(1, 9, 5)), "09:05");
        assert_eq!(time(at(7, 9, 5)), "10:05");
        assert_eq!(date_time(at(7, 23, 30)), "11 July 2026 at 00:30");
        assert_eq!(date_time(at(1, 23, 30)), "10 January 2026 at 23:30");
    }

    #[test]
    fn thousands_are_parted() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (100_000, "100,000"),
            (7_155_958, "7,155,958"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn weeks_have_one_decimal() {
        for (number, text) in
            [(0.0, "0.0 weeks"), (13.62, "13.6 weeks"), (1.0, "1.0 weeks"), (103.96, "104.0 weeks")]
        {
            assert_eq!(weeks(number), text);
        }
    }

    #[test]
    fn a_share_never_claims_all_or_none_unless_it_is_so() {
        for (share, text) in [
            (0.0, "0 in 100"),
            (0.001, "fewer than 1 in 100"),
            (0.0099, "fewer than 1 in 100"),
            (0.01, "1 in 100"),
            (0.614, "61 in 100"),
            (0.99, "99 in 100"),
            (0.991, "more than 99 in 100"),
            (0.999, "more than 99 in 100"),
            (1.0, "100 in 100"),
        ] {
            assert_eq!(in_100(share), text, "{share}");
        }
    }

    #[test]
    fn ages_are_days_and_then_months_too() {
        for (days, text) in [
            (0, "0 days"),
            (1, "1 day"),
            (44, "44 days"),
            (45, "45 days (about 2 months)"),
            (295, "295 days (about 10 months)"),
        ] {
            assert_eq!(age(days), text);
        }
    }

    #[test]
    fn months_are_named() {
        for (month, text) in [("2026-01", "January 2026"), ("2014-12", "December 2014"), ("later", "later")] {
            assert_eq!(super::month(month), text);
        }
    }

    #[test]
    fn names_in_a_sentence_do_not_shout_and_the_rest_stays() {
        for (sentence, calmed) in [
            (
                "people waiting for Ophthalmology at THE OXFORD CLINIC NHS TRUST",
                "people waiting for Ophthalmology at the Oxford Clinic NHS Trust",
            ),
            ("The list has grown by 12 %. A reason.", "The list has grown by 12 %. A reason."),
        ] {
            assert_eq!(calm(sentence), calmed);
        }
    }

    #[test]
    fn names_do_not_shout() {
        for (name, calm) in [
            (
                "OXFORD UNIVERSITY HOSPITALS NHS FOUNDATION TRUST",
                "Oxford University Hospitals NHS Foundation Trust",
            ),
            ("ST GEORGE'S UNIVERSITY HOSPITALS", "St George's University Hospitals"),
            ("THE QUEEN ELIZABETH HOSPITAL, KING'S LYNN", "The Queen Elizabeth Hospital, King's Lynn"),
            ("ISLE OF WIGHT NHS TRUST", "Isle of Wight NHS Trust"),
            ("STOKE-ON-TRENT (NORTH)", "Stoke-On-Trent (North)"),
            ("BMI - THE O'NEILL CLINIC LTD", "BMI - the O'Neill Clinic Ltd"),
            ("HCRG CARE", "HCRG Care"),
            ("Duchy Hospital", "Duchy Hospital"),
            ("  SPACE   HOSPITAL ", "Space Hospital"),
            ("", ""),
        ] {
            assert_eq!(organisation_name(name), calm);
        }
    }
}
