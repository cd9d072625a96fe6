//! Findings that are kept, with their lives, and the reconciles that found them. A reconcile walks objects and CIs in the
//! order of their keys, byte by byte, on either database.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, string_len, string_len_null, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Nobody reconciles yet.
const FREE: &str = "INSERT INTO duty (name, token) VALUES ('reconcile', 0)";
/// `{…}` is compared byte by byte.
const INDEXES: [&str; 6] = [
    "CREATE INDEX ci_by_key ON ci ({key})",
    "CREATE INDEX resource_by_path ON resource ({(key || '/')})",
    "CREATE UNIQUE INDEX finding_of_part ON finding ({ci_key}, {kind}, {part})",
    "CREATE INDEX finding_by_state ON finding (state, severity, found_at, id)",
    "CREATE INDEX finding_by_project ON finding (project_id, severity, found_at, id)",
    "CREATE INDEX reconcile_run_by_time ON reconcile_run (began_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [finding(), reconcile_run(), reconcile_release()] {
            manager.create_table(table).await?;
        }
        let bytewise = match manager.get_database_backend() {
            DbBackend::Postgres => " COLLATE \"C\"",
            _ => "",
        };
        for index in INDEXES {
            let index = index.replace('{', "").replace('}', bytewise);
            manager.get_connection().execute_unprepared(&index).await?;
        }
        manager.get_connection().execute_unprepared(FREE).await.map(drop)
    }
}

fn finding() -> TableCreateStatement {
    Table::create()
        .table("finding")
        .col(uuid("id").primary_key())
        .col(string_len("kind", 31))
        .col(text("ci_key"))
        // The attribute or relation; empty for the whole.
        .col(text("part"))
        .col(string_len("class", 31))
        .col(text("scope"))
        .col(text("name"))
        .col(uuid_null("ci_id"))
        .col(uuid_null("project_id"))
        .col(uuid_null("deployment_id"))
        .col(text_null("platform"))
        .col(text_null("application"))
        // What is found, as JSON.
        .col(text("matter"))
        // Who told what is on record, or the run that made what was ordered.
        .col(string_len_null("source", 31))
        .col(timestamp_with_time_zone_null("recorded_at"))
        .col(uuid_null("run_id"))
        .col(text_null("step_key"))
        .col(timestamp_with_time_zone_null("seen_from"))
        .col(text_null("done_by"))
        .col(big_integer_null("cents"))
        // 0 is the highest.
        .col(integer("severity"))
        .col(string_len("state", 15))
        .col(timestamp_with_time_zone("first_seen_at"))
        .col(timestamp_with_time_zone("found_at"))
        .col(integer("times"))
        .col(timestamp_with_time_zone_null("fixed_at"))
        .col(timestamp_with_time_zone_null("last_seen_at"))
        .col(timestamp_with_time_zone_null("waived_until"))
        .col(text_null("waived_by"))
        .col(text_null("waived_reason"))
        .to_owned()
}

fn reconcile_run() -> TableCreateStatement {
    Table::create()
        .table("reconcile_run")
        .col(uuid("id").primary_key())
        .col(text("asked_by"))
        .col(text("process"))
        .col(timestamp_with_time_zone("began_at"))
        .col(timestamp_with_time_zone_null("ended_at"))
        .col(string_len("state", 15))
        // SHA-256 of the rules.
        .col(string_len("rules", 64))
        // What it came to, as JSON.
        .col(text_null("summary"))
        .col(text_null("why"))
        .to_owned()
}

/// What operators let through although it is much.
fn reconcile_release() -> TableCreateStatement {
    Table::create()
        .table("reconcile_release")
        .col(string_len("class", 31).primary_key())
        .col(big_integer("would_vanish"))
        .col(big_integer("would_change"))
        .col(text("released_by"))
        .col(text("reason"))
        .col(timestamp_with_time_zone("released_at"))
        .to_owned()
}
