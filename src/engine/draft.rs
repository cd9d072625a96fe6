//! What one transaction of a run will write, gathered before it is opened.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::ci::CiChange;
use domain::ids::ResourceId;
use domain::mail::Notice;
use domain::resource::{LedgerChange, Resource};
use domain::run::{EventKind, RunEvent, RunState};
use domain::task::Wanted;
use serde_json::Value;

use crate::attempt::Call;

/// One event to be, without the number that it gets when it is written.
pub(crate) struct Line {
    pub(crate) at: DateTime<Utc>,
    /// The step's place in the workflow; none for the run itself.
    pub(crate) step: Option<usize>,
    pub(crate) kind: EventKind,
    pub(crate) line: String,
    pub(crate) detail: Option<Value>,
}

/// What a turn of a drive changes.
#[derive(Default)]
pub(crate) struct Draft {
    /// Places of the steps that changed.
    pub(crate) steps: BTreeSet<usize>,
    pub(crate) lines: Vec<Line>,
    /// Ledger rows for the calls to come.
    pub(crate) intents: Vec<Resource>,
    /// Rows of which it changed what they are called or lean on.
    pub(crate) leaning: BTreeSet<ResourceId>,
    pub(crate) ledger: Vec<LedgerChange>,
    /// What the CMDB gets to know, by the step it comes from.
    pub(crate) cis: Vec<(usize, Vec<CiChange>)>,
    /// What people are told, by the step that tells it.
    pub(crate) notices: Vec<(usize, Notice)>,
    /// What people are asked for, by the step that asks.
    pub(crate) asks: Vec<(usize, Wanted)>,
    /// Made when all this is committed.
    pub(crate) calls: Vec<Call>,
    /// The worker lets go of the run; when somebody looks at it again, if anybody.
    pub(crate) let_go: Option<Rest>,
    /// The state that the run leaves.
    pub(crate) left: Option<RunState>,
}

/// How long a run that is let go may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Until a person moves it on, or for good.
    Open,
    Until(DateTime<Utc>),
}

impl Draft {
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.lines.is_empty() && self.let_go.is_none() && self.left.is_none()
    }

    pub(crate) fn tell(&mut self, at: DateTime<Utc>, step: Option<usize>, line: impl Into<String>) {
        let kind = if step.is_some() { EventKind::Step } else { EventKind::Run };
        self.lines.push(Line { at, step, kind, line: line.into(), detail: None });
    }
}

impl Line {
    pub(crate) fn numbered(&self, number: i64, run: &domain::run::Run) -> RunEvent {
        RunEvent {
            run: run.id,
            number,
            at: self.at,
            step_key: self.step.map(|at| run.workflow[at].planned.key.clone()),
            kind: self.kind,
            line: self.line.clone(),
            detail: self.detail.clone(),
        }
    }
}
