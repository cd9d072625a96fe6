//! One call of an action: bounded in time, and safe from what it may do wrong.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ports::clock::Clock;
use tokio::sync::mpsc;

use crate::circuit::{Heard, Pass};
use crate::place::Place;
use crate::{Action, ActionError, Outcome, StepLog, Work};

/// No line of a log is longer; more is cut off.
const LONGEST_LINE: usize = 4_000;

/// A call that is about to be made, or is under way.
pub(crate) struct Call {
    /// The step's place in the workflow.
    pub(crate) at: usize,
    pub(crate) action: Arc<dyn Action>,
    pub(crate) name: &'static str,
    pub(crate) undo: bool,
    pub(crate) work: Work,
    pub(crate) longest: Duration,
    /// Kept until the call has returned.
    pub(crate) place: Place,
    pub(crate) pass: Pass,
}

/// What a call came to.
pub(crate) struct Finished {
    pub(crate) at: usize,
    pub(crate) result: Result<Outcome, ActionError>,
    /// What it says of its provider.
    pub(crate) heard: Heard,
}

impl Call {
    /// Calls the action. One that does not return in time counts as failed for now: its object may exist, and the
    /// next try finds it by its key.
    pub(crate) async fn make(self) -> Finished {
        let Self { at, action, name, undo, work, longest, place, pass } = self;
        let call = async { if undo { action.undo(&work).await } else { action.run(&work).await } };
        let result = match tokio::time::timeout(longest, call).await {
            Ok(result) => result,
            Err(_) => Err(ActionError::away(
                format!("`{name}` has not returned within {} s.", longest.as_secs()),
                "It is tried again; if it happens again, look whether the system it calls answers.",
            )),
        };
        let heard = pass.heard(&result);
        drop(place);
        Finished { at, result, heard }
    }
}

/// What a call that panicked came to.
pub(crate) fn panicked(at: usize, cause: &tokio::task::JoinError) -> Finished {
    tracing::error!(%cause, "an action panicked");
    let result = Err(ActionError::bug("The action broke down in the middle of its work."));
    Finished { at, result, heard: Heard::Nothing }
}

/// A line that an action said.
pub(crate) struct Said {
    pub(crate) at: usize,
    pub(crate) time: DateTime<Utc>,
    pub(crate) line: String,
}

/// Brings what an action says to the worker that drives its run.
pub(crate) struct Mouth {
    pub(crate) at: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) to: mpsc::UnboundedSender<Said>,
}

impl StepLog for Mouth {
    fn say(&self, mut line: String) {
        if let Some((end, _)) = line.char_indices().nth(LONGEST_LINE) {
            line.truncate(end);
        }
        // A worker that lost the run no longer listens; the next one hears the action say it again.
        let _ = self.to.send(Said { at: self.at, time: self.clock.now(), line });
    }
}
