//! What runs pinned when they began: their graphs, and what expressions see. It never changes, and is kept apart from
//! what changes at every step.

use std::collections::HashMap;

use domain::run::Run;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Select, Set};
use uuid::Uuid;

use super::entity as run;
use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

pub(super) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "run_pinned")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: Uuid,
        pub workflow: Json,
        pub bindings: Json,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::run::entity::Entity",
            from = "Column::RunId",
            to = "crate::run::entity::Column::Id"
        )]
        Run,
    }

    impl Related<crate::run::entity::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Run.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity, Model};

/// A run's row with what the run pinned.
pub(super) struct Whole {
    pub(super) row: run::Model,
    pub(super) pinned: Model,
}

pub(super) async fn insert(tx: &Tx, run: &Run) -> Result<(), DbErr> {
    let pinned = ActiveModel {
        run_id: Set(run.id.0),
        workflow: Set(json(&run.workflow[..])?),
        bindings: Set(json(&*run.bindings)?),
    };
    Entity::insert(pinned).exec_without_returning(tx.db()).await?;
    Ok(())
}

/// These runs with what they pinned.
pub(super) async fn with(runs: Select<run::Entity>, on: &impl Reads) -> Result<Vec<Whole>, DbErr> {
    let rows = runs.find_both_related(Entity).all(on.db()).await?;
    Ok(rows.into_iter().map(|(row, pinned)| Whole { row, pinned }).collect())
}

/// What these runs pinned.
pub(super) async fn of(on: &impl Reads, runs: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, Model>, DbErr> {
    let rows = Entity::find().filter(Column::RunId.is_in(runs)).all(on.db()).await?;
    Ok(rows.into_iter().map(|row| (row.run_id, row)).collect())
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<serde_json::Value, DbErr> {
    serde_json::to_value(value).map_err(|cause| DbErr::Json(cause.to_string()))
}
