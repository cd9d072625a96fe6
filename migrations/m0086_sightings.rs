//! How the ledger's machines stand at their sites, and what others than Gatehouse made of them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, integer, string, string_len, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null,
    uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The few that are not over are asked for at every look.
const OPEN: &str = "CREATE INDEX deviation_open ON deviation (resource_id) WHERE until IS NULL";
const LIVE_MACHINES: &str = "CREATE INDEX resource_live_machines ON resource (deployment_id) \
                             WHERE kind = 'machine' AND state = 'live'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(sighting()).await?;
        manager.create_table(deviation()).await?;
        let of_machine = Index::create().name("deviation_of_machine").table("deviation").col("resource_id").to_owned();
        manager.create_index(of_machine).await?;
        for index in [OPEN, LIVE_MACHINES] {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}

fn sighting() -> TableCreateStatement {
    Table::create()
        .table("sighting")
        .col(uuid("resource_id").primary_key())
        // When it was first seen as it stands; the last look is that of its site.
        .col(timestamp_with_time_zone("seen_from"))
        .col(text("name"))
        .col(string_len("state", 15))
        .col(text("host"))
        .col(text("folder"))
        // The folder in which it was seen for the first time.
        .col(text("home"))
        .col(integer("cpu"))
        .col(integer("memory_gb"))
        .col(integer("snapshots"))
        .col(boolean("absent"))
        .foreign_key(&mut of_resource("sighting"))
        .to_owned()
}

fn deviation() -> TableCreateStatement {
    Table::create()
        .table("deviation")
        .col(uuid("id").primary_key())
        .col(uuid("resource_id"))
        .col(string("kind"))
        .col(text("what"))
        .col(text_null("done_by"))
        .col(timestamp_with_time_zone("since"))
        .col(timestamp_with_time_zone_null("until"))
        .foreign_key(&mut of_resource("deviation"))
        .to_owned()
}

fn of_resource(table: &'static str) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.from(table, "resource_id").to("resource", "id").on_delete(ForeignKeyAction::Cascade);
    key
}
