//! Keys with which a write is recognised when it is sent again, and what was asked with them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("idempotency")
                    .col(uuid("person_id"))
                    .col(string("key"))
                    // SHA-256 over what was asked; an order from before this table has no row here.
                    .col(string("digest"))
                    .col(timestamp_with_time_zone("first_at"))
                    .primary_key(Index::create().col("person_id").col("key"))
                    .foreign_key(ForeignKey::create().from("idempotency", "person_id").to("person", "id"))
                    .to_owned(),
            )
            .await
    }
}
