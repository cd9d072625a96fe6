//! The caller's own questions, and deciding them.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::approval::{self, Decider};
use chrono::{DateTime, Utc};
use domain::approval::{Answer, Approval, Via};
use domain::ids::ApprovalId;
use domain::request::{Request, number};
use domain::token::TokenScope;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::caller::Caller;
use super::openapi::ProblemDetails;
use super::requests::RequestDetails;
use crate::pages::approvals::client;
use crate::problem::Problem;

/// A question to the caller.
#[derive(Serialize, ToSchema)]
pub struct ApprovalDetails {
    id: String,
    /// `open`, `approved`, `rejected`, `moot`, `revoked` or `expired`.
    state: String,
    level: i32,
    opened_at: DateTime<Utc>,
    /// The id of the request it is about.
    request: String,
    /// What people call the request, `R-12`.
    number: String,
    title: String,
}

/// The caller's questions.
#[derive(Serialize, ToSchema)]
pub struct Approvals {
    /// Those that wait for a decision, and the newest of those that do not.
    items: Vec<ApprovalDetails>,
}

/// A decision.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewDecision {
    /// `approve` or `reject`.
    decision: String,
    /// Needed to reject.
    reason: Option<String>,
}

/// What waits for the caller's decision
#[utoipa::path(get, path = "/api/v1/approvals", tag = "Approvals", responses((status = 200, body = Approvals)))]
pub async fn index(house: Data<App>, caller: Caller) -> Result<HttpResponse, Problem> {
    let inbox = approval::inbox(&house, caller.may(TokenScope::Read)?).await?;
    let all = inbox.open.into_iter().chain(inbox.closed);
    Ok(HttpResponse::Ok().json(Approvals { items: all.map(ApprovalDetails::from).collect() }))
}

/// Decide
#[utoipa::path(post, path = "/api/v1/approvals/{id}/decision", tag = "Approvals", request_body = NewDecision,
    params(("id" = String, Path, description = "The question's id")), responses(
    (status = 200, body = RequestDetails),
    (status = 404, body = ProblemDetails, content_type = "application/problem+json"),
    (status = 409, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn decide(
    house: Data<App>,
    caller: Caller,
    id: Path<ApprovalId>,
    asked: HttpRequest,
    mut body: Body,
) -> Result<HttpResponse, Problem> {
    let who = caller.may(TokenScope::Decide)?;
    let answer = body.required::<Answer>("decision");
    let reason = body.optional::<String>("reason").unwrap_or_default();
    let answer = body.finish(answer)?;
    let decider = Decider::Person { who, approval: *id, via: Via::Api, once: None };
    let decided = approval::decide(&house, decider, answer, &reason, client(&asked)).await?;
    Ok(HttpResponse::Ok().json(RequestDetails::of(decided.request, Vec::new())))
}

impl From<(Approval, Request)> for ApprovalDetails {
    fn from((approval, request): (Approval, Request)) -> Self {
        Self {
            id: approval.id.to_string(),
            state: approval.state.word().to_owned(),
            level: approval.level,
            opened_at: approval.opened_at,
            request: request.id.to_string(),
            number: number(request.number),
            title: request.title,
        }
    }
}
