//! Tells the log what happens to a run, in spans that bear the ids of the run and of its step.

use domain::run::{EventKind, Run, RunEvent};
use tracing::{Span, debug, info, info_span, warn};

use crate::draft::Draft;
use crate::drive::Driver;

/// What is logged within it belongs to this run.
pub(crate) fn run_span(run: &Run) -> Span {
    let request = run.request.map(|request| request.to_string());
    info_span!("run", run = %run.id, deployment = %run.deployment, request)
}

impl Driver {
    /// What is logged within it belongs to the step at this place.
    pub(crate) fn step_span(&self, at: usize) -> Span {
        let step = &self.held.run.workflow[at];
        info_span!(parent: &self.span, "step", step = step.planned.key, action = step.action)
    }

    /// Counts and logs what was committed.
    pub(crate) fn log(&self, draft: &Draft, events: &[RunEvent]) {
        for &at in &draft.steps {
            self.engine.0.counter.count(&self.held.run.workflow[at].action, &self.held.steps[at]);
        }
        for event in events {
            let place = |key: &String| self.held.steps.iter().position(|step| step.key == *key);
            match event.step_key.as_ref().and_then(place) {
                Some(at) => self.step_span(at).in_scope(|| self.tell_of_step(at, event)),
                None => self.span.in_scope(|| self.tell_of_run(event)),
            }
        }
    }

    fn tell_of_step(&self, at: usize, event: &RunEvent) {
        let step = &self.held.steps[at];
        match event.kind {
            // What an action says on its way is kept with the run; the log gets it on request.
            EventKind::Said => debug!("{}", event.line),
            _ => info!(state = step.state.word(), attempt = step.attempt, "step: {}", event.line),
        }
    }

    fn tell_of_run(&self, event: &RunEvent) {
        let run = &self.held.run;
        let state = run.state.word();
        if run.state.needs_a_person() {
            return warn!(state, "run: {}", event.line);
        }
        let seconds = run.ended_at.zip(run.started_at).map(|(to, from)| (to - from).as_seconds_f64());
        info!(state, seconds, "run: {}", event.line);
    }
}
