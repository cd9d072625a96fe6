//! Projects, and what they may use.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::quota::{QuotaAfter, Usage};
use domain::ids::ProjectId;
use domain::project::Project;
use domain::token::TokenScope;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::caller::Caller;
use super::endpoint::Endpoint;

/// A project.
#[derive(Serialize, ToSchema)]
pub struct ProjectReference {
    id: String,
    organisation: String,
    name: String,
    title: String,
}

/// The projects that the caller may see.
#[derive(Serialize, ToSchema)]
pub struct Projects {
    items: Vec<ProjectReference>,
}

/// What a project may use, and what it uses.
#[derive(Serialize, ToSchema)]
pub struct ProjectQuota {
    project: ProjectReference,
    items: Vec<QuotaUsage>,
}

/// One kind of what a project may use.
#[derive(Serialize, ToSchema)]
pub struct QuotaUsage {
    /// `machines`, `cpu`, `memory_gb`, `disk_gb` or `containers`.
    kind: String,
    title: String,
    /// By what stands and what was promised.
    used: i64,
    /// Null without limit.
    limit: Option<i64>,
}

/// What an order makes of one kind of a project's quota.
#[derive(Serialize, ToSchema)]
pub struct QuotaChange {
    kind: String,
    title: String,
    before: i64,
    after: i64,
    /// Null without limit.
    limit: Option<i64>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/projects", index)
            .is("Projects", "The projects that the caller may see")
            .needs(TokenScope::Read)
            .gives::<Projects>(),
        Endpoint::get("/projects/{id}/quota", quota)
            .is("Projects", "What a project may use, and what it uses")
            .needs(TokenScope::Read)
            .gives::<ProjectQuota>(),
    ]
}

async fn index(house: Data<App>, caller: Caller) -> Reply {
    let projects = app::project::list(&house, caller.may(TokenScope::Read)?).await?;
    Ok(HttpResponse::Ok().json(Projects { items: projects.into_iter().map(ProjectReference::from).collect() }))
}

async fn quota(house: Data<App>, caller: Caller, id: Path<ProjectId>) -> Reply {
    let (project, usage) = app::quota::of_project(&house, caller.may(TokenScope::Read)?, *id).await?;
    let items = usage.into_iter().map(QuotaUsage::from).collect();
    Ok(HttpResponse::Ok().json(ProjectQuota { project: project.into(), items }))
}

impl From<Project> for ProjectReference {
    fn from(project: Project) -> Self {
        Self {
            id: project.id.to_string(),
            organisation: project.organisation_name,
            name: project.name,
            title: project.title,
        }
    }
}

impl From<Usage> for QuotaUsage {
    fn from(usage: Usage) -> Self {
        let Usage { kind, title, used, limit } = usage;
        Self { kind: kind.to_owned(), title: title.to_owned(), used, limit }
    }
}

impl From<QuotaAfter> for QuotaChange {
    fn from(line: QuotaAfter) -> Self {
        let QuotaAfter { kind, title, before, after, limit } = line;
        Self { kind, title, before, after, limit }
    }
}
