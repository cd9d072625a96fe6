//! The sites with their outside systems, put together from the providers that are configured.

mod cmdb;
mod docker;
mod edge;
mod probe;
mod puppet;
mod vsphere;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actions::Systems;
use app::cmdb::{BuiltIn, Carried};
use app::connector::Connector;
use app::node::NodeServer;
use app::secret::{Safe, SealingKey};
use app::sighting::Hypervisors;
use app::workload::Hosts;
use domain::ports::clock::Clock;
use domain::ports::cmdb::Cmdb;
use domain::ports::configuration::Configuration;
use domain::ports::container_host::ContainerHost;
use domain::ports::dns::Dns;
use domain::ports::ipam::Ipam;
use domain::ports::machines::Machines;
use domain::ports::names::Names;
use domain::ports::nodes::RemoteAgent;
use domain::ports::secrets::Secrets;
use domain::ports::survey::Survey;
use domain::site::{SIMULATED, Site, Sites};
use engine::Action;
use futures::future::join_all;
use providers::absent::Absent;
use providers::simulated::Datacenter;
use store::Store;

use crate::settings::{self, Secret, Settings};

/// How long signing out may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// A section of a site's settings names a system that can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("`[{section}]` can't be used")]
pub struct SystemsError {
    section: String,
    source: Box<dyn Error + Send + Sync>,
}

/// The sites, each with its systems.
pub struct Opened {
    pub sites: Sites,
    systems: BTreeMap<String, Systems>,
    /// The systems that can be looked at before anything is ordered, by site.
    pub surveys: Vec<Surveyed>,
    /// The company's CMDBs.
    pub connectors: Vec<Connector>,
    /// The configuration servers that may come in.
    pub node_servers: Vec<NodeServer>,
    /// The simulated datacenter; of several, the first.
    pub datacenter: Option<Datacenter>,
}

/// A system that can be looked at before anything is ordered of it.
pub struct Surveyed {
    /// The site's name, or the connector's.
    pub site: String,
    /// The section of the settings that names it.
    pub system: &'static str,
    pub survey: Arc<dyn Survey>,
}

impl Opened {
    /// What can be done at each site.
    pub fn actions(&self) -> BTreeMap<String, Vec<Arc<dyn Action>>> {
        self.systems.iter().map(|(site, systems)| (site.clone(), actions::all(systems))).collect()
    }

    /// Where machines are looked at, by site.
    pub fn hypervisors(&self) -> Hypervisors {
        self.systems.iter().map(|(site, systems)| (site.clone(), Arc::clone(&systems.machines))).collect()
    }

    /// Where containers are looked at, by site.
    pub fn container_hosts(&self) -> Hosts {
        self.systems.iter().map(|(site, systems)| (site.clone(), Arc::clone(&systems.container_hosts))).collect()
    }
}

/// Signs out, for the process stops. A session that can't be ended in time ends by itself.
pub async fn sign_out(hypervisors: &Hypervisors) {
    let leaving = join_all(hypervisors.values().map(|hypervisor| hypervisor.leave()));
    if tokio::time::timeout(GOODBYE, leaving).await.is_err() {
        tracing::warn!("a hypervisor did not let us sign out; it ends our session by itself");
    }
}

/// Opens the systems of every site that is configured; without one, the simulated datacenter. Nothing is connected
/// before it is needed.
pub fn open(
    settings: &Settings,
    store: &Store,
    clock: &Arc<dyn Clock>,
    sealing: &SealingKey,
) -> Result<Opened, SystemsError> {
    let safe = Safe { store: store.clone(), clock: clock.clone(), sealing: sealing.clone() };
    let (connectors, surveys) = cmdb::open(&settings.cmdb, clock)?;
    let house = House { store, clock, cmdbs: cmdbs(store, &connectors), safe: Arc::new(safe) };
    let mut opened = Opened {
        sites: sites(settings),
        systems: BTreeMap::new(),
        surveys,
        connectors,
        node_servers: Vec::new(),
        datacenter: None,
    };
    if settings.sites.is_empty() {
        opened.simulated(&house, SIMULATED, &settings.datacenter.file)?;
    }
    for (name, site) in &settings.sites {
        match &site.simulated {
            Some(simulated) => opened.simulated(&house, name, &simulated.file)?,
            None => opened.real(&house, name, site)?,
        }
    }
    Ok(opened)
}

/// What all sites share.
struct House<'h> {
    store: &'h Store,
    clock: &'h Arc<dyn Clock>,
    cmdbs: Vec<Arc<dyn Cmdb>>,
    safe: Arc<dyn Secrets>,
}

/// The CMDBs that steps confirm in: our own, and those that it is carried to.
fn cmdbs(store: &Store, connectors: &[Connector]) -> Vec<Arc<dyn Cmdb>> {
    let mut all: Vec<Arc<dyn Cmdb>> = vec![Arc::new(BuiltIn { store: store.clone() })];
    for connector in connectors {
        all.push(Arc::new(Carried { store: store.clone(), connector: connector.name.clone() }));
    }
    all
}

/// The sites as orders know them.
pub fn sites(settings: &Settings) -> Sites {
    let site = |(name, site): (&String, &settings::Site)| Site {
        name: name.clone(),
        title: if site.title.is_empty() { name.clone() } else { site.title.clone() },
        projects: site.projects.clone(),
    };
    Sites::new(settings.sites.iter().map(site).collect())
}

impl Opened {
    /// The simulated datacenter in every part.
    fn simulated(&mut self, house: &House<'_>, site: &str, file: &Path) -> Result<(), SystemsError> {
        let open = || {
            if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                fs::create_dir_all(folder)?;
            }
            Datacenter::open(file, Arc::clone(house.clock))
        };
        let section = if site == SIMULATED { "datacenter".to_owned() } else { format!("sites.{site}.simulated") };
        let datacenter = open().map_err(|cause| SystemsError {
            section,
            source: format!("the datacenter's file `{}` can't be opened: {cause}", file.display()).into(),
        })?;
        let systems = Systems::one(Arc::new(datacenter.clone()), house.cmdbs.clone(), Arc::clone(&house.safe));
        self.systems.insert(site.to_owned(), systems);
        self.datacenter.get_or_insert(datacenter);
        Ok(())
    }

    /// The systems that the site's sections name; of the others, what says that they are missing.
    fn real(&mut self, house: &House<'_>, name: &str, site: &settings::Site) -> Result<(), SystemsError> {
        let mut here = Here { name, surveys: &mut self.surveys };
        let names = here.names(house, site)?;
        let (machines, agents) = here.machines(house, site)?;
        let systems = Systems {
            machines,
            configuration: here.configuration(house, site, &names, agents)?,
            balancer: match here.some("haproxy", &site.haproxy, |it| edge::haproxy(it, house.clock))? {
                Some(balancer) => balancer,
                None => here.absent("load balancer", "haproxy"),
            },
            container_hosts: here.container_hosts(site, &names)?,
            spaces: match here.some("spaces", &site.spaces, docker::spaces)? {
                Some(spaces) => spaces,
                None => here.absent("container spaces", "spaces"),
            },
            probe: match &site.probe {
                Some(probe) => Arc::new(here.opened("probe", probe::http(probe))?),
                None => here.absent("probe", "probe"),
            },
            names,
            cmdbs: house.cmdbs.clone(),
            secrets: Arc::clone(&house.safe),
        };
        if let Some(puppet) = &site.puppet {
            let door = here.opened("puppet", puppet::door(name, puppet, &self.node_servers))?;
            self.node_servers.push(door);
        }
        self.systems.insert(name.to_owned(), systems);
        Ok(())
    }
}

/// A site whose systems are being opened.
struct Here<'h> {
    name: &'h str,
    surveys: &'h mut Vec<Surveyed>,
}

/// What starts the agents on a site's machines, where anything can.
type Agents = Option<Arc<dyn RemoteAgent>>;

/// What opening a section comes to.
type Section<T> = Result<T, Box<dyn Error + Send + Sync>>;

impl Here<'_> {
    /// The site's machines, and how the agents on them are started where the hypervisor can do that.
    fn machines(
        &mut self,
        house: &House<'_>,
        site: &settings::Site,
    ) -> Result<(Arc<dyn Machines>, Agents), SystemsError> {
        if let Some(machines) = self.some("vsphere", &site.vsphere, |it| vsphere::machines(it, house.clock))? {
            return Ok((machines, None));
        }
        if let Some(machines) = self.some("docker", &site.docker, docker::machines)? {
            return Ok((machines.clone(), Some(machines)));
        }
        Ok((self.absent("hypervisor", "vsphere"), None))
    }

    /// The site's names, told to the DNS where there is one.
    fn names(&mut self, house: &House<'_>, site: &settings::Site) -> Result<Arc<dyn Names>, SystemsError> {
        let dns = self.some("dns", &site.dns, |it| edge::dns(it, house.clock))?;
        let ipam = self.some("nautobot", &site.nautobot, edge::nautobot)?;
        let Some(addresses) = &site.addresses else {
            return Ok(self.absent("register of names and addresses", "addresses"));
        };
        let (ipam, dns) = (ipam.map(|ipam| ipam as Arc<dyn Ipam>), dns.map(|dns| dns as Arc<dyn Dns>));
        Ok(Arc::new(self.opened("addresses", edge::names(self.name, addresses, house.store, ipam, dns))?))
    }

    fn configuration(
        &mut self,
        house: &House<'_>,
        site: &settings::Site,
        names: &Arc<dyn Names>,
        agents: Agents,
    ) -> Result<Arc<dyn Configuration>, SystemsError> {
        let name = self.name;
        let agents = self.agents_by_ssh(site, names)?.or(agents);
        let open = |it: &settings::Puppet| puppet::configuration(name, it, house.store, house.clock, agents);
        Ok(match self.some("puppet", &site.puppet, open)? {
            Some(puppet) => puppet,
            None => self.absent("configuration management", "puppet"),
        })
    }

    /// What starts the agents on the site's machines by SSH, where the settings say so.
    fn agents_by_ssh(&mut self, site: &settings::Site, names: &Arc<dyn Names>) -> Result<Agents, SystemsError> {
        let (name, Some(puppet)) = (self.name, &site.puppet) else { return Ok(None) };
        let open = |it: &settings::Ssh| puppet::ssh(name, puppet, it, Arc::clone(names));
        let agents = self.some("puppet.ssh", &puppet.ssh, open)?;
        Ok(agents.map(|agents| agents as Arc<dyn RemoteAgent>))
    }

    fn container_hosts(
        &mut self,
        site: &settings::Site,
        names: &Arc<dyn Names>,
    ) -> Result<Arc<dyn ContainerHost>, SystemsError> {
        let open = |it: &settings::ContainerHosts| docker::hosts(it, Arc::clone(names));
        Ok(match self.some("container_hosts", &site.container_hosts, open)? {
            Some(hosts) => hosts,
            None => self.absent("container engines in machines", "container_hosts"),
        })
    }

    fn absent(&self, what: &'static str, section: &'static str) -> Arc<Absent> {
        Arc::new(Absent { what, section, site: self.name.to_owned() })
    }

    fn opened<T>(&self, section: &str, opened: Section<T>) -> Result<T, SystemsError> {
        opened.map_err(|source| SystemsError { section: format!("sites.{}.{section}", self.name), source })
    }

    /// The system of a section, if the section is there; it is surveyed from then on.
    fn some<S, T: Survey + 'static>(
        &mut self,
        section: &'static str,
        settings: &Option<S>,
        open: impl FnOnce(&S) -> Section<T>,
    ) -> Result<Option<Arc<T>>, SystemsError> {
        let Some(settings) = settings else { return Ok(None) };
        let system = Arc::new(self.opened(section, open(settings))?);
        self.surveys.push(Surveyed { site: self.name.to_owned(), system: section, survey: system.clone() });
        Ok(Some(system))
    }
}

/// A secret, from wherever it is kept; `what` is what it is called when it is kept nowhere.
fn secret(what: &str, written: Option<&Secret>, file: Option<&PathBuf>) -> Section<String> {
    let kept = Secret::kept(written, file).map_err(|cause| format!("{what} can't be read: {cause}"))?;
    Ok(kept.ok_or_else(|| format!("{what} is missing"))?.expose().to_owned())
}

/// What stands in a file that a setting names.
fn read(file: &PathBuf) -> Section<Vec<u8>> {
    fs::read(file).map_err(|cause| format!("`{}` can't be read: {cause}", file.display()).into())
}
