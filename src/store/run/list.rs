//! Runs as lists show them, without what they pinned.

use chrono::{DateTime, Utc};
use domain::ids::{DeploymentId, ProjectId, RequestId, RunId};
use domain::person::Scope;
use domain::reading::Reading;
use domain::run::{RunKind, RunState};
use sea_orm::{DbErr, FromQueryResult, QuerySelect, Select};

use super::entity::{Column, Entity};
use super::{kind, state};
use crate::Reads;
use crate::page::{Counted, Listing, Part, Table, Window};

const TABLE: Table = Table {
    name: "run",
    tie: "id",
    columns: "t.id, t.deployment_id, t.project_id, t.request_id, t.kind, t.title, t.blueprint, t.state, t.why, \
              t.worker, t.platform, t.created_at, t.started_at, t.ended_at, t.paused_at",
};

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    pub id: RunId,
    pub deployment: DeploymentId,
    pub project: ProjectId,
    pub request: Option<RequestId>,
    pub kind: RunKind,
    pub title: String,
    pub blueprint: String,
    pub state: RunState,
    pub why: Option<String>,
    pub worker: Option<String>,
    /// The group that answers for the platform.
    pub platform: String,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Since when it needs a person.
    pub paused_at: Option<DateTime<Utc>>,
}

impl RunSummary {
    /// How it reads.
    pub const fn reads(&self) -> Reading {
        self.state.reads(self.kind)
    }
}

/// Which runs a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the title, in any case.
    pub text: String,
    /// None: all.
    pub states: Vec<RunState>,
    pub kind: Option<RunKind>,
    pub project: Option<ProjectId>,
}

/// By what a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    #[default]
    Created,
    Title,
    State,
}

/// A part of the runs within the scope.
pub async fn list(
    on: &impl Reads,
    scope: &Scope,
    filter: &Filter,
    window: Window<SortBy, RunId>,
) -> Result<Part<RunSummary>, DbErr> {
    let column = match window.sort {
        SortBy::Created => "created_at",
        SortBy::Title => "title",
        SortBy::State => "state",
    };
    listing(scope, filter).part(on, column, window).await?.try_map(summary)
}

/// How many runs the filter leaves.
pub async fn count(on: &impl Reads, scope: &Scope, filter: &Filter) -> Result<Counted, DbErr> {
    listing(scope, filter).count(on).await
}

fn listing(scope: &Scope, filter: &Filter) -> Listing {
    let mut all = Listing::new(TABLE, scope, filter.project);
    if !filter.states.is_empty() {
        all.ask(|sql| format!("state IN ({})", sql.bind_all(filter.states.iter().map(|state| state.word()))));
    }
    if let Some(kind) = filter.kind {
        all.ask(|sql| format!("kind = {}", sql.bind(kind.word())));
    }
    if !filter.text.is_empty() {
        all.ask(|sql| sql.contains(&["title"], &filter.text));
    }
    all
}

/// These runs, without what they pinned.
pub(super) async fn summaries(rows: Select<Entity>, on: &impl Reads) -> Result<Vec<RunSummary>, DbErr> {
    let columns = [
        Column::Id,
        Column::DeploymentId,
        Column::ProjectId,
        Column::RequestId,
        Column::Kind,
        Column::Title,
        Column::Blueprint,
        Column::State,
        Column::Why,
        Column::Worker,
        Column::Platform,
        Column::CreatedAt,
        Column::StartedAt,
        Column::EndedAt,
        Column::PausedAt,
    ];
    let rows: Vec<SummaryRow> = rows.select_only().columns(columns).into_model().all(on.db()).await?;
    rows.into_iter().map(summary).collect()
}

#[derive(FromQueryResult)]
struct SummaryRow {
    id: uuid::Uuid,
    deployment_id: uuid::Uuid,
    project_id: uuid::Uuid,
    request_id: Option<uuid::Uuid>,
    kind: String,
    title: String,
    blueprint: String,
    state: String,
    why: Option<String>,
    worker: Option<String>,
    platform: String,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    paused_at: Option<DateTime<Utc>>,
}

fn summary(row: SummaryRow) -> Result<RunSummary, DbErr> {
    Ok(RunSummary {
        kind: kind(&row.kind, row.id)?,
        state: state(&row.state, row.id)?,
        id: row.id.into(),
        deployment: row.deployment_id.into(),
        project: row.project_id.into(),
        request: row.request_id.map(Into::into),
        title: row.title,
        blueprint: row.blueprint,
        why: row.why,
        worker: row.worker,
        platform: row.platform,
        created_at: row.created_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
        paused_at: row.paused_at,
    })
}
