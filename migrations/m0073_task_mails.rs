//! Which task a mail brings to somebody, and whom its loss was passed on to.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text_null, uuid_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Most mails are about no task; they cost the index nothing.
const OF_TASK: &str = "CREATE INDEX mail_by_task ON mail (task_id, to_email) WHERE task_id IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [uuid_null("task_id"), text_null("passed_on")] {
            manager.alter_table(Table::alter().table("mail").add_column(column).to_owned()).await?;
        }
        manager.get_connection().execute_unprepared(OF_TASK).await.map(drop)
    }
}
