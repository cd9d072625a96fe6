//! The CMDB: what exists, what is known of it, how it hangs together, and everything that ever changed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    string, string_null, text, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(ci(manager.get_database_backend())).await?;
        manager.create_table(attribute()).await?;
        manager.create_table(relation()).await?;
        manager.create_table(history()).await?;
        manager.create_table(word(manager.get_database_backend())).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// Text that is compared byte by byte, so that the index answers questions for a prefix on both databases.
fn bytewise(name: &'static str, backend: DbBackend) -> ColumnDef {
    let mut column = string(name);
    if backend == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}

fn ci(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("ci")
        .col(uuid("id").primary_key())
        // The stable native key of what the CI describes; a rename keeps it.
        .col(string("key").unique_key())
        .col(string("class"))
        .col(string("name"))
        // The name in lower case, for sorting.
        .col(bytewise("sort_name", backend))
        .col(string("lifecycle"))
        .col(uuid("project_id"))
        .col(uuid_null("deployment_id"))
        .col(string_null("platform"))
        .col(string_null("application"))
        // Names of required attributes that are missing, and of those of the wrong kind: JSON lists.
        .col(text("gaps"))
        .col(text("misfits"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("changed_at"))
        .col(timestamp_with_time_zone_null("retired_at"))
        .to_owned()
}

fn attribute() -> TableCreateStatement {
    Table::create()
        .table("ci_attribute")
        .col(uuid("ci_id"))
        .col(string("name"))
        // The value as JSON.
        .col(text("value"))
        .col(string("source"))
        .col(uuid_null("run_id"))
        .col(string_null("step_key"))
        .col(timestamp_with_time_zone("at"))
        .primary_key(Index::create().col("ci_id").col("name"))
        .foreign_key(ForeignKey::create().from("ci_attribute", "ci_id").to("ci", "id"))
        .to_owned()
}

fn relation() -> TableCreateStatement {
    Table::create()
        .table("ci_relation")
        .col(uuid("id").primary_key())
        .col(uuid("from_id"))
        .col(string("relation"))
        .col(uuid("to_id"))
        .col(string("source"))
        .col(timestamp_with_time_zone("since"))
        // When the relation ended; empty while it holds.
        .col(timestamp_with_time_zone_null("until"))
        .foreign_key(ForeignKey::create().from("ci_relation", "from_id").to("ci", "id"))
        .foreign_key(ForeignKey::create().from("ci_relation", "to_id").to("ci", "id"))
        .to_owned()
}

fn history() -> TableCreateStatement {
    Table::create()
        .table("ci_history")
        // Time-ordered; rows are only ever added.
        .col(uuid("id").primary_key())
        .col(uuid("ci_id"))
        .col(timestamp_with_time_zone("at"))
        .col(string("aspect"))
        .col(string("field"))
        .col(text("before"))
        .col(text("after"))
        .col(string("source"))
        .col(uuid_null("run_id"))
        .col(string_null("step_key"))
        .foreign_key(ForeignKey::create().from("ci_history", "ci_id").to("ci", "id"))
        .to_owned()
}

fn word(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("ci_word")
        .col(bytewise("word", backend))
        .col(uuid("ci_id"))
        // The CI's own, so that one tenant's search never walks another's words.
        .col(uuid("project_id"))
        .primary_key(Index::create().col("word").col("ci_id"))
        .foreign_key(ForeignKey::create().from("ci_word", "ci_id").to("ci", "id"))
        .to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    let index = |name: &str, table: &str, columns: &[&str]| {
        let mut index = Index::create();
        index.name(name.to_owned()).table(table.to_owned());
        for column in columns {
            index.col((*column).to_owned());
        }
        index.to_owned()
    };
    vec![
        index("ci_by_name", "ci", &["sort_name", "id"]),
        index("ci_by_class", "ci", &["class", "sort_name", "id"]),
        index("ci_by_change", "ci", &["changed_at", "id"]),
        index("ci_by_lifecycle", "ci", &["lifecycle", "sort_name", "id"]),
        index("ci_by_project", "ci", &["project_id", "sort_name", "id"]),
        index("ci_by_project_and_class", "ci", &["project_id", "class", "sort_name", "id"]),
        index("ci_by_project_and_change", "ci", &["project_id", "changed_at", "id"]),
        index("ci_by_platform", "ci", &["platform", "sort_name", "id"]),
        index("ci_by_application", "ci", &["application", "sort_name", "id"]),
        index("ci_by_deployment", "ci", &["deployment_id", "sort_name", "id"]),
        index("ci_by_project_and_deployment", "ci", &["project_id", "deployment_id", "sort_name", "id"]),
        index("ci_relation_from", "ci_relation", &["from_id", "until"]),
        index("ci_relation_to", "ci_relation", &["to_id", "until"]),
        index("ci_history_of_ci", "ci_history", &["ci_id", "at", "id"]),
        index("ci_history_by_time", "ci_history", &["at", "id"]),
        index("ci_word_of_ci", "ci_word", &["ci_id", "word"]),
        index("ci_word_of_project", "ci_word", &["project_id", "word", "ci_id"]),
    ]
}
