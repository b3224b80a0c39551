//! Which organisation carries on another's lists after a merger or a change of code.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use thiserror::Error;

use crate::model::{Period, ProviderCode};

/// The most rows a table may have; England has had a few hundred mergers since 2007.
const MOST_ROWS: usize = 20_000;

/// The table that comes with the crate.
const BUILT_IN: &str = include_str!("successors.csv");

/// One row: from a day on, `predecessor`'s lists are reported by `successor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The code no longer reported.
    pub predecessor: ProviderCode,
    /// The code its lists are reported under.
    pub successor: ProviderCode,
    /// The first day of the new code.
    pub from: NaiveDate,
    /// Where this was read.
    pub source: String,
}

/// Why a table was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SuccessorError {
    /// The first line is not `predecessor,successor,from,source`.
    #[error("the table must begin with the line `predecessor,successor,from,source`")]
    Header,
    /// A line could not be read.
    #[error("line {line} of the table: {why}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Following the rows from this code leads back to it.
    #[error("the successors of {0} lead back to itself")]
    Cycle(ProviderCode),
    /// Too many rows.
    #[error("the table has more than {MOST_ROWS} rows")]
    TooLong,
}

/// A dated table of successors. A code has at most one successor; chains are followed, cycles refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Successors {
    rows: BTreeMap<ProviderCode, Succession>,
}

impl Successors {
    /// No successors at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The table that comes with the crate, each row with its source.
    ///
    /// # Errors
    /// Never in a released build: a test reads the table.
    pub fn built_in() -> Result<Self, SuccessorError> {
        Self::parse(BUILT_IN)
    }

    /// Reads a table: a header `predecessor,successor,from,source`, then a row a line; `from` as `YYYY-MM-DD`; blank
    /// lines and lines that begin with `#` are passed over. The source may hold commas.
    ///
    /// # Errors
    /// When a line does not read, a code has two successors, or a chain leads back to its beginning.
    pub fn parse(text: &str) -> Result<Self, SuccessorError> {
        let mut lines = text
            .trim_start_matches('\u{feff}')
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let header = lines.next().map(|(_, line)| line.replace(' ', "").to_ascii_lowercase());
        if header.as_deref() != Some("predecessor,successor,from,source") {
            return Err(SuccessorError::Header);
        }
        let mut table = Self::none();
        for (line, text) in lines {
            if table.rows.len() >= MOST_ROWS {
                return Err(SuccessorError::TooLong);
            }
            let row = read_row(text).map_err(|why| SuccessorError::Line { line, why })?;
            if table.rows.contains_key(&row.predecessor) {
                return Err(SuccessorError::Line { line, why: "this predecessor already has a successor" });
            }
            table.rows.insert(row.predecessor, row);
        }
        table.refuse_cycles()?;
        Ok(table)
    }

    /// This table with the rows of `other` put over its own.
    ///
    /// # Errors
    /// When the two together lead in a circle.
    pub fn extended(mut self, other: Self) -> Result<Self, SuccessorError> {
        self.rows.extend(other.rows);
        self.refuse_cycles()?;
        Ok(self)
    }

    /// The rows, in the order of the predecessors.
    pub fn rows(&self) -> impl Iterator<Item = &Succession> {
        self.rows.values()
    }

    /// The code under which `provider` reports at the end of `period`: itself, unless it has been succeeded by then.
    #[must_use]
    pub fn resolve(&self, provider: ProviderCode, period: Period) -> ProviderCode {
        let mut code = provider;
        // A chain without cycles is never longer than the table.
        for _ in 0..=self.rows.len() {
            match self.rows.get(&code) {
                Some(row) if row.from <= period.last_day() => code = row.successor,
                _ => break,
            }
        }
        code
    }

    fn refuse_cycles(&self) -> Result<(), SuccessorError> {
        for &start in self.rows.keys() {
            let mut seen = BTreeSet::from([start]);
            let mut code = start;
            while let Some(row) = self.rows.get(&code) {
                if !seen.insert(row.successor) {
                    return Err(SuccessorError::Cycle(start));
                }
                code = row.successor;
            }
        }
        Ok(())
    }
}

fn read_row(text: &str) -> Result<Succession, &'static str> {
    let mut pieces = text.splitn(4, ',').map(str::trim);
    let mut next = || pieces.next().unwrap_or_default();
    let predecessor = ProviderCode::parse(next()).ok_or("the predecessor is not an organisation code")?;
    let successor = ProviderCode::parse(next()).ok_or("the successor is not an organisation code")?;
    let from = next().parse().map_err(|_| "`from` is not a date, YYYY-MM-DD")?;
    let source = next().trim_matches('"').trim();
    if predecessor == successor {
        return Err("a code cannot succeed itself");
    }
    if source.is_empty() {
        return Err("a row needs its source");
    }
    Ok(Succession { predecessor, successor, from, source: source.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> ProviderCode {
        ProviderCode::parse(text).unwrap()
    }

    #[test]
    fn chains_are_followed_as_far_as_they_had_happened() {
        let table = Successors::parse(
            "predecessor, successor, from, source\n# a remark\nAAA,BBB,2020-04-01,\"order, 2020\"\n\nBBB,CCC,2023-04-01,b\n",
        )
        .unwrap();
        for (year, month, want) in [(2020, 3, "AAA"), (2020, 4, "BBB"), (2023, 3, "BBB"), (2023, 4, "CCC")] {
            assert_eq!(
                table.resolve(code("AAA"), Period::new(year, month).unwrap()),
                code(want),
                "{year}-{month}"
            );
        }
        assert_eq!(table.resolve(code("XYZ"), Period::new(2023, 4).unwrap()), code("XYZ"));
        assert_eq!(table.rows().map(|row| row.source.as_str()).collect::<Vec<_>>(), ["order, 2020", "b"]);
    }

    #[test]
    fn tables_that_cannot_be_true_are_refused() {
        let head = "predecessor,successor,from,source\n";
        for (text, want) in [
            ("", SuccessorError::Header),
            ("a,b,c\n", SuccessorError::Header),
            (
                &format!("{head}AAA,BBB,2020-04-01,x\nBBB,AAA,2021-04-01,x"),
                SuccessorError::Cycle(code("AAA")),
            ),
        ] {
            assert_eq!(Successors::parse(text), Err(want), "{text:?}");
        }
        for bad in
            ["AAA,AAA,2020-04-01,x", "AAA,BBB,2020-04-01,", "AAA,BBB,April,x", ",BBB,2020-04-01,x", "AAA"]
        {
            let found = Successors::parse(&format!("{head}{bad}"));
            assert!(matches!(found, Err(SuccessorError::Line { line: 2, .. })), "{bad}: {found:?}");
        }
        let twice = Successors::parse(&format!("{head}AAA,BBB,2020-04-01,x\nAAA,CCC,2020-04-01,x"));
        assert!(matches!(twice, Err(SuccessorError::Line { line: 3, .. })), "{twice:?}");
    }

    #[test]
    fn two_tables_together_are_held_to_the_same_rules() {
        let one = Successors::parse("predecessor,successor,from,source\nAAA,BBB,2020-04-01,x").unwrap();
        let two = Successors::parse("predecessor,successor,from,source\nBBB,AAA,2020-04-01,x").unwrap();
        assert_eq!(one.extended(two), Err(SuccessorError::Cycle(code("AAA"))));
    }

    #[test]
    fn the_table_that_comes_with_the_crate_reads() {
        assert!(Successors::built_in().is_ok());
    }
}
