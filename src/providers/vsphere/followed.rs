//! What is known of vCenter at this moment, shared by the one who follows it and those who ask.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ports::machine_change::{Changes, MachineChange};
use tokio::sync::watch;

use super::inventory::{Inventory, Noted, Seen, TaskEnd};
use super::vim::{Moref, ObjectContent, ObjectUpdate};

/// Changes that are kept for those who ask for them; who is further behind looks at everything.
const KEPT: usize = 1_000;

/// The inventory, whether it is current, and what changed in it.
pub(super) struct Followed {
    state: Mutex<State>,
    /// Counts up whenever the state has changed.
    ticks: watch::Sender<u64>,
    /// Tells the cursors of this process from those of an earlier one.
    epoch: String,
}

#[derive(Default)]
struct State {
    inventory: Inventory,
    /// Whether there ever was one.
    known: bool,
    /// Whether vCenter tells us of every change right now.
    current: bool,
    journal: VecDeque<MachineChange>,
    /// How many changes there ever were; the last of the journal has this number.
    told: u64,
    /// Keys of machines that this process works on, and how many work on each.
    ours: HashMap<String, usize>,
}

impl Followed {
    pub fn new() -> Self {
        Self { state: Mutex::default(), ticks: watch::Sender::new(0), epoch: uuid::Uuid::new_v4().simple().to_string() }
    }

    /// Reads the inventory.
    pub fn read<T>(&self, look: impl FnOnce(&Inventory) -> T) -> T {
        look(&self.state().inventory)
    }

    /// Waits for `found` to find something in the inventory. It is asked again after each change.
    pub async fn until<T>(&self, mut found: impl FnMut(&Inventory) -> Option<T>) -> T {
        let mut ticks = self.ticks.subscribe();
        loop {
            ticks.borrow_and_update();
            if let Some(found) = self.read(&mut found) {
                return found;
            }
            // The sender lives as long as `self`.
            let _ = ticks.changed().await;
        }
    }

    pub fn is_current(&self) -> bool {
        self.state().current
    }

    /// Waits until the inventory is current.
    pub async fn current(&self) {
        let mut ticks = self.ticks.subscribe();
        while !self.is_current() {
            let _ = ticks.changed().await;
        }
    }

    /// Takes a whole new inventory, and answers what became of machines since the last one.
    pub fn replace(&self, fresh: Inventory) -> Vec<Noted> {
        let mut state = self.state();
        // Before the first one nothing was known, so nothing has changed.
        let noted = if state.known { state.inventory.compared(&fresh) } else { Vec::new() };
        state.inventory = fresh;
        state.known = true;
        state.current = true;
        self.by_others(state, noted)
    }

    /// Takes what has changed, and answers what that means for machines, leaving out those that we work on ourselves.
    pub fn apply(&self, updates: &[ObjectUpdate]) -> Vec<Noted> {
        let mut state = self.state();
        let noted = updates.iter().flat_map(|update| state.inventory.apply(update)).collect();
        self.by_others(state, noted)
    }

    /// Takes what was read of one machine, as it is now; nobody else did what changed by it.
    pub fn learn(&self, content: &ObjectContent) -> Seen {
        let mut seen = Seen::default();
        content.prop_set.iter().for_each(|property| seen.take(&property.name, Some(&property.val)));
        let mut state = self.state();
        state.inventory.machines.insert(content.obj.id.clone(), seen.clone());
        drop(state);
        self.tick();
        seen
    }

    /// The machine is gone, by our own hand.
    pub fn forget(&self, id: &str) {
        self.state().inventory.machines.remove(id);
        self.tick();
    }

    /// The inventory is not current any more.
    pub fn lost(&self) {
        self.state().current = false;
        self.tick();
    }

    /// From now on what happens to the machine with `key` is our own doing.
    pub fn begin(&self, key: &str) {
        *self.state().ours.entry(key.to_owned()).or_default() += 1;
    }

    /// We are done with the machine with `key`, which we `left` like this; answers what others did to it since.
    pub fn settle(&self, key: &str, left: Option<(String, Seen)>) -> Vec<Noted> {
        let mut state = self.state();
        if let Some(count) = state.ours.get_mut(key).filter(|count| **count > 1) {
            *count -= 1;
            return Vec::new();
        }
        state.ours.remove(key);
        state.inventory.since(key, left)
    }

    /// How the task ended; `None` while it has not, or vCenter has not told yet.
    pub fn task_end(&self, task: &Moref) -> Option<TaskEnd> {
        self.read(|inventory| inventory.tasks.get(&task.id).and_then(super::inventory::Task::end))
    }

    /// Puts a change down for those who ask.
    pub fn tell(&self, change: MachineChange) {
        let mut state = self.state();
        state.told += 1;
        state.journal.push_back(change);
        if state.journal.len() > KEPT {
            state.journal.pop_front();
        }
        drop(state);
        self.tick();
    }

    /// What was told since this cursor, or `None` when that is nothing yet.
    pub fn since(&self, cursor: Option<&str>) -> Option<Changes> {
        let state = self.state();
        let next = format!("{}:{}", self.epoch, state.told);
        let seen = cursor
            .and_then(|cursor| cursor.split_once(':'))
            .filter(|(epoch, _)| *epoch == self.epoch)
            .and_then(|(_, number)| number.parse::<u64>().ok());
        let oldest = state.told - state.journal.len() as u64;
        match seen {
            Some(seen) if seen == state.told => None,
            Some(seen) if (oldest..state.told).contains(&seen) => {
                let changes = state.journal.iter().skip((seen - oldest) as usize).cloned().collect();
                Some(Changes { cursor: Some(next), complete: true, changes })
            }
            _ => Some(Changes { cursor: Some(next), complete: false, changes: Vec::new() }),
        }
    }

    /// Waits for the next change of whatever is known.
    pub fn ticks(&self) -> watch::Receiver<u64> {
        self.ticks.subscribe()
    }

    fn by_others(&self, state: MutexGuard<'_, State>, noted: Vec<Noted>) -> Vec<Noted> {
        let noted = noted.into_iter().filter(|noted| !state.ours.contains_key(&noted.key)).collect();
        drop(state);
        self.tick();
        noted
    }

    fn tick(&self) {
        self.ticks.send_modify(|tick| *tick += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
