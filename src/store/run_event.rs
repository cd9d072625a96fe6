//! What happened to runs: the one stream that timelines, logs, live pages and metrics read.

use chrono::{DateTime, Utc};
use domain::ids::RunId;
use domain::run::{EventKind, RunEvent};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
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
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity, Model};

/// So many rows are written by one statement.
const AT_ONCE: usize = 1_000;

/// Writes events; their numbers were taken in the same transaction by the write to the run.
pub async fn append(tx: &Tx, events: &[&RunEvent]) -> Result<(), DbErr> {
    for some in events.chunks(AT_ONCE) {
        Entity::insert_many(some.iter().map(|event| active(event))).exec_without_returning(tx.db()).await?;
    }
    Ok(())
}

pub(crate) fn active(event: &RunEvent) -> ActiveModel {
    ActiveModel {
        run_id: Set(event.run.0),
        number: Set(event.number),
        at: Set(event.at),
        step_key: Set(event.step_key.clone()),
        kind: Set(event.kind.word().to_owned()),
        line: Set(event.line.clone()),
        detail: Set(event.detail.clone()),
    }
}

/// The events of a run after a number, oldest first, at most `limit`.
pub async fn after(on: &impl Reads, run: RunId, number: i64, limit: u64) -> Result<Vec<RunEvent>, DbErr> {
    let rows = Entity::find()
        .filter(Column::RunId.eq(run.0))
        .filter(Column::Number.gt(number))
        .order_by_asc(Column::Number)
        .limit(limit)
        .all(on.db())
        .await?;
    rows.into_iter().map(event).collect()
}

/// The newest events of a run, or of one step of it, oldest first, at most `limit`.
pub async fn latest(on: &impl Reads, run: RunId, step_key: Option<&str>, limit: u64) -> Result<Vec<RunEvent>, DbErr> {
    let mut query = Entity::find().filter(Column::RunId.eq(run.0));
    if let Some(key) = step_key {
        query = query.filter(Column::StepKey.eq(key));
    }
    let rows = query.order_by_desc(Column::Number).limit(limit).all(on.db()).await?;
    rows.into_iter().rev().map(event).collect()
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
    let mut forgotten = Sql::default();
    let ids = forgotten.bind_all(runs.iter().copied());
    forgotten.text = format!(
        "DELETE FROM run_event WHERE run_id IN ({ids}) \
         AND number < (SELECT r.next_event - 1 FROM run r WHERE r.id = run_event.run_id)"
    );
    forgotten.execute(tx).await?;
    let mut noted = Sql::at(now);
    let ids = noted.bind_all(runs.iter().copied());
    noted.text = format!("UPDATE run SET events_forgotten_at = $1 WHERE id IN ({ids})");
    noted.execute(tx).await
}

fn event(row: Model) -> Result<RunEvent, DbErr> {
    Ok(RunEvent {
        kind: EventKind::from_word(&row.kind).ok_or_else(|| {
            DbErr::Type(format!("an event of run {} is of no known kind: `{}`", row.run_id, row.kind))
        })?,
        run: row.run_id.into(),
        number: row.number,
        at: row.at,
        step_key: row.step_key,
        line: row.line,
        detail: row.detail,
    })
}
