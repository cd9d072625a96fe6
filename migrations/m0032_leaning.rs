//! What objects lean on: the rows of the ledger that have to outlive each row.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::json_null;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Ids of rows. Nothing in `made_on`: the row is older than this column.
        for column in ["made_on", "tied_to"] {
            let table = Table::alter().table("resource").add_column(json_null(column)).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
