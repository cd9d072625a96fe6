//! The settings: defaults, over them one TOML file, over it systemd's credentials, over them `GATEHOUSE_SECTION__KEY`
//! variables.
//!
//! A wrong setting is named with its place before anything starts. `gatehouse.example.toml` documents every key and
//! is checked against the defaults by a test.

mod bounds;
mod catalog;
mod cmdb;
mod database;
mod datacenter;
mod file;
mod logging;
mod mail;
mod mistake;
mod read;
mod retention;
mod secret;
mod secrets;
mod server;
mod servicenow;
mod sites;
mod worker;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use bounds::Bounds;
pub use catalog::Catalog;
pub use cmdb::{Cmdb, Connector, NautobotCmdb, Webhook};
pub use database::Database;
pub use datacenter::Datacenter;
pub use logging::Logging;
pub use mail::{Mail, Security};
pub use mistake::Mistake;
use mistake::Objection;
pub use read::read;
pub use retention::Retention;
pub use secret::Secret;
pub use secrets::{Secrets, sealing_key};
pub use server::Server;
pub use servicenow::{ServiceNow, UnknownGroups};
pub use sites::{
    Addresses, ContainerHosts, Dns, Docker, Haproxy, Nautobot, Orchestrator, Probe, Puppet, Site, Spaces, Ssh, Tls,
    Vsphere, vsphere,
};
pub use worker::Worker;

/// Everything that can be set, one section a file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub bounds: Bounds,
    pub catalog: Catalog,
    pub cmdb: Cmdb,
    pub database: Database,
    pub datacenter: Datacenter,
    pub logging: Logging,
    pub mail: Mail,
    pub retention: Retention,
    pub secrets: Secrets,
    pub server: Server,
    /// By name; without any there is the simulated datacenter.
    pub sites: BTreeMap<String, Site>,
    pub worker: Worker,
}

impl Settings {
    /// What fits the types and still can't work.
    fn objections(&self) -> Vec<Objection> {
        [
            self.bounds.objections(),
            self.cmdb.objections(),
            self.database.objections(),
            self.mail.objections(),
            self.retention.objections(),
            self.secrets.objections(&self.database),
            self.server.objections(),
            self.sites.iter().flat_map(|(name, site)| site.objections(name)).collect(),
            self.worker.objections(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
