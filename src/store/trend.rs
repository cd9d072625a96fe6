//! What happened over time, counted by the database: runs by day, and how long orders took.

use chrono::{DateTime, NaiveDate, Utc};
use domain::request::{RequestKind, RequestState};
use domain::run::RunState;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::Reads;
use crate::{request, run};

/// Orders that are looked at for how long they take.
const ORDERS: u64 = 500;
/// The day of a moment, alike on SQLite and PostgreSQL.
const DAY: &str = "CAST(date(created_at) AS text)";

/// How many runs of a day stand in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunsOfDay {
    pub day: NaiveDate,
    pub state: RunState,
    pub runs: u64,
}

/// When an order was sent, decided and fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderTimes {
    pub blueprint: String,
    pub submitted_at: DateTime<Utc>,
    pub decided_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
}

/// The runs that were made since, by day and by how they stand now.
pub async fn runs_by_day(on: &impl Reads, since: DateTime<Utc>) -> Result<Vec<RunsOfDay>, DbErr> {
    let rows: Vec<(String, String, i64)> = run::entity::Entity::find()
        .select_only()
        .expr_as(Expr::cust(DAY), "day")
        .column(run::entity::Column::State)
        .expr_as(run::entity::Column::Id.count(), "runs")
        .filter(run::entity::Column::CreatedAt.gte(since))
        .group_by(Expr::cust(DAY))
        .group_by(run::entity::Column::State)
        .into_tuple()
        .all(on.db())
        .await?;
    let counted = |(day, state, runs): (String, String, i64)| {
        let day = day.parse().map_err(|cause| DbErr::Type(format!("`{day}` is no day: {cause}")))?;
        let state = RunState::ALL.into_iter().find(|known| known.word() == state);
        let state = state.ok_or_else(|| DbErr::Type("a run is in no known state".to_owned()))?;
        Ok(RunsOfDay { day, state, runs: u64::try_from(runs).unwrap_or_default() })
    };
    rows.into_iter().map(counted).collect()
}

/// The last orders for something new that were fulfilled since.
pub async fn fulfilled_orders(on: &impl Reads, since: DateTime<Utc>) -> Result<Vec<OrderTimes>, DbErr> {
    use request::row::{Column, Entity};
    type Times = (String, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let rows: Vec<Times> = Entity::find()
        .select_only()
        .columns([Column::Blueprint, Column::SubmittedAt, Column::DecidedAt, Column::EndedAt])
        .filter(Column::Kind.eq(RequestKind::Provision.word()))
        .filter(Column::State.eq(RequestState::Fulfilled.word()))
        .filter(Column::EndedAt.gte(since))
        .order_by_desc(Column::EndedAt)
        .limit(ORDERS)
        .into_tuple()
        .all(on.db())
        .await?;
    let times = |(blueprint, submitted_at, decided_at, ended_at): Times| {
        Some(OrderTimes { blueprint, submitted_at, decided_at: decided_at?, ended_at: ended_at? })
    };
    Ok(rows.into_iter().filter_map(times).collect())
}
