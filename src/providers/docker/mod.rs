//! Docker engines (the Engine API, <https://docs.docker.com/reference/api/engine/>), by bollard.
//!
//! One engine carries machines, as system containers on the site's network, or container spaces; the engines inside
//! of machines are asked what they run. Whatever is made carries our key in the label [`KEY`].

mod agent;
mod client;
mod container_host;
mod containers;
mod fault;
mod machines;
mod seed;
mod spaces;
mod survey;
mod watched;

#[cfg(test)]
mod tests;

pub use client::{DockerSettings, DockerSettingsError, Identity};
pub use container_host::{DockerHosts, HostSettings};
pub use machines::{DockerMachines, MachineSettings};
pub use spaces::{DockerSpaces, SpaceSettings};

/// The label that holds our idempotency key.
const KEY: &str = "org.gatehouse.key";
