//! How the workers share the places of a provider whose bound holds for all of them: each holds some by a lease, and
//! never are more held than there are. The lease runs by the database's clock.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DbErr, FromQueryResult};

use crate::sql::{Sql, backend};
use crate::{Reads, Tx};

/// What a worker holds and wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub provider: String,
    pub worker: String,
    pub places: usize,
    /// How many more it could use.
    pub wanted: usize,
    /// Since when it wants some; nothing while it wants none.
    pub wanted_since: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct Row {
    provider: String,
    worker: String,
    places: i32,
    wanted: i32,
    wanted_since: Option<DateTime<Utc>>,
}

/// The shares that workers hold by now, of all providers.
pub async fn all(on: &impl Reads) -> Result<Vec<Share>, DbErr> {
    let mut sql = Sql::default();
    let now = sql.database_time(backend(on), TimeDelta::zero());
    sql.text = format!("SELECT provider, worker, places, wanted, wanted_since FROM share WHERE lease_until > {now}");
    rows(sql, on).await
}

/// The shares of one provider, which nobody else changes until the transaction ends.
pub async fn lock(tx: &Tx, provider: &str) -> Result<Vec<Share>, DbErr> {
    tx.lock(&format!("share {provider}")).await?;
    let mut sql = Sql::default();
    let (now, name) = (sql.database_time(backend(tx), TimeDelta::zero()), sql.bind(provider));
    sql.text = format!(
        "SELECT provider, worker, places, wanted, wanted_since FROM share WHERE provider = {name} AND lease_until > {now}"
    );
    rows(sql, tx).await
}

/// Writes what a worker holds from now on, for so long.
pub async fn save(tx: &Tx, share: &Share, lease: TimeDelta) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let (provider, worker) = (sql.bind(share.provider.as_str()), sql.bind(share.worker.as_str()));
    let (places, wanted) = (sql.bind(number(share.places)), sql.bind(number(share.wanted)));
    let [now, until] = [TimeDelta::zero(), lease].map(|ahead| sql.database_time(backend(tx), ahead));
    let since = if share.wanted > 0 { format!("COALESCE(share.wanted_since, {now})") } else { "NULL".to_owned() };
    let first = if share.wanted > 0 { now.as_str() } else { "NULL" };
    sql.text = format!(
        "INSERT INTO share (provider, worker, places, wanted, wanted_since, lease_until) \
         VALUES ({provider}, {worker}, {places}, {wanted}, {first}, {until}) \
         ON CONFLICT (provider, worker) DO UPDATE SET places = {places}, wanted = {wanted}, wanted_since = {since}, \
         lease_until = {until}"
    );
    sql.execute(tx).await.map(drop)
}

/// Forgets what a worker holds, and what is over.
pub async fn give_back(tx: &Tx, worker: &str) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let (now, worker) = (sql.database_time(backend(tx), TimeDelta::zero()), sql.bind(worker));
    sql.text = format!("DELETE FROM share WHERE worker = {worker} OR lease_until <= {now}");
    sql.execute(tx).await.map(drop)
}

async fn rows(sql: Sql, on: &impl Reads) -> Result<Vec<Share>, DbErr> {
    let number = |number: i32| usize::try_from(number).unwrap_or_default();
    let rows: Vec<Row> = sql.all(on).await?;
    let share = |row: Row| Share {
        provider: row.provider,
        worker: row.worker,
        places: number(row.places),
        wanted: number(row.wanted),
        wanted_since: row.wanted_since,
    };
    Ok(rows.into_iter().map(share).collect())
}
