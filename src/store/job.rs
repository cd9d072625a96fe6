//! The queue's rows, as far as we write them ourselves: a job must commit together with its reason. The layout is the
//! queue library's own.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

/// Puts a job into a queue; workers see it when the transaction commits. `id` is a ULID.
pub async fn insert(tx: &Tx, queue: &str, id: &str, payload: &[u8]) -> Result<(), DbErr> {
    let backend = tx.db().get_database_backend();
    let columns = "(job, id, job_type, status, attempts, max_attempts, priority, metadata, run_at)";
    let values: [Value; 3] = [payload.to_vec().into(), id.into(), queue.into()];
    // The queue asks the database for the time: by another clock, a job might seem not to be due yet.
    let due = match backend {
        DbBackend::Postgres => "'', now()",
        _ => "'{}', unixepoch()",
    };
    let statement =
        format!("INSERT INTO {} {columns} VALUES ($1, $2, $3, 'Pending', 0, 1000, 0, {due})", jobs(backend));
    tx.db().execute_raw(Statement::from_sql_and_values(backend, statement, values)).await?;
    Ok(())
}

/// Takes a job out of its queue for good: its work is done.
pub async fn remove(tx: &Tx, id: &str) -> Result<(), DbErr> {
    let backend = tx.db().get_database_backend();
    let statement = format!("DELETE FROM {} WHERE id = $1", jobs(backend));
    tx.db().execute_raw(Statement::from_sql_and_values(backend, statement, [id.into()])).await?;
    Ok(())
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
    // In seconds since 1970: PostgreSQL keeps an instant, SQLite such a number.
    let oldest = match backend {
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM MIN(run_at)) AS BIGINT)",
        _ => "MIN(run_at)",
    };
    let statement = format!(
        "SELECT COUNT(*) AS waiting, {oldest} AS oldest FROM {} \
         WHERE job_type = $1 AND status IN ('Pending', 'Queued')",
        jobs(backend)
    );
    let row = on.db().query_one_raw(Statement::from_sql_and_values(backend, statement, [queue.into()])).await?;
    let Some(row) = row else { return Ok(Waiting::default()) };
    let (number, oldest): (i64, Option<i64>) = (row.try_get("", "waiting")?, row.try_get("", "oldest")?);
    let since = oldest.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    Ok(Waiting { number: u64::try_from(number).unwrap_or_default(), since })
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
