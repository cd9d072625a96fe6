//! How long things take here: realistic times, the same ones each time for the same object.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::datacenter::{Fault, Operation, Pace};

/// How much longer everything takes under [`Fault::SlowDown`].
const SLOWED: f64 = 10.0;

/// The time at which a call is carried out, and how long work takes from there.
pub(super) struct Moment {
    pub now: DateTime<Utc>,
    factor: f64,
    /// Whether the answer shall name only a part of what is there.
    pub in_part: bool,
}

impl Moment {
    pub fn new(now: DateTime<Utc>, pace: &Pace, operation: Operation, object: &str, fault: Option<Fault>) -> Self {
        let factor = pace.work * own_factor(pace, operation) * jitter(operation, object) * slowed(fault);
        Self { now, factor, in_part: fault == Some(Fault::AnswerInPart) }
    }

    /// When work that usually takes `seconds` will be done.
    pub fn after(&self, seconds: f64) -> DateTime<Utc> {
        self.now + TimeDelta::milliseconds((seconds * self.factor * 1000.0) as i64)
    }
}

/// How long the caller waits for an answer.
pub(super) fn answer_time(pace: &Pace, operation: Operation, object: &str, fault: Option<Fault>) -> Duration {
    let factor = pace.answers * own_factor(pace, operation) * jitter(operation, object) * slowed(fault);
    Duration::from_secs_f64((usual_answer(operation) * factor).clamp(0.0, 300.0))
}

/// Seconds until an answer comes, on a usual day.
fn usual_answer(operation: Operation) -> f64 {
    match operation {
        Operation::MachineCreate | Operation::MachineDestroy | Operation::PoolCreate | Operation::SpaceCreate => 0.9,
        Operation::NameReserve | Operation::ConfigurationApply | Operation::PoolMembers => 0.4,
        Operation::NameRelease | Operation::ConfigurationPurge | Operation::PoolDelete => 0.4,
        Operation::SpaceDelete | Operation::SpaceQuota => 0.4,
        Operation::NameFind | Operation::MachineFind | Operation::ConfigurationFind => 0.05,
        Operation::PoolFind | Operation::SpaceFind => 0.05,
        Operation::MachineList | Operation::EngineInfo | Operation::EngineList | Operation::Probe => 0.12,
    }
}

fn own_factor(pace: &Pace, operation: Operation) -> f64 {
    pace.operations.iter().find(|(of, _)| *of == operation).map_or(1.0, |(_, factor)| *factor)
}

fn slowed(fault: Option<Fault>) -> f64 {
    if fault == Some(Fault::SlowDown) { SLOWED } else { 1.0 }
}

/// Between 0.8 and 1.2, always the same for the same operation on the same object.
fn jitter(operation: Operation, object: &str) -> f64 {
    0.8 + 0.4 * (seed(&(operation, object)) % 1000) as f64 / 1000.0
}

/// A number that depends on nothing but its argument.
pub(super) fn seed(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
