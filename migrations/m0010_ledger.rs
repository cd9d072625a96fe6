//! The ledger: every object ever intended on an outside system.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    json, string, string_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("resource")
                    .col(uuid("id").primary_key())
                    .col(uuid("deployment_id"))
                    .col(uuid("run_id"))
                    .col(string("step_key"))
                    .col(string("key"))
                    .col(string("kind"))
                    .col(string("provider"))
                    .col(string("name"))
                    .col(string_null("native_id"))
                    .col(json("attributes"))
                    .col(string("state"))
                    .col(timestamp_with_time_zone("intended_at"))
                    .col(timestamp_with_time_zone_null("live_at"))
                    .col(timestamp_with_time_zone_null("gone_at"))
                    .to_owned(),
            )
            .await?;
        // A key names one object at a time; when the object is gone, the same step may make it anew.
        manager
            .create_index(
                Index::create()
                    .unique()
                    .name("resource_by_key")
                    .table("resource")
                    .col("key")
                    .and_where(Expr::col("state").ne("gone"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("resource_by_deployment").table("resource").col("deployment_id").to_owned(),
            )
            .await
    }
}
