//! What the agents of nodes reported, and which of it nobody had ordered.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, double, double_null, integer, json, string, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(node_report()).await?;
        for (name, column, unique) in
            [("node_report_once", "run_id", true), ("node_report_by_time", "received_at", false)]
        {
            let mut index = Index::create().name(name).table("node_report").col("certname").col(column).to_owned();
            if unique {
                index.unique();
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn node_report() -> TableCreateStatement {
    Table::create()
        .table("node_report")
        .col(uuid("id").primary_key())
        .col(string("certname"))
        // The agent's own id of the run, by which a report that is sent twice is known.
        .col(string("run_id"))
        .col(string("status"))
        .col(boolean("noop"))
        .col(timestamp_with_time_zone("began_at"))
        .col(timestamp_with_time_zone("received_at"))
        .col(double("seconds"))
        .col(double_null("catalog_seconds"))
        .col(integer("resources"))
        .col(integer("changed"))
        .col(integer("failed"))
        .col(integer("corrected"))
        .col(json("lines"))
        // What it found that nobody had ordered; empty where all was well.
        .col(text_null("drift"))
        // Until when that is told; empty while it is so.
        .col(timestamp_with_time_zone_null("drift_until"))
        .foreign_key(
            ForeignKey::create()
                .from("node_report", "certname")
                .to("node", "certname")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}
