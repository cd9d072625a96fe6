//! Requests: found, listed and kept.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{DeploymentId, PersonId, ProjectId, RequestId, RunId};
use domain::person::Scope;
use domain::request::{Request, RequestKind, RequestState, number_in};
use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DbBackend, IntoActiveModel, QueryOrder, QuerySelect};
use serde_json::{Map, Value};

use crate::page::{Counted, Listing, Part, Table, Window};
use crate::sql::{Sql, within};
use crate::{Reads, Tx};

const TABLE: Table = Table { name: "request", tie: "number", columns: "t.*" };

pub(crate) mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "request")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub number: i32,
        pub id: Uuid,
        pub project_id: Uuid,
        pub site: String,
        pub requester_id: Uuid,
        pub kind: String,
        pub title: String,
        pub blueprint: String,
        pub version: String,
        pub action: Option<String>,
        pub deployment_id: Uuid,
        pub parameters: Json,
        pub plan: Option<Json>,
        pub reason: String,
        pub monthly_cents: i64,
        pub revision: i32,
        pub state: String,
        pub outcome: Option<String>,
        pub run_id: Option<Uuid>,
        pub idempotency_key: String,
        pub submitted_at: DateTimeUtc,
        pub decided_at: Option<DateTimeUtc>,
        pub ended_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which requests a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the title, the blueprint's name or the reason; or a number, `R-12`.
    pub text: String,
    /// Part of the title, in any case: quicker than `text`, for an index has it.
    pub title: String,
    /// None: all.
    pub states: Vec<RequestState>,
    pub requester: Option<PersonId>,
    pub project: Option<ProjectId>,
}

/// By what a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    #[default]
    Number,
    Title,
    Price,
    State,
}

/// Writes a new request; the answer bears its number.
pub async fn insert(tx: &Tx, request: Request, idempotency_key: &str) -> Result<Request, DbErr> {
    let mut new = row(&request, idempotency_key)?.into_active_model();
    new.number = sea_orm::ActiveValue::NotSet;
    let inserted = row::Entity::insert(new).exec(&tx.0).await?;
    Ok(Request { number: inserted.last_insert_id, ..request })
}

/// Writes what changed. False, and nothing written, when the request is not in the state and revision any more in
/// which it was read.
pub async fn save(tx: &Tx, request: &Request, read_as: (RequestState, i32)) -> Result<bool, DbErr> {
    let (state, revision) = read_as;
    let saved = row::Entity::update_many()
        .set(row::ActiveModel {
            site: sea_orm::ActiveValue::Set(request.site.clone()),
            title: sea_orm::ActiveValue::Set(request.title.clone()),
            parameters: sea_orm::ActiveValue::Set(Value::Object(request.parameters.clone())),
            plan: sea_orm::ActiveValue::Set(plan_column(request)?),
            reason: sea_orm::ActiveValue::Set(request.reason.clone()),
            monthly_cents: sea_orm::ActiveValue::Set(request.monthly_cents()),
            revision: sea_orm::ActiveValue::Set(request.revision),
            state: sea_orm::ActiveValue::Set(request.state.word().to_owned()),
            outcome: sea_orm::ActiveValue::Set(request.outcome.clone()),
            run_id: sea_orm::ActiveValue::Set(request.run.map(Uuid::from)),
            decided_at: sea_orm::ActiveValue::Set(request.decided_at),
            ended_at: sea_orm::ActiveValue::Set(request.ended_at),
            ..Default::default()
        })
        .filter(row::Column::Id.eq(request.id.0))
        .filter(row::Column::State.eq(state.word()))
        .filter(row::Column::Revision.eq(revision))
        .exec(&tx.0)
        .await?;
    Ok(saved.rows_affected == 1)
}

/// The request, whoever asks; a use case checks the scope.
pub async fn find(on: &impl Reads, id: RequestId) -> Result<Option<Request>, DbErr> {
    row::Entity::find().filter(row::Column::Id.eq(id.0)).one(on.db()).await?.map(request).transpose()
}

/// The request, which nobody else changes before this transaction ends.
pub async fn lock(tx: &Tx, id: RequestId) -> Result<Option<Request>, DbErr> {
    let found = row::Entity::find().filter(row::Column::Id.eq(id.0)).lock_exclusive().one(&tx.0).await?;
    found.map(request).transpose()
}

/// The request, if it is within the scope.
pub async fn find_in(on: &impl Reads, id: RequestId, scope: &Scope) -> Result<Option<Request>, DbErr> {
    let rows = within(row::Entity::find().filter(row::Column::Id.eq(id.0)), row::Column::ProjectId, scope);
    rows.one(on.db()).await?.map(request).transpose()
}

/// The request with this number, if it is within the scope.
pub async fn find_by_number(on: &impl Reads, number: i32, scope: &Scope) -> Result<Option<Request>, DbErr> {
    let rows = within(row::Entity::find().filter(row::Column::Number.eq(number)), row::Column::ProjectId, scope);
    rows.one(on.db()).await?.map(request).transpose()
}

/// The requests with these ids.
pub async fn find_many(on: &impl Reads, ids: &[RequestId]) -> Result<BTreeMap<RequestId, Request>, DbErr> {
    let rows = row::Entity::find().filter(row::Column::Id.is_in(ids.iter().map(|id| id.0))).all(on.db()).await?;
    rows.into_iter().map(|row| request(row).map(|request| (request.id, request))).collect()
}

/// The request that this person submitted with this key before.
pub async fn find_by_key(on: &impl Reads, requester: PersonId, key: &str) -> Result<Option<Request>, DbErr> {
    let found = row::Entity::find()
        .filter(row::Column::RequesterId.eq(requester.0))
        .filter(row::Column::IdempotencyKey.eq(key))
        .one(on.db())
        .await?;
    found.map(request).transpose()
}

/// Of these names, one that the order of another open request will take, with that request's project.
pub async fn promised(
    on: &impl Reads,
    but: RequestId,
    names: &BTreeSet<&String>,
) -> Result<Option<(ProjectId, String)>, DbErr> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut sql = Sql::default();
    let open = RequestState::ALL.into_iter().filter(|state| !state.is_over());
    let (open, but) = (sql.bind_all(open.map(RequestState::word)), sql.bind(but.0));
    let names = sql.bind_all(names.iter().map(|name| name.as_str()));
    let of_plan = match on.db().get_database_backend() {
        DbBackend::Postgres => "LATERAL jsonb_array_elements_text(CAST(plan AS jsonb) -> 'names') AS taken(value)",
        _ => "json_each(plan, '$.names') AS taken",
    };
    sql.text = format!(
        "SELECT project_id, taken.value FROM request CROSS JOIN {of_plan} \
         WHERE state IN ({open}) AND request.id <> {but} AND taken.value IN ({names}) LIMIT 1"
    );
    let found = sql.pairs(on).await?;
    Ok(found.into_iter().next().map(|(project, name)| (project.into(), name)))
}

/// The requests about a deployment, newest first.
pub async fn of_deployment(on: &impl Reads, deployment: DeploymentId) -> Result<Vec<Request>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::DeploymentId.eq(deployment.0))
        .order_by_desc(row::Column::Number)
        .all(on.db())
        .await?;
    rows.into_iter().map(request).collect()
}

/// A part of the requests within the scope.
pub async fn list(
    on: &impl Reads,
    scope: &Scope,
    filter: &Filter,
    window: Window<SortBy, RequestId>,
) -> Result<Part<Request>, DbErr> {
    let column = match window.sort {
        SortBy::Number => "number",
        SortBy::Title => "title",
        SortBy::Price => "monthly_cents",
        SortBy::State => "state",
    };
    listing(scope, filter).part(on, column, window).await?.try_map(request)
}

/// How many requests the filter leaves.
pub async fn count(on: &impl Reads, scope: &Scope, filter: &Filter) -> Result<Counted, DbErr> {
    listing(scope, filter).count(on).await
}

fn listing(scope: &Scope, filter: &Filter) -> Listing {
    let mut all = Listing::new(TABLE, scope, filter.project);
    if let Some(requester) = filter.requester {
        all.ask(|sql| format!("requester_id = {}", sql.bind(requester.0)));
    }
    if !filter.states.is_empty() {
        all.ask(|sql| format!("state IN ({})", sql.bind_all(filter.states.iter().map(|state| state.word()))));
    }
    if !filter.title.is_empty() {
        all.ask(|sql| sql.contains(&["title"], &filter.title));
    }
    let text = filter.text.trim();
    if !text.is_empty() {
        all.ask(|sql| {
            let mut any = vec![sql.contains(&["title", "blueprint", "reason"], text)];
            any.extend(number_in(text).map(|number| format!("number = {}", sql.bind(number))));
            format!("({})", any.join(" OR "))
        });
    }
    all
}

fn plan_column(request: &Request) -> Result<Option<Value>, DbErr> {
    request.plan.as_ref().map(serde_json::to_value).transpose().map_err(|cause| DbErr::Json(cause.to_string()))
}

fn row(request: &Request, idempotency_key: &str) -> Result<row::Model, DbErr> {
    Ok(row::Model {
        number: request.number,
        id: request.id.into(),
        project_id: request.project.into(),
        site: request.site.clone(),
        requester_id: request.requester.into(),
        kind: request.kind.word().to_owned(),
        title: request.title.clone(),
        blueprint: request.blueprint.clone(),
        version: request.version.clone(),
        action: request.action.clone(),
        deployment_id: request.deployment.into(),
        parameters: Value::Object(request.parameters.clone()),
        plan: plan_column(request)?,
        reason: request.reason.clone(),
        monthly_cents: request.monthly_cents(),
        revision: request.revision,
        state: request.state.word().to_owned(),
        outcome: request.outcome.clone(),
        run_id: request.run.map(Uuid::from),
        idempotency_key: idempotency_key.to_owned(),
        submitted_at: request.submitted_at,
        decided_at: request.decided_at,
        ended_at: request.ended_at,
    })
}

fn request(row: row::Model) -> Result<Request, DbErr> {
    let odd = |what: &str, word: &str| DbErr::Type(format!("request {}: no {what} is ever `{word}`", row.number));
    let plan = row.plan.map(serde_json::from_value).transpose().map_err(|cause| DbErr::Json(cause.to_string()))?;
    let parameters = match row.parameters {
        Value::Object(ref parameters) => parameters.clone(),
        _ => Map::new(),
    };
    Ok(Request {
        id: row.id.into(),
        number: row.number,
        project: row.project_id.into(),
        site: row.site,
        requester: row.requester_id.into(),
        kind: RequestKind::from_word(&row.kind).ok_or_else(|| odd("kind", &row.kind))?,
        state: RequestState::from_word(&row.state).ok_or_else(|| odd("state", &row.state))?,
        title: row.title,
        blueprint: row.blueprint,
        version: row.version,
        action: row.action,
        deployment: row.deployment_id.into(),
        parameters,
        plan,
        reason: row.reason,
        revision: row.revision,
        outcome: row.outcome,
        run: row.run_id.map(RunId::from),
        submitted_at: row.submitted_at,
        decided_at: row.decided_at,
        ended_at: row.ended_at,
    })
}
