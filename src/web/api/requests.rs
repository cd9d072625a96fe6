//! Ordering, and looking at what was ordered.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::idempotency::Sent;
use app::request::{self, Filter, Listed, Order, SortBy, What};
use chrono::{DateTime, Utc};
use domain::blueprint::Period;
use domain::ids::{ProjectId, RequestId};
use domain::request::{Request, number};
use domain::token::TokenScope;
use domain::trouble::{FieldError, Trouble};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body::{Body, inside};
use super::caller::{Caller, VIA};
use super::created;
use super::openapi::ProblemDetails;
use super::paging::{Page, Paging};
use crate::problem::Problem;

/// A request: an order for a blueprint, or for an action on a deployment.
#[derive(Serialize, ToSchema)]
pub struct RequestDetails {
    id: String,
    /// What people call it, `R-12`.
    number: String,
    /// `provision`, `action`, `retire` or `prolong`.
    kind: String,
    title: String,
    blueprint: String,
    version: String,
    action: Option<String>,
    project: String,
    deployment: String,
    #[schema(value_type = Object)]
    parameters: Value,
    reason: String,
    /// `awaiting_approval`, `approved`, `rejected`, `withdrawn`, `expired`, `running`, `fulfilled` or `failed`.
    state: String,
    /// Why it ended as it did.
    outcome: Option<String>,
    /// Its run, once there is one.
    run: Option<String>,
    /// Euros a month once it is done.
    monthly: Option<f64>,
    submitted_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// Whom it waits for.
    waits_for: Vec<String>,
}

/// What is ordered.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewRequest {
    /// The project's id.
    project: String,
    /// The blueprint's name.
    blueprint: String,
    /// Refused unless this version is what the catalog offers.
    version: Option<String>,
    /// By the blueprint's schema; what is absent takes its default.
    #[schema(value_type = Object)]
    parameters: Option<Value>,
    lease_days: Option<u32>,
    /// Why it is wanted, for the approvers.
    reason: Option<String>,
}

/// The requests that the caller may see, oldest first
#[utoipa::path(get, path = "/api/v1/requests", tag = "Requests", params(Paging), responses(
    (status = 200, body = Page<RequestDetails>),
    (status = 422, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn index(
    house: Data<App>,
    caller: Caller,
    paging: Query<Paging>,
    asked: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let part = paging.part()?;
    let window = part.window(SortBy::Number)?;
    let found = request::list(&house, caller.may(TokenScope::Read)?, &Filter::default(), window).await?.part;
    Ok(part.of(&asked, found, |listed| listed.request.id, RequestDetails::from))
}

/// A request
#[utoipa::path(get, path = "/api/v1/requests/{id}", tag = "Requests",
    params(("id" = String, Path, description = "Its id")), responses(
    (status = 200, body = RequestDetails),
    (status = 404, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn show(house: Data<App>, caller: Caller, id: Path<RequestId>) -> Result<HttpResponse, Problem> {
    let page = request::show(&house, caller.may(TokenScope::Read)?, *id).await?;
    let open = page.asked.iter().filter(|asking| asking.approval.decision.is_none());
    let waits_for = open.map(|asking| asking.approver.name.clone()).collect();
    Ok(HttpResponse::Ok().json(RequestDetails::of(page.request, waits_for)))
}

/// Order a blueprint
#[utoipa::path(post, path = "/api/v1/requests", tag = "Requests", request_body = NewRequest,
    params(("Idempotency-Key" = String, Header, description = "8 to 200 letters; the same key orders once")),
    responses(
    (status = 201, body = RequestDetails),
    (status = 409, body = ProblemDetails, content_type = "application/problem+json"),
    (status = 422, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn submit(house: Data<App>, caller: Caller, asked: HttpRequest, body: Body) -> Result<HttpResponse, Problem> {
    let who = caller.may(TokenScope::Order)?;
    let order = order(body, idempotency_key(&asked)?)?;
    let filed = request::submit(&house, who, order).await.map_err(inside("parameters"))?;
    Ok(created(format!("/requests/{}", filed.id), &RequestDetails::of(filed, Vec::new())))
}

/// Take a request back
#[utoipa::path(post, path = "/api/v1/requests/{id}/withdraw", tag = "Requests",
    params(("id" = String, Path, description = "Its id")), responses(
    (status = 200, body = RequestDetails),
    (status = 404, body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn withdraw(house: Data<App>, caller: Caller, id: Path<RequestId>) -> Result<HttpResponse, Problem> {
    let withdrawn =
        request::withdraw(&house, caller.may(TokenScope::Order)?, *id, &Sent { via: VIA, once: None }).await?;
    Ok(HttpResponse::Ok().json(RequestDetails::of(withdrawn, Vec::new())))
}

/// The header with which a program that tries again orders once.
pub fn idempotency_key(request: &HttpRequest) -> Result<String, Problem> {
    let key = request.headers().get("Idempotency-Key").and_then(|key| key.to_str().ok());
    key.map(str::to_owned).ok_or_else(|| {
        let message = "Send a header `Idempotency-Key` that is new for each order, so that trying again orders once.";
        Problem(Trouble::invalid(vec![FieldError { field: "Idempotency-Key".into(), message: message.into() }]))
    })
}

fn order(mut body: Body, key: String) -> Result<Order, Problem> {
    let project = body.required::<ProjectId>("project");
    let blueprint = body.required::<String>("blueprint");
    let version = body.optional("version");
    let parameters = body.optional::<Map<String, Value>>("parameters").unwrap_or_default();
    let lease = body.optional::<u32>("lease_days").map(Period::of_days);
    let reason = body.optional("reason").unwrap_or_default();
    let (project, blueprint) = body.finish(project.zip(blueprint))?;
    let what = What::Provision { project, blueprint, version, parameters, lease };
    Ok(Order { what, reason, via: VIA, key })
}

impl From<Listed> for RequestDetails {
    fn from(listed: Listed) -> Self {
        Self::of(listed.request, listed.waits_for)
    }
}

impl RequestDetails {
    pub fn of(request: Request, waits_for: Vec<String>) -> Self {
        Self {
            id: request.id.to_string(),
            number: number(request.number),
            kind: request.kind.word().to_owned(),
            title: request.title,
            blueprint: request.blueprint,
            version: request.version,
            action: request.action,
            project: request.project.to_string(),
            deployment: request.deployment.to_string(),
            parameters: Value::Object(request.parameters),
            reason: request.reason,
            state: request.state.word().to_owned(),
            outcome: request.outcome,
            run: request.run.map(|run| run.to_string()),
            monthly: request.plan.map(|plan| plan.monthly.euros()),
            submitted_at: request.submitted_at,
            decided_at: request.decided_at,
            ended_at: request.ended_at,
            waits_for,
        }
    }
}
