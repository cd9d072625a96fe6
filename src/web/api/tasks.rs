//! What people are asked to do in runs, and saying that it is done.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::task::{self, Details, Doer};
use chrono::{DateTime, Utc};
use domain::approval::Via;
use domain::ids::TaskId;
use domain::task::Task;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Reply;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::fields::{Body, in_object};
use crate::pages::approvals::client;

/// What a step of a run asks people to do.
#[derive(Serialize, ToSchema)]
pub struct TaskEntry {
    id: String,
    title: String,
    /// `open`, `answered` or `closed`.
    state: String,
    /// The project's id.
    project: String,
    /// The id of the run that waits for it.
    run: String,
    /// The key of the step, `inspect`.
    step: String,
    /// Who may do it: `group:ops-network`, `person:ada@example.org`.
    assignees: Vec<String>,
    opened_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    overdue: bool,
}

/// A task with all that doing it needs.
#[derive(Serialize, ToSchema)]
pub struct TaskDetails {
    #[serde(flatten)]
    task: TaskEntry,
    /// How it is done; each line is a paragraph.
    instructions: String,
    /// The JSON Schema of what is to be filled in.
    form: Value,
    may_answer: bool,
    /// Who did it when, or why it can't be done any more.
    closed: Option<String>,
    /// What was filled in.
    answer: Option<Value>,
}

/// The caller's tasks.
#[derive(Serialize, ToSchema)]
pub struct Tasks {
    /// Those that wait for him, due first, and the newest of those that do not.
    items: Vec<TaskEntry>,
}

/// What came of a task.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewAnswer {
    /// What was filled in, by the names of the form.
    #[schema(value_type = Object)]
    answer: Map<String, Value>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/tasks", index)
            .is("Tasks", "What the caller is asked to do")
            .needs(TokenScope::Read)
            .gives::<Tasks>(),
        Endpoint::get("/tasks/{id}", show)
            .is("Tasks", "A task with the form that is to be filled in")
            .needs(TokenScope::Read)
            .gives::<TaskDetails>(),
        Endpoint::post("/tasks/{id}/answer", answer)
            .is("Tasks", "Say that it is done")
            .needs(TokenScope::Decide)
            .takes::<NewAnswer>()
            .gives::<TaskDetails>()
            .may(&[409, 410]),
    ]
}

async fn index(house: Data<App>, caller: Caller) -> Reply {
    let inbox = task::inbox(&house, caller.may(TokenScope::Read)?).await?;
    let now = house.clock.now();
    let items = inbox.open.iter().chain(&inbox.ended).map(|task| TaskEntry::of(task, now)).collect();
    Ok(HttpResponse::Ok().json(Tasks { items }))
}

async fn show(house: Data<App>, caller: Caller, id: Path<TaskId>) -> Reply {
    let details = task::show(&house, caller.may(TokenScope::Read)?, *id).await?;
    Ok(HttpResponse::Ok().json(TaskDetails::of(details, house.clock.now())))
}

async fn answer(house: Data<App>, caller: Caller, id: Path<TaskId>, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Decide)?;
    let (once, client) = (body.sent().once, client(&body.request));
    let values = body.required::<Map<String, Value>>("answer");
    let values = body.finish(values)?;
    let doer = Doer::Person { who, task: *id, via: Via::Api, once };
    task::answer(&house, doer, &values, client).await.map_err(|trouble| in_object("answer", trouble))?;
    let details = task::show(&house, who, *id).await?;
    Ok(HttpResponse::Ok().json(TaskDetails::of(details, house.clock.now())))
}

impl TaskEntry {
    pub(super) fn of(task: &Task, now: DateTime<Utc>) -> Self {
        Self {
            id: task.id.to_string(),
            title: task.title.clone(),
            state: task.state.word().to_owned(),
            project: task.project.to_string(),
            run: task.run.to_string(),
            step: task.step_key.clone(),
            assignees: task.assignees.iter().map(|assignee| assignee.word()).collect(),
            opened_at: task.opened_at,
            due_at: task.due_at,
            overdue: task.is_overdue(now),
        }
    }
}

impl TaskDetails {
    fn of(details: Details, now: DateTime<Utc>) -> Self {
        Self {
            form: details.schema(),
            task: TaskEntry::of(&details.task, now),
            instructions: details.task.instructions,
            may_answer: details.may_answer,
            closed: details.closed,
            answer: details.task.answer.map(|answer| Value::Object(answer.values)),
        }
    }
}
