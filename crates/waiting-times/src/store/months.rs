//! Months of figures: stored whole, read back whole, and the pointer to what is in use.

use std::collections::HashMap;

use chrono::NaiveDate;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Set,
};
use uuid::Uuid;
use wait_estimator::Month;

use super::codec;
use super::entities::{active, count, month, organisation, treatment_function};
use crate::error::WaitingTimesError;
use crate::intake::cells::Cell;
use crate::intake::full_extract::Organisation;
use crate::model::{BandLayout, OrganisationCode, Part, Period, ProviderCode, TreatmentFunction};
use crate::search::{Provider, ProviderIndex};
use crate::snapshot::{ActiveMonth, Origin};
use crate::statistics::list_statistics;

/// The pointer has one row, with this key.
const POINTER: i32 = 1;
/// Rows a statement inserts. SQLite takes 32,766 values in one, PostgreSQL 65,535.
const BATCH: usize = 1_000;

/// A month that is live.
#[derive(Clone, Debug)]
pub(crate) struct LiveMonth {
    pub(crate) id: Uuid,
    pub(crate) period: Period,
    pub(crate) origin: Origin,
    pub(crate) content_sha256: String,
    pub(crate) layout: BandLayout,
    pub(crate) list_total: u64,
}

/// Where the pointer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    /// Blank when nothing is in use.
    pub(crate) generation: String,
    /// The month whose statistics are in use.
    pub(crate) month_id: Option<Uuid>,
    pub(crate) changed_at_micros: i64,
}

/// A month about to be stored. Made before the transaction begins, so that the writer is held only for the inserts.
#[derive(Debug)]
pub(crate) struct NewMonth {
    pub(crate) id: Uuid,
    pub(crate) period: Period,
    pub(crate) origin: Origin,
    pub(crate) content_sha256: String,
    pub(crate) layout: BandLayout,
    pub(crate) source_name: String,
    pub(crate) source_rows: u64,
    pub(crate) list_total: u64,
    pub(crate) counts: Vec<count::ActiveModel>,
    pub(crate) organisations: Vec<organisation::ActiveModel>,
    pub(crate) treatment_functions: Vec<treatment_function::ActiveModel>,
}

/// One cell as a row.
pub(crate) fn count_row(month_id: Uuid, cell: &Cell) -> count::ActiveModel {
    let bands = |counts: &crate::intake::cells::Counts| counts.bands.as_ref().map(codec::encode);
    let share = cell.non_english.as_ref();
    count::ActiveModel {
        month_id: Set(month_id),
        part: Set(i16::try_from(cell.part.index()).unwrap_or_default()),
        provider_code: Set(cell.provider.to_string()),
        treatment_function: Set(cell.treatment_function.to_string()),
        bands: Set(bands(&cell.all)),
        unknown_clock_start: Set(cell.all.unknown_clock_start.into()),
        total: Set(cell.all.total.into()),
        non_english_bands: Set(share.and_then(bands)),
        non_english_unknown_clock_start: Set(share.map_or(0, |counts| counts.unknown_clock_start.into())),
        non_english_total: Set(share.map_or(0, |counts| counts.total.into())),
    }
}

/// One organisation as a row.
pub(crate) fn organisation_row(
    month_id: Uuid,
    code: ProviderCode,
    organisation: Organisation,
) -> organisation::ActiveModel {
    organisation::ActiveModel {
        month_id: Set(month_id),
        code: Set(code.to_string()),
        name: Set(organisation.name),
        parent_code: Set(organisation.parent_code.map(|code| code.to_string())),
        parent_name: Set(organisation.parent_name),
    }
}

/// One treatment function as a row.
pub(crate) fn treatment_function_row(
    month_id: Uuid,
    code: TreatmentFunction,
    name: Option<String>,
) -> treatment_function::ActiveModel {
    treatment_function::ActiveModel { month_id: Set(month_id), code: Set(code.to_string()), name: Set(name) }
}

/// Takes the turn to change months: until the transaction ends, no other import goes past this.
pub(crate) async fn take_turn(transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
    let done = active::Entity::update_many()
        .col_expr(active::Column::Id, Expr::value(POINTER))
        .filter(active::Column::Id.eq(POINTER))
        .exec(transaction)
        .await?;
    if done.rows_affected == 1 {
        Ok(())
    } else {
        Err(DbErr::RecordNotFound("the pointer to the active month is missing".to_owned()))
    }
}

/// The months that are live, oldest first.
pub(crate) async fn live(db: &impl ConnectionTrait) -> Result<Vec<LiveMonth>, WaitingTimesError> {
    let rows = month::Entity::find()
        .filter(month::Column::SupersededAtMicros.is_null())
        .order_by_asc(month::Column::PeriodMonth)
        .all(db)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LiveMonth {
                id: row.month_id,
                period: stored_period(row.period_month)?,
                origin: stored_origin(&row.origin)?,
                content_sha256: row.content_sha256,
                layout: stored_layout(&row.layout)?,
                list_total: u64::try_from(row.list_total).unwrap_or_default(),
            })
        })
        .collect()
}

/// Whether this content was live once and was replaced.
pub(crate) async fn was_superseded(
    db: &impl ConnectionTrait,
    period: Period,
    content_sha256: &str,
) -> Result<bool, DbErr> {
    let found = month::Entity::find()
        .filter(month::Column::PeriodMonth.eq(period.first_day()))
        .filter(month::Column::ContentSha256.eq(content_sha256))
        .filter(month::Column::SupersededAtMicros.is_not_null())
        .one(db)
        .await?;
    Ok(found.is_some())
}

/// Retires a live month: that it was here stays. Its counts stay for as long as a generation is about it.
pub(crate) async fn supersede(db: &impl ConnectionTrait, id: Uuid, now_micros: i64) -> Result<(), DbErr> {
    month::Entity::update_many()
        .col_expr(month::Column::SupersededAtMicros, Expr::value(now_micros))
        .filter(month::Column::MonthId.eq(id))
        .exec(db)
        .await?;
    Ok(())
}

/// Removes every made-up month without a trace. The generations about them must have gone before.
pub(crate) async fn remove_made_up(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let rows = month::Entity::find().filter(month::Column::Origin.eq(Origin::MadeUp.code())).all(db).await?;
    for row in rows {
        delete_figures(db, row.month_id).await?;
        month::Entity::delete_by_id(row.month_id).exec(db).await?;
    }
    Ok(())
}

/// Drops the counts of retired months that are not in `needed`.
pub(crate) async fn drop_retired_figures(db: &impl ConnectionTrait, needed: &[Uuid]) -> Result<(), DbErr> {
    let retired: Vec<Uuid> = month::Entity::find()
        .select_only()
        .column(month::Column::MonthId)
        .filter(month::Column::SupersededAtMicros.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    for id in retired.into_iter().filter(|id| !needed.contains(id)) {
        delete_figures(db, id).await?;
    }
    Ok(())
}

async fn delete_figures(db: &impl ConnectionTrait, id: Uuid) -> Result<(), DbErr> {
    count::Entity::delete_many().filter(count::Column::MonthId.eq(id)).exec(db).await?;
    organisation::Entity::delete_many().filter(organisation::Column::MonthId.eq(id)).exec(db).await?;
    treatment_function::Entity::delete_many()
        .filter(treatment_function::Column::MonthId.eq(id))
        .exec(db)
        .await?;
    Ok(())
}

/// Stores a month, live. The month it replaces must have been retired before.
pub(crate) async fn insert(db: &impl ConnectionTrait, new: NewMonth, now_micros: i64) -> Result<(), DbErr> {
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    month::ActiveModel {
        month_id: Set(new.id),
        period_month: Set(new.period.first_day()),
        origin: Set(new.origin.code().to_owned()),
        content_sha256: Set(new.content_sha256),
        layout: Set(new.layout.code().to_owned()),
        source_name: Set(new.source_name),
        source_rows: Set(whole(new.source_rows)),
        list_total: Set(whole(new.list_total)),
        imported_at_micros: Set(now_micros),
        superseded_at_micros: Set(None),
    }
    .insert(db)
    .await?;
    insert_batches(db, new.counts).await?;
    insert_batches(db, new.organisations).await?;
    insert_batches(db, new.treatment_functions).await
}

async fn insert_batches<A: ActiveModelTrait>(db: &impl ConnectionTrait, rows: Vec<A>) -> Result<(), DbErr> {
    let mut rows = rows.into_iter();
    loop {
        let batch: Vec<A> = rows.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(());
        }
        A::Entity::insert_many(batch).exec_without_returning(db).await?;
    }
}

/// Points at a generation and its month: the last statement of a switch.
pub(crate) async fn switch(
    db: &impl ConnectionTrait,
    generation: &str,
    month_id: Uuid,
    now_micros: i64,
) -> Result<(), DbErr> {
    active::Entity::update_many()
        .col_expr(active::Column::Generation, Expr::value(generation))
        .col_expr(active::Column::MonthId, Expr::value(month_id))
        .col_expr(active::Column::ChangedAtMicros, Expr::value(now_micros))
        .filter(active::Column::Id.eq(POINTER))
        .exec(db)
        .await?;
    Ok(())
}

/// Where the pointer stands now.
pub(crate) async fn pointer(db: &impl ConnectionTrait) -> Result<Pointer, WaitingTimesError> {
    let row = active::Entity::find_by_id(POINTER)
        .one(db)
        .await?
        .ok_or(WaitingTimesError::Inconsistent("the pointer to the active month is missing"))?;
    Ok(Pointer {
        generation: row.generation,
        month_id: row.month_id,
        changed_at_micros: row.changed_at_micros,
    })
}

/// The calendar month and the origin of a stored month.
pub(crate) async fn period_and_origin(
    db: &impl ConnectionTrait,
    id: Uuid,
) -> Result<Option<(Period, Origin)>, WaitingTimesError> {
    let Some(row) = month::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    Ok(Some((stored_period(row.period_month)?, stored_origin(&row.origin)?)))
}

/// Reads what answers need of a month into memory; none if it is not there.
pub(crate) async fn load(
    db: &impl ConnectionTrait,
    id: Uuid,
) -> Result<Option<ActiveMonth>, WaitingTimesError> {
    let Some(row) = month::Entity::find_by_id(id).one(db).await? else { return Ok(None) };
    let layout = stored_layout(&row.layout)?;
    Ok(Some(ActiveMonth {
        period: stored_period(row.period_month)?,
        origin: stored_origin(&row.origin)?,
        lists: load_lists(db, id, layout).await?,
        providers: load_providers(db, id).await?,
        treatment_functions: treatment_function::Entity::find()
            .filter(treatment_function::Column::MonthId.eq(id))
            .all(db)
            .await?
            .into_iter()
            .map(|row| Ok((stored_treatment_function(&row.code)?, row.name)))
            .collect::<Result<_, WaitingTimesError>>()?,
    }))
}

/// Reads all weekly counts of a month, dense, for fitting.
pub(crate) async fn load_counts(
    db: &impl ConnectionTrait,
    month: &LiveMonth,
) -> Result<Month, WaitingTimesError> {
    let rows: Vec<(i16, String, String, Option<Vec<u8>>)> = count::Entity::find()
        .select_only()
        .column(count::Column::Part)
        .column(count::Column::ProviderCode)
        .column(count::Column::TreatmentFunction)
        .column(count::Column::Bands)
        .filter(count::Column::MonthId.eq(month.id))
        .filter(count::Column::Bands.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    let mut counts = Month::new(month.period, month.layout, month.content_sha256.clone());
    for (part, provider, function, bands) in rows {
        let part = usize::try_from(part).ok().and_then(|index| Part::ALL.get(index).copied());
        let bands = bands.and_then(|bytes| codec::decode(month.layout, &bytes));
        let (Some(part), Some(bands)) = (part, bands) else {
            return Err(WaitingTimesError::Inconsistent("stored bands do not read back"));
        };
        let (provider, function) = (stored_provider(&provider)?, stored_treatment_function(&function)?);
        counts
            .add(provider, function, part, bands.counts())
            .map_err(|_| WaitingTimesError::Inconsistent("stored bands are not those of their layout"))?;
    }
    let parents: Vec<(String, Option<String>)> = organisation::Entity::find()
        .select_only()
        .column(organisation::Column::Code)
        .column(organisation::Column::ParentCode)
        .filter(organisation::Column::MonthId.eq(month.id))
        .into_tuple()
        .all(db)
        .await?;
    for (code, parent) in parents {
        if let Some(parent) = parent.as_deref().and_then(OrganisationCode::parse) {
            counts.set_region(stored_provider(&code)?, parent);
        }
    }
    Ok(counts)
}

async fn load_lists(
    db: &impl ConnectionTrait,
    id: Uuid,
    layout: BandLayout,
) -> Result<HashMap<(ProviderCode, TreatmentFunction), crate::statistics::ListStatistics>, WaitingTimesError>
{
    let rows: Vec<(String, String, Option<Vec<u8>>, i64)> = count::Entity::find()
        .select_only()
        .column(count::Column::ProviderCode)
        .column(count::Column::TreatmentFunction)
        .column(count::Column::Bands)
        .column(count::Column::UnknownClockStart)
        .filter(count::Column::MonthId.eq(id))
        .filter(count::Column::Part.eq(i16::try_from(Part::Incomplete.index()).unwrap_or_default()))
        .into_tuple()
        .all(db)
        .await?;
    rows.into_iter()
        .map(|(provider, function, bands, unknown)| {
            let bands = bands
                .and_then(|bytes| codec::decode(layout, &bytes))
                .ok_or(WaitingTimesError::Inconsistent("stored bands do not read back"))?;
            let key = (stored_provider(&provider)?, stored_treatment_function(&function)?);
            Ok((key, list_statistics(&bands, u64::try_from(unknown).unwrap_or_default())))
        })
        .collect()
}

async fn load_providers(db: &impl ConnectionTrait, id: Uuid) -> Result<ProviderIndex, WaitingTimesError> {
    let rows = organisation::Entity::find().filter(organisation::Column::MonthId.eq(id)).all(db).await?;
    let providers = rows
        .into_iter()
        .map(|row| {
            Ok(Provider {
                code: stored_provider(&row.code)?,
                name: row.name,
                parent_code: row.parent_code.as_deref().and_then(OrganisationCode::parse),
                parent_name: row.parent_name,
            })
        })
        .collect::<Result<Vec<_>, WaitingTimesError>>()?;
    Ok(ProviderIndex::new(providers))
}

fn stored_period(first_day: NaiveDate) -> Result<Period, WaitingTimesError> {
    Period::containing(first_day).ok_or(WaitingTimesError::Inconsistent("a stored period is not a month"))
}

fn stored_layout(code: &str) -> Result<BandLayout, WaitingTimesError> {
    BandLayout::from_code(code).ok_or(WaitingTimesError::Inconsistent("a stored layout is not known"))
}

pub(crate) fn stored_origin(code: &str) -> Result<Origin, WaitingTimesError> {
    Origin::from_code(code).ok_or(WaitingTimesError::Inconsistent("a stored origin is not known"))
}

pub(crate) fn stored_provider(code: &str) -> Result<ProviderCode, WaitingTimesError> {
    ProviderCode::parse(code)
        .ok_or(WaitingTimesError::Inconsistent("a stored provider code does not read back"))
}

pub(crate) fn stored_treatment_function(code: &str) -> Result<TreatmentFunction, WaitingTimesError> {
    TreatmentFunction::parse(code)
        .ok_or(WaitingTimesError::Inconsistent("a stored treatment function does not read back"))
}
