//! A model as a table: for every list of its base month and every week waited, how much longer.
//!
//! Columns: `provider_code, treatment_function_code, weeks_waited, level, status, p10, p25, p50, p75, p90`, the latter
//! in further weeks from the last month-end, blank where the data do not reach so far; and for each horizon asked for
//! `still_waiting_<days>`, the probability of being on the list so many days after the last month-end. People counted
//! as having waited `k` weeks are spread over that week, as the published bands are.

use std::io;

use wait_estimator::{CellEstimator, Model};

use crate::WaitingTimes;
use crate::error::WaitingTimesError;

/// The most horizons written at once.
pub const MOST_HORIZONS: usize = 24;

/// Why a table was not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no model to write.
    #[error(transparent)]
    NoModel(#[from] WaitingTimesError),
    /// Where it is written to does not take it.
    #[error("writing the table: {0}")]
    Write(#[from] io::Error),
}

impl WaitingTimes {
    /// Writes the model in use as a table; see [`write()`].
    ///
    /// # Errors
    /// [`ExportError`]
    pub fn export(&self, horizon_days: &[u32], out: impl io::Write) -> Result<(), ExportError> {
        let snapshot = self.snapshot();
        let estimates = snapshot.estimates.as_ref().ok_or(WaitingTimesError::NoEstimates)?;
        Ok(write(&estimates.model, horizon_days, out)?)
    }
}

/// Writes `model` as a table (csv), with a column for each of `horizon_days` (at most [`MOST_HORIZONS`]; the rest are
/// left out). Weeks have three decimals, probabilities six.
///
/// # Errors
/// What `out` answers.
pub fn write(model: &Model, horizon_days: &[u32], out: impl io::Write) -> io::Result<()> {
    let horizons = horizon_days.get(..MOST_HORIZONS).unwrap_or(horizon_days);
    let mut csv = csv::WriterBuilder::new().from_writer(out);
    let mut header: Vec<String> = [
        "provider_code",
        "treatment_function_code",
        "weeks_waited",
        "level",
        "status",
        "p10",
        "p25",
        "p50",
        "p75",
        "p90",
    ]
    .map(str::to_owned)
    .to_vec();
    header.extend(horizons.iter().map(|days| format!("still_waiting_{days}")));
    csv.write_record(&header).map_err(as_io)?;
    let mut record = csv::StringRecord::new();
    for key in model.cells() {
        let Some(estimator) = model.estimator(&key) else { continue };
        let estimator = estimator.from_period_end();
        let basis = estimator.basis();
        for weeks_waited in 0..=model.layout().open_from_weeks() {
            record.clear();
            record.push_field(key.provider.as_str());
            record.push_field(key.treatment_function.as_str());
            record.push_field(&weeks_waited.to_string());
            record.push_field(basis.level.code());
            record.push_field(basis.status.code());
            push_numbers(&mut record, &estimator, weeks_waited, horizons);
            csv.write_record(&record).map_err(as_io)?;
        }
    }
    csv.flush()
}

fn push_numbers(
    record: &mut csv::StringRecord,
    estimator: &CellEstimator<'_>,
    weeks_waited: u32,
    horizons: &[u32],
) {
    for weeks in estimator.estimate_band(weeks_waited).at() {
        if weeks.open_ended {
            record.push_field("");
        } else {
            record.push_field(&format!("{:.3}", weeks.weeks));
        }
    }
    for days in horizons {
        let still = estimator.band_survival(weeks_waited, f64::from(*days) / 7.0);
        record.push_field(&format!("{still:.6}"));
    }
}

fn as_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
