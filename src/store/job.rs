//! The queue's rows, as far as we write them ourselves: a job must commit together with its reason. The layout is the
//! queue library's own.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::ProjectId;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

use crate::sql::Sql;
use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

/// What holds of a job that no worker has taken.
const WAITS: &str = "status = 'Pending' AND lock_by IS NULL";

/// Where a job stands among those that wait. Within a rank the projects take turns: see [`insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Takes something down, or was asked for by whoever mends: before all others.
    Urgent,
    /// Goes on with what has begun.
    Begun,
    /// Begins.
    New,
}

/// Turns are counted from this second on: in October 2025.
const BEGINNING: i64 = 1_760_000_000;
/// So many jobs that were let pass may stand before the urgent ones: see [`let_pass`].
const PASSED: i64 = 60;
/// A new job does not ask after those that have waited for so many seconds more: it stands behind them anyway.
const LONG: i64 = 3_600;

impl Rank {
    /// What the priorities of the rank go down from: the highest is taken first, and each turn is one lower. What has
    /// begun and what begins take turns, too.
    const fn first(self) -> i64 {
        match self {
            Self::Urgent => 2_000_000_000,
            Self::Begun | Self::New => 1_000_000_000,
        }
    }

    /// The priority of a job that finds nobody waiting. It goes down with the time, by one a second, so that what waits
    /// stands behind all that has left the queue: PostgreSQL does not walk through those whose rows a transaction
    /// that has been open for long keeps it from clearing away.
    fn now(self, backend: DbBackend, clock: &str) -> String {
        let passed = match backend {
            DbBackend::Postgres => format!("GREATEST(0, CAST(EXTRACT(EPOCH FROM {clock}) AS bigint) - {BEGINNING})"),
            _ => format!("max(0, unixepoch() - {BEGINNING})"),
        };
        format!("({} - {passed})", self.first())
    }

    /// The condition that a job of the rank may wait.
    fn may_wait(self, sql: &mut Sql, front: Option<Front>) -> String {
        let highest = match self {
            Self::Urgent => front.map(|front| front.urgent.saturating_add(PASSED)),
            Self::Begun | Self::New => Some(front.map_or(self.first(), |front| front.others.min(self.first()))),
        };
        let highest = highest.map(|highest| format!(" AND priority <= {}", sql.bind(highest)));
        format!("priority > {}{}", self.above(), highest.unwrap_or_default())
    }

    /// No priority of the rank is as low.
    fn above(self) -> i64 {
        match self {
            Self::Urgent => Self::New.first(),
            Self::Begun | Self::New => i64::from(i32::MIN),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Begun => "begun",
            Self::New => "new",
        }
    }
}

/// The first places at which jobs may wait, by rank: nothing waits before. PostgreSQL walks through all that has left the
/// queue as long as a transaction that has been open for long keeps it from clearing that away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    urgent: i64,
    others: i64,
}

impl Front {
    /// Before both of them nothing waits that does not wait before one of them.
    #[must_use]
    pub fn or_before(self, other: Self) -> Self {
        Self { urgent: self.urgent.max(other.urgent), others: self.others.max(other.others) }
    }

    /// Where `most` jobs were drawn, nothing waits before the last of them; where fewer were, before what comes `now`.
    fn after(drawn: &[Drawn], most: usize, looked: Option<Self>, now: Self) -> Self {
        let last = |urgent: bool| {
            let of_rank = drawn.iter().map(|it| it.priority).filter(|&it| (it > Rank::New.first()) == urgent);
            of_rank.min()
        };
        match (last(true), last(false)) {
            _ if drawn.len() < most => now,
            (_, Some(others)) => Self { urgent: now.urgent, others },
            // The others were not looked at.
            (Some(urgent), None) => Self { urgent, others: looked.map_or(Rank::New.first(), |looked| looked.others) },
            (None, None) => now,
        }
    }
}

/// A job to be put into a queue.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'j> {
    pub queue: &'j str,
    /// A ULID.
    pub id: &'j str,
    pub payload: &'j [u8],
    pub project: ProjectId,
    pub rank: Rank,
    /// Where jobs may wait, as far as is known.
    pub front: Option<Front>,
}

/// Puts a job into its queue; workers see it when the transaction commits.
///
/// It stands one turn behind the last job of its project and rank that waits; where none waits, it is among the next
/// to be taken. So the projects take turns however many jobs each of them has, and nothing is kept but the queue.
pub async fn insert(tx: &Tx, job: NewJob<'_>) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    sql.text = insertion(&mut sql, tx.db().get_database_backend(), job);
    sql.execute(tx).await.map(drop)
}

/// The statement that does it.
pub(crate) fn insertion(sql: &mut Sql, backend: DbBackend, job: NewJob<'_>) -> String {
    let (jobs, flow) = (jobs(backend), sql.bind(format!("{}-{}", job.rank.word(), job.project)));
    // The queue asks the database for the time: by another clock, a job might seem not to be due yet.
    let (metadata, due) = match backend {
        DbBackend::Postgres => (format!("hstore('flow', {flow})"), "now()"),
        _ => (format!("json_object('flow', {flow})"), "unixepoch()"),
    };
    let (payload, id, queue) = (sql.bind(job.payload.to_vec()), sql.bind(job.id), sql.bind(job.queue));
    let now = job.rank.now(backend, "clock_timestamp()");
    let may_wait = match job.front {
        None => format!("{} AND priority <= {} + {LONG}", job.rank.may_wait(sql, None), job.rank.now(backend, "now()")),
        front => job.rank.may_wait(sql, front),
    };
    let waiting = format!("SELECT priority FROM {jobs} WHERE job_type = {queue} AND {WAITS} AND {may_wait}");
    // Where nothing waits, nothing of the project does.
    format!(
        "INSERT INTO {jobs} (job, id, job_type, status, attempts, max_attempts, metadata, run_at, priority) \
         WITH next AS ({waiting} ORDER BY priority DESC LIMIT 1) \
         SELECT {payload}, {id}, {queue}, 'Pending', 0, 1000, {metadata}, {due}, \
         CASE WHEN (SELECT priority FROM next) IS NULL THEN {now} ELSE COALESCE(\
         ({waiting} AND {} = {flow} ORDER BY priority LIMIT 1) - 1, (SELECT priority FROM next)) END",
        flow_of(backend)
    )
}

/// Whether a job that is not urgent has waited for so long, and urgent ones go before it; no job waits before the `front`.
pub async fn is_passed_over(
    on: &impl Reads,
    queue: &str,
    waited: TimeDelta,
    front: Option<Front>,
) -> Result<bool, DbErr> {
    let mut sql = Sql::default();
    let (next, urgent) = passed_over(&mut sql, on.db().get_database_backend(), queue, waited, front);
    sql.text = format!("SELECT COUNT(*) FROM ({next}) AS next WHERE EXISTS ({urgent})");
    Ok(sql.number(on).await? > 0)
}

/// Lets that job go before the urgent ones: however many of them come, what is not urgent goes on.
pub async fn let_pass(tx: &Tx, queue: &str, waited: TimeDelta, front: Option<Front>) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let backend = tx.db().get_database_backend();
    let (next, urgent) = passed_over(&mut sql, backend, queue, waited, front);
    let first = format!("({urgent} ORDER BY priority DESC LIMIT 1) + 1");
    sql.text = format!("UPDATE {} SET priority = {first} WHERE id = ({next}) AND EXISTS ({urgent})", jobs(backend));
    sql.execute(tx).await.map(drop)
}

/// The job that would be next, were there no urgent ones, if it has waited for so long; and the urgent ones.
fn passed_over(
    sql: &mut Sql,
    backend: DbBackend,
    queue: &str,
    waited: TimeDelta,
    front: Option<Front>,
) -> (String, String) {
    let queue = sql.bind(queue);
    let waiting = format!("FROM {} WHERE job_type = {queue} AND {WAITS}", jobs(backend));
    let (others, urgent) = (Rank::New.may_wait(sql, front), Rank::Urgent.may_wait(sql, front));
    let long_ago = is_before(backend, "run_at", waited);
    (
        format!("SELECT id {waiting} AND {others} AND {long_ago} ORDER BY priority DESC, run_at LIMIT 1"),
        format!("SELECT priority {waiting} AND {urgent}"),
    )
}

/// Jobs that were taken out of their queue.
#[derive(Debug, Default)]
pub struct Draw {
    /// What they say, in their order.
    pub payloads: Vec<Vec<u8>>,
    /// Where jobs may wait now; nothing is to be known of that on SQLite, which keeps nothing of what has left the queue.
    pub front: Option<Front>,
}

/// Takes the jobs that are next out of their queue, at most so many. What other transactions are taking at the same time
/// is passed over, and so is what waits before the `front`.
pub async fn draw(tx: &Tx, queue: &str, most: usize, front: Option<Front>) -> Result<Draw, DbErr> {
    let backend = tx.db().get_database_backend();
    let mut sql = Sql::default();
    sql.text = drawing(&mut sql, backend, queue, most, front);
    let rows: Vec<DrawnRow> = sql.all(tx).await?;
    let now = rows.iter().find_map(|row| Some(Front { urgent: row.urgent?, others: row.others? }));
    let mut drawn: Vec<Drawn> = rows.into_iter().filter_map(DrawnRow::job).collect();
    drawn.sort_by(|one, other| (other.priority, &one.id).cmp(&(one.priority, &other.id)));
    let front = now.map(|now| Front::after(&drawn, most, front, now));
    Ok(Draw { payloads: drawn.into_iter().map(|it| it.job).collect(), front })
}

/// The statement that does it. On PostgreSQL it says where jobs stand that come now, too.
fn drawing(sql: &mut Sql, backend: DbBackend, queue: &str, most: usize, front: Option<Front>) -> String {
    let (jobs, queue) = (jobs(backend), sql.bind(queue));
    let most = sql.bind(i64::try_from(most).unwrap_or(i64::MAX));
    let (due, lock) = match backend {
        DbBackend::Postgres => ("now()", "FOR UPDATE SKIP LOCKED"),
        _ => ("unixepoch()", ""),
    };
    // Each rank is a walk of its own through the index; no job is locked that is not taken.
    let mut next_of = |rank: Rank, most: &str| {
        let may_wait = rank.may_wait(sql, front);
        format!(
            "SELECT id FROM {jobs} WHERE job_type = {queue} AND {WAITS} AND {may_wait} AND run_at <= {due} \
             ORDER BY priority DESC, run_at LIMIT {most} {lock}"
        )
    };
    let urgent = next_of(Rank::Urgent, &most);
    let others = next_of(Rank::New, &format!("{most} - (SELECT COUNT(*) FROM urgent)"));
    let next = format!(
        "WITH urgent AS ({urgent}), others AS ({others}) SELECT id FROM urgent UNION ALL SELECT id FROM others"
    );
    let drawn = "RETURNING job, CAST(priority AS bigint) AS priority, id";
    match backend {
        DbBackend::Postgres => format!(
            "WITH drawn AS (DELETE FROM {jobs} WHERE id = ANY(ARRAY({next})) {drawn}) \
             SELECT job, priority, id, NULL AS urgent, NULL AS others FROM drawn \
             UNION ALL SELECT NULL, NULL, NULL, {}, {}",
            Rank::Urgent.now(backend, "now()"),
            Rank::New.now(backend, "now()")
        ),
        _ => format!("DELETE FROM {jobs} WHERE id IN ({next}) {drawn}, NULL AS urgent, NULL AS others"),
    }
}

#[derive(FromQueryResult)]
struct DrawnRow {
    job: Option<Vec<u8>>,
    priority: Option<i64>,
    id: Option<String>,
    urgent: Option<i64>,
    others: Option<i64>,
}

impl DrawnRow {
    fn job(self) -> Option<Drawn> {
        Some(Drawn { job: self.job?, priority: self.priority?, id: self.id? })
    }
}

struct Drawn {
    job: Vec<u8>,
    priority: i64,
    /// Grows with time.
    id: String,
}

/// Takes the jobs with this payload out of their queue.
pub async fn remove(tx: &Tx, queue: &str, payload: &[u8]) -> Result<(), DbErr> {
    let mut sql = Sql::default();
    let (queue, payload) = (sql.bind(queue), sql.bind(payload.to_vec()));
    let jobs = jobs(tx.db().get_database_backend());
    sql.text = format!("DELETE FROM {jobs} WHERE job_type = {queue} AND job = {payload} AND {WAITS}");
    sql.execute(tx).await.map(drop)
}

/// The jobs of a queue that wait for a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub number: u64,
    /// When the oldest of them was put there.
    pub since: Option<DateTime<Utc>>,
}

/// What waits in a queue for a worker.
pub async fn waiting(on: &impl Reads, queue: &str) -> Result<Waiting, DbErr> {
    let backend = on.db().get_database_backend();
    let statement = format!(
        "SELECT COUNT(*) AS waiting, {} AS oldest FROM {} \
         WHERE job_type = $1 AND status IN ('Pending', 'Queued')",
        oldest(backend),
        jobs(backend)
    );
    let row = on.db().query_one_raw(Statement::from_sql_and_values(backend, statement, [queue.into()])).await?;
    let Some(row) = row else { return Ok(Waiting::default()) };
    let (number, oldest): (i64, Option<i64>) = (row.try_get("", "waiting")?, row.try_get("", "oldest")?);
    let since = oldest.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    Ok(Waiting { number: u64::try_from(number).unwrap_or_default(), since })
}

/// How many jobs are taken before the one with this payload, as things stand; nothing when it waits no more.
pub async fn before(on: &impl Reads, queue: &str, payload: &[u8]) -> Result<Option<u64>, DbErr> {
    let mut sql = Sql::default();
    let jobs = jobs(on.db().get_database_backend());
    let (queue, payload) = (sql.bind(queue), sql.bind(payload.to_vec()));
    let waiting = format!("FROM {jobs} WHERE job_type = {queue} AND {WAITS}");
    sql.text = format!(
        "SELECT CASE WHEN mine.id IS NULL THEN -1 ELSE (SELECT COUNT(*) {waiting} AND (priority > mine.priority OR \
         (priority = mine.priority AND (run_at < mine.run_at OR (run_at = mine.run_at AND id < mine.id))))) END \
         FROM (SELECT 1 AS one) AS always LEFT JOIN (SELECT id, priority, run_at {waiting} AND job = {payload} \
         ORDER BY priority DESC LIMIT 1) AS mine ON TRUE"
    );
    Ok(u64::try_from(sql.number(on).await?).ok())
}

/// What waits of one project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub project: ProjectId,
    pub number: u64,
    /// When the oldest was put there.
    pub since: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct BacklogRow {
    flow: Option<String>,
    number: i64,
    oldest: Option<i64>,
}

/// What waits in a queue, by project; the longest first.
pub async fn by_project(on: &impl Reads, queue: &str) -> Result<Vec<Backlog>, DbErr> {
    let backend = on.db().get_database_backend();
    let mut sql = Sql::default();
    sql.text = format!(
        "SELECT {} AS flow, COUNT(*) AS number, {} AS oldest FROM {} WHERE job_type = {} AND {WAITS} GROUP BY 1",
        flow_of(backend),
        oldest(backend),
        jobs(backend),
        sql.bind(queue)
    );
    let rows: Vec<BacklogRow> = sql.all(on).await?;
    let mut projects: BTreeMap<ProjectId, Backlog> = BTreeMap::new();
    for row in rows {
        let id = row.flow.as_deref().and_then(|flow| flow.split_once('-')?.1.parse::<uuid::Uuid>().ok());
        // A job that an older version has put there says nothing of its project.
        let Some(project) = id.map(ProjectId) else { continue };
        let since = row.oldest.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let all = projects.entry(project).or_insert(Backlog { project, number: 0, since });
        all.number += u64::try_from(row.number).unwrap_or_default();
        all.since = all.since.min(since);
    }
    let mut backlogs: Vec<Backlog> = projects.into_values().collect();
    backlogs.sort_by_key(|backlog| std::cmp::Reverse(backlog.number));
    Ok(backlogs)
}

/// The oldest of several, in seconds since 1970: PostgreSQL keeps an instant, SQLite such a number.
const fn oldest(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM MIN(run_at)) AS BIGINT)",
        _ => "MIN(run_at)",
    }
}

/// What tells the jobs of one project and rank from those of others.
fn flow_of(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "metadata -> 'flow'",
        _ => "json_extract(metadata, '$.flow')",
    }
}

/// What the queue library calls its table.
pub(crate) fn jobs(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "apalis.jobs",
        _ => "Jobs",
    }
}

/// What the queue library calls its table of workers.
pub(crate) fn workers(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "apalis.workers",
        _ => "Workers",
    }
}

/// The id of the run that the job `j` brings; its payload is JSON, kept as bytes.
pub(crate) fn run_of(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "CAST(CAST(convert_from(j.job, 'UTF8') AS json) ->> 'run' AS uuid)",
        _ => "unhex(json_extract(CAST(j.job AS text), '$.run'), '-')",
    }
}

/// The condition that an instant of the queue's own tables is longer ago than that, by the database's clock.
pub(crate) fn is_before(backend: DbBackend, column: &str, ago: TimeDelta) -> String {
    let seconds = ago.num_seconds();
    match backend {
        DbBackend::Postgres => format!("{column} < now() - interval '{seconds} seconds'"),
        // Seconds since 1970.
        _ => format!("{column} < unixepoch() - {seconds}"),
    }
}
