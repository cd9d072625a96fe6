//! What requests take of their project's quota. Usage is a sum over rows, read in the transaction that adds to it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::allocation::{Allocation, AllocationState, CENTS_PER_MONTH};
use domain::ids::{DeploymentId, ProjectId, RequestId};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{Condition, IntoActiveModel, QuerySelect};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "allocation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub project_id: Uuid,
        pub deployment_id: Uuid,
        pub amount: i64,
        pub state: String,
        pub reserved_at: DateTimeUtc,
        pub live_at: Option<DateTimeUtc>,
        pub released_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod quota {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "quota")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub project_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub amount: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Writes what a request takes.
pub async fn reserve(tx: &Tx, allocations: &[Allocation]) -> Result<(), DbErr> {
    if allocations.is_empty() {
        return Ok(());
    }
    let rows = allocations.iter().map(|allocation| row(allocation).into_active_model());
    row::Entity::insert_many(rows).exec_without_returning(&tx.0).await.map(drop)
}

/// What the request asked for is there now.
pub async fn make_live(tx: &Tx, request: RequestId, now: DateTime<Utc>) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(word(AllocationState::Live)))
        .col_expr(row::Column::LiveAt, Expr::value(now))
        .filter(row::Column::RequestId.eq(request.0))
        .filter(row::Column::State.eq(word(AllocationState::Reserved)))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// Keeps what a request takes although it was given up, for something of it stands; what it would have given back is
/// not given back.
pub async fn keep_taken(tx: &Tx, request: RequestId, now: DateTime<Utc>) -> Result<(), DbErr> {
    let given_back = row::Column::RequestId.eq(request.0).and(row::Column::Amount.lt(0));
    release_where(tx, given_back, now).await?;
    make_live(tx, request, now).await
}

/// Gives back what a request reserved: it was rejected, cancelled, or taken back.
pub async fn release(tx: &Tx, request: RequestId, now: DateTime<Utc>) -> Result<(), DbErr> {
    release_where(tx, row::Column::RequestId.eq(request.0), now).await
}

/// Gives back everything that a deployment takes: it is gone.
pub async fn release_deployment(tx: &Tx, deployment: DeploymentId, now: DateTime<Utc>) -> Result<(), DbErr> {
    release_where(tx, row::Column::DeploymentId.eq(deployment.0), now).await
}

async fn release_where(tx: &Tx, which: Expr, now: DateTime<Utc>) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(word(AllocationState::Released)))
        .col_expr(row::Column::ReleasedAt, Expr::value(now))
        .filter(which)
        .filter(row::Column::State.ne(word(AllocationState::Released)))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// What the project uses by key: all that is live and all that is promised. What is to be given back counts until it is.
pub async fn usage(on: &impl Reads, project: ProjectId) -> Result<BTreeMap<String, i64>, DbErr> {
    let promised =
        Condition::all().add(row::Column::State.eq(word(AllocationState::Reserved))).add(row::Column::Amount.gt(0));
    let counts = Condition::any().add(row::Column::State.eq(word(AllocationState::Live))).add(promised);
    let sums: Vec<(String, i64)> = row::Entity::find()
        .select_only()
        .column(row::Column::Key)
        .column_as(row::Column::Amount.sum().cast_as("bigint"), "amount")
        .filter(row::Column::ProjectId.eq(project.0))
        .filter(counts)
        .group_by(row::Column::Key)
        .into_tuple()
        .all(on.db())
        .await?;
    Ok(sums.into_iter().collect())
}

/// What each project's live things cost a month at present, in cents.
pub async fn monthly_cents_by_project(on: &impl Reads) -> Result<BTreeMap<ProjectId, i64>, DbErr> {
    let sums: Vec<(Uuid, i64)> = row::Entity::find()
        .select_only()
        .column(row::Column::ProjectId)
        .column_as(row::Column::Amount.sum().cast_as("bigint"), "amount")
        .filter(row::Column::Key.eq(CENTS_PER_MONTH))
        .filter(row::Column::State.eq(word(AllocationState::Live)))
        .group_by(row::Column::ProjectId)
        .into_tuple()
        .all(on.db())
        .await?;
    Ok(sums.into_iter().map(|(project, cents)| (project.into(), cents)).collect())
}

/// What the project may use by key; a key that is missing has no limit.
pub async fn limits(on: &impl Reads, project: ProjectId) -> Result<BTreeMap<String, i64>, DbErr> {
    let rows = quota::Entity::find().filter(quota::Column::ProjectId.eq(project.0)).all(on.db()).await?;
    Ok(rows.into_iter().map(|row| (row.key, row.amount)).collect())
}

/// Sets what the project may use of one key.
pub async fn set_limit(tx: &Tx, project: ProjectId, key: &str, amount: i64) -> Result<(), DbErr> {
    let row = quota::Model { project_id: project.into(), key: key.to_owned(), amount };
    let conflict = OnConflict::columns([quota::Column::ProjectId, quota::Column::Key])
        .update_column(quota::Column::Amount)
        .to_owned();
    quota::Entity::insert(row.into_active_model()).on_conflict(conflict).exec_without_returning(&tx.0).await.map(drop)
}

/// What these deployments take and took, released rows included.
pub async fn of_deployments(on: &impl Reads, deployments: &[DeploymentId]) -> Result<Vec<Allocation>, DbErr> {
    let ids = deployments.iter().map(|id| id.0);
    let rows = row::Entity::find().filter(row::Column::DeploymentId.is_in(ids)).all(on.db()).await?;
    rows.into_iter().map(allocation).collect()
}

fn row(allocation: &Allocation) -> row::Model {
    row::Model {
        request_id: allocation.request.into(),
        key: allocation.key.clone(),
        project_id: allocation.project.into(),
        deployment_id: allocation.deployment.into(),
        amount: allocation.amount,
        state: word(allocation.state).to_owned(),
        reserved_at: allocation.reserved_at,
        live_at: allocation.live_at,
        released_at: allocation.released_at,
    }
}

fn allocation(row: row::Model) -> Result<Allocation, DbErr> {
    Ok(Allocation {
        state: match row.state.as_str() {
            "reserved" => AllocationState::Reserved,
            "live" => AllocationState::Live,
            "released" => AllocationState::Released,
            other => return Err(DbErr::Type(format!("an allocation is in no known state: `{other}`"))),
        },
        request: row.request_id.into(),
        key: row.key,
        project: row.project_id.into(),
        deployment: row.deployment_id.into(),
        amount: row.amount,
        reserved_at: row.reserved_at,
        live_at: row.live_at,
        released_at: row.released_at,
    })
}

const fn word(state: AllocationState) -> &'static str {
    match state {
        AllocationState::Reserved => "reserved",
        AllocationState::Live => "live",
        AllocationState::Released => "released",
    }
}

/// Forgets what a request reserved: it was changed, and reserves anew.
pub async fn forget(tx: &Tx, request: RequestId) -> Result<(), DbErr> {
    row::Entity::delete_many().filter(row::Column::RequestId.eq(request.0)).exec(&tx.0).await.map(drop)
}
