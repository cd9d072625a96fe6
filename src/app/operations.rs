//! What operators have to know at a glance: runs by state, what needs a person, workers, the queue, the mail outbox.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::{ProjectId, RunId, TaskId};
use domain::mail::{Asks, Mail, MailState};
use domain::outage::Outage;
use domain::person::{Person, Principal, Role, Scope};
use domain::run::RunState;
use domain::step::Step;
use domain::task::Task;
use domain::trouble::Trouble;
pub use engine::Tally;
use store::duty::{Duty, Work};
use store::job::{Backlog, Waiting};
use store::page::{Turn, Window};
use store::run::{Filter, RunSummary, SortBy};
use store::worker::Worker;
use store::{DbErr, Reads};

use crate::connector::{self, Fares};
use crate::sighting::{self, SiteSeen};
use crate::{App, database, hold, run};

/// Runs of each list that the page shows.
const SHOWN: u64 = 50;
/// Refused mails that the page names.
const MAILS_SHOWN: u64 = 5;
/// A worker that was silent for longer is not listed any more.
const FORGOTTEN: TimeDelta = TimeDelta::hours(1);
/// A worker that was silent for longer is taken for dead; it tells of itself every twenty seconds.
const SILENT: TimeDelta = TimeDelta::seconds(60);

/// A worker, and whether it lives.
#[derive(Clone, Debug)]
pub struct Listed {
    pub worker: Worker,
    /// `running`, `stopped` or `lost`.
    pub state: &'static str,
}

/// A mail that no mail server took.
#[derive(Clone, Debug)]
pub struct RefusedMail {
    pub mail: Mail,
    /// The task that still waits for its receiver, who may not know.
    pub task: Option<TaskId>,
}

/// An outside system that actions call.
#[derive(Clone, Debug)]
pub struct Provider {
    pub name: String,
    /// Since when it does not answer, as the workers that live find; nothing while it does.
    pub outage: Option<Outage>,
    /// Steps that wait for it to answer.
    pub waiting: u64,
    /// Calls that are under way.
    pub calls: u64,
    /// How many it gets side by side.
    pub places: u64,
    /// Whether that holds for all workers together, or for each of them.
    pub shared: bool,
    /// Steps that wait for a place.
    pub in_line: u64,
    /// Since when the first of them waits.
    pub in_line_since: Option<DateTime<Utc>>,
}

impl Provider {
    /// `answers` or `away`.
    pub fn state(&self) -> &'static str {
        if self.outage.is_some() { "away" } else { "answers" }
    }
}

/// The platform at a glance.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Whether the disk of the database is full, so that nothing can be written.
    pub disk_is_full: bool,
    /// How many runs stand in each state that is not an end.
    pub open: Vec<(RunState, u64)>,
    /// Runs that are paused or stuck, newest first.
    pub need_a_person: Vec<Halted>,
    /// What people were asked to do and did not do in time, longest overdue first.
    pub overdue: Vec<Task>,
    /// Whether the person may mend them.
    pub may_mend: bool,
    /// Files of the catalog that were refused when they were read last, by name.
    pub refused_files: Vec<String>,
    /// Mails that no mail server took, the newest of them: whoever was to get one does not know what he is asked.
    pub refused_mails: Vec<RefusedMail>,
    /// Runs that go on, newest first.
    pub under_way: Vec<run::Listed>,
    /// Runs that ended last.
    pub ended: Vec<RunSummary>,
    pub workers: Vec<Listed>,
    /// Who sends mails, reminds approvers and ends leases.
    pub duty: Duty,
    /// The outside systems by name, those first that are away.
    pub providers: Vec<Provider>,
    /// When the machines of each site were last looked at.
    pub sites: Vec<SiteSeen>,
    /// The company's CMDBs that ours is carried to.
    pub connectors: Vec<Fares>,
    /// Runs that wait for a worker.
    pub queue: Waiting,
    /// The same by project, those with most first.
    pub backlogs: Vec<QueuedOf>,
    /// Mails by what became of them.
    pub mails: Vec<(MailState, u64)>,
    /// Since when the oldest mail waits to be sent.
    pub oldest_mail: Option<DateTime<Utc>>,
    /// The simulated datacenter's objects, faults armed in it, or why it does not answer; nothing where there is none.
    pub datacenter: Option<Result<Datacenter, String>>,
    pub now: DateTime<Utc>,
}

/// Runs of a project that wait for a worker.
#[derive(Clone, Debug)]
pub struct QueuedOf {
    /// The project's title.
    pub project: String,
    pub number: u64,
    pub since: Option<DateTime<Utc>>,
}

/// A run that stands still, with the steps at which it does.
#[derive(Clone, Debug)]
pub struct Halted {
    pub run: RunSummary,
    pub steps: Vec<Step>,
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
    let workers: Vec<Listed> = workers.into_iter().map(|worker| listed(worker, now)).collect();
    let alive = workers.iter().filter(|listed| listed.state == "running").map(|listed| &listed.worker);
    Ok(Overview {
        providers: providers(app, alive).await?,
        disk_is_full: app.disk_is_full().await?,
        open: store::run::count_open(store).await.map_err(database)?,
        need_a_person: with_steps(app, newest(app, &needs, SHOWN).await?).await?,
        overdue: store::task::overdue(store, now, SHOWN).await.map_err(database)?,
        may_mend: who.has_everywhere(Role::Operator),
        refused_files: store::blueprint::refused_files(store).await.map_err(database)?,
        refused_mails: refused_mails(app).await?,
        under_way: with_holds(app, newest(app, &goes_on, SHOWN).await?).await?,
        ended: newest(app, &ended, SHOWN / 4).await?,
        workers,
        duty: store::duty::find(store, Work::House).await.map_err(database)?,
        sites: sighting::sites(app, now).await?,
        connectors: connector::fares(app).await?,
        queue: app.engine.queue().await.map_err(database)?,
        backlogs: backlogs(app).await?,
        mails: store::mail::counts(store).await.map_err(database)?,
        oldest_mail: store::mail::oldest_queued(store).await.map_err(database)?,
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

/// The newest mails that no mail server took, with the tasks that still wait for their receivers.
async fn refused_mails(app: &App) -> Result<Vec<RefusedMail>, Trouble> {
    let mails = store::mail::refused(&app.store, MAILS_SHOWN).await.map_err(database)?;
    let task = |mail: &Mail| match mail.asks {
        Some(Asks::Task(id)) => Some(id),
        _ => None,
    };
    let tasks: Vec<TaskId> = mails.iter().filter_map(task).collect();
    let lost = store::mail::lost_of_tasks(&app.store, &tasks).await.map_err(database)?;
    let waits = |mail: &Mail| task(mail).filter(|_| lost.iter().any(|lost| lost.id == mail.id));
    Ok(mails.into_iter().map(|mail| RefusedMail { task: waits(&mail), mail }).collect())
}

async fn with_steps(app: &App, runs: Vec<RunSummary>) -> Result<Vec<Halted>, Trouble> {
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    let mut steps = store::step::failed_of_runs(&app.store, &ids).await.map_err(database)?;
    let halted = |run: RunSummary| Halted { steps: steps.remove(&run.id).unwrap_or_default(), run };
    Ok(runs.into_iter().map(halted).collect())
}

async fn with_holds(app: &App, runs: Vec<RunSummary>) -> Result<Vec<run::Listed>, Trouble> {
    let mut holds = hold::of_runs(app, &runs).await?;
    Ok(runs.into_iter().map(|run| run::Listed { hold: holds.remove(&run.id), run }).collect())
}

async fn backlogs(app: &App) -> Result<Vec<QueuedOf>, Trouble> {
    let backlogs = app.engine.backlogs().await.map_err(database)?;
    if backlogs.is_empty() {
        return Ok(Vec::new());
    }
    let projects = store::project::list(&app.store, &Scope::Everything).await.map_err(database)?;
    let titles: BTreeMap<ProjectId, String> = projects.into_iter().map(|it| (it.id, it.title)).collect();
    let of = |backlog: Backlog| QueuedOf {
        project: titles.get(&backlog.project).cloned().unwrap_or_default(),
        number: backlog.number,
        since: backlog.since,
    };
    Ok(backlogs.into_iter().map(of).collect())
}

/// What monitoring asks for; all but the tally of steps are the same numbers whichever process is asked.
#[derive(Clone, Debug)]
pub struct Gauges {
    /// Runs in each state that is not an end.
    pub runs: Vec<(RunState, u64)>,
    pub mails: Vec<(MailState, u64)>,
    /// How long the oldest mail has waited to be sent, in seconds.
    pub mail_waits: u64,
    /// Runs that wait for a worker.
    pub queue: u64,
    /// How long the oldest of them has waited, in seconds.
    pub queue_waits: u64,
    /// Workers that live.
    pub workers: u64,
    /// Whether a process does the duties.
    pub duties_done: bool,
    pub providers: Vec<Provider>,
    /// What this process counted of the steps that it carried.
    pub steps: Tally,
}

/// What monitoring asks for. It names nothing and nobody, so that it needs no sign-in.
pub async fn gauges(app: &App) -> Result<Gauges, Trouble> {
    let (now, store) = (app.clock.now(), &app.store);
    let workers = store::worker::seen_since(store, now - SILENT).await.map_err(database)?;
    let alive = || workers.iter().filter(|worker| worker.stopped_at.is_none());
    let queue = app.engine.queue().await.map_err(database)?;
    let waited =
        |since: Option<DateTime<Utc>>| since.map_or(0, |since| (now - since).num_seconds().max(0).unsigned_abs());
    Ok(Gauges {
        runs: store::run::count_open(store).await.map_err(database)?,
        mails: store::mail::counts(store).await.map_err(database)?,
        mail_waits: waited(store::mail::oldest_queued(store).await.map_err(database)?),
        queue: queue.number,
        queue_waits: waited(queue.since),
        workers: alive().count() as u64,
        duties_done: !store::duty::find(store, Work::House).await.map_err(database)?.is_over,
        providers: providers(app, alive()).await?,
        steps: app.engine.tally(),
    })
}

/// The operators who act for a platform in a project: those of the platform's group, or all where it has none.
pub(crate) async fn operators_of(on: &impl Reads, platform: &str, project: ProjectId) -> Result<Vec<Person>, DbErr> {
    let Some(project) = store::project::find(on, project).await? else { return Ok(Vec::new()) };
    let may = store::person::holders(on, Role::Operator, &project).await?;
    let mut of_group = store::person::members(on, platform).await?;
    of_group.retain(|person| may.contains(&person.id));
    if !of_group.is_empty() {
        return Ok(of_group);
    }
    let all = store::person::find_many(on, &may.into_iter().collect::<Vec<_>>()).await?;
    Ok(all.into_values().filter(|person| person.active).collect())
}

/// The outside systems, and what the workers that live say of them.
async fn providers(app: &App, alive: impl Iterator<Item = &Worker>) -> Result<Vec<Provider>, Trouble> {
    let mut waiting = store::step::waiting_for_providers(&app.store).await.map_err(database)?;
    let mut outages: BTreeMap<&str, Outage> = BTreeMap::new();
    for outage in alive.flat_map(|worker| &worker.outages) {
        let seen = outages.remove(outage.provider.as_str());
        let seen = seen.map_or_else(|| outage.clone(), |seen| seen.seen_with(outage));
        outages.insert(&outage.provider, seen);
    }
    let crowds = store::place::crowds(&app.store, None).await.map_err(database)?;
    let provider = |name: &str| {
        let crowd = crowds.iter().find(|crowd| crowd.provider == name);
        let (places, shared) = app.engine.calls_to(name);
        Provider {
            name: name.to_owned(),
            outage: outages.remove(name),
            waiting: waiting.remove(name).unwrap_or_default(),
            calls: crowd.map_or(0, |crowd| crowd.taken),
            places: places as u64,
            shared,
            in_line: crowd.map_or(0, |crowd| crowd.waiting),
            in_line_since: crowd.and_then(|crowd| crowd.since),
        }
    };
    let mut providers: Vec<Provider> = app.engine.providers().into_iter().map(provider).collect();
    providers.sort_by_key(|provider| provider.outage.is_none());
    Ok(providers)
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
