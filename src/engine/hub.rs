//! Tells this process what happens to runs: live pages hear of events, workers of changes made from outside.
//! Nothing depends on it being heard; who missed something reads it from the database.

use domain::ids::RunId;
use domain::run::RunEvent;
use tokio::sync::broadcast;

/// How many messages a slow listener may lag behind before it has to read up.
const KEPT: usize = 1024;

pub(crate) struct Hub {
    events: broadcast::Sender<RunEvent>,
    changes: broadcast::Sender<RunId>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { events: broadcast::channel(KEPT).0, changes: broadcast::channel(KEPT).0 }
    }

    /// Tells of events that were committed.
    pub(crate) fn publish(&self, events: &[RunEvent]) {
        for event in events {
            // Nobody listening is no error.
            let _ = self.events.send(event.clone());
        }
    }

    /// Tells that somebody other than its worker changed a run.
    pub(crate) fn changed(&self, run: RunId) {
        let _ = self.changes.send(run);
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<RunEvent> {
        self.events.subscribe()
    }

    pub(crate) fn changes(&self) -> broadcast::Receiver<RunId> {
        self.changes.subscribe()
    }
}
