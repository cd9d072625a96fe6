//! Who does the duties of the house: one process at a time, by a lease with a fencing token that only grows. The lease
//! runs by the database's clock, so that it means the same to every process.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DbErr, FromQueryResult};

use crate::sql::{Sql, backend};
use crate::{Reads, Tx};

/// A lease that lasts for longer than so many was written by a clock that was ahead, and counts as over.
const LEASES: i32 = 4;

/// What the holder of the duties names with each of its writes; whoever takes them over gets a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(i64);

/// Who does the duties.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Duty {
    /// The process; none when it laid them down, or nobody ever took them up.
    pub holder: Option<String>,
    pub held_since: Option<DateTime<Utc>>,
    /// Whether its lease is over, so that the next process that looks takes them over.
    pub is_over: bool,
}

/// Who does the duties now.
pub async fn find(on: &impl Reads) -> Result<Duty, DbErr> {
    let mut sql = Sql::default();
    let now = sql.database_time(backend(on), TimeDelta::zero());
    sql.text = format!(
        "SELECT holder, held_since, holder IS NULL OR lease_until IS NULL OR lease_until <= {now} AS is_over FROM duty \
         WHERE name = 'house'"
    );
    let rows: Vec<Duty> = sql.all(on).await?;
    rows.into_iter().next().ok_or_else(|| DbErr::RecordNotFound("the table `duty` has lost its row".to_owned()))
}

/// Takes the duties up for a process, unless another one holds them; answers the token that it holds them by.
pub async fn take(tx: &Tx, process: &str, lease: TimeDelta) -> Result<Option<Token>, DbErr> {
    let mut sql = Sql::default();
    let [now, until, too_late] =
        [TimeDelta::zero(), lease, lease * LEASES].map(|ahead| sql.database_time(backend(tx), ahead));
    let holder = sql.bind(process);
    sql.text = format!(
        "UPDATE duty SET holder = {holder}, token = token + 1, held_since = {now}, lease_until = {until} \
         WHERE name = 'house' AND (holder IS NULL OR lease_until <= {now} OR lease_until > {too_late})"
    );
    if sql.execute(tx).await? == 0 {
        return Ok(None);
    }
    let mut sql = Sql::default();
    "SELECT token FROM duty WHERE name = 'house'".clone_into(&mut sql.text);
    sql.number(tx).await.map(|token| Some(Token(token)))
}

/// Renews the lease. False when another process has taken the duties over.
pub async fn renew(tx: &Tx, token: Token, lease: TimeDelta) -> Result<bool, DbErr> {
    let mut sql = Sql::default();
    let (until, token) = (sql.database_time(backend(tx), lease), sql.bind(token.0));
    sql.text = format!("UPDATE duty SET lease_until = {until} WHERE token = {token} AND holder IS NOT NULL");
    Ok(sql.execute(tx).await? == 1)
}

/// Lays the duties down, so that another process takes them up at once.
pub async fn lay_down(tx: &Tx, token: Token) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let token = sql.bind(token.0);
    sql.text = format!("UPDATE duty SET holder = NULL, held_since = NULL, lease_until = NULL WHERE token = {token}");
    sql.execute(tx).await.map(drop)
}

/// Whether the duties are still held by this token.
pub async fn is_held(on: &impl Reads, token: Token) -> Result<bool, DbErr> {
    let mut sql = Sql::default();
    let token = sql.bind(token.0);
    sql.text = format!("SELECT count(*) FROM duty WHERE token = {token} AND holder IS NOT NULL");
    Ok(sql.number(on).await? == 1)
}
