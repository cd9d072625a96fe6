//! Clones that this process has started and vCenter is at: they may take longer than anybody waits for an answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::ports::machines::MachineOrder;

use super::vim::Moref;

/// A clone that was started.
#[derive(Clone)]
pub(super) struct Copying {
    pub task: Moref,
    pub since: Instant,
    pub order: MachineOrder,
    pub datastore: Moref,
}

/// The clones by the keys of their machines.
#[derive(Default)]
pub(super) struct Underway {
    clones: Mutex<HashMap<String, Copying>>,
}

impl Underway {
    pub fn began(&self, key: &str, clone: Copying) {
        self.clones().insert(key.to_owned(), clone);
    }

    pub fn of(&self, key: &str) -> Option<Copying> {
        self.clones().get(key).cloned()
    }

    pub fn ended(&self, key: &str) {
        self.clones().remove(key);
    }

    /// What clones under way will take of a datastore, in GB.
    pub fn promised_gb(&self, datastore: &str) -> u64 {
        let clones = self.clones();
        clones
            .values()
            .filter(|clone| clone.datastore.id == datastore)
            .map(|clone| u64::from(clone.order.disk_gb))
            .sum()
    }

    fn clones(&self) -> MutexGuard<'_, HashMap<String, Copying>> {
        self.clones.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
