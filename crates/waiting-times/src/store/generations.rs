//! Generations, the chunks of their models, and fits that did not pass.

use std::collections::BTreeMap;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Set,
};
use uuid::Uuid;

use super::entities::{fit_failure, generation, generation_chunk};
use super::months::{self, stored_treatment_function};
use crate::error::WaitingTimesError;
use crate::model::TreatmentFunction;
use crate::snapshot::Origin;

/// A generation as it stands in the store, without its chunks.
pub(crate) type Row = generation::Model;

/// A generation about to be stored.
#[derive(Debug)]
pub(crate) struct NewGeneration {
    pub(crate) generation: String,
    pub(crate) base_month_id: Uuid,
    pub(crate) origin: Origin,
    pub(crate) model_version: String,
    /// None where there is no model.
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) chunks: BTreeMap<TreatmentFunction, Vec<u8>>,
    pub(crate) report_json: String,
    pub(crate) calibration_json: Option<String>,
    pub(crate) previous: Option<String>,
}

/// The generation of that name.
pub(crate) async fn find(db: &impl ConnectionTrait, name: &str) -> Result<Option<Row>, DbErr> {
    generation::Entity::find_by_id(name).one(db).await
}

/// Every generation that is kept, the newest first.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Vec<Row>, DbErr> {
    generation::Entity::find()
        .order_by_desc(generation::Column::CreatedAtMicros)
        .order_by_asc(generation::Column::Generation)
        .all(db)
        .await
}

/// Stores a generation with its chunks.
pub(crate) async fn insert(
    db: &impl ConnectionTrait,
    new: &NewGeneration,
    now_micros: i64,
) -> Result<(), DbErr> {
    generation::ActiveModel {
        generation: Set(new.generation.clone()),
        base_month_id: Set(new.base_month_id),
        origin: Set(new.origin.code().to_owned()),
        model_version: Set(new.model_version.clone()),
        header: Set(new.header.clone()),
        report_json: Set(new.report_json.clone()),
        calibration_json: Set(new.calibration_json.clone()),
        previous: Set(new.previous.clone()),
        created_at_micros: Set(now_micros),
        superseded_at_micros: Set(None),
        expires_at_micros: Set(None),
    }
    .insert(db)
    .await?;
    // One at a time: a chunk may have half a megabyte.
    for (function, bytes) in &new.chunks {
        let chunk = generation_chunk::ActiveModel {
            generation: Set(new.generation.clone()),
            treatment_function: Set(function.to_string()),
            bytes: Set(bytes.clone()),
        };
        generation_chunk::Entity::insert(chunk).exec_without_returning(db).await?;
    }
    Ok(())
}

/// All chunks of a generation's model.
pub(crate) async fn chunks(
    db: &impl ConnectionTrait,
    name: &str,
) -> Result<BTreeMap<TreatmentFunction, Vec<u8>>, WaitingTimesError> {
    let rows = generation_chunk::Entity::find()
        .filter(generation_chunk::Column::Generation.eq(name))
        .all(db)
        .await?;
    rows.into_iter().map(|row| Ok((stored_treatment_function(&row.treatment_function)?, row.bytes))).collect()
}

/// Makes `name` the generation in use, about the month `base`: it no longer expires, and the one it takes over from
/// expires at `old_expires`.
pub(crate) async fn activate(
    db: &impl ConnectionTrait,
    name: &str,
    base: Uuid,
    now_micros: i64,
    old_expires_micros: i64,
) -> Result<(), WaitingTimesError> {
    let old = months::pointer(db).await?.generation;
    if old != name {
        generation::Entity::update_many()
            .col_expr(generation::Column::SupersededAtMicros, Expr::value(now_micros))
            .col_expr(generation::Column::ExpiresAtMicros, Expr::value(old_expires_micros))
            .filter(generation::Column::Generation.eq(old))
            .exec(db)
            .await?;
    }
    generation::Entity::update_many()
        .col_expr(generation::Column::BaseMonthId, Expr::value(base))
        .col_expr(generation::Column::SupersededAtMicros, Expr::value(None::<i64>))
        .col_expr(generation::Column::ExpiresAtMicros, Expr::value(None::<i64>))
        .filter(generation::Column::Generation.eq(name))
        .exec(db)
        .await?;
    Ok(months::switch(db, name, base, now_micros).await?)
}

/// Removes every made-up generation and month: official figures are in use now.
pub(crate) async fn remove_made_up(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let made_up = generation::Entity::find()
        .filter(generation::Column::Origin.eq(Origin::MadeUp.code()))
        .all(db)
        .await?;
    for row in made_up {
        remove(db, &row.generation).await?;
    }
    months::remove_made_up(db).await
}

/// Removes what has run out: expired generations, and the counts of retired months nothing refers to any more. How
/// many generations went.
pub(crate) async fn sweep(db: &impl ConnectionTrait, now_micros: i64) -> Result<usize, WaitingTimesError> {
    let pointer = months::pointer(db).await?;
    let expired = generation::Entity::find()
        .filter(generation::Column::ExpiresAtMicros.lte(now_micros))
        .filter(generation::Column::Generation.ne(pointer.generation))
        .all(db)
        .await?;
    for row in &expired {
        remove(db, &row.generation).await?;
    }
    let mut needed: Vec<Uuid> = generation::Entity::find()
        .select_only()
        .column(generation::Column::BaseMonthId)
        .into_tuple()
        .all(db)
        .await?;
    needed.extend(pointer.month_id);
    months::drop_retired_figures(db, &needed).await?;
    Ok(expired.len())
}

/// Whether [`sweep`] would find an expired generation.
pub(crate) async fn any_expired(db: &impl ConnectionTrait, now_micros: i64) -> Result<bool, DbErr> {
    let found = generation::Entity::find()
        .filter(generation::Column::ExpiresAtMicros.lte(now_micros))
        .one(db)
        .await?;
    Ok(found.is_some())
}

async fn remove(db: &impl ConnectionTrait, name: &str) -> Result<(), DbErr> {
    generation_chunk::Entity::delete_many()
        .filter(generation_chunk::Column::Generation.eq(name))
        .exec(db)
        .await?;
    generation::Entity::delete_by_id(name).exec(db).await?;
    Ok(())
}

/// A fit that did not pass.
#[derive(Debug)]
pub(crate) struct NewFailure {
    pub(crate) id: Uuid,
    /// The name the generation would have had.
    pub(crate) generation: String,
    pub(crate) inputs_json: String,
    pub(crate) failures_json: String,
}

/// Keeps that a fit did not pass.
pub(crate) async fn insert_failure(
    db: &impl ConnectionTrait,
    failure: NewFailure,
    now_micros: i64,
) -> Result<(), DbErr> {
    let row = fit_failure::ActiveModel {
        failure_id: Set(failure.id),
        generation: Set(failure.generation),
        inputs_json: Set(failure.inputs_json),
        failures_json: Set(failure.failures_json),
        at_micros: Set(now_micros),
        resolved_at_micros: Set(None),
    };
    fit_failure::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Marks all failures as settled by a fit that passed.
pub(crate) async fn resolve_failures(db: &impl ConnectionTrait, now_micros: i64) -> Result<(), DbErr> {
    fit_failure::Entity::update_many()
        .col_expr(fit_failure::Column::ResolvedAtMicros, Expr::value(now_micros))
        .filter(fit_failure::Column::ResolvedAtMicros.is_null())
        .exec(db)
        .await?;
    Ok(())
}

/// The latest fit that did not pass and has not been settled since.
pub(crate) async fn last_failure(db: &impl ConnectionTrait) -> Result<Option<fit_failure::Model>, DbErr> {
    fit_failure::Entity::find()
        .filter(fit_failure::Column::ResolvedAtMicros.is_null())
        .order_by_desc(fit_failure::Column::AtMicros)
        .one(db)
        .await
}
