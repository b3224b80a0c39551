//! Accounts, by (issuer, subject).

use chrono::{DateTime, Utc};
use platform::keys::Sealed;
use platform::{Db, SharedRandom};
use record_access::{AccountId, PatientId};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    Set,
};

use super::{account, account_identity};

/// An identity as it stands.
pub(crate) struct Known {
    /// Its account.
    pub account: AccountId,
    /// The patient it was joined to.
    pub patient: Option<PatientId>,
    /// Authenticates the NHS number it last came with.
    pub number_mac: Option<Vec<u8>>,
}

/// What a sign-in tells about an identity.
pub(crate) struct Seen {
    /// The patient it is joined to from now on.
    pub patient: Option<PatientId>,
    /// Authenticates the NHS number it came with.
    pub number_mac: Option<Vec<u8>>,
    /// The person's name; none: the provider told none, keep the former.
    pub name: Option<Sealed>,
}

/// The identity with this key, if it ever signed in here.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    issuer: &str,
    subject: &str,
) -> Result<Option<Known>, DbErr> {
    let row = account_identity::Entity::find_by_id((issuer.to_owned(), subject.to_owned())).one(db).await?;
    Ok(row.map(|row| Known {
        account: AccountId(row.account_id),
        patient: row.patient_id.map(PatientId),
        number_mac: row.number_mac,
    }))
}

/// Whether another account is joined to this patient.
pub(crate) async fn patient_has_other_account(
    db: &Db,
    patient: PatientId,
    account: AccountId,
) -> Result<bool, DbErr> {
    Ok(account_identity::Entity::find()
        .filter(account_identity::Column::PatientId.eq(patient.0))
        .filter(account_identity::Column::AccountId.ne(account.0))
        .one(db.read())
        .await?
        .is_some())
}

/// Makes the account of an identity that signs in for the first time. Two first sign-ins at the same moment
/// end with one account.
pub(crate) async fn open(
    db: &Db,
    random: &SharedRandom,
    now: DateTime<Utc>,
    issuer: &str,
    subject: &str,
) -> Result<AccountId, DbErr> {
    let now = now.timestamp_micros();
    let transaction = db.begin().await?;
    let account = random.uuid();
    account::Entity::insert(account::ActiveModel { account_id: Set(account), created_at_micros: Set(now) })
        .exec_without_returning(&transaction)
        .await?;
    account_identity::Entity::insert(account_identity::ActiveModel {
        issuer: Set(issuer.to_owned()),
        subject: Set(subject.to_owned()),
        account_id: Set(account),
        patient_id: Set(None),
        number_mac: Set(None),
        name_key_id: Set(None),
        name_sealed: Set(None),
        created_at_micros: Set(now),
        last_sign_in_at_micros: Set(now),
    })
    .on_conflict(
        OnConflict::columns([account_identity::Column::Issuer, account_identity::Column::Subject])
            .do_nothing()
            .to_owned(),
    )
    .exec_without_returning(&transaction)
    .await?;
    match find(&transaction, issuer, subject).await? {
        Some(known) if known.account.0 == account => {
            transaction.commit().await?;
            Ok(known.account)
        }
        Some(other) => {
            transaction.rollback().await?;
            Ok(other.account)
        }
        None => Err(DbErr::RecordNotFound("an identity just written".to_owned())),
    }
}

/// Writes down what this sign-in tells.
pub(crate) async fn record(
    db: &Db,
    now: DateTime<Utc>,
    issuer: &str,
    subject: &str,
    seen: Seen,
) -> Result<(), DbErr> {
    let mut row = account_identity::ActiveModel {
        patient_id: Set(seen.patient.map(|patient| patient.0)),
        number_mac: Set(seen.number_mac),
        last_sign_in_at_micros: Set(now.timestamp_micros()),
        ..Default::default()
    };
    if let Some(name) = seen.name {
        row.name_key_id = Set(Some(name.key_id));
        row.name_sealed = Set(Some(name.bytes));
    }
    account_identity::Entity::update_many()
        .set(row)
        .filter(account_identity::Column::Issuer.eq(issuer))
        .filter(account_identity::Column::Subject.eq(subject))
        .exec(db.write())
        .await
        .map(|_| ())
}

/// The sealed name of the account's holder, as last told.
pub(crate) async fn sealed_name(db: &Db, account: AccountId) -> Result<Option<Sealed>, DbErr> {
    let row = account_identity::Entity::find()
        .filter(account_identity::Column::AccountId.eq(account.0))
        .order_by_desc(account_identity::Column::LastSignInAtMicros)
        .one(db.read())
        .await?;
    Ok(row.and_then(|row| Some(Sealed { key_id: row.name_key_id?, bytes: row.name_sealed? })))
}

/// Names sealed by another key than `active`, some of them.
pub(crate) async fn names_not_sealed_by(
    db: &impl ConnectionTrait,
    active: &str,
) -> Result<Vec<account_identity::Model>, DbErr> {
    account_identity::Entity::find()
        .filter(account_identity::Column::NameKeyId.ne(active))
        .limit(200)
        .all(db)
        .await
}

/// Puts another seal on a name.
pub(crate) async fn rename(
    db: &impl ConnectionTrait,
    row: account_identity::Model,
    name: Sealed,
) -> Result<(), DbErr> {
    let mut row = row.into_active_model();
    row.name_key_id = Set(Some(name.key_id));
    row.name_sealed = Set(Some(name.bytes));
    account_identity::Entity::update(row).exec(db).await.map(|_| ())
}
