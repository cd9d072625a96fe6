//! Who does the duties of the house: one process at a time.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string, string_null, timestamp_with_time_zone_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Nobody does them yet.
const FREE: &str = "INSERT INTO duty (name, token) VALUES ('house', 0)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let duty = Table::create()
            .table("duty")
            .col(string("name").primary_key())
            .col(string_null("holder"))
            .col(big_integer("token"))
            .col(timestamp_with_time_zone_null("held_since"))
            .col(timestamp_with_time_zone_null("lease_until"))
            .to_owned();
        manager.create_table(duty).await?;
        manager.get_connection().execute_unprepared(FREE).await.map(drop)
    }
}
