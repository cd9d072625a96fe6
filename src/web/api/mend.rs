//! What an operator's program does about a run that needs somebody.

use actix_web::web::{Data, Path};
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
    vec![
        mend::<Retrial>("/runs/{id}/retry", "Try a step again", |body| {
            let (step, input) = (body.required("step"), body.optional("input"));
            Some(Mend::Retry { step: step?, input })
        }),
        mend::<Omission>("/runs/{id}/skip", "Go on without a step", |body| {
            let (step, output) = (body.required("step"), body.optional("output"));
            Some(Mend::Skip { step: step?, output })
        }),
        mend::<Resumption>("/runs/{id}/resume", "Try all that failed again", |_| Some(Mend::Resume)),
        mend::<TakingBack>("/runs/{id}/compensate", "Take back what was built", |_| Some(Mend::Compensate)),
        mend::<Cancellation>("/runs/{id}/cancel", "Cancel a run", |body| body.required("wish").map(Mend::Cancel)),
    ]
}

/// What is done about a run, once, and answered with how the run stands then; `wish` reads it from the body.
fn mend<B: ToSchema>(path: &'static str, summary: &'static str, wish: fn(&mut Fields) -> Option<Mend>) -> Endpoint {
    let handler = move |house: Data<App>, caller: Caller, id: Path<RunId>, Body(mut body): Body| async move {
        let who = caller.may(TokenScope::Operate)?;
        let wish = wish(&mut body);
        let (reason, sent) = (body.optional::<String>("reason").unwrap_or_default(), body.sent());
        let wish = body.finish(wish)?;
        run::mend(&house, who, *id, wish, &reason, &sent).await?;
        shown(&house, who, *id).await
    };
    Endpoint::post(path, handler)
        .is("Runs", summary)
        .needs(TokenScope::Operate)
        .takes::<B>()
        .gives::<RunDetails>()
        .may(&[409])
}
