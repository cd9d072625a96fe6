//! CIs are found by the name of their deployment as well: those that there are get it as a word.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let named = "INSERT INTO ci_word (word, ci_id, project_id) SELECT lower(d.name), c.id, c.project_id \
                     FROM ci c JOIN deployment d ON d.id = c.deployment_id WHERE c.id IS NOT NULL \
                     ON CONFLICT (word, ci_id) DO NOTHING";
        manager.get_connection().execute_unprepared(named).await.map(drop)
    }
}
