//! Runs as people see them: where one stands, how long it usually takes, what it says; and what an operator does
//! about one that needs him.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::audit::{Actor, Note};
use domain::hold::Hold;
use domain::ids::{RunId, TaskId};
use domain::mail::{Asks, Mail};
use domain::person::{Principal, Role};
use domain::reading::Reading;
use domain::resource::Resource;
use domain::run::{Cancel, Run, RunEvent};
use domain::step::Step;
use domain::task::Task;
use domain::trouble::Trouble;
use engine::mend::By;
use serde_json::{Value, json};
use store::Tx;
use tokio::sync::broadcast::Receiver;

pub use store::run::{Filter, RunSummary, SortBy};

use crate::idempotency::Sent;
use crate::operations::operators_of;
use crate::page::{Counted, List, Part, Window};
use crate::{App, audit, database, hold};

/// Lines of a log that a page shows.
const LINES: u64 = 300;
/// Events that one read of a live stream gives.
const EVENTS_AT_ONCE: u64 = 200;
/// What another process writes is looked for this often.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A run as lists show it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub run: RunSummary,
    /// What it waits for, where it does not go on for that.
    pub hold: Option<Hold>,
}

impl Listed {
    /// How it reads: what it does, or that it waits.
    pub fn reads(&self) -> Reading {
        let reads = self.run.reads();
        self.hold.as_ref().map_or(reads, |hold| hold.reads(reads))
    }

    /// Why it stands where it stands.
    pub fn why(&self) -> String {
        self.hold.as_ref().map(Hold::told).or_else(|| self.run.why.clone()).unwrap_or_default()
    }
}

/// A run with all that its page shows.
#[derive(Clone, Debug)]
pub struct Details {
    pub run: Run,
    /// What its deployment is called.
    pub deployment: String,
    /// Where it works, as people read it; none where there is but one site.
    pub site: Option<String>,
    /// In the order of the run's workflow.
    pub steps: Vec<Step>,
    /// The place of the step that the reader chose.
    pub chosen: Option<usize>,
    /// What happened to the chosen step, else to the run; the newest lines, oldest first.
    pub log: Vec<RunEvent>,
    /// Whether lines before these were forgotten, as the settings say.
    pub log_was_forgotten: bool,
    /// The chosen step's objects.
    pub resources: Vec<Resource>,
    /// What it waits for, where it does not go on for that.
    pub hold: Option<Hold>,
    /// What people are asked to do before it goes on, by the step.
    pub tasks: Vec<Task>,
    /// Mails about these that no mail server took, so that their receivers may not know.
    pub lost: Vec<Mail>,
    /// How long such runs usually take: the median of the last ones that were done.
    pub usual: Option<Duration>,
    /// Whether the person may mend it.
    pub may_mend: bool,
    /// What the action of the chosen step takes and returns, as far as this version of Gatehouse knows it.
    pub face: Face,
    /// The names of the operators who have to act, where one has to.
    pub operators: Vec<String>,
    pub now: DateTime<Utc>,
}

impl Details {
    /// Mails about a task that no mail server took.
    pub fn lost_of(&self, task: &Task) -> impl Iterator<Item = &Mail> {
        self.lost.iter().filter(move |mail| mail.asks == Some(Asks::Task(task.id)))
    }
}

/// The names of what an action takes and returns.
#[derive(Clone, Debug, Default)]
pub struct Face {
    pub takes: Vec<String>,
    pub returns: Vec<String>,
}

impl Face {
    fn of(app: &App, action: &str) -> Self {
        let names = |schema: &Value| {
            let named = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            named.map(|(name, _)| name.clone()).collect()
        };
        let known = app.engine.signature(action);
        known.map(|known| Self { takes: names(&known.input), returns: names(&known.output) }).unwrap_or_default()
    }
}

/// A part of the runs that the person may see, with what they wait for in line, in a few statements whatever their
/// number.
pub async fn list(
    app: &App,
    who: &Principal,
    filter: &Filter,
    window: Window<SortBy, RunId>,
) -> Result<List<Listed>, Trouble> {
    let scope = who.scope();
    let part = store::run::list(&app.store, &scope, filter, window).await.map_err(database)?;
    let mut holds = hold::of_runs(app, &part.rows).await?;
    let part = part.map(|run| Listed { hold: holds.remove(&run.id), run });
    let projects = store::project::list(&app.store, &scope).await.map_err(database)?;
    Ok(List { part, projects })
}

/// How many runs the person may see and the filter leaves, up to a thousand.
pub async fn count(app: &App, who: &Principal, filter: &Filter) -> Result<Counted, Trouble> {
    store::run::count(&app.store, &who.scope(), filter).await.map_err(database)
}

/// One run, with the chosen step; a run of another tenant does not exist for the person.
pub async fn show(app: &App, who: &Principal, id: RunId, step: Option<&str>) -> Result<Details, Trouble> {
    let run = find(app, who, id).await?;
    let steps = store::step::of_run(&app.store, &run).await.map_err(database)?;
    let chosen = step.and_then(|key| steps.iter().position(|step| step.key == key));
    let key = chosen.map(|at| steps[at].key.as_str());
    let log = store::run_event::latest(&app.store, id, key, LINES).await.map_err(database)?;
    let usual = store::run::usual_duration(&app.store, &run.blueprint, run.kind, run.action.as_deref());
    let usual = usual.await.map_err(database)?;
    let resources = match chosen {
        Some(at) => {
            let all = store::resource::of_deployment(&app.store, run.deployment).await.map_err(database)?;
            all.into_iter().filter(|row| row.step_key == run.workflow[at].object_key()).collect()
        }
        None => Vec::new(),
    };
    let tasks = match run.state.has_ended() {
        true => Vec::new(),
        false => store::task::open_of_runs(&app.store, &[id]).await.map_err(database)?,
    };
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
    let lost = store::mail::lost_of_tasks(&app.store, &ids).await.map_err(database)?;
    let deployment = store::deployment::find_in(&app.store, run.deployment, &who.scope()).await.map_err(database)?;
    let deployment = deployment.map(|deployment| deployment.name).unwrap_or_default();
    let may_mend = who.has(Role::Operator, run.project);
    let face = chosen.map(|at| Face::of(app, &run.workflow[at].action)).unwrap_or_default();
    let operators = match run.state.needs_a_person() {
        true => operators_of(&app.store, &run.platform, run.project).await.map_err(database)?,
        false => Vec::new(),
    };
    let operators = operators.into_iter().map(|operator| operator.name).collect();
    let hold = hold::of_run(app, id, run.state, &run.blueprint).await?;
    let log_was_forgotten = was_forgotten(&run, chosen.map(|at| &steps[at]), &log);
    let now = app.clock.now();
    Ok(Details {
        site: app.sites.told(&run.site).map(str::to_owned),
        run,
        deployment,
        steps,
        chosen,
        log,
        log_was_forgotten,
        resources,
        hold,
        tasks,
        lost,
        usual,
        may_mend,
        face,
        operators,
        now,
    })
}

/// Whether something is missing from the log of a run, or of a step of it: what began has said so at least.
fn was_forgotten(run: &Run, step: Option<&Step>, log: &[RunEvent]) -> bool {
    let missing = match step {
        Some(step) => log.is_empty() && step.has_begun(),
        None => (log.len() as u64) < LINES && log.first().is_some_and(|first| first.number > 1),
    };
    run.state.has_ended() && missing
}

async fn find(app: &App, who: &Principal, id: RunId) -> Result<Run, Trouble> {
    let found = store::run::find_in(&app.store, id, &who.scope()).await.map_err(database)?;
    found.ok_or_else(|| Trouble::not_found("run"))
}

/// What happened to a run after the event with this number, oldest first.
pub async fn events(app: &App, who: &Principal, id: RunId, after: i64, limit: u64) -> Result<Part<RunEvent>, Trouble> {
    find(app, who, id).await?;
    let mut rows = store::run_event::after(&app.store, id, after, limit + 1).await.map_err(database)?;
    let later = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(Part { rows, earlier: after > 0, later })
}

/// What an operator does about a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Mend {
    /// Tries a step again, with this input or the one it had.
    Retry {
        step: String,
        input: Option<Value>,
    },
    /// Goes on without a step; the output is what it would have returned.
    Skip {
        step: String,
        output: Option<Value>,
    },
    /// Tries everything that failed again.
    Resume,
    /// Takes back what was built.
    Compensate,
    Cancel(Cancel),
}

impl Mend {
    const fn word(&self) -> &'static str {
        match self {
            Self::Retry { input: None, .. } => "run.retried",
            Self::Retry { .. } => "run.input_changed",
            Self::Skip { .. } => "run.step_skipped",
            Self::Resume => "run.resumed",
            Self::Compensate => "run.compensated",
            Self::Cancel(_) => "run.cancelled",
        }
    }

    /// Whether it changes what was approved or built, so that somebody will ask why.
    const fn needs_reason(&self) -> bool {
        !matches!(self, Self::Retry { input: None, .. } | Self::Resume)
    }
}

/// Mends a run, for operators. Recorded with the reason, which all but trying again as it was needs.
pub async fn mend(app: &App, who: &Principal, id: RunId, mend: Mend, reason: &str, sent: &Sent) -> Result<(), Trouble> {
    let run = find(app, who, id).await?;
    if !who.has(Role::Operator, run.project) {
        return Err(Trouble::forbidden("Only an operator may change a run.", "Ask the operators of the platform."));
    }
    let reason = reason.trim();
    if mend.needs_reason() && reason.is_empty() {
        return Err(Trouble::field("reason", "Say why: it is kept with the run."));
    }
    let tx = app.store.begin().await.map_err(database)?;
    let word = mend.word();
    if !sent.is_new(app, &tx, who).await? {
        return Ok(());
    }
    let before = input_before(&tx, &run, &mend).await?;
    let note = Note {
        actor: Actor::person(who, sent.via),
        action: word,
        subject: format!("run {id}"),
        project: Some(run.project),
        data: recorded(&mend, before, reason),
    };
    carry_out(app, &tx, id, mend, &By { name: &who.name, reason }).await?;
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)?;
    app.engine.wake(id);
    tracing::info!(run = %id, deployment = %run.deployment, by = %who.person, "run: {word}");
    Ok(())
}

async fn carry_out(app: &App, tx: &Tx, id: RunId, mend: Mend, by: &By<'_>) -> Result<(), Trouble> {
    match mend {
        Mend::Retry { step, input } => app.engine.retry(tx, id, &step, input, by).await,
        Mend::Skip { step, output } => app.engine.skip(tx, id, &step, output, by).await,
        Mend::Resume => app.engine.resume(tx, id, by).await,
        Mend::Compensate => app.engine.compensate(tx, id, by).await,
        Mend::Cancel(wish) => app.engine.cancel(tx, id, wish, by).await,
    }
}

/// What a step was given before somebody gives it something else.
async fn input_before(tx: &Tx, run: &Run, mend: &Mend) -> Result<Option<Value>, Trouble> {
    let Mend::Retry { step, input: Some(_) } = mend else { return Ok(None) };
    let steps = store::step::of_run(tx, run).await.map_err(database)?;
    Ok(steps.into_iter().find(|it| it.key == *step).and_then(|step| step.input))
}

fn recorded(mend: &Mend, before: Option<Value>, reason: &str) -> Value {
    match mend {
        Mend::Retry { step, input: None } => json!({ "step": step, "reason": reason }),
        Mend::Retry { step, input } => json!({ "step": step, "before": before, "after": input, "reason": reason }),
        Mend::Skip { step, output } => json!({ "step": step, "output": output, "reason": reason }),
        Mend::Cancel(wish) => json!({ "wish": wish.word(), "reason": reason }),
        Mend::Resume | Mend::Compensate => json!({ "reason": reason }),
    }
}

/// Tells what happens to a run, from a number on, until it has ended.
pub struct Watch {
    app: App,
    run: RunId,
    /// The number of the last event that was told.
    pub told: i64,
    heard: Receiver<RunEvent>,
}

/// What a [`Watch`] tells.
#[derive(Clone, Debug)]
pub enum Told {
    Events(Vec<RunEvent>),
    /// Nothing new for a while; shows that the watch is alive.
    Nothing,
}

/// Starts to watch a run that the person may see, after the event with this number.
pub async fn watch(app: &App, who: &Principal, id: RunId, after: i64) -> Result<Watch, Trouble> {
    find(app, who, id).await?;
    Ok(Watch { app: app.clone(), run: id, told: after, heard: app.engine.subscribe() })
}

impl Watch {
    /// What happened since; waits for it, but not for long. Events written by other processes are seen as well.
    pub async fn next(&mut self) -> Result<Told, Trouble> {
        let told = self.read().await?;
        if matches!(told, Told::Events(_)) {
            return Ok(told);
        }
        // Whatever ends the wait, the database says what happened.
        let _ = tokio::time::timeout(LOOK_AGAIN, self.hear()).await;
        self.read().await
    }

    /// Whether nothing more will be told.
    pub async fn has_ended(&self) -> Result<bool, Trouble> {
        let run = store::run::find(&self.app.store, self.run).await.map_err(database)?;
        Ok(run.is_none_or(|run| run.state.has_ended() && run.next_event <= self.told + 1))
    }

    async fn read(&mut self) -> Result<Told, Trouble> {
        let events = store::run_event::after(&self.app.store, self.run, self.told, EVENTS_AT_ONCE).await;
        let events = events.map_err(database)?;
        let Some(last) = events.last() else { return Ok(Told::Nothing) };
        self.told = last.number;
        Ok(Told::Events(events))
    }

    async fn hear(&mut self) {
        while let Ok(event) = self.heard.recv().await {
            if event.run == self.run {
                return;
            }
        }
    }
}
