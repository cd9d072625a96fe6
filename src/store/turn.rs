//! Blueprints of which only so many runs are at work side by side, whichever workers carry them: who is held up, and
//! whose turn is next. The projects take turns.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::RunId;
use domain::run::{RunKind, RunState};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

use crate::run::driven;
use crate::sql::Sql;
use crate::{Reads, Tx};

/// When a run that is held up is looked at again, should nobody let it in before.
const AT_LAST: TimeDelta = TimeDelta::minutes(5);
/// A run that waits for no longer is at work: an outside system does what it was asked for. One that waits for a person
/// or a day is not.
const SOON: TimeDelta = TimeDelta::minutes(10);

/// Who decides about any blueprint holds it: a transaction may decide about several.
const BOUNDS: &str = "bounds of blueprints";

/// Holds a run up when as many others of its blueprint are at work as the bounds allow. True when it is held up: it is
/// not to be driven now.
pub async fn hold_up(tx: &Tx, run: RunId, bounds: &BTreeMap<String, usize>, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let mut sql = Sql::default();
    let (id, at) = (sql.bind(run.0), sql.bind(now));
    // A job that comes late for a run that has ended, or is another worker's, takes nobody's turn.
    let free = format!("state IN ({}) AND (lease_until IS NULL OR lease_until <= {at})", driven());
    sql.text = format!("SELECT id, project_id, blueprint FROM run WHERE id = {id} AND {free}");
    let found: Vec<Candidate> = sql.all(tx).await?;
    let Some((run, bound)) = found.iter().find_map(|run| Some((run, bounds.get(&run.blueprint)?))) else {
        return Ok(false);
    };
    tx.lock(BOUNDS).await?;
    if at_work_beside(tx, &run.blueprint, Some(run.id), now).await? < *bound {
        take_turn(tx, run).await?;
        return Ok(false);
    }
    let mut sql = Sql::default();
    let (id, now, later) = (sql.bind(run.id), sql.bind(now), sql.bind(now + AT_LAST));
    sql.text = format!(
        "UPDATE run SET held_up_since = COALESCE(held_up_since, {now}), wake_at = {later} WHERE id = {id} \
         AND state IN ({}) AND (lease_until IS NULL OR lease_until <= {now})",
        driven()
    );
    sql.execute(tx).await?;
    Ok(true)
}

/// Lets as many of a blueprint's runs be due as may be at work now: what is taken down first, then of the project whose
/// turn was longest ago. True when there were some.
pub async fn let_in(tx: &Tx, blueprint: &str, bound: usize, now: DateTime<Utc>) -> Result<bool, DbErr> {
    tx.lock(BOUNDS).await?;
    let free = bound.saturating_sub(at_work(tx, blueprint, now).await?);
    let mut let_in = false;
    for _ in 0..free {
        let Some(next) = next(tx, blueprint).await? else { break };
        take_turn(tx, &next).await?;
        let mut sql = Sql::default();
        let (id, now) = (sql.bind(next.id), sql.bind(now));
        sql.text = format!("UPDATE run SET wake_at = {now} WHERE id = {id}");
        sql.execute(tx).await?;
        let_in = true;
    }
    Ok(let_in)
}

/// Whether a run of this blueprint is held up.
pub async fn is_awaited(on: &impl Reads, blueprint: &str) -> Result<bool, DbErr> {
    let mut sql = Sql::default();
    let name = sql.bind(blueprint);
    sql.text = format!("SELECT COUNT(*) FROM run WHERE blueprint = {name} AND {}", waits());
    Ok(sql.number(on).await? > 0)
}

/// Since when those of the runs are held up that are.
pub async fn held_up(on: &impl Reads, runs: &[RunId]) -> Result<HashMap<RunId, DateTime<Utc>>, DbErr> {
    if runs.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::default();
    let ids = sql.bind_all(runs.iter().map(|run| run.0));
    sql.text = format!(
        "SELECT id, held_up_since FROM run WHERE id IN ({ids}) AND held_up_since IS NOT NULL AND lease_until IS NULL"
    );
    let rows: Vec<HeldUp> = sql.all(on).await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.held_up_since)).collect())
}

#[derive(FromQueryResult)]
struct HeldUp {
    id: Uuid,
    held_up_since: DateTime<Utc>,
}

/// How many runs of a blueprint have been held up for longer.
pub async fn before(on: &impl Reads, blueprint: &str, since: DateTime<Utc>) -> Result<u64, DbErr> {
    let mut sql = Sql::default();
    let (name, since) = (sql.bind(blueprint), sql.bind(since));
    sql.text = format!("SELECT COUNT(*) FROM run WHERE blueprint = {name} AND held_up_since < {since} AND {}", waits());
    Ok(u64::try_from(sql.number(on).await?).unwrap_or_default())
}

/// How many runs of a blueprint are at work: begun or just taken, and neither held up, nor left to a person, nor waiting
/// for long.
pub async fn at_work(on: &impl Reads, blueprint: &str, now: DateTime<Utc>) -> Result<usize, DbErr> {
    at_work_beside(on, blueprint, None, now).await
}

/// The same without one of them.
async fn at_work_beside(
    on: &impl Reads,
    blueprint: &str,
    run: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<usize, DbErr> {
    let mut sql = Sql::default();
    let (name, soon, now) = (sql.bind(blueprint), sql.bind(now + SOON), sql.bind(now));
    let others = run.map(|run| format!(" AND id <> {}", sql.bind(run))).unwrap_or_default();
    let [running, compensating, cancelling, waiting] =
        [RunState::Running, RunState::Compensating, RunState::Cancelling, RunState::Waiting].map(RunState::word);
    sql.text = format!(
        "SELECT COUNT(*) FROM run WHERE blueprint = {name} AND ended_at IS NULL AND held_up_since IS NULL \
         AND (state IN ('{running}', '{compensating}', '{cancelling}') \
         OR (state = '{waiting}' AND wake_at <= {soon}) OR lease_until > {now}){others}"
    );
    Ok(usize::try_from(sql.number(on).await?).unwrap_or_default())
}

/// A run that may have its turn.
#[derive(FromQueryResult)]
struct Candidate {
    id: Uuid,
    project_id: Uuid,
    blueprint: String,
}

async fn next(tx: &Tx, blueprint: &str) -> Result<Option<Candidate>, DbErr> {
    let mut sql = Sql::default();
    let (name, retire) = (sql.bind(blueprint), sql.bind(RunKind::Retire.word()));
    let back = [RunState::Compensating, RunState::Cancelling].map(RunState::word);
    let back = sql.bind_all(back);
    sql.text = format!(
        "SELECT r.id, r.project_id, r.blueprint FROM run r \
         LEFT JOIN turn t ON t.blueprint = r.blueprint AND t.project_id = r.project_id \
         WHERE r.blueprint = {name} AND {} ORDER BY \
         CASE WHEN r.kind = {retire} OR r.state IN ({back}) THEN 0 ELSE 1 END, COALESCE(t.number, 0), r.held_up_since, \
         r.id LIMIT 1",
        waits()
    );
    let rows: Vec<Candidate> = sql.all(tx).await?;
    Ok(rows.into_iter().next())
}

/// The condition that a run is held up, and has not come to its end another way.
fn waits() -> String {
    format!("held_up_since IS NOT NULL AND state IN ({})", driven())
}

/// The run is held up no more, and its project had its turn.
async fn take_turn(tx: &Tx, run: &Candidate) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    sql.text =
        format!("UPDATE run SET held_up_since = NULL WHERE id = {} AND held_up_since IS NOT NULL", sql.bind(run.id));
    sql.execute(tx).await?;
    let mut sql = Sql::default();
    let (name, project) = (sql.bind(run.blueprint.as_str()), sql.bind(run.project_id));
    let number = format!("(SELECT COALESCE(MAX(number), 0) + 1 FROM turn WHERE blueprint = {name})");
    sql.text = format!(
        "INSERT INTO turn (blueprint, project_id, number) VALUES ({name}, {project}, {number}) \
         ON CONFLICT (blueprint, project_id) DO UPDATE SET number = {number}"
    );
    sql.execute(tx).await.map(drop)
}
