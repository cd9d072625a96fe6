//! What configuration servers are told of their nodes, and how far each is.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, json, string, string_null, timestamp_with_time_zone, timestamp_with_time_zone_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(node()).await?;
        manager.create_table(node_name()).await
    }
}

fn node() -> TableCreateStatement {
    Table::create()
        .table("node")
        .col(string("certname").primary_key())
        .col(string("key").unique_key())
        .col(string("site"))
        .col(string("role"))
        .col(string("environment"))
        .col(json("facts"))
        .col(timestamp_with_time_zone("ordered_at"))
        // When its server first asked since the order stands.
        .col(timestamp_with_time_zone_null("asked_at"))
        // When a run was last started from here since the order stands.
        .col(timestamp_with_time_zone_null("started_at"))
        // SHA-256 of the public key whose certificate we had signed, written before it is.
        .col(string_null("key_print"))
        .col(timestamp_with_time_zone_null("signed_at"))
        // When a run first brought the order about.
        .col(timestamp_with_time_zone_null("settled_at"))
        .to_owned()
}

/// Outlives its nodes.
fn node_name() -> TableCreateStatement {
    Table::create()
        .table("node_name")
        .col(string("certname").primary_key())
        // Nodes that had the name and are gone.
        .col(integer("predecessors"))
        .to_owned()
}
