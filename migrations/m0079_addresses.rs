//! Addresses of the built-in pools that are held: each by one key.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let held_address = Table::create()
            .table("held_address")
            .col(string("pool"))
            .col(string("address"))
            .col(string("key"))
            .col(string("fqdn"))
            .primary_key(Index::create().col("pool").col("address"))
            .to_owned();
        manager.create_table(held_address).await?;
        let by_key = Index::create()
            .name("held_address_by_key")
            .table("held_address")
            .col("pool")
            .col("key")
            .unique()
            .to_owned();
        manager.create_index(by_key).await
    }
}
