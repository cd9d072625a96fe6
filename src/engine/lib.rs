//! How a run is carried through crashes: leases, one transaction a step, retries, pauses, compensation.
//! The engine knows no action by name and no outside system.
//!
//! The way of a run: [`Engine::enqueue`] writes it with the reason for it; [`queue`] brings it to a worker; [`drive`]
//! takes its [lease](lease) and carries it as far as it goes; what a person decides comes in through [`mend`].

pub mod action;
mod advance;
mod ailment;
mod attempt;
mod circuit;
mod commit;
mod compensate;
mod draft;
mod drive;
mod enqueue;
mod gate;
mod hub;
mod input;
mod journal;
mod lean;
mod lease;
mod log;
mod look;
pub mod mend;
mod outage;
mod place;
#[cfg(test)]
mod proof;
mod queue;
pub mod retire;
mod retry;
mod settings;
mod share;
mod sweep;
mod tally;
mod turn;
mod undo_order;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use action::{Action, ActionError, Failure, Outcome, Record, StepLog, Work};
use domain::action::{Shape, Signature};
use domain::ids::RunId;
use domain::outage::Outage;
use domain::ports::clock::Clock;
use domain::run::{Run, RunEvent};
use domain::site::provider_key;
pub use enqueue::NewRun;
pub use gate::{Asked, Consequences, Gate, Told};
pub use queue::QueueError;
pub use settings::{Bounds, Settings};
use store::{DbErr, Store};
pub use tally::Tally;
use tokio::sync::{Notify, broadcast};
pub use worker::{Worker, host};

/// The engine: writes runs, carries them, tells of them. Cheap to clone; every clone is the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

struct Parts {
    store: Store,
    clock: Arc<dyn Clock>,
    /// The actions of each site.
    actions: BTreeMap<String, HashMap<&'static str, Known>>,
    consequences: Arc<dyn Consequences>,
    committer: commit::Committer,
    settings: Settings,
    hub: hub::Hub,
    places: place::Places,
    circuits: Arc<circuit::Circuits>,
    bell: Arc<look::Bell>,
    queued: look::Queued,
    swept: sweep::Swept,
    driving: Arc<AtomicUsize>,
    counter: tally::Counter,
    /// Told when a run was let go until a time, so that the sweeper knows of it.
    rested: Notify,
}

/// An action with its schemas read.
struct Known {
    action: Arc<dyn Action>,
    /// The key of the outside system that it calls: of one among several sites, with the site's name.
    provider: Option<Arc<str>>,
    signature: Signature,
    input: Shape,
    output: Shape,
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("two actions are called `{0}`")]
    Twice(&'static str),
    #[error("the {side} schema of the action `{action}` is none: {why}")]
    Schema { action: &'static str, side: &'static str, why: String },
    #[error("the database does not write commits through to the disk, so that a power cut would lose approvals")]
    NotDurable,
    #[error("the database did not answer")]
    Database(#[from] DbErr),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Engine {
    /// An engine over this database that knows these actions, by the site at which they work.
    pub async fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        actions: BTreeMap<String, Vec<Arc<dyn Action>>>,
        consequences: Arc<dyn Consequences>,
        settings: Settings,
    ) -> Result<Self, SetupError> {
        queue::prepare(&store).await?;
        if !store.is_durable().await? {
            return Err(SetupError::NotDurable);
        }
        let several = actions.len() > 1;
        let known = actions.into_iter().map(|(site, actions)| {
            let known = Known::all(actions, several.then_some(&site))?;
            Ok((site, known))
        });
        let known = known.collect::<Result<_, SetupError>>()?;
        let shared = settings.bounds.providers.keys();
        let places = place::Places::new(settings.calls_per_worker, settings.calls_per_provider, shared);
        let circuits = Arc::new(circuit::Circuits::new(Arc::clone(&clock), settings.patience));
        let committer = commit::Committer::start(&store, &consequences);
        Ok(Self(Arc::new(Parts {
            store,
            clock,
            actions: known,
            consequences,
            committer,
            settings,
            hub: hub::Hub::new(),
            places,
            circuits,
            bell: Arc::default(),
            queued: look::Queued::default(),
            swept: sweep::Swept::default(),
            driving: Arc::default(),
            counter: tally::Counter::default(),
            rested: Notify::new(),
        })))
    }

    /// Tells the workers of this process that a run was enqueued or changed; call it after the commit.
    pub fn wake(&self, run: RunId) {
        self.0.hub.changed(run);
        self.0.bell.ring();
    }

    /// What happens to runs from now on, in this process. Who lags behind reads up from the database.
    pub fn subscribe(&self) -> broadcast::Receiver<RunEvent> {
        self.0.hub.events()
    }

    /// The signature of an action, as far as this version of Gatehouse knows it.
    pub fn signature(&self, action: &str) -> Option<&Signature> {
        self.0.actions.values().find_map(|known| known.get(action)).map(|known| &known.signature)
    }

    /// The action of a run's step, at the run's site.
    pub(crate) fn known(&self, run: &Run, at: usize) -> Result<&Known, ActionError> {
        let (site, action) = (&run.site, &run.workflow[at].action);
        let Some(known) = self.0.actions.get(site) else {
            return Err(ActionError::permanent(
                format!("The site `{site}`, where this is built, is not in the settings."),
                format!("Put `[sites.{site}]` back into the settings of every worker, start it anew, and try again."),
            ));
        };
        known.get(action.as_str()).ok_or_else(|| {
            ActionError::permanent(
                format!("This version of Gatehouse knows no action `{action}`."),
                "Bring all workers to the version that published the blueprint, then try again.",
            )
        })
    }

    /// The providers that actions call.
    pub fn providers(&self) -> BTreeSet<&str> {
        self.0.actions.values().flat_map(HashMap::values).filter_map(|known| known.provider.as_deref()).collect()
    }

    /// How many calls a provider gets side by side; and whether that holds for all workers together, or for each.
    pub fn calls_to(&self, provider: &str) -> (usize, bool) {
        let settings = &self.0.settings;
        match settings.bounds.providers.get(provider) {
            Some(bound) => (*bound, true),
            None if provider == place::WORKER => (settings.calls_per_worker, false),
            None => (settings.calls_per_provider, false),
        }
    }

    /// How many runs of a blueprint are at work side by side at most.
    pub fn runs_of(&self, blueprint: &str) -> Option<usize> {
        self.0.settings.bounds.blueprints.get(blueprint).copied()
    }

    /// The providers that this process found to be away.
    pub(crate) fn outages(&self) -> Vec<Outage> {
        self.0.circuits.outages()
    }

    /// What this process counted of the steps that it carried.
    pub fn tally(&self) -> Tally {
        self.0.counter.read()
    }

    /// How many runs are driven now, in this process.
    pub(crate) fn busy(&self) -> usize {
        self.0.driving.load(Ordering::Relaxed)
    }
}

impl Known {
    /// These actions by their names; `site` says of which of several sites they are.
    fn all(actions: Vec<Arc<dyn Action>>, site: Option<&String>) -> Result<HashMap<&'static str, Self>, SetupError> {
        let mut known = HashMap::new();
        for action in actions {
            let entry = Self::read(action, site)?;
            let name = entry.signature.name;
            if known.insert(name, entry).is_some() {
                return Err(SetupError::Twice(name));
            }
        }
        Ok(known)
    }

    fn read(action: Arc<dyn Action>, site: Option<&String>) -> Result<Self, SetupError> {
        let signature = action.signature();
        let shape =
            |side, schema| Shape::of(schema).map_err(|why| SetupError::Schema { action: signature.name, side, why });
        let (input, output) = (shape("input", &signature.input)?, shape("output", &signature.output)?);
        let site = site.filter(|_| signature.is_of_site);
        let key = |provider| site.map_or_else(|| Arc::from(provider), |site| provider_key(provider, site).into());
        Ok(Self { provider: signature.provider.map(key), action, input, output, signature })
    }
}

#[cfg(test)]
mod tests;
