//! How each connector fares: whether it answers, what waits, what nobody over there takes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::ids::{CiId, DeploymentId};
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

use crate::sql::Sql;
use crate::{Reads, Tx};

/// Acknowledgements of which the lag is told.
const LATEST: u64 = 1_000;

/// How a connector fares.
#[derive(Clone, Debug, Default, PartialEq, FromQueryResult)]
pub struct Standing {
    pub name: String,
    /// When its first load was handed out to the end; nothing while it goes on.
    pub loaded_at: Option<DateTime<Utc>>,
    /// Nothing is sent before then: it failed, or asked us to wait.
    pub rest_until: Option<DateTime<Utc>>,
    /// How often it failed in a row.
    pub failures: i32,
    pub failing_since: Option<DateTime<Utc>>,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub answered_at: Option<DateTime<Utc>>,
    /// Writes that changed nothing over there.
    pub noops: i64,
    /// The comparison under way, and where its next part begins.
    pub comparing_since: Option<DateTime<Utc>>,
    pub compared_to: Option<String>,
    /// What it found differing so far.
    pub differing: i64,
    /// The last comparison that saw everything, and what it found.
    pub compared_at: Option<DateTime<Utc>>,
    pub found_differing: i64,
    pub found_missing: i64,
}

/// Makes sure that the connector has its row.
pub async fn register(tx: &Tx, name: &str) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let name = sql.bind(name);
    sql.text = format!("INSERT INTO connector (name) VALUES ({name}) ON CONFLICT (name) DO NOTHING");
    sql.execute(tx).await.map(drop)
}

/// How the connectors fare that ever carried something, by their names.
pub async fn standing(on: &impl Reads) -> Result<BTreeMap<String, Standing>, DbErr> {
    let mut sql = Sql::default();
    "SELECT * FROM connector".clone_into(&mut sql.text);
    let rows: Vec<Standing> = sql.all(on).await?;
    Ok(rows.into_iter().map(|row| (row.name.clone(), row)).collect())
}

/// Notes that they answered; `noops` writes changed nothing.
pub async fn answered(tx: &Tx, name: &str, noops: usize, now: DateTime<Utc>) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let (name, at) = (sql.bind(name), sql.bind(now));
    sql.text = format!(
        "UPDATE connector SET answered_at = {at}, noops = noops + {noops}, failures = 0, rest_until = NULL, \
         failing_since = NULL, error_code = NULL, error = NULL WHERE name = {name}"
    );
    sql.execute(tx).await.map(drop)
}

/// Notes that they did not answer, or let nobody in; nothing is sent before `rest_until`.
pub async fn failed(
    tx: &Tx,
    name: &str,
    (code, why): (&str, &str),
    rest_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let (name, at, until) = (sql.bind(name), sql.bind(now), sql.bind(rest_until));
    let (code, why) = (sql.bind(code), sql.bind(why));
    sql.text = format!(
        "UPDATE connector SET failures = failures + 1, rest_until = {until}, error_code = {code}, error = {why}, \
         failing_since = COALESCE(failing_since, {at}) WHERE name = {name}"
    );
    sql.execute(tx).await.map(drop)
}

/// Notes how far a comparison came: since when it goes on, where its next part begins, what it found so far.
pub async fn compare_from(
    tx: &Tx,
    name: &str,
    began: Option<DateTime<Utc>>,
    next: Option<&str>,
    differing: i64,
) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let (name, since, next) = (sql.bind(name), sql.bind(began), sql.bind(next.map(str::to_owned)));
    sql.text = format!(
        "UPDATE connector SET comparing_since = {since}, compared_to = {next}, differing = {differing} \
         WHERE name = {name}"
    );
    sql.execute(tx).await.map(drop)
}

/// Notes that a comparison saw everything.
pub async fn compared(tx: &Tx, name: &str, (differing, missing): (i64, i64), now: DateTime<Utc>) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let (name, at) = (sql.bind(name), sql.bind(now));
    sql.text = format!(
        "UPDATE connector SET comparing_since = NULL, compared_to = NULL, differing = 0, compared_at = {at}, \
         found_differing = {differing}, found_missing = {missing} WHERE name = {name}"
    );
    sql.execute(tx).await.map(drop)
}

/// What a connector has not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outstanding {
    /// CIs that wait, dead letters among them.
    pub cis: u64,
    pub dead: u64,
    /// The oldest change among them.
    pub oldest: Option<DateTime<Utc>>,
    /// How many failed at their last try, by the word for why.
    pub errors: BTreeMap<String, u64>,
}

#[derive(FromQueryResult)]
struct OutstandingRow {
    connector: String,
    error_code: Option<String>,
    cis: i64,
    dead: i64,
    oldest: Option<DateTime<Utc>>,
}

/// What each connector has not acknowledged, by its name: one statement.
pub async fn outstanding(on: &impl Reads) -> Result<BTreeMap<String, Outstanding>, DbErr> {
    let mut sql = Sql::default();
    "SELECT connector, error_code, count(*) AS cis, count(dead_since) AS dead, min(wanted_since) AS oldest \
     FROM delivery WHERE wanted_since IS NOT NULL GROUP BY connector, error_code"
        .clone_into(&mut sql.text);
    let rows: Vec<OutstandingRow> = sql.all(on).await?;
    let mut all: BTreeMap<String, Outstanding> = BTreeMap::new();
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    for row in rows {
        let sum = all.entry(row.connector).or_default();
        sum.cis += count(row.cis);
        sum.dead += count(row.dead);
        sum.oldest = [sum.oldest, row.oldest].into_iter().flatten().min();
        sum.errors.extend(row.error_code.map(|code| (code, count(row.cis))));
    }
    Ok(all)
}

/// What a connector has not acknowledged of a deployment, with what was said to one of its dead letters.
pub async fn outstanding_of(
    on: &impl Reads,
    connector: &str,
    deployment: DeploymentId,
) -> Result<(Outstanding, Option<String>), DbErr> {
    let mut sql = Sql::default();
    let (name, deployment) = (sql.bind(connector), sql.bind(deployment.0));
    sql.text = format!(
        "SELECT count(*), count(d.dead_since), max(CASE WHEN d.dead_since IS NOT NULL THEN d.error END) FROM ci c \
         LEFT JOIN delivery d ON d.connector = {name} AND d.ci_id = c.id LEFT JOIN ci_outbox o ON o.ci_id = c.id \
         WHERE c.deployment_id = {deployment} AND (o.pending OR d.wanted_since IS NOT NULL \
         OR (d.ci_id IS NULL AND c.retired_at IS NULL))"
    );
    let rows = sql.rows(on).await?;
    let Some(row) = rows.first() else { return Ok(Default::default()) };
    let number = |column| row.try_get_by_index::<i64>(column).map(|it| u64::try_from(it).unwrap_or_default());
    let sum = Outstanding { cis: number(0)?, dead: number(1)?, ..Outstanding::default() };
    Ok((sum, row.try_get_by_index(2)?))
}

/// How long the latest changes took until this connector acknowledged them, in milliseconds.
pub async fn lags(on: &impl Reads, connector: &str) -> Result<Vec<i64>, DbErr> {
    let mut sql = Sql::default();
    let name = sql.bind(connector);
    sql.text = format!(
        "SELECT lag_ms FROM delivery WHERE connector = {name} AND acknowledged_at IS NOT NULL \
         ORDER BY acknowledged_at DESC LIMIT {LATEST}"
    );
    sql.rows(on).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// A CI that nobody over there takes, until a person helps.
#[derive(Clone, Debug, PartialEq, FromQueryResult)]
pub struct Dead {
    pub connector: String,
    pub ci_id: Uuid,
    pub name: String,
    pub class: String,
    pub error_code: String,
    pub error: String,
    pub dead_since: DateTime<Utc>,
}

impl Dead {
    pub fn ci(&self) -> CiId {
        self.ci_id.into()
    }
}

/// The dead letters, the latest first.
pub async fn dead(on: &impl Reads, limit: u64) -> Result<Vec<Dead>, DbErr> {
    let mut sql = Sql::default();
    sql.text = format!(
        "SELECT d.connector, d.ci_id, c.name, c.class, d.error_code, d.error, d.dead_since FROM delivery d \
         JOIN ci c ON c.id = d.ci_id WHERE d.dead_since IS NOT NULL ORDER BY d.dead_since DESC LIMIT {limit}"
    );
    sql.all(on).await
}
