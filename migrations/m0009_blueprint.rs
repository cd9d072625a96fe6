//! The catalog: every version of a blueprint that was published, and the files that were refused at the last start.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json, string, text, timestamp_with_time_zone, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("blueprint")
                    .col(uuid("id").primary_key())
                    .col(string("file"))
                    .col(string("name"))
                    // Empty where a refused file names none.
                    .col(string("version"))
                    .col(string("sha256"))
                    // The text of the file: a deployment is changed by the version it was built with.
                    .col(text("source"))
                    .col(string("state"))
                    // Why it was refused, a line each.
                    .col(json("problems"))
                    .col(timestamp_with_time_zone("read_at"))
                    .to_owned(),
            )
            .await?;
        let index = Index::create().name("blueprint_by_name").table("blueprint").col("name").col("version").to_owned();
        manager.create_index(index).await
    }
}
