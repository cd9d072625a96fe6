//! Outages of providers: which steps wait for one to answer again, and what each worker found out.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json_null, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Few steps wait; all others cost the index nothing.
const AWAITED: &str = "CREATE INDEX step_waiting_for ON step (waits_for, run_id) WHERE waits_for IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let step = Table::alter().table("step").add_column(text_null("waits_for")).to_owned();
        manager.alter_table(step).await?;
        let worker = Table::alter().table("worker").add_column(json_null("outages")).to_owned();
        manager.alter_table(worker).await?;
        manager.get_connection().execute_unprepared(AWAITED).await.map(drop)
    }
}
