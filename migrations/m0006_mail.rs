//! The mail outbox: written with the reason for the mail, emptied by the sender.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, string, string_null, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
    uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("mail")
                    .col(uuid("id").primary_key())
                    .col(string("to_name"))
                    .col(string("to_email"))
                    .col(string("kind"))
                    .col(string("subject"))
                    .col(text("text"))
                    .col(text("html"))
                    .col(uuid_null("request_id"))
                    .col(uuid_null("approval_id"))
                    // One letter for one reason, whoever posts it twice.
                    .col(string("reason").unique_key())
                    .col(string("state"))
                    .col(integer("attempts"))
                    .col(timestamp_with_time_zone_null("next_at"))
                    .col(text_null("answer"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone_null("sent_at"))
                    // The sender that has it in hand; free again when its time is over.
                    .col(string_null("claimed_by"))
                    .col(timestamp_with_time_zone_null("claimed_until"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("mail_by_turn").table("mail").col("state").col("next_at").to_owned())
            .await?;
        manager.create_index(Index::create().name("mail_by_request").table("mail").col("request_id").to_owned()).await
    }
}
