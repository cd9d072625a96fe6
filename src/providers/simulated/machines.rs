//! The hypervisor: a cluster of four hosts that clones machines from images.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::datacenter::{HostLoad, Operation};
use domain::ports::machine_change::Changes;
use domain::ports::machines::{Machine, MachineOrder, MachineState, Machines};
use domain::ports::provider_error::ProviderError;
use tokio::time::{Instant, sleep};

use super::pace::Moment;
use super::world::World;
use super::{Datacenter, Done, missing, not_ours};

const CLUSTER: &str = "cluster-1";
const HOSTS: [&str; 4] = ["esx-01", "esx-02", "esx-03", "esx-04"];
const DATASTORES: [&str; 3] = ["ds-1", "ds-2", "ds-3"];
/// Memory that each host may promise to machines.
const HOST_MEMORY_GB: u32 = 1_024;
const IMAGES: [&str; 4] = ["debian-12", "debian-13", "rocky-9", "ubuntu-24.04"];
/// How long somebody who asks for changes is kept waiting for one, and how often it is looked for one meanwhile.
const NEWS: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Seconds that a clone and its first boot usually take.
const CLONE_SECONDS: f64 = 14.0;

#[async_trait]
impl Machines for Datacenter {
    async fn create(&self, key: &str, order: &MachineOrder) -> Result<Machine, ProviderError> {
        let (key, wanted) = (key.to_owned(), order.clone());
        self.call(Operation::MachineCreate, &order.name, move |world, moment| {
            if let Some(machine) = by_key(world, &key).cloned() {
                return Ok(driven_on(world, machine, moment));
            }
            let machine = clone_image(world, key, wanted, moment)?;
            let note = format!("Cloning {} to {} on {}.", machine.image, machine.name, machine.host);
            let answer = seen(&machine, moment.now);
            world.machines.put(&answer.id, machine);
            Ok(Done::changed(answer.clone(), &answer.id, note))
        })
        .await
    }

    async fn find(&self, key: &str) -> Result<Option<Machine>, ProviderError> {
        let wanted = key.to_owned();
        self.call(Operation::MachineFind, key, move |world, moment| {
            Ok(Done::read(by_key(world, &wanted).map(|machine| seen(machine, moment.now))))
        })
        .await
    }

    async fn describe(&self, id: &str) -> Result<Machine, ProviderError> {
        let wanted = id.to_owned();
        self.call(Operation::MachineFind, id, move |world, moment| {
            let machine = world.machines.get(&wanted).ok_or_else(|| missing("machine", &wanted))?;
            Ok(Done::read(seen(machine, moment.now)))
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Machine>, ProviderError> {
        self.look(Operation::MachineList, "all machines", |world, moment| {
            Ok(Done::read(world.machines.values().map(|machine| seen(machine, moment.now)).collect()))
        })
        .await
    }

    async fn changes(&self, since: Option<&str>) -> Result<Changes, ProviderError> {
        let since: Option<u64> = since.and_then(|cursor| cursor.parse().ok());
        let begun = Instant::now();
        loop {
            let changes = self.change(move |world| world.done_by_hand(since)).await?;
            if !changes.complete || !changes.changes.is_empty() || begun.elapsed() >= NEWS {
                return Ok(changes);
            }
            // Another process may have written into the file, and that can't be awaited.
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn destroy(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let (wanted, key) = (id.to_owned(), key.to_owned());
        self.call(Operation::MachineDestroy, id, move |world, _| {
            let Some(machine) = world.machines.get(&wanted) else { return Ok(Done::unchanged((), &wanted)) };
            if machine.key != key {
                return Err(not_ours("machine", &machine.name, &key));
            }
            let note = format!("Destroyed {} on {}.", machine.name, machine.host);
            world.machines.remove(&wanted);
            Ok(Done::changed((), &wanted, note))
        })
        .await
    }
}

fn by_key<'w>(world: &'w World, key: &str) -> Option<&'w Machine> {
    world.machines.values().find(|machine| machine.key == key)
}

/// The machine that stands already; one that is switched off is switched on.
fn driven_on(world: &mut World, machine: Machine, moment: &Moment) -> Done<Machine> {
    let id = machine.id.clone();
    if machine.state != MachineState::Stopped {
        return Done::unchanged(seen(&machine, moment.now), &id);
    }
    let started = Machine { state: MachineState::Building, ..machine };
    let note = format!("Switched {} on.", started.name);
    world.machines.put(&id, started.clone());
    Done::changed(seen(&started, moment.now), &id, note)
}

/// The machine as it is at `now`.
fn seen(machine: &Machine, now: DateTime<Utc>) -> Machine {
    let state = match machine.state {
        MachineState::Stopped => MachineState::Stopped,
        _ if now < machine.ready_at => MachineState::Building,
        _ => MachineState::Running,
    };
    Machine { state, ..machine.clone() }
}

/// Places a new machine.
fn clone_image(world: &mut World, key: String, order: MachineOrder, moment: &Moment) -> Result<Machine, ProviderError> {
    if !IMAGES.contains(&order.image.as_str()) {
        return Err(ProviderError::permanent(
            format!("There is no image {}.", order.image),
            format!("Choose one of {}.", IMAGES.join(", ")),
        ));
    }
    if world.machines.values().any(|machine| machine.name == order.name) {
        return Err(ProviderError::refused(
            format!("A machine {} stands already and is not ours.", order.name),
            "Choose another name, or find out whose it is.",
        ));
    }
    let host = roomy_host(world, order.memory_gb)?;
    let number = world.next_number();
    Ok(Machine {
        id: format!("vm-{number}"),
        key,
        name: order.name,
        fqdn: order.fqdn,
        address: order.address.to_string(),
        image: order.image,
        cpu: order.cpu,
        memory_gb: order.memory_gb,
        disk_gb: order.disk_gb,
        cluster: CLUSTER.to_owned(),
        host,
        datastore: DATASTORES[number as usize % DATASTORES.len()].to_owned(),
        folder: String::new(),
        snapshots: 0,
        state: MachineState::Building,
        ready_at: moment.after(CLONE_SECONDS),
    })
}

/// The host with the most free memory, if that is enough.
fn roomy_host(world: &World, memory_gb: u32) -> Result<String, ProviderError> {
    let loads = host_loads(world);
    let free = |load: &HostLoad| load.memory_gb.saturating_sub(load.memory_used_gb);
    let roomiest = loads.iter().min_by_key(|load| (u32::MAX - free(load), load.name.clone()));
    match roomiest {
        Some(load) if free(load) >= memory_gb => Ok(load.name.clone()),
        load => Err(ProviderError::refused(
            format!(
                "{CLUSTER} has no room: {memory_gb} GB of memory are needed, its emptiest host has {} GB.",
                load.map_or(0, free)
            ),
            "Choose a smaller size, or ask the platform team for another host.",
        )),
    }
}

/// Every machine as it is at `now`, by name.
pub(super) fn by_name(world: &World, now: DateTime<Utc>) -> Vec<Machine> {
    let mut machines: Vec<Machine> = world.machines.values().map(|machine| seen(machine, now)).collect();
    machines.sort_by(|one, other| one.name.cmp(&other.name));
    machines
}

/// How full each host is.
pub(super) fn host_loads(world: &World) -> Vec<HostLoad> {
    let load = |name: &str| {
        let on_it: Vec<&Machine> = world.machines.values().filter(|machine| machine.host == name).collect();
        HostLoad {
            name: name.to_owned(),
            machines: on_it.len(),
            memory_used_gb: on_it.iter().map(|machine| machine.memory_gb).sum(),
            memory_gb: HOST_MEMORY_GB,
        }
    };
    HOSTS.into_iter().map(load).collect()
}
