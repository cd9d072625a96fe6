//! The queue's rows, as far as we write them ourselves: a job must commit together with its reason. The layout is the
//! queue library's own.

use sea_orm::{ConnectionTrait, DbErr, Statement, Value};

use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

/// Puts a job into a queue; workers see it when the transaction commits. `id` is a ULID.
pub async fn insert(tx: &Tx, queue: &str, id: &str, payload: &[u8], now: i64) -> Result<(), DbErr> {
    let statement = "INSERT INTO Jobs (job, id, job_type, status, attempts, max_attempts, run_at, priority, metadata) \
                     VALUES ($1, $2, $3, 'Pending', 0, 1000, $4, 0, '{}')";
    let values: [Value; 4] = [payload.to_vec().into(), id.into(), queue.into(), now.into()];
    tx.db().execute_raw(Statement::from_sql_and_values(tx.db().get_database_backend(), statement, values)).await?;
    Ok(())
}

/// Takes a job out of its queue for good: its work is done.
pub async fn remove(tx: &Tx, id: &str) -> Result<(), DbErr> {
    let backend = tx.db().get_database_backend();
    tx.db().execute_raw(Statement::from_sql_and_values(backend, "DELETE FROM Jobs WHERE id = $1", [id.into()])).await?;
    Ok(())
}

/// How many jobs of a queue wait for a worker.
pub async fn waiting(on: &impl Reads, queue: &str) -> Result<u64, DbErr> {
    let statement = "SELECT COUNT(*) AS waiting FROM Jobs WHERE job_type = $1 AND status IN ('Pending', 'Queued')";
    let backend = on.db().get_database_backend();
    let row = on.db().query_one_raw(Statement::from_sql_and_values(backend, statement, [queue.into()])).await?;
    let waiting: i64 = row.map(|row| row.try_get("", "waiting")).transpose()?.unwrap_or_default();
    Ok(u64::try_from(waiting).unwrap_or_default())
}
