//! The write that every step makes: runs as their workers know them, fenced, many in one statement.

use std::collections::HashSet;

use domain::ids::RunId;
use domain::run::{Cancel, Run};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Value};
use uuid::Uuid;

use crate::Tx;
use crate::sql::Sql;
use crate::tx::sealed::Connection;

/// What says which row is written, and what is written into it; each with the type that PostgreSQL is to take it for.
const COLUMNS: [(&str, &str); 13] = [
    ("id", "uuid"),
    ("token", "bigint"),
    ("revision", "bigint"),
    ("state", "varchar"),
    ("why", "text"),
    ("cancel", "varchar"),
    ("next_event", "bigint"),
    ("worker", "varchar"),
    ("lease_until", "timestamptz"),
    ("wake_at", "timestamptz"),
    ("started_at", "timestamptz"),
    ("ended_at", "timestamptz"),
    ("paused_at", "timestamptz"),
];
/// So many of them say which row it is.
const FENCE: usize = 3;

/// Writes the runs that still have the token and the revision that their workers know; answers which.
pub(super) async fn save(tx: &Tx, runs: &[&Run]) -> Result<HashSet<RunId>, DbErr> {
    if runs.is_empty() {
        return Ok(HashSet::new());
    }
    let typed = tx.db().get_database_backend() == DbBackend::Postgres;
    let mut sql = Sql::default();
    let rows: Vec<String> = runs.iter().map(|run| row(&mut sql, run, typed)).collect();
    let fence: Vec<String> = (0..FENCE).map(|at| format!("run.{} = {}", COLUMNS[at].0, value(at))).collect();
    let written: Vec<String> = (FENCE..COLUMNS.len()).map(|at| format!("{} = {}", COLUMNS[at].0, value(at))).collect();
    sql.text = format!(
        "UPDATE run SET {} FROM (VALUES {}) AS v WHERE {} RETURNING id",
        written.join(", "),
        rows.join(", "),
        fence.join(" AND ")
    );
    let saved: Vec<Uuid> = sql.ids(tx).await?;
    Ok(saved.into_iter().map(RunId).collect())
}

/// What both databases call a column of a list of values.
fn value(at: usize) -> String {
    format!("v.column{}", at + 1)
}

fn row(sql: &mut Sql, run: &Run, typed: bool) -> String {
    let values: [Value; COLUMNS.len()] = [
        run.id.0.into(),
        run.token.into(),
        run.revision.into(),
        run.state.word().into(),
        run.why.clone().into(),
        run.cancel.map(Cancel::word).into(),
        run.next_event.into(),
        run.worker.clone().into(),
        run.lease_until.into(),
        run.wake_at.into(),
        run.started_at.into(),
        run.ended_at.into(),
        run.paused_at.into(),
    ];
    let places = values.into_iter().zip(COLUMNS).map(|(value, (_, kind))| {
        let place = sql.bind(value);
        if typed { format!("CAST({place} AS {kind})") } else { place }
    });
    format!("({})", places.collect::<Vec<_>>().join(", "))
}
