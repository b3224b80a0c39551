//! Generations of estimates: a month's statistics and the model fitted on it, as one thing the pointer names. Fits that
//! did not pass their checks. And what a person said about estimates, and what kind of pathway a referral is.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary, binary_null, boolean, string_len, string_len_null, text,
    text_null, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        generations(manager).await?;
        chunks(manager).await?;
        failures(manager).await?;
        preferences(manager).await?;
        manager
            .alter_table(
                Table::alter()
                    .table(Referral::Table)
                    .add_column(string_len(Referral::Pathway, 32).default("routine"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let pathway = Table::alter().table(Referral::Table).drop_column(Referral::Pathway).to_owned();
        manager.alter_table(pathway).await?;
        for table in [
            WaitPreference::Table.into_iden(),
            RttFitFailure::Table.into_iden(),
            RttGenerationChunk::Table.into_iden(),
            RttGeneration::Table.into_iden(),
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn generations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(RttGeneration::Table)
                .col(string_len(RttGeneration::Generation, 16).primary_key())
                .col(uuid(RttGeneration::BaseMonthId))
                .col(string_len(RttGeneration::Origin, 16))
                .col(string_len(RttGeneration::ModelVersion, 40))
                // Null where no model could be made: such a generation has statistics only.
                .col(binary_null(RttGeneration::Header))
                .col(text(RttGeneration::ReportJson))
                .col(text_null(RttGeneration::CalibrationJson))
                .col(string_len_null(RttGeneration::Previous, 16))
                .col(big_integer(RttGeneration::CreatedAtMicros))
                .col(big_integer_null(RttGeneration::SupersededAtMicros))
                .col(big_integer_null(RttGeneration::ExpiresAtMicros))
                .foreign_key(
                    ForeignKey::create()
                        .from(RttGeneration::Table, RttGeneration::BaseMonthId)
                        .to(RttMonth::Table, RttMonth::MonthId),
                )
                .to_owned(),
        )
        .await
}

async fn chunks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(RttGenerationChunk::Table)
                .col(string_len(RttGenerationChunk::Generation, 16))
                .col(string_len(RttGenerationChunk::TreatmentFunction, 5))
                .col(binary(RttGenerationChunk::Bytes))
                .primary_key(
                    Index::create()
                        .col(RttGenerationChunk::Generation)
                        .col(RttGenerationChunk::TreatmentFunction),
                )
                .foreign_key(
                    ForeignKey::create()
                        .from(RttGenerationChunk::Table, RttGenerationChunk::Generation)
                        .to(RttGeneration::Table, RttGeneration::Generation),
                )
                .to_owned(),
        )
        .await
}

async fn failures(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(RttFitFailure::Table)
                .col(uuid(RttFitFailure::FailureId).primary_key())
                .col(string_len(RttFitFailure::Generation, 16))
                .col(text(RttFitFailure::InputsJson))
                .col(text(RttFitFailure::FailuresJson))
                .col(big_integer(RttFitFailure::AtMicros))
                .col(big_integer_null(RttFitFailure::ResolvedAtMicros))
                .to_owned(),
        )
        .await
}

async fn preferences(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table(WaitPreference::Table)
                .col(uuid(WaitPreference::PatientId).primary_key())
                .col(boolean(WaitPreference::ShowEstimates))
                .col(big_integer(WaitPreference::UpdatedAtMicros))
                .foreign_key(
                    ForeignKey::create()
                        .from(WaitPreference::Table, WaitPreference::PatientId)
                        .to(Patient::Table, Patient::PatientId),
                )
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
}

#[derive(DeriveIden)]
enum Referral {
    Table,
    Pathway,
}

#[derive(DeriveIden)]
enum RttGeneration {
    Table,
    Generation,
    BaseMonthId,
    Origin,
    ModelVersion,
    Header,
    ReportJson,
    CalibrationJson,
    Previous,
    CreatedAtMicros,
    SupersededAtMicros,
    ExpiresAtMicros,
}

#[derive(DeriveIden)]
enum RttGenerationChunk {
    Table,
    Generation,
    TreatmentFunction,
    Bytes,
}

#[derive(DeriveIden)]
enum RttFitFailure {
    Table,
    FailureId,
    Generation,
    InputsJson,
    FailuresJson,
    AtMicros,
    ResolvedAtMicros,
}

#[derive(DeriveIden)]
enum WaitPreference {
    Table,
    PatientId,
    ShowEstimates,
    UpdatedAtMicros,
}
