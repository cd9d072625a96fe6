//! A question as the page shows it: in words and figures, with nothing left to look up.

use app::approval::{Question, Standing};
use app::quota::QuotaAfter;
use domain::approval::{Approval, ApprovalState};
use domain::blueprint::plan::Plan;
use domain::person::Principal;
use domain::request::{Request, RequestKind, number};
use serde_json::Value;

use crate::drawing::Drawing;
use crate::pages::plan;

/// What stands on the page of a question.
pub(super) struct QuestionView {
    pub approval: Approval,
    pub number: String,
    pub headline: String,
    pub requester: String,
    pub requester_email: String,
    pub reason: String,
    pub project: String,
    pub organisation: String,
    pub asked_as: String,
    /// Who is away, on a delegate's question.
    pub on_behalf_of: String,
    pub why: Vec<String>,
    pub plan: Option<Plan>,
    pub parameters: Vec<(String, String)>,
    pub drawing: Option<Drawing>,
    pub quota: Vec<QuotaAfter>,
    /// Whether it can be decided here and now.
    pub can_decide: bool,
    /// Whether it could be decided after signing in.
    pub needs_sign_in: bool,
    /// What became of it, when it can't be decided any more, or not by this link.
    pub closed: String,
    pub closed_state: &'static str,
    /// Whether only the link is over.
    pub is_late: bool,
    /// Whether the one who looks is signed in and finds the request's own page.
    pub may_see_request: bool,
}

impl QuestionView {
    /// The question as it is shown to somebody who is signed in, or to who holds its link.
    pub(super) fn of(question: Question, who: Option<&Principal>, signed_in: bool) -> Self {
        let Question { approval, request, requester, project, .. } = question;
        let is_late = matches!(question.standing, Standing::Late { .. });
        let (can_decide, needs_sign_in, closed) = match question.standing {
            Standing::Open { signed_in: needed } => (signed_in || !needed, needed && !signed_in, String::new()),
            Standing::Late { what } | Standing::Closed { what } => (false, false, what),
        };
        Self {
            number: number(request.number),
            headline: headline(&request, &project.title),
            requester: requester.name,
            requester_email: requester.email,
            reason: request.reason,
            project: project.title,
            organisation: project.organisation_name,
            asked_as: approval.asked_as.clone(),
            on_behalf_of: question.on_behalf_of.map(|person| person.name).unwrap_or_default(),
            why: question.why,
            parameters: question.chosen,
            drawing: request.plan.as_ref().map(plan::drawing),
            plan: request.plan,
            quota: question.quota,
            may_see_request: who.is_some_and(|who| who.scope().covers(request.project)),
            can_decide,
            needs_sign_in,
            closed,
            is_late,
            closed_state: match approval.state {
                ApprovalState::Open if is_late => "waiting",
                ApprovalState::Approved => "approved",
                ApprovalState::Rejected => "rejected",
                _ => "closed",
            },
            approval,
        }
    }
}

/// The question itself: `Approve 4 machines for Shop, production?`
fn headline(request: &Request, project: &str) -> String {
    let environment = request.parameters.get("environment").and_then(Value::as_str);
    let place = environment.map_or_else(|| project.to_owned(), |environment| format!("{project}, {environment}"));
    let machines = request.plan.as_ref().and_then(|plan| plan.quota.iter().find(|line| line.kind == "machines"));
    match (request.kind, machines) {
        (RequestKind::Provision, Some(line)) if line.amount > 1 => {
            format!("Approve {} machines for {place}?", line.amount)
        }
        (RequestKind::Provision, Some(line)) if line.amount == 1 => format!("Approve a machine for {place}?"),
        (RequestKind::Action, Some(line)) if line.amount != line.before => {
            let change = line.amount - line.before;
            let verb = if change > 0 { "more" } else { "fewer" };
            let noun = if change.abs() == 1 { "machine" } else { "machines" };
            format!("Approve {} {verb} {noun} for {place}?", change.abs())
        }
        _ => format!("Approve {} for {place}?", request.title),
    }
}
