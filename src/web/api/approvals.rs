//! The caller's own questions, and deciding them.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::approval::{self, Decider, Question, Standing};
use app::request::Waits;
use chrono::{DateTime, Utc};
use domain::approval::{Answer, Approval, Via};
use domain::ids::ApprovalId;
use domain::request::{Request, number};
use domain::token::TokenScope;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::caller::Caller;
use super::catalog::PlanDetails;
use super::endpoint::Endpoint;
use super::fields::Body;
use super::projects::QuotaChange;
use super::requests::RequestDetails;
use crate::pages::approvals::client;

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

/// A question with all that a decision needs.
#[derive(Serialize, ToSchema)]
pub struct QuestionDetails {
    #[serde(flatten)]
    approval: ApprovalDetails,
    can_be_decided: bool,
    /// Who decided when, or why it can't be decided any more.
    closed: Option<String>,
    requester: String,
    /// Who is away, on a delegate's question.
    on_behalf_of: Option<String>,
    /// Why somebody has to decide.
    why: Vec<String>,
    /// What will be done; null for retiring, which takes back what stands.
    plan: Option<PlanDetails>,
    quota: Vec<QuotaChange>,
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

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/approvals", index)
            .is("Approvals", "What waits for the caller's decision")
            .needs(TokenScope::Read)
            .gives::<Approvals>(),
        Endpoint::get("/approvals/{id}", show)
            .is("Approvals", "A question with all that a decision needs")
            .needs(TokenScope::Read)
            .gives::<QuestionDetails>(),
        Endpoint::post("/approvals/{id}/decision", decide)
            .is("Approvals", "Decide")
            .needs(TokenScope::Decide)
            .takes::<NewDecision>()
            .gives::<RequestDetails>()
            .may(&[410]),
    ]
}

async fn index(house: Data<App>, caller: Caller) -> Reply {
    let inbox = approval::inbox(&house, caller.may(TokenScope::Read)?).await?;
    let all = inbox.open.into_iter().chain(inbox.closed);
    Ok(HttpResponse::Ok().json(Approvals { items: all.map(ApprovalDetails::from).collect() }))
}

async fn show(house: Data<App>, caller: Caller, id: Path<ApprovalId>) -> Reply {
    let question = approval::look_signed_in(&house, caller.may(TokenScope::Read)?, *id).await?;
    Ok(HttpResponse::Ok().json(QuestionDetails::from(question)))
}

async fn decide(house: Data<App>, caller: Caller, id: Path<ApprovalId>, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Decide)?;
    let (once, client) = (body.sent().once, client(&body.request));
    let answer = body.required::<Answer>("decision");
    let reason = body.optional::<String>("reason").unwrap_or_default();
    let answer = body.finish(answer)?;
    let decider = Decider::Person { who, approval: *id, via: Via::Api, once };
    let decided = approval::decide(&house, decider, answer, &reason, client).await?;
    Ok(HttpResponse::Ok().json(RequestDetails::of(decided.request, Waits::default())))
}

impl From<Question> for QuestionDetails {
    fn from(question: Question) -> Self {
        Self {
            plan: question.request.plan.as_ref().map(|plan| PlanDetails::of(plan, question.request.site.clone())),
            approval: ApprovalDetails::from((question.approval, question.request)),
            can_be_decided: matches!(question.standing, Standing::Open { .. }),
            closed: match question.standing {
                Standing::Open { .. } => None,
                Standing::Late { what } | Standing::Closed { what } => Some(what),
            },
            requester: question.requester.name,
            on_behalf_of: question.on_behalf_of.map(|person| person.name),
            why: question.why,
            quota: question.quota.into_iter().map(QuotaChange::from).collect(),
        }
    }
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
