//! Places for calls: which are taken, who waits for one, and for how long. Only runs that go on count: whatever a run
//! that has ended left behind takes nobody's place.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ids::RunId;
use domain::step::StepState;
use sea_orm::{DbErr, FromQueryResult};

use crate::Reads;
use crate::run::driven;
use crate::sql::Sql;

/// What goes on at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crowd {
    pub provider: String,
    /// Calls that are under way.
    pub taken: u64,
    /// Steps that wait for a place.
    pub waiting: u64,
    /// Since when the first of them waits.
    pub since: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct CrowdRow {
    provider: String,
    taken: i64,
    waiting: i64,
    since: Option<DateTime<Utc>>,
}

/// What goes on at each provider where anything does; of the runs of one worker, or of all.
pub async fn crowds(on: &impl Reads, worker: Option<&str>) -> Result<Vec<Crowd>, DbErr> {
    let mut sql = Sql::default();
    let of_worker = worker.map(|name| format!(" AND r.worker = {}", sql.bind(name))).unwrap_or_default();
    sql.text = format!(
        "SELECT s.provider, COUNT(CASE WHEN {} THEN 1 END) AS taken, COUNT(s.queued_at) AS waiting, \
         MIN(s.queued_at) AS since FROM step s JOIN run r ON r.id = s.run_id \
         WHERE s.provider IS NOT NULL AND r.state IN ({}){of_worker} GROUP BY s.provider",
        is_called(),
        driven()
    );
    let rows: Vec<CrowdRow> = sql.all(on).await?;
    let number = |number: i64| u64::try_from(number).unwrap_or_default();
    let crowd = |row: CrowdRow| Crowd {
        provider: row.provider,
        taken: number(row.taken),
        waiting: number(row.waiting),
        since: row.since,
    };
    Ok(rows.into_iter().map(crowd).collect())
}

/// Where a run waits for a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    pub provider: String,
    pub since: DateTime<Utc>,
    /// The worker that holds the run.
    pub worker: Option<String>,
}

#[derive(FromQueryResult)]
struct WaitsRow {
    run_id: uuid::Uuid,
    provider: Option<String>,
    queued_at: Option<DateTime<Utc>>,
    worker: Option<String>,
}

/// Where those of the runs wait for a place that have no call under way, in one statement.
pub async fn awaited_by(on: &impl Reads, runs: &[RunId]) -> Result<HashMap<RunId, Waits>, DbErr> {
    if runs.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::default();
    let ids = sql.bind_all(runs.iter().map(|run| run.0));
    sql.text = format!(
        "SELECT s.run_id, s.provider, s.queued_at, r.worker FROM step s JOIN run r ON r.id = s.run_id \
         WHERE s.run_id IN ({ids}) AND r.state IN ({}) AND (s.queued_at IS NOT NULL OR {}) ORDER BY s.queued_at",
        driven(),
        is_called()
    );
    let rows: Vec<WaitsRow> = sql.all(on).await?;
    let mut found: HashMap<RunId, Option<Waits>> = HashMap::new();
    for row in rows {
        let waits = row.provider.zip(row.queued_at);
        let waits = waits.map(|(provider, since)| Waits { provider, since, worker: row.worker });
        match (waits, found.get(&row.run_id.into())) {
            (None, _) => drop(found.insert(row.run_id.into(), None)),
            (Some(waits), None) => drop(found.insert(row.run_id.into(), Some(waits))),
            // A call is under way, or a step has waited for longer.
            (Some(_), Some(_)) => {}
        }
    }
    Ok(found.into_iter().filter_map(|(run, waits)| Some((run, waits?))).collect())
}

/// How many runs have waited for longer at a provider; of those of one worker, or of all.
pub async fn before(on: &impl Reads, waits: &Waits, worker: Option<&str>) -> Result<u64, DbErr> {
    let mut sql = Sql::default();
    let (provider, since) = (sql.bind(waits.provider.as_str()), sql.bind(waits.since));
    let of_worker = worker.map(|name| format!(" AND r.worker = {}", sql.bind(name))).unwrap_or_default();
    sql.text = format!(
        "SELECT COUNT(DISTINCT s.run_id) FROM step s JOIN run r ON r.id = s.run_id \
         WHERE s.provider = {provider} AND s.queued_at < {since} AND r.state IN ({}){of_worker}",
        driven()
    );
    Ok(u64::try_from(sql.number(on).await?).unwrap_or_default())
}

/// The condition that a step's call is under way.
fn is_called() -> String {
    let [running, undoing] = [StepState::Running, StepState::Undoing].map(StepState::word);
    format!("(s.queued_at IS NULL AND (s.state = '{running}' OR (s.state = '{undoing}' AND s.wake_at IS NULL)))")
}
