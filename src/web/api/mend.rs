//! What an operator's program does about a run that needs somebody.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::run::{self, Mend};
use domain::ids::RunId;
use domain::token::TokenScope;
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::Caller;
use super::endpoint::Endpoint;
use super::fields::{Body, Fields};
use super::runs::{RunDetails, shown};
use crate::problem::Problem;

/// A step that is tried again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct Retrial {
    /// Its key, `node[1]`.
    step: String,
    /// Another input than the one it had.
    input: Option<Value>,
    /// Needed with another input.
    reason: Option<String>,
}

/// A step without which the run goes on.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct Omission {
    /// Its key, `node[1]`.
    step: String,
    /// What it would have returned; needed where another step reads it.
    output: Option<Value>,
    reason: String,
}

/// Everything that failed is tried again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct Resumption {
    reason: Option<String>,
}

/// What was built is taken back.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct TakingBack {
    reason: String,
}

/// A run that is not to go on.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct Cancellation {
    /// `take_back` what was built, or `stop` where it is.
    wish: String,
    reason: String,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    let mends = [
        Endpoint::post("/runs/{id}/retry", retry).is("Runs", "Try a step again").takes::<Retrial>(),
        Endpoint::post("/runs/{id}/skip", skip).is("Runs", "Go on without a step").takes::<Omission>(),
        Endpoint::post("/runs/{id}/resume", resume).is("Runs", "Try all that failed again").takes::<Resumption>(),
        Endpoint::post("/runs/{id}/compensate", compensate)
            .is("Runs", "Take back what was built")
            .takes::<TakingBack>(),
        Endpoint::post("/runs/{id}/cancel", cancel).is("Runs", "Cancel a run").takes::<Cancellation>(),
    ];
    mends.map(|mend| mend.needs(TokenScope::Operate).gives::<RunDetails>().may(&[409])).into()
}

async fn retry(
    house: Data<App>,
    caller: Caller,
    id: Path<RunId>,
    asked: HttpRequest,
    Body(mut body): Body,
) -> Result<HttpResponse, Problem> {
    let (step, input) = (body.required("step"), body.optional("input"));
    mend(&house, &caller, *id, &asked, body, step.map(|step| Mend::Retry { step, input })).await
}

async fn skip(
    house: Data<App>,
    caller: Caller,
    id: Path<RunId>,
    asked: HttpRequest,
    Body(mut body): Body,
) -> Result<HttpResponse, Problem> {
    let (step, output) = (body.required("step"), body.optional("output"));
    mend(&house, &caller, *id, &asked, body, step.map(|step| Mend::Skip { step, output })).await
}

async fn resume(
    house: Data<App>,
    caller: Caller,
    id: Path<RunId>,
    asked: HttpRequest,
    Body(body): Body,
) -> Result<HttpResponse, Problem> {
    mend(&house, &caller, *id, &asked, body, Some(Mend::Resume)).await
}

async fn compensate(
    house: Data<App>,
    caller: Caller,
    id: Path<RunId>,
    asked: HttpRequest,
    Body(body): Body,
) -> Result<HttpResponse, Problem> {
    mend(&house, &caller, *id, &asked, body, Some(Mend::Compensate)).await
}

async fn cancel(
    house: Data<App>,
    caller: Caller,
    id: Path<RunId>,
    asked: HttpRequest,
    Body(mut body): Body,
) -> Result<HttpResponse, Problem> {
    let wish = body.required("wish").map(Mend::Cancel);
    mend(&house, &caller, *id, &asked, body, wish).await
}

/// Does it, once, and answers how the run stands then.
async fn mend(
    house: &App,
    caller: &Caller,
    id: RunId,
    asked: &HttpRequest,
    mut body: Fields,
    wish: Option<Mend>,
) -> Result<HttpResponse, Problem> {
    let who = caller.may(TokenScope::Operate)?;
    let (reason, sent) = (body.optional::<String>("reason").unwrap_or_default(), body.sent(asked));
    let wish = body.finish(wish)?;
    run::mend(house, who, id, wish, &reason, &sent).await?;
    shown(house, who, id).await
}
