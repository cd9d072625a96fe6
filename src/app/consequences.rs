//! What a change of a run means for its request and its deployment; it commits with the change.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::approval::{Verdict, verdict};
use domain::audit::{Actor, Note};
use domain::ids::RunId;
use domain::mail::MailState;
use domain::ports::mailer::Mailer;
use domain::request::{Request, RequestKind, RequestState};
use domain::run::{Run, RunState};
use engine::{Asked, Consequences, Gate, Told};
use serde_json::json;
use store::run::RunSummary;
use store::{DbErr, Tx};

use crate::approval::called;
use crate::letter::{Fact, Message, Way};
use crate::operations::operators_of;
use crate::{App, deployment, notice, task};

/// The house as the engine asks it.
pub struct House {
    /// The address people reach the portal at; links in mails start with it.
    pub base_url: String,
    /// Where mails go; `None` keeps them to be read in the portal.
    pub mailer: Option<Arc<dyn Mailer>>,
}

#[async_trait]
impl Consequences for House {
    async fn may_begin(&self, tx: &Tx, run: &Run) -> Result<Gate, DbErr> {
        let Some(id) = run.request else { return Ok(Gate::Open) };
        let Some(request) = store::request::lock(tx, id).await? else {
            return Ok(Gate::Closed("Its request is gone.".to_owned()));
        };
        if request.run != Some(run.id) || !matches!(request.state, RequestState::Approved | RequestState::Running) {
            return Ok(Gate::Closed(format!("Its request is {}.", request.reads().label.to_lowercase())));
        }
        if !is_approved(tx, &request).await? {
            return Ok(Gate::Closed("Its approvals do not stand any more.".to_owned()));
        }
        Ok(match overtaken_by(tx, run, &request).await? {
            Some(other) => Gate::Closed(format!(
                "{} has worked on the deployment since this was asked for, so that it may not fit any more. Ask for it \
                 again.",
                other.title
            )),
            None => Gate::Open,
        })
    }

    async fn run_changed(&self, tx: &Tx, run: &Run, now: DateTime<Utc>) -> Result<(), DbErr> {
        if run.state.has_ended() {
            deployment::run_ended(tx, run, now).await?;
        }
        if run.state.needs_a_person() {
            self.call_operators(tx, run, now).await?;
        }
        if run.state.has_ended() || matches!(run.state, RunState::Compensating | RunState::Cancelling) {
            let why = run.why.as_deref().unwrap_or(match run.state {
                RunState::Compensating | RunState::Cancelling => "What was built is taken back.",
                _ => "The run that it was for is over.",
            });
            store::task::close(tx, run.id, None, why, now).await?;
        }
        let Some(id) = run.request else { return Ok(()) };
        let Some(request) = store::request::lock(tx, id).await? else { return Ok(()) };
        let read_as = (request.state, request.revision);
        let why = run.why.clone().unwrap_or_else(|| "What was built is taken back.".to_owned());
        let after = match run.state {
            RunState::Running | RunState::Waiting => request.running(),
            RunState::Paused | RunState::Stuck => request.paused(),
            RunState::Compensating | RunState::Cancelling if run.takes_back() => request.taking_back(why),
            RunState::Done => request.fulfilled(now),
            RunState::Cancelled => request.cancelled(why, now),
            RunState::Compensated | RunState::Refused => request.failed(why, now),
            RunState::Queued | RunState::Compensating | RunState::Cancelling => return Ok(()),
        };
        // A request that is over stays as it is, whatever its run does afterwards.
        let Ok(after) = after else { return Ok(()) };
        if after.state == read_as.0 || !store::request::save(tx, &after, read_as).await? {
            return Ok(());
        }
        if let Some(action) = on_record(after.state) {
            put_on_record(tx, &after, action, run, now).await?;
        }
        if after.state.is_over() {
            self.tell_end(tx, &after, now).await?;
        }
        Ok(())
    }

    async fn tell(&self, tx: &Tx, told: Told<'_>, now: DateTime<Utc>) -> Result<String, DbErr> {
        notice::post(self, tx, told, now).await
    }

    async fn ask(&self, tx: &Tx, asked: Asked<'_>, now: DateTime<Utc>) -> Result<Option<String>, DbErr> {
        task::ask(self, tx, asked, now).await
    }

    async fn withdraw(&self, tx: &Tx, run: RunId, step: &str, why: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
        store::task::close(tx, run, Some(step), why, now).await
    }
}

/// Whether every level of the request's plan stands approved by questions about its current revision, none of them
/// disputed.
async fn is_approved(tx: &Tx, request: &Request) -> Result<bool, DbErr> {
    let levels = request.plan.as_ref().map(|plan| plan.levels()).unwrap_or_default();
    let asked = store::approval::of_request(tx, request.id).await?;
    let current: Vec<_> = asked.into_iter().filter(|approval| approval.revision == request.revision).collect();
    let stands = |number: u32, quorum| {
        let at_level = current.iter().filter(|approval| i64::from(approval.level) == i64::from(number));
        verdict(quorum, &at_level.cloned().collect::<Vec<_>>()) == Verdict::Approved
    };
    let disputed = current.iter().any(|approval| approval.disputed_at.is_some());
    Ok(!disputed && levels.iter().all(|level| stands(level.level, level.quorum)))
}

/// A run that began on the deployment after an action on it was planned.
async fn overtaken_by(tx: &Tx, run: &Run, request: &Request) -> Result<Option<RunSummary>, DbErr> {
    if request.kind != RequestKind::Action {
        return Ok(None);
    }
    let runs = store::run::of_deployment(tx, run.deployment).await?;
    Ok(runs.into_iter().find(|other| other.id != run.id && other.created_at > request.submitted_at))
}

/// What is put on record when a request comes to this state by its run.
const fn on_record(state: RequestState) -> Option<&'static str> {
    match state {
        RequestState::Paused => Some("request.paused"),
        RequestState::Fulfilled => Some("request.fulfilled"),
        RequestState::Cancelled => Some("request.cancelled"),
        RequestState::Failed => Some("request.failed"),
        _ => None,
    }
}

async fn put_on_record(
    tx: &Tx,
    request: &Request,
    action: &'static str,
    run: &Run,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let why = if request.state == RequestState::Paused { &run.why } else { &request.outcome };
    let note = Note {
        actor: Actor::clock(),
        action,
        subject: format!("request {}", request.id),
        project: Some(request.project),
        data: json!({ "run": request.run, "why": why }),
    };
    store::audit::append(tx, note, now).await
}

impl House {
    /// The same house, for use cases.
    pub(crate) fn of(app: &App) -> Self {
        Self { base_url: app.base_url.clone(), mailer: app.mailer.clone() }
    }

    /// Tells the operators of a platform that one of its runs needs them; once for each time it stands still.
    async fn call_operators(&self, tx: &Tx, run: &Run, now: DateTime<Utc>) -> Result<(), DbErr> {
        for operator in operators_of(tx, &run.platform, run.project).await? {
            let message = Message {
                to: &operator,
                kind: "run_paused",
                headline: format!("{}: {}", run.title, run.state.reads(run.kind).label),
                lines: vec![
                    run.why.clone().unwrap_or_default(),
                    "What was built is kept, and nothing goes on until an operator has decided.".to_owned(),
                ],
                facts: vec![
                    Fact { label: "Platform".to_owned(), value: run.platform.clone(), large: false },
                    Fact { label: "Application".to_owned(), value: run.application.clone(), large: false },
                ],
                ways: vec![Way {
                    label: "Look at the run".to_owned(),
                    url: format!("{}/runs/{}", self.base_url, run.id),
                }],
                fine: vec![
                    "There you can try again, change the input, skip the step or take everything back.".to_owned(),
                ],
                request: run.request,
                asks: None,
                reason: format!("paused {} {} {}", run.id, run.next_event, operator.id),
            };
            self.post(tx, message, now).await?;
        }
        Ok(())
    }

    /// Posts a mail in the transaction that gives its reason.
    pub(crate) async fn post(&self, tx: &Tx, message: Message<'_>, now: DateTime<Utc>) -> Result<(), DbErr> {
        let state = if self.mailer.is_some() { MailState::Queued } else { MailState::Kept };
        match message.write(&self.base_url) {
            Ok(letter) => store::mail::post(tx, letter, state, now).await,
            // A mail that can't be written must not undo what was built.
            Err(cause) => {
                tracing::error!(error = %cause, "a mail could not be written");
                Ok(())
            }
        }
    }

    async fn tell_end(&self, tx: &Tx, request: &Request, now: DateTime<Utc>) -> Result<(), DbErr> {
        let Some(requester) = store::person::find(tx, request.requester).await? else { return Ok(()) };
        let (headline, line) = match request.state {
            RequestState::Fulfilled => {
                (format!("{} is done", called(request)), "What you asked for is there.".to_owned())
            }
            RequestState::Cancelled => {
                (format!("{} is cancelled", called(request)), request.outcome.clone().unwrap_or_default())
            }
            _ => (format!("{} failed", called(request)), request.outcome.clone().unwrap_or_default()),
        };
        let message = Message {
            to: &requester,
            kind: "request_ended",
            headline,
            lines: vec![line],
            facts: Vec::new(),
            ways: vec![Way {
                label: "See the deployment".to_owned(),
                url: format!("{}/deployments/{}", self.base_url, request.deployment),
            }],
            fine: Vec::new(),
            request: Some(request.id),
            asks: None,
            reason: format!("ended {}", request.id),
        };
        self.post(tx, message, now).await
    }
}
