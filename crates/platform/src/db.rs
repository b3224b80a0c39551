//! The database: SQLite in a file by default, PostgreSQL in production, one code path for both.
//!
//! SQLite has one writer. [`Db`] therefore keeps two pools there: readers, and a single connection through
//! which every change goes, in immediate transactions, so that no write fails half-way for a lock. On
//! PostgreSQL both are the same pool.

use std::path::Path;
use std::time::Duration;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqlErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use crate::settings::DatabaseSettings;

/// A handle on the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    read: DatabaseConnection,
    write: DatabaseConnection,
}

impl Db {
    /// Opens the database that `settings` names.
    ///
    /// # Errors
    /// When the URL is of neither kind or the database cannot be reached.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, DbErr> {
        if settings.url.starts_with("sqlite:") {
            Self::connect_sqlite(&settings.url, settings.max_connections).await
        } else if settings.url.starts_with("postgres:") || settings.url.starts_with("postgresql:") {
            let pool = Database::connect(
                options(&settings.url)
                    .max_connections(settings.max_connections)
                    .min_connections(2.min(settings.max_connections))
                    .to_owned(),
            )
            .await?;
            Ok(Self { read: pool.clone(), write: pool })
        } else {
            Err(DbErr::Custom("database.url must start with sqlite: or postgres:".to_owned()))
        }
    }

    /// Opens, and makes where it is missing, the SQLite database in the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub async fn open_sqlite(path: &Path) -> Result<Self, DbErr> {
        Self::connect_sqlite(&format!("sqlite://{}?mode=rwc", path.display()), 4).await
    }

    async fn connect_sqlite(url: &str, readers: u32) -> Result<Self, DbErr> {
        let prepare = |max| {
            let mut options = options(url);
            options.max_connections(max).map_sqlx_sqlite_opts(|sqlite| {
                use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
                sqlite
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    // A commit survives the end of this process at any moment, though not a power cut: for made-up
                    // people that will do, and production, which refuses SQLite, has PostgreSQL's own promise.
                    .synchronous(SqliteSynchronous::Normal)
                    .busy_timeout(Duration::from_secs(5))
                    .foreign_keys(true)
                    // Copy the write-ahead log into the database every 16 MB, not every 4: each copy is a pause.
                    .pragma("wal_autocheckpoint", "4000")
                    .statement_cache_capacity(200)
            });
            options
        };
        // The writer first: it makes the file and turns on the write-ahead log.
        let write = Database::connect(prepare(1)).await?;
        let read = Database::connect(prepare(readers.max(1))).await?;
        Ok(Self { read, write })
    }

    /// Where to read.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Where a single statement may write. For more than one, [`Db::begin`].
    #[must_use]
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a transaction that may write. On SQLite it holds the one writer until it ends: keep it short,
    /// and do not wait inside it for anything that writes.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let mode = (self.backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        self.write
            .begin_with_options(TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() })
            .await
    }

    /// Which kind of database this is.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.write.get_database_backend()
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.read.ping().await
    }

    /// Closes every connection, after what is under way has ended.
    ///
    /// # Errors
    /// When a connection does not close in order.
    pub async fn close(self) -> Result<(), DbErr> {
        self.read.clone().close().await?;
        self.write.close().await
    }
}

/// Whether `error` says that another writer was first: a row with the same unique value has been committed
/// since this transaction looked. Tried again, the transaction finds that row.
#[must_use]
pub fn lost_a_race(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

fn options(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .connect_timeout(Duration::from_secs(5))
        .acquire_timeout(Duration::from_secs(3))
        // A connection that lay idle may have died with its server; a busy one need not be asked each time.
        .test_before_acquire_if_idle_for(Duration::from_secs(2))
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::ConnectionTrait;

    #[tokio::test]
    async fn a_transaction_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open_sqlite(&folder.path().join("test.db")).await.unwrap();
        db.write().execute_unprepared("CREATE TABLE t (n INTEGER)").await.unwrap();
        let transaction = db.begin().await.unwrap();
        transaction.execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
        drop(transaction);
        let transaction = db.begin().await.unwrap();
        transaction.execute_unprepared("INSERT INTO t VALUES (2)").await.unwrap();
        transaction.commit().await.unwrap();
        let rows = db
            .read()
            .query_all_raw(sea_orm::Statement::from_string(DbBackend::Sqlite, "SELECT n FROM t"))
            .await
            .unwrap();
        let found: Vec<i32> = rows.iter().map(|row| row.try_get("", "n").unwrap()).collect();
        assert_eq!(found, [2]);
    }

    #[tokio::test]
    async fn other_kinds_of_database_are_refused_by_name() {
        let settings = DatabaseSettings { url: "mysql://localhost/x".to_owned(), max_connections: 1 };
        let said = Db::connect(&settings).await.unwrap_err().to_string();
        assert!(said.contains("sqlite: or postgres:"), "{said}");
    }
}
