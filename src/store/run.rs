//! Runs: taking one by its lease, writing what became of it, finding those that are due.
//!
//! Two numbers guard a run. Its `token` grows when a worker takes it, and each write of a worker names the one it
//! holds. Its `revision` grows when somebody else changes it, so that a worker never writes over what it has not seen.

pub(crate) mod held;
mod list;
pub(crate) mod pinned;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::{DeploymentId, ProjectId, RequestId, RunId};
use domain::person::Scope;
use domain::run::{Cancel, Run, RunKind, RunState};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Set};

use crate::sql::{self, Sql, within};
use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "run")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub deployment_id: Uuid,
        pub project_id: Uuid,
        pub site: String,
        pub request_id: Option<Uuid>,
        pub kind: String,
        pub title: String,
        pub blueprint: String,
        pub version: String,
        pub action: Option<String>,
        pub platform: String,
        pub application: String,
        pub state: String,
        pub why: Option<String>,
        pub cancel: Option<String>,
        pub token: i64,
        pub revision: i64,
        pub next_event: i64,
        pub worker: Option<String>,
        pub lease_until: Option<DateTimeUtc>,
        pub wake_at: Option<DateTimeUtc>,
        pub created_at: DateTimeUtc,
        pub started_at: Option<DateTimeUtc>,
        pub ended_at: Option<DateTimeUtc>,
        pub paused_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_one = "super::pinned::entity::Entity")]
        Pinned,
    }

    impl Related<super::pinned::entity::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Pinned.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity};
use list::summaries;
pub use list::{Filter, RunSummary, SortBy, count, list};
use pinned::Whole;

/// Named in the statement's text: an index that holds only such runs is used for no other.
const DONE: &str = "state = 'done'";
/// Runs that a person may still want to look at, by the index that holds no others.
const OPEN: &str = "ended_at IS NULL";

/// Writes a new run.
pub async fn insert(tx: &Tx, run: &Run) -> Result<(), DbErr> {
    Entity::insert(active(run)).exec_without_returning(tx.db()).await?;
    pinned::insert(tx, run).await
}

/// The run with this id.
pub async fn find(on: &impl Reads, id: RunId) -> Result<Option<Run>, DbErr> {
    pinned::with(Entity::find_by_id(id.0), on).await?.pop().map(run).transpose()
}

/// The run with this id, if it is within the scope.
pub async fn find_in(on: &impl Reads, id: RunId, scope: &Scope) -> Result<Option<Run>, DbErr> {
    let rows = within(Entity::find_by_id(id.0), Column::ProjectId, scope);
    pinned::with(rows, on).await?.pop().map(run).transpose()
}

/// Keeps everybody else from changing the run before this transaction ends.
pub async fn lock(tx: &Tx, id: RunId) -> Result<(), DbErr> {
    let row = Entity::find_by_id(id.0).select_only().column(Column::Id).lock_exclusive();
    row.into_tuple::<uuid::Uuid>().one(tx.db()).await.map(drop)
}

/// Takes runs for a worker until then, but for those that another one holds. Answers those that were taken, each with
/// a token that has grown. Each has a move written next in the transaction; when they are looked at again is in an index,
/// and is written only with that.
pub async fn take(
    tx: &Tx,
    ids: &[RunId],
    worker: &str,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<Run>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let backend = sql::backend(tx);
    let mut sql = Sql::default();
    let (worker, now, until) = (sql.bind(worker), sql.bind(now), sql.bind(until));
    let ids = sql.bind_all(ids.iter().map(|id| id.0));
    let taken = format!(
        "UPDATE run SET token = token + 1, worker = {worker}, lease_until = {until} \
         WHERE id IN ({ids}) AND state IN ({}) AND (lease_until IS NULL OR lease_until <= {now}) RETURNING *",
        driven()
    );
    sql.text = pinned::beside(&taken, backend);
    let taken = sql.rows(tx).await?;
    let taken = pinned::whole(tx, &taken).await?.into_iter().map(run);
    taken.map(|taken| taken.map(|run| Run { wake_at: run.lease_until, ..run })).collect()
}

/// What a renewal of the lease found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease is renewed, and nobody else changed the run.
    Renewed,
    /// The lease is renewed; somebody changed the run meanwhile.
    Changed,
    /// Another worker took the run.
    Lost,
}

/// Renews the lease of the worker that holds this token.
pub async fn renew(tx: &Tx, held: &Run, until: DateTime<Utc>) -> Result<Renewal, DbErr> {
    let renewed = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(until))
        .col_expr(Column::WakeAt, Expr::value(until))
        .filter(Column::Id.eq(held.id.0))
        .filter(Column::Token.eq(held.token))
        .exec(tx.db())
        .await?;
    if renewed.rows_affected == 0 {
        return Ok(Renewal::Lost);
    }
    let now = revision(tx, held.id).await?;
    Ok(if now == Some(held.revision) { Renewal::Renewed } else { Renewal::Changed })
}

/// Writes a run that somebody other than its worker changed, and lets its revision grow. False when it changed since
/// it was read.
pub async fn save_from_outside(tx: &Tx, run: &Run) -> Result<bool, DbErr> {
    let saved = Entity::update_many()
        .col_expr(Column::State, Expr::value(run.state.word()))
        .col_expr(Column::Why, Expr::value(run.why.clone()))
        .col_expr(Column::Cancel, Expr::value(run.cancel.map(Cancel::word)))
        .col_expr(Column::Revision, Expr::value(run.revision + 1))
        .col_expr(Column::NextEvent, Expr::value(run.next_event))
        .col_expr(Column::Worker, Expr::value(run.worker.clone()))
        .col_expr(Column::LeaseUntil, Expr::value(run.lease_until))
        .col_expr(Column::WakeAt, Expr::value(run.wake_at))
        .col_expr(Column::StartedAt, Expr::value(run.started_at))
        .col_expr(Column::EndedAt, Expr::value(run.ended_at))
        .col_expr(Column::PausedAt, Expr::value(run.paused_at))
        .filter(Column::Id.eq(run.id.0))
        .filter(Column::Token.eq(run.token))
        .filter(Column::Revision.eq(run.revision))
        .exec(tx.db())
        .await?;
    Ok(saved.rows_affected == 1)
}

async fn revision(on: &impl Reads, id: RunId) -> Result<Option<i64>, DbErr> {
    Entity::find_by_id(id.0).select_only().column(Column::Revision).into_tuple().one(on.db()).await
}

/// A run that somebody should look at.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    pub id: RunId,
    pub project: ProjectId,
    pub kind: RunKind,
    pub state: RunState,
}

/// Leaves a run that can't be carried to a person, whoever holds it: says why, and nobody takes it up any more.
pub async fn set_aside(tx: &Tx, id: RunId, why: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    let driven = RunState::ALL.into_iter().filter(|state| state.can_be_driven()).map(RunState::word);
    Entity::update_many()
        .col_expr(Column::State, Expr::value(RunState::Paused.word()))
        .col_expr(Column::Why, Expr::value(why))
        .col_expr(Column::PausedAt, Expr::value(now))
        .col_expr(Column::Token, Expr::col(Column::Token).add(1))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .col_expr(Column::Worker, Expr::value(None::<String>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(Column::WakeAt, Expr::value(None::<DateTime<Utc>>))
        .filter(Column::Id.eq(id.0))
        .filter(Column::State.is_in(driven))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// The runs that somebody should look at by now: a timer is up, a worker died, or nobody took them. Those that were due
/// before `from` are left out. It bounds the walk through the index: PostgreSQL can't clear away what was due once as
/// long as somebody's transaction is open.
pub async fn due(
    on: &impl Reads,
    from: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Due>, DbErr> {
    let rows: Vec<(uuid::Uuid, uuid::Uuid, String, String)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::ProjectId, Column::Kind, Column::State])
        .filter(Column::WakeAt.lte(now))
        .apply_if(from, |runs, from| runs.filter(Column::WakeAt.gte(from)))
        .order_by_asc(Column::WakeAt)
        .limit(limit)
        .into_tuple()
        .all(on.db())
        .await?;
    let due = |(id, project, kind_word, state_word): (uuid::Uuid, uuid::Uuid, String, String)| {
        Ok(Due { id: id.into(), project: project.into(), kind: kind(&kind_word, id)?, state: state(&state_word, id)? })
    };
    rows.into_iter().map(due).collect()
}

/// When the next run is due, not counting those that were before `from`.
pub async fn next_due(on: &impl Reads, from: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>, DbErr> {
    let row: Option<Option<DateTime<Utc>>> = Entity::find()
        .select_only()
        .column(Column::WakeAt)
        .filter(Column::WakeAt.is_not_null())
        .apply_if(from, |runs, from| runs.filter(Column::WakeAt.gte(from)))
        .order_by_asc(Column::WakeAt)
        .limit(1)
        .into_tuple()
        .one(on.db())
        .await?;
    Ok(row.flatten())
}

/// Lets the runs be due now that rest while a step of theirs waits for this provider.
pub async fn bring_forward(tx: &Tx, provider: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    use crate::step::entity::{Column as StepColumn, Entity as StepEntity};
    let waiting = StepEntity::find().select_only().column(StepColumn::RunId).filter(StepColumn::WaitsFor.eq(provider));
    Entity::update_many()
        .col_expr(Column::WakeAt, Expr::value(now))
        .filter(Column::Id.in_subquery(waiting.into_query()))
        .filter(Column::WakeAt.gt(now))
        .filter(Column::LeaseUntil.is_null())
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Lets runs be due again then, in case nobody takes them meanwhile.
pub async fn put_off(tx: &Tx, ids: &[RunId], until: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::WakeAt, Expr::value(until))
        .filter(Column::Id.is_in(ids.iter().map(|id| id.0)))
        .filter(Column::WakeAt.is_not_null())
        .exec(tx.db())
        .await?;
    Ok(())
}

/// How many runs stand in each state that a person may want to look at: those that ended are left out.
pub async fn count_open(on: &impl Reads) -> Result<Vec<(RunState, u64)>, DbErr> {
    let open = RunState::ALL.into_iter().filter(|state| !state.has_ended());
    let rows: Vec<(String, i64)> = Entity::find()
        .select_only()
        .column(Column::State)
        .column_as(Column::Id.count(), "count")
        .filter(Expr::cust(OPEN))
        .filter(Column::State.is_in(open.map(RunState::word)))
        .group_by(Column::State)
        .into_tuple()
        .all(on.db())
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(word, count)| Some((RunState::from_word(&word)?, u64::try_from(count).ok()?)))
        .collect())
}

/// The runs of a deployment, newest first.
pub async fn of_deployment(on: &impl Reads, deployment: DeploymentId) -> Result<Vec<RunSummary>, DbErr> {
    let rows = Entity::find().filter(Column::DeploymentId.eq(deployment.0)).order_by_desc(Column::CreatedAt);
    summaries(rows, on).await
}

/// The runs of a deployment with all they pinned, oldest first.
pub async fn whole_of_deployment(on: &impl Reads, deployment: DeploymentId) -> Result<Vec<Run>, DbErr> {
    let rows = Entity::find()
        .filter(Column::DeploymentId.eq(deployment.0))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id);
    pinned::with(rows, on).await?.into_iter().map(run).collect()
}

/// The run that a request led to.
pub async fn of_request(on: &impl Reads, request: RequestId) -> Result<Option<RunSummary>, DbErr> {
    let rows = Entity::find().filter(Column::RequestId.eq(request.0)).order_by_desc(Column::CreatedAt).limit(1);
    Ok(summaries(rows, on).await?.into_iter().next())
}

/// The runs of these requests, in one statement.
pub async fn of_requests(on: &impl Reads, requests: &[RequestId]) -> Result<BTreeMap<RequestId, RunSummary>, DbErr> {
    if requests.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = Entity::find().filter(Column::RequestId.is_in(requests.iter().map(|request| request.0)));
    Ok(summaries(rows, on).await?.into_iter().filter_map(|run| Some((run.request?, run))).collect())
}

/// Where the runs stand that are under way on these deployments, in one statement.
pub async fn open_of_deployments(
    on: &impl Reads,
    deployments: &[DeploymentId],
) -> Result<BTreeMap<DeploymentId, RunSummary>, DbErr> {
    if deployments.is_empty() {
        return Ok(BTreeMap::new());
    }
    let open = RunState::ALL.into_iter().filter(|state| !state.has_ended()).map(RunState::word);
    let rows = Entity::find()
        .filter(Column::DeploymentId.is_in(deployments.iter().map(|deployment| deployment.0)))
        .filter(Column::State.is_in(open));
    Ok(summaries(rows, on).await?.into_iter().map(|run| (run.deployment, run)).collect())
}

/// How long such runs usually take: the median of the last ones that were done. `None` when there were none.
pub async fn usual_duration(
    on: &impl Reads,
    blueprint: &str,
    kind: RunKind,
    action: Option<&str>,
) -> Result<Option<Duration>, DbErr> {
    let mut runs = Entity::find()
        .select_only()
        .column(Column::StartedAt)
        .column(Column::EndedAt)
        .filter(Column::Blueprint.eq(blueprint))
        .filter(Column::Kind.eq(kind.word()))
        .filter(Expr::cust(DONE));
    if let Some(action) = action {
        runs = runs.filter(Column::Action.eq(action));
    }
    type Instant = Option<DateTime<Utc>>;
    let times: Vec<(Instant, Instant)> =
        runs.order_by_desc(Column::EndedAt).limit(25).into_tuple().all(on.db()).await?;
    let mut durations: Vec<Duration> = times.into_iter().filter_map(|(from, to)| (to? - from?).to_std().ok()).collect();
    durations.sort_unstable();
    Ok(durations.get(durations.len() / 2).copied())
}

/// How long runs of a kind usually take, by blueprint: the median of the last ones that were done.
pub async fn usual_durations(on: &impl Reads, kind: RunKind) -> Result<BTreeMap<String, Duration>, DbErr> {
    type Times = (String, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let runs = Entity::find()
        .select_only()
        .column(Column::Blueprint)
        .column(Column::StartedAt)
        .column(Column::EndedAt)
        .filter(Column::Kind.eq(kind.word()))
        .filter(Expr::cust(DONE));
    let times: Vec<Times> = runs.order_by_desc(Column::EndedAt).limit(250).into_tuple().all(on.db()).await?;
    let mut durations: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for (blueprint, from, to) in times {
        let took = from.zip(to).and_then(|(from, to)| (to - from).to_std().ok());
        durations.entry(blueprint).or_default().extend(took);
    }
    let median = |mut took: Vec<Duration>| {
        took.sort_unstable();
        took.get(took.len() / 2).copied()
    };
    Ok(durations.into_iter().filter_map(|(blueprint, took)| Some((blueprint, median(took)?))).collect())
}

/// The words of the states in which a worker may have something to do, as a list in a statement.
pub(crate) fn driven() -> String {
    let driven = RunState::ALL.into_iter().filter(|state| state.can_be_driven());
    driven.map(|state| format!("'{}'", state.word())).collect::<Vec<_>>().join(", ")
}

pub(crate) fn active(run: &Run) -> ActiveModel {
    ActiveModel {
        id: Set(run.id.0),
        deployment_id: Set(run.deployment.0),
        project_id: Set(run.project.0),
        site: Set(run.site.clone()),
        request_id: Set(run.request.map(|request| request.0)),
        kind: Set(run.kind.word().to_owned()),
        title: Set(run.title.clone()),
        blueprint: Set(run.blueprint.clone()),
        version: Set(run.version.clone()),
        action: Set(run.action.clone()),
        platform: Set(run.platform.clone()),
        application: Set(run.application.clone()),
        state: Set(run.state.word().to_owned()),
        why: Set(run.why.clone()),
        cancel: Set(run.cancel.map(|wish| wish.word().to_owned())),
        token: Set(run.token),
        revision: Set(run.revision),
        next_event: Set(run.next_event),
        worker: Set(run.worker.clone()),
        lease_until: Set(run.lease_until),
        wake_at: Set(run.wake_at),
        created_at: Set(run.created_at),
        started_at: Set(run.started_at),
        ended_at: Set(run.ended_at),
        paused_at: Set(run.paused_at),
    }
}

fn run(Whole { row, pinned }: Whole) -> Result<Run, DbErr> {
    Ok(Run {
        kind: kind(&row.kind, row.id)?,
        state: state(&row.state, row.id)?,
        workflow: read::<Vec<_>>(pinned.workflow, "workflow", row.id)?.into(),
        bindings: Arc::new(read(pinned.bindings, "bindings", row.id)?),
        cancel: row.cancel.as_deref().and_then(Cancel::from_word),
        id: row.id.into(),
        deployment: row.deployment_id.into(),
        project: row.project_id.into(),
        site: row.site,
        request: row.request_id.map(Into::into),
        title: row.title,
        blueprint: row.blueprint,
        version: row.version,
        action: row.action,
        platform: row.platform,
        application: row.application,
        why: row.why,
        token: row.token,
        revision: row.revision,
        next_event: row.next_event,
        worker: row.worker,
        lease_until: row.lease_until,
        wake_at: row.wake_at,
        created_at: row.created_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
        paused_at: row.paused_at,
    })
}

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value, what: &str, id: uuid::Uuid) -> Result<T, DbErr> {
    serde_json::from_value(value).map_err(|cause| DbErr::Json(format!("the {what} of run {id} can't be read: {cause}")))
}

fn kind(word: &str, id: uuid::Uuid) -> Result<RunKind, DbErr> {
    RunKind::from_word(word).ok_or_else(|| DbErr::Type(format!("the run {id} is of no known kind: `{word}`")))
}

fn state(word: &str, id: uuid::Uuid) -> Result<RunState, DbErr> {
    RunState::from_word(word).ok_or_else(|| DbErr::Type(format!("the run {id} is in no known state: `{word}`")))
}
