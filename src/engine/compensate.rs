//! The walk back: what was built is taken back, last first, along the graph. It goes on past a step that could not
//! be taken back, so that one stuck object does not leave ten behind.

use std::sync::Arc;

use domain::step::StepState;

use crate::attempt::{Call, Finished};
use crate::circuit::Heard;
use crate::draft::Draft;
use crate::drive::{DriveError, Driver};
use crate::{ActionError, Outcome};

impl Driver {
    /// Starts to take back what may be taken back now. Calls that still build are waited for: what they make has to
    /// be known before it is removed.
    pub(crate) fn start_undoing(&mut self, draft: &mut Draft) -> Result<(), DriveError> {
        let builds = |at: &usize| self.held.steps[*at].state != StepState::Undoing;
        if self.in_flight.values().any(builds) {
            return Ok(());
        }
        // A step that is left as it is frees those before it at once.
        loop {
            let mut left = false;
            for at in self.undoable() {
                left |= self.start_undo(at, draft)?;
            }
            if !left {
                return Ok(());
            }
        }
    }

    fn undoable(&self) -> Vec<usize> {
        let (steps, now) = (&self.held.steps, self.now());
        let mut undoable = self.graph.ready_to_undo(steps);
        undoable.extend((0..steps.len()).filter(|&at| {
            let due = steps[at].wake_at.is_none_or(|due| due <= now);
            steps[at].state == StepState::Undoing && due && !self.is_in_flight(at)
        }));
        undoable
    }

    /// Starts to take back one step. True when there is nothing to do for it.
    fn start_undo(&mut self, at: usize, draft: &mut Draft) -> Result<bool, DriveError> {
        let now = self.now();
        if draft.calls.iter().any(|call| call.at == at) {
            return Ok(false);
        }
        if self.was_there_before(at) {
            let why = "It was there before this run, so it is left as it is.";
            draft.tell(now, Some(at), why);
            self.change(at, draft, |step| step.undo_started()?.undone(Some(why.to_owned()), now))?;
            return Ok(true);
        }
        let engine = self.engine.clone();
        let known = match engine.known(&self.held.run, at) {
            Ok(known) => known,
            Err(error) => {
                self.change(at, draft, |step| step.undo_started())?;
                self.fail_undo(at, &error, draft)?;
                return Ok(true);
            }
        };
        if self.is_full(draft) {
            return Ok(false);
        }
        let Some(pass) = self.pass(at, known.provider.as_ref(), draft)? else { return Ok(false) };
        let Some(place) = self.place(at, known.provider.as_deref(), draft)? else {
            drop(pass);
            return Ok(false);
        };
        if self.held.steps[at].state != StepState::Undoing || self.held.steps[at].attempt == 0 {
            draft.tell(now, Some(at), "Taking it back.");
        }
        self.change(at, draft, |step| Ok(step.undo_started()?.with_place(known.provider.as_deref())))?;
        let (work, longest) = (self.work(at), engine.0.settings.longest_call);
        let action = Arc::clone(&known.action);
        draft.calls.push(Call { at, action, name: known.signature.name, undo: true, work, longest, place, pass });
        Ok(false)
    }

    /// Whether the step only changed what an earlier run had made: only a failed create is ever cleaned up.
    fn was_there_before(&self, at: usize) -> bool {
        self.ledger_of(at).iter().any(|row| row.run != self.held.run.id)
    }

    /// Takes in what a call that takes back came to.
    pub(crate) fn take_in_undo(&mut self, finished: &Finished, draft: &mut Draft) -> Result<(), DriveError> {
        let (at, now) = (finished.at, self.now());
        match &finished.result {
            Ok(Outcome::Done(record)) => {
                self.change(at, draft, |step| step.undone(None, now))?;
                draft.tell(now, Some(at), "Taken back.");
                self.record(at, record, draft);
                Ok(())
            }
            Ok(Outcome::Wait { until, remember, why }) => {
                self.tell_wait(at, why, draft);
                self.change(at, draft, |step| step.waiting(*until, remember.clone(), why.clone()))
            }
            Ok(Outcome::Ask { .. }) => {
                self.fail_undo(at, &ActionError::bug("Taking it back asks people for something."), draft)
            }
            Err(error) => match &finished.heard {
                Heard::Away(outage) => self.wait_for(at, outage, error, draft),
                _ => self.fail_undo(at, error, draft),
            },
        }
    }

    fn fail_undo(&mut self, at: usize, error: &ActionError, draft: &mut Draft) -> Result<(), DriveError> {
        if self.try_again(at, error, draft)? {
            return Ok(());
        }
        let (now, why) = (self.now(), format!("{}{}", error.what, self.left_behind(at)));
        draft.tell(now, Some(at), format!("Could not be taken back. {why} {}", error.next));
        self.change(at, draft, |step| step.undo_failed(why, error.next.clone(), now))
    }

    /// The objects that are left, with their ids, so that a person can find them.
    fn left_behind(&self, at: usize) -> String {
        let object = |row: &domain::resource::Resource| {
            let id = row.native_id.as_deref().unwrap_or("id unknown");
            format!("{} {} ({id})", row.kind, row.name)
        };
        let objects: Vec<_> = self.ledger_of(at).iter().map(object).collect();
        if objects.is_empty() { String::new() } else { format!(" Left behind: {}.", objects.join(", ")) }
    }
}
