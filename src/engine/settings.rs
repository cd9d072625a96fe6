//! How an engine is set: bounds, leases and waits.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use domain::blueprint::{Period, Retry};

/// The measures of an engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a worker holds a run without a sign of life; a dead worker's runs are taken over after that.
    pub lease: TimeDelta,
    /// How often a worker renews the leases that it holds.
    pub heartbeat: Duration,
    /// When a due run is looked at again that nobody took.
    pub look_again: TimeDelta,
    /// Steps of one run side by side.
    pub steps_per_run: usize,
    /// Calls of one worker to one outside system side by side, where no bound holds for all workers.
    pub calls_per_provider: usize,
    /// Bounds that hold for all workers together.
    pub bounds: Bounds,
    /// Calls of one worker side by side.
    pub calls_per_worker: usize,
    /// Runs that one worker drives side by side.
    pub runs_per_worker: usize,
    /// An action that has not returned by then counts as failed for now, and is tried again.
    pub longest_call: Duration,
    /// How a step retries whose blueprint says nothing about it.
    pub retry: Retry,
    /// When a provider that does not answer is taken to be away, and how often it is asked then.
    pub patience: Patience,
    /// How long a worker that is told to stop waits for the calls it has begun.
    pub grace: Duration,
    /// Log lines are kept at most this long before they are written.
    pub log_delay: Duration,
    /// A number from 0 up to 1, new at each call; spreads retries, so that they do not all come at once.
    pub chance: fn() -> f64,
}

/// What all workers together do side by side at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Calls to a provider, by its key.
    pub providers: BTreeMap<String, usize>,
    /// Runs of a blueprint that are in the hands of workers, by its name.
    pub blueprints: BTreeMap<String, usize>,
}

/// How silent a provider may be.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// So many calls in a row without an answer, of whichever runs, say that it is away.
    pub silences: u32,
    /// How long nobody calls it then; twice as long after each call that finds it still away.
    pub cool_down: TimeDelta,
    /// No cool-down is longer.
    pub longest_cool_down: TimeDelta,
}

impl Default for Patience {
    fn default() -> Self {
        Self { silences: 3, cool_down: TimeDelta::seconds(5), longest_cool_down: TimeDelta::seconds(60) }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: TimeDelta::seconds(15),
            heartbeat: Duration::from_secs(4),
            look_again: TimeDelta::seconds(30),
            steps_per_run: 8,
            calls_per_provider: 16,
            bounds: Bounds::default(),
            calls_per_worker: 48,
            runs_per_worker: 64,
            longest_call: Duration::from_secs(15 * 60),
            retry: Retry { attempts: 6, wait: Period { seconds: 2 }, at_most: Period { seconds: 120 } },
            patience: Patience::default(),
            grace: Duration::from_secs(10),
            log_delay: Duration::from_millis(400),
            chance: rand::random::<f64>,
        }
    }
}
