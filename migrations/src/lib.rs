//! Every schema change, in order, for SQLite and PostgreSQL alike: one set of migrations serves both.
//!
//! A migration that has landed is never edited; a change is a new one. New columns are added before the
//! code that needs them and dropped after the code that used them is gone, so that two versions of the
//! service can run on one database while one replaces the other.

mod m20261122_000001_platform;
mod m20261122_000002_record_access;
mod m20261122_000003_identity;
mod m20261122_000004_waiting_times;
mod m20261122_000005_access_log_blocks;
mod m20261122_000006_estimates;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    DatabaseConnection, DbBackend, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

/// The migrations in the order in which they run.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_platform::Migration),
            Box::new(m20261122_000002_record_access::Migration),
            Box::new(m20261122_000003_identity::Migration),
            Box::new(m20261122_000004_waiting_times::Migration),
            Box::new(m20261122_000005_access_log_blocks::Migration),
            Box::new(m20261122_000006_estimates::Migration),
        ]
    }
}

/// The PostgreSQL advisory lock that lets one instance migrate while others wait. Any fixed number does.
const MIGRATION_LOCK: i64 = 0x4672_6f6e_7444_6f6f;

/// Brings the schema up to date, or leaves it as it was. Instances that start together do it one after the other.
///
/// # Errors
/// When the database refuses a change.
pub async fn run(db: &DatabaseConnection) -> Result<(), DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    // SQLite: the write lock is taken before anything is looked at, so that nobody else migrates meanwhile.
    let mode = (!is_postgres).then_some(SqliteTransactionMode::Immediate);
    let options = TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() };
    let transaction = db.begin_with_options(options).await?;
    if is_postgres {
        let lock = "SELECT pg_advisory_xact_lock($1)";
        let lock = Statement::from_sql_and_values(DbBackend::Postgres, lock, [MIGRATION_LOCK.into()]);
        transaction.execute_raw(lock).await?;
    }
    Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

/// Names of the migrations that have not run yet.
///
/// # Errors
/// When the database does not answer.
pub async fn pending(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let pending = Migrator::get_pending_migrations(db).await?;
    Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
}
