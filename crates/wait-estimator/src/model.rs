//! The words of the published waiting-time figures as types.
//!
//! The Office publishes counts per provider, commissioner, part and treatment function, in bands of one week.
//! Codes are kept inline (they are short), so that a month of cells is a flat table without little strings.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate};

/// The longest organisation code accepted. Codes in use are three to five characters; ODS allows ten.
const LONGEST_CODE: usize = 10;

/// An organisation code of the Organisation Data Service: 1 to 10 letters or digits, in capitals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrganisationCode {
    bytes: [u8; LONGEST_CODE],
    length: u8,
}

/// The code of the organisation that provides the care. For an NHS trust it is the trust, not the hospital site.
pub type ProviderCode = OrganisationCode;

impl OrganisationCode {
    /// Reads a code; surrounding blanks and case do not matter. `None` when it is not 1 to 10 letters or digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// [`Self::parse`] for bytes that have not been checked to be text.
    #[must_use]
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        let raw = raw.trim_ascii();
        if raw.is_empty() || raw.len() > LONGEST_CODE || !raw.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut bytes = [0; LONGEST_CODE];
        for (slot, byte) in bytes.iter_mut().zip(raw) {
            *slot = byte.to_ascii_uppercase();
        }
        Some(Self { bytes, length: u8::try_from(raw.len()).ok()? })
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        // Only ASCII is ever stored, so this cannot fail.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for OrganisationCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for OrganisationCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "OrganisationCode({})", self.as_str())
    }
}

/// A treatment function: the kind of care a person is waiting for, such as `C_110`, trauma and orthopaedics.
///
/// `C_` and three digits, or `X` and two digits for the pooled "other" functions. The published total over all of
/// them, `C_999`, is not a treatment function and has no value here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreatmentFunction {
    bytes: [u8; 5],
    length: u8,
}

impl TreatmentFunction {
    /// The code the published file uses for the sum over all treatment functions.
    pub const TOTAL: &'static str = "C_999";

    /// Reads a code; surrounding blanks and case do not matter. `None` for anything else, `C_999` included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// [`Self::parse`] for bytes that have not been checked to be text.
    #[must_use]
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        let raw = raw.trim_ascii();
        let digits = match raw {
            [b'C' | b'c', b'_', digits @ ..] if digits.len() == 3 => digits,
            [b'X' | b'x', digits @ ..] if digits.len() == 2 => digits,
            _ => return None,
        };
        if !digits.iter().all(u8::is_ascii_digit) || digits == b"999" {
            return None;
        }
        let mut bytes = [0; 5];
        for (slot, byte) in bytes.iter_mut().zip(raw) {
            *slot = byte.to_ascii_uppercase();
        }
        Some(Self { bytes, length: u8::try_from(raw.len()).ok()? })
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        // Only ASCII is ever stored, so this cannot fail.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Whether this is the pooled mental-health function (`X03`), whose waits weekly RTT bands do not describe.
    #[must_use]
    pub fn is_mental_health(&self) -> bool {
        self.as_str() == "X03"
    }
}

impl fmt::Display for TreatmentFunction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for TreatmentFunction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TreatmentFunction({})", self.as_str())
    }
}

/// Which of the five returns a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Part 1A: pathways completed in the month with an admission.
    CompletedAdmitted,
    /// Part 1B: pathways completed in the month without an admission.
    CompletedNonAdmitted,
    /// Part 2: pathways not completed at the end of the month, that is, the waiting list.
    Incomplete,
    /// Part 2A: those of part 2 where a decision to admit has been made.
    IncompleteWithDecisionToAdmit,
    /// Part 3: clocks started in the month. It has no weekly bands.
    NewClockStarts,
}

impl Part {
    /// All five, in the order of their names.
    pub const ALL: [Self; 5] = [
        Self::CompletedAdmitted,
        Self::CompletedNonAdmitted,
        Self::Incomplete,
        Self::IncompleteWithDecisionToAdmit,
        Self::NewClockStarts,
    ];

    /// The official name, such as `Part_1A`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::CompletedAdmitted => "Part_1A",
            Self::CompletedNonAdmitted => "Part_1B",
            Self::Incomplete => "Part_2",
            Self::IncompleteWithDecisionToAdmit => "Part_2A",
            Self::NewClockStarts => "Part_3",
        }
    }

    /// The description the published file prints beside the name.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::CompletedAdmitted => "Completed Pathways For Admitted Patients",
            Self::CompletedNonAdmitted => "Completed Pathways For Non-Admitted Patients",
            Self::Incomplete => "Incomplete Pathways",
            Self::IncompleteWithDecisionToAdmit => "Incomplete Pathways with DTA",
            Self::NewClockStarts => "New RTT Periods - All Patients",
        }
    }

    /// Reads a part name in any case, with an underscore or a blank in the middle.
    #[must_use]
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        let rest = raw.trim_ascii();
        let (head, tail) = rest.split_at_checked(5)?;
        if !head.get(..4)?.eq_ignore_ascii_case(b"part") || !matches!(head.last(), Some(b'_' | b' ')) {
            return None;
        }
        match tail {
            b"1A" | b"1a" => Some(Self::CompletedAdmitted),
            b"1B" | b"1b" => Some(Self::CompletedNonAdmitted),
            b"2" => Some(Self::Incomplete),
            b"2A" | b"2a" => Some(Self::IncompleteWithDecisionToAdmit),
            b"3" => Some(Self::NewClockStarts),
            _ => None,
        }
    }

    /// Whether rows of this part are counted in weekly bands.
    #[must_use]
    pub fn has_bands(self) -> bool {
        self != Self::NewClockStarts
    }

    /// The position in [`Part::ALL`]; also how the part is stored.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::CompletedAdmitted => 0,
            Self::CompletedNonAdmitted => 1,
            Self::Incomplete => 2,
            Self::IncompleteWithDecisionToAdmit => 3,
            Self::NewClockStarts => 4,
        }
    }
}

/// A calendar month of published figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    first_day: NaiveDate,
}

const MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Period {
    /// The first year in which referral-to-treatment figures were collected.
    const FIRST_YEAR: i32 = 2007;
    /// A bound that keeps a typing error from becoming the latest month for ever.
    const LAST_YEAR: i32 = 2099;

    /// The month `month` (1 to 12) of `year`; `None` outside 2007 to 2099.
    #[must_use]
    pub fn new(year: i32, month: u32) -> Option<Self> {
        if !(Self::FIRST_YEAR..=Self::LAST_YEAR).contains(&year) {
            return None;
        }
        NaiveDate::from_ymd_opt(year, month, 1).map(|first_day| Self { first_day })
    }

    /// The month a day lies in.
    #[must_use]
    pub fn containing(day: NaiveDate) -> Option<Self> {
        Self::new(day.year(), day.month())
    }

    /// Reads the literal of the published file in any case: `RTT-January-2026`, also with the month's first three
    /// letters.
    #[must_use]
    pub fn from_literal(text: &str) -> Option<Self> {
        let mut pieces = text.trim().splitn(3, '-').map(str::trim);
        if !pieces.next()?.eq_ignore_ascii_case("rtt") {
            return None;
        }
        let name = pieces.next()?;
        let year = pieces.next()?;
        if year.len() != 4 || !year.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let index = MONTH_NAMES.iter().position(|month| {
            name.eq_ignore_ascii_case(month)
                || month.get(..3).is_some_and(|short| name.eq_ignore_ascii_case(short))
        })?;
        Self::new(year.parse().ok()?, u32::try_from(index).ok()? + 1)
    }

    /// The literal the published file uses, such as `RTT-January-2026`.
    #[must_use]
    pub fn literal(self) -> String {
        let name = MONTH_NAMES.get(self.first_day.month0() as usize).copied().unwrap_or_default();
        format!("RTT-{name}-{}", self.first_day.year())
    }

    /// The first day of the month; also how the month is stored.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        self.first_day
    }

    /// The last day of the month: the day the waiting list was counted.
    #[must_use]
    pub fn last_day(self) -> NaiveDate {
        self.next_first_day().and_then(|next| next.checked_sub_days(Days::new(1))).unwrap_or(self.first_day)
    }

    /// Whether `other` is the month just before or just after this one.
    #[must_use]
    pub fn is_neighbour_of(self, other: Self) -> bool {
        self.next_first_day() == Some(other.first_day) || other.next_first_day() == Some(self.first_day)
    }

    fn next_first_day(self) -> Option<NaiveDate> {
        self.first_day.checked_add_months(Months::new(1))
    }
}

impl fmt::Display for Period {
    /// `YYYY-MM`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}-{:02}", self.first_day.year(), self.first_day.month())
    }
}

/// The two shapes of the published file: how many weekly bands it has before the open one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BandLayout {
    /// Weeks 0 to 52, then "over 52": files before April 2021.
    To52Weeks,
    /// Weeks 0 to 104, then "over 104": files from April 2021.
    To104Weeks,
}

impl BandLayout {
    /// Both layouts.
    pub const ALL: [Self; 2] = [Self::To104Weeks, Self::To52Weeks];

    /// Where the last, open band begins, in weeks.
    #[must_use]
    pub fn open_from_weeks(self) -> u32 {
        match self {
            Self::To52Weeks => 52,
            Self::To104Weeks => 104,
        }
    }

    /// The number of bands, the open one included.
    #[must_use]
    pub fn bands(self) -> usize {
        match self {
            Self::To52Weeks => 53,
            Self::To104Weeks => 105,
        }
    }

    /// The name used in reports and in the store.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::To52Weeks => "52-week",
            Self::To104Weeks => "104-week",
        }
    }

    /// The inverse of [`Self::code`].
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.code() == code)
    }
}

/// Pathways by whole weeks waited: band `k` counts waits over `k` and up to `k + 1` weeks, the last band is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeeklyBands {
    layout: BandLayout,
    counts: Box<[u32]>,
}

impl WeeklyBands {
    /// Bands in `layout`; `None` if the number of counts is not the layout's.
    #[must_use]
    pub fn new(layout: BandLayout, counts: Box<[u32]>) -> Option<Self> {
        (counts.len() == layout.bands()).then_some(Self { layout, counts })
    }

    /// The layout the counts follow.
    #[must_use]
    pub fn layout(&self) -> BandLayout {
        self.layout
    }

    /// The counts, shortest wait first, the open band last.
    #[must_use]
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// The number of pathways in all bands.
    #[must_use]
    pub fn pathways(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisation_codes_are_short_letters_and_digits_in_capitals() {
        for (raw, want) in [("rth", Some("RTH")), (" NT447 ", Some("NT447")), ("NONC", Some("NONC"))] {
            assert_eq!(OrganisationCode::parse(raw).as_ref().map(OrganisationCode::as_str), want);
        }
        for raw in ["", " ", "-", "R TH", "RTH/1", "ABCDEFGHIJK", "R\u{e9}"] {
            assert_eq!(OrganisationCode::parse(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn the_total_is_not_a_treatment_function() {
        for (raw, want) in [("c_100", Some("C_100")), ("X02", Some("X02")), (" x06", Some("X06"))] {
            assert_eq!(TreatmentFunction::parse(raw).as_ref().map(TreatmentFunction::as_str), want);
        }
        for raw in ["", "C_999", "c_999", "C100", "C_10", "C_1000", "X2", "X002", "110", "C_1a0"] {
            assert_eq!(TreatmentFunction::parse(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn parts_are_read_in_any_case_and_nothing_else_is() {
        for part in Part::ALL {
            assert_eq!(Part::from_bytes(part.code().as_bytes()), Some(part));
            assert_eq!(Part::from_bytes(part.code().to_uppercase().as_bytes()), Some(part));
            assert_eq!(Part::from_bytes(part.code().replace('_', " ").as_bytes()), Some(part));
            assert_eq!(Part::ALL.get(part.index()), Some(&part));
        }
        for raw in ["", "Part_", "Part_4", "Part_1", "Part_1A_Adjusted", "Part-2", "xPart_2", "Part_2AA"] {
            assert_eq!(Part::from_bytes(raw.as_bytes()), None, "{raw:?}");
        }
    }

    #[test]
    fn the_period_literal_is_read_in_any_case() {
        let january = Period::new(2026, 1).unwrap();
        for raw in
            ["RTT-January-2026", "RTT-JANUARY-2026", "rtt-january-2026", "RTT-Jan-2026", " RTT-January-2026 "]
        {
            assert_eq!(Period::from_literal(raw), Some(january), "{raw:?}");
        }
        for raw in [
            "",
            "January-2026",
            "RTT-2026",
            "RTT-Janu-2026",
            "RTT-January-26",
            "RTT-January-1926",
            "RTT-January-2026-x",
        ] {
            assert_eq!(Period::from_literal(raw), None, "{raw:?}");
        }
        assert_eq!(january.literal(), "RTT-January-2026");
        assert_eq!(january.to_string(), "2026-01");
        assert_eq!(january.last_day(), NaiveDate::from_ymd_opt(2026, 1, 31).unwrap());
        assert!(january.is_neighbour_of(Period::new(2025, 12).unwrap()));
        assert!(january.is_neighbour_of(Period::new(2026, 2).unwrap()));
        assert!(!january.is_neighbour_of(january));
        assert!(!january.is_neighbour_of(Period::new(2026, 3).unwrap()));
    }

    #[test]
    fn bands_have_the_length_of_their_layout() {
        for layout in BandLayout::ALL {
            assert!(WeeklyBands::new(layout, vec![1; layout.bands()].into()).is_some());
            assert!(WeeklyBands::new(layout, vec![1; layout.bands() - 1].into()).is_none());
            assert_eq!(layout.bands(), layout.open_from_weeks() as usize + 1);
            assert_eq!(BandLayout::from_code(layout.code()), Some(layout));
        }
    }
}
