//! What others do to machines: the engine's events say that something happened, and comparing two looks at all machines
//! says what. So nothing is missed that lasts, however many events went by, a restart of the engine included.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use domain::ports::machine_change::{Changes, MachineChange, MachineEvent};
use domain::ports::machines::MachineState;
use uuid::Uuid;

/// A machine at a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub key: String,
    pub name: String,
    pub state: MachineState,
}

/// The machines with a key as they were at the last look.
pub(super) struct Watched {
    /// Tells the cursors of this process from those of an earlier one.
    epoch: Uuid,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many looks were begun.
    begun: u64,
    /// The number of the last look that ended, and when it was, by the engine's clock.
    last: Option<(u64, DateTime<Utc>)>,
    machines: BTreeMap<String, Seen>,
    ours: HashMap<String, Work>,
}

/// What this process does to a machine.
#[derive(Default)]
struct Work {
    /// How many calls are at it.
    hands: usize,
    /// The last look that was begun before the last of them ended: it may not show what they did.
    ended: u64,
}

impl Watched {
    pub fn new() -> Self {
        Self { epoch: Uuid::new_v4(), state: Mutex::default() }
    }

    /// What happens to the machine with `key` is our own doing as long as the guard lives.
    pub fn working_on(&self, key: &str) -> Working<'_> {
        self.state().ours.entry(key.to_owned()).or_default().hands += 1;
        Working { watched: self, key: key.to_owned() }
    }

    /// When the look was that `cursor` stands for; nothing when there was another one since.
    pub fn at(&self, cursor: Option<&str>) -> Option<DateTime<Utc>> {
        let (number, at) = self.state().last?;
        (cursor == Some(self.cursor(number).as_str())).then_some(at)
    }

    /// Begins a look: its number.
    pub fn begin(&self) -> u64 {
        let mut state = self.state();
        state.begun += 1;
        state.begun
    }

    /// Ends the look `number` at machines by their ids, begun at `at`: what became of them since the last one. A look
    /// that took longer than the next one tells nothing.
    pub fn end(&self, number: u64, at: DateTime<Utc>, machines: BTreeMap<String, Seen>) -> Changes {
        let mut state = self.state();
        if let Some((later, _)) = state.last.filter(|(last, _)| *last > number) {
            return Changes { cursor: Some(self.cursor(later)), complete: true, changes: Vec::new() };
        }
        let known = state.last.is_some();
        let mut changes = compared(&state.machines, &machines);
        changes.retain(|change| known && !state.ours.contains_key(&change.key));
        state.machines = machines;
        state.last = Some((number, at));
        state.ours.retain(|_, work| work.hands > 0 || work.ended >= number);
        Changes { cursor: Some(self.cursor(number)), complete: known, changes }
    }

    fn cursor(&self, number: u64) -> String {
        format!("{}:{number}", self.epoch)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, this process works on a machine.
pub(super) struct Working<'w> {
    watched: &'w Watched,
    key: String,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut state = self.watched.state();
        let begun = state.begun;
        if let Some(work) = state.ours.get_mut(&self.key) {
            work.hands -= 1;
            work.ended = begun;
        }
    }
}

/// What became of machines between two looks.
fn compared(before: &BTreeMap<String, Seen>, now: &BTreeMap<String, Seen>) -> Vec<MachineChange> {
    let told = |id: &String, seen: &Seen, event| MachineChange {
        id: id.clone(),
        key: seen.key.clone(),
        name: seen.name.clone(),
        event,
        by: None,
    };
    let mut changes = Vec::new();
    for (id, seen) in now {
        let Some(former) = before.get(id) else {
            changes.push(told(id, seen, MachineEvent::Appeared));
            continue;
        };
        if seen.name != former.name {
            changes.push(told(id, seen, MachineEvent::Renamed { before: former.name.clone() }));
        }
        match seen.state {
            state if state == former.state => {}
            MachineState::Running => changes.push(told(id, seen, MachineEvent::Started)),
            MachineState::Stopped => changes.push(told(id, seen, MachineEvent::Stopped)),
            MachineState::Building => {}
        }
    }
    let gone = before.iter().filter(|(id, _)| !now.contains_key(*id));
    changes.extend(gone.map(|(id, seen)| told(id, seen, MachineEvent::Vanished)));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines(names: &[&str]) -> BTreeMap<String, Seen> {
        let seen = |name: &&str| {
            let name = (*name).to_owned();
            (format!("id-{name}"), Seen { key: format!("key-{name}"), name, state: MachineState::Running })
        };
        names.iter().map(seen).collect()
    }

    fn look(watched: &Watched, names: &[&str]) -> Changes {
        let number = watched.begin();
        watched.end(number, DateTime::UNIX_EPOCH, machines(names))
    }

    #[test]
    fn the_first_look_knows_nothing_of_what_was_before() {
        let watched = Watched::new();
        assert_eq!(watched.at(None), None);
        let first = look(&watched, &["one"]);
        assert_eq!((first.complete, first.changes.len()), (false, 0));
        assert!(watched.at(first.cursor.as_deref()).is_some());
        look(&watched, &["one"]);
        assert_eq!(watched.at(first.cursor.as_deref()), None, "somebody else has looked since");
    }

    #[test]
    fn two_looks_tell_what_became_of_machines() {
        let watched = Watched::new();
        look(&watched, &["gone", "stopped", "renamed"]);
        let mut now = machines(&["new", "stopped", "renamed"]);
        now.get_mut("id-stopped").expect("it is there").state = MachineState::Stopped;
        now.get_mut("id-renamed").expect("it is there").name = "other".to_owned();
        let told = watched.end(watched.begin(), DateTime::UNIX_EPOCH, now);
        let events: Vec<_> = told.changes.iter().map(|change| (change.name.as_str(), &change.event)).collect();
        let renamed = MachineEvent::Renamed { before: "renamed".to_owned() };
        let expected = [
            ("new", &MachineEvent::Appeared),
            ("other", &renamed),
            ("stopped", &MachineEvent::Stopped),
            ("gone", &MachineEvent::Vanished),
        ];
        assert_eq!(events, expected);
        assert!(told.complete);
    }

    #[test]
    fn what_we_did_ourselves_is_told_by_no_look_however_long_that_look_took() {
        let watched = Watched::new();
        look(&watched, &[]);
        let slow = watched.begin();
        let working = watched.working_on("key-one");
        assert_eq!(look(&watched, &["one"]).changes, [], "it is made");
        drop(working);
        assert_eq!(
            watched.end(slow, DateTime::UNIX_EPOCH, machines(&[])).changes,
            [],
            "it is older than what is known"
        );
        assert_eq!(look(&watched, &["one"]).changes, []);
        assert_eq!(look(&watched, &[]).changes.len(), 1, "that it went was not our doing");
    }
}
