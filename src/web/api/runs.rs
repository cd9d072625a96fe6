//! How a run stands.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::run::{self, Details};
use chrono::{DateTime, Utc};
use domain::ids::RunId;
use domain::step::Step;
use domain::token::TokenScope;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::openapi::ProblemDetails;
use crate::problem::Problem;

/// One execution of a workflow.
#[derive(Serialize, ToSchema)]
pub struct RunDetails {
    id: String,
    title: String,
    /// `provision`, `action` or `retire`.
    kind: String,
    /// The deployment's id.
    deployment: String,
    /// The id of the request it carries out.
    request: Option<String>,
    blueprint: String,
    version: String,
    state: String,
    /// Why it stands where it stands.
    why: Option<String>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// How long such runs usually take, in seconds; null before there was one.
    usual_seconds: Option<u64>,
    steps: Vec<StepDetails>,
}

/// One step of a run.
#[derive(Serialize, ToSchema)]
pub struct StepDetails {
    key: String,
    title: String,
    state: String,
    attempt: u32,
    /// What happened, where it failed or waits.
    why: Option<String>,
    /// What a person can do about it.
    advice: Option<String>,
    needs: Vec<String>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

/// A run with its steps
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "Runs",
    params(("id" = String, Path, description = "Its id")), responses(
    (status = 200, body = RunDetails),
    (status = 404, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn show(house: Data<App>, caller: Caller, id: Path<RunId>) -> Result<HttpResponse, Problem> {
    let details = run::show(&house, caller.may(TokenScope::Read)?, *id, None).await?;
    Ok(HttpResponse::Ok().json(RunDetails::from(details)))
}

impl From<Details> for RunDetails {
    fn from(details: Details) -> Self {
        let run = details.run;
        let step = |step: Step| {
            let planned = run.workflow.get(step.position).map(|step| &step.planned);
            StepDetails {
                title: planned.map(|planned| planned.title.clone()).unwrap_or_default(),
                needs: planned.map(|planned| planned.needs.clone()).unwrap_or_default(),
                key: step.key,
                state: step.state.word().to_owned(),
                attempt: step.attempt,
                why: step.why,
                advice: step.advice,
                started_at: step.started_at,
                ended_at: step.ended_at,
            }
        };
        Self {
            steps: details.steps.into_iter().map(step).collect(),
            id: run.id.to_string(),
            title: run.title.clone(),
            kind: run.kind.word().to_owned(),
            deployment: run.deployment.to_string(),
            request: run.request.map(|request| request.to_string()),
            blueprint: run.blueprint.clone(),
            version: run.version.clone(),
            state: run.state.word().to_owned(),
            why: run.why.clone(),
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
            usual_seconds: details.usual.map(|usual| usual.as_secs()),
        }
    }
}
