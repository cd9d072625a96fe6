//! What goes on side by side: at which provider a step has a place, or waits for one; how the workers share the places
//! of a provider; which runs wait for their blueprint's turn, and whose turn it was last.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, integer, string, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Few steps and few runs are in them; all others cost them nothing.
const INDEXES: [&str; 2] = [
    "CREATE INDEX step_by_place ON step (provider, queued_at, run_id) WHERE provider IS NOT NULL",
    "CREATE INDEX run_held_up ON run (blueprint, held_up_since) WHERE held_up_since IS NOT NULL",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [text_null("provider"), timestamp_with_time_zone_null("queued_at")] {
            manager.alter_table(Table::alter().table("step").add_column(column).to_owned()).await?;
        }
        let held_up = timestamp_with_time_zone_null("held_up_since");
        manager.alter_table(Table::alter().table("run").add_column(held_up).to_owned()).await?;
        manager.create_table(share()).await?;
        manager.create_table(turn()).await?;
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}

fn share() -> TableCreateStatement {
    Table::create()
        .table("share")
        .col(string("provider"))
        .col(string("worker"))
        .col(integer("places"))
        .col(integer("wanted"))
        .col(timestamp_with_time_zone_null("wanted_since"))
        .col(timestamp_with_time_zone("lease_until"))
        .primary_key(Index::create().col("provider").col("worker"))
        .to_owned()
}

fn turn() -> TableCreateStatement {
    Table::create()
        .table("turn")
        .col(string("blueprint"))
        .col(uuid("project_id"))
        .col(big_integer("number"))
        .primary_key(Index::create().col("blueprint").col("project_id"))
        .to_owned()
}
