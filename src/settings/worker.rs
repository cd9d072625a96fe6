//! `[worker]`: how runs are driven.

use std::time::Duration;

use serde::Deserialize;

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

    pub(super) fn objection(&self) -> Option<String> {
        if self.concurrency == 0 {
            return Some("worker.concurrency is 0: no run would ever move, use 1 or more".into());
        }
        (self.lease_seconds < 3)
            .then(|| format!("worker.lease_seconds is {}: below 3 a busy worker loses its runs", self.lease_seconds))
    }
}
