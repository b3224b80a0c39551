//! Accounts, the identities at a sign-in provider they stand for, sessions, and sign-ins under way.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary, binary_null, string, string_null, text, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        accounts(manager).await?;
        sessions(manager).await?;
        sign_in_attempts(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            SignInAttempt::Table.into_iden(),
            Session::Table.into_iden(),
            AccountIdentity::Table.into_iden(),
            Account::Table.into_iden(),
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn accounts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(Account::Table)
                .col(uuid(Account::Id).primary_key())
                .col(big_integer(Account::CreatedAtMicros))
                .to_owned(),
        )
        .await?;
    // The key of an account is (issuer, subject), never an NHS number: numbers change and are not always told.
    manager
        .create_table(
            Table::create()
                .table(AccountIdentity::Table)
                .col(string(AccountIdentity::Issuer))
                .col(string(AccountIdentity::Subject))
                .col(uuid(AccountIdentity::AccountId))
                .col(uuid_null(AccountIdentity::PatientId))
                .col(binary_null(AccountIdentity::NumberMac))
                .col(string_null(AccountIdentity::NameKeyId))
                .col(binary_null(AccountIdentity::NameSealed))
                .col(big_integer(AccountIdentity::CreatedAtMicros))
                .col(big_integer(AccountIdentity::LastSignInAtMicros))
                .primary_key(Index::create().col(AccountIdentity::Issuer).col(AccountIdentity::Subject))
                .foreign_key(
                    ForeignKey::create()
                        .from(AccountIdentity::Table, AccountIdentity::AccountId)
                        .to(Account::Table, Account::Id),
                )
                .to_owned(),
        )
        .await?;
    for (name, column) in [
        ("account_identity_by_account", AccountIdentity::AccountId),
        ("account_identity_by_patient", AccountIdentity::PatientId),
    ] {
        manager
            .create_index(Index::create().name(name).table(AccountIdentity::Table).col(column).to_owned())
            .await?;
    }
    Ok(())
}

async fn sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(Session::Table)
                .col(uuid(Session::Id).primary_key())
                .col(binary(Session::TokenHash).unique_key())
                .col(uuid(Session::AccountId))
                .col(uuid_null(Session::PatientId))
                .col(string(Session::Assurance))
                .col(string(Session::Vot))
                .col(string_null(Session::IdTokenJti))
                .col(string(Session::Issuer))
                .col(string(Session::Device))
                .col(big_integer(Session::AuthenticatedAtMicros))
                .col(big_integer(Session::CreatedAtMicros))
                .col(big_integer(Session::LastSeenAtMicros))
                .col(big_integer(Session::RotatedAtMicros))
                .col(big_integer(Session::AbsoluteEndsAtMicros))
                .col(big_integer_null(Session::EndedAtMicros))
                .col(string_null(Session::EndReason))
                .foreign_key(
                    ForeignKey::create()
                        .from(Session::Table, Session::AccountId)
                        .to(Account::Table, Account::Id),
                )
                .to_owned(),
        )
        .await?;
    // Not on the time last seen: it changes all the time, and the sweep can do with the absolute end.
    for (name, column) in [
        ("session_by_account", Session::AccountId),
        ("session_by_absolute_end", Session::AbsoluteEndsAtMicros),
    ] {
        manager.create_index(Index::create().name(name).table(Session::Table).col(column).to_owned()).await?;
    }
    Ok(())
}

async fn sign_in_attempts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(SignInAttempt::Table)
                .col(binary(SignInAttempt::StateHash).primary_key())
                .col(binary(SignInAttempt::BrowserHash))
                .col(string(SignInAttempt::Nonce))
                .col(string(SignInAttempt::PkceVerifier))
                .col(string(SignInAttempt::Provider))
                .col(string(SignInAttempt::Issuer))
                .col(text(SignInAttempt::Vtr))
                .col(text(SignInAttempt::ReturnTo))
                .col(string(SignInAttempt::Purpose))
                .col(uuid_null(SignInAttempt::SessionId))
                .col(big_integer(SignInAttempt::CreatedAtMicros))
                .col(big_integer(SignInAttempt::ExpiresAtMicros))
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("sign_in_attempt_by_expiry")
                .table(SignInAttempt::Table)
                .col(SignInAttempt::ExpiresAtMicros)
                .to_owned(),
        )
        .await
}

#[derive(DeriveIden)]
enum Account {
    Table,
    #[sea_orm(iden = "account_id")]
    Id,
    CreatedAtMicros,
}

#[derive(DeriveIden)]
enum AccountIdentity {
    Table,
    Issuer,
    Subject,
    AccountId,
    PatientId,
    NumberMac,
    NameKeyId,
    NameSealed,
    CreatedAtMicros,
    LastSignInAtMicros,
}

#[derive(DeriveIden)]
enum Session {
    Table,
    #[sea_orm(iden = "session_id")]
    Id,
    TokenHash,
    AccountId,
    PatientId,
    Assurance,
    Vot,
    IdTokenJti,
    Issuer,
    Device,
    AuthenticatedAtMicros,
    CreatedAtMicros,
    LastSeenAtMicros,
    RotatedAtMicros,
    AbsoluteEndsAtMicros,
    EndedAtMicros,
    EndReason,
}

#[derive(DeriveIden)]
enum SignInAttempt {
    Table,
    StateHash,
    BrowserHash,
    Nonce,
    PkceVerifier,
    Provider,
    Issuer,
    Vtr,
    ReturnTo,
    Purpose,
    SessionId,
    CreatedAtMicros,
    ExpiresAtMicros,
}
