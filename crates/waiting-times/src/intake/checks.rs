//! What must be true of the rows of one provider, commissioner and part, checked while they pass.
//!
//! In the published files these rows stand together, with exactly one `C_999` among them, not always last, which is
//! the sum of the others in every column. So the memory of one run of rows is enough to check a whole file, with the
//! list of runs that have ended: a run that begins again was torn apart, or is there twice.

use super::layout::{Header, column};
use super::refusal::{Fault, RefusalReason};
use crate::model::{Part, TreatmentFunction};

/// The numbers of one row, and how they must add up among themselves.
#[derive(Debug, Default)]
pub(crate) struct RowNumbers {
    /// The bands, the unknown clock starts, and `Total All`.
    pub(crate) values: Vec<u32>,
}

impl RowNumbers {
    /// Reads the numbers of `record`, or says which column does not hold a count.
    pub(crate) fn read(
        &mut self,
        record: &csv::ByteRecord,
        header: &Header,
        part: Part,
    ) -> Result<(), Box<Fault>> {
        self.values.clear();
        let total = header.total_column();
        let mut bands = 0_u64;
        for index in column::FIRST_BAND..total {
            let count = count(record, index, header)?;
            bands += u64::from(count);
            self.values.push(count);
        }
        let [printed, unknown, all] = [total, total + 1, total + 2];
        let is_blank = record.get(printed).unwrap_or_default().trim_ascii().is_empty();
        let printed_total = u64::from(count(record, printed, header)?);
        let unknown_count = count(record, unknown, header)?;
        let all_count = count(record, all, header)?;
        if part.has_bands() {
            if !is_blank && printed_total != bands {
                return Err(row_fault(
                    header,
                    printed,
                    format!("the bands add up to {bands}, not to {printed_total}"),
                ));
            }
            let sum = bands + u64::from(unknown_count);
            if sum != u64::from(all_count) {
                let said =
                    format!("the bands and the unknown clock starts add up to {sum}, not to {all_count}");
                return Err(row_fault(header, all, said));
            }
        } else {
            if let Some(position) = self.values.iter().position(|count| *count > 0) {
                let said = format!("{} has no weekly bands, but a count stands here", part.code());
                return Err(row_fault(header, column::FIRST_BAND + position, said));
            }
            if unknown_count > 0 {
                let said = format!("{} has no unknown clock starts, but a count stands here", part.code());
                return Err(row_fault(header, unknown, said));
            }
            if !is_blank && printed_total != 0 && printed_total != u64::from(all_count) {
                return Err(row_fault(
                    header,
                    printed,
                    format!("{printed_total} is not the total, {all_count}"),
                ));
            }
        }
        self.values.push(unknown_count);
        self.values.push(all_count);
        Ok(())
    }
}

fn row_fault(header: &Header, index: usize, said: String) -> Box<Fault> {
    Fault::new(RefusalReason::RowDoesNotAddUp, said).at_column(index, header.name(index))
}

/// Reads one count. A blank is zero, as in the published files.
fn count(record: &csv::ByteRecord, index: usize, header: &Header) -> Result<u32, Box<Fault>> {
    let raw = record.get(index).unwrap_or_default();
    match raw {
        [] | b"0" => Ok(0),
        raw => digits(raw.trim_ascii()).ok_or_else(|| {
            let said = format!(
                "{} is not a count: a whole number from 0 to {} is expected",
                super::refusal::quoted(raw),
                u32::MAX
            );
            Fault::new(RefusalReason::BadCount, said).at_column(index, header.name(index))
        }),
    }
}

/// A run of at most ten digits as a number that fits; blank is zero.
fn digits(raw: &[u8]) -> Option<u32> {
    if raw.len() > 10 {
        return None;
    }
    let mut value = 0_u64;
    for byte in raw {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
    }
    u32::try_from(value).ok()
}

/// The rows of one provider, commissioner and part while they pass.
#[derive(Debug)]
pub(crate) struct Run {
    name: String,
    sums: Vec<u64>,
    seen: Vec<TreatmentFunction>,
    total: Option<(u64, Vec<u32>)>,
    last_line: u64,
}

impl Run {
    /// Begins a run; `name` says whose rows they are, for messages.
    pub(crate) fn begin(name: String, width: usize) -> Self {
        Self { name, sums: vec![0; width], seen: Vec::new(), total: None, last_line: 0 }
    }

    /// Adds a row of details.
    pub(crate) fn detail(
        &mut self,
        line: u64,
        of: TreatmentFunction,
        values: &[u32],
    ) -> Result<(), Box<Fault>> {
        self.last_line = line;
        if self.seen.contains(&of) {
            return Err(self.duplicate(of.as_str()));
        }
        self.seen.push(of);
        for (sum, value) in self.sums.iter_mut().zip(values) {
            *sum += u64::from(*value);
        }
        Ok(())
    }

    /// Keeps the row that says what the details must add up to.
    pub(crate) fn total(&mut self, line: u64, values: &[u32]) -> Result<(), Box<Fault>> {
        self.last_line = line;
        if self.total.is_some() {
            return Err(self.duplicate(TreatmentFunction::TOTAL));
        }
        self.total = Some((line, values.to_vec()));
        Ok(())
    }

    fn duplicate(&self, code: &str) -> Box<Fault> {
        Fault::new(
            RefusalReason::DuplicateRow,
            format!("{code} stands twice among the rows of {}", self.name),
        )
        .at_column(column::TREATMENT_FUNCTION, super::layout::DESCRIPTION_COLUMNS[column::TREATMENT_FUNCTION])
    }

    /// Ends the run: its total must be there, and be the sum of its details in every column.
    pub(crate) fn end(&self, header: &Header) -> Result<(), Box<Fault>> {
        let Some((line, total)) = &self.total else {
            let said = format!(
                "the rows of {} end here without their total {}: rows are missing or out of order",
                self.name,
                TreatmentFunction::TOTAL
            );
            return Err(Fault::new(RefusalReason::MissingTotal, said).at_line(self.last_line));
        };
        for (position, (sum, value)) in self.sums.iter().zip(total).enumerate() {
            if *sum != u64::from(*value) {
                // After the bands comes `Total`, which is not among the numbers kept.
                let past_bands = usize::from(position >= header.layout.bands());
                let index = column::FIRST_BAND + position + past_bands;
                let said = format!("the total of {} says {value}, its details add up to {sum}", self.name);
                return Err(Fault::new(RefusalReason::TotalsDoNotAddUp, said)
                    .at_line(*line)
                    .at_column(index, header.name(index)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_numbers_that_fit() {
        for (raw, want) in [("", Some(0)), ("7", Some(7)), ("0012", Some(12)), ("4294967295", Some(u32::MAX))]
        {
            assert_eq!(digits(raw.as_bytes()), want, "{raw:?}");
        }
        for raw in ["-1", "+1", "1.0", "1,000", "4294967296", "99999999999", "1e3", "x", "1 2"] {
            assert_eq!(digits(raw.as_bytes()), None, "{raw:?}");
        }
    }
}
