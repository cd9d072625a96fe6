//! The sites with their outside systems, put together from the providers that are configured.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actions::Systems;
use app::cmdb::BuiltIn;
use app::workload::Hosts;
use domain::ports::clock::Clock;
use domain::ports::cmdb::Cmdb;
use domain::site::{SIMULATED, Site, Sites};
use engine::Action;
use providers::simulated::Datacenter;
use store::Store;

use crate::settings::{self, Settings};

/// A site's systems could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SystemsError {
    #[error("the folder of the simulated datacenter's file `{file}` can't be made")]
    Folder { file: PathBuf, source: io::Error },
    #[error("the simulated datacenter's file `{file}` can't be opened")]
    Datacenter { file: PathBuf, source: io::Error },
}

/// The sites, each with its systems.
pub struct Opened {
    pub sites: Sites,
    systems: BTreeMap<String, Systems>,
    /// The simulated datacenter; of several, the first.
    pub datacenter: Option<Datacenter>,
}

impl Opened {
    /// What can be done at each site.
    pub fn actions(&self) -> BTreeMap<String, Vec<Arc<dyn Action>>> {
        self.systems.iter().map(|(site, systems)| (site.clone(), actions::all(systems))).collect()
    }

    /// Where containers are looked at, by site.
    pub fn container_hosts(&self) -> Hosts {
        self.systems.iter().map(|(site, systems)| (site.clone(), Arc::clone(&systems.container_hosts))).collect()
    }
}

/// Opens the systems of every site that is configured; without one, the simulated datacenter.
pub fn open(settings: &Settings, store: &Store, clock: &Arc<dyn Clock>) -> Result<Opened, SystemsError> {
    let house = House { cmdb: Arc::new(BuiltIn { store: store.clone() }), clock };
    let mut opened = Opened { sites: sites(settings), systems: BTreeMap::new(), datacenter: None };
    if settings.sites.is_empty() {
        let datacenter = house.simulated(&settings.datacenter.file)?;
        opened.systems.insert(SIMULATED.to_owned(), house.systems(&datacenter));
        opened.datacenter = Some(datacenter);
    }
    for (name, site) in &settings.sites {
        let Some(simulated) = &site.simulated else { continue };
        let datacenter = house.simulated(&simulated.file)?;
        opened.systems.insert(name.clone(), house.systems(&datacenter));
        opened.datacenter.get_or_insert(datacenter);
    }
    Ok(opened)
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

/// What all sites share.
struct House<'h> {
    cmdb: Arc<dyn Cmdb>,
    clock: &'h Arc<dyn Clock>,
}

impl House<'_> {
    fn simulated(&self, file: &Path) -> Result<Datacenter, SystemsError> {
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let failed = |source| SystemsError::Folder { file: file.to_owned(), source };
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let failed = |source| SystemsError::Datacenter { file: file.to_owned(), source };
        Datacenter::open(file, Arc::clone(self.clock)).map_err(failed)
    }

    /// The simulated datacenter in every part.
    fn systems(&self, datacenter: &Datacenter) -> Systems {
        Systems::one(Arc::new(datacenter.clone()), vec![Arc::clone(&self.cmdb)])
    }
}
