//! How a run is carried through crashes: leases, one transaction a step, retries, pauses, compensation.
//! The engine knows no action by name and no outside system.

pub mod action;

pub use action::{Action, ActionError, Failure, Outcome, Record, StepLog, Work};
