//! What the engine asks of an action: say what you will make, make it, or take it back.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::action::Signature;
use domain::ci::CiChange;
use domain::ids::{DeploymentId, ProjectId, RunId};
use domain::mail::Notice;
use domain::resource::{Intent, LedgerChange, Resource, Tie};
use domain::task::Wanted;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A verb that a blueprint may use.
///
/// `run` and `undo` may be called again after a crash, a timeout or a lost answer; both look for the object by its
/// idempotency key first, adopt what they find, and touch nothing that bears another key.
#[async_trait]
pub trait Action: Send + Sync {
    /// The action's name and the shape of its input and output.
    fn signature(&self) -> Signature;

    /// The ledger rows to commit before [`Action::run`] is called. Pure: the same work gives the same keys.
    fn intend(&self, work: &Work) -> Result<Vec<Intent>, ActionError>;

    /// What objects lean on once this work is done, whichever step made them. Pure, like [`Action::intend`]; kept
    /// from before the first call, so that nothing is removed under an object that stopped half-way.
    fn ties(&self, _work: &Work) -> Result<Vec<Tie>, ActionError> {
        Ok(Vec::new())
    }

    /// Does the work, or says what it waits for.
    async fn run(&self, work: &Work) -> Result<Outcome, ActionError>;

    /// Takes back what `run` did; done when nothing of it is left. Undoing what was never done is done at once.
    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError>;
}

/// Everything an action may know of the step it works for.
#[derive(Clone)]
pub struct Work {
    pub run: RunId,
    pub deployment: DeploymentId,
    pub project: ProjectId,
    /// The site it works at, `dc1`.
    pub site: String,
    /// The step's key, `node[1]`.
    pub step_key: String,
    /// Idempotency key of the step, the same however often it is tried; objects of the step derive theirs from it.
    pub key: String,
    /// The resolved input, valid against the signature.
    pub input: Value,
    /// What `run` returned, when it is undone after it was done.
    pub output: Option<Value>,
    /// The step's own ledger rows that are not gone.
    pub ledger: Vec<Resource>,
    /// What the last [`Outcome::Wait`] asked to remember.
    pub remembered: Option<Value>,
    /// The same of the tries before a person had the step tried again; what they changed may still be so.
    pub remembered_before: Option<Value>,
    /// Which try this is, from 1.
    pub attempt: u32,
    pub now: DateTime<Utc>,
    /// Where the action tells people what it does.
    pub log: Arc<dyn StepLog>,
}

impl Work {
    /// Tells the step's log one line in people's words.
    pub fn say(&self, line: impl Into<String>) {
        self.log.say(line.into());
    }
}

/// The log of a step, as people read it on the run's page.
pub trait StepLog: Send + Sync {
    fn say(&self, line: String);
}

/// How far a call of an action came.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The work is done; the record commits with the step.
    Done(Record),
    /// Nothing to do until then; the step holds no thread meanwhile and is called again with what it remembered.
    Wait { until: DateTime<Utc>, remember: Value, why: String },
    /// People are to do something. Waits like [`Outcome::Wait`]; what they answer ends the step without another call.
    /// Asking again for the same asks nobody twice.
    Ask { wanted: Box<Wanted>, until: DateTime<Utc>, remember: Value, why: String },
}

/// What a finished step leaves; the engine commits all of it in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub output: Value,
    pub ledger: Vec<LedgerChange>,
    pub cis: Vec<CiChange>,
    /// What people are told by mail, once however often the step was called.
    pub notices: Vec<Notice>,
}

/// Which kind a failure is; it decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// May pass by itself: retried by the step's policy, with backoff and jitter.
    Transient,
    /// The provider did not answer. Retried like the transient; when others hear nothing either, it is waited for.
    Away,
    /// Will not pass by itself: pauses the run for an operator.
    Permanent,
    /// A fault of Gatehouse: pauses the run and is counted.
    Bug,
}

/// Why an action could not do its work, in the operator's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{what} {next}")]
pub struct ActionError {
    pub failure: Failure,
    /// What happened, to what, and why.
    pub what: String,
    /// What a person can do.
    pub next: String,
}

impl ActionError {
    pub fn transient(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { failure: Failure::Transient, what: what.into(), next: next.into() }
    }

    /// The provider did not answer; the work may have been done all the same.
    pub fn away(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { failure: Failure::Away, what: what.into(), next: next.into() }
    }

    pub fn permanent(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { failure: Failure::Permanent, what: what.into(), next: next.into() }
    }

    pub fn bug(what: impl Into<String>) -> Self {
        Self {
            failure: Failure::Bug,
            what: what.into(),
            next: "This is a fault of Gatehouse: report it with the run's number.".into(),
        }
    }
}
