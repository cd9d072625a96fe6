//! Tasks: what steps ask people to do, whom they ask, and what came of it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::approval::{Client, Via};
use domain::ids::{PersonId, RunId, TaskId};
use domain::person::Scope;
use domain::task::{Answer, Assignee, Task, TaskState};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{Condition, IntoActiveModel, QueryOrder, QuerySelect, Select};
use serde_json::Value;

use crate::sql::within;
use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "task")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub run_id: Uuid,
        pub step_key: String,
        pub deployment_id: Uuid,
        pub project_id: Uuid,
        pub request_id: Option<Uuid>,
        pub title: String,
        pub instructions: String,
        pub form: Json,
        pub state: String,
        pub opened_at: DateTimeUtc,
        pub due_at: DateTimeUtc,
        pub remind_at: Option<DateTimeUtc>,
        pub escalated: bool,
        pub answered_by_id: Option<Uuid>,
        pub ended_at: Option<DateTimeUtc>,
        pub answer: Option<Json>,
        pub via: Option<String>,
        pub client_address: Option<String>,
        pub client_agent: Option<String>,
        pub why: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod assignee {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "task_assignee")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub task_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub assignee: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod link {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "task_link")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: String,
        pub task_id: Uuid,
        pub person_id: Uuid,
        pub expires_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Named in the statement's text: an index that holds only such tasks is used for no other.
const OPEN: &str = "state = 'open'";

/// The link of a mail: to which task, for whom, and until when.
#[derive(Clone, Debug)]
pub struct Link {
    pub task: TaskId,
    pub person: PersonId,
    pub expires_at: DateTime<Utc>,
}

/// Opens a task.
pub async fn insert(tx: &Tx, task: &Task) -> Result<(), DbErr> {
    let row = row::Model {
        id: task.id.into(),
        run_id: task.run.into(),
        step_key: task.step_key.clone(),
        deployment_id: task.deployment.into(),
        project_id: task.project.into(),
        request_id: task.request.map(Uuid::from),
        title: task.title.clone(),
        instructions: task.instructions.clone(),
        form: task.form.clone(),
        state: task.state.word().to_owned(),
        opened_at: task.opened_at,
        due_at: task.due_at,
        remind_at: task.remind_at,
        escalated: task.escalated,
        answered_by_id: None,
        ended_at: None,
        answer: None,
        via: None,
        client_address: None,
        client_agent: None,
        why: None,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await?;
    let assignees = task
        .assignees
        .iter()
        .map(|assignee| assignee::Model { task_id: task.id.into(), assignee: assignee.word() }.into_active_model());
    assignee::Entity::insert_many(assignees).exec_without_returning(&tx.0).await.map(drop)
}

/// Gives somebody a link to a task; its secret is known by its hash alone.
pub async fn add_link(tx: &Tx, token_hash: String, link: &Link) -> Result<(), DbErr> {
    let row = link::Model {
        token_hash,
        task_id: link.task.into(),
        person_id: link.person.into(),
        expires_at: link.expires_at,
    };
    link::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// What a link's secret opens.
pub async fn find_link(on: &impl Reads, token_hash: &str) -> Result<Option<Link>, DbErr> {
    let found = link::Entity::find_by_id(token_hash.to_owned()).one(on.db()).await?;
    Ok(found.map(|row| Link { task: row.task_id.into(), person: row.person_id.into(), expires_at: row.expires_at }))
}

/// One task.
pub async fn find(on: &impl Reads, id: TaskId) -> Result<Option<Task>, DbErr> {
    one(on, row::Entity::find_by_id(id.0)).await
}

/// One task, if it is within the scope.
pub async fn find_in(on: &impl Reads, id: TaskId, scope: &Scope) -> Result<Option<Task>, DbErr> {
    one(on, within(row::Entity::find_by_id(id.0), row::Column::ProjectId, scope)).await
}

/// What a step asks for now.
pub async fn open_of_step(on: &impl Reads, run: RunId, step_key: &str) -> Result<Option<Task>, DbErr> {
    one(on, open().filter(row::Column::RunId.eq(run.0)).filter(row::Column::StepKey.eq(step_key))).await
}

/// What the steps of runs ask for now, by the run and the step.
pub async fn open_of_runs(on: &impl Reads, runs: &[RunId]) -> Result<Vec<Task>, DbErr> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let of_them = open().filter(row::Column::RunId.is_in(runs.iter().map(|run| run.0)));
    all(on, of_them.order_by_asc(row::Column::RunId).order_by_asc(row::Column::StepKey)).await
}

/// What these people are asked for in the scope, what is due first at the top.
pub async fn open_for(on: &impl Reads, assignees: &[Assignee], scope: &Scope, limit: u64) -> Result<Vec<Task>, DbErr> {
    let rows = within(for_any_of(open(), assignees), row::Column::ProjectId, scope);
    all(on, rows.order_by_asc(row::Column::DueAt).limit(limit)).await
}

/// How much these people are asked for in the scope.
pub async fn count_open_for(on: &impl Reads, assignees: &[Assignee], scope: &Scope) -> Result<u64, DbErr> {
    within(for_any_of(open(), assignees), row::Column::ProjectId, scope).count(on.db()).await
}

/// What these people were asked for in the scope and is over, the newest first.
pub async fn ended_for(on: &impl Reads, assignees: &[Assignee], scope: &Scope, limit: u64) -> Result<Vec<Task>, DbErr> {
    let ended = row::Entity::find().filter(row::Column::EndedAt.is_not_null());
    let rows = within(for_any_of(ended, assignees), row::Column::ProjectId, scope);
    all(on, rows.order_by_desc(row::Column::EndedAt).limit(limit)).await
}

/// What was to be done by now and is not, longest overdue first.
pub async fn overdue(on: &impl Reads, now: DateTime<Utc>, limit: u64) -> Result<Vec<Task>, DbErr> {
    all(on, open().filter(row::Column::DueAt.lte(now)).order_by_asc(row::Column::DueAt).limit(limit)).await
}

/// Tasks of which those who are asked are to be reminded.
pub async fn to_remind(on: &impl Reads, now: DateTime<Utc>, limit: u64) -> Result<Vec<Task>, DbErr> {
    let due = row::Entity::find().filter(row::Column::RemindAt.lte(now));
    all(on, due.order_by_asc(row::Column::RemindAt).limit(limit)).await
}

/// Notes that those who are asked are reminded. False when somebody else has just done it, or the task is over.
pub async fn mark_reminded(tx: &Tx, id: TaskId) -> Result<bool, DbErr> {
    let marked = row::Entity::update_many()
        .col_expr(row::Column::RemindAt, Expr::value(None::<DateTime<Utc>>))
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::RemindAt.is_not_null())
        .exec(&tx.0)
        .await?;
    Ok(marked.rows_affected == 1)
}

/// Notes that the operators were told that its time is up.
pub async fn mark_escalated(tx: &Tx, id: TaskId) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::Escalated, Expr::value(true))
        .filter(row::Column::Id.eq(id.0))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// Writes an answer. False, and nothing written, when the task was not open any more: of two who answer at once, one
/// does.
pub async fn answer(tx: &Tx, id: TaskId, answer: &Answer) -> Result<bool, DbErr> {
    let answered = ending(TaskState::Answered, answer.at)
        .col_expr(row::Column::AnsweredById, Expr::value(answer.by.0))
        .col_expr(row::Column::Answer, Expr::value(Value::Object(answer.values.clone())))
        .col_expr(row::Column::Via, Expr::value(answer.via.word()))
        .col_expr(row::Column::ClientAddress, Expr::value(answer.client.address.clone()))
        .col_expr(row::Column::ClientAgent, Expr::value(answer.client.agent.clone()))
        .filter(row::Column::Id.eq(id.0))
        .exec(&tx.0)
        .await?;
    Ok(answered.rows_affected == 1)
}

/// Closes what is still open of a run: of one step, or of all.
pub async fn close(tx: &Tx, run: RunId, step_key: Option<&str>, why: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    ending(TaskState::Closed, now)
        .col_expr(row::Column::Why, Expr::value(why))
        .filter(row::Column::RunId.eq(run.0))
        .filter(Condition::all().add_option(step_key.map(|key| row::Column::StepKey.eq(key))))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// The end of what is open.
fn ending(state: TaskState, now: DateTime<Utc>) -> sea_orm::UpdateMany<row::Entity> {
    row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(state.word()))
        .col_expr(row::Column::EndedAt, Expr::value(now))
        .col_expr(row::Column::RemindAt, Expr::value(None::<DateTime<Utc>>))
        .filter(Expr::cust(OPEN))
}

fn open() -> Select<row::Entity> {
    row::Entity::find().filter(Expr::cust(OPEN))
}

fn for_any_of(tasks: Select<row::Entity>, assignees: &[Assignee]) -> Select<row::Entity> {
    let theirs = Query::select()
        .column(assignee::Column::TaskId)
        .from(assignee::Entity)
        .and_where(assignee::Column::Assignee.is_in(assignees.iter().map(Assignee::word)))
        .to_owned();
    tasks.filter(row::Column::Id.in_subquery(theirs))
}

async fn one(on: &impl Reads, rows: Select<row::Entity>) -> Result<Option<Task>, DbErr> {
    Ok(all(on, rows.limit(1)).await?.pop())
}

/// The tasks with whom they ask, in two statements.
async fn all(on: &impl Reads, rows: Select<row::Entity>) -> Result<Vec<Task>, DbErr> {
    let rows = rows.all(on.db()).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let asked = assignee::Entity::find()
        .filter(assignee::Column::TaskId.is_in(rows.iter().map(|row| row.id)))
        .order_by_asc(assignee::Column::Assignee)
        .all(on.db())
        .await?;
    let mut by_task: HashMap<Uuid, Vec<Assignee>> = HashMap::new();
    for asked in asked {
        by_task.entry(asked.task_id).or_default().extend(Assignee::from_word(&asked.assignee));
    }
    rows.into_iter().map(|row| task(by_task.remove(&row.id).unwrap_or_default(), row)).collect()
}

fn task(assignees: Vec<Assignee>, row: row::Model) -> Result<Task, DbErr> {
    let odd = |what: &str| DbErr::Type(format!("task {}: its {what} is none that we write", row.id));
    let answer = match (row.answered_by_id, row.ended_at, row.answer) {
        (Some(by), Some(at), Some(Value::Object(values))) => Some(Answer {
            by: by.into(),
            at,
            values,
            via: row.via.as_deref().and_then(Via::from_word).ok_or_else(|| odd("door"))?,
            client: Client {
                address: row.client_address.unwrap_or_default(),
                agent: row.client_agent.unwrap_or_default(),
            },
        }),
        _ => None,
    };
    Ok(Task {
        id: row.id.into(),
        run: row.run_id.into(),
        step_key: row.step_key,
        deployment: row.deployment_id.into(),
        project: row.project_id.into(),
        request: row.request_id.map(Into::into),
        title: row.title,
        instructions: row.instructions,
        assignees,
        form: row.form,
        state: TaskState::from_word(&row.state).ok_or_else(|| odd("state"))?,
        opened_at: row.opened_at,
        due_at: row.due_at,
        remind_at: row.remind_at,
        escalated: row.escalated,
        answer,
        ended_at: row.ended_at,
        why: row.why,
    })
}
