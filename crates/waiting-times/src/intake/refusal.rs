//! Why a file was not taken, said so that the person who sent it can find the place.

use std::fmt;

use serde::Serialize;

/// The reasons for which a file is refused, as stable codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The file could not be opened or read from the disk.
    Unreadable,
    /// There is nothing in the file.
    Empty,
    /// The compressed data is broken: a checksum, a header or the archive's directory is wrong.
    Damaged,
    /// The file ends before it is complete.
    Truncated,
    /// The text is not UTF-8.
    WrongEncoding,
    /// The header is not one of the two official ones, or a row does not have the header's columns.
    WrongLayout,
    /// The zip does not hold exactly one csv that can be read.
    WrongArchive,
    /// A bound was passed: line length, size after unpacking, number of rows, codes or entries.
    TooLarge,
    /// The period is not a month, or not the same month on all rows.
    WrongPeriod,
    /// An organisation code, a part or a treatment function is not one that exists.
    UnknownCode,
    /// A name holds control characters or is far too long.
    BadText,
    /// A count is negative, fractional, not a number, or larger than any count can be.
    BadCount,
    /// The bands, the unknown clock starts and the totals of a row do not add up.
    RowDoesNotAddUp,
    /// `C_999` is not the sum of its details.
    TotalsDoNotAddUp,
    /// A treatment function, or the total, stands twice in one run of rows.
    DuplicateRow,
    /// The rows of one provider, commissioner and part come back after others: shuffled, or there twice.
    Reordered,
    /// The rows of one provider, commissioner and part have no `C_999`: rows are missing.
    MissingTotal,
    /// There are no part 2 rows, so there is no waiting list in the file.
    NoWaitingList,
    /// The list is more than a quarter smaller than the one it would replace, or than the month beside it.
    LargeChange,
    /// Made-up figures may not stand beside official ones.
    MadeUpBesideOfficial,
}

impl RefusalReason {
    /// The code used in reports: the variant in lower case with underscores.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Empty => "empty",
            Self::Damaged => "damaged",
            Self::Truncated => "truncated",
            Self::WrongEncoding => "wrong_encoding",
            Self::WrongLayout => "wrong_layout",
            Self::WrongArchive => "wrong_archive",
            Self::TooLarge => "too_large",
            Self::WrongPeriod => "wrong_period",
            Self::UnknownCode => "unknown_code",
            Self::BadText => "bad_text",
            Self::BadCount => "bad_count",
            Self::RowDoesNotAddUp => "row_does_not_add_up",
            Self::TotalsDoNotAddUp => "totals_do_not_add_up",
            Self::DuplicateRow => "duplicate_row",
            Self::Reordered => "reordered",
            Self::MissingTotal => "missing_total",
            Self::NoWaitingList => "no_waiting_list",
            Self::LargeChange => "large_change",
            Self::MadeUpBesideOfficial => "made_up_beside_official",
        }
    }
}

/// A file that was refused whole. What was stored before it stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ImportRefusal {
    /// The file as it was named to the import.
    pub file: String,
    /// The line, from 1, counted in the unpacked text.
    pub line: Option<u64>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The header of the column.
    pub column_name: Option<String>,
    /// The reason as a code.
    pub reason: RefusalReason,
    /// The reason as a sentence.
    pub message: String,
}

impl fmt::Display for ImportRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(out, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(out, ", column {column}")?;
        }
        if let Some(name) = &self.column_name {
            write!(out, " ({name})")?;
        }
        write!(out, ": {} [{}]", self.message, self.reason.code())
    }
}

/// A refusal under way: the place and the reason, before the file's name is put to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: Option<u64>,
    pub(crate) column: Option<usize>,
    pub(crate) column_name: Option<String>,
    pub(crate) reason: RefusalReason,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(reason: RefusalReason, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { line: None, column: None, column_name: None, reason, message: message.into() })
    }

    pub(crate) fn at_line(mut self: Box<Self>, line: u64) -> Box<Self> {
        self.line = Some(line);
        self
    }

    /// `index` counts from 0; people count from 1.
    pub(crate) fn at_column(mut self: Box<Self>, index: usize, name: impl Into<String>) -> Box<Self> {
        self.column = Some(index + 1);
        self.column_name = Some(name.into());
        self
    }

    pub(crate) fn in_file(self, file: &str) -> ImportRefusal {
        ImportRefusal {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            column_name: self.column_name,
            reason: self.reason,
            message: self.message,
        }
    }
}

/// Bytes of the file made safe to repeat in a message: short, and without control characters.
pub(crate) fn quoted(raw: &[u8]) -> String {
    const LONGEST: usize = 40;
    let text = String::from_utf8_lossy(raw);
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_default).collect();
    if text.chars().count() > LONGEST {
        shown.push_str("...");
    }
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_with_the_place_in_it() {
        let refusal = Fault::new(RefusalReason::BadCount, "\"-1\" is not a count")
            .at_line(7)
            .at_column(13, "Gt 00 To 01 Weeks SUM 1")
            .in_file("jan.csv");
        assert_eq!(
            refusal.to_string(),
            "jan.csv, line 7, column 14 (Gt 00 To 01 Weeks SUM 1): \"-1\" is not a count [bad_count]"
        );
        let json = serde_json::to_value(&refusal).unwrap();
        assert_eq!(json["reason"], "bad_count");
    }

    #[test]
    fn what_is_repeated_from_a_file_is_short_and_printable() {
        assert_eq!(quoted(b"a\n\x07b"), "\"a\\n\\u{7}b\"");
        assert!(quoted(&[b'x'; 4000]).len() < 60);
    }
}
