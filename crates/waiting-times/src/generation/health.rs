//! How the estimates are: what `/_status` says of them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::fitting::FailedCheck;
use super::{MonthMade, instant};
use crate::WaitingTimes;
use crate::error::WaitingTimesError;
use crate::store::generations;

/// From this age in days on, figures are worth a warning.
const OLD_AFTER_DAYS: i64 = 75;
/// With fewer pairs of months than this, people who leave without treatment are poorly known.
const FEWEST_PAIRS: usize = 2;

/// A fit that did not pass its checks, and what was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailedFit {
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// The name the generation would have had.
    pub generation: String,
    /// The months it would have been made from.
    pub months: Vec<String>,
    /// What was wrong.
    pub failures: Vec<FailedCheck>,
}

/// How the estimates are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EstimatesHealth {
    /// The generation in use; blank when there is none.
    pub generation: String,
    /// The version of the method; null when there is no model.
    pub model_version: Option<&'static str>,
    /// The months the model was fitted on.
    pub months: Vec<String>,
    /// Pairs of successive months that were followed.
    pub pairs: usize,
    /// Days since the list of the newest month was counted.
    pub age_days: Option<i64>,
    /// The last fit, if it did not pass: the generation in use is an older one.
    pub failed_fit: Option<FailedFit>,
    /// What is worse than it should be, in sentences. Empty when all is well.
    pub remarks: Vec<String>,
}

impl WaitingTimes {
    /// How the estimates are, by what this instance holds and what the database says of failed fits.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn estimates_health(&self) -> Result<EstimatesHealth, WaitingTimesError> {
        let failed_fit = generations::last_failure(self.db.read()).await?.map(|row| FailedFit {
            at: instant(row.at_micros),
            generation: row.generation,
            months: serde_json::from_str::<Vec<MonthMade>>(&row.inputs_json)
                .unwrap_or_default()
                .into_iter()
                .map(|month| month.period)
                .collect(),
            failures: serde_json::from_str(&row.failures_json).unwrap_or_default(),
        });
        let snapshot = self.snapshot();
        let estimates = snapshot.estimates.as_ref();
        let mut health = EstimatesHealth {
            generation: snapshot.generation.clone(),
            model_version: estimates.map(|estimates| estimates.model.version()),
            months: estimates.map_or_else(Vec::new, |estimates| {
                estimates.fitted_from.iter().map(ToString::to_string).collect()
            }),
            pairs: estimates.map_or(0, |estimates| estimates.pairs),
            age_days: snapshot.month.as_ref().map(|month| month.age_days(self.today())),
            failed_fit,
            remarks: Vec::new(),
        };
        health.remarks = health.remarks();
        Ok(health)
    }
}

impl EstimatesHealth {
    /// The worst first.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(failed) = &self.failed_fit {
            let why: Vec<String> = failed.failures.iter().map(ToString::to_string).collect();
            remarks.push(format!("the last fit did not pass its checks: {}", why.join("; ")));
        }
        if self.age_days.is_none() {
            remarks.push("no month of figures has been imported".to_owned());
        } else if self.model_version.is_none() {
            remarks.push("there are statistics and no estimates: run `front-door rtt fit`".to_owned());
        } else if self.pairs < FEWEST_PAIRS {
            remarks.push(format!(
                "the model was fitted on {} pairs of successive months, fewer than {FEWEST_PAIRS}",
                self.pairs
            ));
        }
        if let Some(age) = self.age_days.filter(|age| *age > OLD_AFTER_DAYS) {
            remarks.push(format!("the newest list was counted {age} days ago, more than {OLD_AFTER_DAYS}"));
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> EstimatesHealth {
        EstimatesHealth {
            generation: "abc".to_owned(),
            model_version: Some("m"),
            months: Vec::new(),
            pairs: 2,
            age_days: Some(75),
            failed_fit: None,
            remarks: Vec::new(),
        }
    }

    #[test]
    fn what_is_worse_than_it_should_be_is_said() {
        let failure =
            FailedCheck { code: "list_change".to_owned(), detail: "half the list is gone".to_owned() };
        let failed =
            FailedFit { at: None, generation: String::new(), months: Vec::new(), failures: vec![failure] };
        let cases: [(EstimatesHealth, &[&str]); 6] = [
            (health(), &[]),
            (EstimatesHealth { pairs: 1, ..health() }, &["1 pairs"]),
            (EstimatesHealth { age_days: Some(76), ..health() }, &["76 days ago"]),
            (EstimatesHealth { model_version: None, pairs: 0, ..health() }, &["no estimates"]),
            (EstimatesHealth { model_version: None, age_days: None, ..health() }, &["no month"]),
            (
                EstimatesHealth { failed_fit: Some(failed), pairs: 0, ..health() },
                &["half the list is gone", "0 pairs"],
            ),
        ];
        for (health, expected) in cases {
            let remarks = health.remarks();
            assert_eq!(remarks.len(), expected.len(), "{remarks:?}");
            for (remark, part) in remarks.iter().zip(expected) {
                assert!(remark.contains(part), "{remark}");
            }
        }
    }
}
