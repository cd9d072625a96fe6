//! Brings runs to workers. A job says "drive run R"; the run's own tables are the truth, so that a job may come twice,
//! late, or never (the sweeper brings it then) without harm. apalis lends the tables, the bell of PostgreSQL and the
//! worker that runs are handed to; what is taken, and in which order, is said by our own statement.
//!
//! The queue lies in the same database as the runs, so that a job commits with its reason, and leaves the queue with the
//! first moves of its run: should that fail, it is still there. On PostgreSQL any number of processes share it, and each
//! hears of the others' jobs by `LISTEN`.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{Backend, BoxDynError, Task, TaskBuilder, WorkerBuilder, WorkerContext, WorkerError};
use apalis_core::backend::BackendConfig;
use apalis_core::backend::finalize::Ephemeral;
use apalis_postgres::{PgListener, PgPool, PostgresStorage};
use apalis_sqlite::{SqlitePool, SqliteStorage};
use domain::ids::{ProjectId, RunId};
use domain::run::{Run, RunEvent, RunKind, RunState};
use futures::FutureExt;
use futures::task::AtomicWaker;
use serde::{Deserialize, Serialize};
use store::job::{Backlog, Front, NewJob, Rank, Waiting};
use store::{DbErr, Neighbour, Pool, Store, Tx};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::Engine;
use crate::commit::{Begun, Found, Wanted, Wish};
use crate::look::{Bell, IDLE_POLL, Look};

pub(crate) const QUEUE: &str = "runs";
/// What other processes write to the file of SQLite is listened for this often when none has written for so long.
const DROWSY: Duration = Duration::from_secs(5);
/// How long it has been quiet then.
const QUIET: Duration = Duration::from_secs(60);
/// So many runs begin in one transaction.
const AT_ONCE: usize = 16;
/// How long after a fault runs are drawn again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

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

impl Engine {
    /// Writes a new run and puts it into the queue; workers see it when the transaction commits.
    pub(crate) async fn open(&self, tx: &Tx, run: &Run, queued: &RunEvent) -> Result<(), DbErr> {
        let (payload, id) = (payload(run.id)?, ulid(store::fresh_id()));
        store::journal::open(tx, run, queued, self.job(&payload, &id, run.project, rank(run.kind, run.state))).await
    }

    /// Puts a run into the queue again.
    pub(crate) async fn push(&self, tx: &Tx, run: RunId, project: ProjectId, rank: Rank) -> Result<(), DbErr> {
        let (payload, id) = (payload(run)?, ulid(store::fresh_id()));
        store::job::insert(tx, self.job(&payload, &id, project, rank)).await
    }

    fn job<'j>(&self, payload: &'j [u8], id: &'j str, project: ProjectId, rank: Rank) -> NewJob<'j> {
        NewJob { queue: QUEUE, id, payload, project, rank, front: self.0.queued.front() }
    }

    /// Takes the runs that are next out of the queue, at most so many, in their order. They are in it as before should
    /// the transaction not commit. What waits where nothing is known to wait is found only when it is looked for
    /// thoroughly.
    pub(crate) async fn draw(&self, tx: &Tx, most: usize, thoroughly: bool) -> Result<Drawn, DbErr> {
        let front = if thoroughly { None } else { self.0.queued.front() };
        let drawn = store::job::draw(tx, QUEUE, most, front).await?;
        let run = |payload: &Vec<u8>| match serde_json::from_slice(payload) {
            Ok(DriveRun { run }) => Some(run),
            Err(cause) => {
                tracing::error!(%cause, "a job can't be read and is dropped; the sweeper brings the run it was of");
                None
            }
        };
        let runs = drawn.payloads.iter().filter_map(run).collect();
        Ok(Drawn { runs, jobs: drawn.payloads.len(), front: drawn.front })
    }
}

/// What was taken out of the queue.
#[derive(Default)]
pub(crate) struct Drawn {
    pub(crate) runs: Vec<RunId>,
    /// How many jobs it was; one that can't be read is of no run.
    pub(crate) jobs: usize,
    /// Where jobs may wait from then on.
    pub(crate) front: Option<Front>,
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

/// Takes a run out of the queue.
pub(crate) async fn forget(tx: &Tx, run: RunId) -> Result<(), DbErr> {
    store::job::remove(tx, QUEUE, &payload(run)?).await
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

/// Takes runs out of the queue and drives them, until told to stop or the queue breaks off.
pub(crate) async fn serve(
    engine: Engine,
    worker: String,
    stop: watch::Receiver<bool>,
    desk: Arc<Desk>,
) -> Result<(), QueueError> {
    let carrier = Carrier { engine, worker, stop, desk };
    let served = match carrier.engine.0.store.pool().clone() {
        Pool::Sqlite(pool) => carrier.serve_sqlite(&pool).await,
        Pool::Postgres(pool) => carrier.serve_postgres(&pool).await,
    };
    served.map_err(QueueError::Worker)
}

/// What a run needs to be carried.
#[derive(Clone)]
struct Carrier {
    engine: Engine,
    worker: String,
    stop: watch::Receiver<bool>,
    desk: Arc<Desk>,
}

impl Carrier {
    async fn serve_sqlite(self, pool: &SqlitePool) -> Result<(), WorkerError> {
        let config = apalis_sqlite::Config::default().queue(QUEUE).heartbeat_interval(HEARTBEAT);
        let storage = SqliteStorage::<DriveRun>::new(pool).with_config(config);
        let heard = watch_file(Neighbour::of(pool), Arc::clone(&self.engine.0.bell));
        tokio::select! {
            served = self.serve(storage) => served,
            never = heard => match never {},
        }
    }

    async fn serve_postgres(self, pool: &PgPool) -> Result<(), WorkerError> {
        let config = apalis_postgres::Config::default().queue(QUEUE).heartbeat_interval(HEARTBEAT);
        let storage = PostgresStorage::<DriveRun>::new(pool).with_config(config);
        let bell = Arc::clone(&self.engine.0.bell);
        tokio::select! {
            served = self.serve(storage) => served,
            never = listen(pool, &bell) => match never {},
        }
    }

    async fn serve<B>(self, storage: B) -> Result<(), WorkerError>
    where
        B: Backend + Send + Unpin + 'static,
    {
        let (name, told) = (self.worker.clone(), told(self.stop.clone()));
        WorkerBuilder::new(name).backend(Source::new(storage, self)).build(go).run_until(told).await
    }

    /// Begins the runs that are next, as many as there are places.
    async fn draw(self, mut places: OwnedSemaphorePermit, thoroughly: bool) -> (Vec<Taken>, Found) {
        let (engine, worker) = (self.engine.clone(), self.worker.clone());
        let runs = Wanted::Next { most: places.num_permits(), thoroughly };
        match self.engine.begin(Wish { engine, worker, runs }).await {
            Ok(batch) => {
                let each = batch.begun.into_iter();
                let taken =
                    each.filter_map(|begun| Some(Taken { begun, place: places.split(1)?, carrier: self.clone() }));
                (taken.collect(), batch.found)
            }
            Err(cause) => {
                tracing::error!(
                    error = &cause as &dyn std::error::Error,
                    "the runs that are next could not begin; they are tried again"
                );
                tokio::time::sleep(TRY_AGAIN).await;
                (Vec::new(), Found::Unknown)
            }
        }
    }
}

/// A run that was taken, with the place that is kept for it.
struct Taken {
    begun: Begun,
    place: OwnedSemaphorePermit,
    carrier: Carrier,
}

impl Taken {
    async fn carry(self) {
        let Self { begun, place, carrier } = self;
        let run = begun.driver.held.run.id;
        if let Err(cause) = carrier.engine.carry(begun, carrier.stop).await {
            let error = &cause as &dyn std::error::Error;
            tracing::error!(%run, error, "a run broke off; it is taken up again when its lease is over");
        }
        drop(place);
        carrier.desk.waker.wake();
    }
}

/// Hands a run over to a task of its own, so that runs are driven side by side on all cores.
async fn go(taken: Taken) -> Result<(), BoxDynError> {
    tokio::spawn(taken.carry());
    Ok(())
}

/// Where runs are taken in: a place for each that is driven side by side.
pub(crate) struct Desk {
    places: Arc<Semaphore>,
    /// How many there are.
    all: u32,
    /// Wakes whoever waits for a place before it draws more.
    waker: AtomicWaker,
}

impl Desk {
    /// The desk of a worker.
    pub(crate) fn of(engine: &Engine) -> Arc<Self> {
        let all = u32::try_from(engine.0.settings.runs_per_worker).unwrap_or(u32::MAX);
        let places = Arc::new(Semaphore::new(engine.0.settings.runs_per_worker));
        Arc::new(Self { places, all, waker: AtomicWaker::new() })
    }

    /// Returns when all that is driven has come to rest: each drive holds a place.
    pub(crate) async fn rest(&self) {
        // Only a semaphore that was closed gives none; ours never is.
        let _all = self.places.acquire_many(self.all).await;
    }

    /// Keeps the places that are free.
    fn free(&self, cx: &Context<'_>) -> Option<OwnedSemaphorePermit> {
        // Before it is looked, so that no place falls in between.
        self.waker.register(cx.waker());
        let free = self.places.available_permits().min(AT_ONCE);
        if free == 0 {
            return None;
        }
        Arc::clone(&self.places).try_acquire_many_owned(u32::try_from(free).ok()?).ok()
    }
}

/// The queue as the library's worker sees it: its tasks are runs that were taken out of it and have begun. The library's
/// own storage tells others that the worker lives.
struct Source<B> {
    storage: B,
    carrier: Carrier,
    look: Look,
    /// Runs are being drawn, by a task of its own: nothing that is begun is left in the middle.
    under_way: Option<JoinHandle<(Vec<Taken>, Found)>>,
    taken: Vec<Taken>,
}

impl<B> Source<B> {
    fn new(storage: B, carrier: Carrier) -> Self {
        let look = Look::new(Arc::clone(&carrier.engine.0.bell));
        Self { storage, carrier, look, under_way: None, taken: Vec::new() }
    }

    fn draw(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(under_way) = &mut self.under_way {
            let drawn = std::task::ready!(under_way.poll_unpin(cx));
            self.under_way = None;
            // One that broke down in the middle is no reason not to look again.
            let (taken, found) = drawn.unwrap_or((Vec::new(), Found::Unknown));
            self.look.found(found);
            self.taken = taken;
            return Poll::Ready(());
        }
        // The library is told to stop as well, so that nobody needs to be woken.
        if *self.carrier.stop.borrow() {
            return Poll::Pending;
        }
        let Some(places) = self.carrier.desk.free(cx) else { return Poll::Pending };
        let thoroughly = std::task::ready!(self.look.poll_due(cx));
        self.under_way = Some(tokio::spawn(self.carrier.clone().draw(places, thoroughly)));
        Poll::Ready(())
    }
}

impl<B: Backend> Backend for Source<B> {
    type Task = Task<Taken>;
    type Error = B::Error;

    fn poll_ready(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), B::Error>> {
        self.storage.poll_ready(cx, worker)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Taken>, B::Error>>> {
        loop {
            if let Some(taken) = self.taken.pop() {
                return Poll::Ready(Some(Ok(TaskBuilder::new(taken).build())));
            }
            std::task::ready!(self.draw(cx));
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, worker: &WorkerContext) -> Poll<Result<(), B::Error>> {
        self.storage.poll_close(cx, worker)
    }
}

impl<B> BackendConfig for Source<B> {
    type Args = Taken;
    type Id = RunId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = ();

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {}
}

impl<B> Drop for Source<B> {
    /// What was taken is driven; when the worker was told to stop, its drive hands it back at once.
    fn drop(&mut self) {
        let (under_way, taken) = (self.under_way.take(), std::mem::take(&mut self.taken));
        tokio::spawn(async move {
            let last = match under_way {
                Some(under_way) => under_way.await.map(|(taken, _)| taken).unwrap_or_default(),
                None => Vec::new(),
            };
            for taken in taken.into_iter().chain(last) {
                tokio::spawn(taken.carry());
            }
        });
    }
}

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
        let pause = if quiet < QUIET { IDLE_POLL } else { DROWSY };
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

/// The id as the queue writes ids: 26 characters of Crockford's base 32.
fn ulid(id: uuid::Uuid) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let number = id.as_u128();
    (0..26).rev().map(|place| char::from(DIGITS[((number >> (5 * place)) & 31) as usize])).collect()
}
