//! By what it is judged whether runs and the queue are as they must be.

use store::ailment::Measure;

use crate::Engine;
use crate::queue::QUEUE;

/// A lease that lasts for longer than so many, from now on, was written by a clock that was ahead.
const LEASES: i32 = 4;

impl Engine {
    /// By what runs and the queue are judged now; what was sealed is not, for the key is not known here.
    pub fn measure(&self) -> Measure {
        let now = self.0.clock.now();
        Measure { now, no_lease_until: now + self.0.settings.lease * LEASES, queue: QUEUE, sealing_key: None }
    }
}
