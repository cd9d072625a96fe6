//! Lists are read project by project, each along an index in the order shown. Each index ends with what decides whether
//! a row is shown at all, so that rows that are not shown are passed over without being read.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Name, table, columns.
const INDEXES: [(&str, &str, &[&str]); 15] = [
    ("deployment_list_by_creation", "deployment", &["project_id", "created_at", "id", "state"]),
    ("deployment_list_by_name", "deployment", &["project_id", "name", "id", "state"]),
    ("deployment_list_by_lease", "deployment", &["project_id", "lease_until", "id", "state"]),
    ("deployment_list_by_state", "deployment", &["project_id", "state", "id"]),
    ("request_list_of_requester", "request", &["project_id", "requester_id", "number", "state"]),
    ("request_list_by_number", "request", &["project_id", "number", "state"]),
    ("request_list_by_title", "request", &["project_id", "title", "number", "state"]),
    ("request_list_by_price", "request", &["project_id", "monthly_cents", "number", "state"]),
    ("request_list_by_state", "request", &["project_id", "state", "number"]),
    ("run_list", "run", &["created_at", "id", "state"]),
    ("run_list_by_creation", "run", &["project_id", "created_at", "id", "state"]),
    ("run_list_by_title", "run", &["project_id", "title", "id", "state"]),
    ("run_list_by_state", "run", &["project_id", "state", "id"]),
    ("ci_list", "ci", &["sort_name", "id", "lifecycle"]),
    ("ci_list_by_name", "ci", &["project_id", "sort_name", "id", "lifecycle"]),
];

/// Indexes that one of the new ones does the work of.
const REPLACED: [(&str, &str); 3] =
    [("deployment_by_project", "deployment"), ("ci_by_name", "ci"), ("ci_by_project", "ci")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table, columns) in INDEXES {
            let mut index = Index::create();
            index.name(name).table(table);
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        for (name, table) in REPLACED {
            manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
        }
        Ok(())
    }
}
