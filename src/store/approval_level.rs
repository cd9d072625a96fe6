//! Levels of approval: which one of a request is open, and until when.

use chrono::{DateTime, Utc};
use domain::ids::RequestId;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::{Reads, Tx};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "approval_level")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub level: i32,
        pub state: String,
        pub due_at: DateTimeUtc,
        pub escalations: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const OPEN: &str = "open";
const CLOSED: &str = "closed";

/// A level that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenLevel {
    pub request: RequestId,
    pub revision: i32,
    pub level: i32,
    /// When its time is up.
    pub due_at: DateTime<Utc>,
    /// How often it went on to somebody higher up.
    pub escalations: i32,
}

/// Opens a level.
pub async fn insert(tx: &Tx, level: &OpenLevel) -> Result<(), DbErr> {
    let row = row::Model {
        request_id: level.request.into(),
        revision: level.revision,
        level: level.level,
        state: OPEN.to_owned(),
        due_at: level.due_at,
        escalations: level.escalations,
    };
    row::Entity::insert(row.into_active_model()).exec_without_returning(&tx.0).await.map(drop)
}

/// Gives a level more time, because it went on to somebody higher up.
pub async fn escalate(tx: &Tx, level: &OpenLevel) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::DueAt, Expr::value(level.due_at))
        .col_expr(row::Column::Escalations, Expr::value(level.escalations))
        .filter(row::Column::RequestId.eq(level.request.0))
        .filter(row::Column::Revision.eq(level.revision))
        .filter(row::Column::Level.eq(level.level))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// Closes whatever level of the request is open: it was decided, or the request ended or changed.
pub async fn close(tx: &Tx, request: RequestId) -> Result<(), DbErr> {
    row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(CLOSED))
        .filter(row::Column::RequestId.eq(request.0))
        .filter(row::Column::State.eq(OPEN))
        .exec(&tx.0)
        .await
        .map(drop)
}

/// The open levels of these requests.
pub async fn open_of(on: &impl Reads, requests: &[RequestId]) -> Result<Vec<OpenLevel>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::RequestId.is_in(requests.iter().map(|id| id.0)))
        .filter(row::Column::State.eq(OPEN))
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(level).collect())
}

/// Open levels whose time is up, longest overdue first.
pub async fn overdue(on: &impl Reads, now: DateTime<Utc>, limit: u64) -> Result<Vec<OpenLevel>, DbErr> {
    let rows = row::Entity::find()
        .filter(row::Column::State.eq(OPEN))
        .filter(row::Column::DueAt.lte(now))
        .order_by_asc(row::Column::DueAt)
        .limit(limit)
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(level).collect())
}

fn level(row: row::Model) -> OpenLevel {
    OpenLevel {
        request: row.request_id.into(),
        revision: row.revision,
        level: row.level,
        due_at: row.due_at,
        escalations: row.escalations,
    }
}
