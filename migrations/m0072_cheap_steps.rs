//! What a step costs the database. What a run pinned when it began moves into a row of its own, since the run's row is
//! written at every step; a step then changes no column that is in an index, so that PostgreSQL writes the row in its
//! page ("heap-only tuple") and touches no index. A step is found by its place in its run, so that it needs no other key
//! and is first written when something happens to it. And the indexes on runs hold only those that are asked for by them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, integer, json, json_null, string, text_null, timestamp_with_time_zone_null, uuid,
};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Indexes that held all runs, and which of them are asked for.
const NARROWED: [(&str, &str); 4] = [
    ("run_by_wake", "run (wake_at) WHERE wake_at IS NOT NULL"),
    ("run_by_state", "run (state, created_at) WHERE ended_at IS NULL"),
    ("run_by_blueprint", "run (blueprint, kind, ended_at, action, started_at) WHERE state = 'done'"),
    ("run_by_end", "run (kind, ended_at, blueprint, started_at) WHERE state = 'done'"),
];

/// The indexes of the few steps that wait for a provider, or have a place at one.
const OF_FEW: [(&str, &str); 2] = [
    ("step_waiting_for", "step (waits_for, run_id) WHERE waits_for IS NOT NULL"),
    ("step_by_place", "step (provider, queued_at, run_id) WHERE provider IS NOT NULL"),
];
const STEP: &str = "run_id, position, key, state, attempt, failures, input, edited, output, remembered, \
                    remembered_before, wake_at, waits_for, why, advice, started_at, ended_at, provider, queued_at";

/// Steps and events are written only together with their run's row, by whoever holds the run: asking for each of them
/// whether the run exists would cost more than writing it. And room in the pages for the rows as they come to be.
const POSTGRES: [&str; 3] = [
    "ALTER TABLE run_event DROP CONSTRAINT IF EXISTS run_event_run_id_fkey",
    "ALTER TABLE run SET (fillfactor = 50)",
    "ALTER TABLE step SET (fillfactor = 50)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let pinned = Table::create()
            .table("run_pinned")
            .col(uuid("run_id").primary_key())
            .col(json("workflow"))
            .col(json("bindings"))
            .to_owned();
        manager.create_table(pinned).await?;
        let connection = manager.get_connection();
        connection.execute_unprepared("INSERT INTO run_pinned SELECT id, workflow, bindings FROM run").await?;
        for column in ["workflow", "bindings"] {
            manager.alter_table(Table::alter().table("run").drop_column(column).to_owned()).await?;
        }
        steps_by_place(manager).await?;
        for (name, on) in NARROWED {
            manager.drop_index(Index::drop().name(name).table("run").to_owned()).await?;
            connection.execute_unprepared(&format!("CREATE INDEX {name} ON {on}")).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            for statement in POSTGRES {
                connection.execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }
}

async fn steps_by_place(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    connection.execute_unprepared("ALTER TABLE step RENAME TO step_with_id").await?;
    for (name, _) in OF_FEW {
        connection.execute_unprepared(&format!("DROP INDEX {name}")).await?;
    }
    let step = Table::create()
        .table("step")
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
        .col(json_null("remembered_before"))
        .col(timestamp_with_time_zone_null("wake_at"))
        .col(text_null("waits_for"))
        .col(text_null("why"))
        .col(text_null("advice"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .col(text_null("provider"))
        .col(timestamp_with_time_zone_null("queued_at"))
        .primary_key(Index::create().col("run_id").col("position"))
        .to_owned();
    manager.create_table(step).await?;
    connection.execute_unprepared(&format!("INSERT INTO step SELECT {STEP} FROM step_with_id")).await?;
    connection.execute_unprepared("DROP TABLE step_with_id").await?;
    for (name, on) in OF_FEW {
        connection.execute_unprepared(&format!("CREATE INDEX {name} ON {on}")).await?;
    }
    Ok(())
}
