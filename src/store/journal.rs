//! The journal of runs: what the moves of many runs come to, written in one go. PostgreSQL gets one statement for all of
//! it, since each that is waited for costs more than what it does; SQLite, which is not waited for, one for each table.

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::ids::RunId;
use domain::run::{Run, RunEvent};
use domain::step::Step;
use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, IdenStatic, Iterable, Value,
};

use crate::connect::is_lost;
use crate::job::{self, NewJob};
use crate::records::{self, Column};
use crate::sql::Sql;
use crate::tx::sealed::Connection;
use crate::{Store, Tx, run, run_event, step};

/// One move of a run.
pub struct Move<'m> {
    /// As its worker knows it now.
    pub run: &'m Run,
    pub events: &'m [RunEvent],
    /// The steps that changed.
    pub steps: &'m [Step],
}

/// Writes a new run with the first line of its journal, and its job.
pub async fn open(tx: &Tx, run: &Run, queued: &RunEvent, job: NewJob<'_>) -> Result<(), DbErr> {
    if tx.db().get_database_backend() == DbBackend::Postgres {
        return opening(run, queued, job)?.execute(tx).await.map(drop);
    }
    run::insert(tx, run).await?;
    run_event::append(tx, &[queued]).await?;
    job::insert(tx, job).await
}

/// The same in one statement of PostgreSQL.
fn opening(run: &Run, queued: &RunEvent, job: NewJob<'_>) -> Result<Sql, DbErr> {
    let mut sql = Sql::default();
    let (run, pinned) = (sql.insert(run::active(run)), sql.insert(run::pinned::active(run)?));
    let told = sql.insert(run_event::active(queued, &[])?);
    let job = job::insertion(&mut sql, DbBackend::Postgres, job);
    sql.text = format!("WITH opened AS ({run}), pinned AS ({pinned}), told AS ({told}) {job}");
    Ok(sql)
}

/// Writes moves, no two of one run. Answers the runs whose moves were written: nothing is of those that another worker
/// took, or that somebody changed since the worker read them.
pub async fn write(tx: &Tx, moves: &[Move<'_>]) -> Result<HashSet<RunId>, DbErr> {
    if moves.is_empty() {
        return Ok(HashSet::new());
    }
    if tx.db().get_database_backend() == DbBackend::Postgres {
        return written(in_one(moves)?, tx.db()).await;
    }
    let mut saved = Sql::default();
    saved.text = run::held::save_each(&mut saved, moves.iter().map(|it| it.run));
    let held = written(saved, tx.db()).await?;
    let moves = || moves.iter().filter(|it| held.contains(&it.run.id));
    run_event::append(tx, &moves().flat_map(|it| it.events).collect::<Vec<_>>()).await?;
    step::save(tx, &moves().flat_map(|it| it.steps).collect::<Vec<_>>()).await?;
    Ok(held)
}

impl Store {
    /// Writes moves with which nothing else has to commit.
    pub async fn write_moves(&self, moves: &[Move<'_>]) -> Result<HashSet<RunId>, DbErr> {
        if self.is_unfenced_server() {
            let in_one = in_one(moves)?;
            test_boundary::pass("before a commit");
            match written(in_one, self.steps()).await {
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

async fn written(sql: Sql, on: &impl ConnectionTrait) -> Result<HashSet<RunId>, DbErr> {
    Ok(sql.ids(on).await?.into_iter().map(RunId).collect())
}

/// All of it in one statement of PostgreSQL, which answers the runs that still were as their workers know them.
fn in_one(moves: &[Move<'_>]) -> Result<Sql, DbErr> {
    let runs = records::records(&run::held::COLUMNS, moves.iter().map(|it| run::held::row(it.run)))?;
    let events = run_event::rows(moves.iter().flat_map(|it| it.events))?.into_iter().map(values);
    let steps = moves.iter().flat_map(|it| it.steps).map(|step| values(step::active(step)));
    let mut sql = Sql::default();
    sql.bind(runs);
    sql.bind(records::records(&IN_ONE.events, events)?);
    sql.bind(records::records(&IN_ONE.steps, steps)?);
    sql.text.clone_from(&IN_ONE.text);
    Ok(sql)
}

static IN_ONE: LazyLock<InOne> = LazyLock::new(InOne::new);

/// That statement, with the columns of what is inserted.
struct InOne {
    events: Vec<Column>,
    steps: Vec<Column>,
    text: String,
}

impl InOne {
    fn new() -> Self {
        let (events, steps) = (columns::<run_event::entity::Column>(), columns::<step::entity::Column>());
        let runs = records::source(1, &run::held::COLUMNS);
        let held = run::held::save(&runs, |at| records::value(&run::held::COLUMNS[at]));
        let told = insert("run_event", &records::source(2, &events), &events);
        let moved = format!("SELECT * FROM {} WHERE v.run_id IN (SELECT id FROM held)", records::source(3, &steps));
        let text = format!(
            "WITH held AS ({held}), told AS ({told} WHERE v.run_id IN (SELECT id FROM held)), \
             moved AS MATERIALIZED ({moved}), changed AS ({}), begun AS ({} WHERE NOT EXISTS \
             (SELECT FROM changed c WHERE c.run_id = v.run_id AND c.position = v.position)) SELECT id FROM held",
            change_steps(&steps),
            insert("step", "moved v", &steps)
        );
        Self { events, steps, text }
    }
}

/// Writes those of the steps that `moved` which have a row. To insert each and change it upon a conflict would take the
/// database three to four records in its log for each, rather than one or two.
fn change_steps(columns: &[Column]) -> String {
    let changing = |name: &str| step::CHANGING.iter().any(|it| it.as_str() == name);
    let changed = columns.iter().filter(|(name, _)| changing(name));
    let changed: Vec<String> = changed.map(|it| format!("{} = {}", it.0, records::value(it))).collect();
    format!(
        "UPDATE step SET {} FROM moved v WHERE step.run_id = v.run_id AND step.position = v.position \
         RETURNING step.run_id, step.position",
        changed.join(", ")
    )
}

/// Inserts rows.
fn insert(table: &str, source: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = columns.iter().map(records::value).collect();
    format!("INSERT INTO {table} ({}) SELECT {} FROM {source}", names.join(", "), values.join(", "))
}

fn columns<C: ColumnTrait + Iterable>() -> Vec<Column> {
    C::iter().map(|column| (column.as_str(), kind(column.def().get_column_type()))).collect()
}

fn values<A: ActiveModelTrait>(row: A) -> Vec<Value> {
    let columns = <<A::Entity as EntityTrait>::Column as Iterable>::iter();
    columns.map(|column| row.get(column).into_value().unwrap_or(Value::Bool(None))).collect()
}

/// What PostgreSQL calls the type of a column.
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
