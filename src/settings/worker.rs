//! `[worker]`: how runs are driven.

use std::time::Duration;

use serde::Deserialize;

use super::mistake::Objection;

/// How runs are driven.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Runs that one process drives side by side.
    pub concurrency: usize,
    /// How long a silent worker keeps a run before another takes it over, in seconds.
    pub lease_seconds: u64,
}

impl Default for Worker {
    fn default() -> Self {
        Self { concurrency: 8, lease_seconds: 15 }
    }
}

impl Worker {
    /// How long a silent worker keeps a run.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    pub(super) fn objections(&self) -> Vec<Objection> {
        let mut found = Vec::new();
        if self.concurrency == 0 {
            found.push(Objection::new("worker.concurrency", "is 0: no run would ever move, use 1 or more"));
        }
        if self.lease_seconds < 3 {
            let why = format!("is {}: below 3 a busy worker loses its runs", self.lease_seconds);
            found.push(Objection::new("worker.lease_seconds", why));
        }
        found
    }
}
