//! The write that every step makes: runs as their workers know them, fenced, many in one statement.

use domain::run::{Cancel, Run};
use sea_orm::Value;

use crate::sql::Sql;

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

/// The statement that writes the runs which still have the token and the revision that their workers know, and answers
/// which. PostgreSQL has to be told of what type the values are.
pub(crate) fn save<'r>(sql: &mut Sql, runs: impl Iterator<Item = &'r Run>, typed: bool) -> String {
    let rows: Vec<String> = runs.map(|run| row(sql, run, typed)).collect();
    let fence: Vec<String> = (0..FENCE).map(|at| format!("run.{} = {}", COLUMNS[at].0, value(at))).collect();
    let written: Vec<String> = (FENCE..COLUMNS.len()).map(|at| format!("{} = {}", COLUMNS[at].0, value(at))).collect();
    format!(
        "UPDATE run SET {} FROM (VALUES {}) AS v WHERE {} RETURNING id",
        written.join(", "),
        rows.join(", "),
        fence.join(" AND ")
    )
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
