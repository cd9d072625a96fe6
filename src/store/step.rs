//! The steps of runs.

use std::collections::{BTreeMap, HashMap};

use domain::ids::{DeploymentId, RunId};
use domain::run::Run;
use domain::step::{Place, Step, StepState};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, Set};
use uuid::Uuid;

use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "step")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub run_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub position: i32,
        pub key: String,
        pub state: String,
        pub attempt: i32,
        pub failures: i32,
        pub input: Option<Json>,
        pub edited: bool,
        pub output: Option<Json>,
        pub remembered: Option<Json>,
        pub remembered_before: Option<Json>,
        pub wake_at: Option<DateTimeUtc>,
        pub waits_for: Option<String>,
        pub provider: Option<String>,
        pub queued_at: Option<DateTimeUtc>,
        pub why: Option<String>,
        pub advice: Option<String>,
        pub started_at: Option<DateTimeUtc>,
        pub ended_at: Option<DateTimeUtc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "crate::run::entity::Entity",
            from = "Column::RunId",
            to = "crate::run::entity::Column::Id"
        )]
        Run,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

use entity::{ActiveModel, Column, Entity, Model, Relation};

/// What changes of a step.
pub(crate) const CHANGING: [Column; 16] = [
    Column::State,
    Column::Attempt,
    Column::Failures,
    Column::Input,
    Column::Edited,
    Column::Output,
    Column::Remembered,
    Column::RememberedBefore,
    Column::WakeAt,
    Column::WaitsFor,
    Column::Provider,
    Column::QueuedAt,
    Column::Why,
    Column::Advice,
    Column::StartedAt,
    Column::EndedAt,
];

/// So many rows are written by one statement: each has its values, and SQLite takes 32,766 of them.
const AT_ONCE: usize = 1_000;

/// Writes steps as they now are, new ones and changed ones alike.
pub async fn save(tx: &Tx, steps: &[&Step]) -> Result<(), DbErr> {
    for some in steps.chunks(AT_ONCE) {
        save_some(tx, some).await?;
    }
    Ok(())
}

async fn save_some(tx: &Tx, steps: &[&Step]) -> Result<(), DbErr> {
    Entity::insert_many(steps.iter().map(|step| active(step)))
        .on_conflict(OnConflict::columns([Column::RunId, Column::Position]).update_columns(CHANGING).to_owned())
        .exec_without_returning(tx.db())
        .await?;
    Ok(())
}

/// The steps of a run, in the order of its workflow.
pub async fn of_run(on: &impl Reads, run: &Run) -> Result<Vec<Step>, DbErr> {
    let rows = Entity::find().filter(Column::RunId.eq(run.id.0)).all(on.db()).await?;
    whole(run, rows.into_iter().map(step).collect::<Result<_, _>>()?)
}

/// The steps of these runs, just taken, each in the order of its workflow, in one statement.
pub async fn of_runs(on: &impl Reads, runs: &[Run]) -> Result<HashMap<RunId, Vec<Step>>, DbErr> {
    // Nothing happens to a step before a worker has taken the run.
    let begun: Vec<Uuid> = runs.iter().filter(|run| run.token > 1).map(|run| run.id.0).collect();
    let rows = match begun.is_empty() {
        true => Vec::new(),
        false => Entity::find().filter(Column::RunId.is_in(begun)).all(on.db()).await?,
    };
    let mut rows = by_run(rows)?;
    runs.iter().map(|run| Ok((run.id, whole(run, rows.remove(&run.id).unwrap_or_default())?))).collect()
}

/// The steps of a run: those to which something happened, and the others as they were planned. A step gets its row when
/// it leaves the state in which all begin.
fn whole(run: &Run, written: Vec<Step>) -> Result<Vec<Step>, DbErr> {
    let planned = run.workflow.iter().enumerate();
    let mut steps: Vec<Step> =
        planned.map(|(position, step)| Step::new(run.id, position, step.planned.key.clone())).collect();
    for step in written {
        let place = steps.get_mut(step.position);
        let place = place.ok_or_else(|| DbErr::Type(format!("the run {} has no step {}", run.id, step.position)))?;
        *place = step;
    }
    Ok(steps)
}

/// The steps of all runs of a deployment to which something happened, by run and in the order of the workflow.
pub async fn of_deployment(on: &impl Reads, deployment: DeploymentId) -> Result<HashMap<RunId, Vec<Step>>, DbErr> {
    use crate::run::entity::Column as RunColumn;
    let rows = Entity::find()
        .join(JoinType::InnerJoin, Relation::Run.def())
        .filter(RunColumn::DeploymentId.eq(deployment.0))
        .order_by_asc(Column::Position)
        .all(on.db())
        .await?;
    by_run(rows)
}

/// The steps of these runs at which an operator has to look, in the order of their workflows, in one statement.
pub async fn failed_of_runs(on: &impl Reads, runs: &[RunId]) -> Result<HashMap<RunId, Vec<Step>>, DbErr> {
    let failed = [StepState::Failed.word(), StepState::UndoFailed.word()];
    let rows = Entity::find()
        .filter(Column::RunId.is_in(runs.iter().map(|run| run.0)))
        .filter(Column::State.is_in(failed))
        .order_by_asc(Column::Position)
        .all(on.db())
        .await?;
    by_run(rows)
}

/// How many steps wait for each provider that is away.
pub async fn waiting_for_providers(on: &impl Reads) -> Result<BTreeMap<String, u64>, DbErr> {
    let rows: Vec<(Option<String>, i64)> = Entity::find()
        .select_only()
        .column(Column::WaitsFor)
        .column_as(Column::Key.count(), "count")
        .filter(Column::WaitsFor.is_not_null())
        .group_by(Column::WaitsFor)
        .into_tuple()
        .all(on.db())
        .await?;
    Ok(rows.into_iter().filter_map(|(provider, count)| Some((provider?, count.unsigned_abs()))).collect())
}

fn by_run(rows: Vec<Model>) -> Result<HashMap<RunId, Vec<Step>>, DbErr> {
    let mut by_run: HashMap<RunId, Vec<Step>> = HashMap::new();
    for row in rows {
        let step = step(row)?;
        by_run.entry(step.run).or_default().push(step);
    }
    Ok(by_run)
}

pub(crate) fn active(step: &Step) -> ActiveModel {
    ActiveModel {
        run_id: Set(step.run.0),
        position: Set(i32::try_from(step.position).unwrap_or(i32::MAX)),
        key: Set(step.key.clone()),
        state: Set(step.state.word().to_owned()),
        attempt: Set(i32::try_from(step.attempt).unwrap_or(i32::MAX)),
        failures: Set(i32::try_from(step.failures).unwrap_or(i32::MAX)),
        input: Set(step.input.clone()),
        edited: Set(step.edited),
        output: Set(step.output.clone()),
        remembered: Set(step.remembered.clone()),
        remembered_before: Set(step.remembered_before.clone()),
        wake_at: Set(step.wake_at),
        waits_for: Set(step.waits_for.clone()),
        provider: Set(step.place.as_ref().map(|place| place.provider.clone())),
        queued_at: Set(step.place.as_ref().and_then(|place| place.waits_since)),
        why: Set(step.why.clone()),
        advice: Set(step.advice.clone()),
        started_at: Set(step.started_at),
        ended_at: Set(step.ended_at),
    }
}

fn step(row: Model) -> Result<Step, DbErr> {
    Ok(Step {
        state: StepState::from_word(&row.state).ok_or_else(|| {
            DbErr::Type(format!("the step {} of run {} is in no known state: `{}`", row.key, row.run_id, row.state))
        })?,
        run: row.run_id.into(),
        position: usize::try_from(row.position).unwrap_or_default(),
        key: row.key,
        attempt: u32::try_from(row.attempt).unwrap_or_default(),
        failures: u32::try_from(row.failures).unwrap_or_default(),
        input: row.input,
        edited: row.edited,
        output: row.output,
        remembered: row.remembered,
        remembered_before: row.remembered_before,
        wake_at: row.wake_at,
        waits_for: row.waits_for,
        place: row.provider.map(|provider| Place { provider, waits_since: row.queued_at }),
        why: row.why,
        advice: row.advice,
        started_at: row.started_at,
        ended_at: row.ended_at,
    })
}
