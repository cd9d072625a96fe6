//! The moves of a run that goes forward: what is started, what a finished call comes to, where the run then stands.

use std::sync::Arc;

use domain::resource::{LedgerChange, Resource, ResourceState, Tie};
use domain::run::{Cancel, InvalidTransition, Run, RunState};
use domain::step::{self, Step, StepState};
use domain::workflow::Standing;
use serde_json::Value;
use store::job::Rank;

use crate::attempt::{Call, Finished, Mouth};
use crate::circuit::Heard;
use crate::draft::{Draft, Rest};
use crate::drive::{DriveError, Driver};
use crate::input::{self, Input};
use crate::place::{Claim, Place};
use crate::queue;
use crate::retry::{self, Verdict};
use crate::{Action, ActionError, Outcome, Record, Work};

/// No output is larger, in bytes of JSON: it is kept with the run and read by every step after it.
pub(crate) const LARGEST_OUTPUT: usize = 256 * 1024;

impl Driver {
    /// Starts what can be started and says where the run then stands.
    pub(crate) fn advance(&mut self, draft: &mut Draft) -> Result<(), DriveError> {
        self.wants.clear();
        if draft.let_go.is_none() {
            self.make_moves(draft)?;
        }
        self.engine.0.places.wait_only_at(self.held.run.id, &self.wants);
        Ok(())
    }

    fn make_moves(&mut self, draft: &mut Draft) -> Result<(), DriveError> {
        if !self.stopping {
            self.end_waits(draft)?;
            match (self.held.run.state, self.held.run.takes_back()) {
                (_, true) => self.start_undoing(draft)?,
                (RunState::Cancelling, false) => {}
                _ => while self.start_ready(draft)? {},
            }
        }
        self.come_to_rest(draft)
    }

    /// Starts the steps that are ready, as far as there are places. True when a step was skipped, so that others may
    /// have become ready.
    fn start_ready(&mut self, draft: &mut Draft) -> Result<bool, DriveError> {
        let mut skipped = false;
        for at in self.startable(draft) {
            skipped |= self.start(at, draft)?;
        }
        Ok(skipped)
    }

    fn startable(&self, draft: &Draft) -> Vec<usize> {
        let (steps, now) = (&self.held.steps, self.now());
        let mut startable = self.graph.ready(steps);
        let failed = steps.iter().any(|step| step.state == StepState::Failed);
        startable.extend((0..steps.len()).filter(|&at| match steps[at].state {
            // Its worker died during the call; whatever else failed, it has to be found out what became of it.
            StepState::Running => !self.is_called(at, draft),
            StepState::Waiting | StepState::Retrying => !failed && steps[at].wake_at.is_none_or(|due| due <= now),
            _ => false,
        }));
        startable.sort_unstable();
        startable
    }

    /// Starts one step. True when it was skipped.
    fn start(&mut self, at: usize, draft: &mut Draft) -> Result<bool, DriveError> {
        let now = self.now();
        let input = match self.input(at) {
            Ok(Input::Call(input)) => input,
            Ok(Input::Skip(why)) => {
                draft.tell(now, Some(at), format!("Skipped. {why}"));
                self.change(at, draft, |step| step.skipped(why, None, now))?;
                return Ok(true);
            }
            Ok(Input::Wrong(why)) => {
                let error = ActionError::permanent(why, "Correct the input and try again.");
                self.fail(at, &error, draft)?;
                return Ok(false);
            }
            Err(error) => {
                self.fail(at, &error, draft)?;
                return Ok(false);
            }
        };
        if self.is_full(draft) {
            return self.release(at, draft);
        }
        let engine = self.engine.clone();
        let Ok(known) = engine.known(&self.held.run, at) else { return Ok(false) };
        let Some(pass) = self.pass(at, known.provider.as_ref(), draft)? else { return Ok(false) };
        let Some(place) = self.place(at, known.provider.as_deref(), draft)? else {
            drop(pass);
            return self.release(at, draft);
        };
        let step = &self.held.steps[at];
        let waited = step.state == StepState::Waiting || (step.waits_for.is_some() && step.has_begun());
        self.change(at, draft, |step| Ok(step.started(input, now)?.with_place(known.provider.as_deref())))?;
        let undo = self.held.run.workflow[at].takes_back.is_some();
        let mut work = self.work(at);
        if !undo {
            if let Err(error) = self.intend(at, known.action.as_ref(), &work, draft) {
                self.fail(at, &error, draft)?;
                return Ok(false);
            }
            work.ledger = self.ledger_of(at);
        }
        if !waited {
            let first = if undo { "Taking it back." } else { "Started." };
            draft.tell(now, Some(at), if work.attempt > 1 { "Started again." } else { first });
        }
        let longest = engine.0.settings.longest_call;
        let action = Arc::clone(&known.action);
        draft.calls.push(Call { at, action, name: known.signature.name, undo, work, longest, place, pass });
        Ok(false)
    }

    /// The step's input, if the action is known and takes it.
    fn input(&self, at: usize) -> Result<Input, ActionError> {
        let action = &self.held.run.workflow[at].action;
        let known = self.engine.known(&self.held.run, at)?;
        let input = input::resolve(&self.held.run, &self.held.steps, at);
        if let Input::Call(value) = &input
            && self.held.run.workflow[at].takes_back.is_none()
        {
            let mistakes = known.input.mistakes(value);
            if !mistakes.is_empty() {
                let list: Vec<_> =
                    mistakes.iter().map(|mistake| format!("{} {}", mistake.field, mistake.message)).collect();
                return Ok(Input::Wrong(format!("The input does not fit `{action}`: {}.", list.join("; "))));
            }
        }
        Ok(input)
    }

    /// A place for the call of a step; none when there is none free, or others are before it.
    pub(crate) fn place(
        &mut self,
        at: usize,
        provider: Option<&str>,
        draft: &mut Draft,
    ) -> Result<Option<Place>, DriveError> {
        let run = &self.held.run;
        let urgent = queue::rank(run.kind, run.state) == Rank::Urgent;
        let claim = Claim { run: run.id, project: run.project, urgent };
        let name = match self.engine.0.places.take(provider, claim) {
            Ok(place) => return Ok(Some(place)),
            Err(name) => name,
        };
        if self.held.steps[at].place.as_ref().is_none_or(|place| place.waits_since.is_none()) {
            let now = self.now();
            self.change(at, draft, |step| Ok(step.without_place(&name, now)))?;
        }
        self.wants.push(name);
        Ok(None)
    }

    fn release(&mut self, at: usize, draft: &mut Draft) -> Result<bool, DriveError> {
        if self.held.steps[at].state == StepState::Pending {
            self.change(at, draft, Step::released)?;
        }
        Ok(false)
    }

    pub(crate) fn is_full(&self, draft: &Draft) -> bool {
        self.in_flight.len() + draft.calls.len() >= self.engine.0.settings.steps_per_run
    }

    /// Whether its call is under way, or is made when the draft is written.
    fn is_called(&self, at: usize, draft: &Draft) -> bool {
        self.is_in_flight(at) || draft.calls.iter().any(|call| call.at == at)
    }

    pub(crate) fn is_in_flight(&self, at: usize) -> bool {
        self.in_flight.values().any(|&running| running == at)
    }

    /// What the action gets to know of the step.
    pub(crate) fn work(&self, at: usize) -> Work {
        let (run, step, planned) = (&self.held.run, &self.held.steps[at], &self.held.run.workflow[at]);
        let before = planned.takes_back.as_ref();
        Work {
            run: run.id,
            deployment: run.deployment,
            project: run.project,
            site: run.site.clone(),
            step_key: planned.object_key().to_owned(),
            key: run.object_key(at),
            input: step.input.clone().or_else(|| before.map(|before| before.input.clone())).unwrap_or(Value::Null),
            output: step.output.clone().or_else(|| before.and_then(|before| before.output.clone())),
            ledger: self.ledger_of(at),
            remembered: step.remembered.clone(),
            remembered_before: step.remembered_before.clone(),
            attempt: step.attempt,
            now: self.now(),
            log: Arc::new(Mouth { at, clock: Arc::clone(&self.engine.0.clock), to: self.mouth.clone() }),
        }
    }

    pub(crate) fn ledger_of(&self, at: usize) -> Vec<Resource> {
        let key = self.held.run.workflow[at].object_key();
        self.held.ledger.iter().filter(|row| row.step_key == key).cloned().collect()
    }

    /// Puts into the ledger what the step is about to make, and what it and the objects that it changes lean on.
    fn intend(&mut self, at: usize, action: &dyn Action, work: &Work, draft: &mut Draft) -> Result<(), ActionError> {
        let (intents, ties) = (action.intend(work)?, action.ties(work)?);
        for intent in intents {
            if let Some(row) = self.held.ledger.iter_mut().find(|row| row.key == intent.key) {
                // Nothing bears the name yet, and an operator may have given another one.
                if row.state == ResourceState::Intended && row.name != intent.name {
                    row.name.clone_from(&intent.name);
                    draft.leaning.insert(row.id);
                }
                self.tie(at, &Tie { key: intent.key, to: Vec::new() }, draft);
                continue;
            }
            let row = Resource {
                id: store::fresh_id(),
                deployment: self.held.run.deployment,
                run: self.held.run.id,
                step_key: self.held.steps[at].key.clone(),
                key: intent.key,
                kind: intent.kind,
                provider: intent.provider,
                name: intent.name,
                native_id: None,
                attributes: Value::Null,
                state: ResourceState::Intended,
                made_on: Some(self.ground(at)),
                tied_to: Vec::new(),
                intended_at: self.now(),
                live_at: None,
                gone_at: None,
            };
            self.held.ledger.push(row.clone());
            draft.intents.push(row);
        }
        ties.iter().for_each(|tie| self.tie(at, tie, draft));
        Ok(())
    }

    /// Takes in what a call came to.
    pub(crate) fn take_in(&mut self, finished: &Finished, draft: &mut Draft) -> Result<(), DriveError> {
        let at = finished.at;
        self.change(at, draft, |step| Ok(step.with_place(None)))?;
        if self.held.steps[at].state == StepState::Undoing {
            return self.take_in_undo(finished, draft);
        }
        if self.held.steps[at].state != StepState::Running {
            // People did what it asked for while it was called once more.
            return Ok(());
        }
        let now = self.now();
        match &finished.result {
            Ok(Outcome::Done(record)) => match self.refuse_record(at, record) {
                Some(bug) => self.fail(at, &bug, draft),
                None => {
                    self.change(at, draft, |step| step.done(record.output.clone(), now))?;
                    let undone = self.held.run.workflow[at].takes_back.is_some();
                    draft.tell(now, Some(at), if undone { "Taken back." } else { "Done." });
                    self.record(at, record, draft);
                    self.settle_ties(at, draft);
                    Ok(())
                }
            },
            Ok(Outcome::Wait { until, remember, why }) => {
                self.tell_wait(at, why, draft);
                self.change(at, draft, |step| step.waiting(*until, remember.clone(), why.clone()))
            }
            Ok(Outcome::Ask { wanted, until, remember, why }) => {
                // A run that is cancelled has withdrawn what it asked for, and asks nobody anew.
                if self.held.run.state != RunState::Cancelling {
                    self.tell_wait(at, why, draft);
                    draft.asks.push((at, (**wanted).clone()));
                }
                self.change(at, draft, |step| step.waiting(*until, remember.clone(), why.clone()))
            }
            Err(error) => match &finished.heard {
                Heard::Away(outage) => self.wait_for(at, outage, error, draft),
                _ => self.fail(at, error, draft),
            },
        }
    }

    /// Says why the step waits, unless that was said before.
    pub(crate) fn tell_wait(&self, at: usize, why: &String, draft: &mut Draft) {
        if self.held.steps[at].why.as_ref() != Some(why) {
            draft.tell(self.now(), Some(at), format!("Waits: {why}"));
        }
    }

    /// What is wrong with what an action wants recorded, if anything is.
    fn refuse_record(&self, at: usize, record: &Record) -> Option<ActionError> {
        let planned = &self.held.run.workflow[at];
        let known = self.engine.known(&self.held.run, at).ok()?;
        let size = record.output.to_string().len();
        if size > LARGEST_OUTPUT {
            let what = format!(
                "`{}` returned {} KB; an output has {} KB at most.",
                planned.action,
                size.div_ceil(1024),
                LARGEST_OUTPUT / 1024
            );
            return Some(ActionError::bug(what));
        }
        let mistakes = known.output.mistakes(&record.output);
        if planned.takes_back.is_none()
            && let Some(mistake) = mistakes.first()
        {
            let what = format!("`{}` returned what it does not promise: {}", planned.action, mistake.message);
            return Some(ActionError::bug(what));
        }
        let unknown = record.ledger.iter().find(|change| !self.knows(change))?.key();
        Some(ActionError::bug(format!("`{}` made `{unknown}` without having said so before.", planned.action)))
    }

    fn knows(&self, change: &LedgerChange) -> bool {
        match change {
            LedgerChange::Live { key, .. } => self.held.ledger.iter().any(|row| row.key == *key),
            LedgerChange::Gone { .. } => true,
        }
    }

    pub(crate) fn record(&mut self, at: usize, record: &Record, draft: &mut Draft) {
        for change in &record.ledger {
            self.remember(change);
        }
        draft.ledger.extend(record.ledger.iter().cloned());
        draft.notices.extend(record.notices.iter().map(|notice| (at, notice.clone())));
        if !record.cis.is_empty() {
            draft.cis.push((at, record.cis.clone()));
        }
    }

    /// A failure: tried again later, or left to a person.
    fn fail(&mut self, at: usize, error: &ActionError, draft: &mut Draft) -> Result<(), DriveError> {
        if self.try_again(at, error, draft)? {
            return Ok(());
        }
        let now = self.now();
        draft.tell(now, Some(at), format!("Failed. {error}"));
        self.change(at, draft, |step| step.failed(error.what.clone(), error.next.clone(), now))
    }

    /// Lets a step that failed be tried again later, if its policy says so. False when it is given up.
    pub(crate) fn try_again(&mut self, at: usize, error: &ActionError, draft: &mut Draft) -> Result<bool, DriveError> {
        let settings = &self.engine.0.settings;
        let policy = self.held.run.workflow[at].planned.retry.unwrap_or(settings.retry);
        let verdict = retry::decide(error, self.held.steps[at].failures, &policy, (settings.chance)());
        let Verdict::TryAgain { after } = verdict else { return Ok(false) };
        let now = self.now();
        draft.tell(now, Some(at), format!("{} Tried again in {} s.", error.what, after.num_seconds()));
        self.change(at, draft, |step| step.retrying(now + after, error.what.clone()))?;
        Ok(true)
    }

    /// Says where the run stands when nothing is under way. Then none of its steps waits for a place.
    fn come_to_rest(&mut self, draft: &mut Draft) -> Result<(), DriveError> {
        if !self.in_flight.is_empty() || !draft.calls.is_empty() {
            return Ok(());
        }
        self.say_where_it_stands(draft)?;
        if draft.let_go.is_some() {
            for at in 0..self.held.steps.len() {
                if self.held.steps[at].place.is_some() {
                    self.change(at, draft, |step| Ok(step.with_place(None)))?;
                }
            }
        }
        Ok(())
    }

    fn say_where_it_stands(&mut self, draft: &mut Draft) -> Result<(), DriveError> {
        let (run, steps, now) = (&self.held.run, &self.held.steps, self.now());
        if run.takes_back() || run.state == RunState::Cancelling {
            return self.come_to_rest_undone(draft);
        }
        match self.graph.standing(steps, now) {
            Standing::Working if self.stopping => draft.let_go = Some(Rest::Until(now)),
            Standing::Working => {}
            Standing::Waiting { until } => {
                self.change_run(draft, Run::waiting)?;
                draft.let_go = Some(Rest::Until(until));
            }
            Standing::Failed => {
                let why = self.what_failed(StepState::Failed);
                draft.tell(now, None, format!("Paused: {why}"));
                self.change_run(draft, |run| run.paused(why, now))?;
                draft.let_go = Some(Rest::Open);
            }
            Standing::Finished => {
                draft.tell(now, None, "Done.");
                self.change_run(draft, |run| run.done(now))?;
                draft.let_go = Some(Rest::Open);
            }
        }
        Ok(())
    }

    /// Where a run that is taken back, or stopped, stands when nothing is under way.
    fn come_to_rest_undone(&mut self, draft: &mut Draft) -> Result<(), DriveError> {
        let now = self.now();
        if self.held.run.cancel == Some(Cancel::Stop) && !self.held.run.takes_back() {
            draft.tell(now, None, "Stopped. What was built stays.");
            self.change_run(draft, |run| run.taken_back(now))?;
            draft.let_go = Some(Rest::Open);
            return Ok(());
        }
        match self.graph.standing_of_undo(&self.held.steps, now) {
            Standing::Working if self.stopping => draft.let_go = Some(Rest::Until(now)),
            Standing::Working => {}
            Standing::Waiting { until } => draft.let_go = Some(Rest::Until(until)),
            Standing::Failed => {
                let why = self.what_failed(StepState::UndoFailed);
                draft.tell(now, None, format!("Stuck: {why}"));
                self.change_run(draft, |run| run.stuck(why, now))?;
                draft.let_go = Some(Rest::Open);
            }
            Standing::Finished => {
                draft.tell(now, None, self.held.run.kind.taken_back());
                self.change_run(draft, |run| run.taken_back(now))?;
                draft.let_go = Some(Rest::Open);
            }
        }
        Ok(())
    }

    /// Which steps failed and why, in one sentence.
    fn what_failed(&self, state: StepState) -> String {
        let failed: Vec<_> = self.held.steps.iter().filter(|step| step.state == state).collect();
        let first = failed.first().and_then(|step| step.why.clone()).unwrap_or_default();
        match failed.len() {
            0 | 1 => first,
            more => format!("{first} And {} more.", more - 1),
        }
    }

    pub(crate) fn change(
        &mut self,
        at: usize,
        draft: &mut Draft,
        transition: impl FnOnce(Step) -> Result<Step, step::InvalidTransition>,
    ) -> Result<(), DriveError> {
        self.held.steps[at] = transition(self.held.steps[at].clone())?;
        draft.steps.insert(at);
        Ok(())
    }

    pub(crate) fn change_run(
        &mut self,
        draft: &mut Draft,
        transition: impl FnOnce(Run) -> Result<Run, InvalidTransition>,
    ) -> Result<(), DriveError> {
        let before = self.held.run.state;
        self.held.run = transition(self.held.run.clone())?;
        if self.held.run.state != before {
            draft.left = Some(before);
        }
        Ok(())
    }
}
