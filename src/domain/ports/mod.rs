//! The systems outside, in our words: one trait a system, each with a simulated and, in time, a real implementation.
//!
//! Whatever is made outside carries our idempotency key. By it an earlier attempt's work is found again, and nothing
//! is removed whose key is not the one given.

pub mod balancer;
pub mod clock;
pub mod cmdb;
pub mod cmdb_connector;
pub mod configuration;
pub mod container_host;
pub mod datacenter;
pub mod dns;
pub mod ipam;
pub mod machine_change;
pub mod machines;
pub mod mailer;
pub mod names;
pub mod nodes;
pub mod probe;
pub mod provider_error;
pub mod secrets;
pub mod spaces;
pub mod survey;
