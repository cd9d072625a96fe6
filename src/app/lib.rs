//! Use cases: one file a noun, one function for each thing a person can do. This room alone decides order,
//! authorisation and transactions.

pub mod address;
pub mod ailment;
pub mod approval;
pub mod audit;
pub mod audit_report;
pub mod catalog;
pub mod ci;
pub mod cmdb;
pub mod connector;
pub mod consequences;
pub mod datacenter;
pub mod demo;
pub mod deployment;
pub mod duty;
pub mod fault;
pub mod finding;
mod hold;
#[cfg(test)]
mod house;
pub mod idempotency;
mod letter;
mod link;
pub mod mail;
pub mod name;
pub mod node;
mod notice;
pub mod operations;
pub mod page;
pub mod person;
pub mod project;
pub mod quota;
pub mod reconcile;
pub mod request;
pub mod retention;
pub mod run;
pub mod sample;
pub mod search;
pub mod secret;
pub mod session;
pub mod sighting;
pub mod site;
pub mod task;
pub mod token;
pub mod trend;
pub mod workload;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use domain::ports::clock::Clock;
use domain::ports::datacenter::DatacenterControls;
use domain::ports::mailer::Mailer;
use domain::site::Sites;
use domain::trouble::Trouble;
use engine::Engine;
use store::{DbErr, Store};

/// The years that every database keeps and puts into their order.
pub const YEARS: RangeInclusive<i32> = 1..=9_999;

/// How long whoever asks whether people can be served waits for the database.
const SOON: Duration = Duration::from_secs(2);

/// What every use case gets: the house's parts, made once by the composition root.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    /// The address people reach the portal at, without a trailing slash; links in mails start with it.
    pub base_url: String,
    /// Where things are built.
    pub sites: Sites,
    /// What may be ordered.
    pub catalog: catalog::Catalog,
    /// What carries out what was approved.
    pub engine: Engine,
    /// Whether this is the demo, which shows its people's passwords, its mail and its datacenter.
    pub demo: bool,
    /// Where mails go; `None` keeps them to be read in the portal.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// The controls of the simulated datacenter, where there is one.
    pub datacenter: Option<Arc<dyn DatacenterControls>>,
    /// The company's CMDBs that ours is carried to.
    pub connectors: connector::Connectors,
    /// Where audit reports are compiled.
    pub press: audit_report::Press,
    /// The configuration servers that may ask about nodes and report on them.
    pub node_servers: Arc<[node::NodeServer]>,
    /// The key that seals what is made for deployments.
    pub sealing: secret::SealingKey,
}

impl App {
    /// Whether people can be served: the database answers, and soon; and its disk has room.
    pub async fn check_ready(&self) -> Result<(), Trouble> {
        match tokio::time::timeout(SOON, self.store.ping()).await {
            Ok(answer) => answer.map_err(|cause| fault::away().because(cause))?,
            Err(late) => return Err(fault::away().because(late)),
        }
        if self.disk_is_full().await? { Err(fault::full()) } else { Ok(()) }
    }

    /// Whether the disk of the database is full, so that nothing can be written. Where that can't be told soon, for
    /// others are writing, it counts as not.
    async fn disk_is_full(&self) -> Result<bool, Trouble> {
        let has_room = tokio::time::timeout(SOON, self.store.has_room()).await;
        has_room.map_or(Ok(false), |has_room| has_room.map(|has_room| !has_room).map_err(database))
    }
}

/// A failed statement is our trouble, never the person's: the cause goes to the log.
fn database(cause: DbErr) -> Trouble {
    Trouble::bug(cause)
}
