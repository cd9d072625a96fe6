//! Container spaces on an engine: each is a network of its own, whose labels say whose it is and what it may use.
//!
//! The engine never changes the labels of a network, so a quota that was changed later stands on an empty volume beside
//! it; the one with the highest revision holds.

use std::collections::HashMap;

use async_trait::async_trait;
use bollard::models::{ContainerSummary, EndpointSettings, Network, NetworkCreateRequest, Volume, VolumeCreateRequest};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptions,
};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::spaces::{Space, SpaceOrder, SpaceQuota, Spaces};
use sha2::{Digest, Sha256};

use super::client::{Client, Session};
use super::{DockerSettings, DockerSettingsError, KEY};

const ORGANISATION: &str = "org.gatehouse.organisation";
const PROJECT: &str = "org.gatehouse.project";
const SPACE: &str = "org.gatehouse.space";
const QUOTA: &str = "org.gatehouse.quota";
/// On the volume of a changed quota: the network of its space, and how often the quota was changed before.
const NETWORK: &str = "org.gatehouse.network";
const REVISION: &str = "org.gatehouse.revision";
/// What a space's network lets its containers do: reach each other and the world, never those of other spaces.
const DRIVER: &str = "bridge";

/// An engine as the platform of spaces.
pub struct SpaceSettings {
    pub engine: DockerSettings,
    /// What people call the pool of container hosts.
    pub name: String,
    /// Where developers reach spaces, `tcp://spaces.example.org:2375/spaces`; organisation, project and name follow.
    pub endpoint: String,
}

/// The spaces of a Docker engine.
pub struct DockerSpaces {
    pub(super) client: Client,
    pub(super) settings: SpaceSettings,
}

impl DockerSpaces {
    /// Prepares the way to the engine; nothing is connected before the first call.
    pub fn new(settings: SpaceSettings) -> Result<Self, DockerSettingsError> {
        Ok(Self { client: Client::new(&settings.engine)?, settings })
    }

    /// The space that a network stands for; nothing when it is no space's.
    async fn space(&self, engine: &Session, network: &Network) -> Result<Option<Space>, ProviderError> {
        let said = |name: &str| label(network, name).map(str::to_owned);
        let (Some(organisation), Some(project), Some(name)) = (said(ORGANISATION), said(PROJECT), said(SPACE)) else {
            return Ok(None);
        };
        let id = network.id.clone().unwrap_or_default();
        let changed = changed_quotas(engine, &id).await?;
        let latest = changed.iter().max_by_key(|volume| revision(volume)).and_then(|volume| volume.labels.get(QUOTA));
        let quota = latest.map(String::as_str).or_else(|| label(network, QUOTA));
        let quota = quota.and_then(|quota| serde_json::from_str(quota).ok()).ok_or_else(|| no_quota(&name))?;
        Ok(Some(Space {
            id,
            key: said(KEY).unwrap_or_default(),
            endpoint: format!("{}/{organisation}/{project}/{name}", self.settings.endpoint),
            organisation,
            project,
            name,
            quota,
            host_pool: self.settings.name.clone(),
        }))
    }

    /// The network of the space `id`, which has to carry `key`; nothing when it is gone.
    async fn ours(&self, engine: &Session, id: &str, key: &str) -> Result<Option<Network>, ProviderError> {
        // The engine's filter takes the beginning of an id, too.
        let found = networks(engine, "id", id).await?.into_iter().find(|network| network.id.as_deref() == Some(id));
        match found {
            Some(network) if label(&network, KEY) != Some(key) => Err(ProviderError::not_ours(
                format!(
                    "The network {} does not carry the key {key}: it belongs to somebody else.",
                    network.name.as_deref().unwrap_or(id)
                ),
                "Nothing was changed. Find out whose it is before anything is done by hand.",
            )),
            found => Ok(found),
        }
    }

    async fn open(&self, engine: &Session, key: &str, order: &SpaceOrder) -> Result<(), ProviderError> {
        let request = NetworkCreateRequest {
            name: network_name(order),
            driver: Some(DRIVER.to_owned()),
            labels: Some(labels(key, order)?),
            ..NetworkCreateRequest::default()
        };
        let made = engine.ask(&format!("Opening space {}", order.name), engine.docker.create_network(request)).await;
        match made {
            Ok(made) => yield_to_elder(engine, &made.id, order).await,
            // Perhaps by ourselves, when an answer was lost; whoever looks for the key finds out.
            Err(error) if error.kind == ProviderErrorKind::Refused && error.what.contains("already exists") => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Spaces for DockerSpaces {
    async fn create(&self, key: &str, order: &SpaceOrder) -> Result<Space, ProviderError> {
        let engine = self.client.meet().await?;
        if let Some(space) = self.by_key(&engine, key).await? {
            return Ok(space);
        }
        if !named(&engine, &network_name(order)).await?.is_empty() {
            return Err(taken(order));
        }
        self.open(&engine, key, order).await?;
        self.by_key(&engine, key).await?.ok_or_else(|| taken(order))
    }

    async fn find(&self, key: &str) -> Result<Option<Space>, ProviderError> {
        let engine = self.client.meet().await?;
        self.by_key(&engine, key).await
    }

    async fn set_quota(&self, id: &str, key: &str, quota: SpaceQuota) -> Result<Space, ProviderError> {
        let engine = self.client.meet().await?;
        let network = self.ours(&engine, id, key).await?.ok_or_else(|| missing(id))?;
        let space = self.space(&engine, &network).await?.ok_or_else(|| missing(id))?;
        if space.quota != quota {
            let former = changed_quotas(&engine, id).await?;
            let next = former.iter().map(revision).max().unwrap_or(0) + 1;
            note_quota(&engine, &space, quota, next).await?;
            forget(&engine, &former).await?;
        }
        Ok(Space { quota, ..space })
    }

    async fn delete(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let engine = self.client.meet().await?;
        let Some(network) = self.ours(&engine, id, key).await? else { return Ok(()) };
        let name = label(&network, SPACE).unwrap_or_default();
        is_empty(&engine, &network).await?;
        forget(&engine, &changed_quotas(&engine, id).await?).await?;
        match engine.ask(&format!("Closing space {name}"), engine.docker.remove_network(id)).await {
            Err(error) if error.kind != ProviderErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl DockerSpaces {
    async fn by_key(&self, engine: &Session, key: &str) -> Result<Option<Space>, ProviderError> {
        let found = networks(engine, "label", &format!("{KEY}={key}")).await?;
        match found.iter().find(|network| label(network, KEY) == Some(key)) {
            Some(network) => self.space(engine, network).await,
            None => Ok(None),
        }
    }
}

async fn networks(engine: &Session, filter: &str, value: &str) -> Result<Vec<Network>, ProviderError> {
    let filters = HashMap::from([(filter.to_owned(), vec![value.to_owned()])]);
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    engine.ask("Listing networks", engine.docker.list_networks(Some(options))).await
}

/// The networks of this very name.
async fn named(engine: &Session, name: &str) -> Result<Vec<Network>, ProviderError> {
    // The engine's filter takes parts of a name, too.
    let mut found = networks(engine, "name", name).await?;
    found.retain(|network| network.name.as_deref() == Some(name));
    Ok(found)
}

/// The volumes on which later quotas of the space stand.
async fn changed_quotas(engine: &Session, network: &str) -> Result<Vec<Volume>, ProviderError> {
    let filters = HashMap::from([("label".to_owned(), vec![format!("{NETWORK}={network}")])]);
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    let listed = engine.ask("Listing quotas", engine.docker.list_volumes(Some(options))).await?;
    Ok(listed.volumes.unwrap_or_default())
}

async fn note_quota(engine: &Session, space: &Space, quota: SpaceQuota, revision: u64) -> Result<(), ProviderError> {
    let said = [(KEY, space.key.clone()), (NETWORK, space.id.clone()), (REVISION, revision.to_string())];
    let mut labels: HashMap<_, _> = said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let wanted = written(quota)?;
    labels.insert(QUOTA.to_owned(), wanted.clone());
    let request = VolumeCreateRequest {
        name: Some(format!("quota-{}-{revision}", space.id)),
        labels: Some(labels),
        ..VolumeCreateRequest::default()
    };
    let doing = format!("Noting the quota of space {}", space.name);
    let noted = engine.ask(&doing, engine.docker.create_volume(request)).await?;
    // The engine answers with the volume that bears the name, be it another's.
    if noted.labels.get(QUOTA) == Some(&wanted) {
        return Ok(());
    }
    Err(ProviderError::transient(
        format!("Somebody else changed the quota of space {} at the same time.", space.name),
        "It is set again.",
    ))
}

async fn forget(engine: &Session, quotas: &[Volume]) -> Result<(), ProviderError> {
    for volume in quotas {
        let removed = engine.docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>);
        match engine.ask("Forgetting a former quota", removed).await {
            Err(error) if error.kind != ProviderErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A space in which containers are, even stopped ones, is not closed: they are somebody's work.
async fn is_empty(engine: &Session, network: &Network) -> Result<(), ProviderError> {
    // The engine's filter by network misses containers that were never started.
    let options = ListContainersOptionsBuilder::new().all(true).build();
    let there = engine.ask("Listing containers", engine.docker.list_containers(Some(options))).await?;
    let inside = there.iter().filter(|container| is_in(container, network));
    let names: Vec<&str> =
        inside.filter_map(|container| container.names.as_ref()?.first()).map(String::as_str).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = names.into_iter().map(|name| name.trim_start_matches('/')).collect();
    let space = label(network, SPACE).unwrap_or_default();
    Err(ProviderError::refused(
        format!("Containers are still in space {space}: {}.", names.join(", ")),
        "Remove them, or ask those who run them; then retry.",
    ))
}

/// Whether the container is tied to the network, by whichever of the network's names.
fn is_in(container: &ContainerSummary, network: &Network) -> bool {
    let bears =
        |name: Option<&String>| name.is_some() && (name == network.id.as_ref() || name == network.name.as_ref());
    let joined = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let is_joined = |(name, at): (&String, &EndpointSettings)| bears(Some(name)) || bears(at.network_id.as_ref());
    joined.is_some_and(|networks| networks.iter().any(is_joined))
        || bears(container.host_config.as_ref().and_then(|config| config.network_mode.as_ref()))
}

/// Engines before 25 give a name away twice to two who ask at once; the elder network stays.
async fn yield_to_elder(engine: &Session, id: &str, order: &SpaceOrder) -> Result<(), ProviderError> {
    let twins = named(engine, &network_name(order)).await?;
    let elder = twins.into_iter().min_by_key(|network| (network.created, network.id.clone()));
    if elder.is_none_or(|elder| elder.id.as_deref() == Some(id)) {
        return Ok(());
    }
    engine.ask(&format!("Giving {} back", order.name), engine.docker.remove_network(id)).await
}

/// One name a space: its own, and a number that follows from its whole path.
fn network_name(order: &SpaceOrder) -> String {
    let path = [&order.organisation, &order.project, &order.name].map(String::as_str).join("\0");
    let sum = hex::encode(Sha256::digest(path.as_bytes()));
    let plain: String = order.name.chars().filter(|mark| mark.is_ascii_alphanumeric() || *mark == '-').collect();
    format!("space-{plain}-{}", &sum[..12])
}

fn labels(key: &str, order: &SpaceOrder) -> Result<HashMap<String, String>, ProviderError> {
    let pairs = [
        (KEY, key.to_owned()),
        (ORGANISATION, order.organisation.clone()),
        (PROJECT, order.project.clone()),
        (SPACE, order.name.clone()),
        (QUOTA, written(order.quota)?),
    ];
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn written(quota: SpaceQuota) -> Result<String, ProviderError> {
    serde_json::to_string(&quota).map_err(|why| {
        ProviderError::permanent(format!("The quota can't be written down: {why}."), "This is a fault of Gatehouse.")
    })
}

fn label<'n>(network: &'n Network, name: &str) -> Option<&'n str> {
    network.labels.as_ref()?.get(name).map(String::as_str)
}

fn revision(volume: &Volume) -> u64 {
    volume.labels.get(REVISION).and_then(|revision| revision.parse().ok()).unwrap_or(0)
}

fn taken(order: &SpaceOrder) -> ProviderError {
    ProviderError::refused(
        format!("Project {} has a space {} already.", order.project, order.name),
        "Choose another name, or use the space that is there.",
    )
}

fn no_quota(space: &str) -> ProviderError {
    ProviderError::permanent(
        format!("The quota of space {space} can't be read from the engine's labels."),
        "Somebody changed them by hand: set the quota anew from the portal.",
    )
}

fn missing(id: &str) -> ProviderError {
    ProviderError::not_found(
        format!("The Docker engine has no space {id}."),
        "It was removed outside the portal, or never made; look for its key.",
    )
}
