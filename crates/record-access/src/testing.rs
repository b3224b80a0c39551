//! A store of one test's own.

use std::sync::Arc;

use chrono::{TimeZone, Utc};
use platform::keys::KeyRing;
use platform::{Db, ManualClock, OsRandom, SharedClock, SharedRandom};
use sea_orm::ConnectionTrait;

use crate::{AccessLog, Patients};

pub(crate) struct Store {
    folder: tempfile::TempDir,
    pub(crate) db: Db,
    pub(crate) keys: KeyRing,
    pub(crate) log: AccessLog,
    pub(crate) patients: Patients,
}

impl Store {
    /// Everything the database wrote to disk.
    pub(crate) async fn all_bytes(&self) -> Vec<u8> {
        self.db.write().execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
        std::fs::read(self.folder.path().join("test.db")).unwrap()
    }
}

pub(crate) async fn store() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_sqlite(&folder.path().join("test.db")).await.unwrap();
    migrations::run(db.write()).await.unwrap();
    let random: SharedRandom = Arc::new(OsRandom);
    let clock: SharedClock = Arc::new(ManualClock::new(Utc.with_ymd_and_hms(2026, 11, 2, 9, 0, 0).unwrap()));
    let keys = KeyRing::create(&folder.path().join("ring.json"), None, random.clone()).unwrap();
    let log = AccessLog::start(db.clone(), &keys, clock.clone()).unwrap();
    let patients = Patients::new(db.clone(), keys.clone(), clock, random);
    Store { folder, db, keys, log, patients }
}
