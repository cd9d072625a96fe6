//! Asking: the task of a step and the mails that bring it to people, in the transaction of the step; and what time
//! does to it.

use chrono::{DateTime, Utc};
use domain::mail::{Asks, Recipients};
use domain::moment::written;
use domain::person::Person;
use domain::run::Run;
use domain::task::{Assignee, Task, TaskState, Wanted};
use domain::trouble::Trouble;
use engine::Asked;
use store::task::Link;
use store::{DbErr, Tx};

use super::unreached;
use crate::consequences::House;
use crate::letter::{Fact, Message, Way};
use crate::link::{self, next_reminder};
use crate::notice::{recipients, requester};
use crate::operations::operators_of;
use crate::{App, database, secret};

/// How many are reminded of at once; the rest comes with the next call.
const AT_ONCE: u64 = 50;

/// Opens the task that a step asks for, unless it stands open already; once its time is up the operators are told.
/// Says what is new.
pub(crate) async fn ask(house: &House, tx: &Tx, asked: Asked<'_>, now: DateTime<Utc>) -> Result<Option<String>, DbErr> {
    match store::task::open_of_step(tx, asked.run.id, asked.step).await? {
        Some(task) if task.asks_for(asked.wanted) => time_is_up(house, tx, asked.run, &task, now).await,
        standing => {
            if standing.is_some() {
                store::task::close(tx, asked.run.id, Some(asked.step), "It was asked anew.", now).await?;
            }
            open(house, tx, asked, now).await.map(Some)
        }
    }
}

async fn open(house: &House, tx: &Tx, asked: Asked<'_>, now: DateTime<Utc>) -> Result<String, DbErr> {
    let Asked { run, step, wanted } = asked;
    let task = Task {
        id: store::fresh_id(),
        run: run.id,
        step_key: step.to_owned(),
        deployment: run.deployment,
        project: run.project,
        request: run.request,
        title: wanted.title.clone(),
        instructions: wanted.instructions.clone(),
        assignees: assignees(tx, run, wanted).await?,
        form: wanted.form.clone(),
        state: TaskState::Open,
        opened_at: now,
        due_at: wanted.due_at,
        remind_at: next_reminder(now, wanted.due_at),
        escalated: false,
        answer: None,
        ended_at: None,
        why: None,
    };
    store::task::insert(tx, &task).await?;
    let people = people(tx, run, &task).await?;
    for person in &people {
        let url = new_link(house, tx, &task, person).await?;
        house.post(tx, mail(run, &task, person, "task_asked", None, url), now).await?;
    }
    if people.is_empty() {
        call_operators(house, tx, run, &task, "Nobody who is asked may see the project.", now).await?;
        return Ok("Nobody is asked: there is no such person who may see the project. The operators are told.".into());
    }
    Ok(format!("Asked by mail: {}.", names(&people)))
}

/// Whom a task is for. The requester is a person like others.
async fn assignees(tx: &Tx, run: &Run, wanted: &Wanted) -> Result<Vec<Assignee>, DbErr> {
    let mut assignees = Vec::new();
    for asked in &wanted.assignees {
        let assignee = match asked {
            Recipients::Group(name) => Some(Assignee::Group(name.clone())),
            Recipients::Person(mail) => Some(Assignee::Person(mail.clone())),
            Recipients::Requester => requester(tx, run).await?.map(|person| Assignee::Person(person.email)),
        };
        assignees.extend(assignee.filter(|assignee| !assignees.contains(assignee)));
    }
    Ok(assignees)
}

/// Those who are asked, each once.
async fn people(tx: &Tx, run: &Run, task: &Task) -> Result<Vec<Person>, DbErr> {
    let mut people: Vec<Person> = Vec::new();
    for assignee in &task.assignees {
        let to = match assignee {
            Assignee::Group(name) => Recipients::Group(name.clone()),
            Assignee::Person(mail) => Recipients::Person(mail.clone()),
        };
        let named = recipients(tx, run, &to).await?;
        people.extend(
            named.into_iter().filter(|person| !people.iter().any(|known| known.id == person.id)).collect::<Vec<_>>(),
        );
    }
    Ok(people)
}

async fn new_link(house: &House, tx: &Tx, task: &Task, person: &Person) -> Result<String, DbErr> {
    let fresh = link::fresh(&format!("{}/decide/to-do", house.base_url), task.due_at);
    let link = Link { task: task.id, person: person.id, expires_at: fresh.expires_at };
    store::task::add_link(tx, fresh.hash, &link).await?;
    Ok(fresh.url)
}

/// The mail that brings a task to somebody; a reminder begins with another line.
fn mail<'m>(
    run: &Run,
    task: &Task,
    to: &'m Person,
    kind: &'static str,
    opening: Option<String>,
    url: String,
) -> Message<'m> {
    let instructions = task.instructions.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned);
    Message {
        to,
        kind,
        headline: task.title.clone(),
        lines: opening.into_iter().chain(instructions).collect(),
        facts: facts(run, task),
        ways: vec![Way { label: "Look and fill in".to_owned(), url: url.clone() }],
        fine: vec![
            format!("Please do it until {}. Opening the link answers nothing.", written(task.due_at)),
            "The link is for you alone: who holds it answers in your name.".to_owned(),
        ],
        request: task.request,
        asks: Some(Asks::Task(task.id)),
        reason: format!("task {} {}", task.id, secret::hash(&url)),
    }
}

pub(super) fn facts(run: &Run, task: &Task) -> Vec<Fact> {
    let fact = |label: &str, value: String| Fact { label: label.to_owned(), value, large: false };
    vec![
        fact("For", run.title.clone()),
        fact("Asked of", task.whose()),
        fact("Answers for it", format!("platform {}, application {}", run.platform, run.application)),
    ]
}

/// Tells the operators, once, that nobody did what was asked in time.
async fn time_is_up(
    house: &House,
    tx: &Tx,
    run: &Run,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<Option<String>, DbErr> {
    if !task.is_overdue(now) || task.escalated {
        return Ok(None);
    }
    store::task::mark_escalated(tx, task.id).await?;
    let why = format!("Nobody has done it until {}. It was asked of {}.", written(task.due_at), task.whose());
    call_operators(house, tx, run, task, &why, now).await?;
    Ok(Some(format!("Overdue: {why} The operators are told.")))
}

async fn call_operators(
    house: &House,
    tx: &Tx,
    run: &Run,
    task: &Task,
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for operator in operators_of(tx, &run.platform, run.project).await? {
        let message = Message {
            to: &operator,
            kind: "task_overdue",
            headline: format!("{}: {} waits for people", run.title, task.title),
            lines: vec![why.to_owned(), "The run goes on when somebody has done it.".to_owned()],
            facts: facts(run, task),
            ways: vec![Way { label: "Look at the run".to_owned(), url: format!("{}/runs/{}", house.base_url, run.id) }],
            fine: vec![
                "Speak with those who are asked, or skip the step there with what it would have left.".to_owned(),
            ],
            request: task.request,
            asks: None,
            reason: format!("overdue {} {}", task.id, operator.id),
        };
        house.post(tx, message, now).await?;
    }
    Ok(())
}

pub(super) fn names(people: &[Person]) -> String {
    people.iter().map(|person| person.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Reminds people of what they are asked for, once; each task in a transaction of its own, so that one that fails keeps
/// nobody else from being reminded. And passes on what no mail server took. Says how many it handled.
pub async fn keep_time(app: &App) -> Result<usize, Trouble> {
    let due = store::task::to_remind(&app.store, app.clock.now(), AT_ONCE).await.map_err(database)?;
    let mut handled = 0;
    for task in &due {
        match remind(app, task).await {
            Ok(()) => handled += 1,
            Err(trouble) => {
                tracing::error!(task = %task.id, error = ?trouble, "nobody is reminded of a task; it is tried again");
            }
        }
    }
    Ok(handled + unreached::pass_all_on(app).await?)
}

async fn remind(app: &App, task: &Task) -> Result<(), Trouble> {
    let (house, now) = (House::of(app), app.clock.now());
    let tx = app.store.begin().await.map_err(database)?;
    let run = store::run::find(&tx, task.run).await.map_err(database)?;
    // Somebody may have done it, or another duty may have been faster.
    let is_ours = store::task::mark_reminded(&tx, task.id).await.map_err(database)?;
    if let Some(run) = run.filter(|_| is_ours) {
        for person in people(&tx, &run, task).await.map_err(database)? {
            let url = new_link(&house, &tx, task, &person).await.map_err(database)?;
            let opening = Some(format!("This still waits for you. It was asked on {}.", written(task.opened_at)));
            house.post(&tx, mail(&run, task, &person, "task_reminder", opening, url), now).await.map_err(database)?;
        }
    }
    tx.commit().await.map_err(database)
}
