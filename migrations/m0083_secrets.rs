//! Secrets that were made for deployments, sealed; and who took them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, blob, string_uniq, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let secret = Table::create()
            .table("secret")
            .col(uuid("id").primary_key())
            // The key of the step that had it made: the same step has the same secret.
            .col(string_uniq("key"))
            .col(uuid("run_id"))
            .col(uuid("deployment_id"))
            .col(uuid("project_id"))
            .col(text("name"))
            .col(blob("sealed"))
            // By what the key that sealed it is told from others.
            .col(big_integer("sealing_key"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("take_until"))
            .col(uuid_null("taken_by_id"))
            .col(timestamp_with_time_zone_null("taken_at"))
            .foreign_key(ForeignKey::create().from("secret", "deployment_id").to("deployment", "id"))
            .foreign_key(ForeignKey::create().from("secret", "project_id").to("project", "id"))
            .foreign_key(ForeignKey::create().from("secret", "taken_by_id").to("person", "id"))
            .to_owned();
        manager.create_table(secret).await?;
        let by_deployment =
            Index::create().name("secret_by_deployment").table("secret").col("deployment_id").to_owned();
        manager.create_index(by_deployment).await
    }
}
