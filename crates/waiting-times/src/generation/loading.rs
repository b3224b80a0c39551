//! The generation in use, read into memory: the month from the database, the model from the shared cache or, where
//! that has nothing or something else, from the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use platform::Db;
use platform::cache::Cache;
use wait_estimator::{Model, ModelBytes};

use super::calibration::StoredCalibration;
use super::{KEPT_AFTER_SUPERSESSION, Made};
use crate::error::WaitingTimesError;
use crate::model::TreatmentFunction;
use crate::snapshot::{Calibration, Estimates, Previous, Snapshot};
use crate::store::generations::{self, Row};
use crate::store::months;

/// How often a load begins again because the pointer moved under it.
const LOADS: usize = 5;

/// Reads the generation the pointer names. Rows under one name never change, so what was read is whole if the pointer
/// still stands where it stood. Models that `held` has already are taken from there.
pub(crate) async fn load(db: &Db, cache: &Cache, held: &Snapshot) -> Result<Snapshot, WaitingTimesError> {
    for _ in 0..LOADS {
        let before = months::pointer(db.read()).await?;
        let read = read(db, cache, held, &before).await;
        // All of it: the same generation may have come back under another month in the meantime.
        if months::pointer(db.read()).await? == before {
            return read;
        }
    }
    Err(WaitingTimesError::Inconsistent("the generation in use changes faster than it can be read"))
}

async fn read(
    db: &Db,
    cache: &Cache,
    held: &Snapshot,
    pointer: &months::Pointer,
) -> Result<Snapshot, WaitingTimesError> {
    let generation = pointer.generation.clone();
    let Some(month_id) = pointer.month_id else {
        return Ok(Snapshot { generation, ..Snapshot::default() });
    };
    let month = months::load(db.read(), month_id)
        .await?
        .ok_or(WaitingTimesError::Inconsistent("the active month is missing"))?;
    // None: an earlier version of the service pointed here, which knew no generations.
    let row = generations::find(db.read(), &generation).await?;
    let estimates = match row {
        Some(row) => estimates(db, cache, held, &row).await?,
        None => None,
    };
    // A model is about its own month or about nothing.
    let estimates = estimates.filter(|estimates| estimates.model.base() == month.period);
    Ok(Snapshot { generation, month: Some(month), estimates })
}

async fn estimates(
    db: &Db,
    cache: &Cache,
    held: &Snapshot,
    row: &Row,
) -> Result<Option<Estimates>, WaitingTimesError> {
    let Some(model) = held_or_read(db, cache, held, row).await? else { return Ok(None) };
    let previous = match &row.previous {
        Some(name) => previous(db, cache, held, row, name).await?,
        None => None,
    };
    let stored: Option<StoredCalibration> =
        row.calibration_json.as_deref().and_then(|json| serde_json::from_str(json).ok());
    Ok(Some(Estimates {
        fitted_from: model.months().to_vec(),
        calibration: stored.map_or_else(Calibration::default, |stored| stored.read()),
        pairs: pairs(&row.report_json),
        previous,
        model,
    }))
}

/// The number of pairs the fit's own account lists.
fn pairs(report_json: &str) -> usize {
    let made: Option<Made> = serde_json::from_str(report_json).ok();
    let followed = |pair: &&serde_json::Value| pair["lists"].as_u64().is_some_and(|lists| lists > 0);
    made.and_then(|made| made.fit)
        .and_then(|fit| Some(fit.get("pairs")?.as_array()?.iter().filter(followed).count()))
        .unwrap_or_default()
}

/// The generation that was in use when `row` was made; none if it has been cleared away or is of another origin.
async fn previous(
    db: &Db,
    cache: &Cache,
    held: &Snapshot,
    row: &Row,
    name: &str,
) -> Result<Option<Previous>, WaitingTimesError> {
    let Some(before) = generations::find(db.read(), name).await? else { return Ok(None) };
    if before.origin != row.origin {
        return Ok(None);
    }
    let model = held_or_read(db, cache, held, &before).await?;
    Ok(model.map(|model| Previous { generation: before.generation, model }))
}

async fn held_or_read(
    db: &Db,
    cache: &Cache,
    held: &Snapshot,
    row: &Row,
) -> Result<Option<Arc<Model>>, WaitingTimesError> {
    if let Some(estimates) = &held.estimates {
        if held.generation == row.generation {
            return Ok(Some(Arc::clone(&estimates.model)));
        }
        if let Some(previous) = estimates.previous.as_ref().filter(|held| held.generation == row.generation) {
            return Ok(Some(Arc::clone(&previous.model)));
        }
    }
    Ok(model(db, cache, row).await?.map(Arc::new))
}

/// The model of a generation; none if it has none, or one that this version of the service cannot read.
pub(super) async fn model(db: &Db, cache: &Cache, row: &Row) -> Result<Option<Model>, WaitingTimesError> {
    let Some(header) = &row.header else { return Ok(None) };
    let name = &row.generation;
    if cache.is_shared() {
        if let Some(chunks) = from_cache(cache, name, header).await
            && let Some(model) = decode(header.clone(), chunks).await?
        {
            return Ok(Some(model));
        }
        metrics::counter!("waiting_times_models_from_database_total").increment(1);
    }
    let chunks = generations::chunks(db.read(), name).await?;
    fill_cache(cache, name, &chunks).await;
    let model = decode(header.clone(), chunks).await?;
    if model.is_none() {
        tracing::warn!(generation = %name, version = %row.model_version, "a stored model does not read");
    }
    Ok(model)
}

/// Decodes off the request threads: a national model has some twelve megabytes.
async fn decode(
    header: Vec<u8>,
    chunks: BTreeMap<TreatmentFunction, Vec<u8>>,
) -> Result<Option<Model>, WaitingTimesError> {
    let decoded = tokio::task::spawn_blocking(move || Model::decode(&ModelBytes { header, chunks }));
    match decoded.await.map_err(|_| WaitingTimesError::Interrupted)? {
        Ok(model) => Ok(Some(model)),
        Err(error) => {
            tracing::debug!(%error, "a model was not decoded");
            Ok(None)
        }
    }
}

/// All chunks from the shared cache, or nothing. Which there are, and that they are the right ones, the header tells,
/// which always comes from the database.
async fn from_cache(
    cache: &Cache,
    generation: &str,
    header: &[u8],
) -> Option<BTreeMap<TreatmentFunction, Vec<u8>>> {
    let mut chunks = BTreeMap::new();
    for function in ModelBytes::functions(header).ok()? {
        let bytes = cache.shared_bytes(&key(generation, function)).await?;
        chunks.insert(function, bytes.into());
    }
    Some(chunks)
}

/// Writes a model's chunks to the shared cache, for the instances that will ask.
pub(super) async fn fill_cache(
    cache: &Cache,
    generation: &str,
    chunks: &BTreeMap<TreatmentFunction, Vec<u8>>,
) {
    let ttl = Duration::from_secs(KEPT_AFTER_SUPERSESSION.num_seconds().unsigned_abs());
    for (function, bytes) in chunks {
        cache.keep_shared_bytes(&key(generation, *function), bytes, ttl).await;
    }
}

fn key(generation: &str, function: TreatmentFunction) -> String {
    format!("wt:{generation}:{function}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_where_lists_were_followed() {
        let made = |fit: &str| format!(r#"{{"months":[],"fit":{fit}}}"#);
        for (json, expected) in [
            (made(r#"{"pairs":[{"lists":3},{"lists":0},{"lists":1}]}"#), 2),
            (made(r#"{"pairs":[]}"#), 0),
            (made("null"), 0),
            ("nonsense".to_owned(), 0),
        ] {
            assert_eq!(pairs(&json), expected, "{json}");
        }
    }
}
