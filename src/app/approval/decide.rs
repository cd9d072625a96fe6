//! Deciding: one yes or no for each question, whoever asks twice, however many at once.

use domain::approval::{Answer, Approval, ApprovalState, Client, Decision, Verdict, Via, verdict};
use domain::audit::Actor;
use domain::blueprint::Confirm;
use domain::blueprint::plan::Level;
use domain::ids::ApprovalId;
use domain::mail::Asks;
use domain::moment::written;
use domain::person::{Person, Principal, Role};
use domain::project::Project;
use domain::request::{Request, RequestState};
use domain::trouble::{Kind, Trouble};
use serde_json::json;
use store::Tx;

use super::ask::{Subject, asked_group};
use super::question::{closed, find_by_token};
use super::{ask_level, called, is_current, note, post, request_url};
use crate::idempotency::{self, Once};
use crate::letter::{Message, Way, facts};
use crate::link::was_usable_until;
use crate::{App, database, request, secret};

/// Who decides, and how he proved it.
pub enum Decider<'d> {
    /// The holder of a mail's link.
    Link(&'d str),
    /// An approver who signed in, or a program with his token.
    Person {
        who: &'d Principal,
        approval: ApprovalId,
        via: Via,
        /// With what a program's decision is recognised when it is sent again.
        once: Option<Once>,
    },
}

/// What a decision came to.
#[derive(Clone, Debug)]
pub struct Decided {
    pub request: Request,
    pub answer: Answer,
}

/// The longest reason that is kept, in letters.
const REASON_MAX: usize = 2_000;

/// Decides a question, once. Decision, run and mails commit together.
pub async fn decide(
    app: &App,
    decider: Decider<'_>,
    answer: Answer,
    reason: &str,
    client: Client,
) -> Result<Decided, Trouble> {
    let reason = acceptable(answer, reason)?;
    let asked = identify(app, &decider).await?;
    let via = match &decider {
        Decider::Link(_) => Via::Link,
        Decider::Person { via, .. } => *via,
    };
    let tx = app.store.begin().await.map_err(database)?;
    if let Decider::Person { who, once: Some(once), .. } = &decider
        && !idempotency::claim(app, &tx, who, once).await?
    {
        return Ok(Decided { request: decided_before(&tx, asked).await?, answer });
    }
    let case = open_case(app, &tx, asked, via).await?;
    let decision = Decision { at: app.clock.now(), reason, via, client };
    let request = settle(app, &tx, &case, answer, &decision).await?;
    tx.commit().await.map_err(database)?;
    request::wake(app, &request);
    Ok(Decided { request, answer })
}

/// The request, as it stands since the same decision came the first time.
async fn decided_before(tx: &Tx, id: ApprovalId) -> Result<Request, Trouble> {
    let gone = || Trouble::not_found("question");
    let approval = store::approval::find(tx, id).await.map_err(database)?.ok_or_else(gone)?;
    store::request::find(tx, approval.request).await.map_err(database)?.ok_or_else(gone)
}

fn acceptable(answer: Answer, reason: &str) -> Result<String, Trouble> {
    let reason = reason.trim();
    if answer == Answer::Reject && reason.is_empty() {
        return Err(Trouble::field("reason", "Say why, so that the requester knows what to change."));
    }
    if reason.chars().count() > REASON_MAX {
        return Err(Trouble::field("reason", format!("A reason has at most {REASON_MAX} letters.")));
    }
    Ok(reason.to_owned())
}

/// The question that the decider may answer.
async fn identify(app: &App, decider: &Decider<'_>) -> Result<ApprovalId, Trouble> {
    match decider {
        Decider::Link(token) => {
            let (approval, expires_at) = find_by_token(app, token).await?;
            if approval.state == ApprovalState::Open && expires_at <= app.clock.now() {
                return Err(Trouble::new(
                    Kind::Gone,
                    was_usable_until(expires_at),
                    "Sign in and decide in the list of approvals, if the question is still open.",
                ));
            }
            Ok(approval.id)
        }
        Decider::Person { who, approval, .. } => {
            let found = store::approval::find(&app.store, *approval).await.map_err(database)?;
            let found = found.filter(|approval| approval.approver == who.person);
            found.map(|approval| approval.id).ok_or_else(|| Trouble::not_found("question for you"))
        }
    }
}

/// A question that may be decided now, with everything that deciding it takes.
struct Case {
    approval: Approval,
    approver: Person,
    request: Request,
    requester: Person,
    project: Project,
    level: Level,
}

/// Reads everything again inside the transaction, and refuses what may not be decided.
async fn open_case(app: &App, tx: &Tx, id: ApprovalId, via: Via) -> Result<Case, Trouble> {
    let gone = || Trouble::not_found("question");
    let approval = store::approval::find(tx, id).await.map_err(database)?.ok_or_else(gone)?;
    let request = store::request::lock(tx, approval.request).await.map_err(database)?.ok_or_else(gone)?;
    if request.requester == approval.approver || request.requester == approval.voice() {
        return Err(Trouble::forbidden(
            "Nobody decides on a request of his own.",
            "Somebody else of the approvers has to decide.",
        ));
    }
    let is_open = approval.state == ApprovalState::Open
        && is_current(&approval, &request)
        && request.state == RequestState::AwaitingApproval;
    if !is_open {
        return Err(closed(app, tx, &approval, &request).await?);
    }
    let principal = store::person::principal(tx, approval.approver).await.map_err(database)?;
    if !principal.is_some_and(|principal| may_decide(&principal, &approval, &request)) {
        return Err(Trouble::forbidden(
            "Whoever this question was sent to may not decide here any more.",
            "An administrator can say who decides now.",
        ));
    }
    let level = level_of(&request, approval.level).ok_or_else(gone)?;
    if via == Via::Link && level.confirm == Confirm::SignIn {
        return Err(Trouble::new(
            Kind::SignInRequired,
            "This decision is taken signed in: what is asked for is dear or touches much.",
            "Sign in; the question is in your list of approvals.",
        ));
    }
    let approver = store::person::find(tx, approval.approver).await.map_err(database)?.ok_or_else(gone)?;
    let requester = store::person::find(tx, request.requester).await.map_err(database)?.ok_or_else(gone)?;
    let project = store::project::find(tx, request.project).await.map_err(database)?.ok_or_else(gone)?;
    Ok(Case { approval, approver, request, requester, project, level })
}

/// Whether an approver is still who he was asked as: of the group, as an approver in the project. Who stands in for
/// somebody, was named, or is a manager has to see the project.
fn may_decide(approver: &Principal, approval: &Approval, request: &Request) -> bool {
    match asked_group(approval) {
        Some(group) => approver.groups.contains(group) && approver.has(Role::Approver, request.project),
        None => approver.scope().covers(request.project),
    }
}

/// The level of a request's plan with this number.
pub(super) fn level_of(request: &Request, number: i32) -> Option<Level> {
    let levels = request.plan.as_ref()?.levels();
    levels.into_iter().find(|level| i32::try_from(level.level) == Ok(number))
}

/// Writes the decision and what follows from it.
async fn settle(app: &App, tx: &Tx, case: &Case, answer: Answer, decision: &Decision) -> Result<Request, Trouble> {
    let dispute = secret::fresh();
    let state = answer.state();
    let decided = store::approval::decide(tx, case.approval.id, state, decision, secret::hash(&dispute))
        .await
        .map_err(database)?;
    if !decided {
        return Err(closed(app, tx, &case.approval, &case.request).await?);
    }
    let actor = Actor {
        person: Some(case.approver.id),
        name: format!("{} <{}>", case.approver.name, case.approver.email),
        via: decision.via.word().to_owned(),
    };
    let data = json!({
        "approval": case.approval.id,
        "level": case.approval.level,
        "revision": case.approval.revision,
        "on_behalf_of": case.approval.on_behalf_of,
        "answer": state,
        "reason": decision.reason,
        "client": decision.client.address,
        "agent": decision.client.agent,
    });
    note(app, tx, actor, "request.decided", &case.request, data).await?;
    send_receipt(app, tx, case, answer, decision, &dispute).await?;
    conclude(app, tx, case, decision).await
}

/// What the answers at the level come to now: nothing yet, the next level, the run, or the end.
async fn conclude(app: &App, tx: &Tx, case: &Case, decision: &Decision) -> Result<Request, Trouble> {
    let asked: Vec<Approval> = store::approval::of_request(tx, case.request.id)
        .await
        .map_err(database)?
        .into_iter()
        .filter(|approval| is_current(approval, &case.request) && approval.level == case.approval.level)
        .collect();
    let request = case.request.clone();
    match verdict(case.level.quorum, &asked) {
        Verdict::Open => Ok(request),
        Verdict::Rejected => {
            let why = format!("{} rejected it: {}", case.approver.name, decision.reason);
            let read_as = (request.state, request.revision);
            let rejected = request.rejected(why, decision.at).map_err(Trouble::bug)?;
            request::end_before_run(app, tx, &rejected, read_as, ApprovalState::Moot).await?;
            tell_requester(app, tx, case, &rejected, decision).await?;
            Ok(rejected)
        }
        Verdict::Approved => {
            store::approval_level::close(tx, request.id).await.map_err(database)?;
            let level = Some(case.approval.level);
            store::approval::close(tx, request.id, level, ApprovalState::Moot).await.map_err(database)?;
            go_on(app, tx, case, request, decision).await
        }
    }
}

/// A level is done: the next one opens, or the run is enqueued.
async fn go_on(app: &App, tx: &Tx, case: &Case, request: Request, decision: &Decision) -> Result<Request, Trouble> {
    let levels = request.plan.as_ref().map(|plan| plan.levels()).unwrap_or_default();
    if let Some(next) = levels.iter().find(|level| level.level > case.level.level) {
        let subject = Subject { request: &request, requester: &case.requester, project: &case.project };
        ask_level(app, tx, &subject, next).await?;
        return Ok(request);
    }
    let read_as = (request.state, request.revision);
    let approved = request.approved(decision.at).map_err(Trouble::bug)?;
    let approved = request::start(app, tx, approved, read_as).await?;
    tell_requester(app, tx, case, &approved, decision).await?;
    Ok(approved)
}

async fn send_receipt(
    app: &App,
    tx: &Tx,
    case: &Case,
    answer: Answer,
    decision: &Decision,
    dispute: &str,
) -> Result<(), Trouble> {
    let verb = match answer {
        Answer::Approve => "approved",
        Answer::Reject => "rejected",
    };
    let how = match decision.via {
        Via::Link => "with the link of a mail",
        Via::SignedIn => "signed in",
        Via::Api => "with an API token",
    };
    let from = if decision.client.address.is_empty() { "an unknown address" } else { &decision.client.address };
    post(
        app,
        tx,
        Message {
            to: &case.approver,
            kind: "decision_receipt",
            headline: format!("You {verb} {}", called(&case.request)),
            lines: vec![format!("This was decided in your name on {} {how}, from {from}.", written(decision.at))],
            facts: facts(&case.request, &case.requester, &case.project),
            ways: vec![Way {
                label: "This was not me".to_owned(),
                url: format!("{}/decide/not-me/{dispute}", app.base_url),
            }],
            fine: vec!["Keep this mail. Its link stops what the decision started, after one more question.".to_owned()],
            request: Some(case.request.id),
            asks: Some(Asks::Approval(case.approval.id)),
            reason: format!("receipt {}", case.approval.id),
        },
    )
    .await
}

async fn tell_requester(
    app: &App,
    tx: &Tx,
    case: &Case,
    request: &Request,
    decision: &Decision,
) -> Result<(), Trouble> {
    let (verb, next) = match request.state {
        RequestState::Rejected => ("rejected", "Copy the request and change what was in the way, or ask the approver."),
        _ => ("approved", "It is being built now; the request's page shows how far it is."),
    };
    let mut lines = vec![format!("{} {verb} it on {}.", case.approver.name, written(decision.at))];
    if !decision.reason.is_empty() {
        lines.push(format!("The reason: {}", decision.reason));
    }
    lines.push(next.to_owned());
    post(
        app,
        tx,
        Message {
            to: &case.requester,
            kind: "request_decided",
            headline: format!("{} is {verb}", called(request)),
            lines,
            facts: Vec::new(),
            ways: vec![Way { label: "See the request".to_owned(), url: request_url(app, request) }],
            fine: Vec::new(),
            request: Some(request.id),
            asks: None,
            reason: format!("decided {} {}", request.id, request.revision),
        },
    )
    .await
}
