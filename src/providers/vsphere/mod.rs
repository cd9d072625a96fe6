//! VMware vCenter 7 and 8, by the Web Services API (vim25 over SOAP): the interface that every version speaks, and the
//! simulator as well.
//!
//! `soap`, `document`, `method`, `spec`, `vim`, `transport`, `client` and `failure` speak vCenter's words; `building`,
//! `removing`, `machines` and `survey` put our ports into them.
//!
//! **How machines are found.** Our key stands in a machine's options (`guestinfo.gatehouse.key`) and for people in its
//! notes; the machine's instance UUID is derived from the key. `follower` keeps the inventory current by one property
//! collector, so what stands is found by its key without asking. That something does *not* stand is never believed of the
//! inventory alone, which may be a moment behind: vCenter's search index is asked for the instance UUID, one cheap call.
//! And since a name is taken once in a folder, even a clone that nobody remembers keeps a second one from being made.
//!
//! **How far a machine is** says the machine itself: it stands (cloned), carries `gatehouse.shaped` (its processors,
//! memory and first boot are as ordered, written in one call), runs, has an address. `create` goes on from there, after
//! whatever interrupted it. A clone that outlasts a call goes on in vCenter; the machine is `Building` meanwhile.
//!
//! **Requests of an order**: two that look for the key and the name, clone, two that read the clone, reconfigure, power
//! on, read, and its share of the follower's waiting. Tasks are not asked for: their ends are told by the same collector.

mod building;
mod client;
mod document;
mod failure;
mod followed;
mod follower;
mod inventory;
mod machines;
mod method;
mod places;
mod removing;
mod settings;
mod soap;
mod spec;
mod survey;
mod task;
mod transport;
mod trust;
mod underway;
mod vim;
mod working;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use domain::ports::clock::Clock;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use client::Client;
use followed::Followed;
use places::Places;
pub use settings::{Cloning, FirstBootBy, Subnet, VsphereImage, VsphereSettings};
use task::Limits;
use transport::{Https, Transport};
use underway::Underway;

/// Why a vCenter can't be used as it is configured.
#[derive(Debug, thiserror::Error)]
#[error("the vCenter `{url}` can't be used: {why}")]
pub struct VsphereSettingsError {
    url: String,
    why: String,
}

/// Who follows a vCenter, until `stop` is dropped; then he signs out.
struct Follower {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// A vCenter. Dropping it ends its session.
pub struct Vsphere {
    settings: VsphereSettings,
    clock: Arc<dyn Clock>,
    client: Arc<Client>,
    followed: Arc<Followed>,
    places: Places,
    underway: Underway,
    limits: Limits,
    /// One at a time looks for a template's snapshot, and makes it.
    snapshots: tokio::sync::Mutex<()>,
    follower: Mutex<Option<Follower>>,
}

impl Vsphere {
    /// Prepares to speak to a vCenter; nothing is asked of it yet.
    pub fn new(settings: VsphereSettings, clock: Arc<dyn Clock>) -> Result<Self, VsphereSettingsError> {
        let transport = Https::new(&settings).map_err(|why| VsphereSettingsError { url: settings.url.clone(), why })?;
        Ok(Self::over(Box::new(transport), settings, clock))
    }

    fn over(transport: Box<dyn Transport>, settings: VsphereSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            client: Arc::new(Client::new(transport, &settings.username, &settings.password)),
            settings,
            clock,
            followed: Arc::new(Followed::new()),
            places: Places::default(),
            underway: Underway::default(),
            limits: Limits::default(),
            snapshots: tokio::sync::Mutex::default(),
            follower: Mutex::default(),
        }
    }

    fn is_followed(&self) -> bool {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What is known of vCenter. Who asks for it first has vCenter followed from then on.
    fn followed(&self) -> &Followed {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| {
            let (stop, stopped) = oneshot::channel();
            let follow = follower::follow(Arc::clone(&self.client), Arc::clone(&self.followed), stopped);
            Follower { stop, task: tokio::spawn(follow) }
        });
        &self.followed
    }

    /// Follows no more, and ends the session.
    async fn sign_out(&self) {
        let follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Follower { stop, task }) = follower {
            drop(stop);
            if let Err(cause) = task.await {
                tracing::error!(%cause, "who followed vCenter failed");
            }
        }
        self.client.logout().await;
    }
}

/// The instance UUID of the machine with this key.
fn instance_uuid(key: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(key)[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
