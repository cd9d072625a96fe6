//! At which site an order, a deployment and a run are. What stands already was built in the simulated datacenter, for
//! there was no other site.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_len;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["request", "deployment", "run"] {
            let mut column = Table::alter();
            column.table(table).add_column(string_len("site", 63).default("simulated"));
            manager.alter_table(column).await?;
        }
        Ok(())
    }
}
