//! The workers that carry runs, as operators see them.

use chrono::{DateTime, Utc};
use domain::outage::Outage;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, Set};

use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "worker")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub host: String,
        pub process: i32,
        pub places: i32,
        pub busy: i32,
        pub started_at: DateTimeUtc,
        pub seen_at: DateTimeUtc,
        pub stopped_at: Option<DateTimeUtc>,
        pub outages: Option<Json>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity};

/// A worker as it last told of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    pub name: String,
    pub host: String,
    pub process: u32,
    /// How many runs it carries at once.
    pub places: usize,
    /// How many it carries now.
    pub busy: usize,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub stopped_at: Option<DateTime<Utc>>,
    /// The providers that it found to be away.
    pub outages: Vec<Outage>,
}

/// Writes what a worker tells of itself.
pub async fn save(tx: &Tx, worker: &Worker) -> Result<(), DbErr> {
    let outages = serde_json::to_value(&worker.outages).map_err(|cause| DbErr::Json(cause.to_string()))?;
    let row = ActiveModel {
        name: Set(worker.name.clone()),
        host: Set(worker.host.clone()),
        process: Set(i32::try_from(worker.process).unwrap_or_default()),
        places: Set(i32::try_from(worker.places).unwrap_or(i32::MAX)),
        busy: Set(i32::try_from(worker.busy).unwrap_or(i32::MAX)),
        started_at: Set(worker.started_at),
        seen_at: Set(worker.seen_at),
        stopped_at: Set(worker.stopped_at),
        outages: Set(Some(outages)),
    };
    let changing = [Column::Busy, Column::SeenAt, Column::StoppedAt, Column::Outages];
    Entity::insert(row)
        .on_conflict(OnConflict::column(Column::Name).update_columns(changing).to_owned())
        .exec_without_returning(tx.db())
        .await?;
    Ok(())
}

/// The workers that told of themselves since then, newest first.
pub async fn seen_since(on: &impl Reads, since: DateTime<Utc>) -> Result<Vec<Worker>, DbErr> {
    let rows = Entity::find().filter(Column::SeenAt.gte(since)).order_by_desc(Column::StartedAt).all(on.db()).await?;
    Ok(rows
        .into_iter()
        .map(|row| Worker {
            name: row.name,
            host: row.host,
            process: u32::try_from(row.process).unwrap_or_default(),
            places: usize::try_from(row.places).unwrap_or_default(),
            busy: usize::try_from(row.busy).unwrap_or_default(),
            started_at: row.started_at,
            seen_at: row.seen_at,
            stopped_at: row.stopped_at,
            // Workers of other versions may tell of outages in words that are not known here.
            outages: row.outages.and_then(|outages| serde_json::from_value(outages).ok()).unwrap_or_default(),
        })
        .collect())
}
