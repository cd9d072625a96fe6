//! The write that every step makes: runs as their workers know them, fenced, many in one statement.

use domain::run::{Cancel, Run};
use sea_orm::Value;

use crate::records::Column;
use crate::sql::Sql;

/// What says which row is written, and what is written into it; each with the type that PostgreSQL is to take it for.
pub(crate) const COLUMNS: [Column; 13] = [
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

/// The statement that writes the runs of `source` which still have the token and the revision that their workers know,
/// and answers which. `value` is what the source calls its column at this place.
pub(crate) fn save(source: &str, value: impl Fn(usize) -> String) -> String {
    let fence: Vec<String> = (0..FENCE).map(|at| format!("run.{} = {}", COLUMNS[at].0, value(at))).collect();
    let written: Vec<String> = (FENCE..COLUMNS.len()).map(|at| format!("{} = {}", COLUMNS[at].0, value(at))).collect();
    format!("UPDATE run SET {} FROM {source} WHERE {} RETURNING run.id", written.join(", "), fence.join(" AND "))
}

/// The same with the runs written out one by one.
pub(crate) fn save_each<'r>(sql: &mut Sql, runs: impl Iterator<Item = &'r Run>) -> String {
    let rows: Vec<String> = runs.map(|run| format!("({})", sql.bind_all(row(run)))).collect();
    save(&format!("(VALUES {}) AS v", rows.join(", ")), |at| format!("v.column{}", at + 1))
}

pub(crate) fn row(run: &Run) -> [Value; COLUMNS.len()] {
    [
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
    ]
}
