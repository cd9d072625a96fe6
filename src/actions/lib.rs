//! The verbs that a blueprint may use, one family a file. Each calls ports, and returns what to record as data.
//!
//! An action that makes something outside follows one path: it intends (the ledger knows the key before the call),
//! runs (finds the object by that key, adopts it or makes it, waits until it is ready), and undoes (finds by key,
//! removes, proves that it is gone). `ci` in an output is the key of the CI that the step registered, for the steps
//! and relations that follow.

mod balancer;
mod cmdb;
mod docker;
mod http;
mod human;
mod machine;
mod naming;
mod notify;
mod puppet;
mod registry;
mod secret;
mod space;
mod typed;
mod wait;

#[cfg(test)]
mod tests;

pub use registry::{Systems, all, signatures};
