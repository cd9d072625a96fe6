//! Since when a run needs a person; and requests that say what their runs do: paused, taken back, cancelled.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::timestamp_with_time_zone_null;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What stands already is told anew from what its runs say.
const RETOLD: [&str; 4] = [
    "UPDATE run SET paused_at = (SELECT MAX(at) FROM run_event WHERE run_event.run_id = run.id) \
     WHERE state IN ('paused', 'stuck')",
    "UPDATE request SET state = 'paused' WHERE state = 'running' \
     AND run_id IN (SELECT id FROM run WHERE state IN ('paused', 'stuck'))",
    "UPDATE request SET state = 'taking_back' WHERE state = 'running' \
     AND run_id IN (SELECT id FROM run WHERE state = 'compensating' OR (state = 'cancelling' AND cancel = 'take_back'))",
    "UPDATE request SET state = 'cancelled' WHERE state = 'failed' \
     AND run_id IN (SELECT id FROM run WHERE state = 'cancelled')",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut column = Table::alter();
        column.table("run").add_column(timestamp_with_time_zone_null("paused_at"));
        manager.alter_table(column).await?;
        for statement in RETOLD {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
