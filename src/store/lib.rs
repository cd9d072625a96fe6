//! The database: the ledger and every other table, one file per noun. SQL is written here and nowhere else.
//!
//! Use cases and the engine hold a [`Tx`] over what must commit together; reads take the [`Store`] or a `Tx` alike,
//! through [`Reads`].

pub mod absence;
pub mod address;
pub mod ailment;
pub mod allocation;
pub mod approval;
pub mod approval_level;
pub mod audit;
pub mod audit_report;
pub mod blueprint;
pub mod ci;
mod connect;
pub mod connector;
pub mod deployment;
pub mod duty;
mod fault;
pub mod finding;
pub mod idempotency;
pub mod job;
pub mod journal;
pub mod mail;
pub mod name;
mod neighbour;
pub mod node;
pub mod organisation;
pub mod page;
pub mod person;
pub mod place;
pub mod project;
pub mod reconcile;
mod records;
pub mod request;
pub mod resource;
mod room;
pub mod run;
pub mod run_event;
pub mod secret;
pub mod session;
pub mod share;
pub mod sighting;
mod sql;
pub mod step;
pub mod task;
pub mod token;
pub mod trend;
pub mod turn;
mod tx;
pub mod worker;
pub mod workload;

pub use connect::{OpenError, Pool, Store};
pub use fault::Fault;
pub use neighbour::Neighbour;
pub use sea_orm::DbErr;
pub use tx::{Reads, Snapshot, Tx};

/// A new id: time-ordered (UUID version 7), so that rows made together lie together.
pub fn fresh_id<T: From<uuid::Uuid>>() -> T {
    uuid::Uuid::now_v7().into()
}
