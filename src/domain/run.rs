//! One execution of a workflow: where it stands, whom it is for, what it pinned when it began.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blueprint::plan::Bindings;
use crate::ids::{DeploymentId, ProjectId, RequestId, RunId};
use crate::reading::{Meaning, Reading};
use crate::step::{Step, StepState};
use crate::workflow::WorkflowStep;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Ordered; no worker has begun.
    Queued,
    Running,
    /// Only timers, people or outside systems are left to wait for; no worker holds it.
    Waiting,
    /// A step failed; a person decides. What was built is kept.
    Paused,
    /// Takes back what it built, because a person said so.
    Compensating,
    /// A person cancelled it; it takes back what it built, or stops.
    Cancelling,
    Done,
    /// Failed, and everything it built was taken back.
    Compensated,
    /// Something could not be taken back; a person decides.
    Stuck,
    Cancelled,
    /// Its approval was withdrawn, expired or replaced before it began; nothing was done.
    Refused,
}

impl RunState {
    pub const ALL: [Self; 11] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Compensating,
        Self::Cancelling,
        Self::Done,
        Self::Compensated,
        Self::Stuck,
        Self::Cancelled,
        Self::Refused,
    ];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Compensating => "compensating",
            Self::Cancelling => "cancelling",
            Self::Done => "done",
            Self::Compensated => "compensated",
            Self::Stuck => "stuck",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// How it reads for a run of this kind. A run that waits for an outside system is at work: nobody has to act.
    pub const fn reads(self, kind: RunKind) -> Reading {
        let (label, meaning) = match self {
            Self::Queued => ("Queued", Meaning::Idle),
            Self::Running | Self::Waiting => (kind.label(), Meaning::Running),
            Self::Paused => ("Paused: needs an operator", Meaning::Failed),
            Self::Compensating => ("Being taken back", Meaning::Running),
            Self::Cancelling => ("Being cancelled", Meaning::Running),
            Self::Done => ("Done", Meaning::Done),
            Self::Compensated if matches!(kind, RunKind::Retire) => ("Given up", Meaning::Failed),
            Self::Compensated => ("Failed and taken back", Meaning::Failed),
            Self::Stuck => ("Stuck: needs an operator", Meaning::Failed),
            Self::Cancelled => ("Cancelled", Meaning::Idle),
            Self::Refused => ("Refused", Meaning::Failed),
        };
        Reading::new(self.word(), label, meaning)
    }

    /// Whether nothing more will happen to the run.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Compensated | Self::Cancelled | Self::Refused)
    }

    /// Whether a worker may have something to do for it.
    pub const fn can_be_driven(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Waiting | Self::Compensating | Self::Cancelling)
    }

    /// Whether it walks back instead of forward, or is about to.
    pub(crate) const fn walks_back(self) -> bool {
        matches!(self, Self::Compensating | Self::Cancelling)
    }

    /// Whether a person has to decide before it goes on.
    pub const fn needs_a_person(self) -> bool {
        matches!(self, Self::Paused | Self::Stuck)
    }
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Builds a deployment.
    Provision,
    /// A day-2 action on a deployment.
    Action,
    /// Takes a deployment down.
    Retire,
}

impl RunKind {
    pub const ALL: [Self; 3] = [Self::Provision, Self::Action, Self::Retire];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Action => "action",
            Self::Retire => "retire",
        }
    }

    /// The kind that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What a person reads while it goes on.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Provision => "Building",
            Self::Action => "Changing",
            Self::Retire => "Retiring",
        }
    }

    /// What taking it back comes to: what was removed is not made again.
    pub const fn taken_back(self) -> &'static str {
        match self {
            Self::Provision | Self::Action => "Everything that was built is taken back.",
            Self::Retire => "What was removed stays removed, and the rest stays.",
        }
    }
}

/// How a person wants a run to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancel {
    /// What was built is taken back.
    TakeBack,
    /// It stops where it is; what was built stays.
    Stop,
}

impl Cancel {
    /// The word that the database, forms and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TakeBack => "take_back",
            Self::Stop => "stop",
        }
    }

    /// The wish that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::TakeBack, Self::Stop].into_iter().find(|wish| wish.word() == word)
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub deployment: DeploymentId,
    pub project: ProjectId,
    /// The site at which its actions work.
    pub site: String,
    pub request: Option<RequestId>,
    pub kind: RunKind,
    /// What it does, as a heading: "Scale Out Tomcat for shop".
    pub title: String,
    /// The blueprint and version it began with.
    pub blueprint: String,
    pub version: String,
    /// Which day-2 action, for [`RunKind::Action`].
    pub action: Option<String>,
    /// The graph, pinned.
    pub workflow: Arc<[WorkflowStep]>,
    /// What expressions see beside the outputs of steps, as it was approved.
    pub bindings: Arc<Bindings>,
    /// The group that answers for the platform.
    pub platform: String,
    /// The team that answers for the application.
    pub application: String,
    pub state: RunState,
    /// Why it is paused, stuck, refused or cancelled.
    pub why: Option<String>,
    /// Since when it needs a person; none while it does not.
    pub paused_at: Option<DateTime<Utc>>,
    /// A cancel that a person wished.
    pub cancel: Option<Cancel>,
    /// Fencing token: grows each time a worker takes the run; a write that names an older one changes nothing.
    pub token: i64,
    /// Grows with each change that comes from outside the worker; tells the worker to look again.
    pub revision: i64,
    /// The number of its next event.
    pub next_event: i64,
    /// The worker that holds it, until when.
    pub worker: Option<String>,
    pub lease_until: Option<DateTime<Utc>>,
    /// When somebody looks at it at the latest; nothing while only a person can move it on.
    pub wake_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// The run is in a state from which this can't happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run is {}, so it can't be {wanted}", state.word())]
pub struct InvalidTransition {
    pub state: RunState,
    pub wanted: &'static str,
}

impl Run {
    /// A worker begins, or goes on after a wait.
    pub fn running(self, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Queued, RunState::Running, RunState::Waiting], "carried on")?;
        let started_at = self.started_at.or(Some(now));
        Ok(Self { state: RunState::Running, started_at, why: None, ..self })
    }

    /// Nothing to do before a time; the worker lets go.
    pub fn waiting(self) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Running], "left waiting")?;
        Ok(Self { state: RunState::Waiting, ..self })
    }

    /// A step failed for good.
    pub fn paused(self, why: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Queued, RunState::Running, RunState::Waiting], "paused")?;
        Ok(Self { state: RunState::Paused, why: Some(why), paused_at: Some(now), ..self })
    }

    /// A person mended what held it up.
    pub fn resumed(self) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Paused, RunState::Running, RunState::Waiting], "resumed")?;
        let state = if self.state == RunState::Paused { RunState::Waiting } else { self.state };
        Ok(Self { state, why: None, paused_at: None, ..self })
    }

    /// A person wants everything it built taken back, and why; or, when stuck, the taking back goes on.
    pub fn compensating(self, why: Option<String>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Paused, RunState::Stuck], "taken back")?;
        let state = if self.cancel.is_some() { RunState::Cancelling } else { RunState::Compensating };
        Ok(Self { state, why, paused_at: None, ..self })
    }

    /// A person's wish to cancel takes effect; `why` says whose wish it was, and its reason.
    pub fn cancelling(self, wish: Cancel, why: String) -> Result<Self, InvalidTransition> {
        use RunState::{Cancelling, Paused, Queued, Running, Waiting};
        self.only_from(&[Queued, Running, Waiting, Paused, Cancelling], "cancelled")?;
        Ok(Self { state: Cancelling, cancel: Some(wish), why: Some(why), paused_at: None, ..self })
    }

    pub fn done(self, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Running], "done")?;
        Ok(Self { state: RunState::Done, ended_at: Some(now), ..self })
    }

    /// Everything it built is gone, or it stopped where it was told to.
    pub fn taken_back(self, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Compensating, RunState::Cancelling], "ended")?;
        let state = if self.state == RunState::Cancelling { RunState::Cancelled } else { RunState::Compensated };
        Ok(Self { state, ended_at: Some(now), ..self })
    }

    /// Something could not be taken back.
    pub fn stuck(self, why: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Compensating, RunState::Cancelling], "stuck")?;
        Ok(Self { state: RunState::Stuck, why: Some(why), paused_at: Some(now), ..self })
    }

    /// It may not begin: what allowed it no longer does.
    pub fn refused(self, why: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RunState::Queued], "refused")?;
        Ok(Self { state: RunState::Refused, why: Some(why), ended_at: Some(now), ..self })
    }

    /// How it reads, with these steps: it waits only when nothing is at work and all that is left is to try again.
    pub fn reads(&self, steps: &[Step]) -> Reading {
        let reading = self.state.reads(self.kind);
        let works = |step: &Step| matches!(step.state, StepState::Ready | StepState::Running | StepState::Waiting);
        let tries_again = steps.iter().any(|step| step.state == StepState::Retrying);
        if self.state == RunState::Waiting && tries_again && !steps.iter().any(works) {
            return Reading { label: "Waiting to try again", ..reading };
        }
        reading
    }

    /// Idempotency key of the object of the step at this place: the same in every run of the deployment, so that a
    /// later run finds and changes what an earlier one made.
    pub fn object_key(&self, at: usize) -> String {
        format!("{}/{}", self.deployment, self.workflow[at].object_key())
    }

    /// Whether it now walks back rather than forward.
    pub fn takes_back(&self) -> bool {
        match self.state {
            RunState::Compensating => true,
            RunState::Cancelling => self.cancel == Some(Cancel::TakeBack),
            _ => false,
        }
    }

    fn only_from(&self, states: &[RunState], wanted: &'static str) -> Result<(), InvalidTransition> {
        if states.contains(&self.state) { Ok(()) } else { Err(InvalidTransition { state: self.state, wanted }) }
    }
}

/// One thing that happened to a run; pages, logs, SSE and metrics all read these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    pub run: RunId,
    /// Counts from 1 within the run, without gaps.
    pub number: i64,
    pub at: DateTime<Utc>,
    /// The step it happened to; none for the run itself.
    pub step_key: Option<String>,
    pub kind: EventKind,
    /// What happened, as a sentence.
    pub line: String,
    /// Details for programs, such as an input before and after an edit.
    pub detail: Option<Value>,
}

/// What sort of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The run changed its state.
    Run,
    /// A step changed its state.
    Step,
    /// The action tells what it does.
    Said,
    /// A person mended something.
    Mended,
}

impl EventKind {
    pub const ALL: [Self; 4] = [Self::Run, Self::Step, Self::Said, Self::Mended];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Step => "step",
            Self::Said => "said",
            Self::Mended => "mended",
        }
    }

    /// The kind that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}
