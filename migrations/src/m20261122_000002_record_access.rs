//! People with a record here, what they told us is wrong, and the access log.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, binary, binary_null, boolean, integer, small_integer, string, string_null, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        patients(manager).await?;
        concerns(manager).await?;
        access_log(manager).await?;
        head_follows(manager).await?;
        refuse_changes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            AccessLog::Table.into_iden(),
            AccessLogHead::Table.into_iden(),
            Concern::Table.into_iden(),
            PatientNumber::Table.into_iden(),
            Patient::Table.into_iden(),
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn patients(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(Patient::Table)
                .col(uuid(Patient::PatientId).primary_key())
                .col(string(Patient::KeyId))
                .col(binary(Patient::DetailsSealed))
                .col(big_integer(Patient::RecordVersion))
                .col(big_integer(Patient::CreatedAtMicros))
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table(PatientNumber::Table)
                .col(uuid(PatientNumber::PatientId))
                .col(uuid(PatientNumber::NumberId))
                .col(string(PatientNumber::KeyId))
                .col(binary(PatientNumber::NumberSealed))
                .col(binary(PatientNumber::NumberHash).unique_key())
                .col(boolean(PatientNumber::Superseded))
                .primary_key(Index::create().col(PatientNumber::PatientId).col(PatientNumber::NumberId))
                .foreign_key(
                    ForeignKey::create()
                        .from(PatientNumber::Table, PatientNumber::PatientId)
                        .to(Patient::Table, Patient::PatientId),
                )
                .to_owned(),
        )
        .await
}

async fn concerns(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(Concern::Table)
                .col(uuid(Concern::PatientId))
                .col(uuid(Concern::ConcernId))
                .col(uuid(Concern::RaisedBy))
                .col(string(Concern::Category))
                .col(string_null(Concern::About))
                .col(string(Concern::KeyId))
                .col(binary(Concern::TextSealed))
                .col(string(Concern::State))
                .col(big_integer(Concern::RaisedAtMicros))
                .primary_key(Index::create().col(Concern::PatientId).col(Concern::ConcernId))
                .foreign_key(
                    ForeignKey::create()
                        .from(Concern::Table, Concern::PatientId)
                        .to(Patient::Table, Patient::PatientId),
                )
                .to_owned(),
        )
        .await
}

async fn access_log(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // On SQLite the entries are kept in the order of their key, not beside it: one tree to write instead of two.
    let in_key_order = if manager.get_database_backend() == DbBackend::Sqlite { "WITHOUT ROWID" } else { "" };
    manager
        .create_table(
            Table::create()
                .table(AccessLog::Table)
                .col(integer(AccessLog::Month))
                .col(small_integer(AccessLog::Lane))
                .col(big_integer(AccessLog::Seq))
                .col(big_integer(AccessLog::AtMicros))
                .col(uuid(AccessLog::RequestId))
                .col(uuid_null(AccessLog::Actor))
                .col(uuid_null(AccessLog::Subject))
                .col(string(AccessLog::Authority))
                .col(string(AccessLog::Client))
                .col(string(AccessLog::Category))
                .col(string(AccessLog::Purpose))
                .col(string(AccessLog::Operation))
                .col(string_null(AccessLog::Refused))
                .col(binary(AccessLog::Mac))
                .primary_key(Index::create().col(AccessLog::Month).col(AccessLog::Lane).col(AccessLog::Seq))
                .extra(in_key_order)
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("access_log_by_subject")
                .table(AccessLog::Table)
                .col(AccessLog::Subject)
                .col(AccessLog::AtMicros)
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table(AccessLogHead::Table)
                .col(integer(AccessLogHead::Month))
                .col(small_integer(AccessLogHead::Lane))
                .col(big_integer(AccessLogHead::NextSeq))
                .col(binary_null(AccessLogHead::Mac))
                .primary_key(Index::create().col(AccessLogHead::Month).col(AccessLogHead::Lane))
                .to_owned(),
        )
        .await
}

/// The head of a chain follows the entries that are appended, in the statement that appends them.
async fn head_follows(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    const MOVE: &str =
        "ON CONFLICT (month, lane) DO UPDATE SET next_seq = excluded.next_seq, mac = excluded.mac";
    let connection = manager.get_connection();
    let statements = if manager.get_database_backend() == DbBackend::Postgres {
        format!(
            "CREATE FUNCTION access_log_head_follows() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
               INSERT INTO access_log_head (month, lane, next_seq, mac)
               SELECT DISTINCT ON (month, lane) month, lane, seq + 1, mac FROM appended
               ORDER BY month, lane, seq DESC {MOVE};
               RETURN NULL;
             END $$;
             CREATE TRIGGER access_log_head_follows AFTER INSERT ON access_log
             REFERENCING NEW TABLE AS appended
             FOR EACH STATEMENT EXECUTE FUNCTION access_log_head_follows();"
        )
    } else {
        format!(
            "CREATE TRIGGER access_log_head_follows AFTER INSERT ON access_log
             BEGIN
               INSERT INTO access_log_head (month, lane, next_seq, mac)
               VALUES (NEW.month, NEW.lane, NEW.seq + 1, NEW.mac) {MOVE};
             END;"
        )
    };
    connection.execute_unprepared(&statements).await.map(|_| ())
}

/// Entries of the access log are written once. The database itself refuses to change or remove one.
async fn refuse_changes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if manager.get_database_backend() == DbBackend::Postgres {
        connection
            .execute_unprepared(
                "CREATE FUNCTION access_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'the access log is append-only'; END $$;
                 CREATE TRIGGER access_log_append_only BEFORE UPDATE OR DELETE ON access_log
                 FOR EACH ROW EXECUTE FUNCTION access_log_is_append_only();",
            )
            .await?;
    } else {
        for (name, event) in [("access_log_no_update", "UPDATE"), ("access_log_no_delete", "DELETE")] {
            connection
                .execute_unprepared(&format!(
                    "CREATE TRIGGER {name} BEFORE {event} ON access_log
                     BEGIN SELECT RAISE(ABORT, 'the access log is append-only'); END;"
                ))
                .await?;
        }
    }
    Ok(())
}

#[derive(DeriveIden)]
#[expect(clippy::enum_variant_names, reason = "the columns are named so")]
enum Patient {
    Table,
    PatientId,
    KeyId,
    DetailsSealed,
    RecordVersion,
    CreatedAtMicros,
}

#[derive(DeriveIden)]
enum PatientNumber {
    Table,
    PatientId,
    NumberId,
    KeyId,
    NumberSealed,
    NumberHash,
    Superseded,
}

#[derive(DeriveIden)]
#[expect(clippy::enum_variant_names, reason = "the columns are named so")]
enum Concern {
    Table,
    PatientId,
    ConcernId,
    RaisedBy,
    Category,
    About,
    KeyId,
    TextSealed,
    State,
    RaisedAtMicros,
}

#[derive(DeriveIden)]
enum AccessLog {
    Table,
    Month,
    Lane,
    Seq,
    AtMicros,
    RequestId,
    Actor,
    Subject,
    Authority,
    Client,
    Category,
    Purpose,
    Operation,
    Refused,
    Mac,
}

#[derive(DeriveIden)]
enum AccessLogHead {
    Table,
    Month,
    Lane,
    NextSeq,
    Mac,
}
