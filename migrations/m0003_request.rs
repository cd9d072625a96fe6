//! Requests, who was asked about them, what was decided, and who stands in for whom.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, json, json_null, pk_auto, string, string_null, text, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(request()).await?;
        manager.create_table(approval_level()).await?;
        manager.create_table(approval()).await?;
        manager.create_table(approval_link()).await?;
        manager.create_table(absence()).await?;
        for (name, table, columns) in [
            ("request_by_project", "request", &["project_id", "submitted_at"][..]),
            ("request_by_requester", "request", &["requester_id", "submitted_at"]),
            ("request_by_state", "request", &["state"]),
            ("request_by_deployment", "request", &["deployment_id"]),
            ("approval_by_approver", "approval", &["approver_id", "state"]),
            ("approval_by_request", "approval", &["request_id", "revision", "level"]),
            ("approval_level_by_due", "approval_level", &["state", "due_at"]),
            ("absence_by_person", "absence", &["person_id"]),
        ] {
            let mut index = Index::create();
            index.name(name).table(table);
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn request() -> TableCreateStatement {
    Table::create()
        .table("request")
        // What people call it, R-12.
        .col(pk_auto("number"))
        .col(uuid("id").unique_key())
        .col(uuid("project_id"))
        .col(uuid("requester_id"))
        .col(string("kind"))
        .col(string("title"))
        .col(string("blueprint"))
        .col(string("version"))
        .col(string_null("action"))
        .col(uuid("deployment_id"))
        .col(json("parameters"))
        // What was shown and is approved; nothing is planned anew behind anybody's back.
        .col(json_null("plan"))
        .col(text("reason"))
        .col(big_integer("monthly_cents"))
        .col(integer("revision"))
        .col(string("state"))
        .col(text_null("outcome"))
        .col(uuid_null("run_id"))
        // The same key from the same person is the same request: a double click orders once.
        .col(string("idempotency_key"))
        .col(timestamp_with_time_zone("submitted_at"))
        .col(timestamp_with_time_zone_null("decided_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .foreign_key(ForeignKey::create().from("request", "project_id").to("project", "id"))
        .foreign_key(ForeignKey::create().from("request", "requester_id").to("person", "id"))
        .index(Index::create().unique().name("request_by_key").col("requester_id").col("idempotency_key"))
        .to_owned()
}

fn approval_level() -> TableCreateStatement {
    Table::create()
        .table("approval_level")
        .col(uuid("request_id"))
        .col(integer("revision"))
        .col(integer("level"))
        .col(string("state"))
        .col(timestamp_with_time_zone("due_at"))
        .col(integer("escalations"))
        .primary_key(Index::create().col("request_id").col("revision").col("level"))
        .to_owned()
}

fn approval() -> TableCreateStatement {
    Table::create()
        .table("approval")
        .col(uuid("id").primary_key())
        .col(uuid("request_id"))
        .col(integer("revision"))
        .col(integer("level"))
        .col(uuid("approver_id"))
        // Set on a delegate's question: whose voice it is.
        .col(uuid_null("on_behalf_of_id"))
        // Why this person is asked: `group application-owners`.
        .col(string("asked_as"))
        .col(string("state"))
        .col(timestamp_with_time_zone("opened_at"))
        .col(timestamp_with_time_zone_null("remind_at"))
        .col(timestamp_with_time_zone_null("decided_at"))
        .col(text_null("reason"))
        .col(string_null("via"))
        .col(string_null("client_address"))
        .col(text_null("client_agent"))
        .col(string_null("dispute_hash").unique_key())
        .col(timestamp_with_time_zone_null("disputed_at"))
        // Somebody higher up was asked, because the mail did not arrive.
        .col(boolean("passed_on"))
        .foreign_key(ForeignKey::create().from("approval", "request_id").to("request", "id"))
        .foreign_key(ForeignKey::create().from("approval", "approver_id").to("person", "id"))
        .to_owned()
}

/// The links that mails carried; a reminder brings one of its own. The secrets are stored as SHA-256 only.
fn approval_link() -> TableCreateStatement {
    Table::create()
        .table("approval_link")
        .col(string("token_hash").primary_key())
        .col(uuid("approval_id"))
        .col(timestamp_with_time_zone("expires_at"))
        .foreign_key(ForeignKey::create().from("approval_link", "approval_id").to("approval", "id"))
        .to_owned()
}

fn absence() -> TableCreateStatement {
    Table::create()
        .table("absence")
        .col(uuid("id").primary_key())
        .col(uuid("person_id"))
        .col(uuid("delegate_id"))
        .col(timestamp_with_time_zone("begins_at"))
        .col(timestamp_with_time_zone("ends_at"))
        .foreign_key(ForeignKey::create().from("absence", "person_id").to("person", "id"))
        .foreign_key(ForeignKey::create().from("absence", "delegate_id").to("person", "id"))
        .to_owned()
}
