//! What of the built-in CMDB is on its way to the company's: which CIs changed, what each connector has acknowledged,
//! and how each connector fares.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, string_len, string_len_null, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Of many rows the few that something is to be done about.
const INDEXES: [&str; 5] = [
    "CREATE INDEX ci_outbox_pending ON ci_outbox (since) WHERE pending",
    "CREATE INDEX delivery_due ON delivery (connector, rank, next_at) WHERE next_at IS NOT NULL",
    "CREATE INDEX delivery_outstanding ON delivery (connector, wanted_since) WHERE wanted_since IS NOT NULL",
    "CREATE INDEX delivery_dead ON delivery (dead_since) WHERE dead_since IS NOT NULL",
    "CREATE INDEX delivery_acknowledged ON delivery (connector, acknowledged_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [ci_outbox(), connector(), delivery()] {
            manager.create_table(table).await?;
        }
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}

/// One row a CI: how often it changed, and whether the connectors were told to carry that.
fn ci_outbox() -> TableCreateStatement {
    Table::create()
        .table("ci_outbox")
        .col(uuid("ci_id").primary_key())
        .col(big_integer("revision"))
        .col(boolean("pending"))
        // The oldest change that is pending.
        .col(timestamp_with_time_zone("since"))
        .to_owned()
}

fn connector() -> TableCreateStatement {
    Table::create()
        .table("connector")
        .col(string_len("name", 63).primary_key())
        // How far the first load came, by the CIs' ids; and when it was through.
        .col(uuid_null("loaded_to"))
        .col(timestamp_with_time_zone_null("loaded_at"))
        // Whether it rests after a failure that was not one CI's.
        .col(timestamp_with_time_zone_null("rest_until"))
        .col(integer("failures").default(0))
        .col(timestamp_with_time_zone_null("failing_since"))
        .col(string_len_null("error_code", 63))
        .col(text_null("error"))
        .col(timestamp_with_time_zone_null("answered_at"))
        // Writes that changed nothing over there.
        .col(big_integer("noops").default(0))
        // The comparison under way: since when, and how far; then what the last one came to.
        .col(timestamp_with_time_zone_null("comparing_since"))
        .col(text_null("compared_to"))
        .col(big_integer("differing").default(0))
        .col(timestamp_with_time_zone_null("compared_at"))
        .col(big_integer("found_differing").default(0))
        .col(big_integer("found_missing").default(0))
        .to_owned()
}

/// One row a CI and connector: what is wanted there, and what it has acknowledged.
fn delivery() -> TableCreateStatement {
    Table::create()
        .table("delivery")
        .col(string_len("connector", 63))
        .col(uuid("ci_id"))
        // What others depend on goes first.
        .col(integer("rank"))
        .col(big_integer("wanted"))
        // The oldest change that is not acknowledged; empty when all is.
        .col(timestamp_with_time_zone_null("wanted_since"))
        .col(big_integer_null("acknowledged"))
        .col(timestamp_with_time_zone_null("acknowledged_at"))
        .col(big_integer_null("lag_ms"))
        .col(string_len_null("payload_hash", 64))
        .col(text_null("native_id"))
        .col(integer("attempts"))
        // When it is its turn; empty when nothing is to be done, or nothing helps.
        .col(timestamp_with_time_zone_null("next_at"))
        .col(string_len_null("error_code", 63))
        .col(text_null("error"))
        .col(timestamp_with_time_zone_null("dead_since"))
        .col(timestamp_with_time_zone_null("compared_at"))
        .primary_key(Index::create().col("connector").col("ci_id"))
        .to_owned()
}
