//! The journal of runs: what the moves of many runs come to, written in one go. PostgreSQL gets one statement for all of
//! it, since each that is waited for costs more than what it does; SQLite, which is not waited for, one for each table.

use std::collections::HashSet;

use domain::ids::RunId;
use domain::run::{Run, RunEvent};
use domain::step::Step;
use sea_orm::sea_query::ColumnType;
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, IdenStatic, Iterable};

use crate::connect::is_lost;
use crate::sql::Sql;
use crate::tx::sealed::Connection;
use crate::{Store, Tx, run, run_event, step};

/// So many rows are written by one statement of PostgreSQL.
const AT_ONCE: usize = 3_000;

/// One move of a run.
pub struct Move<'m> {
    /// As its worker knows it now.
    pub run: &'m Run,
    pub events: &'m [RunEvent],
    /// The steps that changed.
    pub steps: &'m [Step],
}

/// Writes moves, no two of one run. Answers the runs whose moves were written: nothing is of those that another worker
/// took, or that somebody changed since the worker read them.
pub async fn write(tx: &Tx, moves: &[Move<'_>]) -> Result<HashSet<RunId>, DbErr> {
    if moves.is_empty() {
        return Ok(HashSet::new());
    }
    let typed = tx.db().get_database_backend() == DbBackend::Postgres;
    if typed && are_few(moves) {
        return written(in_one(moves), tx.db()).await;
    }
    let mut saved = Sql::default();
    saved.text = run::held::save(&mut saved, moves.iter().map(|it| it.run), typed);
    let held = written(saved, tx.db()).await?;
    let moves = || moves.iter().filter(|it| held.contains(&it.run.id));
    run_event::append(tx, &moves().flat_map(|it| it.events).collect::<Vec<_>>()).await?;
    step::save(tx, &moves().flat_map(|it| it.steps).collect::<Vec<_>>()).await?;
    Ok(held)
}

impl Store {
    /// Writes moves with which nothing else has to commit.
    pub async fn write_moves(&self, moves: &[Move<'_>]) -> Result<HashSet<RunId>, DbErr> {
        if self.is_unfenced_server() && are_few(moves) {
            test_boundary::pass("before a commit");
            match written(in_one(moves), self.steps()).await {
                // It is written again, in a transaction. Should it have been written before the connection was lost,
                // its events are there already, and it is refused.
                Err(cause) if is_lost(&cause) => {}
                Err(cause) => return Err(cause),
                Ok(held) => {
                    test_boundary::pass("after a commit");
                    self.count_commit();
                    return Ok(held);
                }
            }
        }
        let tx = self.begin_step().await?;
        let held = write(&tx, moves).await?;
        tx.commit().await?;
        Ok(held)
    }
}

/// Whether they fit into one statement, which has 65,535 values at most; a step has 20 of them.
fn are_few(moves: &[Move<'_>]) -> bool {
    moves.iter().map(|it| 1 + it.events.len() + it.steps.len()).sum::<usize>() <= AT_ONCE
}

async fn written(sql: Sql, on: &impl ConnectionTrait) -> Result<HashSet<RunId>, DbErr> {
    Ok(sql.ids(on).await?.into_iter().map(RunId).collect())
}

/// All of it in one statement of PostgreSQL, which answers the runs that still were as their workers know them.
fn in_one(moves: &[Move<'_>]) -> Sql {
    use run_event::entity::Column as EventColumn;
    use step::entity::Column as StepColumn;
    let mut sql = Sql::default();
    let mut text = format!("WITH held AS ({})", run::held::save(&mut sql, moves.iter().map(|it| it.run), true));
    let events: Vec<_> = moves.iter().flat_map(|it| it.events).map(run_event::active).collect();
    if !events.is_empty() {
        text += &format!(", told AS ({})", insert::<_, EventColumn>(&mut sql, "run_event", &events));
    }
    let steps: Vec<_> = moves.iter().flat_map(|it| it.steps).map(step::active).collect();
    if !steps.is_empty() {
        let changed: Vec<String> = step::CHANGING.iter().map(|it| format!("{0} = excluded.{0}", it.as_str())).collect();
        let insert = insert::<_, StepColumn>(&mut sql, "step", &steps);
        text += &format!(", done AS ({insert} ON CONFLICT (run_id, position) DO UPDATE SET {})", changed.join(", "));
    }
    sql.text = text + " SELECT id FROM held";
    sql
}

/// The rows of those runs that are `held`; the first column of a table of the journal is the run.
fn insert<A, C>(sql: &mut Sql, table: &str, rows: &[A]) -> String
where
    A: ActiveModelTrait,
    A::Entity: sea_orm::EntityTrait<Column = C>,
    C: ColumnTrait + Iterable,
{
    let columns: Vec<&str> = C::iter().map(|column| column.as_str()).collect();
    let rows: Vec<String> = rows.iter().map(|row| format!("({})", values::<A, C>(sql, row))).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("v.column{place}")).collect();
    format!(
        "INSERT INTO {table} ({}) SELECT {} FROM (VALUES {}) AS v WHERE v.column1 IN (SELECT id FROM held)",
        columns.join(", "),
        places.join(", "),
        rows.join(", ")
    )
}

fn values<A, C>(sql: &mut Sql, row: &A) -> String
where
    A: ActiveModelTrait,
    A::Entity: sea_orm::EntityTrait<Column = C>,
    C: ColumnTrait + Iterable,
{
    let value = |column: C| {
        let place = row.get(column).into_value().map_or_else(|| "NULL".to_owned(), |value| sql.bind(value));
        format!("CAST({place} AS {})", kind(column.def().get_column_type()))
    };
    C::iter().map(value).collect::<Vec<_>>().join(", ")
}

/// What PostgreSQL calls the type of a column: values in a list bear none of their own.
fn kind(column: &ColumnType) -> &'static str {
    match column {
        ColumnType::Uuid => "uuid",
        ColumnType::Integer => "integer",
        ColumnType::BigInteger => "bigint",
        ColumnType::Boolean => "boolean",
        ColumnType::Json => "json",
        ColumnType::TimestampWithTimeZone => "timestamptz",
        _ => "text",
    }
}
