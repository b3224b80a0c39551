//! "This does not look right": what a person said about their record, and what became of it.

use chrono::{DateTime, Utc};
use platform::keys::{KeyRing, Sealed};
use platform::{Db, SharedClock, SharedRandom};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Set,
};
use uuid::Uuid;

use crate::patients::{StoreError, from_micros};
use crate::policy::{RecordAccess, category};
use crate::principal::AccountId;
use crate::store::concern;

const TEXT: &str = "concern.text";

/// Longest text of a concern, in characters.
pub const MAX_TEXT: usize = 2_000;

/// A concern as the person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concern {
    /// Its identifier.
    pub id: Uuid,
    /// The part of the record it is about, as the access log names it.
    pub category: String,
    /// The item it is about, by the identifier the API gave it.
    pub about: Option<String>,
    /// The person's own words.
    pub text: String,
    /// What became of it. Only `received` so far: nobody answers concerns through this service yet.
    pub state: String,
    /// When it was said.
    pub raised_at: DateTime<Utc>,
}

/// What a person wants to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConcern {
    /// The part of the record.
    pub category: String,
    /// The item, where there is one.
    pub about: Option<String>,
    /// The person's own words.
    pub text: String,
}

/// The store of concerns. Cheap to clone.
#[derive(Clone)]
pub struct Concerns {
    db: Db,
    keys: KeyRing,
    clock: SharedClock,
    random: SharedRandom,
}

impl std::fmt::Debug for Concerns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Concerns").finish_non_exhaustive()
    }
}

impl Concerns {
    /// The store in `db`.
    #[must_use]
    pub fn new(db: Db, keys: KeyRing, clock: SharedClock, random: SharedRandom) -> Self {
        Self { db, keys, clock, random }
    }

    /// Writes a concern down, as part of `transaction`.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn raise(
        &self,
        transaction: &DatabaseTransaction,
        access: &RecordAccess<category::Concerns>,
        by: AccountId,
        new: NewConcern,
    ) -> Result<Concern, StoreError> {
        let now = self.clock.now();
        let id = self.random.time_ordered_uuid(now);
        let sealed = self.keys.seal(TEXT, new.text.as_bytes())?;
        concern::Entity::insert(concern::ActiveModel {
            patient_id: Set(access.patient().0),
            concern_id: Set(id),
            raised_by: Set(by.0),
            category: Set(new.category.clone()),
            about: Set(new.about.clone()),
            key_id: Set(sealed.key_id),
            text_sealed: Set(sealed.bytes),
            state: Set("received".to_owned()),
            raised_at_micros: Set(now.timestamp_micros()),
        })
        .exec_without_returning(transaction)
        .await?;
        Ok(Concern {
            id,
            category: new.category,
            about: new.about,
            text: new.text,
            state: "received".to_owned(),
            raised_at: now,
        })
    }

    /// The patient's concerns, newest first, at most `limit`, those before `before` where given.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn list(
        &self,
        access: &RecordAccess<category::Concerns>,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Concern>, StoreError> {
        let mut query = concern::Entity::find().filter(concern::Column::PatientId.eq(access.patient().0));
        if let Some(before) = before {
            query = query.filter(concern::Column::ConcernId.lt(before));
        }
        let rows = query.order_by_desc(concern::Column::ConcernId).limit(limit).all(self.db.read()).await?;
        rows.into_iter().map(|row| self.opened(row)).collect()
    }

    /// The patient's concern with this identifier.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn find(
        &self,
        access: &RecordAccess<category::Concerns>,
        id: Uuid,
    ) -> Result<Option<Concern>, StoreError> {
        let row = concern::Entity::find_by_id((access.patient().0, id)).one(self.db.read()).await?;
        row.map(|row| self.opened(row)).transpose()
    }

    /// Seals every text again that is not sealed by the active key. Returns how many rows changed.
    ///
    /// # Errors
    /// When the store refuses or an old value does not open.
    pub async fn reseal(&self) -> Result<u64, StoreError> {
        let active = self.keys.active_id();
        let mut changed = 0;
        loop {
            let transaction = self.db.begin().await?;
            let rows = concern::Entity::find()
                .filter(concern::Column::KeyId.ne(active.as_str()))
                .limit(200)
                .all(&transaction)
                .await?;
            if rows.is_empty() {
                return Ok(changed);
            }
            for row in rows {
                let sealed = Sealed { key_id: row.key_id.clone(), bytes: row.text_sealed.clone() };
                let sealed = self.keys.seal(TEXT, &self.keys.open(TEXT, &sealed)?)?;
                let mut row: concern::ActiveModel = row.into();
                row.key_id = Set(sealed.key_id);
                row.text_sealed = Set(sealed.bytes);
                row.update(&transaction).await?;
                changed += 1;
            }
            transaction.commit().await?;
        }
    }

    fn opened(&self, row: concern::Model) -> Result<Concern, StoreError> {
        let plain = self.keys.open(TEXT, &Sealed { key_id: row.key_id, bytes: row.text_sealed })?;
        Ok(Concern {
            id: row.concern_id,
            category: row.category,
            about: row.about,
            text: String::from_utf8(plain)
                .map_err(|_| StoreError::Inconsistent("a stored text does not read back"))?,
            state: row.state,
            raised_at: from_micros(row.raised_at_micros),
        })
    }
}
