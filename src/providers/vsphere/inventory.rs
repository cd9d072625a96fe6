//! What vCenter holds, as its property filter tells it: machines, and the hosts, clusters and datastores they stand on.

use std::collections::{BTreeMap, HashMap};

use domain::ports::machine_change::MachineEvent;

use super::vim::{Moref, ObjectUpdate, Snapshot, UpdateKind, Value};

/// Our key on a machine. cloud-init does not read it, and people who look at the machine's options find it.
pub(super) const KEY: &str = "guestinfo.gatehouse.key";
/// What else we put on a machine that vCenter itself does not know.
pub(super) const FQDN: &str = "gatehouse.fqdn";
pub(super) const IMAGE: &str = "gatehouse.image";
pub(super) const DISK_GB: &str = "gatehouse.disk_gb";
/// Set together with the machine's processors, memory and first boot: what follows is only to switch it on.
pub(super) const SHAPED: &str = "gatehouse.shaped";
const MARKS: [&str; 5] = [KEY, FQDN, IMAGE, DISK_GB, SHAPED];

/// A task that moves objects into a folder.
const MOVE: &str = "Folder.moveIntoFolder";

/// What is followed, by type.
pub(super) const OF_MACHINES: &[&str] = &[
    "name",
    "parent",
    "config.template",
    "config.hardware.numCPU",
    "config.hardware.memoryMB",
    "config.extraConfig",
    "runtime.powerState",
    "runtime.host",
    "datastore",
    "guest.ipAddress",
    "guest.toolsRunningStatus",
    "snapshot",
];
pub(super) const OF_HOSTS: &[&str] = &["name", "parent"];
pub(super) const OF_CLUSTERS: &[&str] = &["name"];
pub(super) const OF_DATASTORES: &[&str] = &["name", "summary.accessible", "summary.capacity", "summary.freeSpace"];
pub(super) const OF_TASKS: &[&str] = &["info.state", "info.error", "info.result", "info.descriptionId"];

/// A machine as vCenter last told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub name: String,
    /// The folder in which it stands.
    pub folder: Option<String>,
    pub template: bool,
    pub cpu: u32,
    pub memory_mb: u32,
    pub running: bool,
    pub host: Option<String>,
    pub datastore: Option<String>,
    pub address: Option<String>,
    /// Whether its guest hears a request to shut down.
    pub tools: bool,
    pub snapshots: usize,
    /// Whether its options were told at all; they are not while vCenter still copies it.
    pub configured: bool,
    /// Those of its options that are ours.
    pub marks: BTreeMap<String, String>,
}

impl Seen {
    pub fn mark(&self, name: &str) -> Option<&str> {
        self.marks.get(name).map(String::as_str)
    }

    pub fn key(&self) -> &str {
        self.mark(KEY).unwrap_or_default()
    }

    pub fn is_shaped(&self) -> bool {
        self.mark(SHAPED).is_some()
    }

    /// Takes one property; `None` when it has no value any more.
    pub fn take(&mut self, property: &str, value: Option<&Value>) {
        let text = value.map(Value::text).unwrap_or_default();
        let reference = || value.and_then(Value::moref).map(|object| object.id);
        match property {
            "name" => self.name = text.replace("%2f", "/").replace("%25", "%"),
            "parent" => self.folder = reference(),
            "config.template" => self.template = text == "true",
            "config.hardware.numCPU" => self.cpu = text.parse().unwrap_or_default(),
            "config.hardware.memoryMB" => self.memory_mb = text.parse().unwrap_or_default(),
            "config.extraConfig" => self.take_options(value),
            "runtime.powerState" => self.running = text == "poweredOn",
            "runtime.host" => self.host = reference(),
            "datastore" => {
                self.datastore = value.and_then(|value| value.references.first()).map(|object| object.id.clone());
            }
            "guest.ipAddress" => self.address = (!text.is_empty()).then(|| text.to_owned()),
            "guest.toolsRunningStatus" => self.tools = text == "guestToolsRunning",
            "snapshot" => {
                self.snapshots = value.map_or(0, |value| Snapshot::count(&value.root_snapshot_list));
            }
            _ => {}
        }
    }

    fn take_options(&mut self, value: Option<&Value>) {
        self.configured = value.is_some();
        let options = value.map(|value| value.options.as_slice()).unwrap_or_default();
        self.marks = options
            .iter()
            .filter(|option| MARKS.contains(&option.key.as_str()))
            .filter_map(|option| Some((option.key.clone(), option.value.as_ref()?.text().to_owned())))
            .filter(|(_, value)| !value.is_empty())
            .collect();
    }
}

/// A host and the cluster that it belongs to.
#[derive(Debug, Clone, Default)]
struct Host {
    name: String,
    cluster: Option<String>,
}

/// A datastore and its room, in bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Datastore {
    pub name: String,
    pub accessible: bool,
    pub capacity: u64,
    pub free: u64,
}

/// A task, once it has ended.
#[derive(Debug, Clone)]
pub(super) enum TaskEnd {
    /// With the object that came of it, if any did.
    Success(Option<Moref>),
    /// With what went wrong.
    Error(Box<Value>),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Task {
    state: String,
    error: Option<Value>,
    result: Option<Moref>,
    kind: String,
}

impl Task {
    pub fn take(&mut self, property: &str, value: Option<&Value>) {
        match property {
            "info.state" => self.state = value.map(Value::text).unwrap_or_default().to_owned(),
            "info.error" => self.error = value.cloned(),
            "info.result" => self.result = value.and_then(Value::moref),
            "info.descriptionId" => self.kind = value.map(Value::text).unwrap_or_default().to_owned(),
            _ => {}
        }
    }

    pub fn end(&self) -> Option<TaskEnd> {
        match self.state.as_str() {
            "success" => Some(TaskEnd::Success(self.result.clone())),
            "error" => Some(TaskEnd::Error(Box::new(self.error.clone().unwrap_or_default()))),
            _ => None,
        }
    }
}

/// Something that became of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noted {
    pub id: String,
    pub key: String,
    pub name: String,
    pub event: MachineEvent,
}

/// Everything that is followed.
#[derive(Debug, Clone, Default)]
pub(super) struct Inventory {
    pub machines: HashMap<String, Seen>,
    hosts: HashMap<String, Host>,
    clusters: HashMap<String, String>,
    pub datastores: HashMap<String, Datastore>,
    pub tasks: HashMap<String, Task>,
}

impl Inventory {
    /// Takes what vCenter tells of one object, and answers what that means for a machine with a key.
    pub fn apply(&mut self, update: &ObjectUpdate) -> Vec<Noted> {
        let id = &update.obj.id;
        let gone = update.kind == UpdateKind::Leave;
        let properties = || update.change_set.iter().map(|change| (change.name.as_str(), change.val.as_ref()));
        match update.obj.kind.as_str() {
            "VirtualMachine" => {
                let before = self.machines.get(id).cloned();
                if gone {
                    self.machines.remove(id);
                } else {
                    let seen = self.machines.entry(id.clone()).or_default();
                    properties().for_each(|(name, value)| seen.take(name, value));
                }
                return became(id, before.as_ref(), self.machines.get(id));
            }
            "Task" if gone => drop(self.tasks.remove(id)),
            "Task" => {
                let task = self.tasks.entry(id.clone()).or_default();
                properties().for_each(|(name, value)| task.take(name, value));
            }
            "HostSystem" => properties().for_each(|(name, value)| self.take_host(id, name, value)),
            "Datastore" if gone => drop(self.datastores.remove(id)),
            "Datastore" => properties().for_each(|(name, value)| self.take_datastore(id, name, value)),
            _ => {
                let name = properties().find(|(name, _)| *name == "name").and_then(|(_, value)| value);
                if let Some(name) = name {
                    self.clusters.insert(id.clone(), name.text().to_owned());
                }
            }
        }
        Vec::new()
    }

    /// Whether one of these updates ends a task that moved objects from folder to folder.
    pub fn ends_a_move(&self, updates: &[ObjectUpdate]) -> bool {
        let tasks = updates.iter().filter_map(|update| self.tasks.get(&update.obj.id));
        tasks.into_iter().any(|task| task.kind == MOVE && task.end().is_some())
    }

    /// What became of machines between this inventory and a later one.
    pub fn compared(&self, later: &Self) -> Vec<Noted> {
        let still = later.machines.iter().flat_map(|(id, after)| became(id, self.machines.get(id), Some(after)));
        let gone = self.machines.iter().filter(|(id, _)| !later.machines.contains_key(*id));
        still.chain(gone.flat_map(|(id, before)| became(id, Some(before), None))).collect()
    }

    /// What became of the machine with `key` since it was like this.
    pub fn since(&self, key: &str, then: Option<(String, Seen)>) -> Vec<Noted> {
        let now = self.by_key(key);
        let id = then.as_ref().map(|(id, _)| id).or(now.map(|(id, _)| id));
        let Some(id) = id else { return Vec::new() };
        became(id, then.as_ref().map(|(_, seen)| seen), self.machines.get(id))
    }

    /// The machine that carries `key`.
    pub fn by_key(&self, key: &str) -> Option<(&String, &Seen)> {
        self.machines.iter().find(|(_, seen)| seen.key() == key)
    }

    /// The names of the cluster, host and datastore on which a machine stands.
    pub fn stands_on(&self, seen: &Seen) -> (String, String, String) {
        let host = seen.host.as_ref().and_then(|id| self.hosts.get(id)).cloned().unwrap_or_default();
        let cluster = host.cluster.as_ref().and_then(|id| self.clusters.get(id)).cloned().unwrap_or_default();
        let datastore = seen.datastore.as_ref().and_then(|id| self.datastores.get(id));
        (cluster, host.name, datastore.map(|datastore| datastore.name.clone()).unwrap_or_default())
    }

    fn take_host(&mut self, id: &str, property: &str, value: Option<&Value>) {
        let host = self.hosts.entry(id.to_owned()).or_default();
        match property {
            "name" => host.name = value.map(Value::text).unwrap_or_default().to_owned(),
            "parent" => host.cluster = value.and_then(Value::moref).map(|object| object.id),
            _ => {}
        }
    }

    fn take_datastore(&mut self, id: &str, property: &str, value: Option<&Value>) {
        let datastore = self.datastores.entry(id.to_owned()).or_default();
        let text = value.map(Value::text).unwrap_or_default();
        match property {
            "name" => datastore.name = text.to_owned(),
            "summary.accessible" => datastore.accessible = text == "true",
            "summary.capacity" => datastore.capacity = text.parse().unwrap_or_default(),
            "summary.freeSpace" => datastore.free = text.parse().unwrap_or_default(),
            _ => {}
        }
    }
}

/// What became of one machine; nothing when it carries no key, before and after.
fn became(id: &str, before: Option<&Seen>, after: Option<&Seen>) -> Vec<Noted> {
    let Some(carrier) = [before, after].into_iter().flatten().find(|seen| !seen.key().is_empty()) else {
        return Vec::new();
    };
    let events = match (before, after) {
        (Some(before), Some(after)) => differences(before, after),
        (None, Some(_)) => vec![MachineEvent::Appeared],
        (Some(_), None) => vec![MachineEvent::Vanished],
        (None, None) => Vec::new(),
    };
    let name = after.unwrap_or(carrier).name.clone();
    let noted = |event| Noted { id: id.to_owned(), key: carrier.key().to_owned(), name: name.clone(), event };
    events.into_iter().map(noted).collect()
}

fn differences(before: &Seen, after: &Seen) -> Vec<MachineEvent> {
    if before.key().is_empty() {
        return vec![MachineEvent::Appeared];
    }
    let switched = if after.running { MachineEvent::Started } else { MachineEvent::Stopped };
    let all = [
        (before.name != after.name, MachineEvent::Renamed { before: before.name.clone() }),
        (before.folder != after.folder, MachineEvent::Moved),
        (before.running != after.running, switched),
        ((before.cpu, before.memory_mb) != (after.cpu, after.memory_mb), MachineEvent::Reshaped),
        (before.marks != after.marks, MachineEvent::Reshaped),
        (before.snapshots != after.snapshots, MachineEvent::Snapshots { count: after.snapshots }),
    ];
    let mut events: Vec<MachineEvent> = all.into_iter().filter(|(holds, _)| *holds).map(|(_, event)| event).collect();
    events.dedup();
    events
}
