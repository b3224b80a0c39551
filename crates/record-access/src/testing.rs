//! A store of one test's own.

use std::sync::Arc;

use chrono::{TimeZone, Utc};
use platform::keys::KeyRing;
use platform::{Db, ManualClock, OsRandom, SharedClock, SharedRandom};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{AccessLog, Patients};

pub(crate) struct Store {
    folder: tempfile::TempDir,
    pub(crate) db: Db,
    pub(crate) keys: KeyRing,
    pub(crate) log: AccessLog,
    pub(crate) patients: Patients,
}

impl Store {
    /// Everything the database keeps of patients, as it keeps it: the file, or the rows as text.
    pub(crate) async fn all_bytes(&self) -> Vec<u8> {
        if self.db.backend() == DbBackend::Sqlite {
            self.db.write().execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
            return std::fs::read(self.folder.path().join("test.db")).unwrap();
        }
        let mut bytes = Vec::new();
        for table in ["patient", "patient_number"] {
            let sql = format!("SELECT CAST(to_jsonb(t) AS text) AS kept, t.* FROM {table} t");
            let rows = Statement::from_string(DbBackend::Postgres, sql);
            for row in self.db.read().query_all_raw(rows).await.unwrap() {
                // Binary columns are hexadecimal in the text: look at what they say too.
                let text: String = row.try_get("", "kept").unwrap();
                bytes.extend_from_slice(text.as_bytes());
                for column in ["details_sealed", "number_sealed"] {
                    bytes.extend(row.try_get::<Vec<u8>>("", column).unwrap_or_default());
                }
            }
        }
        bytes
    }

    /// Lets the access log be changed, as somebody with the database's own password could.
    pub(crate) async fn break_in(&self) {
        let statements: &[&str] = if self.db.backend() == DbBackend::Sqlite {
            &[
                "DROP TRIGGER access_log_no_update",
                "DROP TRIGGER access_log_no_delete",
                "DROP TRIGGER access_log_subject_no_update",
                "DROP TRIGGER access_log_subject_no_delete",
            ]
        } else {
            &[
                "DROP TRIGGER access_log_append_only ON access_log_block",
                "DROP TRIGGER access_log_subject_append_only ON access_log_subject",
            ]
        };
        for statement in statements {
            self.db.write().execute_unprepared(statement).await.unwrap();
        }
    }
}

pub(crate) async fn store() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let db = platform::testing::empty_database(folder.path()).await;
    migrations::run(db.write()).await.unwrap();
    let random: SharedRandom = Arc::new(OsRandom);
    let clock: SharedClock = Arc::new(ManualClock::new(Utc.with_ymd_and_hms(2026, 11, 2, 9, 0, 0).unwrap()));
    let keys = KeyRing::create(&folder.path().join("ring.json"), None, random.clone()).unwrap();
    let log = AccessLog::start(db.clone(), &keys, clock.clone()).unwrap();
    let patients = Patients::new(db.clone(), keys.clone(), clock, random);
    Store { folder, db, keys, log, patients }
}
