//! Host names that are held: no two of them alike, and in each register one a key.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, string, string_null, string_uniq, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let held_name = Table::create()
            .table("held_name")
            .col(uuid("id").primary_key())
            .col(string("register"))
            .col(string("key"))
            .col(string("name"))
            .col(string_uniq("fqdn"))
            .col(string_null("address"))
            .col(boolean("is_complete"))
            .to_owned();
        manager.create_table(held_name).await?;
        let by_key =
            Index::create().name("held_name_by_key").table("held_name").col("register").col("key").unique().to_owned();
        manager.create_index(by_key).await
    }
}
