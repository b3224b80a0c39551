//! Months for analysts: read from files by the same intake as an import, and kept nowhere.

use std::path::Path;

use wait_estimator::Month;

use crate::import::open;
use crate::intake::full_extract::{self, ExtractMonth};
use crate::intake::refusal::{Fault, ImportRefusal, RefusalReason};

/// Reads official full extracts (csv, gzip or zip) for fitting, in the order given. Blocking: a national month takes
/// about a second.
///
/// # Errors
/// The refusal of the first file that is not taken, with its place and reason.
pub fn read_months(paths: &[impl AsRef<Path>]) -> Result<Vec<Month>, ImportRefusal> {
    paths.iter().map(|path| read_month(path.as_ref())).collect()
}

fn read_month(path: &Path) -> Result<Month, ImportRefusal> {
    open(path)
        .and_then(full_extract::read)
        .and_then(|extract| month_of(&extract))
        .map_err(|fault| fault.in_file(&path.display().to_string()))
}

fn month_of(extract: &ExtractMonth) -> Result<Month, Box<Fault>> {
    let mut month = Month::new(extract.period, extract.layout, extract.content_sha256.clone());
    for cell in extract.cells() {
        if let Some(bands) = &cell.all.bands {
            month
                .add(cell.provider, cell.treatment_function, cell.part, bands.counts())
                .map_err(|error| Fault::new(RefusalReason::WrongLayout, error.to_string()))?;
        }
    }
    for (code, organisation) in &extract.organisations {
        if let Some(parent) = organisation.parent_code {
            month.set_region(*code, parent);
        }
    }
    Ok(month)
}
