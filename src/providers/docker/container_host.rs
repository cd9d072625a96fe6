//! The container engines on our machines: each answers over TLS to our client certificate, and shows one that bears its
//! machine's name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::container_host::{ContainerHost, ContainerListing, EngineInfo};
use domain::ports::names::Names;
use domain::ports::provider_error::ProviderError;
use rustls::ClientConfig;

use super::client::{Client, Session, tls};
use super::containers::{Digests, changed, listing};
use super::{DockerSettingsError, Identity};

/// How the engines of machines are reached.
pub struct HostSettings {
    /// The port of their API, usually 2376.
    pub port: u16,
    pub identity: Identity,
    /// How long an answer may take.
    pub patience: Duration,
}

/// The engines of our machines.
pub struct DockerHosts {
    names: Arc<dyn Names>,
    pub(super) identity: Identity,
    config: Arc<ClientConfig>,
    port: u16,
    patience: Duration,
    digests: Digests,
}

impl DockerHosts {
    /// `names` says where a machine is; one that it does not know is looked for in DNS.
    pub fn new(settings: HostSettings, names: Arc<dyn Names>) -> Result<Self, DockerSettingsError> {
        let config = tls(&settings.identity)?;
        let HostSettings { port, identity, patience } = settings;
        Ok(Self { names, identity, config, port, patience, digests: Digests::default() })
    }

    /// Meets the engine on the machine `fqdn`; answers with its address, too.
    async fn meet(&self, fqdn: &str) -> Result<(Session, String), ProviderError> {
        let short = fqdn.split('.').next().unwrap_or(fqdn);
        let held = self.names.lookup(short).await?.filter(|held| held.fqdn == fqdn);
        let address = held.map_or_else(|| fqdn.to_owned(), |held| held.address);
        let authority = format!("{address}:{}", self.port);
        let endpoint = format!("tcp://{authority}");
        let client = Client::of_machine(fqdn, authority, Arc::clone(&self.config), self.patience)?;
        Ok((client.meet().await?, endpoint))
    }
}

#[async_trait]
impl ContainerHost for DockerHosts {
    async fn engine(&self, fqdn: &str) -> Result<EngineInfo, ProviderError> {
        let (engine, endpoint) = self.meet(fqdn).await?;
        let info = engine.ask("Asking the engine about itself", engine.docker.info()).await?;
        Ok(EngineInfo {
            id: info.id.unwrap_or_default(),
            host: fqdn.to_owned(),
            endpoint,
            version: engine.version.version.unwrap_or_default(),
            api_version: engine.version.api_version.unwrap_or_default(),
        })
    }

    async fn containers(&self, fqdn: &str) -> Result<ContainerListing, ProviderError> {
        let (engine, _) = self.meet(fqdn).await?;
        listing(&engine, fqdn, &self.digests).await
    }

    async fn changed(&self, fqdn: &str, since: DateTime<Utc>) -> Result<(), ProviderError> {
        let (engine, _) = self.meet(fqdn).await?;
        changed(&engine, since).await
    }
}
