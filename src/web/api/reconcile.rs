//! Reconciles: what each looked at, what it added up to, what it changed, and what the brake held back.

use actix_web::HttpResponse;
use actix_web::web::Data;
use app::App;
use app::reconcile;
use chrono::{DateTime, Utc};
use domain::reconcile::run::Run;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Reply;
use super::caller::{Caller, VIA};
use super::endpoint::Endpoint;
use super::fields::Body;

/// A reconcile of the ledger, the sources and the CMDB.
#[derive(Serialize, ToSchema)]
pub struct ReconcileDetails {
    id: String,
    asked_by: String,
    /// The process that carried it.
    process: String,
    /// `running`; `done`; `braked`, done but for what the brake holds back; `failed`; `interrupted`.
    state: &'static str,
    began_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    /// SHA-256 of the rules by which it judged.
    rules: String,
    /// What was looked at, the control totals by class, what is held back, and what changed among the findings; null
    /// before its end.
    #[schema(value_type = Option<Object>)]
    outcome: Option<Value>,
    /// Why it failed.
    why: Option<String>,
}

/// The latest reconciles, the newest first.
#[derive(Serialize, ToSchema)]
pub struct Reconciles {
    items: Vec<ReconcileDetails>,
}

/// A class of which what is held back may be found, and why.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewRelease {
    class: String,
    reason: String,
}

/// That as much of a class as was held back is let through.
#[derive(Serialize, ToSchema)]
pub struct ReleaseDetails {
    class: &'static str,
    would_vanish: u64,
    would_change: u64,
    released_by: String,
    reason: String,
    released_at: DateTime<Utc>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    let tag = "CMDB";
    vec![
        Endpoint::post("/reconcile", run)
            .is(tag, "Reconcile the ledger, the sources and the CMDB now")
            .needs(TokenScope::Operate)
            .happens_once()
            .gives::<ReconcileDetails>()
            .may(&[409]),
        Endpoint::get("/reconcile/runs", runs)
            .is(tag, "The latest reconciles, the newest first")
            .needs(TokenScope::Read)
            .gives::<Reconciles>(),
        Endpoint::post("/reconcile/release", release)
            .is(tag, "Let through what the brake holds back of a class; the next reconcile makes findings of it")
            .needs(TokenScope::Operate)
            .happens_once()
            .takes::<NewRelease>()
            .gives::<ReleaseDetails>()
            .may(&[409]),
    ]
}

async fn run(house: Data<App>, caller: Caller) -> Reply {
    let done = reconcile::run(&house, caller.may(TokenScope::Operate)?, VIA).await?;
    Ok(HttpResponse::Ok().json(ReconcileDetails::from(done)))
}

async fn runs(house: Data<App>, caller: Caller) -> Reply {
    let latest = reconcile::latest(&house, caller.may(TokenScope::Read)?).await?;
    Ok(HttpResponse::Ok().json(Reconciles { items: latest.into_iter().map(ReconcileDetails::from).collect() }))
}

async fn release(house: Data<App>, caller: Caller, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Operate)?;
    let asked = body.required("class").zip(body.required::<String>("reason"));
    let (class, reason) = body.finish(asked)?;
    let released = reconcile::release(&house, who, VIA, class, &reason).await?;
    Ok(HttpResponse::Ok().json(ReleaseDetails {
        class: released.class.word(),
        would_vanish: released.would_vanish,
        would_change: released.would_change,
        released_by: released.by,
        reason: released.reason,
        released_at: released.at,
    }))
}

impl From<Run> for ReconcileDetails {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.to_string(),
            asked_by: run.asked_by,
            process: run.process,
            state: run.state.word(),
            began_at: run.began_at,
            ended_at: run.ended_at,
            rules: run.rules,
            outcome: run.outcome.map(|outcome| json!(outcome)),
            why: run.why,
        }
    }
}
