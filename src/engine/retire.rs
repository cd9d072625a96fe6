//! Graphs that take back what earlier runs of a deployment made: retiring it as a whole, and the `undo:` steps of
//! day-2 actions. The order in which objects go is the ledger's (see [`crate::lean`]): whichever run made them, one goes
//! only when nothing that stands leans on it.

use std::collections::{HashMap, HashSet};

use domain::blueprint::plan::{PlannedStep, PlannedWork, leave_out_detours};
use domain::ids::DeploymentId;
use domain::resource::Resource;
use domain::run::Run;
use domain::step::{Step, StepState};
use domain::trouble::Trouble;
use domain::workflow::{Graph, TakenBack, WorkflowStep};
use store::{DbErr, Reads};

use crate::Engine;
use crate::undo_order::{Order, leanings};

/// A step that stands in a deployment: the latest of its key that was done and not taken back since.
#[derive(Clone, Debug)]
pub struct StandingStep {
    pub workflow: WorkflowStep,
    pub step: Step,
}

/// What the runs of a deployment left, in the order in which it was made.
pub async fn standing_steps(on: &impl Reads, deployment: DeploymentId) -> Result<Vec<StandingStep>, DbErr> {
    let runs = store::run::whole_of_deployment(on, deployment).await?;
    let steps = store::step::of_deployment(on, deployment).await?;
    Ok(replay(&runs, steps, |step| {
        step.state == StepState::Done || (step.state == StepState::Skipped && step.output.is_some())
    }))
}

impl Engine {
    /// The graph that retires a deployment: the steps that own objects in the ledger, each taken back after those
    /// whose objects lean on its own.
    pub async fn retirement(&self, on: &impl Reads, deployment: DeploymentId) -> Result<Vec<WorkflowStep>, DbErr> {
        let runs = store::run::whole_of_deployment(on, deployment).await?;
        let steps = store::step::of_deployment(on, deployment).await?;
        let ledger = store::resource::standing(on, deployment).await?;
        // A step that failed half-way may own objects as well.
        let begun = replay(&runs, steps, |step| step.has_begun() && step.state != StepState::Undone);
        Ok(self.mirror(&begun, &ledger))
    }

    fn mirror(&self, begun: &[StandingStep], ledger: &[Resource]) -> Vec<WorkflowStep> {
        let owners: HashSet<&str> = ledger.iter().map(|row| row.step_key.as_str()).collect();
        let key = |at: usize| begun[at].workflow.object_key();
        let order = Order::of_standing(begun, ledger);
        let line: Vec<usize> = order.in_line().into_iter().filter(|&at| owners.contains(key(at))).collect();
        let undo = |&at: &usize| PlannedStep {
            needs: order.before(at).iter().map(|&before| key(before).to_owned()).collect(),
            title: self.undo_title(&begun[at].workflow),
            work: PlannedWork::Undo(key(at).to_owned()),
            when: None,
            skip: None,
            ..begun[at].workflow.planned.clone()
        };
        let mut planned: Vec<PlannedStep> = line.iter().map(undo).collect();
        leave_out_detours(&mut planned);
        let node = |(planned, &at): (PlannedStep, &usize)| WorkflowStep {
            planned,
            action: begun[at].workflow.action.clone(),
            takes_back: Some(taken_back(&begun[at])),
        };
        planned.into_iter().zip(&line).map(node).collect()
    }

    fn undo_title(&self, step: &WorkflowStep) -> String {
        let title = &step.planned.title;
        let known = self.signature(&step.action);
        known.map_or_else(|| format!("Take back: {title}"), |known| known.undo_title_of(title))
    }
}

/// Turns the planned steps of an order or a day-2 action into a graph; `undo:` steps find what they take back among
/// the steps that stand, and wait for those whose objects lean on theirs.
pub fn workflow(
    planned: Vec<PlannedStep>,
    standing: &[StandingStep],
    ledger: &[Resource],
) -> Result<Vec<WorkflowStep>, Trouble> {
    let mut steps = planned.into_iter().map(|planned| node(planned, standing)).collect::<Result<Vec<_>, _>>()?;
    let Ok(graph) = Graph::of(&steps) else { return Ok(steps) };
    let mut order = Order::of((0..steps.len()).map(|at| graph.needs(at).iter().copied().collect()).collect());
    let undone = |(place, step): (usize, &WorkflowStep)| Some((step.takes_back.as_ref()?.key.clone(), place));
    let places: HashMap<String, usize> = steps.iter().enumerate().filter_map(undone).collect();
    for (above, below) in leanings(ledger, &places) {
        if !order.waits(below, above) && order.put_before(above, below) {
            let first = steps[above].planned.key.clone();
            steps[below].planned.needs.push(first);
        }
    }
    Ok(steps)
}

fn node(planned: PlannedStep, standing: &[StandingStep]) -> Result<WorkflowStep, Trouble> {
    let key = match &planned.work {
        PlannedWork::Do(action) => {
            let action = action.clone();
            return Ok(WorkflowStep { planned, action, takes_back: None });
        }
        PlannedWork::Undo(key) => key,
    };
    let Some(before) = standing.iter().find(|standing| standing.workflow.object_key() == key) else {
        return Err(Trouble::conflict(
            format!("The deployment has no step {key} that could be taken back."),
            "Look at the deployment's page for what it is made of now.",
        ));
    };
    let (action, takes_back) = (before.workflow.action.clone(), Some(taken_back(before)));
    Ok(WorkflowStep { planned, action, takes_back })
}

fn taken_back(before: &StandingStep) -> TakenBack {
    TakenBack {
        key: before.workflow.object_key().to_owned(),
        input: before.step.input.clone().unwrap_or_default(),
        output: before.step.output.clone(),
    }
}

/// Goes through the runs in their order: what a step made stands until a later step took it back.
fn replay(
    runs: &[Run],
    mut steps: HashMap<domain::ids::RunId, Vec<Step>>,
    counts: impl Fn(&Step) -> bool,
) -> Vec<StandingStep> {
    let mut standing: Vec<StandingStep> = Vec::new();
    for run in runs {
        for step in steps.remove(&run.id).unwrap_or_default() {
            let Some(workflow) = run.workflow.get(step.position) else { continue };
            let key = workflow.object_key();
            match &workflow.takes_back {
                // One that was begun and then skipped is taken back by hand.
                Some(_) if step.state == StepState::Done || (step.state == StepState::Skipped && step.has_begun()) => {
                    standing.retain(|other| other.workflow.object_key() != key);
                }
                Some(_) => {}
                None if counts(&step) => {
                    standing.retain(|other| other.workflow.object_key() != key);
                    standing.push(StandingStep { workflow: workflow.clone(), step });
                }
                None => {}
            }
        }
    }
    standing
}
