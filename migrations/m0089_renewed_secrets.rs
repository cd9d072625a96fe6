//! Secrets that took the place of others.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The key of the step that made the first of them.
        let renews = Table::alter().table("secret").add_column(text_null("renews")).to_owned();
        manager.alter_table(renews).await?;
        let by_first = Index::create().name("secret_by_first").table("secret").col("renews").to_owned();
        manager.create_index(by_first).await
    }
}
