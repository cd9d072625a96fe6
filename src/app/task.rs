//! Tasks: what steps of runs ask people to do. Who is asked looks, fills in, and the run goes on; one answer each,
//! however many answer at once.

mod ask;
mod unreached;

use std::collections::BTreeMap;

use domain::approval::{Client, Via};
use domain::audit::{Actor, Note};
use domain::blueprint::schema::{FormField, Parameters};
use domain::ids::{PersonId, ProjectId, TaskId};
use domain::moment::written;
use domain::person::{Person, Principal};
use domain::project::Project;
use domain::task::{Answer, Assignee, Task, TaskState};
use domain::trouble::{Kind, Trouble};
use serde_json::{Map, Value, json};
use store::{Reads, Tx};

pub(crate) use ask::ask;
pub use ask::keep_time;

use crate::idempotency::{self, Once};
use crate::link::{leads_nowhere, was_usable_until};
use crate::{App, audit, database, secret};

/// How many of the open tasks a list shows, and how many of those that are over.
const OPEN_SHOWN: u64 = 200;
const ENDED_SHOWN: u64 = 30;

/// The tasks of a person: those that wait for him, due first, and the newest of those that do not.
pub struct Inbox {
    pub open: Vec<Task>,
    pub ended: Vec<Task>,
    /// Who did those that are done.
    pub people: BTreeMap<PersonId, Person>,
    /// The titles of the projects.
    pub projects: BTreeMap<ProjectId, String>,
}

/// A task with all that its page shows.
pub struct Details {
    pub task: Task,
    pub project: Project,
    /// What the run is called that waits for it.
    pub run: String,
    /// What is to be filled in.
    pub fields: Vec<FormField>,
    /// Whether the one who looks may do it now.
    pub may_answer: bool,
    /// Who did it when, or why it can't be done any more, or not by this link; nothing while it can be.
    pub closed: Option<String>,
    /// What was filled in, in words: title and value. A link that came too late shows nothing of it.
    pub answered: Vec<(String, String)>,
    questions: Parameters,
}

impl Details {
    /// The JSON Schema of what is to be filled in, for programs.
    pub fn schema(&self) -> Value {
        self.questions.schema()
    }

    /// What was typed into its form, by the kind of each field.
    pub fn read_form<'a>(&self, sent: impl Fn(&str) -> Option<&'a str>) -> Map<String, Value> {
        self.questions.read_form(sent)
    }
}

/// Who does a task, and how he proved who he is.
pub enum Doer<'d> {
    /// The holder of a mail's link.
    Link(&'d str),
    /// Somebody who signed in, or a program with his token.
    Person {
        who: &'d Principal,
        task: TaskId,
        via: Via,
        /// With what a program's answer is recognised when it is sent again.
        once: Option<Once>,
    },
}

/// What waits for a person, and what lately did.
pub async fn inbox(app: &App, who: &Principal) -> Result<Inbox, Trouble> {
    let (on, known_as, scope) = (&app.store, Assignee::of(who), who.scope());
    let open = store::task::open_for(on, &known_as, &scope, OPEN_SHOWN).await.map_err(database)?;
    let ended = store::task::ended_for(on, &known_as, &scope, ENDED_SHOWN).await.map_err(database)?;
    let by: Vec<PersonId> = ended.iter().filter_map(|task| Some(task.answer.as_ref()?.by)).collect();
    let people = store::person::find_many(on, &by).await.map_err(database)?;
    let projects = store::project::list(on, &scope).await.map_err(database)?;
    let projects = projects.into_iter().map(|project| (project.id, project.title)).collect();
    Ok(Inbox { open, ended, people, projects })
}

/// How much waits for a person.
pub async fn count_open(app: &App, who: &Principal) -> Result<u64, Trouble> {
    store::task::count_open_for(&app.store, &Assignee::of(who), &who.scope()).await.map_err(database)
}

/// One task, for whoever may see its project.
pub async fn show(app: &App, who: &Principal, id: TaskId) -> Result<Details, Trouble> {
    let task = store::task::find_in(&app.store, id, &who.scope()).await.map_err(database)?;
    let task = task.ok_or_else(|| Trouble::not_found("task"))?;
    let may_answer = task.is_for(who);
    details(app, task, may_answer).await
}

/// The task behind a link, for as long as it is for the one who got the link. Nothing changes by looking, however
/// often.
pub async fn look(app: &App, token: &str) -> Result<Details, Trouble> {
    let link = find_link(app, token).await?;
    let task = reread(&app.store, link.task).await?;
    if asked(&app.store, &task, link.person).await?.is_none() {
        return Err(Trouble::forbidden(
            "What this link was about is not asked of you any more.",
            "Ask the operators of the platform if it should be.",
        ));
    }
    if app.clock.now() < link.expires_at {
        return details(app, task, true).await;
    }
    let late = details(app, task, false).await?;
    let closed = late.closed.or_else(|| Some(was_usable_until(link.expires_at)));
    Ok(Details { closed, answered: Vec::new(), ..late })
}

async fn find_link(app: &App, token: &str) -> Result<store::task::Link, Trouble> {
    let found = store::task::find_link(&app.store, &secret::hash(token)).await.map_err(database)?;
    found.ok_or_else(|| leads_nowhere("tasks"))
}

async fn details(app: &App, task: Task, may_answer: bool) -> Result<Details, Trouble> {
    let on = &app.store;
    let gone = || Trouble::not_found("task");
    let project = store::project::find(on, task.project).await.map_err(database)?.ok_or_else(gone)?;
    let run = store::run::find(on, task.run).await.map_err(database)?.ok_or_else(gone)?;
    let questions = task.questions().map_err(Trouble::bug)?;
    let closed = closed(on, &task).await?;
    Ok(Details {
        project,
        run: run.title,
        fields: questions.form(&Map::new()),
        may_answer: may_answer && closed.is_none(),
        answered: task.answer.as_ref().map(|answer| questions.in_words(&answer.values)).unwrap_or_default(),
        closed,
        questions,
        task,
    })
}

/// Why a task can't be done any more: who did it and when, or what happened instead.
async fn closed(on: &impl Reads, task: &Task) -> Result<Option<String>, Trouble> {
    Ok(match (&task.answer, task.state) {
        (_, TaskState::Open) => None,
        (Some(answer), _) => {
            let by = store::person::find(on, answer.by).await.map_err(database)?;
            let name = by.map_or_else(|| "Somebody".to_owned(), |person| person.name);
            Some(format!("{name} did this on {}.", written(answer.at)))
        }
        (None, _) => {
            let why = task.why.as_deref().unwrap_or_default();
            Some(format!("This is not needed any more. {why}").trim_end().to_owned())
        }
    })
}

/// Does a task, once. The answer, the end of the step and the record commit together, and the run goes on at once.
pub async fn answer(app: &App, doer: Doer<'_>, values: &Map<String, Value>, client: Client) -> Result<Task, Trouble> {
    let (id, person, via) = identify(app, &doer).await?;
    let tx = app.store.begin().await.map_err(database)?;
    if let Doer::Person { who, once: Some(once), .. } = &doer
        && !idempotency::claim(app, &tx, who, once).await?
    {
        return reread(&tx, id).await;
    }
    let task = reread(&tx, id).await?;
    let who = asked(&tx, &task, person).await?.ok_or_else(|| not_asked(&task))?;
    if let Some(what) = closed(&tx, &task).await? {
        return Err(Trouble::new(Kind::Gone, what, "Nothing more can be done here."));
    }
    let questions = task.questions().map_err(Trouble::bug)?;
    let values = questions.complete(values, &Map::new()).map_err(Trouble::invalid)?;
    settle(app, &tx, &task, &who, Answer { by: person, at: app.clock.now(), values, via, client }).await?;
    let task = reread(&tx, id).await?;
    tx.commit().await.map_err(database)?;
    app.engine.wake(task.run);
    tracing::info!(task = %task.id, run = %task.run, step = %task.step_key, by = %person, "task: answered");
    Ok(task)
}

/// Which task it is about, who does it, and through which door.
async fn identify(app: &App, doer: &Doer<'_>) -> Result<(TaskId, PersonId, Via), Trouble> {
    match doer {
        Doer::Link(token) => {
            let link = find_link(app, token).await?;
            if link.expires_at <= app.clock.now() {
                let what = was_usable_until(link.expires_at);
                return Err(Trouble::new(Kind::Gone, what, "It is in your list of tasks, if it still is to be done."));
            }
            Ok((link.task, link.person, Via::Link))
        }
        Doer::Person { who, task, via, .. } => {
            let found = store::task::find_in(&app.store, *task, &who.scope()).await.map_err(database)?;
            found.map(|task| (task.id, who.person, *via)).ok_or_else(|| Trouble::not_found("task"))
        }
    }
}

async fn reread(on: &impl Reads, id: TaskId) -> Result<Task, Trouble> {
    store::task::find(on, id).await.map_err(database)?.ok_or_else(|| Trouble::not_found("task"))
}

/// The person as he is now, if he still is one of those who are asked.
async fn asked(on: &impl Reads, task: &Task, person: PersonId) -> Result<Option<Principal>, Trouble> {
    let principal = store::person::principal(on, person).await.map_err(database)?;
    Ok(principal.filter(|principal| task.is_for(principal)))
}

/// What somebody is told who is not asked.
fn not_asked(task: &Task) -> Trouble {
    if task.assignees.is_empty() {
        let next = "An operator can change whom the step asks, or skip it.";
        return Trouble::forbidden("This is asked of nobody.", next);
    }
    Trouble::forbidden(
        format!("This is asked of {}, and of nobody else.", task.whose()),
        "One of them has to do it; an operator can skip the step.",
    )
}

async fn settle(app: &App, tx: &Tx, task: &Task, who: &Principal, answer: Answer) -> Result<(), Trouble> {
    if !store::task::answer(tx, task.id, &answer).await.map_err(database)? {
        let what = closed(tx, &reread(tx, task.id).await?).await?.unwrap_or_default();
        return Err(Trouble::new(Kind::Gone, what, "Nothing more can be done here."));
    }
    let actor = Actor::person(who, answer.via.word());
    let output = answer.output(&actor.name);
    app.engine.fulfil(tx, task.run, &task.step_key, output, &who.name).await?;
    let data = json!({
        "run": task.run,
        "step": task.step_key,
        "title": task.title,
        "answer": answer.values,
        "client": answer.client.address,
        "agent": answer.client.agent,
    });
    let subject = format!("task {}", task.id);
    let note = Note { actor, action: "task.answered", subject, project: Some(task.project), data };
    audit::note(app, tx, note).await
}
