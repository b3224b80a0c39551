//! Many entries in one statement, as each database likes it best.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use sea_orm::sqlx::{self, Postgres};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, Value};
use uuid::Uuid;

use super::Entry;

/// Entries in one commit, the most that are waiting of these: few statement texts let a database keep them
/// prepared.
const SIZES: [usize; 14] = [MOST_ROWS, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// Most entries in one commit.
pub(super) const MOST_ROWS: usize = 128;

/// The columns, in the order of the parameters.
const COLUMNS: [&str; 14] = [
    "month",
    "lane",
    "seq",
    "at_micros",
    "request_id",
    "actor",
    "subject",
    "authority",
    "client",
    "category",
    "purpose",
    "operation",
    "refused",
    "mac",
];

/// An entry in its place.
pub(super) struct Row<'a> {
    pub(super) month: i32,
    pub(super) lane: i16,
    pub(super) seq: i64,
    pub(super) at_micros: i64,
    pub(super) entry: &'a Entry,
    pub(super) mac: Vec<u8>,
}

/// How many of `waiting` entries go into the next statement.
pub(super) fn rows_at_once(waiting: usize) -> usize {
    SIZES.into_iter().find(|size| *size <= waiting).unwrap_or(1)
}

/// Inserts `rows`, as many as [`rows_at_once`] says, in one statement: all of them or none.
pub(super) async fn insert(db: &DatabaseConnection, rows: &[Row<'_>]) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        insert_arrays(db.get_postgres_connection_pool(), rows).await
    } else {
        insert_values(db, rows).await
    }
}

/// PostgreSQL plans and binds one array a column far faster than one parameter a value.
async fn insert_arrays(pool: &sqlx::Pool<Postgres>, rows: &[Row<'_>]) -> Result<(), DbErr> {
    fn column<'a, T>(rows: &'a [Row<'a>], of: impl Fn(&'a Row<'a>) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let types = "$1::int4[], $2::int2[], $3::int8[], $4::int8[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], \
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[]";
        format!("INSERT INTO access_log ({}) SELECT * FROM UNNEST({types})", COLUMNS.join(","))
    });
    sqlx::query(text.as_str())
        .bind(column(rows, |row| row.month))
        .bind(column(rows, |row| row.lane))
        .bind(column(rows, |row| row.seq))
        .bind(column(rows, |row| row.at_micros))
        .bind(column(rows, |row| row.entry.request_id))
        .bind(column::<Option<Uuid>>(rows, |row| row.entry.actor.map(|actor| actor.0)))
        .bind(column::<Option<Uuid>>(rows, |row| row.entry.subject.map(|subject| subject.0)))
        .bind(column(rows, |row| row.entry.authority.as_ref()))
        .bind(column(rows, |row| row.entry.client.as_str()))
        .bind(column(rows, |row| row.entry.category.as_str()))
        .bind(column(rows, |row| row.entry.purpose))
        .bind(column(rows, |row| row.entry.operation))
        .bind(column(rows, |row| row.entry.outcome.refused()))
        .bind(column(rows, |row| row.mac.as_slice()))
        .execute(pool)
        .await
        .map(|_| ())
        .map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error))))
}

async fn insert_values(db: &DatabaseConnection, rows: &[Row<'_>]) -> Result<(), DbErr> {
    let mut values = Vec::with_capacity(rows.len() * COLUMNS.len());
    for row in rows {
        values.extend(row_values(row));
    }
    let text = values_statement(rows.len());
    db.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, text, values)).await.map(|_| ())
}

fn row_values(row: &Row<'_>) -> [Value; COLUMNS.len()] {
    let Row { month, lane, seq, at_micros, entry, mac } = row;
    [
        (*month).into(),
        (*lane).into(),
        (*seq).into(),
        (*at_micros).into(),
        entry.request_id.into(),
        entry.actor.map(|actor| actor.0).into(),
        entry.subject.map(|subject| subject.0).into(),
        entry.authority.as_ref().into(),
        entry.client.as_str().into(),
        entry.category.as_str().into(),
        entry.purpose.into(),
        entry.operation.into(),
        entry.outcome.refused().map(str::to_owned).into(),
        mac.clone().into(),
    ]
}

/// The statement that inserts `rows` entries, `rows` being one of [`SIZES`]. Its parameters have no numbers: SQLite
/// keeps a numbered one as a name, and looks names up one after the other.
fn values_statement(rows: usize) -> &'static str {
    static TEXTS: OnceLock<[String; SIZES.len()]> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| {
        SIZES.map(|size| {
            let row = format!("({})", ["?"; COLUMNS.len()].join(","));
            let mut text = format!("INSERT INTO access_log ({}) VALUES {row}", COLUMNS.join(","));
            for _ in 1..size {
                // Writing to a string does not fail.
                let _ = write!(text, ",{row}");
            }
            text
        })
    });
    let at = SIZES.iter().position(|size| *size == rows).unwrap_or(SIZES.len() - 1);
    &texts[at]
}
