//! How a model's intervals came out when its newest months were forecast from the others: what an answer says about
//! its own trustworthiness.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wait_estimator::backtest::{self, BacktestReport, months_to_hold_out};
use wait_estimator::{Month, Successors};

use super::period;
use crate::model::{Period, TreatmentFunction};
use crate::snapshot::{Calibration, CalibrationFigure, LeftFigure};

/// The figures of one kind of care, or of all, as they are stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoredFigure {
    coverage80: Option<f64>,
    n: u64,
    expected_left: Option<f64>,
    left: Option<f64>,
    pathways: u64,
}

/// A calibration as it is stored beside its generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredCalibration {
    tested_on: Vec<String>,
    overall: StoredFigure,
    by_treatment_function: BTreeMap<String, StoredFigure>,
}

impl StoredCalibration {
    /// The figures as answers use them; what does not read is left out.
    pub(super) fn read(&self) -> Calibration {
        let tested_on: Option<Vec<Period>> = self.tested_on.iter().map(|text| period(text)).collect();
        let Some(tested_on) = tested_on.filter(|months| !months.is_empty()) else {
            return Calibration::default();
        };
        let functions: Vec<(TreatmentFunction, &StoredFigure)> = self
            .by_treatment_function
            .iter()
            .filter_map(|(code, stored)| Some((TreatmentFunction::parse(code)?, stored)))
            .collect();
        Calibration {
            overall: self.overall.interval(&tested_on),
            overall_left: self.overall.left(&tested_on),
            by_treatment_function: functions
                .iter()
                .filter_map(|(function, stored)| Some((*function, stored.interval(&tested_on)?)))
                .collect(),
            left_by_treatment_function: functions
                .iter()
                .filter_map(|(function, stored)| Some((*function, stored.left(&tested_on)?)))
                .collect(),
        }
    }

    /// The figures over all kinds of care, for the account of a fit.
    pub(super) fn tested(&self) -> Tested {
        Tested {
            on: self.tested_on.clone(),
            pathways: self.overall.pathways,
            expected_left: self.overall.expected_left,
            left: self.overall.left,
            coverage80: self.overall.coverage80,
            coverage80_n: self.overall.n,
        }
    }

    fn of(report: &BacktestReport) -> Self {
        Self {
            tested_on: report.calibration.tested_on.clone(),
            overall: StoredFigure::of(&report.calibration),
            by_treatment_function: report
                .by_treatment_function
                .iter()
                .map(|of| (of.treatment_function.clone(), StoredFigure::of(&of.calibration)))
                .collect(),
        }
    }
}

/// How the rolling back-test of a fit came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tested {
    /// The months forecast from the others, `YYYY-MM`.
    pub on: Vec<String>,
    /// Pathways forecast.
    pub pathways: u64,
    /// The share expected to have left by the last of these months ...
    pub expected_left: Option<f64>,
    /// ... and the share that had.
    pub left: Option<f64>,
    /// Of pathways whose 80 % interval could be checked, the share that left inside it; null where too few could.
    pub coverage80: Option<f64>,
    /// On how many pathways.
    pub coverage80_n: u64,
}

impl StoredFigure {
    fn of(figure: &backtest::Calibration) -> Self {
        Self {
            coverage80: figure.coverage80,
            n: figure.n,
            expected_left: figure.expected_left,
            left: figure.left,
            pathways: figure.pathways,
        }
    }

    fn interval(&self, tested_on: &[Period]) -> Option<CalibrationFigure> {
        let coverage80 = self.coverage80.filter(is_share)?;
        Some(CalibrationFigure { coverage80, tested_on: tested_on.to_vec(), n: self.n })
    }

    fn left(&self, tested_on: &[Period]) -> Option<LeftFigure> {
        Some(LeftFigure {
            expected: self.expected_left.filter(is_share)?,
            left: self.left.filter(is_share)?,
            tested_on: tested_on.to_vec(),
            pathways: self.pathways,
        })
    }
}

fn is_share(value: &f64) -> bool {
    (0.0..=1.0).contains(value)
}

/// Forecasts the newest of `months` (in order) from the others; or says why not.
pub(super) fn rolling(months: &[Month], successors: &Successors) -> Result<StoredCalibration, String> {
    let held_out = months_to_hold_out(months.len());
    let Some((train, test)) = months.len().checked_sub(held_out).and_then(|at| months.split_at_checked(at))
    else {
        return Err("there are too few months".to_owned());
    };
    if test.is_empty() {
        return Err("there are too few months to hold the newest against the others".to_owned());
    }
    match backtest::backtest(train, test, successors) {
        Ok(report) => Ok(StoredCalibration::of(&report)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_and_what_cannot_be_is_left_out() {
        let figure = |coverage80: Option<f64>| StoredFigure {
            coverage80,
            n: 500,
            expected_left: Some(0.61),
            left: Some(0.62),
            pathways: 900,
        };
        let mut stored = StoredCalibration {
            tested_on: vec!["2015-02".to_owned(), "2015-03".to_owned()],
            overall: figure(Some(0.79)),
            by_treatment_function: BTreeMap::from([
                ("C_110".to_owned(), figure(Some(0.81))),
                ("C_120".to_owned(), figure(Some(1.81))),
                ("C_130".to_owned(), figure(None)),
                ("nonsense".to_owned(), figure(Some(0.81))),
            ]),
        };
        let again: StoredCalibration =
            serde_json::from_str(&serde_json::to_string(&stored).unwrap()).unwrap();
        assert_eq!(again, stored);
        let function = |code| TreatmentFunction::parse(code).unwrap();
        let read = stored.read();
        assert_eq!(read.overall.as_ref().map(|figure| (figure.coverage80, figure.n)), Some((0.79, 500)));
        assert_eq!((read.by_treatment_function.len(), read.left_by_treatment_function.len()), (1, 3));
        assert_eq!(read.of(function("C_110")).unwrap().tested_on.len(), 2);
        let left = read.left_of(function("C_130")).unwrap();
        assert_eq!((left.expected, left.left, left.pathways), (0.61, 0.62, 900));
        assert_eq!(stored.tested().coverage80, Some(0.79));

        for months in [vec![], vec!["March".to_owned()]] {
            stored.tested_on = months;
            assert_eq!(stored.read(), Calibration::default());
        }
    }

    #[test]
    fn two_months_cannot_be_tested() {
        assert!(rolling(&[], &Successors::none()).unwrap_err().contains("too few"));
    }
}
