//! When each site's machines could be looked at. What was not looked at is not evaluated.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string_len, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let site_watch = Table::create()
            .table("site_watch")
            .col(uuid("id").primary_key())
            .col(string_len("site", 63))
            .col(timestamp_with_time_zone("began_at"))
            .col(timestamp_with_time_zone("heard_at"))
            // Empty while the site can be looked at.
            .col(timestamp_with_time_zone_null("ended_at"))
            .col(text_null("why"))
            .to_owned();
        manager.create_table(site_watch).await?;
        let by_site =
            Index::create().name("site_watch_by_site").table("site_watch").col("site").col("began_at").to_owned();
        manager.create_index(by_site).await
    }
}
