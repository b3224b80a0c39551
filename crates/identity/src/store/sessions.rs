//! Sessions as they are kept.

use chrono::{DateTime, Utc};
use platform::Db;
use record_access::AccountId;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::session::{Column, Entity, Model};

/// Rows changed by one statement of the sweep, so that it never holds the one writer for long.
const BATCH: u64 = 500;

/// Writes a new session down.
pub(crate) async fn insert(db: &Db, row: Model) -> Result<(), DbErr> {
    Entity::insert(row.into_active_model()).exec_without_returning(db.write()).await.map(|_| ())
}

/// The session with this token, ended or not.
pub(crate) async fn by_token(db: &Db, token_hash: &[u8; 32]) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::TokenHash.eq(token_hash.to_vec())).one(db.read()).await
}

/// Sessions of an account that nobody ended, newest first.
pub(crate) async fn of_account(db: &Db, account: AccountId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account.0))
        .filter(Column::EndedAtMicros.is_null())
        .order_by_desc(Column::CreatedAtMicros)
        .limit(100)
        .all(db.read())
        .await
}

/// Puts a new token in the place of `old`. Of several callers with the same old token one succeeds.
pub(crate) async fn rotate(
    db: &Db,
    old: &[u8; 32],
    new: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::TokenHash, Expr::value(new.to_vec()))
        .col_expr(Column::RotatedAtMicros, Expr::value(now.timestamp_micros()))
        .filter(Column::TokenHash.eq(old.to_vec()))
        .filter(Column::EndedAtMicros.is_null())
        .exec(db.write())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Ends these sessions, where they have not ended. Returns how many were.
pub(crate) async fn end(db: &Db, which: Condition, now: DateTime<Utc>, reason: &str) -> Result<u64, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::EndedAtMicros, Expr::value(now.timestamp_micros()))
        .col_expr(Column::EndReason, Expr::value(reason))
        .filter(which)
        .filter(Column::EndedAtMicros.is_null())
        .exec(db.write())
        .await?;
    Ok(done.rows_affected)
}

/// Moves the time last seen forward, never back, in all these sessions.
pub(crate) async fn touch(db: &Db, sessions: &[Uuid], seen_micros: i64) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LastSeenAtMicros, Expr::value(seen_micros))
        .filter(Column::SessionId.is_in(sessions.iter().copied()))
        .filter(Column::LastSeenAtMicros.lt(seen_micros))
        .exec(db.write())
        .await
        .map(|_| ())
}

/// Marks sessions that ran out as ended, and removes those that ended before `forget`. `longest` is the
/// longest life of a session: with it both find their rows by the index on the absolute end.
pub(crate) async fn sweep(
    db: &Db,
    now: DateTime<Utc>,
    forget: DateTime<Utc>,
    longest: chrono::Duration,
) -> Result<u64, DbErr> {
    let ran_out = Condition::all().add(Column::AbsoluteEndsAtMicros.lte(now.timestamp_micros()));
    loop {
        let some = Query::select()
            .column(Column::SessionId)
            .from(Entity)
            .cond_where(ran_out.clone())
            .and_where(Column::EndedAtMicros.is_null())
            .limit(BATCH)
            .to_owned();
        if end(db, Condition::all().add(Column::SessionId.in_subquery(some)), now, "ran_out").await? < BATCH {
            break;
        }
    }
    let mut removed = 0;
    loop {
        let some = Query::select()
            .column(Column::SessionId)
            .from(Entity)
            .and_where(Column::AbsoluteEndsAtMicros.lte((forget + longest).timestamp_micros()))
            .and_where(Column::EndedAtMicros.lte(forget.timestamp_micros()))
            .limit(BATCH)
            .to_owned();
        let done = Entity::delete_many().filter(Column::SessionId.in_subquery(some)).exec(db.write()).await?;
        removed += done.rows_affected;
        if done.rows_affected < BATCH {
            return Ok(removed);
        }
    }
}
