//! The engine's test kit: drives runs in this process, on a clock that stands still, over a real database; bends the
//! calls of actions, so that each step can be made to fail, to lose its answer, or to be called twice.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::action::Signature;
use domain::blueprint::plan::{Bindings, PlannedStep, PlannedWork, Responsibilities};
use domain::ids::{DeploymentId, ProjectId, RunId};
use domain::ports::clock::Clock;
use domain::resource::{Intent, Tie};
use domain::run::{Run, RunKind, RunState};
use domain::step::Step;
use domain::task::Wanted;
use domain::workflow::WorkflowStep;
use serde_json::Value;
use store::{DbErr, Store, Tx};
use test_database::TestDatabase;
use tokio::sync::watch;

use crate::commit::{self, Wish};
use crate::drive::{Drive, DriveError};
use crate::{Action, ActionError, Asked, Consequences, Engine, Gate, NewRun, Outcome, Settings, Told, Work};

/// Where a proof's runs work unless they say otherwise.
const SITE: &str = "dc1";

/// What is made to happen to one call of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bend {
    /// Fails for now, before it does anything.
    Transient,
    /// Does nothing and never answers.
    Silent,
    /// Fails for good, before it does anything.
    Permanent,
    /// Does its work, but the answer is lost.
    LostAnswer,
    /// Does its work, and then fails for good.
    PermanentAfter,
    /// Is called twice, as after a crash.
    Twice,
    Panic,
    /// Does its work, and returns 10 MB.
    Large,
    /// Never returns.
    Hang,
    /// Asks to be called again after so many seconds.
    Wait(i64),
}

/// Which call of a step is bent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Run,
    Undo,
}

/// A database, an engine over it, and a clock that the test winds.
pub(crate) struct Proof {
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) house: Arc<House>,
    bends: Arc<Bends>,
    deployment: DeploymentId,
    /// The actions as the engine knows them, and how it is set.
    known: (AtSites, Settings),
    pub(crate) database: TestDatabase,
}

/// Actions by the site at which they work.
type AtSites = BTreeMap<String, Vec<Arc<dyn Action>>>;
/// The bends that are still to come, by step and side.
type Bends = Mutex<HashMap<(String, Side), VecDeque<Bend>>>;

impl Proof {
    /// An engine that knows these actions, with settings fit for tests: no jitter.
    pub(crate) async fn new(actions: Vec<Arc<dyn Action>>, settings: Settings) -> Self {
        Self::at_sites(BTreeMap::from([(SITE.to_owned(), actions)]), settings).await
    }

    /// The same with several sites.
    pub(crate) async fn at_sites(actions: AtSites, settings: Settings) -> Self {
        let database = TestDatabase::create().await;
        let store = Store::open(database.address()).await.expect("a new database opens");
        let clock = Arc::new(HandClock::default());
        let house = Arc::new(House::default());
        let bends = Arc::<Bends>::default();
        let bend = |action| Arc::new(Bent { action, bends: Arc::clone(&bends) }) as Arc<dyn Action>;
        let bent = actions.into_iter().map(|(site, actions)| (site, actions.into_iter().map(bend).collect())).collect();
        let known = (bent, Settings { chance: || 0.5, ..settings });
        let engine = engine(&store, &clock, &house, known.clone()).await;
        Self { engine, store, clock, house, bends, deployment: store::fresh_id(), known, database }
    }

    /// The engine of another process, on the same database.
    pub(crate) async fn another_engine(&self) -> Engine {
        engine(&self.store, &self.clock, &self.house, self.known.clone()).await
    }

    /// Bends the next calls of a step, in this order.
    pub(crate) fn bend(&self, key: &str, side: Side, bends: &[Bend]) {
        locked(&self.bends).entry((key.to_owned(), side)).or_default().extend(bends);
    }

    /// What follows is of another deployment, with no bend to come.
    pub(crate) fn turn_to_a_new_deployment(&mut self) {
        self.deployment = store::fresh_id();
        locked(&self.bends).clear();
    }

    /// Enqueues a run of this workflow, of the proof's deployment.
    pub(crate) async fn enqueue(&self, workflow: Vec<WorkflowStep>) -> RunId {
        self.enqueue_run(self.order(workflow)).await
    }

    pub(crate) async fn enqueue_run(&self, new: NewRun) -> RunId {
        let tx = self.store.begin().await.expect("the database answers");
        let run = self.engine.enqueue(&tx, new).await.expect("the run is enqueued");
        tx.commit().await.expect("the database takes it");
        run
    }

    /// What [`Proof::enqueue`] enqueues.
    pub(crate) fn order(&self, workflow: Vec<WorkflowStep>) -> NewRun {
        NewRun {
            deployment: self.deployment,
            project: ProjectId(uuid::Uuid::nil()),
            site: SITE.to_owned(),
            request: None,
            kind: RunKind::Provision,
            title: "Proof".to_owned(),
            blueprint: "proof".to_owned(),
            version: "1.0.0".to_owned(),
            action: None,
            workflow,
            bindings: Bindings::default(),
            responsible: Responsibilities { platform: "ops".to_owned(), application: "dev".to_owned() },
        }
    }

    /// The deployment of the runs that are enqueued.
    pub(crate) fn deployment(&self) -> DeploymentId {
        self.deployment
    }

    /// Drives a run once, as a worker of this name would.
    pub(crate) async fn drive_as(&self, run: RunId, worker: &str) -> Result<Drive, DriveError> {
        let (_stop, stopped) = watch::channel(false);
        let wish = Wish { engine: self.engine.clone(), worker: worker.to_owned(), runs: commit::Wanted::This(run) };
        match self.engine.begin(wish).await?.begun.pop() {
            Some(begun) => self.engine.carry(begun, stopped).await,
            None => Ok(Drive::NotTaken),
        }
    }

    /// Drives a run until only a person can move it on, or it has ended; winds the clock through its waits.
    pub(crate) async fn carry(&self, run: RunId) -> Run {
        loop {
            self.drive_as(run, "proof").await.expect("the drive does not break off");
            let (found, _) = self.read(run).await;
            match found.wake_at {
                Some(due) if found.state.can_be_driven() => self.clock.wind_to(due),
                _ => return found,
            }
        }
    }

    /// The run and its steps as the database has them.
    pub(crate) async fn read(&self, run: RunId) -> (Run, Vec<Step>) {
        let found = store::run::find(&self.store, run).await.expect("the database answers").expect("the run is there");
        let steps = store::step::of_run(&self.store, &found).await.expect("the database answers");
        (found, steps)
    }
}

async fn engine(
    store: &Store,
    clock: &Arc<HandClock>,
    house: &Arc<House>,
    (actions, settings): (AtSites, Settings),
) -> Engine {
    let time: Arc<dyn Clock> = clock.clone();
    Engine::new(store.clone(), time, actions, house.clone(), settings).await.expect("the engine starts")
}

/// A step that calls an action, after the steps that it needs.
pub(crate) fn step(key: &str, action: &str, needs: &[&str], with: Value) -> WorkflowStep {
    let id = key.split('[').next().unwrap_or(key).to_owned();
    let planned = PlannedStep {
        key: key.to_owned(),
        id,
        work: PlannedWork::Do(action.to_owned()),
        title: key.to_owned(),
        name: None,
        needs: needs.iter().map(|&need| need.to_owned()).collect(),
        each: None,
        with,
        when: None,
        skip: None,
        retry: None,
    };
    WorkflowStep { planned, action: action.to_owned(), takes_back: None }
}

/// A clock that stands still until it is wound.
pub(crate) struct HandClock {
    time: Mutex<DateTime<Utc>>,
    asked: AtomicU64,
}

impl Default for HandClock {
    fn default() -> Self {
        Self { time: Mutex::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)), asked: AtomicU64::new(0) }
    }
}

impl HandClock {
    pub(crate) fn wind(&self, by: TimeDelta) {
        *locked(&self.time) += by;
    }

    /// How often anybody asked for the time: what does nothing asks seldom.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn wind_to(&self, time: DateTime<Utc>) {
        let mut now = locked(&self.time);
        *now = time.max(*now);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        *locked(&self.time)
    }
}

/// Stands for what is around the engine: keeps the gate, remembers what it was told.
#[derive(Default)]
pub(crate) struct House {
    stumbles: Mutex<Option<RunId>>,
    closed: Mutex<Option<String>>,
    told: Mutex<Vec<RunState>>,
    notices: Mutex<Vec<(String, String)>>,
    asked: Mutex<BTreeMap<String, Wanted>>,
}

impl House {
    /// No run may begin any more.
    pub(crate) fn close(&self, why: &str) {
        *locked(&self.closed) = Some(why.to_owned());
    }

    /// Breaks down whenever it is asked about this run.
    pub(crate) fn stumble_over(&self, run: Option<RunId>) {
        *locked(&self.stumbles) = run;
    }

    /// What steps told people, by the step.
    pub(crate) fn notices(&self) -> Vec<(String, String)> {
        locked(&self.notices).clone()
    }

    /// What people are asked for, by the step that asks.
    pub(crate) fn asked(&self) -> BTreeMap<String, Wanted> {
        locked(&self.asked).clone()
    }

    /// The states that runs came to, in order.
    pub(crate) fn told(&self) -> Vec<RunState> {
        locked(&self.told).clone()
    }
}

#[async_trait]
impl Consequences for House {
    async fn may_begin(&self, _: &Tx, run: &Run) -> Result<Gate, DbErr> {
        assert_ne!(*locked(&self.stumbles), Some(run.id), "the house stumbles");
        Ok(locked(&self.closed).clone().map_or(Gate::Open, Gate::Closed))
    }

    async fn run_changed(&self, _: &Tx, run: &Run, _: DateTime<Utc>) -> Result<(), DbErr> {
        locked(&self.told).push(run.state);
        Ok(())
    }

    async fn tell(&self, _: &Tx, told: Told<'_>, _: DateTime<Utc>) -> Result<String, DbErr> {
        locked(&self.notices).push((told.step.to_owned(), told.notice.subject.clone()));
        Ok("Everybody is told.".to_owned())
    }

    async fn ask(&self, _: &Tx, asked: Asked<'_>, _: DateTime<Utc>) -> Result<Option<String>, DbErr> {
        let new =
            locked(&self.asked).insert(asked.step.to_owned(), asked.wanted.clone()).as_ref() != Some(asked.wanted);
        Ok(new.then(|| "Somebody is asked.".to_owned()))
    }

    async fn withdraw(&self, _: &Tx, _: RunId, step: &str, _: &str, _: DateTime<Utc>) -> Result<(), DbErr> {
        locked(&self.asked).remove(step);
        Ok(())
    }
}

/// An action whose calls can be bent.
struct Bent {
    action: Arc<dyn Action>,
    bends: Arc<Bends>,
}

impl Bent {
    async fn call(&self, work: &Work, side: Side) -> Result<Outcome, ActionError> {
        match side {
            Side::Run => self.action.run(work).await,
            Side::Undo => self.action.undo(work).await,
        }
    }

    async fn bent(&self, work: &Work, side: Side) -> Result<Outcome, ActionError> {
        let key = (work.step_key.clone(), side);
        let bend = locked(&self.bends).get_mut(&key).and_then(VecDeque::pop_front);
        match bend {
            None => self.call(work, side).await,
            Some(Bend::Transient) => Err(ActionError::transient("The system is away for now.", "Wait for it.")),
            Some(Bend::Silent) => Err(ActionError::away("The world did not answer.", "Wait for it.")),
            Some(Bend::Permanent) => Err(ActionError::permanent("The system refused.", "Ask its operators.")),
            Some(Bend::LostAnswer) => {
                self.call(work, side).await?;
                Err(ActionError::away("The answer was lost.", "Wait."))
            }
            Some(Bend::PermanentAfter) => {
                self.call(work, side).await?;
                Err(ActionError::permanent("The system did it, and then refused.", "Ask its operators."))
            }
            Some(Bend::Twice) => {
                self.call(work, side).await?;
                self.call(work, side).await
            }
            Some(Bend::Panic) => panic!("bent to panic"),
            Some(Bend::Large) => match self.call(work, side).await? {
                Outcome::Done(record) => {
                    let output = serde_json::json!({ "id": "x".repeat(10 * 1024 * 1024) });
                    Ok(Outcome::Done(crate::Record { output, ..record }))
                }
                waits => Ok(waits),
            },
            Some(Bend::Hang) => std::future::pending().await,
            Some(Bend::Wait(seconds)) => Ok(Outcome::Wait {
                until: work.now + TimeDelta::seconds(seconds),
                remember: Value::from(seconds),
                why: format!("It takes {seconds} s."),
            }),
        }
    }
}

#[async_trait]
impl Action for Bent {
    fn signature(&self) -> Signature {
        self.action.signature()
    }

    fn intend(&self, work: &Work) -> Result<Vec<Intent>, ActionError> {
        self.action.intend(work)
    }

    fn ties(&self, work: &Work) -> Result<Vec<Tie>, ActionError> {
        self.action.ties(work)
    }

    async fn run(&self, work: &Work) -> Result<Outcome, ActionError> {
        self.bent(work, Side::Run).await
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        self.bent(work, Side::Undo).await
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
