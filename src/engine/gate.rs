//! What the house around the engine has to say: whether a run may begin, and what follows when it changes its state.
//! Both are asked inside the transaction that makes the change, so that neither can be outrun.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ids::RunId;
use domain::mail::Notice;
use domain::run::Run;
use domain::task::Wanted;
use store::{DbErr, Tx};

/// Whether a run may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// What allowed it no longer does; no outside system is called. Says why, in people's words.
    Closed(String),
}

/// What a step of a run tells people.
#[derive(Clone, Copy, Debug)]
pub struct Told<'t> {
    pub run: &'t Run,
    /// The step's key, `ready`.
    pub step: &'t str,
    pub notice: &'t Notice,
}

/// What a step of a run asks people for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'t> {
    pub run: &'t Run,
    /// The step's key, `inspect`.
    pub step: &'t str,
    pub wanted: &'t Wanted,
}

/// What a change of a run means for its request and its deployment.
#[async_trait]
pub trait Consequences: Send + Sync {
    /// Reads the approvals again, in the transaction that starts the run.
    async fn may_begin(&self, tx: &Tx, run: &Run) -> Result<Gate, DbErr>;

    /// The run has changed its state; what follows from it commits with it.
    async fn run_changed(&self, tx: &Tx, run: &Run, now: DateTime<Utc>) -> Result<(), DbErr>;

    /// A step of the run tells people something: the mails commit with the step. Says in a sentence who gets them.
    async fn tell(&self, tx: &Tx, told: Told<'_>, now: DateTime<Utc>) -> Result<String, DbErr>;

    /// A step of the run asks people for something: the task commits with the step, once however often it asks for the
    /// same. Says in a sentence what is new, if anything is.
    async fn ask(&self, tx: &Tx, asked: Asked<'_>, now: DateTime<Utc>) -> Result<Option<String>, DbErr>;

    /// What a step of the run asks people for is not needed any more, for this reason.
    async fn withdraw(&self, tx: &Tx, run: RunId, step: &str, why: &str, now: DateTime<Utc>) -> Result<(), DbErr>;
}
