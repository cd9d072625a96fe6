//! Brings runs to workers. apalis carries "drive run R"; the run's own tables are the truth, so that a job may come
//! twice, late, or never (the sweeper brings it then) without harm.
//!
//! The queue lies in the same database as the runs, so that a job commits with its reason. On PostgreSQL any number of
//! processes share it, and each hears of the others' jobs by `LISTEN`.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{
    Backend, BackendExt, BoxDynError, Data, PollSnapshot, PollStrategy, TaskId, WorkerBuilder, WorkerContext,
    WorkerError,
};
use apalis_core::backend::{BackendConfig, WireFormatBackend};
use apalis_postgres::{PgListener, PgPool, PostgresStorage};
use apalis_sqlite::{SqlitePool, SqliteStorage};
use domain::ids::{ProjectId, RunId};
use domain::run::{RunKind, RunState};
use futures::task::AtomicWaker;
use serde::{Deserialize, Serialize};
use store::job::{Backlog, NewJob, Rank, Waiting};
use store::{DbErr, Neighbour, Pool, Store, Tx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

use crate::Engine;

pub(crate) const QUEUE: &str = "runs";
/// Jobs of another process are looked for this often as long as nothing is heard of the others; those of this process
/// ring the bell.
const IDLE_POLL: Duration = Duration::from_secs(1);
/// What other processes write to the file of SQLite is listened for this often when none has written for so long.
const DROWSY: Duration = Duration::from_secs(5);
const LULL: Duration = Duration::from_secs(60);
/// How often they are looked for all the same while they are heard of.
const QUIET_POLL: Duration = Duration::from_secs(15);
/// A look that was under way when the bell rang may have missed the job, so the queue is looked at again after these.
const LOOK_AGAIN: [Duration; 3] = [Duration::from_millis(5), Duration::from_millis(30), Duration::from_millis(150)];
/// The queue is looked at no more often than this while the bell keeps ringing.
const BREATH: Duration = Duration::from_millis(4);

/// The channel on which PostgreSQL tells of a new job.
const NEW_JOB: &str = "apalis::job::insert";
/// How often a worker tells the queue that it lives.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// How long after a fault the ear is put to the channel again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Why the queue can't be used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the queue's tables could not be brought up to date")]
    Tables(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the queue broke off")]
    Worker(#[source] WorkerError),
}

/// What a job says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DriveRun {
    run: RunId,
}

/// Makes the queue's tables. Its own set-up is not used: it would leave the connection without durable commits.
pub(crate) async fn prepare(store: &Store) -> Result<(), QueueError> {
    let made = match store.pool() {
        Pool::Sqlite(pool) => SqliteStorage::migrations().run(pool).await,
        Pool::Postgres(pool) => PostgresStorage::migrations().run(pool).await,
    };
    made.map_err(|cause| QueueError::Tables(cause.into()))
}

/// Puts a run into the queue; workers see it when the transaction commits.
pub(crate) async fn push(tx: &Tx, run: RunId, project: ProjectId, rank: Rank) -> Result<(), DbErr> {
    let payload = payload(run)?;
    let id = ulid(store::fresh_id());
    store::job::insert(tx, NewJob { queue: QUEUE, id: &id, payload: &payload, project, rank }).await
}

fn payload(run: RunId) -> Result<Vec<u8>, DbErr> {
    serde_json::to_vec(&DriveRun { run }).map_err(|cause| DbErr::Json(cause.to_string()))
}

/// Where a run stands among those that wait for a worker: what is taken down goes before what is built.
pub(crate) fn rank(kind: RunKind, state: RunState) -> Rank {
    match (kind, state) {
        (RunKind::Retire, _) | (_, RunState::Compensating | RunState::Cancelling) => Rank::Urgent,
        (_, RunState::Queued) => Rank::New,
        _ => Rank::Begun,
    }
}

/// Takes jobs out of the queue: the runs they stand for were carried as far as they go.
pub(crate) async fn forget(tx: &Tx, jobs: &[&str]) -> Result<(), DbErr> {
    store::job::remove(tx, jobs).await
}

impl Engine {
    /// How many runs wait for a worker, and since when.
    pub async fn queue(&self) -> Result<Waiting, DbErr> {
        store::job::waiting(&self.0.store, QUEUE).await
    }

    /// What waits for a worker, by project; the longest first.
    pub async fn backlogs(&self) -> Result<Vec<Backlog>, DbErr> {
        store::job::by_project(&self.0.store, QUEUE).await
    }

    /// How many runs are taken before this one, as things stand; nothing when it waits for a worker no more.
    pub async fn before(&self, run: RunId) -> Result<Option<u64>, DbErr> {
        store::job::before(&self.0.store, QUEUE, &payload(run)?).await
    }
}

/// Takes jobs and drives their runs, until told to stop; returns when all its drives have come to rest.
///
/// A job is handed over at once and never waited for: the library does not poll what it has begun while it waits for
/// a handler, and a fetch that was left in the middle would keep the database's only writer from the very drives that
/// are waited for. The bound on runs side by side is therefore kept here, and no jobs are fetched while there is no
/// place for their runs ([`Gated`]).
pub(crate) async fn serve(engine: Engine, worker: String, stop: watch::Receiver<bool>) -> Result<(), QueueError> {
    let desk = Arc::new(Desk::new(engine.0.settings.runs_per_worker));
    let all = u32::try_from(engine.0.settings.runs_per_worker).unwrap_or(u32::MAX);
    let carrier = Carrier { engine, worker, stop, desk: Arc::clone(&desk) };
    let served = match carrier.engine.0.store.pool().clone() {
        Pool::Sqlite(pool) => carrier.serve_sqlite(&pool).await,
        Pool::Postgres(pool) => carrier.serve_postgres(&pool).await,
    };
    // Each drive holds a place; when all are free, all have come to rest.
    let _all = desk.places.acquire_many(all).await;
    served.map_err(QueueError::Worker)
}

/// What a job needs to be carried.
#[derive(Clone)]
struct Carrier {
    engine: Engine,
    worker: String,
    stop: watch::Receiver<bool>,
    desk: Arc<Desk>,
}

/// Hands a job over to a task of its own, so that runs are driven side by side on all cores.
async fn take(job: DriveRun, id: TaskId, carrier: Data<Carrier>) -> Result<(), BoxDynError> {
    // Taken here, before the library looks for the next job.
    let place = Arc::clone(&carrier.desk.places).try_acquire_owned().ok();
    tokio::spawn((*carrier).clone().carry(job.run, id.to_string(), place));
    Ok(())
}

impl Carrier {
    async fn serve_sqlite(self, pool: &SqlitePool) -> Result<(), WorkerError> {
        let config = apalis_sqlite::Config::default()
            .queue(QUEUE)
            .batch_size(self.batch())
            .heartbeat_interval(HEARTBEAT)
            .lock_tasks(false)
            // The drive takes its job out of the queue itself, with its last write.
            .persist_results(false);
        let bell = Arc::clone(&self.engine.0.bell);
        let strategy = BellOrTick::new(Arc::clone(&bell));
        let storage = SqliteStorage::<DriveRun>::new(pool).with_config(config).poll_with_strategy(strategy);
        let (name, told) = (self.worker.clone(), told(self.stop.clone()));
        let gated = Gated { backend: storage, desk: Arc::clone(&self.desk), between_jobs: false };
        // In a task of its own, which ends with this one: whatever wakes the library's makes it look into the queue.
        let mut ear = JoinSet::new();
        ear.spawn(watch_file(Neighbour::of(pool), bell));
        WorkerBuilder::new(name).backend(gated).data(self).build(take).run_until(told).await
    }

    async fn serve_postgres(self, pool: &PgPool) -> Result<(), WorkerError> {
        let config = apalis_postgres::Config::default()
            .queue(QUEUE)
            .batch_size(self.batch())
            .heartbeat_interval(HEARTBEAT)
            .lock_tasks(false)
            .persist_results(false);
        let bell = Arc::clone(&self.engine.0.bell);
        let strategy = BellOrTick::new(Arc::clone(&bell));
        let storage = PostgresStorage::<DriveRun>::new(pool).with_config(config).poll_with_strategy(strategy);
        let (name, told) = (self.worker.clone(), told(self.stop.clone()));
        let gated = Gated { backend: storage, desk: Arc::clone(&self.desk), between_jobs: false };
        let served = WorkerBuilder::new(name).backend(gated).data(self).build(take).run_until(told);
        tokio::select! {
            served = served => served,
            never = listen(pool, &bell) => match never {},
        }
    }

    /// How many jobs are taken at a time: few, so that other workers get theirs, and that what is urgent does not wait
    /// behind what was fetched before it.
    fn batch(&self) -> usize {
        (self.engine.0.settings.runs_per_worker / 4).clamp(1, 10)
    }

    async fn carry(self, run: RunId, job: String, place: Option<OwnedSemaphorePermit>) {
        let place = match place {
            Some(place) => Ok(place),
            None => Arc::clone(&self.desk.places).acquire_owned().await,
        };
        let Ok(place) = place else { return };
        // Whoever is told to stop leaves it in the queue: it comes to another worker when this one has gone.
        if !*self.stop.borrow()
            && let Err(cause) = self.engine.drive(run, &self.worker, Some(job), self.stop.clone()).await
        {
            let error = &cause as &dyn std::error::Error;
            tracing::error!(%run, error, "a run broke off; it is taken up again when its lease is over");
        }
        drop(place);
        self.desk.waker.wake();
    }
}

/// Where jobs are taken in: a place for each run that is driven side by side.
struct Desk {
    places: Arc<Semaphore>,
    /// Wakes whoever waits for a place before it fetches more.
    waker: AtomicWaker,
}

impl Desk {
    fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waker: AtomicWaker::new() }
    }

    fn has_a_place(&self, cx: &Context<'_>) -> bool {
        // Before it is looked, so that no place falls in between.
        self.waker.register(cx.waker());
        self.places.available_permits() > 0
    }
}

/// Leaves jobs in the queue, in their order and for every worker to see, while this worker has no place for a run.
struct Gated<B> {
    backend: B,
    desk: Arc<Desk>,
    /// The last poll gave a job, so that no fetch is under way. One that was begun is polled to its end: left in the
    /// middle, it would hold the database's only writer.
    between_jobs: bool,
}

impl<B: Backend> Backend for Gated<B> {
    type Task = B::Task;
    type Error = B::Error;

    fn poll_ready(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), B::Error>> {
        self.backend.poll_ready(cx, worker)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Option<Result<B::Task, B::Error>>> {
        if self.between_jobs && !self.desk.has_a_place(cx) {
            return Poll::Pending;
        }
        let polled = self.backend.poll_next(cx, worker);
        self.between_jobs = matches!(polled, Poll::Ready(Some(Ok(_))));
        polled
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), B::Error>> {
        self.backend.poll_close(cx, worker)
    }
}

apalis_core::delegate_config!(Gated<B>, backend);
apalis_core::delegate_codec!(Gated<B>, backend);

/// Resolves when the worker is told to stop.
async fn told(mut stop: watch::Receiver<bool>) -> Result<(), WorkerError> {
    // A sender that is gone means stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
    Ok(())
}

/// Rings the bell for each job that any process commits. While the channel is away, the fast tick finds the jobs.
async fn listen(pool: &PgPool, bell: &Bell) -> Infallible {
    loop {
        let Err(cause) = ring_for_jobs(pool, bell).await;
        bell.hears(false);
        tracing::warn!(%cause, "new jobs of other processes are not heard of; listening again");
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}

async fn ring_for_jobs(pool: &PgPool, bell: &Bell) -> Result<Infallible, apalis_postgres::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(NEW_JOB).await?;
    bell.hears(true);
    loop {
        // `None` when the connection was lost and is made anew: jobs may have come meanwhile.
        listener.try_recv().await?;
        bell.ring();
    }
}

/// Rings the bell when another process has written to the file. A look at its journal is all that this costs while
/// nobody has.
async fn watch_file(mut neighbour: Neighbour, bell: Arc<Bell>) -> Infallible {
    let mut quiet = Duration::ZERO;
    loop {
        let pause = if quiet < LULL { IDLE_POLL } else { DROWSY };
        tokio::time::sleep(pause).await;
        match neighbour.has_written().await {
            Ok(false) => {
                bell.hears(true);
                quiet += pause;
            }
            Ok(true) => {
                bell.ring();
                quiet = Duration::ZERO;
            }
            Err(cause) => {
                bell.hears(false);
                tracing::warn!(%cause, "what other processes write is not heard of");
            }
        }
    }
}

/// Rung when a job was committed, in this process or, on PostgreSQL, in another.
#[derive(Default)]
pub(crate) struct Bell {
    rings: AtomicU64,
    /// Whether it is rung for the jobs of other processes as well.
    hears: AtomicBool,
    waker: AtomicWaker,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.rings.fetch_add(1, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Whether other processes are heard of from now on; what they committed meanwhile is looked for at once.
    fn hears(&self, hears: bool) {
        if self.hears.swap(hears, Ordering::SeqCst) != hears {
            self.ring();
        }
    }

    /// When the queue is looked at although nobody rang.
    fn pause(&self) -> Duration {
        if self.hears.load(Ordering::SeqCst) { QUIET_POLL } else { IDLE_POLL }
    }
}

/// Looks into the queue when the bell rings, shortly after that again, and else at a slow tick. A bell that rings time
/// and again is answered at intervals, so that one look finds several jobs. Each source is asked until it is pending, so
/// that no wake-up is lost.
struct BellOrTick {
    bell: Arc<Bell>,
    heard: u64,
    looked: Option<Instant>,
    /// Which of the looks after a ring comes next.
    looks: usize,
    timer: Pin<Box<Sleep>>,
}

impl BellOrTick {
    fn new(bell: Arc<Bell>) -> Self {
        Self { bell, heard: 0, looked: None, looks: LOOK_AGAIN.len(), timer: Box::pin(tokio::time::sleep(IDLE_POLL)) }
    }

    fn arm(&mut self) {
        let pause = LOOK_AGAIN.get(self.looks).copied().unwrap_or_else(|| self.bell.pause());
        self.looks = (self.looks + 1).min(LOOK_AGAIN.len());
        self.timer.as_mut().reset(Instant::now() + pause);
    }
}

impl PollStrategy for BellOrTick {
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        self.bell.waker.register(cx.waker());
        let rings = self.bell.rings.load(Ordering::SeqCst);
        let mut woken = false;
        if rings != self.heard {
            self.heard = rings;
            self.looks = 0;
            let again = self.looked.map(|looked| looked + BREATH).filter(|again| *again > Instant::now());
            match again {
                Some(again) => self.timer.as_mut().reset(again),
                None => {
                    woken = true;
                    self.arm();
                }
            }
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            woken = true;
            self.arm();
        }
        if woken {
            self.looked = Some(Instant::now());
            Poll::Ready(Some(()))
        } else {
            Poll::Pending
        }
    }
}

/// The id as the queue writes ids: 26 characters of Crockford's base 32.
fn ulid(id: uuid::Uuid) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let number = id.as_u128();
    (0..26).rev().map(|place| char::from(DIGITS[((number >> (5 * place)) & 31) as usize])).collect()
}
