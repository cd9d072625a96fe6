//! What container engines told: when each was asked, and which containers were seen from when until when.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, string, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(report()).await?;
        manager.create_table(journal()).await?;
        for (name, columns) in [
            ("container_by_engine", ["engine_id", "seen_until"]),
            ("container_by_workload", ["workload_id", "seen_until"]),
        ] {
            let mut index = Index::create().name(name).table("container_journal").to_owned();
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn report() -> TableCreateStatement {
    Table::create()
        .table("container_report")
        // The CI of the container engine.
        .col(uuid("engine_id").primary_key())
        .col(timestamp_with_time_zone("asked_at"))
        // When it last named all its containers.
        .col(timestamp_with_time_zone_null("complete_at"))
        // How the last question was answered: complete, incomplete, failed.
        .col(string("answer"))
        .col(text_null("why"))
        .col(integer("containers"))
        .foreign_key(ForeignKey::create().from("container_report", "engine_id").to("ci", "id"))
        .to_owned()
}

fn journal() -> TableCreateStatement {
    Table::create()
        .table("container_journal")
        .col(uuid("id").primary_key())
        .col(uuid("engine_id"))
        .col(uuid("workload_id"))
        // The engine's id of the container; no CI ever bears it.
        .col(string("container_id"))
        .col(string("name"))
        .col(string("image"))
        .col(string("digest"))
        .col(timestamp_with_time_zone("started_at"))
        .col(timestamp_with_time_zone("seen_from"))
        // When a complete report no longer named it; empty while it runs.
        .col(timestamp_with_time_zone_null("seen_until"))
        .foreign_key(ForeignKey::create().from("container_journal", "engine_id").to("ci", "id"))
        .foreign_key(ForeignKey::create().from("container_journal", "workload_id").to("ci", "id"))
        .to_owned()
}
