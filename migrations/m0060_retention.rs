//! Which runs have had forgotten what happened to them, so that the duty that forgets finds the others without looking
//! through all; and mails by age.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::timestamp_with_time_zone_null;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut column = Table::alter();
        column.table("run").add_column(timestamp_with_time_zone_null("events_forgotten_at"));
        manager.alter_table(column).await?;
        // A run that has not ended is not in it, so that it costs a run no more than one write.
        let remembered = Expr::col("ended_at").is_not_null().and(Expr::col("events_forgotten_at").is_null());
        let mut by_end = Index::create();
        by_end.name("run_by_retention").table("run").col("ended_at").and_where(remembered);
        manager.create_index(by_end).await?;
        manager.create_index(Index::create().name("mail_by_age").table("mail").col("created_at").to_owned()).await
    }
}
