//! The steps of runs.

use std::collections::{BTreeMap, HashMap};

use domain::ids::{DeploymentId, RunId};
use domain::step::{Place, Step, StepState};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait,
    Set,
};

use crate::tx::sealed::Connection;
use crate::{Reads, Tx};

pub(crate) mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "step")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub run_id: Uuid,
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

/// Writes steps as they now are, new ones and changed ones alike, in one statement.
pub async fn save(tx: &Tx, steps: &[&Step]) -> Result<(), DbErr> {
    if steps.is_empty() {
        return Ok(());
    }
    let changing = [
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
    Entity::insert_many(steps.iter().map(|step| active(step)))
        .on_conflict(OnConflict::column(Column::Id).update_columns(changing).to_owned())
        .exec_without_returning(tx.db())
        .await?;
    Ok(())
}

/// The steps of a run, in the order of its workflow.
pub async fn of_run(on: &impl Reads, run: RunId) -> Result<Vec<Step>, DbErr> {
    let rows = Entity::find().filter(Column::RunId.eq(run.0)).order_by_asc(Column::Position).all(on.db()).await?;
    rows.into_iter().map(step).collect()
}

/// The steps of all runs of a deployment, by run and in the order of the workflow.
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
        .column_as(Column::Id.count(), "count")
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

/// How many steps of a run are behind it, and of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub behind: usize,
    pub of: usize,
}

#[derive(FromQueryResult)]
struct Count {
    run_id: uuid::Uuid,
    state: String,
    count: i64,
}

/// The progress of several runs, in one statement.
pub async fn progress(on: &impl Reads, runs: &[RunId]) -> Result<HashMap<RunId, Progress>, DbErr> {
    let counts = Entity::find()
        .select_only()
        .column(Column::RunId)
        .column(Column::State)
        .column_as(Column::Id.count(), "count")
        .filter(Column::RunId.is_in(runs.iter().map(|run| run.0)))
        .group_by(Column::RunId)
        .group_by(Column::State)
        .into_model::<Count>()
        .all(on.db())
        .await?;
    let mut progress = HashMap::<RunId, Progress>::new();
    for count in counts {
        let entry = progress.entry(count.run_id.into()).or_default();
        let steps = usize::try_from(count.count).unwrap_or_default();
        entry.of += steps;
        if StepState::from_word(&count.state).is_some_and(StepState::lets_others_go_on) {
            entry.behind += steps;
        }
    }
    Ok(progress)
}

fn active(step: &Step) -> ActiveModel {
    ActiveModel {
        id: Set(step.id.0),
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
        state: StepState::from_word(&row.state)
            .ok_or_else(|| DbErr::Type(format!("the step {} is in no known state: `{}`", row.id, row.state)))?,
        id: row.id.into(),
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
