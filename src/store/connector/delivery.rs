//! Deliveries: what each connector is to carry, and what it has acknowledged.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::connector::{Due, Settled};
use domain::ids::CiId;
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

use crate::sql::Sql;
use crate::{Reads, Tx};

/// The longest word by which errors are counted.
const LONGEST_CODE: usize = 63;
/// So much of what they said is kept.
const LONGEST_WHY: usize = 1_000;

#[derive(FromQueryResult)]
struct DueRow {
    ci_id: Uuid,
    wanted: i64,
    wanted_since: DateTime<Utc>,
    attempts: i32,
    payload_hash: Option<String>,
    native_id: Option<String>,
}

/// The CIs whose turn it is at a connector: first what others stand on, then who waits longest.
pub async fn due(on: &impl Reads, connector: &str, now: DateTime<Utc>, limit: usize) -> Result<Vec<Due>, DbErr> {
    let mut sql = Sql::default();
    let (name, turn) = (sql.bind(connector), sql.bind(now));
    sql.text = format!(
        "SELECT ci_id, wanted, wanted_since, attempts, payload_hash, native_id FROM delivery WHERE connector = {name} \
         AND next_at <= {turn} AND wanted_since IS NOT NULL ORDER BY rank, next_at LIMIT {limit}"
    );
    let rows: Vec<DueRow> = sql.all(on).await?;
    let due = |row: DueRow| Due {
        ci: row.ci_id.into(),
        wanted: row.wanted,
        since: row.wanted_since,
        attempts: u32::try_from(row.attempts).unwrap_or_default(),
        fingerprint: row.payload_hash,
        native_id: row.native_id,
    };
    Ok(rows.into_iter().map(due).collect())
}

/// Notes what a delivery came to. What changed since it was read stays wanted; `sent` is when it was read.
pub async fn settle(
    tx: &Tx,
    connector: &str,
    due: &Due,
    settled: &Settled,
    sent: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let set = match settled {
        Settled::Acknowledged { fingerprint, native_id } => {
            let newer = format!("wanted > {}", due.wanted);
            let (hash, native, at) = (sql.bind(fingerprint.clone()), sql.bind(native_id.clone()), sql.bind(now));
            let (since, lag) = (sql.bind(sent), (now - due.since).num_milliseconds().max(0));
            format!(
                "acknowledged = {}, acknowledged_at = {at}, lag_ms = {lag}, payload_hash = {hash}, \
                 native_id = COALESCE({native}, native_id), attempts = 0, error_code = NULL, error = NULL, \
                 dead_since = NULL, next_at = CASE WHEN {newer} THEN next_at END, \
                 wanted_since = CASE WHEN {newer} THEN {since} END",
                due.wanted
            )
        }
        Settled::Again { at, code, why } => {
            let (next, code, why) = (sql.bind(*at), sql.bind(cut(code, LONGEST_CODE)), sql.bind(cut(why, LONGEST_WHY)));
            format!("attempts = attempts + 1, next_at = {next}, error_code = {code}, error = {why}")
        }
        Settled::Dead { code, why } => {
            let (at, code, why) = (sql.bind(now), sql.bind(cut(code, LONGEST_CODE)), sql.bind(cut(why, LONGEST_WHY)));
            format!("attempts = attempts + 1, next_at = NULL, dead_since = {at}, error_code = {code}, error = {why}")
        }
    };
    // A failure of what is not wanted any more says nothing of what is.
    let same = if matches!(settled, Settled::Acknowledged { .. }) {
        String::new()
    } else {
        format!(" AND wanted = {}", due.wanted)
    };
    let (name, ci) = (sql.bind(connector), sql.bind(due.ci.0));
    sql.text = format!("UPDATE delivery SET {set} WHERE connector = {name} AND ci_id = {ci}{same}");
    sql.execute(tx).await.map(drop)
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

/// Has dead letters carried again: that of one CI, or all of the connector's. Says how many.
pub async fn retry(tx: &Tx, connector: &str, ci: Option<CiId>, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let mut sql = Sql::default();
    let (name, turn) = (sql.bind(connector), sql.bind(now));
    let one = ci.map(|ci| format!(" AND ci_id = {}", sql.bind(ci.0))).unwrap_or_default();
    sql.text = format!(
        "UPDATE delivery SET dead_since = NULL, error_code = NULL, error = NULL, attempts = 0, next_at = {turn} \
         WHERE connector = {name} AND dead_since IS NOT NULL{one}"
    );
    sql.execute(tx).await
}

/// What a connector has acknowledged of a CI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCi {
    pub ci: CiId,
    /// Of the payload that was acknowledged.
    pub fingerprint: Option<String>,
    /// Whether something newer is on its way, so that a difference says nothing.
    pub is_under_way: bool,
}

#[derive(FromQueryResult)]
struct HeldRow {
    key: String,
    ci_id: Uuid,
    payload_hash: Option<String>,
    under_way: bool,
}

/// Notes that these were found over there by the comparison that began at `began`; answers by their keys what was
/// acknowledged of those that are known.
pub async fn mark_compared(
    tx: &Tx,
    connector: &str,
    keys: &[String],
    began: DateTime<Utc>,
) -> Result<HashMap<String, HeldCi>, DbErr> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::default();
    let (name, these) = (sql.bind(connector), sql.bind_all(keys.iter().cloned()));
    sql.text = format!(
        "SELECT c.key, d.ci_id, d.payload_hash, d.wanted_since IS NOT NULL AS under_way FROM delivery d \
         JOIN ci c ON c.id = d.ci_id WHERE d.connector = {name} AND c.key IN ({these})"
    );
    let rows: Vec<HeldRow> = sql.all(tx).await?;
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::default();
    let (name, at) = (sql.bind(connector), sql.bind(began));
    let these = sql.bind_all(rows.iter().map(|row| row.ci_id));
    sql.text = format!("UPDATE delivery SET compared_at = {at} WHERE connector = {name} AND ci_id IN ({these})");
    sql.execute(tx).await?;
    let held = |row: HeldRow| {
        let held = HeldCi { ci: row.ci_id.into(), fingerprint: row.payload_hash, is_under_way: row.under_way };
        (row.key, held)
    };
    Ok(rows.into_iter().map(held).collect())
}

/// Up to `limit` CIs that a connector acknowledged before the comparison that began at `began`, and that it did not
/// find.
pub async fn next_missing(
    on: &impl Reads,
    connector: &str,
    began: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<CiId>, DbErr> {
    let mut sql = Sql::default();
    let (name, at) = (sql.bind(connector), sql.bind(began));
    sql.text = format!(
        "SELECT ci_id FROM delivery WHERE connector = {name} AND acknowledged_at < {at} AND native_id IS NOT NULL \
         AND wanted_since IS NULL AND (compared_at IS NULL OR compared_at < {at}) LIMIT {limit}"
    );
    Ok(sql.ids(on.db()).await?.into_iter().map(CiId::from).collect())
}

/// Has these CIs made anew over there: what was acknowledged of them is forgotten.
pub async fn forget_missing(tx: &Tx, connector: &str, missing: &[CiId], now: DateTime<Utc>) -> Result<(), DbErr> {
    anew(tx, connector, missing.to_vec(), "native_id = NULL, ", now).await
}

/// Has these CIs carried again, though nothing changed here.
pub async fn want_again(tx: &Tx, connector: &str, cis: &[CiId], now: DateTime<Utc>) -> Result<(), DbErr> {
    anew(tx, connector, cis.to_vec(), "", now).await
}

async fn anew(tx: &Tx, connector: &str, cis: Vec<CiId>, also: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    if cis.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::default();
    let (name, at) = (sql.bind(connector), sql.bind(now));
    let these = sql.bind_all(cis.into_iter().map(|ci| ci.0));
    sql.text = format!(
        "UPDATE delivery SET {also}payload_hash = NULL, attempts = 0, next_at = {at}, \
         wanted_since = COALESCE(wanted_since, {at}) WHERE connector = {name} AND ci_id IN ({these})"
    );
    sql.execute(tx).await.map(drop)
}
