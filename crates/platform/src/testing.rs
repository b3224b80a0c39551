//! A database of one test's own, on the form that the run of the suite is about.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up must stop")]

use std::path::Path;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, Database};
use url::Url;

use crate::Db;
use crate::random::{OsRandom, SharedRandom};
use crate::settings::DatabaseSettings;

/// The PostgreSQL server on which tests may make databases, where this run of the suite is about PostgreSQL.
#[must_use]
pub fn postgres() -> Option<String> {
    std::env::var("FRONT_DOOR_TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

/// An empty database: a file in `folder`, or, where `FRONT_DOOR_TEST_DATABASE_URL` names a PostgreSQL server, a
/// new database there.
pub async fn empty_database(folder: &Path) -> Db {
    match postgres() {
        None => Db::open_sqlite(&folder.join("test.db")).await.expect("an SQLite database"),
        Some(server) => {
            let name = unique("fd_unit");
            on_server(&server, &format!("CREATE DATABASE {name}")).await;
            let settings = DatabaseSettings { url: database_at(&server, &name), max_connections: 4 };
            Db::connect(&settings).await.expect("the new database")
        }
    }
}

/// The address of the database `name` on the server that `server` is an address on.
#[must_use]
pub fn database_at(server: &str, name: &str) -> String {
    let mut url = Url::parse(server).expect("FRONT_DOOR_TEST_DATABASE_URL is a URL");
    url.set_path(name);
    url.to_string()
}

/// A name that no other test uses.
#[must_use]
pub fn unique(start: &str) -> String {
    let random: SharedRandom = Arc::new(OsRandom);
    format!("{start}_{}", random.uuid().simple())
}

/// Carries out one statement on the server itself.
pub async fn on_server(server: &str, sql: &str) {
    // Making databases from one template at the same time is refused: one after the other.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    let connection = Database::connect(server).await.expect("FRONT_DOOR_TEST_DATABASE_URL answers");
    connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.expect("the connection closes");
}
