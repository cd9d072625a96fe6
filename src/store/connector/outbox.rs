//! The outbox: CIs that changed, written with the change; handed out to each connector afterwards.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::ci::CiClass;
use domain::ids::CiId;
use sea_orm::{DbBackend, DbErr, FromQueryResult};
use uuid::Uuid;

use crate::Tx;
use crate::ci::row::class_of;
use crate::sql::{Sql, backend};

/// Rows that one statement inserts.
const AT_ONCE: usize = 500;

#[derive(FromQueryResult)]
struct Changed {
    ci_id: Uuid,
    revision: i64,
    since: DateTime<Utc>,
    class: String,
}

#[derive(FromQueryResult)]
struct Standing {
    ci_id: Uuid,
    revision: i64,
    class: String,
}

/// Notes that these CIs changed, in the transaction that changes them.
pub(crate) async fn raise(tx: &Tx, changed: &BTreeSet<CiId>, at: DateTime<Utc>) -> Result<(), DbErr> {
    let changed: Vec<&CiId> = changed.iter().collect();
    for part in changed.chunks(AT_ONCE) {
        let mut sql = Sql::default();
        let since = sql.bind(at);
        let rows: Vec<String> = part.iter().map(|ci| format!("({}, 1, TRUE, {since})", sql.bind(ci.0))).collect();
        sql.text = format!(
            "INSERT INTO ci_outbox (ci_id, revision, pending, since) VALUES {} ON CONFLICT (ci_id) DO UPDATE SET \
             revision = ci_outbox.revision + 1, pending = TRUE, \
             since = CASE WHEN ci_outbox.pending THEN ci_outbox.since ELSE excluded.since END",
            rows.join(", ")
        );
        sql.execute(tx).await?;
    }
    Ok(())
}

/// Hands up to `limit` changed CIs out to the connectors, the oldest change first; says how many.
pub async fn hand_out(tx: &Tx, connectors: &[&str], now: DateTime<Utc>, limit: u64) -> Result<usize, DbErr> {
    // Whoever writes a CI at this moment is not waited for: it is handed out next time.
    let locked = if backend(tx) == DbBackend::Postgres { " FOR UPDATE OF o SKIP LOCKED" } else { "" };
    let mut sql = Sql::default();
    sql.text = format!(
        "SELECT o.ci_id, o.revision, o.since, c.class FROM ci_outbox o JOIN ci c ON c.id = o.ci_id WHERE o.pending \
         ORDER BY o.since LIMIT {limit}{locked}"
    );
    let changed: Vec<Changed> = sql.all(tx).await?;
    if changed.is_empty() {
        return Ok(0);
    }
    for connector in connectors {
        want(tx, connector, &changed, now, true).await?;
    }
    let mut sql = Sql::default();
    let these = sql.bind_all(changed.iter().map(|row| row.ci_id));
    sql.text = format!("UPDATE ci_outbox SET pending = FALSE WHERE ci_id IN ({these})");
    sql.execute(tx).await?;
    Ok(changed.len())
}

/// What a part of a first load came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub cis: usize,
    /// Whether that was all.
    pub is_all: bool,
}

/// Makes up to `limit` CIs wanted that a new connector was never told of, where the part before ended.
pub async fn load(tx: &Tx, connector: &str, now: DateTime<Utc>, limit: u64) -> Result<Loaded, DbErr> {
    let mut sql = Sql::default();
    let (name, nothing) = (sql.bind(connector), sql.bind(Uuid::nil()));
    sql.text = format!(
        "SELECT c.id AS ci_id, COALESCE(o.revision, 0) AS revision, c.class FROM ci c \
         LEFT JOIN ci_outbox o ON o.ci_id = c.id WHERE c.retired_at IS NULL AND c.id > COALESCE(\
         (SELECT loaded_to FROM connector WHERE name = {name}), {nothing}) ORDER BY c.id LIMIT {limit}"
    );
    let found: Vec<Standing> = sql.all(tx).await?;
    let changed = |row: Standing| Changed { ci_id: row.ci_id, revision: row.revision, since: now, class: row.class };
    let wanted: Vec<Changed> = found.into_iter().map(changed).collect();
    want(tx, connector, &wanted, now, false).await?;
    let is_all = (wanted.len() as u64) < limit;
    let mut sql = Sql::default();
    let (name, to) = (sql.bind(connector), sql.bind(wanted.last().map(|row| row.ci_id)));
    let done = sql.bind(is_all.then_some(now));
    sql.text =
        format!("UPDATE connector SET loaded_to = COALESCE({to}, loaded_to), loaded_at = {done} WHERE name = {name}");
    sql.execute(tx).await?;
    Ok(Loaded { cis: wanted.len(), is_all })
}

/// Has a connector carry these; `anew` also those that it knows of.
async fn want(tx: &Tx, connector: &str, cis: &[Changed], now: DateTime<Utc>, anew: bool) -> Result<(), DbErr> {
    for part in cis.chunks(AT_ONCE) {
        let mut sql = Sql::default();
        let (name, turn) = (sql.bind(connector), sql.bind(now));
        let mut rows = Vec::with_capacity(part.len());
        for row in part {
            let rank = class_of(&row.class).map(CiClass::rank)?;
            let (ci, since) = (sql.bind(row.ci_id), sql.bind(row.since));
            rows.push(format!("({name}, {ci}, {rank}, {}, {since}, 0, {turn})", row.revision));
        }
        let known = if anew {
            "DO UPDATE SET rank = excluded.rank, wanted = excluded.wanted, attempts = 0, next_at = excluded.next_at, \
             wanted_since = COALESCE(delivery.wanted_since, excluded.wanted_since), dead_since = NULL, \
             error_code = NULL, error = NULL"
        } else {
            "DO NOTHING"
        };
        sql.text = format!(
            "INSERT INTO delivery (connector, ci_id, rank, wanted, wanted_since, attempts, next_at) VALUES {} \
             ON CONFLICT (connector, ci_id) {known}",
            rows.join(", ")
        );
        sql.execute(tx).await?;
    }
    Ok(())
}
