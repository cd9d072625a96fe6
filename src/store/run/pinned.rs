//! What runs pinned when they began: their graphs, and what expressions see. It never changes, and is kept apart from
//! what changes at every step.

use std::collections::HashMap;

use domain::run::Run;
use sea_orm::{ColumnTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryResult, Select, Set};
use uuid::Uuid;

use super::entity as run;
use crate::sql::backend;
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
    Entity::insert(active(run)?).exec_without_returning(tx.db()).await?;
    Ok(())
}

pub(crate) fn active(run: &Run) -> Result<ActiveModel, DbErr> {
    Ok(ActiveModel {
        run_id: Set(run.id.0),
        workflow: Set(json(&run.workflow[..])?),
        bindings: Set(json(&*run.bindings)?),
    })
}

/// These runs with what they pinned.
pub(super) async fn with(runs: Select<run::Entity>, on: &impl Reads) -> Result<Vec<Whole>, DbErr> {
    let rows = runs.find_both_related(Entity).all(on.db()).await?;
    Ok(rows.into_iter().map(|(row, pinned)| Whole { row, pinned }).collect())
}

/// A statement that changes runs and returns them; on PostgreSQL with what they pinned. On SQLite a statement returns
/// nothing of another table, so that it is read after it: see [`whole`].
pub(super) fn beside(change: &str, backend: DbBackend) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "WITH changed AS ({change}) SELECT changed.*, run_id, workflow, bindings FROM changed \
             JOIN run_pinned ON run_id = changed.id"
        ),
        _ => change.to_owned(),
    }
}

/// The runs that such a statement answered.
pub(super) async fn whole(tx: &Tx, rows: &[QueryResult]) -> Result<Vec<Whole>, DbErr> {
    let runs = rows.iter().map(|row| run::Model::from_query_result(row, ""));
    let runs = runs.collect::<Result<Vec<_>, _>>()?;
    let pinned: Vec<Model> = match backend(tx) {
        DbBackend::Postgres => rows.iter().map(|row| Model::from_query_result(row, "")).collect::<Result<_, _>>()?,
        _ if runs.is_empty() => Vec::new(),
        _ => Entity::find().filter(Column::RunId.is_in(runs.iter().map(|row| row.id))).all(tx.db()).await?,
    };
    let mut pinned: HashMap<Uuid, Model> = pinned.into_iter().map(|row| (row.run_id, row)).collect();
    Ok(runs.into_iter().filter_map(|row| Some(Whole { pinned: pinned.remove(&row.id)?, row })).collect())
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<serde_json::Value, DbErr> {
    serde_json::to_value(value).map_err(|cause| DbErr::Json(cause.to_string()))
}
