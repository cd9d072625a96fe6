//! Everything that stands in the simulated datacenter, in memory.

use chrono::{DateTime, Utc};
use domain::ports::balancer::Pool;
use domain::ports::configuration::ConfiguredNode;
use domain::ports::datacenter::{Activity, ArmedFault, Fault, HeldObject, Operation, Pace};
use domain::ports::machine_change::{Changes, MachineChange};
use domain::ports::machines::Machine;
use domain::ports::names::NameReservation;
use domain::ports::spaces::Space;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::table::{Rows, Table};

/// How many activities are kept.
const ACTIVITIES: usize = 300;
/// How many deeds are kept.
const DEEDS: usize = 100;

/// A pool as it is kept: who leaves it, and when the last connection will have ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PoolRow {
    pub pool: Pool,
    pub leaving: Vec<(String, DateTime<Utc>)>,
}

/// The tables.
#[derive(Debug, Default)]
pub(super) struct World {
    pub names: Table<NameReservation>,
    pub machines: Table<Machine>,
    pub nodes: Table<ConfiguredNode>,
    pub pools: Table<PoolRow>,
    pub spaces: Table<Space>,
    /// What was done to machines by hand, latest last.
    deeds: Table<MachineChange>,
    faults: Table<ArmedFault>,
    activity: Table<Activity>,
    pace: Table<Pace>,
    serial: Table<u64>,
}

impl World {
    /// The next number, never given twice.
    pub fn next_number(&mut self) -> u64 {
        let number = self.serial.get("last").map_or(101, |last| last + 1);
        self.serial.put("last", number);
        number
    }

    /// How quick the datacenter is; as in a demo until somebody says otherwise.
    pub fn pace(&self) -> Pace {
        let usual = || Pace { answers: 1.0, work: 1.0, operations: Vec::new() };
        self.pace.get("pace").cloned().unwrap_or_else(usual)
    }

    pub fn set_pace(&mut self, pace: Pace) {
        self.pace.put("pace", pace);
    }

    pub fn arm(&mut self, operation: Operation, fault: Fault, left: Option<u32>) -> ArmedFault {
        let armed = ArmedFault { id: self.next_number(), operation, fault, left };
        self.faults.put(ordered(armed.id), armed.clone());
        armed
    }

    pub fn clear_fault(&mut self, id: u64) {
        self.faults.remove(&ordered(id));
    }

    pub fn faults(&self) -> Vec<ArmedFault> {
        self.faults.values().cloned().collect()
    }

    /// The fault that strikes this call of `operation`, which is one the fewer from now on.
    pub fn strike(&mut self, operation: Operation) -> Option<Fault> {
        let armed = self.faults.values().find(|armed| armed.operation == operation)?.clone();
        match armed.left {
            Some(0 | 1) => self.clear_fault(armed.id),
            Some(left) => self.faults.put(ordered(armed.id), ArmedFault { left: Some(left - 1), ..armed.clone() }),
            None => {}
        }
        Some(armed.fault)
    }

    /// Puts down what was done to a machine by hand, and forgets what was done long ago.
    pub fn tell(&mut self, change: MachineChange) {
        let number = self.next_number();
        self.deeds.put(ordered(number), change);
        if self.deeds.len() > DEEDS {
            self.deeds.remove_first();
        }
    }

    /// What was done by hand since the deed of this number; without one, and where it is no longer kept, the answer is
    /// not complete.
    pub fn done_by_hand(&self, since: Option<u64>) -> Changes {
        let numbered = || self.deeds.entries().map(|(id, deed)| (id.parse::<u64>().unwrap_or_default(), deed));
        let last = numbered().next_back().map_or(0, |(number, _)| number);
        let all_kept = self.deeds.len() < DEEDS;
        let oldest = numbered().next().map_or(0, |(number, _)| number);
        let since = since.filter(|since| *since <= last && (all_kept || *since >= oldest));
        let later = |(number, _): &(u64, _)| since.is_some_and(|since| *number > since);
        let changes = numbered().filter(later).map(|(_, deed)| deed.clone()).collect();
        Changes { cursor: Some(last.to_string()), complete: since.is_some(), changes }
    }

    /// Notes what happened, and forgets what happened long ago.
    pub fn note(&mut self, activity: Activity) {
        let number = self.next_number();
        self.activity.put(ordered(number), activity);
        if self.activity.len() > ACTIVITIES {
            self.activity.remove_first();
        }
    }

    /// What happened, newest first.
    pub fn activity(&self) -> Vec<Activity> {
        self.activity.values().rev().cloned().collect()
    }

    /// Every object that carries a key.
    pub fn objects(&self) -> Vec<HeldObject> {
        let held = |kind: &str, id: &str, key: &str, name: &str| HeldObject {
            kind: kind.to_owned(),
            id: id.to_owned(),
            key: key.to_owned(),
            name: name.to_owned(),
        };
        let names = self.names.values().map(|it| held("name", &it.id, &it.key, &it.name));
        let machines = self.machines.values().map(|it| held("machine", &it.id, &it.key, &it.name));
        let nodes = self.nodes.values().map(|it| held("configuration", &it.id, &it.key, &it.certname));
        let pools = self.pools.values().map(|it| held("pool", &it.pool.id, &it.pool.key, &it.pool.name));
        let spaces = self.spaces.values().map(|it| held("space", &it.id, &it.key, &it.name));
        names.chain(machines).chain(nodes).chain(pools).chain(spaces).collect()
    }

    /// Makes the object vanish, as objects sometimes do.
    pub fn lose(&mut self, id: &str) {
        self.names.remove(id);
        self.machines.remove(id);
        self.nodes.remove(id);
        self.pools.remove(id);
        self.spaces.remove(id);
    }

    /// Rows in all tables.
    pub fn size(&self) -> usize {
        self.tables().iter().map(|(_, rows)| rows.count()).sum()
    }

    /// Takes over a row as it was journalled. A table of a later version of the program is passed by.
    pub fn load(&mut self, table: &str, id: String, row: Option<Value>) -> serde_json::Result<()> {
        match self.tables_mut().into_iter().find(|(name, _)| *name == table) {
            Some((_, rows)) => rows.load(id, row),
            None => Ok(()),
        }
    }

    /// What changed since the last call: table, id, row.
    pub fn drain(&mut self) -> serde_json::Result<Vec<(&'static str, String, Option<Value>)>> {
        let mut changes = Vec::new();
        for (name, rows) in self.tables_mut() {
            changes.extend(rows.drain()?.into_iter().map(|(id, row)| (name, id, row)));
        }
        Ok(changes)
    }

    /// Every row: table, id, row.
    pub fn dump(&self) -> serde_json::Result<Vec<(&'static str, String, Value)>> {
        let mut all = Vec::new();
        for (name, rows) in self.tables() {
            all.extend(rows.dump()?.into_iter().map(|(id, row)| (name, id, row)));
        }
        Ok(all)
    }

    fn tables(&self) -> [(&'static str, &dyn Rows); 10] {
        [
            ("names", &self.names),
            ("machines", &self.machines),
            ("nodes", &self.nodes),
            ("pools", &self.pools),
            ("spaces", &self.spaces),
            ("deeds", &self.deeds),
            ("faults", &self.faults),
            ("activity", &self.activity),
            ("pace", &self.pace),
            ("serial", &self.serial),
        ]
    }

    fn tables_mut(&mut self) -> [(&'static str, &mut dyn Rows); 10] {
        [
            ("names", &mut self.names),
            ("machines", &mut self.machines),
            ("nodes", &mut self.nodes),
            ("pools", &mut self.pools),
            ("spaces", &mut self.spaces),
            ("deeds", &mut self.deeds),
            ("faults", &mut self.faults),
            ("activity", &mut self.activity),
            ("pace", &mut self.pace),
            ("serial", &mut self.serial),
        ]
    }
}

/// A number as an id that sorts like the number.
fn ordered(number: u64) -> String {
    format!("{number:012}")
}
