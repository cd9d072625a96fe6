//! A circuit breaker for each outside system: one that does not answer is left in peace, and what needs it waits.
//!
//! The calls of all runs of this process are counted together. After so many in a row without an answer the provider
//! is away: nobody calls it until a cool-down is over, then one call is let through to see. An answer, a refusal too,
//! says that it is back; silence makes the next cool-down twice as long, up to a bound.
//!
//! Each process finds out by itself, and forgets when it ends: the few calls that this costs are what their steps would
//! have made anyway. What a worker found out is told with its sign of life, for operators (see [`crate::worker`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use domain::outage::Outage;
use domain::ports::clock::Clock;
use tokio::sync::watch;

use crate::settings::Patience;
use crate::{ActionError, Failure, Outcome};

/// The circuits of this process.
pub(crate) struct Circuits {
    clock: Arc<dyn Clock>,
    patience: Patience,
    circuits: Mutex<BTreeMap<Arc<str>, Circuit>>,
    changed: watch::Sender<u64>,
}

/// What is known of one provider.
#[derive(Default)]
struct Circuit {
    /// Calls in a row that were not answered.
    silences: u32,
    open: Option<Open>,
    /// When the first of the silences was heard.
    since: Option<DateTime<Utc>>,
}

/// The provider is away.
struct Open {
    outage: Outage,
    cool_down: TimeDelta,
}

/// Leave to make one call.
pub(crate) struct Pass {
    circuits: Arc<Circuits>,
    provider: Option<Arc<str>>,
    /// Whether it is the call that finds out whether the provider is back.
    asks: bool,
}

/// What a call says of its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing new.
    Nothing,
    /// It did not answer, and is away.
    Away(Outage),
    /// It was away, and answers again.
    Back(Arc<str>),
}

impl Circuits {
    pub(crate) fn new(clock: Arc<dyn Clock>, patience: Patience) -> Self {
        Self { clock, patience, circuits: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Leave to call a provider; refused while it is away, but for one call each time the cool-down is over.
    pub(crate) fn admit(self: &Arc<Self>, provider: Option<&Arc<str>>) -> Result<Pass, Outage> {
        let pass = |asks| Pass { circuits: Arc::clone(self), provider: provider.cloned(), asks };
        let now = self.clock.now();
        let mut circuits = self.locked();
        let open = provider.and_then(|name| circuits.get_mut(name)?.open.as_mut());
        match open {
            None => Ok(pass(false)),
            Some(open) if open.outage.next_try <= now => {
                open.outage.next_try = now + open.cool_down;
                Ok(pass(true))
            }
            Some(open) => Err(open.outage.clone()),
        }
    }

    /// Whether a provider is not known to be away.
    pub(crate) fn answers(&self, provider: &str) -> bool {
        self.locked().get(provider).is_none_or(|circuit| circuit.open.is_none())
    }

    /// The providers that are away.
    pub(crate) fn outages(&self) -> Vec<Outage> {
        self.locked().values().filter_map(|circuit| Some(circuit.open.as_ref()?.outage.clone())).collect()
    }

    /// Changes whenever a provider is found to be away, still away, or back.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn silence(&self, provider: &Arc<str>, asked: bool, why: &str) -> Heard {
        let now = self.clock.now();
        let mut circuits = self.locked();
        let circuit = circuits.entry(Arc::clone(provider)).or_default();
        circuit.silences += 1;
        let since = *circuit.since.get_or_insert(now);
        if circuit.open.is_none() && circuit.silences < self.patience.silences {
            return Heard::Nothing;
        }
        let cool_down = match &circuit.open {
            None => self.patience.cool_down,
            Some(open) if asked => (open.cool_down * 2).min(self.patience.longest_cool_down),
            // Called before it was known to be away; the next try stands already.
            Some(open) => return Heard::Away(open.outage.clone()),
        };
        let outage = Outage { provider: provider.to_string(), since, next_try: now + cool_down, why: why.to_owned() };
        circuit.open = Some(Open { outage: outage.clone(), cool_down });
        drop(circuits);
        tracing::warn!(%provider, %since, seconds = cool_down.num_seconds(), "a provider is away: {why}");
        self.tell();
        Heard::Away(outage)
    }

    fn answer(&self, provider: &Arc<str>) -> Heard {
        let Some(circuit) = self.locked().remove(provider) else { return Heard::Nothing };
        if circuit.open.is_none() {
            return Heard::Nothing;
        }
        tracing::info!(%provider, "a provider answers again");
        self.tell();
        Heard::Back(Arc::clone(provider))
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Takes in what the call came to.
    pub(crate) fn heard(mut self, result: &Result<Outcome, ActionError>) -> Heard {
        let asks = std::mem::take(&mut self.asks);
        let Some(provider) = &self.provider else { return Heard::Nothing };
        match result {
            Err(error) => match error.failure {
                Failure::Away => self.circuits.silence(provider, asks, &error.what),
                Failure::Permanent | Failure::Transient => self.circuits.answer(provider),
                Failure::Bug => Heard::Nothing,
            },
            Ok(_) => self.circuits.answer(provider),
        }
    }
}

impl Drop for Pass {
    /// When the call is not made after all, or nothing is heard of it, another one may ask instead.
    fn drop(&mut self) {
        if !self.asks {
            return;
        }
        let mut circuits = self.circuits.locked();
        let open = self.provider.as_ref().and_then(|name| circuits.get_mut(name)?.open.as_mut());
        if let Some(open) = open {
            open.outage.next_try = self.circuits.clock.now();
        }
    }
}
