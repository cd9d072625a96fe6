//! The audit log and its head.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, string, text, timestamp_with_time_zone, uuid_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("audit_entry")
                    .col(big_integer("number").primary_key())
                    .col(timestamp_with_time_zone("at"))
                    .col(uuid_null("actor_id"))
                    .col(string("actor_name"))
                    .col(string("via"))
                    .col(string("action"))
                    .col(string("subject"))
                    .col(uuid_null("project_id"))
                    // Text rather than JSON: the hash is over these very bytes.
                    .col(text("data"))
                    .col(string("previous"))
                    .col(string("hash"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("audit_by_subject").table("audit_entry").col("subject").to_owned())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("audit_head")
                    // One row; whoever writes an entry locks it first.
                    .col(integer("id").primary_key())
                    .col(big_integer("rows"))
                    .col(string("hash"))
                    .to_owned(),
            )
            .await
    }
}
