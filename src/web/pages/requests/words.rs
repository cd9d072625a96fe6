//! What happened to a request, in words.

use app::request::{Asking, Page};
use chrono::{DateTime, Utc};
use domain::approval::{Approval, ApprovalState, Via};
use domain::audit::Entry;
use domain::request::RequestState;
use serde_json::Value;

use crate::look;

/// One line of the timeline.
pub(super) struct Event {
    pub at: DateTime<Utc>,
    /// Gives the line its icon and colour.
    pub state: &'static str,
    pub line: String,
    pub detail: String,
}

/// How the request stands, as one sentence.
pub(super) fn standing(page: &Page) -> String {
    let request = &page.request;
    match request.state {
        RequestState::AwaitingApproval => waiting(&page.asked, page.due_at),
        RequestState::Approved => match &page.hold {
            Some(hold) => format!("Approved. {}", hold.told()),
            None => "Approved; its run is about to begin.".to_owned(),
        },
        RequestState::Running => match &page.hold {
            Some(hold) => format!("Approved, and begun. {}", hold.told()),
            None => "Approved; it is being carried out now.".to_owned(),
        },
        RequestState::Paused => format!("Waits for {}.", page.waits.for_whom.join(" or ")),
        RequestState::TakingBack => {
            format!("{} What was built is being taken back.", request.outcome.clone().unwrap_or_default())
        }
        RequestState::Fulfilled => "Done: what was asked for is there.".to_owned(),
        RequestState::Withdrawn => format!("{} took it back before anything was built.", page.requester.name),
        RequestState::Rejected | RequestState::Expired | RequestState::Failed | RequestState::Cancelled => {
            request.outcome.clone().unwrap_or_else(|| "It ended without being carried out.".to_owned())
        }
    }
}

fn waiting(asked: &[Asking], due_at: Option<DateTime<Utc>>) -> String {
    let open: Vec<String> = asked
        .iter()
        .filter(|asking| asking.approval.state == ApprovalState::Open)
        .map(|asking| format!("{} ({})", asking.approver.name, asking.approval.asked_as))
        .collect();
    let until = due_at.map(|due| format!(", who should decide until {}", look::moment(&due))).unwrap_or_default();
    format!("Waits for {}{until}.", open.join(" or "))
}

/// What became of one question, as a sentence.
pub(super) fn answer(asking: &Asking) -> String {
    let approval = &asking.approval;
    let for_whom = match &asking.on_behalf_of {
        Some(other) => format!("Asked in place of {}. ", other.name),
        None => String::new(),
    };
    format!("{for_whom}{}", outcome(approval))
}

fn outcome(approval: &Approval) -> String {
    if let Some(decision) = &approval.decision {
        let verb = if approval.state == ApprovalState::Rejected { "Rejected" } else { "Approved" };
        let how = match decision.via {
            Via::Link => "by the link of the mail",
            Via::SignedIn => "signed in",
            Via::Api => "by API",
        };
        let reason = if decision.reason.is_empty() { String::new() } else { format!(" “{}”", decision.reason) };
        let disputed = if approval.disputed_at.is_some() { " Says since that this was somebody else." } else { "" };
        return format!("{verb} {how}, {}.{reason}{disputed}", look::moment(&decision.at));
    }
    match approval.state {
        ApprovalState::Open => match approval.remind_at {
            Some(at) => format!("Has not answered; is reminded {}.", look::moment(&at)),
            None => "Has not answered yet.".to_owned(),
        },
        ApprovalState::Moot => "Others decided before.".to_owned(),
        ApprovalState::Revoked => "The question was taken back.".to_owned(),
        ApprovalState::Expired => "Did not answer in time.".to_owned(),
        ApprovalState::Approved | ApprovalState::Rejected => String::new(),
    }
}

/// A row of the audit log as a line of the timeline.
pub(super) fn event(entry: &Entry) -> Event {
    let data: Value = serde_json::from_str(&entry.data).unwrap_or_default();
    let said = |field: &str| data.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let who = entry.actor.name.split(" <").next().unwrap_or_default();
    let (state, line) = match entry.action.as_str() {
        "request.submitted" => ("submitted", format!("{who} ordered it")),
        "request.changed" => ("waiting", format!("{who} changed it; everybody is asked again")),
        "request.withdrawn" => ("withdrawn", format!("{who} took it back")),
        "request.decided" if said("answer") == "rejected" => ("rejected", format!("{who} rejected it")),
        "request.decided" => ("approved", format!("{who} approved it")),
        "request.decision_disputed" => ("paused", format!("{who} says that the decision was not theirs")),
        "request.escalated" => ("waiting", "Nobody answered: somebody higher up is asked".to_owned()),
        "request.expired" => ("failed", "Nobody decided in time".to_owned()),
        "request.fulfilled" => ("fulfilled", "It is done".to_owned()),
        "request.failed" => ("failed", "Its run ended without success".to_owned()),
        "request.paused" => ("paused", "It stands still until an operator has acted".to_owned()),
        "request.cancelled" => ("withdrawn", "It was cancelled".to_owned()),
        other => ("idle", other.replace(['.', '_'], " ")),
    };
    let detail = match entry.action.as_str() {
        "request.failed" | "request.paused" | "request.cancelled" => said("why"),
        _ => said("reason"),
    };
    Event { at: entry.at, state, line, detail }
}
