//! A look into the store, behind the answers: what a refused request must not have changed.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tests::Server;

/// Rows by table, each row as text.
pub type Rows = BTreeMap<String, BTreeSet<String>>;

/// How many rows `table` has.
pub async fn count(server: &Server, table: &str) -> i64 {
    counted(server, &format!("SELECT COUNT(*) AS n FROM \"{table}\"")).await
}

/// How many sessions nobody has ended.
pub async fn live_sessions(server: &Server) -> i64 {
    counted(server, "SELECT COUNT(*) AS n FROM session WHERE ended_at_micros IS NULL").await
}

async fn counted(server: &Server, sql: &str) -> i64 {
    let db = server.app().db.read();
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await.expect("a count").expect("a row");
    row.try_get("", "n").expect("a number")
}

/// Every row of every table, but for the access log, which grows with refusals, and the time a session was
/// last seen, which moves with every request.
pub async fn snapshot(server: &Server) -> Rows {
    let kept = |table: &str, column: &str| {
        !(table.starts_with("access_log") || table == "session" && column == "last_seen_at_micros")
    };
    rows(server.app().db.read(), kept).await
}

/// The columns of every table that `kept` takes.
pub async fn rows(db: &DatabaseConnection, kept: impl Fn(&str, &str) -> bool) -> Rows {
    let mut all = Rows::new();
    for table in names(db, TABLES_SQLITE, TABLES_POSTGRES).await {
        let columns = names(
            db,
            &format!("SELECT name FROM pragma_table_info('{table}')"),
            &format!(
                "SELECT column_name::text AS name FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name = '{table}'"
            ),
        )
        .await;
        let columns: Vec<String> = columns
            .iter()
            .filter(|column| kept(&table, column))
            .map(|column| match db.get_database_backend() {
                DbBackend::Sqlite => format!("quote(\"{column}\")"),
                _ => format!("coalesce(\"{column}\"::text, 'NULL')"),
            })
            .collect();
        if columns.is_empty() {
            continue;
        }
        let sql = format!("SELECT {} AS line FROM \"{table}\"", columns.join(" || '|' || "));
        let lines = texts(db, &sql, "line").await;
        all.insert(table, lines.into_iter().collect());
    }
    assert!(all.len() > 8, "the store has more tables than {:?}", all.keys());
    all
}

const TABLES_SQLITE: &str =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
const TABLES_POSTGRES: &str = "SELECT table_name::text AS name FROM information_schema.tables \
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name";

async fn names(db: &DatabaseConnection, sqlite: &str, postgres: &str) -> Vec<String> {
    let sql = if db.get_database_backend() == DbBackend::Sqlite { sqlite } else { postgres };
    texts(db, sql, "name").await
}

async fn texts(db: &DatabaseConnection, sql: &str, column: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.try_get("", column).expect("a text")).collect()
}

/// The tables in which `before` and `after` differ.
pub fn changed(before: &Rows, after: &Rows) -> Vec<String> {
    let tables: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    tables.into_iter().filter(|table| before.get(*table) != after.get(*table)).cloned().collect()
}
