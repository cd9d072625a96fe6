//! Where things stand: the objects that the settings name by path, and the datastore with the most room.

use std::collections::HashMap;

use domain::ports::provider_error::ProviderError;
use tokio::sync::Mutex;

use super::client::Client;
use super::inventory::{Datastore, Inventory};
use super::settings::VsphereSettings;
use super::vim::Moref;

/// A datastore that is fuller than this, in percent, takes no more machines: snapshots and swap files need room.
const FULLEST: u64 = 90;

/// A kind of thing that is named by its path in a datacenter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Template,
    Folder,
    Pool,
    Datastore,
    Network,
}

impl Place {
    pub fn word(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Folder => "folder",
            Self::Pool => "resource pool",
            Self::Datastore => "datastore",
            Self::Network => "network",
        }
    }

    /// Its path from vCenter's root. A name that begins with `/` is such a path already.
    pub fn path(self, datacenter: &str, name: &str) -> String {
        if let Some(path) = name.strip_prefix('/') {
            return path.to_owned();
        }
        let folder = match self {
            Self::Template | Self::Folder => "vm",
            Self::Pool => "host",
            Self::Datastore => "datastore",
            Self::Network => "network",
        };
        format!("{datacenter}/{folder}/{name}").trim_end_matches('/').to_owned()
    }
}

/// The objects that were found already.
#[derive(Default)]
pub(super) struct Places {
    found: Mutex<HashMap<String, Moref>>,
}

impl Places {
    /// The object at its place; vCenter is asked once, however many want to know.
    pub async fn find(
        &self,
        client: &Client,
        settings: &VsphereSettings,
        place: Place,
        name: &str,
    ) -> Result<Moref, ProviderError> {
        let path = place.path(&settings.datacenter, name);
        let mut known = self.found.lock().await;
        if let Some(found) = known.get(&path) {
            return Ok(found.clone());
        }
        let found = client.find_path(&path).await.map_err(|failure| failure.told(&format!("find {path}")))?;
        let found = found.ok_or_else(|| missing(place, &path))?;
        known.insert(path, found.clone());
        Ok(found)
    }

    /// Everything is looked for again: something that was found is no longer there.
    pub async fn forget(&self) {
        self.found.lock().await.clear();
    }
}

fn missing(place: Place, path: &str) -> ProviderError {
    ProviderError::permanent(
        format!("There is no {} {path} in vCenter, or we may not see it.", place.word()),
        "Correct the site's settings, or ask vCenter's administrator for it and for the right System.View on it.",
    )
}

/// The datastore with the most room of these, once `needed_gb` and what others were promised are taken off.
pub(super) fn roomiest(
    inventory: &Inventory,
    candidates: &[Moref],
    needed_gb: u32,
    promised_gb: impl Fn(&str) -> u64,
) -> Result<Moref, ProviderError> {
    let left = |id: &str, store: &Datastore| {
        let taken = (u64::from(needed_gb) + promised_gb(id)) << 30;
        let kept = store.capacity / 100 * (100 - FULLEST);
        store.free.checked_sub(taken)?.checked_sub(kept)
    };
    let known = || candidates.iter().filter_map(|moref| Some((moref, inventory.datastores.get(&moref.id)?)));
    let fit = known()
        .filter(|(_, store)| store.accessible)
        .filter_map(|(moref, store)| Some((left(&moref.id, store)?, moref)));
    if let Some((_, moref)) = fit.max_by_key(|(left, moref)| (*left, std::cmp::Reverse(moref.id.clone()))) {
        return Ok(moref.clone());
    }
    let told: Vec<String> = known()
        .map(|(_, store)| match store.accessible {
            true => format!("{} has {} of {} GB free", store.name, store.free >> 30, store.capacity >> 30),
            false => format!("{} can't be reached", store.name),
        })
        .collect();
    Err(ProviderError::refused(
        format!("No datastore has room for {needed_gb} GB with a tenth left over: {}.", told.join(", ")),
        "Choose a smaller disk, or ask the platform team for room on a datastore.",
    ))
}
