//! What is written, and taken away again, to see whether the database's disk has room.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::blob;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(Table::create().table("room").col(blob("filling")).to_owned()).await
    }
}
