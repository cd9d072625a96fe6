//! Who does what one process at a time does, the duties of the house above all: by a lease with a fencing token that only
//! grows. The lease runs by the database's clock, so that it means the same to every process.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DbErr, FromQueryResult};

use crate::sql::{Sql, backend};
use crate::{Reads, Tx};

/// A lease that lasts for longer than so many was written by a clock that was ahead, and counts as over.
const LEASES: i32 = 4;

/// What one process at a time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The duties of the house.
    House,
    /// A reconcile.
    Reconcile,
}

impl Work {
    const fn word(self) -> &'static str {
        match self {
            Self::House => "house",
            Self::Reconcile => "reconcile",
        }
    }
}

/// What the holder names with each of its writes; whoever takes the work over gets a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    work: Work,
    number: i64,
}

/// Who does the work.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Duty {
    /// The process; none when it laid the work down, or nobody ever took it up.
    pub holder: Option<String>,
    pub held_since: Option<DateTime<Utc>>,
    /// Whether its lease is over, so that the next process that looks takes it over.
    pub is_over: bool,
}

/// Who does the work now.
pub async fn find(on: &impl Reads, work: Work) -> Result<Duty, DbErr> {
    let mut sql = Sql::default();
    let now = sql.database_time(backend(on), TimeDelta::zero());
    let name = sql.bind(work.word());
    sql.text = format!(
        "SELECT holder, held_since, holder IS NULL OR lease_until IS NULL OR lease_until <= {now} AS is_over FROM duty \
         WHERE name = {name}"
    );
    let rows: Vec<Duty> = sql.all(on).await?;
    rows.into_iter().next().ok_or_else(|| DbErr::RecordNotFound("the table `duty` has lost its row".to_owned()))
}

/// Takes the work up for a process, unless another one holds it; answers the token that it holds it by.
pub async fn take(tx: &Tx, work: Work, process: &str, lease: TimeDelta) -> Result<Option<Token>, DbErr> {
    let mut sql = Sql::default();
    let [now, until, too_late] =
        [TimeDelta::zero(), lease, lease * LEASES].map(|ahead| sql.database_time(backend(tx), ahead));
    let (holder, name) = (sql.bind(process), sql.bind(work.word()));
    sql.text = format!(
        "UPDATE duty SET holder = {holder}, token = token + 1, held_since = {now}, lease_until = {until} \
         WHERE name = {name} AND (holder IS NULL OR lease_until <= {now} OR lease_until > {too_late})"
    );
    if sql.execute(tx).await? == 0 {
        return Ok(None);
    }
    let mut sql = Sql::default();
    let name = sql.bind(work.word());
    sql.text = format!("SELECT token FROM duty WHERE name = {name}");
    sql.number(tx).await.map(|number| Some(Token { work, number }))
}

/// Renews the lease. False when another process has taken the work over.
pub async fn renew(tx: &Tx, token: Token, lease: TimeDelta) -> Result<bool, DbErr> {
    let mut sql = Sql::default();
    let (until, held) = (sql.database_time(backend(tx), lease), sql.held_by(token));
    sql.text = format!("UPDATE duty SET lease_until = {until} WHERE {held} AND holder IS NOT NULL");
    Ok(sql.execute(tx).await? == 1)
}

/// Lays the work down, so that another process takes it up at once.
pub async fn lay_down(tx: &Tx, token: Token) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let held = sql.held_by(token);
    sql.text = format!("UPDATE duty SET holder = NULL, held_since = NULL, lease_until = NULL WHERE {held}");
    sql.execute(tx).await.map(drop)
}

/// Whether the work is still held by this token.
pub async fn is_held(on: &impl Reads, token: Token) -> Result<bool, DbErr> {
    let mut sql = Sql::default();
    let held = sql.held_by(token);
    sql.text = format!("SELECT count(*) FROM duty WHERE {held} AND holder IS NOT NULL");
    Ok(sql.number(on).await? == 1)
}

impl Sql {
    fn held_by(&mut self, token: Token) -> String {
        let (name, number) = (self.bind(token.work.word()), self.bind(token.number));
        format!("name = {name} AND token = {number}")
    }
}
