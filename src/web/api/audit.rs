//! The CMDB audit report, the same as the page's file.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use app::App;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::Caller;
use super::openapi::ProblemDetails;
use crate::pages::audit_report::{Wanted, files};
use crate::problem::Problem;

/// What exists, who ordered and approved it, who answers for it, and what is wrong.
#[derive(Serialize, ToSchema)]
pub struct AuditReport {
    /// The SHA-256 over the content, how it is made, and what each figure and finding means.
    #[schema(value_type = Object)]
    about: Value,
    #[schema(value_type = Object)]
    figures: Value,
    /// Who answers for how many CIs.
    #[schema(value_type = Vec<Object>)]
    duties: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    container_hosts: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    containers: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    orders: Vec<Value>,
    /// Live objects that the CMDB does not know.
    #[schema(value_type = Vec<Object>)]
    unregistered: Vec<Value>,
    /// Every CI with its origin and its findings.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
}

/// The CMDB audit report
#[utoipa::path(get, path = "/api/v1/audit/report", tag = "CMDB",
    params(("as_of" = Option<String>, Query, description = "A day, `2026-11-22`; now without it")), responses(
    (status = 200, body = AuditReport),
    (status = 422, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn report(house: Data<App>, caller: Caller, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    let who = caller.may(TokenScope::Read)?.clone();
    files::answer_json(house, who, &wanted).await
}
