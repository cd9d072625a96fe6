//! Time comes through a port, so that tests own it.

use chrono::{DateTime, Utc};

/// Tells the time. Waiting is the engine's; this only says what time it is.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;
}
