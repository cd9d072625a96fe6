//! Container hosts: what the container engine on a machine says about itself and about what it runs.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::provider_error::ProviderError;

/// What an engine says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// The engine's own id, which survives restarts.
    pub id: String,
    /// The machine's FQDN.
    pub host: String,
    /// Where it is reached, e.g. `tcp://10.20.0.7:2376`.
    pub endpoint: String,
    pub version: String,
    pub api_version: String,
}

/// One container, as the engine lists it. Its id is good for the journal only: the next restart gives another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    pub id: String,
    pub name: String,
    /// The image by name, e.g. `registry.example.org/shop/web:4.2`.
    pub image: String,
    /// What the name stood for when it was pulled: `sha256:…`.
    pub image_digest: String,
    /// The Compose project and service, where it was started by Compose.
    pub compose_project: Option<String>,
    pub compose_service: Option<String>,
    /// Published ports, e.g. `8080->80/tcp`.
    pub ports: Vec<String>,
    pub started_at: DateTime<Utc>,
}

/// The containers of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerListing {
    pub containers: Vec<Container>,
    /// False when the engine could not name them all: what is missing may still run, so nothing may be closed from it.
    pub complete: bool,
    /// By the engine's own clock: when it was asked. What changed since then is told by [`ContainerHost::changed`].
    pub asked_at: DateTime<Utc>,
}

/// The container engines of our machines.
#[async_trait]
pub trait ContainerHost: Send + Sync {
    /// The engine on the machine `fqdn`; `NotFound` when no engine runs there.
    async fn engine(&self, fqdn: &str) -> Result<EngineInfo, ProviderError>;

    /// The running containers of the engine on the machine `fqdn`.
    async fn containers(&self, fqdn: &str) -> Result<ContainerListing, ProviderError>;

    /// Returns when a container started, ended or changed its name after `since`, by the engine's clock; at once when one
    /// has already. Fails when the connection does: what happened then is told by the next listing.
    async fn changed(&self, fqdn: &str, since: DateTime<Utc>) -> Result<(), ProviderError>;
}
