//! Deployments, what they take of their project's quota, and what each project may use.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, json, json_null, string, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(deployment()).await?;
        manager.create_table(allocation()).await?;
        manager.create_table(quota()).await?;
        for (name, table, columns) in [
            ("deployment_by_project", "deployment", ["project_id", "created_at"]),
            ("deployment_by_lease", "deployment", ["state", "lease_until"]),
            ("deployment_by_time", "deployment", ["created_at", "id"]),
            ("deployment_by_name", "deployment", ["name", "id"]),
            ("allocation_by_project", "allocation", ["project_id", "state"]),
            ("allocation_by_deployment", "allocation", ["deployment_id", "key"]),
        ] {
            let mut index = Index::create().name(name).table(table).to_owned();
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn deployment() -> TableCreateStatement {
    Table::create()
        .table("deployment")
        .col(uuid("id").primary_key())
        .col(uuid("project_id"))
        // The order that it came from.
        .col(uuid("request_id"))
        .col(uuid("owner_id"))
        .col(string("name"))
        .col(string("blueprint"))
        .col(string("version"))
        .col(string("title"))
        .col(json("params"))
        // What the parameters become when the action under way succeeds.
        .col(json_null("next_params"))
        .col(string("platform"))
        .col(string("application"))
        .col(string("state"))
        .col(timestamp_with_time_zone("lease_until"))
        .col(timestamp_with_time_zone("lease_longest_until"))
        .col(big_integer("grace_days"))
        .col(timestamp_with_time_zone_null("warned_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("built_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .foreign_key(ForeignKey::create().from("deployment", "project_id").to("project", "id"))
        .to_owned()
}

/// What each request takes of each key; usage and cost are sums over these rows.
fn allocation() -> TableCreateStatement {
    Table::create()
        .table("allocation")
        .col(uuid("request_id"))
        .col(string("key"))
        .col(uuid("project_id"))
        .col(uuid("deployment_id"))
        // Negative where a request gives back.
        .col(big_integer("amount"))
        .col(string("state"))
        .col(timestamp_with_time_zone("reserved_at"))
        .col(timestamp_with_time_zone_null("live_at"))
        .col(timestamp_with_time_zone_null("released_at"))
        .primary_key(Index::create().col("request_id").col("key"))
        .to_owned()
}

/// What a project may use at most; a key without a row has no limit.
fn quota() -> TableCreateStatement {
    Table::create()
        .table("quota")
        .col(uuid("project_id"))
        .col(string("key"))
        .col(big_integer("amount"))
        .primary_key(Index::create().col("project_id").col("key"))
        .foreign_key(ForeignKey::create().from("quota", "project_id").to("project", "id"))
        .to_owned()
}
