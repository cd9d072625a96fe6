//! Audit reports that were filed: each with its hash, chained to the one before, and with all that it says, packed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, string_len, text, timestamp_with_time_zone, uuid, uuid_uniq};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Hexadecimal digits of a SHA-256.
const HASH: u32 = 64;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(filing()).await?;
        manager.create_table(part()).await
    }
}

fn filing() -> TableCreateStatement {
    Table::create()
        .table("audit_filing")
        .col(big_integer("number").primary_key())
        // What its parts are known by, which are written before it has a number.
        .col(uuid_uniq("draft_id"))
        .col(timestamp_with_time_zone("filed_at"))
        .col(text("filed_by"))
        .col(timestamp_with_time_zone("as_of"))
        .col(string_len("rules", 63))
        .col(big_integer("cis"))
        .col(string_len("sha256", HASH))
        .col(string_len("contents", HASH))
        .col(string_len("previous", HASH))
        .col(string_len("hash", HASH))
        // The figures as JSON, for trends over many reports.
        .col(text("figures"))
        // All of the report but its population.
        .col(blob("report"))
        .to_owned()
}

/// A stretch of the population.
fn part() -> TableCreateStatement {
    Table::create()
        .table("audit_filing_part")
        .col(uuid("draft_id"))
        .col(big_integer("number"))
        .col(timestamp_with_time_zone("written_at"))
        .col(blob("rows"))
        .primary_key(Index::create().col("draft_id").col("number"))
        .to_owned()
}
