//! Puppet Server 6 and later: certificates by the CA's HTTP API, roles by an external node classifier that Gatehouse
//! answers, and what runs came to by their reports.
//!
//! What a node shall become is written to our own register before anything else happens; its server asks there
//! ([`PuppetWords`]). A fresh machine's certificate is signed when its request proves that it is the machine that was
//! ordered (`enrolment.rs`). A run is over when a report has arrived of one whose server had asked since the order.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use domain::ports::clock::Clock;
use domain::ports::nodes::{NodeRegister, RemoteAgent};
use reqwest::Url;

mod ca;
mod challenge;
mod configuration;
mod csr;
mod enrolment;
mod orchestrator;
mod program;
mod puppetdb;
mod report;
mod run;
mod ssh;
mod survey;
#[cfg(test)]
mod tests;
mod words;

use ca::{Access, Ca};
pub use orchestrator::{Orchestrator, OrchestratorSettings};
use puppetdb::PuppetDb;
pub use ssh::{SshAgents, SshSettings};
pub use words::PuppetWords;

/// The Puppet Server of one site, and as whom Gatehouse comes to it.
pub struct PuppetSettings {
    /// The site's name, by which the register tells its nodes from those of others.
    pub site: String,
    /// The server's name, as its certificate says it, and its port: usually 8140.
    pub server: String,
    pub port: u16,
    /// Where it is, when its name can't be looked up.
    pub address: Option<IpAddr>,
    /// The certificates (PEM) of its authority, which alone is trusted.
    pub ca: Vec<u8>,
    /// Gatehouse's own certificate and its key (PEM); its name is allowed `certificate_status` in `auth.conf`.
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
    /// The environment in which catalogs are compiled, e.g. `production`.
    pub environment: String,
    /// What the challenges of fresh machines are derived from: at least 16 bytes that nobody else knows.
    pub secret: Vec<u8>,
    /// How long a run may take from its order to its report.
    pub report_within: TimeDelta,
    /// The PuppetDB that is asked when a report does not come by itself.
    pub database: Option<Url>,
}

/// Why a Puppet Server can't be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum PuppetSettingsError {
    #[error("`{0}` is no name of a server")]
    Server(String),
    #[error("the certificates of the Puppet CA can't be read: a file in PEM is wanted")]
    Authority(#[source] reqwest::Error),
    #[error("the file of the Puppet CA's certificates holds none")]
    NoAuthority,
    #[error("Gatehouse's certificate and key for Puppet can't be read: two files in PEM are wanted")]
    Identity(#[source] reqwest::Error),
    #[error("the connections to the Puppet Server can't be prepared")]
    Client(#[source] reqwest::Error),
    #[error("the secret of the site's challenges is shorter than 16 bytes")]
    Secret,
    #[error("machines can't be told from others by SSH: name their host keys, or a PuppetDB that is told them")]
    NoHostKeys,
    #[error("`{0}` would be asked without TLS over the network; use `https`, or one on this machine")]
    Unprotected(String),
}

/// The Puppet Server of one site.
pub struct Puppet {
    site: String,
    server: String,
    port: u16,
    address: Option<IpAddr>,
    environment: String,
    secret: Vec<u8>,
    certificate: Vec<u8>,
    report_within: TimeDelta,
    ca: Ca,
    database: Option<PuppetDb>,
    register: Arc<dyn NodeRegister>,
    clock: Arc<dyn Clock>,
    agents: Option<Arc<dyn RemoteAgent>>,
}

/// The shortest secret that is worth the name, in bytes.
const SHORTEST_SECRET: usize = 16;

impl Puppet {
    /// Prepares the connections; none is opened yet. `agents` starts runs on machines that have had their first.
    pub fn new(
        settings: PuppetSettings,
        register: Arc<dyn NodeRegister>,
        clock: Arc<dyn Clock>,
        agents: Option<Arc<dyn RemoteAgent>>,
    ) -> Result<Self, PuppetSettingsError> {
        if settings.secret.len() < SHORTEST_SECRET {
            return Err(PuppetSettingsError::Secret);
        }
        let access = Access::of(&settings);
        let ca = Ca::new(&access)?;
        let database = settings.database.as_ref().map(|url| PuppetDb::new(url, &access)).transpose()?;
        Ok(Self {
            site: settings.site,
            server: settings.server,
            port: settings.port,
            address: settings.address,
            environment: settings.environment,
            secret: settings.secret,
            certificate: settings.certificate,
            report_within: settings.report_within,
            ca,
            database,
            register,
            clock,
            agents,
        })
    }
}
