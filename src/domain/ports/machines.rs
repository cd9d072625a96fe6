//! Machines: the hypervisor that clones, describes and destroys them.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::machine_change::Changes;
use super::provider_error::ProviderError;
use crate::first_boot::FirstBoot;

/// What is wanted of a new machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineOrder {
    pub name: String,
    /// The name with its domain, and the address that it stands for.
    pub fqdn: String,
    pub address: Ipv4Addr,
    /// The image it is cloned from, e.g. `debian-12`.
    pub image: String,
    /// Virtual processors.
    pub cpu: u32,
    pub memory_gb: u32,
    pub disk_gb: u32,
    /// What it is told when it boots for the first time.
    pub first_boot: FirstBoot,
}

/// How far a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Being cloned or booting for the first time.
    Building,
    Running,
    /// It stands and does not run: made in part only, or switched off. Asked to create it again, the hypervisor goes on.
    Stopped,
}

/// A machine as its hypervisor describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub id: String,
    pub key: String,
    pub name: String,
    pub fqdn: String,
    pub address: String,
    pub image: String,
    pub cpu: u32,
    pub memory_gb: u32,
    pub disk_gb: u32,
    /// The cluster, the host in it and the datastore on which it stands.
    pub cluster: String,
    pub host: String,
    pub datastore: String,
    /// The folder in which it stands, by the hypervisor's own id; empty where there are none.
    #[serde(default)]
    pub folder: String,
    /// How many snapshots of it are kept.
    #[serde(default)]
    pub snapshots: u32,
    pub state: MachineState,
    /// When it was, or is expected to be, ready for use.
    pub ready_at: DateTime<Utc>,
}

/// A hypervisor with its machines.
#[async_trait]
pub trait Machines: Send + Sync {
    /// Starts to build a machine and answers at once; ask again with [`Machines::find`] until it runs.
    ///
    /// Repeated with the same key it answers with the machine that already carries it, and goes on where an earlier
    /// attempt stopped.
    /// Refused when the name is taken, the image is unknown or no host has room.
    async fn create(&self, key: &str, order: &MachineOrder) -> Result<Machine, ProviderError>;

    /// The machine that carries `key`.
    async fn find(&self, key: &str) -> Result<Option<Machine>, ProviderError>;

    /// The machine as it is now; `NotFound` when it is gone.
    async fn describe(&self, id: &str) -> Result<Machine, ProviderError>;

    /// Every machine of the hypervisor, ours or not, in one request or a few, however many there are. A hypervisor that
    /// can't tell all of them fails: whatever is not in the answer is not there.
    async fn list(&self) -> Result<Vec<Machine>, ProviderError>;

    /// Whether a machine of this name is being made of which nobody can say yet whose it is: an earlier process may have
    /// begun it under `key`, and died before it heard of it. Whoever takes an order back waits, and looks again.
    async fn is_coming(&self, _key: &str, _name: &str) -> Result<bool, ProviderError> {
        Ok(false)
    }

    /// Signs out, for nobody asks for anything any more. What can't be ended ends by itself.
    async fn leave(&self) {}

    /// Destroys the machine. Destroying what is gone is no error; what carries another key is `NotOurs`.
    async fn destroy(&self, id: &str, key: &str) -> Result<(), ProviderError>;

    /// What others did to machines with a key since `since`, the cursor of an earlier answer: waits for it, for some
    /// seconds at most. Without a cursor, and after more than is kept, the answer is not complete.
    ///
    /// A hypervisor that tells nothing by itself says so at once: all there is to do is to look at [`Machines::list`].
    async fn changes(&self, _since: Option<&str>) -> Result<Changes, ProviderError> {
        Ok(Changes::untold())
    }
}
