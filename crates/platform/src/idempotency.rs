//! Requests that create something, made safe to send twice: the answer is kept in the database, in the
//! transaction of the change itself, under the caller's key (draft-ietf-httpapi-idempotency-key-header).

use chrono::{DateTime, Duration, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{DatabaseTransaction, Set};

use crate::crypto;

/// How long an answer is kept.
pub const KEPT: Duration = Duration::hours(24);

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotent_request")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub key_hash: Vec<u8>,
        pub request_hash: Vec<u8>,
        pub status: i16,
        pub body: Vec<u8>,
        pub created_at_micros: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One request as its caller may repeat it.
#[derive(Debug, Clone)]
pub struct IdempotentRequest {
    key_hash: Vec<u8>,
    request_hash: Vec<u8>,
}

/// An answer given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The HTTP status.
    pub status: u16,
    /// The body, or what the same body is made from again. It is kept as it is: nothing of a person may stand in
    /// it, only identifiers.
    pub body: Vec<u8>,
}

/// What the store knows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: carry it out, and keep the answer with [`IdempotentRequest::keep`] in the same transaction.
    New,
    /// It was carried out; this was the answer.
    Answered(Kept),
    /// The key was used for another request.
    OtherRequest,
}

impl IdempotentRequest {
    /// The request that `caller` names with `key`: `operation` and the bytes of its body.
    #[must_use]
    pub fn new(caller: &str, key: &str, operation: &str, body: &[u8]) -> Self {
        let hash = |parts: &[&[u8]]| {
            let mut bytes = Vec::new();
            for part in parts {
                bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
                bytes.extend_from_slice(part);
            }
            crypto::sha256(&bytes).to_vec()
        };
        Self {
            key_hash: hash(&[caller.as_bytes(), key.as_bytes()]),
            request_hash: hash(&[operation.as_bytes(), body]),
        }
    }

    /// Takes the key for this transaction. A second transaction with the same key waits for the first to end.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn claim(&self, transaction: &DatabaseTransaction, now: DateTime<Utc>) -> Result<Seen, DbErr> {
        let taken = row::Entity::insert(row::ActiveModel {
            key_hash: Set(self.key_hash.clone()),
            request_hash: Set(self.request_hash.clone()),
            status: Set(0),
            body: Set(Vec::new()),
            created_at_micros: Set(now.timestamp_micros()),
        })
        .on_conflict(OnConflict::column(row::Column::KeyHash).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
        if taken == 1 {
            return Ok(Seen::New);
        }
        let found = row::Entity::find_by_id(self.key_hash.clone())
            .one(transaction)
            .await?
            .ok_or_else(|| DbErr::RecordNotFound("an idempotency key vanished".to_owned()))?;
        if found.request_hash != self.request_hash {
            return Ok(Seen::OtherRequest);
        }
        let status = u16::try_from(found.status).unwrap_or(0);
        Ok(Seen::Answered(Kept { status, body: found.body }))
    }

    /// Keeps the answer, in the transaction that claimed the key and made the change.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn keep(&self, transaction: &DatabaseTransaction, kept: &Kept) -> Result<(), DbErr> {
        row::Entity::update_many()
            .col_expr(row::Column::Status, Expr::value(i16::try_from(kept.status).unwrap_or(0)))
            .col_expr(row::Column::Body, Expr::value(kept.body.clone()))
            .filter(row::Column::KeyHash.eq(self.key_hash.clone()))
            .exec(transaction)
            .await
            .map(|_| ())
    }
}

/// Removes answers older than [`KEPT`].
///
/// # Errors
/// When the database refuses.
pub async fn sweep(db: &crate::Db, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let done = row::Entity::delete_many()
        .filter(row::Column::CreatedAtMicros.lt((now - KEPT).timestamp_micros()))
        .exec(db.write())
        .await?;
    Ok(done.rows_affected)
}
