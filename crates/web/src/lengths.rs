//! How lengths of time that lie ahead, and shares of people, are said: rounded as coarsely as they are known, in
//! words a child of ten can read, and never as nobody or everybody.

use waiting_times::answers::WeeksFigure;

/// Below this many weeks a length is said to the week.
const TO_THE_WEEK: f64 = 8.0;
/// Up to this many weeks a length is said to two weeks; beyond, in months.
const TO_TWO_WEEKS: f64 = 26.0;
/// Weeks of a mean month.
const WEEKS_OF_A_MONTH: f64 = 365.25 / 12.0 / 7.0;

/// A rounded length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rounded {
    UnderAWeek,
    Weeks(u32),
    Months(u32),
}

/// A length of time ahead, as it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ahead {
    rounded: Rounded,
    /// Whether only "longer than this" is known.
    open_ended: bool,
}

impl Ahead {
    /// Rounds a length: to the nearest step, or, where only "longer than this" is known, down, so that what is said
    /// stays true.
    pub(crate) fn new(figure: WeeksFigure) -> Self {
        let WeeksFigure { value, open_ended } = figure;
        let to = |step: f64| {
            let steps = value / step;
            whole(if open_ended { steps.floor() } else { steps.round() })
        };
        let rounded = if value > TO_TWO_WEEKS {
            Rounded::Months(to(WEEKS_OF_A_MONTH).max(1))
        } else if value >= TO_THE_WEEK {
            Rounded::Weeks(2 * to(2.0))
        } else {
            match to(1.0) {
                0 => Rounded::UnderAWeek,
                weeks => Rounded::Weeks(weeks),
            }
        };
        Self { rounded, open_ended }
    }

    pub(crate) fn is_open_ended(self) -> bool {
        self.open_ended
    }

    /// The limit that is said after "within" and after "longer than": `12 weeks`, `1 week`.
    pub(crate) fn limit(self) -> String {
        match self.rounded {
            Rounded::UnderAWeek | Rounded::Weeks(1) => "1 week".to_owned(),
            Rounded::Weeks(number) => format!("{number} weeks"),
            Rounded::Months(1) => "1 month".to_owned(),
            Rounded::Months(number) => format!("{number} months"),
        }
    }
}

/// Three points of what lies ahead: by the first 1 in 10 is done, by the second half are, by the third 9 in 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) p10: Ahead,
    pub(crate) p50: Ahead,
    pub(crate) p90: Ahead,
}

impl Spread {
    pub(crate) fn new(p10: WeeksFigure, p50: WeeksFigure, p90: WeeksFigure) -> Self {
        Self { p10: Ahead::new(p10), p50: Ahead::new(p50), p90: Ahead::new(p90) }
    }

    /// Whether any number can be said: beyond the last published band not even the shortest is known.
    pub(crate) fn is_known(self) -> bool {
        !self.p10.open_ended
    }

    /// The middle eight of ten, without a verb: `between about 3 and 20 more weeks`. `more` stands before the unit, or
    /// is blank.
    pub(crate) fn range(self, more: &str) -> String {
        let said = |ahead: Ahead| match ahead.rounded {
            Rounded::UnderAWeek => format!("1{more} week"),
            Rounded::Weeks(1) => format!("1{more} week"),
            Rounded::Weeks(number) => format!("{number}{more} weeks"),
            Rounded::Months(1) => format!("1{more} month"),
            Rounded::Months(number) => format!("{number}{more} months"),
        };
        match (self.p10, self.p90) {
            (low, _) if low.open_ended => format!("over {}", said(low)),
            (low, high) if high.open_ended && low.rounded == Rounded::UnderAWeek => {
                format!("anything from under 1{more} week to over {}", said(high))
            }
            (low, high) if high.open_ended => {
                format!("from about {} to over {}", said(low), said(high))
            }
            (low, high) if low.rounded == high.rounded && low.rounded == Rounded::UnderAWeek => {
                format!("less than 1{more} week")
            }
            (low, high) if low.rounded == high.rounded => format!("about {}", said(high)),
            (Ahead { rounded: Rounded::UnderAWeek, .. }, high) => format!("up to about {}", said(high)),
            (Ahead { rounded: Rounded::Weeks(low), .. }, high @ Ahead { rounded: Rounded::Weeks(_), .. })
            | (
                Ahead { rounded: Rounded::Months(low), .. },
                high @ Ahead { rounded: Rounded::Months(_), .. },
            ) => {
                format!("between about {low} and {}", said(high))
            }
            (low, high) => format!("between about {} and {}", said(low), said(high)),
        }
    }

    /// The same in natural frequencies: what becomes of ten people. Each line weighs the same, the long end too.
    pub(crate) fn of_ten(self) -> Vec<String> {
        let mut lines = Vec::with_capacity(3);
        if self.p50.open_ended {
            lines.push(format!("about 5 or more wait longer than {}", self.p50.limit()));
        } else {
            lines.push(format!("about 5 come off the list within {}", self.p50.limit()));
        }
        if !self.p10.open_ended && self.p10.limit() != self.p50.limit() {
            lines.push(format!("about 1 comes off the list within {}", self.p10.limit()));
        }
        if self.p90.open_ended && !self.p50.open_ended {
            lines.push(format!("1 or more wait longer than {}", self.p90.limit()));
        } else if !self.p90.open_ended {
            lines.push(format!("about 1 waits longer than {}", self.p90.limit()));
        }
        lines
    }
}

/// A share of ten people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfTen {
    /// Under half a person: some, but fewer than 1.
    FewerThanOne,
    /// From 1 to 9.
    About(u32),
    /// Over nine and a half: nearly all, but not all.
    MoreThanNine,
}

impl OfTen {
    /// The share `probability` of ten, from 0 to 1. Neither none nor all is ever said.
    pub(crate) fn new(probability: f64) -> Self {
        let tenths = probability.clamp(0.0, 1.0) * 10.0;
        match whole(tenths.round()) {
            0 => Self::FewerThanOne,
            10.. => Self::MoreThanNine,
            number => Self::About(number),
        }
    }

    /// Those of the ten who are left.
    pub(crate) fn others(self) -> Self {
        match self {
            Self::FewerThanOne => Self::MoreThanNine,
            Self::About(number) => Self::About(10_u32.saturating_sub(number)),
            Self::MoreThanNine => Self::FewerThanOne,
        }
    }

    /// `about 3 in 10`.
    pub(crate) fn text(self) -> String {
        match self {
            Self::FewerThanOne => "fewer than 1 in 10".to_owned(),
            Self::About(number) => format!("about {number} in 10"),
            Self::MoreThanNine => "more than 9 in 10".to_owned(),
        }
    }
}

/// A small number that is not negative, as an integer.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held inside what u32 holds")]
fn whole(number: f64) -> u32 {
    number.clamp(0.0, 100_000.0) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn closed(value: f64) -> WeeksFigure {
        WeeksFigure { value, open_ended: false }
    }

    fn open(value: f64) -> WeeksFigure {
        WeeksFigure { value, open_ended: true }
    }

    #[test]
    fn lengths_are_said_as_coarsely_as_they_are_known() {
        for (figure, text) in [
            (closed(0.0), "1 week"),
            (closed(0.6), "1 week"),
            (closed(1.4), "1 week"),
            (closed(7.4), "7 weeks"),
            (closed(7.9), "8 weeks"),
            (closed(8.9), "8 weeks"),
            (closed(9.0), "10 weeks"),
            (closed(13.4), "14 weeks"),
            (closed(26.0), "26 weeks"),
            (closed(26.1), "6 months"),
            (closed(40.0), "9 months"),
            (closed(52.0), "12 months"),
            (closed(103.9), "24 months"),
            (open(7.9), "7 weeks"),
            (open(9.9), "8 weeks"),
            (open(30.0), "6 months"),
            (open(86.0), "19 months"),
            (closed(f64::NAN), "1 week"),
            (closed(f64::INFINITY), "100000 months"),
        ] {
            assert_eq!(Ahead::new(figure).limit(), text, "{figure:?}");
        }
    }

    #[test]
    fn a_range_reads_as_a_sentence_whatever_its_ends() {
        for (p10, p90, text) in [
            (closed(3.2), closed(20.4), "between about 3 and 20 more weeks"),
            (closed(3.2), closed(40.0), "between about 3 more weeks and 9 more months"),
            (closed(0.9), closed(3.0), "between about 1 and 3 more weeks"),
            (closed(0.1), closed(3.0), "up to about 3 more weeks"),
            (closed(0.1), closed(40.0), "up to about 9 more months"),
            (closed(0.1), closed(0.3), "less than 1 more week"),
            (closed(2.1), closed(2.3), "about 2 more weeks"),
            (closed(30.0), closed(60.0), "between about 7 and 14 more months"),
            (closed(4.0), open(86.0), "from about 4 more weeks to over 19 more months"),
            (closed(0.2), open(10.0), "anything from under 1 more week to over 10 more weeks"),
            (open(10.0), open(10.0), "over 10 more weeks"),
        ] {
            assert_eq!(Spread::new(p10, p10, p90).range(" more"), text, "{p10:?} {p90:?}");
        }
        let all = Spread::new(closed(21.2), closed(30.0), closed(38.4));
        assert_eq!(all.range(""), "between about 22 weeks and 9 months");
    }

    #[test]
    fn ten_people_are_told_apart_by_three_lines_of_equal_weight() {
        let lines = |p10, p50, p90| Spread::new(p10, p50, p90).of_ten();
        assert_eq!(
            lines(closed(3.2), closed(17.0), closed(40.0)),
            [
                "about 5 come off the list within 18 weeks",
                "about 1 comes off the list within 3 weeks",
                "about 1 waits longer than 9 months",
            ]
        );
        assert_eq!(
            lines(closed(3.2), closed(17.0), open(86.0)),
            [
                "about 5 come off the list within 18 weeks",
                "about 1 comes off the list within 3 weeks",
                "1 or more wait longer than 19 months",
            ]
        );
        assert_eq!(
            lines(closed(6.0), open(40.0), open(40.0)),
            ["about 5 or more wait longer than 9 months", "about 1 comes off the list within 6 weeks"]
        );
        assert_eq!(
            lines(closed(0.1), closed(0.4), closed(2.0)),
            ["about 5 come off the list within 1 week", "about 1 waits longer than 2 weeks"]
        );
        assert!(!Spread::new(open(0.0), open(0.0), open(0.0)).is_known());
    }

    #[test]
    fn neither_none_nor_all_of_ten_is_said() {
        for (probability, text, others) in [
            (-1.0, "fewer than 1 in 10", "more than 9 in 10"),
            (0.0, "fewer than 1 in 10", "more than 9 in 10"),
            (0.049, "fewer than 1 in 10", "more than 9 in 10"),
            (0.05, "about 1 in 10", "about 9 in 10"),
            (0.44, "about 4 in 10", "about 6 in 10"),
            (0.5, "about 5 in 10", "about 5 in 10"),
            (0.949, "about 9 in 10", "about 1 in 10"),
            (0.95, "more than 9 in 10", "fewer than 1 in 10"),
            (1.0, "more than 9 in 10", "fewer than 1 in 10"),
            (f64::NAN, "fewer than 1 in 10", "more than 9 in 10"),
        ] {
            let share = OfTen::new(probability);
            assert_eq!((share.text(), share.others().text()), (text.to_owned(), others.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn a_longer_wait_is_never_said_shorter(one in 0.0..130.0_f64, more in 0.0..60.0_f64, is_open: bool) {
            let weeks = |value| match Ahead::new(WeeksFigure { value, open_ended: is_open }).rounded {
                Rounded::UnderAWeek => 0.0,
                Rounded::Weeks(number) => f64::from(number),
                Rounded::Months(number) => f64::from(number) * WEEKS_OF_A_MONTH,
            };
            // 26 weeks are said as 26, a little more as 6 months, which is 26.1.
            prop_assert!(weeks(one) <= weeks(one + more) + 1e-9 || (is_open && one <= 26.1));
            prop_assert!(!is_open || weeks(one) <= one);
            prop_assert!(is_open || (weeks(one) - one).abs() <= 2.3);
        }

        #[test]
        fn no_sentence_holds_a_zero_or_a_promise(a in 0.0..130.0_f64, b in 0.0..130.0_f64, c in 0.0..130.0_f64, opened in 0..4_usize) {
            let mut values = [a, b, c];
            values.sort_by(f64::total_cmp);
            let figure = |place: usize| WeeksFigure { value: values[place], open_ended: place + opened >= 3 };
            let spread = Spread::new(figure(0), figure(1), figure(2));
            let mut said = spread.of_ten();
            said.push(spread.range(" more"));
            for sentence in said {
                prop_assert!(!sentence.contains(" 0 ") && !sentence.contains("NaN") && !sentence.contains("will"), "{}", sentence);
            }
        }
    }
}
