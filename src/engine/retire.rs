//! Graphs that take back what earlier runs of a deployment made: retiring it as a whole, and the `undo:` steps of
//! day-2 actions.

use std::collections::{HashMap, HashSet};

use domain::blueprint::plan::{PlannedStep, PlannedWork};
use domain::ids::DeploymentId;
use domain::resource::Resource;
use domain::run::Run;
use domain::step::{Step, StepState};
use domain::trouble::Trouble;
use domain::workflow::{TakenBack, WorkflowStep};
use store::{DbErr, Reads};

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

/// The graph that retires a deployment: the steps that own objects in the ledger, mirrored.
pub async fn retirement(on: &impl Reads, deployment: DeploymentId) -> Result<Vec<WorkflowStep>, DbErr> {
    let runs = store::run::whole_of_deployment(on, deployment).await?;
    let steps = store::step::of_deployment(on, deployment).await?;
    let ledger = store::resource::standing(on, deployment).await?;
    // A step that failed half-way may own objects as well.
    let begun = replay(&runs, steps, |step| step.has_begun() && step.state != StepState::Undone);
    Ok(mirror(&begun, &ledger))
}

/// Turns the planned steps of an order or a day-2 action into a graph; `undo:` steps find what they take back among
/// the steps that stand.
pub fn workflow(planned: Vec<PlannedStep>, standing: &[StandingStep]) -> Result<Vec<WorkflowStep>, Trouble> {
    planned.into_iter().map(|planned| node(planned, standing)).collect()
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
        for (workflow, step) in run.workflow.iter().zip(steps.remove(&run.id).unwrap_or_default()) {
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

/// The steps that own objects, each to be taken back after those that needed it.
fn mirror(begun: &[StandingStep], ledger: &[Resource]) -> Vec<WorkflowStep> {
    let owners: HashSet<&str> = ledger.iter().map(|row| row.step_key.as_str()).collect();
    let owns = |standing: &&StandingStep| owners.contains(standing.workflow.planned.key.as_str());
    let mut mirrored: Vec<WorkflowStep> = begun
        .iter()
        .enumerate()
        .filter(|(_, before)| owns(before))
        .map(|(place, before)| {
            let key = &before.workflow.planned.key;
            let after = needing(key, begun);
            // Only what was made later: however runs changed each other's steps, there is no circle.
            let later = begun[place + 1..].iter().filter(owns).map(|other| other.workflow.planned.key.clone());
            let planned = PlannedStep {
                needs: later.filter(|other| after.contains(other.as_str())).collect(),
                work: PlannedWork::Undo(key.clone()),
                when: None,
                skip: None,
                ..before.workflow.planned.clone()
            };
            WorkflowStep { planned, action: before.workflow.action.clone(), takes_back: Some(taken_back(before)) }
        })
        .collect();
    mirrored.reverse();
    mirrored
}

/// The keys of all steps that needed this one, directly or through others.
fn needing<'a>(key: &'a str, steps: &'a [StandingStep]) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    let mut open = vec![key];
    while let Some(next) = open.pop() {
        for step in steps.iter().filter(|step| step.workflow.planned.needs.iter().any(|need| need == next)) {
            if found.insert(step.workflow.planned.key.as_str()) {
                open.push(&step.workflow.planned.key);
            }
        }
    }
    found.remove(key);
    found
}
