//! Published waiting-time figures by month, the pointer to the month in use, and people's own referrals.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary_null, date, date_null, integer, small_integer, string, string_len,
    string_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        months(manager).await?;
        names(manager).await?;
        active(manager).await?;
        referrals(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            Referral::Table.into_iden(),
            RttActive::Table.into_iden(),
            RttTreatmentFunction::Table.into_iden(),
            RttOrganisation::Table.into_iden(),
            RttCount::Table.into_iden(),
            RttMonth::Table.into_iden(),
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn months(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(RttMonth::Table)
                .col(uuid(RttMonth::MonthId).primary_key())
                .col(date(RttMonth::PeriodMonth))
                .col(string_len(RttMonth::Origin, 16))
                .col(string_len(RttMonth::ContentSha256, 64))
                .col(string_len(RttMonth::Layout, 16))
                .col(string(RttMonth::SourceName))
                .col(big_integer(RttMonth::SourceRows))
                .col(big_integer(RttMonth::ListTotal))
                .col(big_integer(RttMonth::ImportedAtMicros))
                .col(big_integer_null(RttMonth::SupersededAtMicros))
                .to_owned(),
        )
        .await?;
    // One live figure for a month, whatever happens: the database keeps this, not only the code.
    manager
        .get_connection()
        .execute_unprepared(
            "CREATE UNIQUE INDEX rtt_month_live ON rtt_month (period_month) WHERE superseded_at_micros IS NULL",
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table(RttCount::Table)
                .col(uuid(RttCount::MonthId))
                .col(small_integer(RttCount::Part))
                .col(string_len(RttCount::ProviderCode, 10))
                .col(string_len(RttCount::TreatmentFunction, 5))
                .col(binary_null(RttCount::Bands))
                .col(big_integer(RttCount::UnknownClockStart))
                .col(big_integer(RttCount::Total))
                .col(binary_null(RttCount::NonEnglishBands))
                .col(big_integer(RttCount::NonEnglishUnknownClockStart))
                .col(big_integer(RttCount::NonEnglishTotal))
                .primary_key(
                    Index::create()
                        .col(RttCount::MonthId)
                        .col(RttCount::Part)
                        .col(RttCount::ProviderCode)
                        .col(RttCount::TreatmentFunction),
                )
                .foreign_key(
                    ForeignKey::create()
                        .from(RttCount::Table, RttCount::MonthId)
                        .to(RttMonth::Table, RttMonth::MonthId),
                )
                .to_owned(),
        )
        .await
}

async fn names(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(RttOrganisation::Table)
                .col(uuid(RttOrganisation::MonthId))
                .col(string_len(RttOrganisation::Code, 10))
                .col(string_null(RttOrganisation::Name))
                .col(string_null(RttOrganisation::ParentCode))
                .col(string_null(RttOrganisation::ParentName))
                .primary_key(Index::create().col(RttOrganisation::MonthId).col(RttOrganisation::Code))
                .foreign_key(
                    ForeignKey::create()
                        .from(RttOrganisation::Table, RttOrganisation::MonthId)
                        .to(RttMonth::Table, RttMonth::MonthId),
                )
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table(RttTreatmentFunction::Table)
                .col(uuid(RttTreatmentFunction::MonthId))
                .col(string_len(RttTreatmentFunction::Code, 5))
                .col(string_null(RttTreatmentFunction::Name))
                .primary_key(
                    Index::create().col(RttTreatmentFunction::MonthId).col(RttTreatmentFunction::Code),
                )
                .foreign_key(
                    ForeignKey::create()
                        .from(RttTreatmentFunction::Table, RttTreatmentFunction::MonthId)
                        .to(RttMonth::Table, RttMonth::MonthId),
                )
                .to_owned(),
        )
        .await
}

/// The pointer: always exactly one row. Imports take turns by changing it first.
async fn active(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(RttActive::Table)
                .col(integer(RttActive::Id).primary_key())
                .col(string_len(RttActive::Generation, 16))
                .col(uuid_null(RttActive::MonthId))
                .col(big_integer(RttActive::ChangedAtMicros))
                .to_owned(),
        )
        .await?;
    let row = Query::insert()
        .into_table(RttActive::Table)
        .columns([RttActive::Id, RttActive::Generation, RttActive::ChangedAtMicros])
        .values_panic([1.into(), "".into(), 0_i64.into()])
        .to_owned();
    manager.execute(row).await
}

async fn referrals(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(Referral::Table)
                .col(uuid(Referral::PatientId))
                .col(uuid(Referral::ReferralId))
                .col(string(Referral::Source))
                .col(string(Referral::FillerId))
                .col(string_len(Referral::ProviderCode, 10))
                .col(string_len(Referral::TreatmentFunction, 5))
                .col(date(Referral::ClockStart))
                .col(string_len(Referral::Status, 32))
                .col(date_null(Referral::StoppedOn))
                .col(big_integer(Referral::RecordedAtMicros))
                .col(big_integer(Referral::UpdatedAtMicros))
                .primary_key(Index::create().col(Referral::PatientId).col(Referral::ReferralId))
                .foreign_key(
                    ForeignKey::create()
                        .from(Referral::Table, Referral::PatientId)
                        .to(Patient::Table, Patient::PatientId),
                )
                .to_owned(),
        )
        .await?;
    manager
        .create_index(
            Index::create()
                .name("referral_by_source")
                .table(Referral::Table)
                .col(Referral::Source)
                .col(Referral::FillerId)
                .unique()
                .to_owned(),
        )
        .await
}

#[derive(DeriveIden)]
enum Patient {
    Table,
    PatientId,
}

#[derive(DeriveIden)]
enum RttMonth {
    Table,
    MonthId,
    PeriodMonth,
    Origin,
    #[sea_orm(iden = "content_sha256")]
    ContentSha256,
    Layout,
    SourceName,
    SourceRows,
    ListTotal,
    ImportedAtMicros,
    SupersededAtMicros,
}

#[derive(DeriveIden)]
enum RttCount {
    Table,
    MonthId,
    Part,
    ProviderCode,
    TreatmentFunction,
    Bands,
    UnknownClockStart,
    Total,
    NonEnglishBands,
    NonEnglishUnknownClockStart,
    NonEnglishTotal,
}

#[derive(DeriveIden)]
enum RttOrganisation {
    Table,
    MonthId,
    Code,
    Name,
    ParentCode,
    ParentName,
}

#[derive(DeriveIden)]
enum RttTreatmentFunction {
    Table,
    MonthId,
    Code,
    Name,
}

#[derive(DeriveIden)]
enum RttActive {
    Table,
    Id,
    Generation,
    MonthId,
    ChangedAtMicros,
}

#[derive(DeriveIden)]
#[expect(clippy::enum_variant_names, reason = "the columns are named so")]
enum Referral {
    Table,
    PatientId,
    ReferralId,
    Source,
    FillerId,
    ProviderCode,
    TreatmentFunction,
    ClockStart,
    Status,
    StoppedOn,
    RecordedAtMicros,
    UpdatedAtMicros,
}
