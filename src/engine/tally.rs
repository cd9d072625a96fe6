//! What this process counts of the steps that it carries: how each action's steps ended, and how long they took.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use domain::step::{Step, StepState};

/// Upper bounds of the buckets of durations, in seconds.
const BOUNDS: [f64; 9] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];

/// How long the steps of an action took, from the first call to the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Durations {
    /// Seconds of all of them together.
    pub sum: f64,
    pub count: u64,
    /// How many fell into each bucket.
    within: [u64; BOUNDS.len()],
}

impl Durations {
    fn add(&mut self, seconds: f64) {
        self.sum += seconds;
        self.count += 1;
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.within[bucket] += 1;
        }
    }

    /// The buckets: upper bound in seconds, and how many fell into it; the last one has no bound.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let beyond = self.count - self.within.iter().sum::<u64>();
        BOUNDS.into_iter().zip(self.within).chain([(f64::MAX, beyond)]).collect()
    }
}

/// The counts since the process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Steps by action and what they came to: `done`, `retrying`, `failed`, `skipped`, `undone` or `undo_failed`.
    pub ended: BTreeMap<(String, &'static str), u64>,
    /// Durations of the steps that were done, by action.
    pub took: BTreeMap<String, Durations>,
}

#[derive(Default)]
pub(crate) struct Counter(Mutex<Tally>);

impl Counter {
    /// Counts a step that changed, if it came to something.
    pub(crate) fn count(&self, action: &str, step: &Step) {
        use StepState::{Done, Failed, Retrying, Skipped, UndoFailed, Undone};
        // A step that waits for a provider has come to nothing.
        if step.waits_for.is_some() || !matches!(step.state, Done | Failed | Retrying | Skipped | UndoFailed | Undone) {
            return;
        }
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.ended.entry((action.to_owned(), step.state.word())).or_default() += 1;
        if let (Done, Some(from), Some(to)) = (step.state, step.started_at, step.ended_at) {
            let seconds = (to - from).as_seconds_f64();
            tally.took.entry(action.to_owned()).or_default().add(seconds);
        }
    }

    pub(crate) fn read(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_into_one_bucket() {
        let mut took = Durations::default();
        [0.05, 0.1, 2.0, 10_000.0].into_iter().for_each(|seconds| took.add(seconds));
        let buckets = took.buckets();
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert_eq!((buckets[0].1, buckets[3].1, buckets[9].1), (2, 1, 1));
        assert_eq!(took.count, 4);
    }
}
