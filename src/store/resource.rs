//! The ledger's rows: written before the call that makes the object, kept as long as the object lives.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::{DeploymentId, ResourceId};
use domain::resource::{LedgerChange, Resource, ResourceState};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "resource")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub deployment_id: Uuid,
        pub run_id: Uuid,
        pub step_key: String,
        pub key: String,
        pub kind: String,
        pub provider: String,
        pub name: String,
        pub native_id: Option<String>,
        pub attributes: Json,
        pub state: String,
        pub made_on: Option<Json>,
        pub tied_to: Option<Json>,
        pub intended_at: DateTimeUtc,
        pub live_at: Option<DateTimeUtc>,
        pub gone_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity, Model};

/// Writes rows for objects that are about to be made. A key that already stands for an object is refused.
pub async fn intend(tx: &Tx, rows: &[&Resource]) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    Entity::insert_many(rows.iter().map(|row| active(row))).exec_without_returning(tx.db()).await?;
    Ok(())
}

/// Records what became of a deployment's objects.
pub async fn apply(
    tx: &Tx,
    deployment: DeploymentId,
    changes: &[LedgerChange],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for change in changes {
        let row = Entity::update_many()
            .filter(Column::DeploymentId.eq(deployment.0))
            .filter(Column::Key.eq(change.key()))
            .filter(Column::State.ne(ResourceState::Gone.word()));
        let row = match change {
            LedgerChange::Live { native_id, attributes, .. } => row
                .col_expr(Column::State, Expr::value(ResourceState::Live.word()))
                .col_expr(Column::NativeId, Expr::value(native_id.as_str()))
                .col_expr(Column::Attributes, Expr::value(attributes.clone()))
                .col_expr(Column::LiveAt, Expr::value(now)),
            LedgerChange::Gone { .. } => row
                .col_expr(Column::State, Expr::value(ResourceState::Gone.word()))
                .col_expr(Column::GoneAt, Expr::value(now)),
        };
        row.exec(tx.db()).await?;
    }
    Ok(())
}

/// Writes what these objects are called and lean on now.
pub async fn lean(tx: &Tx, rows: &[&Resource]) -> Result<(), DbErr> {
    for row in rows {
        Entity::update_many()
            .filter(Column::Id.eq(row.id.0))
            .col_expr(Column::Name, Expr::value(row.name.as_str()))
            .col_expr(Column::MadeOn, Expr::value(row.made_on.as_deref().map(ids)))
            .col_expr(Column::TiedTo, Expr::value(ids(&row.tied_to)))
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

/// Every row of a deployment, also of objects that are gone, oldest first.
pub async fn of_deployment(on: &impl Reads, deployment: DeploymentId) -> Result<Vec<Resource>, DbErr> {
    let rows = Entity::find()
        .filter(Column::DeploymentId.eq(deployment.0))
        .order_by_asc(Column::IntendedAt)
        .order_by_asc(Column::Id)
        .all(on.db())
        .await?;
    rows.into_iter().map(resource).collect()
}

/// The rows of these deployments whose objects are there, or may be there, oldest first, in one statement.
pub async fn standing_of(
    on: &impl Reads,
    deployments: &[DeploymentId],
) -> Result<HashMap<DeploymentId, Vec<Resource>>, DbErr> {
    if deployments.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = Entity::find()
        .filter(Column::DeploymentId.is_in(deployments.iter().map(|deployment| deployment.0)))
        .filter(Column::State.ne(ResourceState::Gone.word()))
        .order_by_asc(Column::IntendedAt)
        .order_by_asc(Column::Id)
        .all(on.db())
        .await?;
    let mut standing: HashMap<DeploymentId, Vec<Resource>> = HashMap::new();
    for row in rows {
        let row = resource(row)?;
        standing.entry(row.deployment).or_default().push(row);
    }
    Ok(standing)
}

/// The rows of a deployment whose objects are there, or may be there, oldest first.
pub async fn standing(on: &impl Reads, deployment: DeploymentId) -> Result<Vec<Resource>, DbErr> {
    let rows = Entity::find()
        .filter(Column::DeploymentId.eq(deployment.0))
        .filter(Column::State.ne(ResourceState::Gone.word()))
        .order_by_asc(Column::IntendedAt)
        .order_by_asc(Column::Id)
        .all(on.db())
        .await?;
    rows.into_iter().map(resource).collect()
}

/// The row of the object with this key that is there, or may be there.
pub async fn standing_with_key(on: &impl Reads, key: &str) -> Result<Option<Resource>, DbErr> {
    let row = Entity::find().filter(Column::Key.eq(key)).filter(Column::State.ne(ResourceState::Gone.word()));
    row.one(on.db()).await?.map(resource).transpose()
}

/// Which of these names something bears that is there, or may be there.
pub async fn names_in_use(on: &impl Reads, names: &[String]) -> Result<Vec<String>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::Name)
        .distinct()
        .filter(Column::Name.is_in(names))
        .filter(Column::State.ne(ResourceState::Gone.word()))
        .into_tuple()
        .all(on.db())
        .await
}

fn active(row: &Resource) -> ActiveModel {
    ActiveModel {
        id: Set(row.id.0),
        deployment_id: Set(row.deployment.0),
        run_id: Set(row.run.0),
        step_key: Set(row.step_key.clone()),
        key: Set(row.key.clone()),
        kind: Set(row.kind.clone()),
        provider: Set(row.provider.clone()),
        name: Set(row.name.clone()),
        native_id: Set(row.native_id.clone()),
        attributes: Set(row.attributes.clone()),
        state: Set(row.state.word().to_owned()),
        made_on: Set(row.made_on.as_deref().map(ids)),
        tied_to: Set(Some(ids(&row.tied_to))),
        intended_at: Set(row.intended_at),
        live_at: Set(row.live_at),
        gone_at: Set(row.gone_at),
    }
}

fn resource(row: Model) -> Result<Resource, DbErr> {
    let unknown = || DbErr::Type(format!("the ledger row {} is in no known state: `{}`", row.id, row.state));
    Ok(Resource {
        state: ResourceState::from_word(&row.state).ok_or_else(unknown)?,
        made_on: row.made_on.map(|kept| known(kept, row.id)).transpose()?,
        tied_to: row.tied_to.map(|kept| known(kept, row.id)).transpose()?.unwrap_or_default(),
        id: row.id.into(),
        deployment: row.deployment_id.into(),
        run: row.run_id.into(),
        step_key: row.step_key,
        key: row.key,
        kind: row.kind,
        provider: row.provider,
        name: row.name,
        native_id: row.native_id,
        attributes: row.attributes,
        intended_at: row.intended_at,
        live_at: row.live_at,
        gone_at: row.gone_at,
    })
}

fn ids(rows: &[ResourceId]) -> serde_json::Value {
    rows.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

fn known(kept: serde_json::Value, row: uuid::Uuid) -> Result<Vec<ResourceId>, DbErr> {
    let fault = |cause| DbErr::Json(format!("what the ledger row {row} leans on can't be read: {cause}"));
    serde_json::from_value(kept).map_err(fault)
}
