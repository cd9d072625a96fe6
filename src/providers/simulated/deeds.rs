//! What people do to machines in the datacenter itself, past Gatehouse. It keeps a log of that, as hypervisors do.

use chrono::{DateTime, Utc};
use domain::ports::datacenter::{Activity, Deed};
use domain::ports::machine_change::{MachineChange, MachineEvent};
use domain::ports::machines::{Machine, MachineState};
use domain::ports::provider_error::ProviderError;

use super::missing;
use super::world::World;

/// Does it, and tells those who ask for changes. What makes no difference is told to nobody.
pub(super) fn carry_out(
    world: &mut World,
    id: &str,
    deed: Deed,
    by: &str,
    at: DateTime<Utc>,
) -> Result<(), ProviderError> {
    let before = world.machines.get(id).cloned().ok_or_else(|| missing("machine", id))?;
    let mut after = before.clone();
    let event = done(&mut after, deed);
    if deed != Deed::Delete && after == before {
        return Ok(());
    }
    match deed {
        Deed::Delete => drop(world.machines.remove(id)),
        _ => world.machines.put(id, after.clone()),
    }
    let what = format!("{by} did this by hand: {} {}.", words(deed), before.name);
    world.note(Activity { at, operation: None, object: before.name, what, went_well: true });
    world.tell(MachineChange { id: id.to_owned(), key: after.key, name: after.name, event, by: Some(by.to_owned()) });
    Ok(())
}

/// Changes the machine; answers what its hypervisor calls that.
fn done(machine: &mut Machine, deed: Deed) -> MachineEvent {
    match deed {
        Deed::SwitchOff => {
            machine.state = MachineState::Stopped;
            MachineEvent::Stopped
        }
        Deed::SwitchOn => {
            if machine.state == MachineState::Stopped {
                machine.state = MachineState::Building;
            }
            MachineEvent::Started
        }
        Deed::Rename => {
            let name = renamed(&machine.name);
            MachineEvent::Renamed { before: std::mem::replace(&mut machine.name, name) }
        }
        Deed::TakeSnapshot => {
            machine.snapshots += 1;
            MachineEvent::Snapshots { count: machine.snapshots as usize }
        }
        Deed::RemoveSnapshots => {
            machine.snapshots = 0;
            MachineEvent::Snapshots { count: 0 }
        }
        Deed::Delete => MachineEvent::Vanished,
    }
}

/// Another name; of one that was renamed, the name that it had.
fn renamed(name: &str) -> String {
    name.strip_suffix(RENAMED).map_or_else(|| format!("{name}{RENAMED}"), str::to_owned)
}

const RENAMED: &str = "-renamed";

fn words(deed: Deed) -> &'static str {
    match deed {
        Deed::SwitchOff => "switched off",
        Deed::SwitchOn => "switched on",
        Deed::Rename => "renamed",
        Deed::TakeSnapshot => "took a snapshot of",
        Deed::RemoveSnapshots => "removed the snapshots of",
        Deed::Delete => "deleted",
    }
}
