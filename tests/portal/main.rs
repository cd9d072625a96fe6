//! The portal as a whole, told as stories: the real database, the real engine with a worker, the simulated datacenter.

#![expect(clippy::unwrap_used, reason = "a story that can't go on is told as failed")]

mod ailments;
mod api;
mod approvals;
mod audit_report;
mod bad_input;
mod blueprints;
mod bounds;
mod connectors;
mod crashes;
mod deployments;
mod door;
mod duties;
mod failing_steps;
mod fixes;
mod house;
mod impact;
mod lists;
mod nodes;
mod openapi;
mod operations;
mod process;
mod reconcile;
mod requests;
mod retention;
mod runs;
mod secrets;
mod sightings;
mod sites;
mod task_links;
mod tasks;
