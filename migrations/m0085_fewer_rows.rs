//! What a move of a run costs the database: all that happened in it lies in one row. And of the runs that carry out no
//! request, none is in the index by which the run of a request is found.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::json_null;

#[derive(DeriveMigrationName)]
pub struct Migration;

const BY_REQUEST: &str = "CREATE UNIQUE INDEX run_by_request ON run (request_id) WHERE request_id IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let more = Table::alter().table("run_event").add_column(json_null("more")).to_owned();
        manager.alter_table(more).await?;
        manager.drop_index(Index::drop().name("run_by_request").table("run").to_owned()).await?;
        manager.get_connection().execute_unprepared(BY_REQUEST).await.map(drop)
    }
}
