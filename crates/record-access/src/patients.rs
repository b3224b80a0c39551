//! People with a record here. Everything that names a person is stored sealed; NHS numbers are found by a
//! keyed hash.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use platform::db::lost_a_race;
use platform::keys::{KeyError, KeyRing, Sealed};
use platform::{Db, ErrorKind, SharedClock, SharedRandom};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QuerySelect, Set,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::nhs_number::NhsNumber;
use crate::policy::{RecordAccess, category};
use crate::store::{patient, patient_number};

/// A patient, by an identifier that means nothing elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PatientId(pub Uuid);

/// The version of a patient's record: it grows by one with every change to any part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordVersion(pub i64);

/// How long another instance's change may go unnoticed here.
const VERSION_HOLDS: Duration = Duration::from_millis(500);

const DETAILS: &str = "patient.details";
const NUMBER: &str = "patient.nhs-number";

/// Why a patient could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer as it should.
    #[error("the database: {0}")]
    Db(#[from] DbErr),
    /// A sealed value does not open, or cannot be sealed.
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    /// A row that must be there is not, or does not read back.
    #[error("the store is inconsistent: {0}")]
    Inconsistent(&'static str),
}

impl StoreError {
    /// The kind the caller is told.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Db(_) => ErrorKind::StoreUnavailable,
            Self::Keys(_) | Self::Inconsistent(_) => ErrorKind::Internal,
        }
    }
}

/// A person's name. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    /// Given name or names.
    pub given: String,
    /// Family name.
    pub family: String,
}

impl PersonName {
    /// Given and family name, as a person is greeted.
    #[must_use]
    pub fn full(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

impl std::fmt::Debug for PersonName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonName(***)")
    }
}

/// How to reach a person. `Debug` does not show it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Electronic mail.
    pub email: Option<String>,
    /// Telephone.
    pub phone: Option<String>,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(***)")
    }
}

/// Who a patient is, as registered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Name.
    pub name: PersonName,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// How to reach them.
    #[serde(default)]
    pub contact: Contact,
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Details(***)")
    }
}

/// A patient to be registered.
#[derive(Debug, Clone)]
pub struct NewPatient {
    /// The NHS number in force.
    pub nhs_number: NhsNumber,
    /// Numbers the person had before.
    pub superseded_numbers: Vec<NhsNumber>,
    /// Who it is.
    pub details: Details,
}

/// The store of patients. Cheap to clone.
#[derive(Clone)]
pub struct Patients {
    db: Db,
    keys: KeyRing,
    clock: SharedClock,
    random: SharedRandom,
    versions: moka::future::Cache<PatientId, RecordVersion>,
}

impl std::fmt::Debug for Patients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Patients").finish_non_exhaustive()
    }
}

impl Patients {
    /// The store in `db`.
    #[must_use]
    pub fn new(db: Db, keys: KeyRing, clock: SharedClock, random: SharedRandom) -> Self {
        let versions =
            moka::future::Cache::builder().max_capacity(100_000).time_to_live(VERSION_HOLDS).build();
        Self { db, keys, clock, random, versions }
    }

    /// Registers a patient. One who is already here under any of the numbers keeps their identifier, and
    /// numbers that are new are added.
    ///
    /// # Errors
    /// When the numbers belong to different patients, or the store refuses.
    pub async fn register(&self, new: &NewPatient) -> Result<PatientId, StoreError> {
        match self.try_register(new).await {
            // Registered by another instance at the same moment: this time it is found.
            Err(StoreError::Db(error)) if lost_a_race(&error) => self.try_register(new).await,
            outcome => outcome,
        }
    }

    async fn try_register(&self, new: &NewPatient) -> Result<PatientId, StoreError> {
        let now = self.clock.now().timestamp_micros();
        let transaction = self.db.begin().await?;
        let numbers: Vec<(&NhsNumber, bool)> = std::iter::once((&new.nhs_number, false))
            .chain(new.superseded_numbers.iter().map(|number| (number, true)))
            .collect();
        let mut known = Vec::new();
        for (number, _) in &numbers {
            known.push(self.owner(&transaction, number).await?);
        }
        let mut owners: Vec<PatientId> = known.iter().flatten().copied().collect();
        owners.sort_by_key(|owner| owner.0);
        owners.dedup();
        let id = match owners.as_slice() {
            [] => self.insert_patient(&transaction, new, now).await?,
            [one] => *one,
            _ => return Err(StoreError::Inconsistent("the numbers belong to different patients")),
        };
        let mut added = false;
        for ((number, superseded), owner) in numbers.into_iter().zip(known) {
            if owner.is_none() {
                self.insert_number(&transaction, id, number, superseded).await?;
                added = true;
            }
        }
        if added {
            bump_version(&transaction, id).await?;
        }
        transaction.commit().await?;
        self.versions.invalidate(&id).await;
        Ok(id)
    }

    /// The patient with this NHS number, current or superseded, who was born on `birth_date`. Both must
    /// agree: a number alone is not enough to open a record.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn find(
        &self,
        number: &NhsNumber,
        birth_date: NaiveDate,
    ) -> Result<Option<PatientId>, StoreError> {
        let Some(id) = self.owner(self.db.read(), number).await? else { return Ok(None) };
        let details = self.details_of(id).await?;
        Ok((details.birth_date == birth_date).then_some(id))
    }

    /// Whether both NHS numbers belong, or belonged, to one patient here.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn same_person(&self, one: &NhsNumber, other: &NhsNumber) -> Result<bool, StoreError> {
        let first = self.owner(self.db.read(), one).await?;
        Ok(first.is_some() && first == self.owner(self.db.read(), other).await?)
    }

    /// Whether anyone is registered at all.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(patient::Entity::find().one(self.db.read()).await?.is_none())
    }

    /// Who the patient is.
    ///
    /// # Errors
    /// When the store does not answer or the details do not open.
    pub async fn details(&self, access: &RecordAccess<category::Profile>) -> Result<Details, StoreError> {
        self.details_of(access.patient()).await
    }

    /// The NHS number in force.
    ///
    /// # Errors
    /// When the store does not answer or the number does not open.
    pub async fn nhs_number(
        &self,
        access: &RecordAccess<category::Profile>,
    ) -> Result<NhsNumber, StoreError> {
        let row = patient_number::Entity::find()
            .filter(patient_number::Column::PatientId.eq(access.patient().0))
            .filter(patient_number::Column::Superseded.eq(false))
            .one(self.db.read())
            .await?
            .ok_or(StoreError::Inconsistent("a patient without a number"))?;
        let plain = self.keys.open(NUMBER, &Sealed { key_id: row.key_id, bytes: row.number_sealed })?;
        std::str::from_utf8(&plain)
            .ok()
            .and_then(|text| NhsNumber::parse(text).ok())
            .ok_or(StoreError::Inconsistent("a stored number does not read back"))
    }

    /// The version of the patient's record, at most half a second old for changes made by other instances.
    pub(crate) async fn version(&self, id: PatientId) -> Result<RecordVersion, StoreError> {
        if let Some(version) = self.versions.get(&id).await {
            return Ok(version);
        }
        let found: Option<i64> = patient::Entity::find_by_id(id.0)
            .select_only()
            .column(patient::Column::RecordVersion)
            .into_tuple()
            .one(self.db.read())
            .await?;
        let version = found.map(RecordVersion).ok_or(StoreError::Inconsistent("no such patient"))?;
        self.versions.insert(id, version).await;
        Ok(version)
    }

    /// Forgets the version held here: call it after committing a change that bumped it.
    pub async fn changed(&self, id: PatientId) {
        self.versions.invalidate(&id).await;
    }

    /// Seals everything again that is not sealed by the active key. Returns how many rows changed.
    ///
    /// # Errors
    /// When the store refuses or an old value does not open.
    pub async fn reseal(&self) -> Result<u64, StoreError> {
        let active = self.keys.active_id();
        let mut changed = 0;
        loop {
            let transaction = self.db.begin().await?;
            let patients = patient::Entity::find()
                .filter(patient::Column::KeyId.ne(active.as_str()))
                .limit(200)
                .all(&transaction)
                .await?;
            let numbers = patient_number::Entity::find()
                .filter(patient_number::Column::KeyId.ne(active.as_str()))
                .limit(200)
                .all(&transaction)
                .await?;
            if patients.is_empty() && numbers.is_empty() {
                return Ok(changed);
            }
            for row in patients {
                let plain = self.keys.open(
                    DETAILS,
                    &Sealed { key_id: row.key_id.clone(), bytes: row.details_sealed.clone() },
                )?;
                let sealed = self.keys.seal(DETAILS, &plain)?;
                let mut row: patient::ActiveModel = row.into();
                row.key_id = Set(sealed.key_id);
                row.details_sealed = Set(sealed.bytes);
                row.update(&transaction).await?;
                changed += 1;
            }
            for row in numbers {
                let plain = self
                    .keys
                    .open(NUMBER, &Sealed { key_id: row.key_id.clone(), bytes: row.number_sealed.clone() })?;
                let sealed = self.keys.seal(NUMBER, &plain)?;
                let hash = self.keys.index(NUMBER, &plain)?;
                let mut row: patient_number::ActiveModel = row.into();
                row.key_id = Set(sealed.key_id);
                row.number_sealed = Set(sealed.bytes);
                row.number_hash = Set(hash);
                row.update(&transaction).await?;
                changed += 1;
            }
            transaction.commit().await?;
        }
    }

    async fn insert_patient(
        &self,
        transaction: &DatabaseTransaction,
        new: &NewPatient,
        now: i64,
    ) -> Result<PatientId, StoreError> {
        let id = PatientId(self.random.uuid());
        let plain = serde_json::to_vec(&new.details)
            .map_err(|_| StoreError::Inconsistent("details do not serialise"))?;
        let sealed = self.keys.seal(DETAILS, &plain)?;
        patient::Entity::insert(patient::ActiveModel {
            patient_id: Set(id.0),
            key_id: Set(sealed.key_id),
            details_sealed: Set(sealed.bytes),
            record_version: Set(1),
            created_at_micros: Set(now),
        })
        .exec_without_returning(transaction)
        .await?;
        Ok(id)
    }

    async fn insert_number(
        &self,
        transaction: &DatabaseTransaction,
        id: PatientId,
        number: &NhsNumber,
        superseded: bool,
    ) -> Result<(), StoreError> {
        let sealed = self.keys.seal(NUMBER, number.expose().as_bytes())?;
        patient_number::Entity::insert(patient_number::ActiveModel {
            patient_id: Set(id.0),
            number_id: Set(self.random.uuid()),
            key_id: Set(sealed.key_id),
            number_sealed: Set(sealed.bytes),
            number_hash: Set(self.keys.index(NUMBER, number.expose().as_bytes())?),
            superseded: Set(superseded),
        })
        .exec_without_returning(transaction)
        .await?;
        Ok(())
    }

    async fn owner(
        &self,
        db: &impl ConnectionTrait,
        number: &NhsNumber,
    ) -> Result<Option<PatientId>, StoreError> {
        let hashes = self.keys.index_all(NUMBER, number.expose().as_bytes())?;
        let found = patient_number::Entity::find()
            .filter(patient_number::Column::NumberHash.is_in(hashes))
            .one(db)
            .await?;
        Ok(found.map(|row| PatientId(row.patient_id)))
    }

    async fn details_of(&self, id: PatientId) -> Result<Details, StoreError> {
        let row = patient::Entity::find_by_id(id.0)
            .one(self.db.read())
            .await?
            .ok_or(StoreError::Inconsistent("no such patient"))?;
        let plain = self.keys.open(DETAILS, &Sealed { key_id: row.key_id, bytes: row.details_sealed })?;
        serde_json::from_slice(&plain)
            .map_err(|_| StoreError::Inconsistent("stored details do not read back"))
    }
}

/// Raises the version of the patient's record. Every change to any part of a record does this in its own
/// transaction; after the commit, [`Patients::changed`] makes it known in this process at once.
///
/// # Errors
/// When there is no such patient or the store refuses.
pub async fn bump_version(transaction: &impl ConnectionTrait, id: PatientId) -> Result<(), DbErr> {
    let done = patient::Entity::update_many()
        .col_expr(patient::Column::RecordVersion, Expr::col(patient::Column::RecordVersion).add(1))
        .filter(patient::Column::PatientId.eq(id.0))
        .exec(transaction)
        .await?;
    if done.rows_affected == 1 { Ok(()) } else { Err(DbErr::RecordNotFound("no such patient".to_owned())) }
}

/// An instant kept as microseconds since 1970: the same on both databases.
pub(crate) fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::store;

    fn number(nine: u32) -> NhsNumber {
        (nine..).find_map(NhsNumber::from_first_nine).unwrap()
    }

    fn person(nine: u32, former: &[u32]) -> NewPatient {
        NewPatient {
            nhs_number: number(nine),
            superseded_numbers: former.iter().map(|nine| number(*nine)).collect(),
            details: Details {
                name: PersonName { given: "Isolde".into(), family: "Quillfeather".into() },
                birth_date: NaiveDate::from_ymd_opt(1961, 4, 12).unwrap(),
                contact: Contact { email: Some("isolde@example.org".into()), phone: None },
            },
        }
    }

    #[tokio::test]
    async fn a_patient_is_found_by_number_and_birth_date_together() {
        let store = store().await;
        let new = person(999_000_010, &[999_000_100]);
        let id = store.patients.register(&new).await.unwrap();
        let born = new.details.birth_date;
        assert_eq!(store.patients.find(&new.nhs_number, born).await.unwrap(), Some(id));
        assert_eq!(store.patients.find(&number(999_000_100), born).await.unwrap(), Some(id));
        assert_eq!(store.patients.find(&new.nhs_number, born.succ_opt().unwrap()).await.unwrap(), None);
        assert_eq!(store.patients.find(&number(999_000_200), born).await.unwrap(), None);
        assert!(store.patients.same_person(&new.nhs_number, &number(999_000_100)).await.unwrap());
        assert!(!store.patients.same_person(&new.nhs_number, &number(999_000_200)).await.unwrap());
    }

    #[tokio::test]
    async fn registering_again_changes_nothing_and_a_new_number_is_added() {
        let store = store().await;
        let id = store.patients.register(&person(999_000_010, &[])).await.unwrap();
        let version = store.patients.version(id).await.unwrap();
        assert_eq!(store.patients.register(&person(999_000_010, &[])).await.unwrap(), id);
        assert_eq!(store.patients.version(id).await.unwrap(), version);
        assert_eq!(store.patients.register(&person(999_000_010, &[999_000_300])).await.unwrap(), id);
        assert!(store.patients.version(id).await.unwrap() > version);
        store.patients.register(&person(999_000_500, &[])).await.unwrap();
        let mixed = store.patients.register(&person(999_000_010, &[999_000_500])).await;
        assert!(matches!(mixed, Err(StoreError::Inconsistent(_))));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_same_person_registered_by_many_at_once_is_one_person() {
        let store = store().await;
        let all: Vec<_> = (0..6)
            .map(|_| {
                let patients = store.patients.clone();
                tokio::spawn(async move { patients.register(&person(999_000_010, &[999_000_100])).await })
            })
            .collect();
        let mut found = std::collections::HashSet::new();
        for one in all {
            found.insert(one.await.unwrap().unwrap());
        }
        assert_eq!(found.len(), 1);
    }

    #[tokio::test]
    async fn nothing_that_names_a_person_stands_open_in_the_file() {
        let store = store().await;
        let new = person(999_000_010, &[]);
        store.patients.register(&new).await.unwrap();
        let bytes = store.all_bytes().await;
        for secret in ["Isolde", "Quillfeather", "1961-04-12", "isolde@example.org", new.nhs_number.expose()]
        {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands open in the database file");
        }
    }

    #[tokio::test]
    async fn after_a_rotation_every_row_names_the_new_key_and_people_are_still_found() {
        let store = store().await;
        let new = person(999_000_010, &[999_000_100]);
        let id = store.patients.register(&new).await.unwrap();
        store.keys.add_generation().unwrap();
        let born = new.details.birth_date;
        assert_eq!(store.patients.find(&new.nhs_number, born).await.unwrap(), Some(id), "mid-rotation");
        assert_eq!(store.patients.reseal().await.unwrap(), 3);
        assert_eq!(store.patients.reseal().await.unwrap(), 0);
        store.keys.retire_old_generations().unwrap();
        assert_eq!(store.patients.find(&new.nhs_number, born).await.unwrap(), Some(id));
        assert_eq!(store.patients.details_of(id).await.unwrap(), new.details);
    }

    #[tokio::test]
    async fn a_change_is_seen_at_once_in_the_same_process() {
        let store = store().await;
        let id = store.patients.register(&person(999_000_010, &[])).await.unwrap();
        let before = store.patients.version(id).await.unwrap();
        let transaction = store.db.begin().await.unwrap();
        bump_version(&transaction, id).await.unwrap();
        transaction.commit().await.unwrap();
        store.patients.changed(id).await;
        assert_eq!(store.patients.version(id).await.unwrap(), RecordVersion(before.0 + 1));
    }
}
