//! What became of machines by other hands than ours, as their hypervisor tells it.

use serde::{Deserialize, Serialize};

/// What became of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachineEvent {
    /// It stands, or has got a key that was not there before.
    Appeared,
    Renamed {
        before: String,
    },
    /// Into another folder.
    Moved,
    Started,
    Stopped,
    /// Its processors, its memory or what we wrote on it were changed.
    Reshaped,
    /// Snapshots were taken or removed; so many are left.
    Snapshots {
        count: usize,
    },
    /// It is no longer there.
    Vanished,
}

/// Something that became of a machine that carries a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineChange {
    pub id: String,
    pub key: String,
    /// Its name now, or the last that it had.
    pub name: String,
    pub event: MachineEvent,
    /// Who did it, by the hypervisor's own log.
    pub by: Option<String>,
}

/// What became of machines since somebody last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// What to ask with next.
    pub cursor: Option<String>,
    /// Whether nothing is missing. If something may be, every machine has to be looked at.
    pub complete: bool,
    pub changes: Vec<MachineChange>,
}

impl Changes {
    /// The answer of a hypervisor that tells nothing by itself.
    pub(super) const fn untold() -> Self {
        Self { cursor: None, complete: false, changes: Vec::new() }
    }
}
