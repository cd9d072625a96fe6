//! The tables, one purpose a file, forward only. They run on SQLite and on PostgreSQL alike.

use sea_orm_migration::prelude::*;

mod m0001_people;
mod m0002_sign_in;
mod m0003_request;
mod m0005_cmdb;
mod m0006_mail;
mod m0007_audit;
mod m0008_workloads;
mod m0009_blueprint;
mod m0010_ledger;
mod m0020_runs;
mod m0030_deployments;
mod m0031_idempotency;
mod m0032_leaning;
mod m0033_step_memory;
mod m0040_lists;
mod m0041_words;
mod m0042_pauses;
mod m0060_retention;
mod m0061_outages;
mod m0062_duty;
mod m0070_tasks;
mod m0071_bounds;
mod m0072_cheap_steps;
mod m0073_task_mails;
mod m0074_room;
mod m0075_nodes;
mod m0076_node_reports;
mod m0078_names;
mod m0079_addresses;
mod m0080_sites;
mod m0083_secrets;
mod m0085_fewer_rows;
mod m0086_sightings;
mod m0087_site_watches;
mod m0089_renewed_secrets;
mod m0090_filed_reports;
mod m0095_connectors;
mod m0096_findings;

/// All migrations, in the order in which they run.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_people::Migration),
            Box::new(m0002_sign_in::Migration),
            Box::new(m0003_request::Migration),
            Box::new(m0005_cmdb::Migration),
            Box::new(m0006_mail::Migration),
            Box::new(m0007_audit::Migration),
            Box::new(m0008_workloads::Migration),
            Box::new(m0009_blueprint::Migration),
            Box::new(m0010_ledger::Migration),
            Box::new(m0020_runs::Migration),
            Box::new(m0030_deployments::Migration),
            Box::new(m0031_idempotency::Migration),
            Box::new(m0032_leaning::Migration),
            Box::new(m0033_step_memory::Migration),
            Box::new(m0040_lists::Migration),
            Box::new(m0041_words::Migration),
            Box::new(m0042_pauses::Migration),
            Box::new(m0060_retention::Migration),
            Box::new(m0061_outages::Migration),
            Box::new(m0062_duty::Migration),
            Box::new(m0070_tasks::Migration),
            Box::new(m0071_bounds::Migration),
            Box::new(m0072_cheap_steps::Migration),
            Box::new(m0073_task_mails::Migration),
            Box::new(m0074_room::Migration),
            Box::new(m0075_nodes::Migration),
            Box::new(m0076_node_reports::Migration),
            Box::new(m0078_names::Migration),
            Box::new(m0079_addresses::Migration),
            Box::new(m0080_sites::Migration),
            Box::new(m0083_secrets::Migration),
            Box::new(m0085_fewer_rows::Migration),
            Box::new(m0086_sightings::Migration),
            Box::new(m0087_site_watches::Migration),
            Box::new(m0089_renewed_secrets::Migration),
            Box::new(m0090_filed_reports::Migration),
            Box::new(m0095_connectors::Migration),
            Box::new(m0096_findings::Migration),
        ]
    }
}
