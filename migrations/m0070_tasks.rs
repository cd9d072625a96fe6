//! What steps of runs ask people to do, who may do it, and the links that mails carried.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, json, json_null, string, string_null, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// A step asks for one thing at a time, however often it is called.
const ONE_AT_A_TIME: &str = "CREATE UNIQUE INDEX task_open_of_step ON task (run_id, step_key) WHERE state = 'open'";
/// Few tasks are open; those that are over cost these indexes nothing.
const OPEN_BY_DUE: &str = "CREATE INDEX task_open_by_due ON task (due_at) WHERE state = 'open'";
const TO_REMIND: &str = "CREATE INDEX task_to_remind ON task (remind_at) WHERE remind_at IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(task()).await?;
        manager.create_table(task_assignee()).await?;
        manager.create_table(task_link()).await?;
        let by_assignee = Index::create().name("task_by_assignee").table("task_assignee").col("assignee").to_owned();
        manager.create_index(by_assignee).await?;
        for index in [ONE_AT_A_TIME, OPEN_BY_DUE, TO_REMIND] {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}

fn task() -> TableCreateStatement {
    Table::create()
        .table("task")
        .col(uuid("id").primary_key())
        .col(uuid("run_id"))
        .col(string("step_key"))
        .col(uuid("deployment_id"))
        .col(uuid("project_id"))
        .col(uuid_null("request_id"))
        .col(text("title"))
        .col(text("instructions"))
        .col(json("form"))
        .col(string("state"))
        .col(timestamp_with_time_zone("opened_at"))
        .col(timestamp_with_time_zone("due_at"))
        .col(timestamp_with_time_zone_null("remind_at"))
        .col(boolean("escalated"))
        .col(uuid_null("answered_by_id"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .col(json_null("answer"))
        .col(string_null("via"))
        .col(string_null("client_address"))
        .col(text_null("client_agent"))
        // Why nobody has to do it any more.
        .col(text_null("why"))
        .foreign_key(ForeignKey::create().from("task", "project_id").to("project", "id"))
        .foreign_key(ForeignKey::create().from("task", "answered_by_id").to("person", "id"))
        .to_owned()
}

/// Whom a task is for: `group:ops-network`, `person:ada@example.org`.
fn task_assignee() -> TableCreateStatement {
    Table::create()
        .table("task_assignee")
        .col(uuid("task_id"))
        .col(string("assignee"))
        .primary_key(Index::create().col("task_id").col("assignee"))
        .foreign_key(ForeignKey::create().from("task_assignee", "task_id").to("task", "id"))
        .to_owned()
}

/// The links that mails carried; a reminder brings one of its own. The secrets are stored as SHA-256 only.
fn task_link() -> TableCreateStatement {
    Table::create()
        .table("task_link")
        .col(string("token_hash").primary_key())
        .col(uuid("task_id"))
        .col(uuid("person_id"))
        .col(timestamp_with_time_zone("expires_at"))
        .foreign_key(ForeignKey::create().from("task_link", "task_id").to("task", "id"))
        .foreign_key(ForeignKey::create().from("task_link", "person_id").to("person", "id"))
        .to_owned()
}
