//! Machines as system containers: each stands on the site's network with its reserved address and boots with cloud-init.
//!
//! A container bears its machine's name, which the engine gives away once; its labels say whose it is and what was
//! ordered. It is made in three calls (create, hand over the first boot data, start); one that was left behind between
//! them counts as stopped, and is driven on when it is created again.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::{
    ContainerCreateBody, ContainerSummary, ContainerSummaryStateEnum as State, EndpointIpamConfig, EndpointSettings,
    HostConfig, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum, SystemInfo,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    UploadToContainerOptionsBuilder,
};
use chrono::DateTime;
use domain::ports::machine_change::Changes;
use domain::ports::machines::{Machine, MachineOrder, MachineState, Machines};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use tokio::time::{sleep, timeout};

use super::client::{Client, Session};
use super::containers::{happened, time};
use super::watched::{Seen, Watched};
use super::{DockerSettings, DockerSettingsError, KEY, seed};

pub(super) const FQDN: &str = "org.gatehouse.fqdn";
const ADDRESS: &str = "org.gatehouse.address";
const IMAGE: &str = "org.gatehouse.image";
const CPU: &str = "org.gatehouse.cpu";
const MEMORY: &str = "org.gatehouse.memory-gb";
const DISK: &str = "org.gatehouse.disk-gb";

/// What becomes of machines.
const EVENTS: [&str; 5] = ["create", "start", "die", "rename", "destroy"];
/// How long somebody who asks for changes is kept waiting for one.
const NEWS: Duration = Duration::from_secs(20);
/// One deed of a person is several events: they are looked at together.
const SETTLE: Duration = Duration::from_millis(500);

const GB: i64 = 1 << 30;
const NANO: i64 = 1_000_000_000;

/// An engine as a hypervisor.
pub struct MachineSettings {
    pub engine: DockerSettings,
    /// What people call the engine, or the cluster it stands for.
    pub name: String,
    /// The engine's network on which machines stand.
    pub network: String,
    /// For each image that blueprints name, the container image: `debian-12` is `gatehouse/machine:latest`.
    pub images: BTreeMap<String, String>,
    /// Whether machines may run a container engine of their own. The engine then gives them nearly all of its rights
    /// (`--privileged`), so it has to carry nothing else; and their image has to keep `/var/lib/docker` on a volume.
    pub inner_engines: bool,
}

/// The machines of a Docker engine.
pub struct DockerMachines {
    pub(super) client: Client,
    pub(super) settings: MachineSettings,
    watched: Watched,
}

impl DockerMachines {
    /// Prepares the way to the engine; nothing is connected before the first call.
    pub fn new(settings: MachineSettings) -> Result<Self, DockerSettingsError> {
        Ok(Self { client: Client::new(&settings.engine)?, settings, watched: Watched::new() })
    }

    /// The containers to which the engine's filter applies, whether they run or not.
    pub(super) async fn select(
        &self,
        engine: &Session,
        filter: &str,
        value: &str,
    ) -> Result<Vec<ContainerSummary>, ProviderError> {
        let filters = HashMap::from([(filter.to_owned(), vec![value.to_owned()])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        engine.ask("Listing machines", engine.docker.list_containers(Some(options))).await
    }

    async fn by_key(&self, engine: &Session, key: &str) -> Result<Option<ContainerSummary>, ProviderError> {
        let found = self.select(engine, "label", &format!("{KEY}={key}")).await?;
        Ok(found.into_iter().find(|container| label(container, KEY) == Some(key)))
    }

    async fn by_id(&self, engine: &Session, id: &str) -> Result<Option<ContainerSummary>, ProviderError> {
        // The engine's filter takes the beginning of an id, too.
        let found = self.select(engine, "id", id).await?;
        Ok(found.into_iter().find(|container| container.id.as_deref() == Some(id)))
    }

    async fn info(&self, engine: &Session) -> Result<SystemInfo, ProviderError> {
        engine.ask("Asking the engine about itself", engine.docker.info()).await
    }

    /// Makes the container and leaves it standing still.
    async fn make(&self, engine: &Session, key: &str, order: &MachineOrder) -> Result<String, ProviderError> {
        let info = self.info(engine).await?;
        has_room(&info, &self.client.at, order)?;
        let body = self.body(&info, key, order)?;
        let options = CreateContainerOptionsBuilder::new().name(&order.name).build();
        let doing = format!("Creating {}", order.name);
        match engine.ask(&doing, engine.docker.create_container(Some(options), body)).await {
            Ok(made) => Ok(made.id),
            // The name is taken, perhaps by ourselves: an answer that was lost, a twin of this call.
            Err(error) if error.kind == ProviderErrorKind::Refused => {
                let ours = self.by_key(engine, key).await?.and_then(|container| container.id);
                ours.ok_or_else(|| taken(&order.name, error))
            }
            Err(error) => Err(error),
        }
    }

    /// Hands the first boot data over and starts the machine; each is good to be repeated.
    async fn boot(&self, engine: &Session, id: &str, order: &MachineOrder) -> Result<(), ProviderError> {
        let archive = seed::nocloud(&order.first_boot.user_data(), &order.first_boot.meta_data(id));
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let handed = engine.docker.upload_to_container(id, Some(options), bollard::body_full(archive.into()));
        engine.ask(&format!("Handing first boot data to {}", order.name), handed).await?;
        start(engine, id, &order.name).await
    }

    fn body(&self, info: &SystemInfo, key: &str, order: &MachineOrder) -> Result<ContainerCreateBody, ProviderError> {
        let image = self.settings.images.get(&order.image).ok_or_else(|| {
            let known: Vec<&str> = self.settings.images.keys().map(String::as_str).collect();
            ProviderError::permanent(
                format!("There is no image {} on {}.", order.image, self.settings.name),
                format!("Choose one of {}.", known.join(", ")),
            )
        })?;
        let endpoint = EndpointSettings {
            ipam_config: Some(EndpointIpamConfig {
                ipv4_address: Some(order.address.to_string()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        let domain = order.fqdn.split_once('.').map(|(_, domain)| domain.to_owned());
        Ok(ContainerCreateBody {
            image: Some(image.clone()),
            hostname: Some(order.name.clone()),
            domainname: domain,
            labels: Some(labels(key, order)),
            host_config: Some(self.host_config(info, order)),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(self.settings.network.clone(), endpoint)])),
            }),
            ..ContainerCreateBody::default()
        })
    }

    fn host_config(&self, info: &SystemInfo, order: &MachineOrder) -> HostConfig {
        // Processors are shared in time: who ordered more than there are may use all of them.
        let cpu = i64::from(order.cpu).min(info.ncpu.unwrap_or(i64::MAX));
        HostConfig {
            network_mode: Some(self.settings.network.clone()),
            nano_cpus: Some(cpu * NANO),
            memory: Some(i64::from(order.memory_gb) * GB),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                ..RestartPolicy::default()
            }),
            privileged: Some(self.settings.inner_engines),
            ..HostConfig::default()
        }
    }

    /// Looks at all machines with a key: what became of them since the last look.
    async fn look(&self, engine: &Session) -> Result<Changes, ProviderError> {
        let number = self.watched.begin();
        let at = time(engine).await?;
        let containers = self.select(engine, "label", KEY).await?;
        let seen = |container: ContainerSummary| {
            let seen =
                Seen { key: label(&container, KEY)?.to_owned(), name: name(&container), state: state(&container) };
            Some((container.id?, seen))
        };
        Ok(self.watched.end(number, at, containers.into_iter().filter_map(seen).collect()))
    }

    /// The container in our words.
    fn machine(&self, container: &ContainerSummary, info: &SystemInfo) -> Machine {
        let name = name(container);
        let said = |of: &str| label(container, of).map(str::to_owned);
        let number = |of: &str| label(container, of).and_then(|number| number.parse().ok()).unwrap_or(0);
        let created = container.created.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        Machine {
            id: container.id.clone().unwrap_or_default(),
            key: said(KEY).unwrap_or_default(),
            fqdn: said(FQDN).unwrap_or_else(|| name.clone()),
            address: self.address(container).or_else(|| said(ADDRESS)).unwrap_or_default(),
            image: said(IMAGE).or_else(|| container.image.clone()).unwrap_or_default(),
            cpu: number(CPU),
            memory_gb: number(MEMORY),
            disk_gb: number(DISK),
            cluster: self.settings.name.clone(),
            host: info.name.clone().unwrap_or_default(),
            datastore: info.docker_root_dir.clone().unwrap_or_default(),
            folder: String::new(),
            snapshots: 0,
            state: state(container),
            ready_at: created.unwrap_or_default(),
            name,
        }
    }

    /// Whether the container stands on the site's network; ours are machines wherever somebody connected them.
    fn is_machine(&self, container: &ContainerSummary) -> bool {
        let networks = container.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let stands = networks.is_some_and(|networks| networks.contains_key(&self.settings.network));
        stands || label(container, FQDN).is_some()
    }

    /// The address that the container has on the site's network; none while it stands still.
    fn address(&self, container: &ContainerSummary) -> Option<String> {
        let networks = container.network_settings.as_ref()?.networks.as_ref()?;
        networks.get(&self.settings.network)?.ip_address.clone().filter(|address| !address.is_empty())
    }
}

#[async_trait]
impl Machines for DockerMachines {
    async fn create(&self, key: &str, order: &MachineOrder) -> Result<Machine, ProviderError> {
        let _ours = self.watched.working_on(key);
        let engine = self.client.meet().await?;
        let id = match self.by_key(&engine, key).await? {
            Some(found) => {
                let id = found.id.clone().unwrap_or_default();
                match found.state {
                    Some(State::CREATED) => self.boot(&engine, &id, order).await?,
                    _ if state(&found) == MachineState::Stopped => start(&engine, &id, &order.name).await?,
                    _ => {}
                }
                id
            }
            None => {
                let id = self.make(&engine, key, order).await?;
                self.boot(&engine, &id, order).await?;
                id
            }
        };
        let container = self.by_id(&engine, &id).await?.ok_or_else(|| missing(&order.name))?;
        Ok(self.machine(&container, &self.info(&engine).await?))
    }

    async fn find(&self, key: &str) -> Result<Option<Machine>, ProviderError> {
        let engine = self.client.meet().await?;
        let Some(container) = self.by_key(&engine, key).await? else { return Ok(None) };
        Ok(Some(self.machine(&container, &self.info(&engine).await?)))
    }

    async fn describe(&self, id: &str) -> Result<Machine, ProviderError> {
        let engine = self.client.meet().await?;
        let container = self.by_id(&engine, id).await?.ok_or_else(|| missing(id))?;
        Ok(self.machine(&container, &self.info(&engine).await?))
    }

    async fn list(&self) -> Result<Vec<Machine>, ProviderError> {
        let engine = self.client.meet().await?;
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let containers = engine.ask("Listing machines", engine.docker.list_containers(Some(options))).await?;
        let info = self.info(&engine).await?;
        let machines = containers.iter().filter(|container| self.is_machine(container));
        Ok(machines.map(|container| self.machine(container, &info)).collect())
    }

    async fn destroy(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let _ours = self.watched.working_on(key);
        let engine = self.client.meet().await?;
        let Some(container) = self.by_id(&engine, id).await? else { return Ok(()) };
        let name = name(&container);
        if label(&container, KEY) != Some(key) {
            return Err(ProviderError::not_ours(
                format!("The machine {name} does not carry the key {key}: it belongs to somebody else."),
                "Nothing was changed. Find out whose it is before anything is done by hand.",
            ));
        }
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = engine.docker.remove_container(id, Some(options));
        match engine.ask(&format!("Removing {name}"), removed).await {
            Err(error) if error.kind != ProviderErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn changes(&self, since: Option<&str>) -> Result<Changes, ProviderError> {
        let engine = self.client.meet().await?;
        let Some(at) = self.watched.at(since) else {
            let Changes { cursor, .. } = self.look(&engine).await?;
            return Ok(Changes { cursor, complete: false, changes: Vec::new() });
        };
        match timeout(NEWS, happened(&engine, at, [("event", &EVENTS), ("label", &[KEY])])).await {
            Ok(news) => news?,
            Err(_) => return Ok(Changes { cursor: since.map(str::to_owned), complete: true, changes: Vec::new() }),
        }
        sleep(SETTLE).await;
        self.look(&engine).await
    }
}

async fn start(engine: &Session, id: &str, name: &str) -> Result<(), ProviderError> {
    let started = engine.docker.start_container(id, None::<StartContainerOptions>);
    engine.ask(&format!("Starting {name}"), started).await
}

fn state(container: &ContainerSummary) -> MachineState {
    match container.state {
        Some(State::RUNNING) => MachineState::Running,
        Some(State::RESTARTING) => MachineState::Building,
        _ => MachineState::Stopped,
    }
}

fn labels(key: &str, order: &MachineOrder) -> HashMap<String, String> {
    let pairs = [
        (KEY, key.to_owned()),
        (FQDN, order.fqdn.clone()),
        (ADDRESS, order.address.to_string()),
        (IMAGE, order.image.clone()),
        (CPU, order.cpu.to_string()),
        (MEMORY, order.memory_gb.to_string()),
        (DISK, order.disk_gb.to_string()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn label<'c>(container: &'c ContainerSummary, name: &str) -> Option<&'c str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

/// The container's own name; those with another slash are what linked containers call it.
fn name(container: &ContainerSummary) -> String {
    let names = container.names.as_deref().unwrap_or_default();
    let own = names.iter().filter_map(|name| name.strip_prefix('/')).find(|name| !name.contains('/'));
    own.unwrap_or_default().to_owned()
}

/// Memory can't be shared in time: a machine that needs more than the engine has at all does not stand on it.
fn has_room(info: &SystemInfo, at: &str, order: &MachineOrder) -> Result<(), ProviderError> {
    let Some(there) = info.mem_total.filter(|there| *there < i64::from(order.memory_gb) * GB) else { return Ok(()) };
    Err(ProviderError::refused(
        format!(
            "The Docker engine at {at} has no room for {}: {} GB of memory are needed, it has {}.",
            order.name,
            order.memory_gb,
            there / GB
        ),
        "Choose a smaller size, or ask the platform team for a larger engine.",
    ))
}

/// A refusal to create that was not about our own container.
fn taken(name: &str, error: ProviderError) -> ProviderError {
    if !error.what.contains("is already in use by container") {
        return error;
    }
    ProviderError::refused(
        format!("A machine {name} stands already and is not ours."),
        "Choose another name, or find out whose it is.",
    )
}

fn missing(what: &str) -> ProviderError {
    ProviderError::not_found(
        format!("The Docker engine has no machine {what}."),
        "It was removed outside the portal, or never made; look for its key.",
    )
}
