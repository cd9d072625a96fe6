//! What stands, and what may be done with it.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::deployment::{self, Details, Filter, Listed, SortBy};
use app::request::{self, Order, What};
use chrono::{DateTime, Utc};
use domain::deployment::{Deployment, DeploymentState};
use domain::ids::DeploymentId;
use domain::resource::Resource;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body::{Body, inside};
use super::caller::{Caller, VIA};
use super::created;
use super::openapi::ProblemDetails;
use super::paging::{Page, Paging};
use super::requests::{RequestDetails, idempotency_key};
use crate::problem::Problem;

/// What a fulfilled request left.
#[derive(Serialize, ToSchema)]
pub struct DeploymentEntry {
    id: String,
    name: String,
    /// The project's id.
    project: String,
    /// Who ordered it.
    owner: String,
    blueprint: String,
    version: String,
    #[schema(value_type = Object)]
    parameters: Value,
    /// `building`, `live`, `changing`, `retiring`, `retired` or `failed`.
    state: String,
    /// The group that answers for the platform.
    platform_responsible: String,
    /// The team that answers for the application.
    application_responsible: String,
    /// Euros a month at present.
    monthly: f64,
    lease_until: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

/// A deployment with its parts.
#[derive(Serialize, ToSchema)]
pub struct DeploymentDetails {
    #[serde(flatten)]
    deployment: DeploymentEntry,
    /// Euros so far.
    cost_so_far: f64,
    resources: Vec<ResourceDetails>,
    /// Newest first.
    runs: Vec<String>,
}

/// An object on an outside system, as the ledger has it.
#[derive(Serialize, ToSchema)]
pub struct ResourceDetails {
    /// The idempotency key, which is stored on the object as well.
    key: String,
    /// `machine`, `name`, `pool`, `space`, `configuration`.
    kind: String,
    provider: String,
    name: String,
    /// `intended`, `live` or `gone`.
    #[schema(value_type = String)]
    state: Value,
}

/// What is to be done with a deployment.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewAction {
    /// By the action's schema; what is absent takes its default.
    #[schema(value_type = Object)]
    parameters: Option<Value>,
    reason: Option<String>,
}

/// Why a deployment is to go.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewRetirement {
    reason: Option<String>,
}

/// The deployments that the caller may see, oldest first
#[utoipa::path(get, path = "/api/v1/deployments", tag = "Deployments", params(Paging), responses(
    (status = 200, body = Page<DeploymentEntry>),
))]
pub async fn index(
    house: Data<App>,
    caller: Caller,
    paging: Query<Paging>,
    asked: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let part = paging.part()?;
    let window = part.window(SortBy::Created)?;
    let everything = Filter { states: DeploymentState::ALL.to_vec(), ..Filter::default() };
    let found = deployment::list(&house, caller.may(TokenScope::Read)?, &everything, window).await?.part;
    Ok(part.of(&asked, found, |listed| listed.deployment.id, DeploymentEntry::from))
}

/// A deployment
#[utoipa::path(get, path = "/api/v1/deployments/{id}", tag = "Deployments",
    params(("id" = String, Path, description = "Its id")), responses(
    (status = 200, body = DeploymentDetails),
    (status = 404, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn show(house: Data<App>, caller: Caller, id: Path<DeploymentId>) -> Result<HttpResponse, Problem> {
    let details = deployment::show(&house, caller.may(TokenScope::Read)?, *id).await?;
    Ok(HttpResponse::Ok().json(DeploymentDetails::from(details)))
}

/// Do something with a deployment
#[utoipa::path(post, path = "/api/v1/deployments/{id}/actions/{action}", tag = "Deployments", request_body = NewAction,
    params(
        ("id" = String, Path, description = "The deployment's id"),
        ("action" = String, Path, description = "The action's name, `scale`"),
        ("Idempotency-Key" = String, Header, description = "8 to 200 letters; the same key orders once"),
    ), responses(
    (status = 201, body = RequestDetails),
    (status = 404, body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, body = ProblemDetails, content_type = "application/problem+json"),
    (status = 422, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn act(
    house: Data<App>,
    caller: Caller,
    place: Path<(DeploymentId, String)>,
    asked: HttpRequest,
    mut body: Body,
) -> Result<HttpResponse, Problem> {
    let (deployment, action) = place.into_inner();
    let parameters = body.optional::<Map<String, Value>>("parameters").unwrap_or_default();
    file(&house, &caller, &asked, body, What::Action { deployment, action, parameters, seen: None }).await
}

/// Take a deployment down
#[utoipa::path(post, path = "/api/v1/deployments/{id}/retire", tag = "Deployments", request_body = NewRetirement,
    params(
        ("id" = String, Path, description = "The deployment's id"),
        ("Idempotency-Key" = String, Header, description = "8 to 200 letters; the same key orders once"),
    ), responses(
    (status = 201, body = RequestDetails),
    (status = 404, body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn retire(
    house: Data<App>,
    caller: Caller,
    id: Path<DeploymentId>,
    asked: HttpRequest,
    body: Body,
) -> Result<HttpResponse, Problem> {
    file(&house, &caller, &asked, body, What::Retire { deployment: *id }).await
}

async fn file(
    house: &App,
    caller: &Caller,
    asked: &HttpRequest,
    mut body: Body,
    what: What,
) -> Result<HttpResponse, Problem> {
    let who = caller.may(TokenScope::Order)?;
    let reason = body.optional("reason").unwrap_or_default();
    let order = body.finish(Some(Order { what, reason, via: VIA, key: idempotency_key(asked)? }))?;
    let filed = request::submit(house, who, order).await.map_err(inside("parameters"))?;
    Ok(created(format!("/requests/{}", filed.id), &RequestDetails::of(filed, Vec::new())))
}

impl From<Listed> for DeploymentEntry {
    fn from(listed: Listed) -> Self {
        Self::of(listed.deployment, listed.owner, listed.monthly.euros())
    }
}

impl DeploymentEntry {
    fn of(deployment: Deployment, owner: String, monthly: f64) -> Self {
        Self {
            id: deployment.id.to_string(),
            name: deployment.name,
            project: deployment.project.to_string(),
            owner,
            blueprint: deployment.blueprint,
            version: deployment.version,
            parameters: Value::Object(deployment.params),
            state: deployment.state.word().to_owned(),
            platform_responsible: deployment.platform,
            application_responsible: deployment.application,
            monthly,
            lease_until: deployment.lease.until,
            created_at: deployment.created_at,
        }
    }
}

impl From<Details> for DeploymentDetails {
    fn from(details: Details) -> Self {
        Self {
            cost_so_far: details.so_far.euros(),
            resources: details.resources.into_iter().map(ResourceDetails::from).collect(),
            runs: details.runs.iter().map(|run| run.id.to_string()).collect(),
            deployment: DeploymentEntry::of(details.deployment, details.owner, details.monthly.euros()),
        }
    }
}

impl From<Resource> for ResourceDetails {
    fn from(resource: Resource) -> Self {
        Self {
            key: resource.key,
            kind: resource.kind,
            provider: resource.provider,
            name: resource.name,
            state: serde_json::json!(resource.state),
        }
    }
}
