//! A worker of this process: takes runs, carries them, tells of itself and of the providers that it finds away, and
//! stops without leaving anything half done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::queue::Desk;
use crate::{Engine, queue};

/// How often a worker tells that it lives.
const TELL: Duration = Duration::from_secs(20);
/// The sweeper looks at least this often.
const SWEEP: Duration = Duration::from_secs(5);
/// How long after a fault the queue is taken up again.
const RECOVER: Duration = Duration::from_secs(1);

/// A worker that is at work; see [`Worker::stop`].
pub struct Worker {
    engine: Engine,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Worker {
    /// Starts a worker in this process.
    pub fn start(engine: &Engine) -> Self {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let name = format!("{}-{}-{:04x}", host(), std::process::id(), rand::random::<u16>());
        tasks.spawn(serve(engine.clone(), name.clone(), stop.subscribe()));
        tasks.spawn(engine.clone().keep_sweeping(SWEEP, stop.subscribe()));
        tasks.spawn(engine.clone().keep_shares(name.clone(), stop.subscribe()));
        tasks.spawn(tell(engine.clone(), name, stop.subscribe()));
        Self { engine: engine.clone(), stop, tasks }
    }

    /// Takes no more runs, waits for the calls that are under way, and hands the runs back. Calls that take longer
    /// than the grace are broken off; whoever takes their runs finds what they made by its key.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.engine.0.settings.grace, ended).await.is_err() {
            tracing::warn!("calls were still under way when the worker had to stop; their runs are taken up again");
        }
    }
}

/// Serves the queue until told to stop; returns when all its drives have come to rest.
async fn serve(engine: Engine, name: String, stop: watch::Receiver<bool>) {
    let desk = Desk::of(&engine);
    serve_again_and_again(&engine, &name, stop, &desk).await;
    desk.rest().await;
}

/// Serves the queue; after a fault, such as a database that is away, takes it up again under a new name. What is driven
/// goes on meanwhile.
async fn serve_again_and_again(engine: &Engine, name: &str, mut stop: watch::Receiver<bool>, desk: &Arc<Desk>) {
    let mut life = 0_u32;
    while !*stop.borrow() {
        life += 1;
        let name = if life == 1 { name.to_owned() } else { format!("{name}-{life}") };
        match queue::serve(engine.clone(), name, stop.clone(), Arc::clone(desk)).await {
            Ok(()) if *stop.borrow() => return,
            Ok(()) => tracing::warn!("the queue ended by itself; it is taken up again"),
            Err(cause) => {
                tracing::error!(error = &cause as &dyn std::error::Error, "the queue broke off; it is taken up again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RECOVER) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Writes the worker's row, so that operators see it.
async fn tell(engine: Engine, name: String, mut stop: watch::Receiver<bool>) {
    let mut row = store::worker::Worker {
        name,
        host: host(),
        process: std::process::id(),
        places: engine.0.settings.runs_per_worker,
        busy: 0,
        started_at: engine.0.clock.now(),
        seen_at: engine.0.clock.now(),
        stopped_at: None,
        outages: Vec::new(),
    };
    let mut stopping = false;
    let mut outages = engine.0.circuits.changed();
    loop {
        row.seen_at = engine.0.clock.now();
        row.stopped_at = stopping.then_some(row.seen_at);
        row.busy = engine.busy();
        row.outages = engine.outages();
        if let Err(cause) = write(&engine, &row).await {
            tracing::warn!(%cause, "the worker could not tell that it lives");
        }
        if stopping {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(TELL) => {}
            Ok(()) = outages.changed() => {}
            _ = stop.wait_for(|stop| *stop) => stopping = true,
        }
    }
}

async fn write(engine: &Engine, row: &store::worker::Worker) -> Result<(), store::DbErr> {
    let tx = engine.0.store.begin_step().await?;
    store::worker::save(&tx, row).await?;
    tx.commit().await
}

/// What this machine is called, for operators who look for one of its processes.
pub fn host() -> String {
    let named = std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let named = named.as_deref().map(str::trim).filter(|name| !name.is_empty());
    named.unwrap_or("localhost").to_owned()
}

/// Counts the runs that are driven, as long as it lives.
pub(crate) struct Busy(Arc<AtomicUsize>);

impl Busy {
    pub(crate) fn enter(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
