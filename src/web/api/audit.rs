//! The CMDB audit report, the same as the page's file.

use actix_web::web::Data;
use app::App;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::fields::Query;
use super::kinds::Instant;
use crate::pages::audit_report::files;

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
    /// When the machines of each site were last looked at, and since when and why they can't be.
    #[schema(value_type = Vec<Object>)]
    sites: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    orders: Vec<Value>,
    /// What changed since the last report was filed, or in the last 30 days, with the newest changes, the request, the
    /// approvers and the run behind each.
    #[schema(value_type = Object)]
    changes: Value,
    /// CIs and things for a spot check, drawn by its seed; nothing in a report of an earlier day.
    #[schema(value_type = Option<Object>)]
    sample: Value,
    /// Live objects that the CMDB does not know.
    #[schema(value_type = Vec<Object>)]
    unregistered: Vec<Value>,
    /// Every CI with its origin and its findings.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Value>,
}

/// Of which day the report is.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the address, which is read field by field")]
pub struct AsOf {
    /// A day, `2026-11-22`, which means its end, or an instant of RFC 3339; now without it.
    as_of: Option<String>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    let report = Endpoint::get("/audit/report", report).is("CMDB", "The CMDB audit report");
    vec![report.needs(TokenScope::Read).asks::<AsOf>().gives::<AuditReport>()]
}

async fn report(house: Data<App>, caller: Caller, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?.clone();
    let as_of = query.optional::<Instant>("as_of").map(|Instant(at)| at);
    let as_of = query.finish(Some(as_of))?;
    files::answer_json(house, who, as_of).await
}
