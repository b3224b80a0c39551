//! Answers kept for the `Idempotency-Key` of requests that create something.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, binary, small_integer};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(IdempotentRequest::Table)
                    .col(binary(IdempotentRequest::KeyHash).primary_key())
                    .col(binary(IdempotentRequest::RequestHash))
                    .col(small_integer(IdempotentRequest::Status))
                    .col(binary(IdempotentRequest::Body))
                    .col(big_integer(IdempotentRequest::CreatedAtMicros))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idempotent_request_by_age")
                    .table(IdempotentRequest::Table)
                    .col(IdempotentRequest::CreatedAtMicros)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(IdempotentRequest::Table).to_owned()).await
    }
}

#[derive(DeriveIden)]
enum IdempotentRequest {
    Table,
    KeyHash,
    RequestHash,
    Status,
    Body,
    CreatedAtMicros,
}
