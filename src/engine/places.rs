//! Bounds on what goes on side by side: places for calls, by worker and by outside system.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The places of one worker.
pub(crate) struct Places {
    calls: Arc<Semaphore>,
    per_provider: usize,
    providers: Mutex<HashMap<&'static str, Arc<Semaphore>>>,
    freed: watch::Sender<u64>,
}

/// A place that is taken; free again when dropped.
pub(crate) struct Place {
    _call: OwnedSemaphorePermit,
    _provider: Option<OwnedSemaphorePermit>,
    _freed: Freed,
}

/// Dropped after the permits above it, so that whoever waits finds them free.
struct Freed(watch::Sender<u64>);

impl Drop for Freed {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count += 1);
    }
}

impl Places {
    pub(crate) fn new(calls: usize, per_provider: usize) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(calls)),
            per_provider,
            providers: Mutex::new(HashMap::new()),
            freed: watch::Sender::new(0),
        }
    }

    /// A place for one call, if there is one.
    pub(crate) fn take(&self, provider: Option<&'static str>) -> Option<Place> {
        // One at a time: whoever gets no place at its provider must not meanwhile hold the last one of the worker.
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        let call = Arc::clone(&self.calls).try_acquire_owned().ok()?;
        let provider = match provider {
            Some(name) => {
                let places = providers.entry(name).or_insert_with(|| Arc::new(Semaphore::new(self.per_provider)));
                Some(Arc::clone(places).try_acquire_owned().ok()?)
            }
            None => None,
        };
        Some(Place { _call: call, _provider: provider, _freed: Freed(self.freed.clone()) })
    }

    /// Changes whenever a place becomes free.
    pub(crate) fn freed(&self) -> watch::Receiver<u64> {
        self.freed.subscribe()
    }
}
