//! What happened to runs: the one stream that timelines, logs, live pages and metrics read.
//!
//! What happened in one move lies in one row: its first event in the columns, those that follow it in `more`. A row for
//! each would cost the database as much again, in rows, in index entries and in its log.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::RunId;
use domain::run::{EventKind, RunEvent};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::run::entity as run;
use crate::sql::Sql;
use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "run_event")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub at: DateTimeUtc,
        pub step_key: Option<String>,
        pub kind: String,
        pub line: String,
        pub detail: Option<Json>,
        pub more: Option<Json>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity, Model};

/// So many rows are written by one statement.
const AT_ONCE: usize = 1_000;
/// No row holds more events: whoever reads one of them reads the row.
const IN_ROW: usize = 32;

/// An event that follows the first of its row, and how it differs from it.
#[derive(Serialize, Deserialize)]
struct Following {
    /// How many microseconds later.
    #[serde(default, skip_serializing_if = "is_zero")]
    after: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    kind: String,
    line: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Writes events; their numbers were taken in the same transaction by the write to the run.
pub async fn append(tx: &Tx, events: &[&RunEvent]) -> Result<(), DbErr> {
    for some in rows(events.iter().copied())?.chunks(AT_ONCE) {
        Entity::insert_many(some.iter().cloned()).exec_without_returning(tx.db()).await?;
    }
    Ok(())
}

/// Events as rows: those of one run that follow each other together.
pub(crate) fn rows<'e>(events: impl Iterator<Item = &'e RunEvent>) -> Result<Vec<ActiveModel>, DbErr> {
    let mut rows: Vec<Vec<&RunEvent>> = Vec::new();
    for event in events {
        match rows.last_mut() {
            Some(row) if row.len() < IN_ROW && follows(row, event) => row.push(event),
            _ => rows.push(vec![event]),
        }
    }
    rows.iter().map(|row| active(row[0], &row[1..])).collect()
}

fn follows(row: &[&RunEvent], event: &RunEvent) -> bool {
    row.last().is_some_and(|last| last.run == event.run && last.number + 1 == event.number)
}

/// The row of an event and of those that follow it.
pub(crate) fn active(first: &RunEvent, more: &[&RunEvent]) -> Result<ActiveModel, DbErr> {
    let following = more.iter().map(|event| Following {
        after: (event.at - first.at).num_microseconds().unwrap_or_default(),
        step: event.step_key.clone(),
        kind: event.kind.word().to_owned(),
        line: event.line.clone(),
        detail: event.detail.clone(),
    });
    let following: Vec<Following> = following.collect();
    let more = (!following.is_empty()).then(|| serde_json::to_value(following)).transpose();
    Ok(ActiveModel {
        run_id: Set(first.run.0),
        number: Set(first.number),
        at: Set(first.at),
        step_key: Set(first.step_key.clone()),
        kind: Set(first.kind.word().to_owned()),
        line: Set(first.line.clone()),
        detail: Set(first.detail.clone()),
        more: Set(more.map_err(|cause| DbErr::Json(cause.to_string()))?),
    })
}

/// The events of a run after a number, oldest first, at most `limit`.
pub async fn after(on: &impl Reads, run: RunId, number: i64, limit: u64) -> Result<Vec<RunEvent>, DbErr> {
    let rows = Entity::find()
        .filter(Column::RunId.eq(run.0))
        // The row that holds the next one may begin before it.
        .filter(Column::Number.gt(number.saturating_sub(IN_ROW as i64)))
        .order_by_asc(Column::Number)
        .limit(limit.saturating_add(IN_ROW as u64))
        .all(on.db())
        .await?;
    let mut events = events(rows)?;
    events.retain(|event| event.number > number);
    events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(events)
}

/// The newest events of a run, or of one step of it, oldest first, at most `limit`.
pub async fn latest(on: &impl Reads, run: RunId, step_key: Option<&str>, limit: u64) -> Result<Vec<RunEvent>, DbErr> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut found, mut before) = (Vec::new(), i64::MAX);
    while found.len() < most {
        let newest = Entity::find().filter(Column::RunId.eq(run.0)).filter(Column::Number.lt(before));
        let rows = newest.order_by_desc(Column::Number).limit(limit).all(on.db()).await?;
        let Some(oldest) = rows.last() else { break };
        before = oldest.number;
        let mut events = events(rows)?;
        events.retain(|event| step_key.is_none() || event.step_key.as_deref() == step_key);
        found.splice(0..0, events);
    }
    Ok(found.split_off(found.len().saturating_sub(most)))
}

/// Forgets what happened to up to `limit` runs that ended before, oldest first, but for the last of it, which says how
/// each ended. Says how many runs it was.
pub async fn forget(tx: &Tx, ended_before: DateTime<Utc>, now: DateTime<Utc>, limit: u64) -> Result<u64, DbErr> {
    let runs: Vec<Uuid> = run::Entity::find()
        .select_only()
        .column(run::Column::Id)
        .filter(run::Column::EndedAt.lt(ended_before))
        .filter(Expr::col("events_forgotten_at").is_null())
        .order_by_asc(run::Column::EndedAt)
        .limit(limit)
        .into_tuple()
        .all(tx.db())
        .await?;
    if runs.is_empty() {
        return Ok(0);
    }
    let last = last_of(tx, &runs).await?;
    Entity::delete_many().filter(Column::RunId.is_in(runs.iter().copied())).exec(tx.db()).await?;
    append(tx, &last.iter().collect::<Vec<_>>()).await?;
    let mut noted = Sql::at(now);
    let ids = noted.bind_all(runs.iter().copied());
    noted.text = format!("UPDATE run SET events_forgotten_at = $1 WHERE id IN ({ids})");
    noted.execute(tx).await
}

/// The last event of each of the runs.
async fn last_of(tx: &Tx, runs: &[Uuid]) -> Result<Vec<RunEvent>, DbErr> {
    let mut sql = Sql::default();
    let ids = sql.bind_all(runs.iter().copied());
    sql.text = format!(
        "SELECT * FROM run_event WHERE run_id IN ({ids}) \
         AND number = (SELECT MAX(e.number) FROM run_event e WHERE e.run_id = run_event.run_id)"
    );
    let last = events(sql.all(tx).await?)?.into_iter().map(|event| (event.run, event));
    Ok(last.collect::<BTreeMap<_, _>>().into_values().collect())
}

/// The events of these rows, oldest first within each run.
fn events(rows: Vec<Model>) -> Result<Vec<RunEvent>, DbErr> {
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        events.extend(events_of(row)?);
    }
    events.sort_by_key(|event| (event.run, event.number));
    Ok(events)
}

fn events_of(row: Model) -> Result<Vec<RunEvent>, DbErr> {
    let unreadable = |cause| DbErr::Json(format!("what happened to run {} can't be read: {cause}", row.run_id));
    let more: Option<Vec<Following>> = row.more.map(serde_json::from_value).transpose().map_err(unreadable)?;
    let first = Following { after: 0, step: row.step_key, kind: row.kind, line: row.line, detail: row.detail };
    let all = (row.number..).zip(std::iter::once(first).chain(more.unwrap_or_default()));
    all.map(|(number, event)| {
        Ok(RunEvent {
            kind: EventKind::from_word(&event.kind).ok_or_else(|| {
                DbErr::Type(format!("an event of run {} is of no known kind: `{}`", row.run_id, event.kind))
            })?,
            run: row.run_id.into(),
            number,
            at: row.at + TimeDelta::microseconds(event.after),
            step_key: event.step,
            line: event.line,
            detail: event.detail,
        })
    })
    .collect()
}
