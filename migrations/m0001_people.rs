//! Tenants and people: organisations, projects, accounts, roles and groups.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, string, string_null, timestamp_with_time_zone, uuid, uuid_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("organisation")
                    .col(uuid("id").primary_key())
                    .col(string("name").unique_key())
                    .col(string("title"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("project")
                    .col(uuid("id").primary_key())
                    .col(uuid("organisation_id"))
                    .col(string("name"))
                    .col(string("title"))
                    // Who answers for the project's applications unless an order says otherwise.
                    .col(string("team"))
                    .foreign_key(ForeignKey::create().from("project", "organisation_id").to("organisation", "id"))
                    .index(Index::create().unique().name("project_by_name").col("organisation_id").col("name"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("person")
                    .col(uuid("id").primary_key())
                    .col(string("email").unique_key())
                    .col(string("name"))
                    .col(string_null("password_hash"))
                    .col(boolean("active"))
                    .col(uuid_null("manager_id"))
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("role_grant")
                    .col(uuid("id").primary_key())
                    .col(uuid("person_id"))
                    .col(string("role"))
                    // Neither: the whole platform. An organisation: each of its projects.
                    .col(uuid_null("organisation_id"))
                    .col(uuid_null("project_id"))
                    .foreign_key(ForeignKey::create().from("role_grant", "person_id").to("person", "id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("group_member")
                    .col(string("group_name"))
                    .col(uuid("person_id"))
                    .primary_key(Index::create().col("group_name").col("person_id"))
                    .foreign_key(ForeignKey::create().from("group_member", "person_id").to("person", "id"))
                    .to_owned(),
            )
            .await
    }
}
