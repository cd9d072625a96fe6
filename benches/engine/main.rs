//! How fast the engine carries runs whose steps do nothing: a closed loop with so many runs in flight.
//!
//! `cargo bench -p engine --bench engine -- --url postgres://… --runs 2000 --in-flight 8 --steps 8` prints one line of
//! JSON. `benches/engine/compare.py` runs it beside other engines on the same PostgreSQL. `--idle 10000` instead lets so
//! many runs wait, and prints what they cost; `--order-only` orders the runs and leaves, `--work-only` carries what others
//! have ordered until its standard input ends.

mod apart;
mod idle;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::action::Signature;
use domain::blueprint::plan::{Bindings, PlannedStep, PlannedWork, Responsibilities};
use domain::ids::{ProjectId, RunId};
use domain::ports::clock::Clock;
use domain::resource::Intent;
use domain::run::{EventKind, Run, RunKind};
use domain::site::SIMULATED;
use domain::workflow::WorkflowStep;
use engine::{
    Action, ActionError, Asked, Consequences, Engine, Gate, NewRun, Outcome, Record, Settings, Told, Work, Worker,
};
use serde_json::{Value, json};
use store::{DbErr, Store, Tx};
use tokio::sync::{broadcast, oneshot};

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a clock asks the system for the time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// Does nothing, and is done.
struct Nothing;

#[async_trait]
impl Action for Nothing {
    fn signature(&self) -> Signature {
        let anything = json!({ "type": "object" });
        Signature {
            name: "bench.nothing",
            title: "Do nothing",
            undo_title: "Undo nothing",
            summary: "Does nothing.",
            input: anything.clone(),
            output: anything,
            provider: None,
            is_of_site: true,
        }
    }

    fn intend(&self, _: &Work) -> Result<Vec<Intent>, ActionError> {
        Ok(Vec::new())
    }

    async fn run(&self, _: &Work) -> Result<Outcome, ActionError> {
        Ok(Outcome::Done(Record { output: json!({}), ..Record::default() }))
    }

    async fn undo(&self, _: &Work) -> Result<Outcome, ActionError> {
        Ok(Outcome::Done(Record::default()))
    }
}

/// A house in which every run may begin, and nothing follows from it.
struct NoHouse;

#[async_trait]
impl Consequences for NoHouse {
    async fn may_begin(&self, _: &Tx, _: &Run) -> Result<Gate, DbErr> {
        Ok(Gate::Open)
    }

    async fn run_changed(&self, _: &Tx, _: &Run, _: DateTime<Utc>) -> Result<(), DbErr> {
        Ok(())
    }

    async fn tell(&self, _: &Tx, _: Told<'_>, _: DateTime<Utc>) -> Result<String, DbErr> {
        Ok(String::new())
    }

    async fn ask(&self, _: &Tx, _: Asked<'_>, _: DateTime<Utc>) -> Result<Option<String>, DbErr> {
        Ok(None)
    }

    async fn withdraw(&self, _: &Tx, _: RunId, _: &str, _: &str, _: DateTime<Utc>) -> Result<(), DbErr> {
        Ok(())
    }
}

/// Who waits for the end of which run.
type Waiting = Arc<Mutex<HashMap<RunId, oneshot::Sender<()>>>>;

/// What is measured.
struct Load {
    url: String,
    runs: usize,
    in_flight: usize,
    steps: usize,
    /// How many runs wait while nothing else is done; none for a load of runs that do nothing.
    idle: usize,
    part: Part,
}

/// Which part of the load this process takes.
#[derive(PartialEq)]
enum Part {
    Order,
    Work,
    Both,
}

impl Load {
    fn from_arguments() -> Result<Self, Failure> {
        let given: Vec<String> = std::env::args().collect();
        let value = |name: &str| {
            given.iter().position(|argument| argument == name).and_then(|at| given.get(at + 1)).map(String::as_str)
        };
        let is_told = |name: &str| given.iter().any(|argument| argument == name);
        Ok(Self {
            url: value("--url").ok_or("--url names the database")?.to_owned(),
            runs: value("--runs").unwrap_or("500").parse()?,
            in_flight: value("--in-flight").unwrap_or("8").parse()?,
            steps: value("--steps").unwrap_or("8").parse()?,
            idle: value("--idle").unwrap_or("0").parse()?,
            part: match (is_told("--order-only"), is_told("--work-only")) {
                (true, _) => Part::Order,
                (_, true) => Part::Work,
                _ => Part::Both,
            },
        })
    }

    /// A chain: each step needs the one before.
    fn run(&self) -> NewRun {
        let action = if self.idle == 0 { "bench.nothing" } else { "bench.wait" };
        let step = |n: usize| {
            let planned = PlannedStep {
                key: format!("s{n}"),
                id: format!("s{n}"),
                work: PlannedWork::Do(action.to_owned()),
                title: "Nothing".to_owned(),
                name: None,
                needs: n.checked_sub(1).map(|before| format!("s{before}")).into_iter().collect(),
                each: None,
                with: json!({}),
                when: None,
                skip: None,
                retry: None,
            };
            WorkflowStep { planned, action: action.to_owned(), takes_back: None }
        };
        NewRun {
            deployment: store::fresh_id(),
            project: ProjectId(uuid::Uuid::nil()),
            site: SIMULATED.to_owned(),
            request: None,
            kind: RunKind::Provision,
            title: "Nothing".to_owned(),
            blueprint: "bench".to_owned(),
            version: "1.0.0".to_owned(),
            action: None,
            workflow: (0..self.steps).map(step).collect(),
            bindings: Bindings::default(),
            responsible: Responsibilities { platform: "ops".to_owned(), application: "dev".to_owned() },
        }
    }
}

/// Carries one run from its order to its end; how long that took.
async fn carry(engine: &Engine, store: &Store, load: &Load, waiting: &Waiting) -> Result<Duration, Failure> {
    let began = Instant::now();
    let tx = store.begin_step().await?;
    let run = engine.enqueue(&tx, load.run()).await.map_err(|trouble| trouble.what)?;
    let (tell, told) = oneshot::channel();
    waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(run, tell);
    tx.commit().await?;
    engine.wake(run);
    told.await?;
    Ok(began.elapsed())
}

/// Tells those who wait when their runs are done.
async fn listen(mut events: broadcast::Receiver<domain::run::RunEvent>, waiting: Waiting) {
    while let Ok(event) = events.recv().await {
        if event.kind == EventKind::Run && event.line == "Done." {
            let told = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&event.run);
            // Whoever waited may have given up.
            told.map(|told| told.send(()));
        }
    }
}

/// Processor time of this process so far, in milliseconds.
fn processor_ms() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no such process")?.1.split_whitespace().collect();
    // Clock ticks of 10 ms: `man 5 proc`, fields 14 and 15.
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) * 10.0)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let load = Arc::new(Load::from_arguments()?);
    let store = Store::open(&load.url).await?;
    let settings = Settings { runs_per_worker: load.in_flight.max(1), ..Settings::default() };
    let actions: Vec<Arc<dyn Action>> = vec![Arc::new(Nothing), Arc::new(idle::Patience)];
    let actions = BTreeMap::from([(SIMULATED.to_owned(), actions)]);
    let engine = Engine::new(store.clone(), Arc::new(SystemClock), actions, Arc::new(NoHouse), settings).await?;
    if load.part == Part::Order {
        return apart::order(&engine, &store, &load, load.runs).await;
    }
    let waiting = Waiting::default();
    tokio::spawn(listen(engine.subscribe(), Arc::clone(&waiting)));
    let worker = Worker::start(&engine);
    if load.part == Part::Work {
        apart::until_told().await?;
        worker.stop().await;
        return Ok(());
    }
    if load.idle > 0 {
        idle::measure(&engine, &store, &load).await?;
        worker.stop().await;
        return Ok(());
    }
    carry(&engine, &store, &load, &waiting).await?;

    let (began, processor, commits) = (Instant::now(), processor_ms()?, store.commits());
    let mut lanes = tokio::task::JoinSet::new();
    for lane in 0..load.in_flight {
        let (engine, store, load, waiting) = (engine.clone(), store.clone(), Arc::clone(&load), Arc::clone(&waiting));
        lanes.spawn(async move {
            let mut times = Vec::new();
            for _ in (lane..load.runs).step_by(load.in_flight) {
                times.push(carry(&engine, &store, &load, &waiting).await?.as_secs_f64() * 1_000.0);
            }
            Ok::<_, Failure>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        times.extend(lane??);
    }
    let seconds = began.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    let runs = times.len() as f64;
    let told: Value = json!({
        "runs_per_second": runs / seconds,
        "steps_per_second": runs * load.steps as f64 / seconds,
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "processor_ms_per_run": (processor_ms()? - processor) / runs,
        "commits_per_run": (store.commits() - commits) as f64 / runs,
    });
    println!("{told}");
    worker.stop().await;
    Ok(())
}
