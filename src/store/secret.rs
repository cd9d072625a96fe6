//! Secrets that were made for deployments, sealed. What they say in the clear never comes here.

use chrono::{DateTime, Utc};
use domain::ids::{DeploymentId, PersonId, SecretId};
use domain::ports::secrets::SecretOrder;
use domain::secret::{Handover, KeyId, Sealed, Taken};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{Condition, IntoActiveModel, QueryOrder};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "secret")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub key: String,
        pub renews: Option<String>,
        pub run_id: Uuid,
        pub deployment_id: Uuid,
        pub project_id: Uuid,
        pub name: String,
        pub sealed: Vec<u8>,
        pub sealing_key: i64,
        pub created_at: DateTimeUtc,
        pub take_until: DateTimeUtc,
        pub taken_by_id: Option<Uuid>,
        pub taken_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Keeps a secret; where the step's key has one already, that stays and nothing is written.
pub async fn insert(
    tx: &Tx,
    id: SecretId,
    order: &SecretOrder,
    sealed: Sealed,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = row::Model {
        id: id.into(),
        key: order.key.clone(),
        renews: order.renews.clone(),
        run_id: order.run.into(),
        deployment_id: order.deployment.into(),
        project_id: order.project.into(),
        name: order.name.clone(),
        sealed: sealed.bytes,
        sealing_key: sealed.key.0,
        created_at: now,
        take_until: order.until,
        taken_by_id: None,
        taken_at: None,
    };
    let known = OnConflict::column(row::Column::Key).do_nothing().to_owned();
    row::Entity::insert(row.into_active_model()).on_conflict(known).exec_without_returning(&tx.0).await.map(drop)
}

/// What the step with this key had made.
pub async fn by_key(on: &impl Reads, key: &str) -> Result<Option<Handover>, DbErr> {
    let found = row::Entity::find().filter(row::Column::Key.eq(key)).one(on.db()).await?;
    Ok(found.map(|row| handover(&row, false)))
}

/// The secrets of a deployment, in the order in which they were made.
pub async fn of_deployment(on: &impl Reads, deployment: DeploymentId) -> Result<Vec<Handover>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::DeploymentId.eq(deployment.0))
        .order_by_asc(row::Column::Id)
        .all(on.db())
        .await?;
    let replaced = |at: usize| rows[at + 1..].iter().any(|later| origin(later) == origin(&rows[at]));
    Ok(rows.iter().enumerate().map(|(at, row)| handover(row, replaced(at))).collect())
}

/// A secret of this deployment, with what is sealed; one of another deployment is none.
pub async fn find(
    on: &impl Reads,
    deployment: DeploymentId,
    id: SecretId,
) -> Result<Option<(Handover, Sealed)>, DbErr> {
    let found = row::Entity::find_by_id(id.0).filter(row::Column::DeploymentId.eq(deployment.0)).one(on.db()).await?;
    let Some(row) = found else { return Ok(None) };
    let later = row::Entity::find().filter(row::Column::Renews.eq(origin(&row))).filter(row::Column::Id.gt(row.id));
    let handover = handover(&row, later.count(on.db()).await? > 0);
    Ok(Some((handover, Sealed { key: KeyId(row.sealing_key), bytes: row.sealed })))
}

/// Notes that the person takes the secret, if it is still there to be taken; says whether it was. Of several who try at
/// the same time one takes it.
pub async fn take(tx: &Tx, id: SecretId, by: PersonId, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let taken = row::Entity::update_many()
        .col_expr(row::Column::TakenById, Expr::value(by.0))
        .col_expr(row::Column::TakenAt, Expr::value(now))
        .filter(row::Column::Id.eq(id.0))
        .filter(row::Column::TakenAt.is_null())
        .filter(row::Column::TakeUntil.gt(now))
        .exec(&tx.0)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// Deletes what the step with this key had made, and what took its place since.
pub async fn forget(tx: &Tx, key: &str) -> Result<(), DbErr> {
    let own = Condition::any().add(row::Column::Key.eq(key)).add(row::Column::Renews.eq(key));
    row::Entity::delete_many().filter(own).exec(&tx.0).await.map(drop)
}

/// How many secrets are kept.
pub async fn count(on: &impl Reads) -> Result<u64, DbErr> {
    row::Entity::find().count(on.db()).await
}

/// How many secrets another key than this one sealed.
pub async fn sealed_by_others(on: &impl Reads, key: KeyId) -> Result<u64, DbErr> {
    row::Entity::find().filter(row::Column::SealingKey.ne(key.0)).count(on.db()).await
}

/// The key under which it, or what it took the place of, was made at first.
fn origin(row: &row::Model) -> &str {
    row.renews.as_deref().unwrap_or(&row.key)
}

fn handover(row: &row::Model, replaced: bool) -> Handover {
    Handover {
        id: row.id.into(),
        deployment: row.deployment_id.into(),
        name: row.name.clone(),
        until: row.take_until,
        taken: row.taken_by_id.zip(row.taken_at).map(|(by, at)| Taken { by: by.into(), at }),
        replaced,
    }
}
