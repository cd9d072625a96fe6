//! What a change of a run means for its request and its deployment; it commits with the change.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::approval::{Verdict, verdict};
use domain::audit::{Actor, Note};
use domain::mail::MailState;
use domain::ports::mailer::Mailer;
use domain::request::{Request, RequestKind, RequestState};
use domain::run::{Run, RunState};
use engine::{Consequences, Gate, Told};
use serde_json::json;
use store::run::RunSummary;
use store::{DbErr, Tx};

use crate::approval::called;
use crate::letter::{Message, Way};
use crate::{deployment, notice};

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
            return Ok(Gate::Closed(format!("Its request is {}.", request.state.word().replace('_', " "))));
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
        let Some(id) = run.request else { return Ok(()) };
        let Some(request) = store::request::lock(tx, id).await? else { return Ok(()) };
        let read_as = (request.state, request.revision);
        let why = run.why.clone().unwrap_or_else(|| "What was built is taken back.".to_owned());
        let after = match run.state {
            RunState::Running => request.running(),
            RunState::Done => request.fulfilled(now),
            RunState::Compensated | RunState::Cancelled | RunState::Refused => request.failed(why, now),
            _ => return Ok(()),
        };
        // A request that is over stays as it is, whatever its run does afterwards.
        let Ok(after) = after else { return Ok(()) };
        if after.state == read_as.0 || !store::request::save(tx, &after, read_as).await? {
            return Ok(());
        }
        if after.state.is_over() {
            self.put_on_record(tx, &after, now).await?;
            self.tell_end(tx, &after, now).await?;
        }
        Ok(())
    }

    async fn tell(&self, tx: &Tx, told: Told<'_>, now: DateTime<Utc>) -> Result<String, DbErr> {
        notice::post(self, tx, told, now).await
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

impl House {
    async fn put_on_record(&self, tx: &Tx, request: &Request, now: DateTime<Utc>) -> Result<(), DbErr> {
        let note = Note {
            actor: Actor::clock(),
            action: if request.state == RequestState::Fulfilled { "request.fulfilled" } else { "request.failed" },
            subject: format!("request {}", request.id),
            project: Some(request.project),
            data: json!({ "run": request.run, "why": request.outcome }),
        };
        store::audit::append(tx, note, now).await
    }

    async fn tell_end(&self, tx: &Tx, request: &Request, now: DateTime<Utc>) -> Result<(), DbErr> {
        let Some(requester) = store::person::find(tx, request.requester).await? else { return Ok(()) };
        let (headline, line) = match request.state {
            RequestState::Fulfilled => {
                (format!("{} is done", called(request)), "What you asked for is there.".to_owned())
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
            approval: None,
            reason: format!("ended {}", request.id),
        };
        let state = if self.mailer.is_some() { MailState::Queued } else { MailState::Kept };
        match message.write(&self.base_url) {
            Ok(letter) => store::mail::post(tx, letter, state, now).await,
            // A mail that can't be written must not undo what was built.
            Err(cause) => {
                tracing::error!(request.id = %request.id, error = %cause, "a mail could not be written");
                Ok(())
            }
        }
    }
}
