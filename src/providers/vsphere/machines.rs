//! The port: machines of a vCenter.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::machine_change::Changes;
use domain::ports::machines::{Machine, MachineOrder, MachineState, Machines};
use domain::ports::provider_error::ProviderError;
use tokio::time::timeout;

use super::inventory::{DISK_GB, FQDN, IMAGE, Inventory, Seen, TaskEnd};
use super::underway::Copying;
use super::working::Working;
use super::{Vsphere, instance_uuid};

/// When it is worth looking again at a machine that is being built.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(2);
/// How long the first inventory may take.
const INVENTORY: Duration = Duration::from_secs(60);
/// How long somebody who asks for changes is kept waiting for one.
const NEWS: Duration = Duration::from_secs(20);

#[async_trait]
impl Machines for Vsphere {
    async fn create(&self, key: &str, order: &MachineOrder) -> Result<Machine, ProviderError> {
        check(order)?;
        let _ours = self.working_on(key);
        let standing = match self.underway.of(key) {
            Some(_) => None,
            None => self.standing(key).await?,
        };
        let id = match standing {
            Some((id, _)) => id,
            None => match self.cloned(key, order).await? {
                Some(id) => id,
                None => return Ok(self.in_clone(key, order, MachineState::Building)),
            },
        };
        let seen = self.read(&id).await?.ok_or_else(|| gone(&id))?;
        if !seen.is_shaped() {
            self.shape(&id, key, order).await?;
        }
        if !seen.running {
            self.switch_on(&id, &order.name).await?;
        }
        let seen = self.read(&id).await?.ok_or_else(|| gone(&id))?;
        Ok(self.machine(&id, &seen))
    }

    async fn find(&self, key: &str) -> Result<Option<Machine>, ProviderError> {
        if let Some(Copying { task, order, .. }) = self.underway.of(key) {
            match self.followed().task_end(&task) {
                None => return Ok(Some(self.in_clone(key, &order, MachineState::Building))),
                // `create` tells why, or clones anew.
                Some(TaskEnd::Error(_)) => return Ok(Some(self.in_clone(key, &order, MachineState::Stopped))),
                Some(TaskEnd::Success(_)) => {}
            }
        }
        let Some((id, seen)) = self.standing(key).await? else { return Ok(None) };
        let machine = self.machine(&id, &seen);
        if machine.state != MachineState::Building {
            return Ok(Some(machine));
        }
        // Its guest may have an address by now; not every vCenter tells of that by itself.
        Ok(self.read(&id).await?.map(|seen| self.machine(&id, &seen)))
    }

    async fn describe(&self, id: &str) -> Result<Machine, ProviderError> {
        let seen = self.read(id).await?.ok_or_else(|| gone(id))?;
        Ok(self.machine(id, &seen))
    }

    async fn list(&self) -> Result<Vec<Machine>, ProviderError> {
        let followed = self.followed();
        timeout(INVENTORY, followed.current()).await.map_err(|_| untold())?;
        let now = self.clock.now();
        Ok(followed.read(|inventory| {
            let machines = inventory.machines.iter().filter(|(_, seen)| !seen.template);
            machines.map(|(id, seen)| described(inventory, id, seen, now)).collect()
        }))
    }

    async fn is_coming(&self, key: &str, name: &str) -> Result<bool, ProviderError> {
        let seen = self.by_name(name).await?.map(|(_, seen)| seen);
        Ok(seen.is_some_and(|seen| !seen.configured || seen.key() == key))
    }

    async fn leave(&self) {
        self.sign_out().await;
    }

    async fn destroy(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let _ours = self.working_on(key);
        if self.underway.of(key).is_some() {
            return match self.give_up_clone(key).await? {
                Some(id) => self.remove(&id, key).await,
                None => Ok(()),
            };
        }
        self.remove(id, key).await
    }

    async fn changes(&self, since: Option<&str>) -> Result<Changes, ProviderError> {
        let followed = self.followed();
        let mut ticks = followed.ticks();
        let news = async {
            loop {
                ticks.borrow_and_update();
                if let Some(changes) = followed.since(since) {
                    return changes;
                }
                // The sender lives as long as the inventory.
                let _ = ticks.changed().await;
            }
        };
        let nothing = || Changes { cursor: since.map(str::to_owned), complete: true, changes: Vec::new() };
        match timeout(NEWS, news).await {
            Ok(changes) => Ok(changes),
            Err(_) if followed.is_current() => Ok(nothing()),
            Err(_) => Err(untold()),
        }
    }
}

impl Vsphere {
    /// The machine that carries `key`: from the inventory, or, before it is said that there is none, by vCenter's index.
    async fn standing(&self, key: &str) -> Result<Option<(String, Seen)>, ProviderError> {
        let followed = self.followed();
        let known = followed.read(|inventory| inventory.by_key(key).map(|(id, seen)| (id.clone(), seen.clone())));
        if followed.is_current() && known.is_some() {
            return Ok(known);
        }
        let found = self.client.find_uuid(&instance_uuid(key)).await;
        let found = found.map_err(|failure| failure.told(&format!("find the machine with the key {key}")))?;
        let Some(id) = found.map(|machine| machine.id).or(known.map(|(id, _)| id)) else { return Ok(None) };
        Ok(self.read(&id).await?.filter(|seen| seen.key() == key).map(|seen| (id, seen)))
    }

    fn working_on(&self, key: &str) -> Working {
        self.followed();
        Working::on(key, &self.client, &self.followed)
    }

    fn machine(&self, id: &str, seen: &Seen) -> Machine {
        self.followed().read(|inventory| described(inventory, id, seen, self.clock.now()))
    }

    /// A machine of which there is no more than a clone under way; its id is that of the task.
    fn in_clone(&self, key: &str, order: &MachineOrder, state: MachineState) -> Machine {
        let task = self.underway.of(key).map(|copying| copying.task.id).unwrap_or_default();
        Machine {
            id: task,
            key: key.to_owned(),
            name: order.name.clone(),
            fqdn: order.fqdn.clone(),
            address: order.address.to_string(),
            image: order.image.clone(),
            cpu: order.cpu,
            memory_gb: order.memory_gb,
            disk_gb: order.disk_gb,
            cluster: String::new(),
            host: self.settings.pool.clone(),
            datastore: String::new(),
            folder: String::new(),
            snapshots: 0,
            state,
            ready_at: self.clock.now() + LOOK_AGAIN,
        }
    }
}

fn described(inventory: &Inventory, id: &str, seen: &Seen, now: DateTime<Utc>) -> Machine {
    let (cluster, host, datastore) = inventory.stands_on(seen);
    let state = match (seen.running, &seen.address) {
        (false, _) => MachineState::Stopped,
        (true, None) => MachineState::Building,
        (true, Some(_)) => MachineState::Running,
    };
    let marked = |name| seen.mark(name).unwrap_or_default().to_owned();
    Machine {
        id: id.to_owned(),
        key: seen.key().to_owned(),
        name: seen.name.clone(),
        fqdn: marked(FQDN),
        address: seen.address.clone().unwrap_or_default(),
        image: marked(IMAGE),
        cpu: seen.cpu,
        memory_gb: seen.memory_mb / 1024,
        disk_gb: seen.mark(DISK_GB).and_then(|written| written.parse().ok()).unwrap_or_default(),
        cluster,
        host,
        datastore,
        folder: seen.folder.clone().unwrap_or_default(),
        snapshots: u32::try_from(seen.snapshots).unwrap_or(u32::MAX),
        ready_at: if state == MachineState::Building { now + LOOK_AGAIN } else { now },
        state,
    }
}

/// Names go into configuration that other programs read: they have to be what they say they are.
fn check(order: &MachineOrder) -> Result<(), ProviderError> {
    let is_host_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    if is_host_name(&order.name) && is_host_name(&order.fqdn) {
        return Ok(());
    }
    Err(ProviderError::permanent(
        format!("`{}` ({}) is no host name.", order.name, order.fqdn),
        "Correct the naming pattern: letters, digits and hyphens.",
    ))
}

fn untold() -> ProviderError {
    ProviderError::transient(
        "vCenter does not tell which machines it has.",
        "Gatehouse asks again; look whether vCenter runs and lets us sign in.",
    )
}

fn gone(id: &str) -> ProviderError {
    ProviderError::not_found(format!("There is no machine {id} in vCenter."), "Look in vCenter who removed it.")
}
