//! What is true in Gatehouse: its nouns as types, states as enums, plans and policies as values.
//!
//! Nothing here waits, reads a clock, opens a file or makes up an id: time, ids and randomness come in as
//! arguments. [`ports`] holds the traits of the systems outside, in our words.

pub mod action;
pub mod address;
pub mod ailment;
pub mod allocation;
pub mod approval;
pub mod audit;
pub mod audit_report;
pub mod blueprint;
pub mod ci;
pub mod connector;
pub mod deployment;
pub mod finding;
pub mod first_boot;
pub mod hold;
pub mod ids;
pub mod mail;
pub mod moment;
pub mod money;
pub mod name;
pub mod node;
pub mod organisation;
pub mod outage;
pub mod person;
pub mod ports;
pub mod project;
pub mod reading;
pub mod reconcile;
pub mod request;
pub mod resource;
pub mod run;
pub mod secret;
pub mod sighting;
pub mod site;
pub mod step;
pub mod task;
pub mod token;
pub mod trouble;
pub mod workflow;
pub mod workload;
