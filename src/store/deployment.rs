//! Deployments: found, listed and kept.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::deployment::{Deployment, DeploymentState, Lease};
use domain::ids::{DeploymentId, ProjectId, RequestId};
use domain::person::Scope;
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};
use serde_json::{Map, Value};

use crate::page::{Counted, Listing, Part, Table, Window};
use crate::sql::within;
use crate::{Reads, Tx};

const TABLE: Table = Table { name: "deployment", tie: "id", columns: "t.*" };

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deployment")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub project_id: Uuid,
        pub site: String,
        pub request_id: Uuid,
        pub owner_id: Uuid,
        pub name: String,
        pub blueprint: String,
        pub version: String,
        pub title: String,
        pub params: Json,
        pub next_params: Option<Json>,
        pub platform: String,
        pub application: String,
        pub state: String,
        pub lease_until: DateTimeUtc,
        pub lease_longest_until: DateTimeUtc,
        pub grace_days: i64,
        pub warned_at: Option<DateTimeUtc>,
        pub created_at: DateTimeUtc,
        pub built_at: Option<DateTimeUtc>,
        pub ended_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which deployments a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the name, in any case.
    pub text: String,
    /// None: all that are not over.
    pub states: Vec<DeploymentState>,
    pub blueprint: Option<String>,
    pub project: Option<ProjectId>,
}

/// By what a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    Name,
    #[default]
    Created,
    Lease,
    State,
}

/// Adds a deployment.
pub async fn insert(tx: &Tx, deployment: &Deployment) -> Result<(), DbErr> {
    row::Entity::insert(row(deployment).into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// Writes the deployment as it is now.
pub async fn update(tx: &Tx, deployment: &Deployment) -> Result<(), DbErr> {
    row::Entity::update(row(deployment).into_active_model().reset_all()).exec(&tx.0).await.map(drop)
}

/// The deployment, whoever asks; a use case checks the scope.
pub async fn find(on: &impl Reads, id: DeploymentId) -> Result<Option<Deployment>, DbErr> {
    row::Entity::find_by_id(id.0).one(on.db()).await?.map(deployment).transpose()
}

/// The deployment, kept from changing until the transaction ends.
pub async fn lock(tx: &Tx, id: DeploymentId) -> Result<Option<Deployment>, DbErr> {
    row::Entity::find_by_id(id.0).lock_exclusive().one(&tx.0).await?.map(deployment).transpose()
}

/// The deployment, if it is within the scope.
pub async fn find_in(on: &impl Reads, id: DeploymentId, scope: &Scope) -> Result<Option<Deployment>, DbErr> {
    let rows = within(row::Entity::find_by_id(id.0), row::Column::ProjectId, scope);
    rows.one(on.db()).await?.map(deployment).transpose()
}

/// What these deployments are called.
pub(crate) async fn names(on: &impl Reads, ids: &[DeploymentId]) -> Result<BTreeMap<DeploymentId, String>, DbErr> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: Vec<(Uuid, String)> = row::Entity::find()
        .select_only()
        .columns([row::Column::Id, row::Column::Name])
        .filter(row::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .into_tuple()
        .all(on.db())
        .await?;
    Ok(names.into_iter().map(|(id, name)| (id.into(), name)).collect())
}

/// The deployment that a request led to.
pub async fn of_request(on: &impl Reads, request: RequestId) -> Result<Option<Deployment>, DbErr> {
    let found = row::Entity::find().filter(row::Column::RequestId.eq(request.0)).one(on.db()).await?;
    found.map(deployment).transpose()
}

/// A part of the deployments within the scope.
pub async fn list(
    on: &impl Reads,
    scope: &Scope,
    filter: &Filter,
    window: Window<SortBy, DeploymentId>,
) -> Result<Part<Deployment>, DbErr> {
    let column = match window.sort {
        SortBy::Name => "name",
        SortBy::Created => "created_at",
        SortBy::Lease => "lease_until",
        SortBy::State => "state",
    };
    listing(scope, filter).part(on, column, window).await?.try_map(deployment)
}

/// How many deployments the filter leaves.
pub async fn count(on: &impl Reads, scope: &Scope, filter: &Filter) -> Result<Counted, DbErr> {
    listing(scope, filter).count(on).await
}

/// Live deployments whose lease ends before `limit`, those first that end first.
pub async fn lease_ends_before(on: &impl Reads, limit: DateTime<Utc>) -> Result<Vec<Deployment>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::State.eq(DeploymentState::Live.word()))
        .filter(row::Column::LeaseUntil.lt(limit))
        .order_by_asc(row::Column::LeaseUntil)
        .all(on.db())
        .await?;
    rows.into_iter().map(deployment).collect()
}

fn listing(scope: &Scope, filter: &Filter) -> Listing {
    let mut all = Listing::new(TABLE, scope, filter.project);
    if filter.states.is_empty() {
        let over = DeploymentState::ALL.into_iter().filter(|state| state.is_over()).map(DeploymentState::word);
        all.ask(|sql| format!("state NOT IN ({})", sql.bind_all(over)));
    } else {
        all.ask(|sql| format!("state IN ({})", sql.bind_all(filter.states.iter().map(|state| state.word()))));
    }
    if !filter.text.is_empty() {
        all.ask(|sql| sql.contains(&["name"], &filter.text));
    }
    if let Some(blueprint) = &filter.blueprint {
        all.ask(|sql| format!("blueprint = {}", sql.bind(blueprint.as_str())));
    }
    all
}

fn row(deployment: &Deployment) -> row::Model {
    row::Model {
        id: deployment.id.into(),
        project_id: deployment.project.into(),
        site: deployment.site.clone(),
        request_id: deployment.request.into(),
        owner_id: deployment.owner.into(),
        name: deployment.name.clone(),
        blueprint: deployment.blueprint.clone(),
        version: deployment.version.clone(),
        title: deployment.title.clone(),
        params: Value::Object(deployment.params.clone()),
        next_params: deployment.next_params.clone().map(Value::Object),
        platform: deployment.platform.clone(),
        application: deployment.application.clone(),
        state: deployment.state.word().to_owned(),
        lease_until: deployment.lease.until,
        lease_longest_until: deployment.lease.longest_until,
        grace_days: deployment.lease.grace_days,
        warned_at: deployment.lease.warned_at,
        created_at: deployment.created_at,
        built_at: deployment.built_at,
        ended_at: deployment.ended_at,
    }
}

fn deployment(row: row::Model) -> Result<Deployment, DbErr> {
    let state = DeploymentState::from_word(&row.state)
        .ok_or_else(|| DbErr::Type(format!("the deployment {} is in no known state: `{}`", row.id, row.state)))?;
    let lease = Lease {
        until: row.lease_until,
        longest_until: row.lease_longest_until,
        grace_days: row.grace_days,
        warned_at: row.warned_at,
    };
    Ok(Deployment {
        id: row.id.into(),
        project: row.project_id.into(),
        site: row.site,
        request: row.request_id.into(),
        owner: row.owner_id.into(),
        name: row.name,
        blueprint: row.blueprint,
        version: row.version,
        title: row.title,
        params: members(row.params),
        next_params: row.next_params.map(members),
        platform: row.platform,
        application: row.application,
        state,
        lease,
        created_at: row.created_at,
        built_at: row.built_at,
        ended_at: row.ended_at,
    })
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
