//! How people and programs prove who they are: sessions, tries to sign in, tokens.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, string, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("session")
                    .col(uuid("id").primary_key())
                    // The cookie's secret is stored as SHA-256 only: a copy of the table opens no session.
                    .col(string("token_hash").unique_key())
                    .col(uuid("person_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("seen_at"))
                    .col(timestamp_with_time_zone("expires_at"))
                    .foreign_key(ForeignKey::create().from("session", "person_id").to("person", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("session_by_person").table("session").col("person_id").to_owned())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("sign_in_attempt")
                    .col(uuid("id").primary_key())
                    // SHA-256 of the address that was typed: people type passwords there by mistake.
                    .col(string("account_hash"))
                    .col(string("client"))
                    .col(boolean("succeeded"))
                    .col(timestamp_with_time_zone("at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("sign_in_attempt_by_time").table("sign_in_attempt").col("at").to_owned())
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("api_token")
                    .col(uuid("id").primary_key())
                    .col(uuid("person_id"))
                    .col(string("name"))
                    .col(string("token_hash").unique_key())
                    // Words with a blank between.
                    .col(text("scopes"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("expires_at"))
                    .col(timestamp_with_time_zone_null("revoked_at"))
                    .col(timestamp_with_time_zone_null("used_at"))
                    .foreign_key(ForeignKey::create().from("api_token", "person_id").to("person", "id"))
                    .to_owned(),
            )
            .await
    }
}
