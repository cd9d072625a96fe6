//! What a step is given: its expressions filled with what the steps before it left.

use domain::blueprint::plan::StepOutput;
use domain::run::Run;
use domain::step::Step;
use domain::workflow::WorkflowStep;
use serde_json::Value;

/// What is to be done with a step that is ready.
pub(crate) enum Input {
    Call(Value),
    /// Its condition does not hold.
    Skip(String),
    /// Its input can't be made; a sentence for the operator.
    Wrong(String),
}

/// Fills the input of the step at this place of the run.
pub(crate) fn resolve(run: &Run, steps: &[Step], at: usize) -> Input {
    let (planned, step) = (&run.workflow[at], &steps[at]);
    if let (true, Some(input)) = (step.edited, &step.input) {
        return Input::Call(input.clone());
    }
    if let Some(why) = &planned.planned.skip {
        return Input::Skip(why.clone());
    }
    let outputs = outputs(&run.workflow, steps);
    match run.bindings.is_wanted(&planned.planned, &outputs) {
        Ok(true) => {}
        Ok(false) => {
            let when = planned.planned.when.as_deref().unwrap_or_default();
            return Input::Skip(format!("It runs only when {when}, and that is not so."));
        }
        Err(why) => return Input::Wrong(why),
    }
    if let Some(before) = &planned.takes_back {
        return Input::Call(before.input.clone());
    }
    match run.bindings.resolve(&planned.planned, &outputs) {
        Ok(input) => Input::Call(input),
        Err(why) => Input::Wrong(why),
    }
}

fn outputs(workflow: &[WorkflowStep], steps: &[Step]) -> Vec<StepOutput> {
    let left = |(planned, step): (&WorkflowStep, &Step)| {
        Some(StepOutput {
            key: planned.planned.key.clone(),
            id: planned.planned.id.clone(),
            n: planned.planned.each.as_ref().map(|each| each.n),
            output: step.output.clone().filter(|_| step.state.lets_others_go_on())?,
        })
    };
    workflow.iter().zip(steps).filter_map(left).collect()
}
