//! Runs, their steps and events, and the workers that carry them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, json, json_null, string, string_null, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(run()).await?;
        for (name, columns) in [
            // The sweeper asks which runs are due; runs that wait for people are not in its way.
            ("run_by_wake", &["wake_at"][..]),
            ("run_by_deployment", &["deployment_id", "created_at"]),
            ("run_by_state", &["state", "created_at"]),
            ("run_by_blueprint", &["blueprint", "kind", "state", "ended_at"]),
            // The catalog says how long builds take from the last that ended, whatever is in the table.
            ("run_by_end", &["kind", "state", "ended_at", "blueprint", "started_at"]),
        ] {
            let mut index = Index::create();
            index.name(name).table("run");
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        // A request is carried out once, however often it is put into the queue.
        let mut by_request = Index::create();
        by_request.unique().name("run_by_request").table("run").col("request_id");
        manager.create_index(by_request).await?;
        manager.create_table(step()).await?;
        manager.create_table(run_event()).await?;
        manager.create_table(worker()).await
    }
}

fn run() -> TableCreateStatement {
    Table::create()
        .table("run")
        .col(uuid("id").primary_key())
        .col(uuid("deployment_id"))
        .col(uuid("project_id"))
        .col(uuid_null("request_id"))
        .col(string("kind"))
        .col(string("title"))
        .col(string("blueprint"))
        .col(string("version"))
        .col(string_null("action"))
        .col(json("workflow"))
        .col(json("bindings"))
        .col(string("platform"))
        .col(string("application"))
        .col(string("state"))
        .col(text_null("why"))
        .col(string_null("cancel"))
        .col(big_integer("token"))
        .col(big_integer("revision"))
        .col(big_integer("next_event"))
        .col(string_null("worker"))
        .col(timestamp_with_time_zone_null("lease_until"))
        .col(timestamp_with_time_zone_null("wake_at"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .to_owned()
}

fn step() -> TableCreateStatement {
    Table::create()
        .table("step")
        .col(uuid("id").primary_key())
        .col(uuid("run_id"))
        .col(integer("position"))
        .col(string("key"))
        .col(string("state"))
        .col(integer("attempt"))
        .col(integer("failures"))
        .col(json_null("input"))
        .col(boolean("edited"))
        .col(json_null("output"))
        .col(json_null("remembered"))
        .col(timestamp_with_time_zone_null("wake_at"))
        .col(text_null("why"))
        .col(text_null("advice"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .foreign_key(ForeignKey::create().from("step", "run_id").to("run", "id"))
        .index(Index::create().unique().name("step_by_run").col("run_id").col("position"))
        .to_owned()
}

fn run_event() -> TableCreateStatement {
    Table::create()
        .table("run_event")
        .col(uuid("run_id"))
        .col(big_integer("number"))
        .col(timestamp_with_time_zone("at"))
        .col(string_null("step_key"))
        .col(string("kind"))
        .col(text("line"))
        .col(json_null("detail"))
        .primary_key(Index::create().col("run_id").col("number"))
        .foreign_key(ForeignKey::create().from("run_event", "run_id").to("run", "id"))
        .to_owned()
}

fn worker() -> TableCreateStatement {
    Table::create()
        .table("worker")
        .col(string("name").primary_key())
        .col(string("host"))
        .col(integer("process"))
        .col(integer("places"))
        .col(integer("busy"))
        .col(timestamp_with_time_zone("started_at"))
        .col(timestamp_with_time_zone("seen_at"))
        .col(timestamp_with_time_zone_null("stopped_at"))
        .to_owned()
}
