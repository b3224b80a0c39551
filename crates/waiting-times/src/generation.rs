//! Generations: which one is in use, how one is made, checked, gone back to and cleared away.
//!
//! A generation is one month's statistics and the model fitted on it and the months before it, named by what it was
//! made from. One pointer says which is in use, and it is moved as the last thing of a transaction. Superseded
//! generations stay for a while, so that going back is one command.

mod calibration;
mod fitting;
mod health;
mod keeping;
mod loading;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use platform::crypto;
use serde::{Deserialize, Serialize};
use wait_estimator::Successors;

use crate::model::Period;

pub use calibration::Tested;
pub use fitting::{FailedCheck, FitAccount, FitOptions, FitOutcome};
pub use health::{EstimatesHealth, FailedFit};
pub(crate) use loading::load;

/// How long a superseded generation is kept.
const KEPT_AFTER_SUPERSESSION: TimeDelta = TimeDelta::days(45);

/// The name of the generation made from files of these contents by the method `made_by`: the first 12 hexadecimal
/// digits of a hash over them. A table of successors other than the one that is built in counts as a file.
fn name(contents: impl Iterator<Item = String>, successors: Option<&Successors>, made_by: &str) -> String {
    let mut inputs: Vec<String> = contents.collect();
    if let Some(table) = successors {
        let rows: Vec<String> =
            table.rows().map(|row| format!("{},{},{}", row.predecessor, row.successor, row.from)).collect();
        inputs.push(crypto::sha256_hex(rows.join("\n").as_bytes()));
    }
    inputs.sort_unstable();
    inputs.push(made_by.to_owned());
    crypto::sha256_hex(inputs.join("\n").as_bytes()).chars().take(12).collect()
}

/// What a generation was made from, as it is stored beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    /// The months, oldest first.
    months: Vec<MonthMade>,
    /// The account of the fit; null where there was none.
    fit: Option<serde_json::Value>,
}

/// A month a generation was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthMade {
    /// The month, `YYYY-MM`.
    pub period: String,
    /// SHA-256 of the file's text.
    pub content_sha256: String,
}

/// Reads `YYYY-MM`.
fn period(text: &str) -> Option<Period> {
    let (year, month) = text.split_once('-')?;
    Period::new(year.parse().ok()?, month.parse().ok()?)
}

fn instant(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}

/// A generation that is kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GenerationSummary {
    /// Its name.
    pub generation: String,
    /// Whether it is the one in use.
    pub active: bool,
    /// `official` or `made_up`.
    pub origin: &'static str,
    /// The month its statistics are of, `YYYY-MM`.
    pub base: String,
    /// The months its model was fitted on, oldest first.
    pub months: Vec<String>,
    /// The version of the method.
    pub model_version: String,
    /// Whether it has a model; without one it has statistics only.
    pub has_model: bool,
    /// The generation that was in use when it was made.
    pub previous: Option<String>,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When another took over.
    pub superseded_at: Option<DateTime<Utc>>,
    /// When it will be cleared away.
    pub expires_at: Option<DateTime<Utc>>,
}

impl fmt::Display for GenerationSummary {
    /// One line.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.active { "in use" } else { "superseded" };
        write!(out, "{}  {state:<10}  {}  {}", self.generation, self.base, self.origin)?;
        match (self.has_model, self.months.as_slice()) {
            (true, [first, .., last]) => {
                write!(out, "  fitted on {} months, {first} to {last}", self.months.len())?;
            }
            (true, [only]) => write!(out, "  fitted on {only} alone")?,
            _ => write!(out, "  statistics only")?,
        }
        if let Some(expires_at) = self.expires_at {
            write!(out, ", kept until {}", expires_at.format("%Y-%m-%d"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_contents_and_method_and_on_no_order() {
        let named = |contents: &[&str], successors: Option<&Successors>, by: &str| {
            name(contents.iter().map(|&content| content.to_owned()), successors, by)
        };
        let one = named(&["a", "b"], None, "m-1");
        assert_eq!((one.len(), &one), (12, &named(&["b", "a"], None, "m-1")));
        let table =
            Successors::parse("predecessor,successor,from,source\nRAA,RBB,2015-04-01,made up").unwrap();
        for other in [
            named(&["a"], None, "m-1"),
            named(&["a", "b"], None, "m-2"),
            named(&["a", "c"], None, "m-1"),
            named(&["a", "b"], Some(&table), "m-1"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn periods_are_read_back() {
        assert_eq!(period("2026-01"), Period::new(2026, 1));
        for text in ["", "2026", "2026-13", "x-1", "2026-1-1"] {
            assert_eq!(period(text), None, "{text:?}");
        }
    }
}
