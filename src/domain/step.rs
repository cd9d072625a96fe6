//! One node of a run: where it stands, what it was given, what it returned. Its transitions consume and return it, so
//! that no state is reached that the rules do not know.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::RunId;
use crate::reading::{Meaning, Reading};

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Waits for the steps that it needs.
    Pending,
    /// Could start; waits for a free place at its provider or its worker.
    Ready,
    /// Its action is being called.
    Running,
    /// Its action asked to be called again later.
    Waiting,
    /// A transient failure; it is tried again later.
    Retrying,
    Done,
    /// Its condition did not hold, or a person skipped it.
    Skipped,
    /// Failed for good; a person decides.
    Failed,
    /// Is being taken back.
    Undoing,
    Undone,
    /// Could not be taken back; a person decides.
    UndoFailed,
}

impl StepState {
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Ready,
        Self::Running,
        Self::Waiting,
        Self::Retrying,
        Self::Done,
        Self::Skipped,
        Self::Failed,
        Self::Undoing,
        Self::Undone,
        Self::UndoFailed,
    ];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::UndoFailed => "undo_failed",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// How it reads. A step that waits for an outside system is at work: nobody has to act.
    pub const fn reads(self) -> Reading {
        let (label, meaning) = match self {
            Self::Pending => ("To do", Meaning::Idle),
            Self::Ready => ("Ready", Meaning::Idle),
            Self::Running | Self::Waiting => ("Running", Meaning::Running),
            Self::Retrying => ("Trying again", Meaning::Running),
            Self::Done => ("Done", Meaning::Done),
            Self::Skipped => ("Skipped", Meaning::Idle),
            Self::Failed => ("Failed", Meaning::Failed),
            Self::Undoing => ("Being taken back", Meaning::Running),
            Self::Undone => ("Taken back", Meaning::Idle),
            Self::UndoFailed => ("Could not be taken back", Meaning::Failed),
        };
        Reading::new(self.word(), label, meaning)
    }

    /// Whether steps that need this one may start.
    pub const fn lets_others_go_on(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }

    /// Whether there may be something to take back.
    pub(crate) const fn may_be_undone(self) -> bool {
        matches!(
            self,
            Self::Ready | Self::Running | Self::Waiting | Self::Retrying | Self::Done | Self::Skipped | Self::Failed
        )
    }
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub run: RunId,
    /// Place in the run's workflow, from 0.
    pub position: usize,
    pub key: String,
    pub state: StepState,
    /// How often its action was called in its present direction, waits that went on not counted.
    pub attempt: u32,
    /// Transient failures in a row.
    pub failures: u32,
    /// The resolved input of the last call, or what an operator gave for the next.
    pub input: Option<Value>,
    /// Whether an operator gave the input, so that it is not resolved anew.
    pub edited: bool,
    pub output: Option<Value>,
    /// What the action asked to remember while it waits.
    pub remembered: Option<Value>,
    /// What it asked to remember before a person had it tried again: it may have changed something by then.
    pub remembered_before: Option<Value>,
    /// When it is called again while it waits or retries.
    pub wake_at: Option<DateTime<Utc>>,
    /// The provider that is away and for which it waits; it is called as soon as that answers.
    pub waits_for: Option<String>,
    /// Its place among the calls that go on side by side.
    pub place: Option<Place>,
    /// Why it waits, failed or was skipped, in people's words.
    pub why: Option<String>,
    /// What a person can do about a failure.
    pub advice: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A place for a call: only so many go on side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The provider's key, or `worker` where it is the worker that has none free.
    pub provider: String,
    /// Since when it waits for one; nothing while its call has it.
    pub waits_since: Option<DateTime<Utc>>,
}

/// The step is in a state from which this can't happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the step `{key}` is {}, so it can't be {wanted}", state.word())]
pub struct InvalidTransition {
    pub key: String,
    pub state: StepState,
    pub wanted: &'static str,
}

impl Step {
    /// A step that nothing happened to yet.
    pub fn new(run: RunId, position: usize, key: String) -> Self {
        Self {
            run,
            position,
            key,
            state: StepState::Pending,
            attempt: 0,
            failures: 0,
            input: None,
            edited: false,
            output: None,
            remembered: None,
            remembered_before: None,
            wake_at: None,
            waits_for: None,
            place: None,
            why: None,
            advice: None,
            started_at: None,
            ended_at: None,
        }
    }

    /// Whether its action was ever called, so that something of it may exist outside.
    pub fn has_begun(&self) -> bool {
        self.started_at.is_some()
    }

    /// Its call has a place; one without a provider takes none of anybody's.
    #[must_use]
    pub fn with_place(self, provider: Option<&str>) -> Self {
        let place = provider.map(|provider| Place { provider: provider.to_owned(), waits_since: None });
        Self { place, ..self }
    }

    /// There is no place free for its call, and it waits for one.
    #[must_use]
    pub fn without_place(self, provider: &str, now: DateTime<Utc>) -> Self {
        let since = self.place.and_then(|place| place.waits_since).unwrap_or(now);
        Self { place: Some(Place { provider: provider.to_owned(), waits_since: Some(since) }), ..self }
    }

    /// All that it needs is done, but there is no place free for it.
    pub fn released(self) -> Result<Self, InvalidTransition> {
        self.only_from(&[StepState::Pending, StepState::Ready], "released")?;
        Ok(Self { state: StepState::Ready, ..self })
    }

    /// Its action is about to be called with this input; again, where a worker died during the call before.
    pub fn started(self, input: Value, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        use StepState::{Pending, Ready, Retrying, Running, Waiting};
        self.only_from(&[Pending, Ready, Running, Waiting, Retrying], "started")?;
        let attempt = if self.state == Waiting { self.attempt } else { self.attempt + 1 };
        // What it waited for is said once, however often it looks.
        let why = self.why.clone().filter(|_| self.state == Waiting || self.waits_for.is_some());
        let started_at = self.started_at.or(Some(now));
        let step = Self { state: StepState::Running, attempt, input: Some(input), started_at, wake_at: None, ..self };
        Ok(Self { waits_for: None, why, advice: None, ended_at: None, ..step })
    }

    /// Its action asked to be called again.
    pub fn waiting(self, until: DateTime<Utc>, remember: Value, why: String) -> Result<Self, InvalidTransition> {
        self.only_from(&[StepState::Running, StepState::Undoing], "waiting")?;
        let state = if self.state == StepState::Running { StepState::Waiting } else { StepState::Undoing };
        Ok(Self { state, failures: 0, remembered: Some(remember), wake_at: Some(until), why: Some(why), ..self })
    }

    /// It failed in a way that may pass, and is tried again then.
    pub fn retrying(self, at: DateTime<Utc>, why: String) -> Result<Self, InvalidTransition> {
        self.only_from(&[StepState::Running, StepState::Undoing], "tried again")?;
        let state = if self.state == StepState::Running { StepState::Retrying } else { StepState::Undoing };
        Ok(Self { state, failures: self.failures + 1, wake_at: Some(at), why: Some(why), ..self })
    }

    /// The provider that it needs is away: it waits until that answers, or until then to see for itself. That costs
    /// none of its attempts, and those that it lost to the outage before are given back.
    pub fn waiting_for(self, provider: &str, until: DateTime<Utc>, why: String) -> Result<Self, InvalidTransition> {
        use StepState::{Pending, Ready, Retrying, Running, Undoing, Waiting};
        self.only_from(&[Pending, Ready, Running, Waiting, Retrying, Undoing], "left waiting for a provider")?;
        let state = if self.state == Undoing { Undoing } else { Retrying };
        let step = Self { state, failures: 0, wake_at: Some(until), why: Some(why), ..self };
        Ok(Self { waits_for: Some(provider.to_owned()), ..step })
    }

    /// The same for a step that is to be taken back, and whose undo was perhaps never called yet.
    pub fn undo_waiting_for(
        self,
        provider: &str,
        until: DateTime<Utc>,
        why: String,
    ) -> Result<Self, InvalidTransition> {
        let begun = self.state == StepState::Undoing;
        let step = if begun { self } else { Self { attempt: 0, ..self.undo_started()? } };
        step.waiting_for(provider, until, why)
    }

    /// That provider answers again: it is called now.
    pub fn answered(self, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[StepState::Retrying, StepState::Undoing], "called again")?;
        Ok(Self { waits_for: None, wake_at: Some(now), why: None, ..self })
    }

    pub fn done(self, output: Value, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[StepState::Running], "done")?;
        Ok(Self { state: StepState::Done, output: Some(output), failures: 0, ..self.settled(now) })
    }

    /// Somebody did what it asked people for: it is done with this output, wherever on its way it is.
    pub fn fulfilled(self, output: Value, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        use StepState::{Pending, Ready, Retrying, Running, Waiting};
        self.only_from(&[Pending, Ready, Running, Waiting, Retrying], "done by a person")?;
        let step = Self { state: StepState::Done, output: Some(output), failures: 0, ..self.settled(now) };
        Ok(Self { waits_for: None, ..step })
    }

    /// It failed for good, while it ran or before its input could even be made.
    pub fn failed(self, why: String, advice: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        use StepState::{Pending, Ready, Retrying, Running, Waiting};
        self.only_from(&[Pending, Ready, Running, Waiting, Retrying], "failed")?;
        let step = Self { state: StepState::Failed, ended_at: Some(now), wake_at: None, waits_for: None, ..self };
        Ok(Self { why: Some(why), advice: Some(advice), ..step })
    }

    /// Its condition does not hold, or a person skips it and gives by hand what it would have returned.
    pub fn skipped(self, why: String, output: Option<Value>, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        use StepState::{Failed, Pending, Ready, Retrying, Waiting};
        self.only_from(&[Pending, Ready, Waiting, Retrying, Failed], "skipped")?;
        Ok(Self {
            state: StepState::Skipped,
            output,
            why: Some(why),
            advice: None,
            wake_at: None,
            waits_for: None,
            ended_at: Some(now),
            ..self
        })
    }

    /// A person wants it tried again, with this input if he gave one.
    pub fn tried_again(self, input: Option<Value>) -> Result<Self, InvalidTransition> {
        use StepState::{Failed, Retrying, Waiting};
        self.only_from(&[Failed, Retrying, Waiting], "tried again")?;
        let edited = self.edited || input.is_some();
        let input = input.or(self.input.clone());
        let remembered_before = self.remembered.clone().or(self.remembered_before.clone());
        let step = Self { state: StepState::Pending, input, edited, failures: 0, remembered: None, ..self };
        Ok(Self { remembered_before, wake_at: None, waits_for: None, why: None, advice: None, ended_at: None, ..step })
    }

    /// Its undo is about to be called, for the first time or again.
    pub fn undo_started(self) -> Result<Self, InvalidTransition> {
        if self.state == StepState::Undoing {
            let why = self.why.clone().filter(|_| self.waits_for.is_some());
            return Ok(Self { attempt: self.attempt + 1, wake_at: None, waits_for: None, why, ..self });
        }
        if !self.state.may_be_undone() && self.state != StepState::UndoFailed {
            return Err(self.refuse("taken back"));
        }
        // What it remembers stays: a step that stopped on its way is taken back by what it knows of that way.
        let step = Self { state: StepState::Undoing, attempt: 1, failures: 0, wake_at: None, ..self };
        Ok(Self { waits_for: None, why: None, advice: None, ended_at: None, ..step })
    }

    /// Nothing of it is left.
    pub fn undone(self, why: Option<String>, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[StepState::Undoing, StepState::UndoFailed], "undone")?;
        Ok(Self { state: StepState::Undone, why, ..self.settled(now) })
    }

    /// It could not be taken back.
    pub fn undo_failed(self, why: String, advice: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[StepState::Undoing], "given up")?;
        Ok(Self {
            state: StepState::UndoFailed,
            why: Some(why),
            advice: Some(advice),
            ended_at: Some(now),
            wake_at: None,
            ..self
        })
    }

    fn settled(self, now: DateTime<Utc>) -> Self {
        let step = Self { remembered: None, remembered_before: None, ..self };
        Self { wake_at: None, why: None, advice: None, ended_at: Some(now), ..step }
    }

    fn only_from(&self, states: &[StepState], wanted: &'static str) -> Result<(), InvalidTransition> {
        if states.contains(&self.state) { Ok(()) } else { Err(self.refuse(wanted)) }
    }

    fn refuse(&self, wanted: &'static str) -> InvalidTransition {
        InvalidTransition { key: self.key.clone(), state: self.state, wanted }
    }
}
