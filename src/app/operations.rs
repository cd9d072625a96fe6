//! What operators have to know at a glance: runs by state, what needs a person, workers, the queue, the mail outbox.

use chrono::{DateTime, TimeDelta, Utc};
use domain::mail::MailState;
use domain::person::{Principal, Role, Scope};
use domain::run::RunState;
use domain::trouble::Trouble;
use store::page::{Turn, Window};
use store::run::{Filter, RunSummary, SortBy};
use store::worker::Worker;

use crate::{App, database};

/// Runs of each list that the page shows.
const SHOWN: u64 = 50;
/// A worker that was silent for longer is not listed any more.
const FORGOTTEN: TimeDelta = TimeDelta::hours(1);
/// A worker that was silent for longer is taken for dead; it tells of itself every ten seconds.
const SILENT: TimeDelta = TimeDelta::seconds(30);

/// A worker, and whether it lives.
#[derive(Clone, Debug)]
pub struct Listed {
    pub worker: Worker,
    /// `running`, `stopped` or `lost`.
    pub state: &'static str,
}

/// The platform at a glance.
#[derive(Clone, Debug)]
pub struct Overview {
    /// How many runs stand in each state that is not an end.
    pub open: Vec<(RunState, u64)>,
    /// Runs that are paused or stuck, newest first.
    pub need_a_person: Vec<RunSummary>,
    /// Runs that go on, newest first.
    pub under_way: Vec<RunSummary>,
    /// Runs that ended last.
    pub ended: Vec<RunSummary>,
    pub workers: Vec<Listed>,
    /// Runs that wait for a worker.
    pub queue: u64,
    /// Mails by what became of them.
    pub mails: Vec<(MailState, u64)>,
    /// The simulated datacenter's objects, faults armed in it, or why it does not answer; nothing where there is none.
    pub datacenter: Option<Result<Datacenter, String>>,
    pub now: DateTime<Utc>,
}

/// How the datacenter is.
#[derive(Clone, Debug)]
pub struct Datacenter {
    /// Faults that are set to strike.
    pub faults: usize,
}

/// The platform at a glance, for operators.
pub async fn overview(app: &App, who: &Principal) -> Result<Overview, Trouble> {
    if !who.has_everywhere(Role::Operator) && !who.has_everywhere(Role::Administrator) {
        return Err(Trouble::forbidden("Operations are for operators.", "Ask an administrator for the role."));
    }
    let now = app.clock.now();
    let store = &app.store;
    let needs = [RunState::Paused, RunState::Stuck];
    let goes_on =
        [RunState::Queued, RunState::Running, RunState::Waiting, RunState::Compensating, RunState::Cancelling];
    let ended = [RunState::Done, RunState::Compensated, RunState::Cancelled, RunState::Refused];
    let workers = store::worker::seen_since(store, now - FORGOTTEN).await.map_err(database)?;
    Ok(Overview {
        open: store::run::count_open(store).await.map_err(database)?,
        need_a_person: newest(app, &needs, SHOWN).await?,
        under_way: newest(app, &goes_on, SHOWN).await?,
        ended: newest(app, &ended, SHOWN / 4).await?,
        workers: workers.into_iter().map(|worker| listed(worker, now)).collect(),
        queue: app.engine.queue_depth().await.map_err(database)?,
        mails: store::mail::counts(store).await.map_err(database)?,
        datacenter: datacenter(app).await,
        now,
    })
}

/// The newest runs in these states, whosoever they are.
async fn newest(app: &App, states: &[RunState], limit: u64) -> Result<Vec<RunSummary>, Trouble> {
    let filter = Filter { states: states.to_vec(), ..Filter::default() };
    let window = Window { sort: SortBy::Created, descending: true, turn: Turn::First, limit };
    let part = store::run::list(&app.store, &Scope::Everything, &filter, window).await.map_err(database)?;
    Ok(part.rows)
}

/// What monitoring asks for; the same numbers whichever process is asked.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Runs in each state that is not an end.
    pub runs: Vec<(RunState, u64)>,
    pub mails: Vec<(MailState, u64)>,
    /// Runs that wait for a worker.
    pub queue: u64,
    /// Workers that live.
    pub workers: u64,
}

/// What monitoring asks for. It names nothing and nobody, so that it needs no sign-in.
pub async fn gauges(app: &App) -> Result<Gauges, Trouble> {
    let (now, store) = (app.clock.now(), &app.store);
    let workers = store::worker::seen_since(store, now - SILENT).await.map_err(database)?;
    Ok(Gauges {
        runs: store::run::count_open(store).await.map_err(database)?,
        mails: store::mail::counts(store).await.map_err(database)?,
        queue: app.engine.queue_depth().await.map_err(database)?,
        workers: workers.iter().filter(|worker| worker.stopped_at.is_none()).count() as u64,
    })
}

fn listed(worker: Worker, now: DateTime<Utc>) -> Listed {
    let state = match worker.stopped_at {
        Some(_) => "stopped",
        None if now - worker.seen_at > SILENT => "lost",
        None => "running",
    };
    Listed { worker, state }
}

async fn datacenter(app: &App) -> Option<Result<Datacenter, String>> {
    let controls = app.datacenter.as_ref()?;
    let overview = controls.overview().await;
    Some(overview.map(|overview| Datacenter { faults: overview.faults.len() }).map_err(|silence| silence.to_string()))
}
