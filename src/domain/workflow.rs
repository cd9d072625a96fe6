//! The graph of steps that a run carries out, and the rules of what may go on when. Pure: given the graph and where
//! each step stands, it says what is ready, what may be taken back, and how the run stands.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blueprint::plan::PlannedStep;
use crate::step::{Step, StepState};

/// One node of the graph. A run pins it, so that a later version of the blueprint changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowStep {
    pub planned: PlannedStep,
    /// The action that is called, `machine.create`.
    pub action: String,
    /// The earlier step that this one takes back; none for a step that makes something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<TakenBack>,
}

/// A step of an earlier run that is taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakenBack {
    /// The key of that step, `node[3]`.
    pub key: String,
    pub input: Value,
    pub output: Option<Value>,
}

impl WorkflowStep {
    /// The key that the step's objects bear: its own, or that of the step it takes back.
    pub fn object_key(&self) -> &str {
        self.takes_back.as_ref().map_or(&self.planned.key, |before| &before.key)
    }
}

/// The steps with their edges by position, so that each question is one pass.
#[derive(Clone, Debug)]
pub struct Graph {
    needs: Vec<Vec<usize>>,
    needed_by: Vec<Vec<usize>>,
    undoes: Vec<bool>,
}

/// The graph names a step that it has not, or goes in a circle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("the step `{step}` needs `{missing}`, which is not part of the workflow")]
    Missing { step: String, missing: String },
    #[error("the key `{0}` stands for two steps")]
    Twice(String),
    #[error("the steps {0} wait for each other")]
    Circle(String),
}

/// How a run stands, by its steps alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something runs, or could be started now.
    Working,
    /// Nothing to do before this time.
    Waiting { until: DateTime<Utc> },
    /// Steps failed and need a person.
    Failed,
    /// Nothing is left to do.
    Finished,
}

impl Graph {
    /// Reads the edges; refuses a graph that could never finish.
    pub fn of(steps: &[WorkflowStep]) -> Result<Self, GraphError> {
        let mut by_key = HashMap::new();
        for (position, step) in steps.iter().enumerate() {
            if by_key.insert(step.planned.key.as_str(), position).is_some() {
                return Err(GraphError::Twice(step.planned.key.clone()));
            }
        }
        let mut needs = vec![Vec::new(); steps.len()];
        let mut needed_by = vec![Vec::new(); steps.len()];
        for (position, step) in steps.iter().enumerate() {
            for need in &step.planned.needs {
                let Some(&before) = by_key.get(need.as_str()) else {
                    return Err(GraphError::Missing { step: step.planned.key.clone(), missing: need.clone() });
                };
                needs[position].push(before);
                needed_by[before].push(position);
            }
        }
        let undoes = steps.iter().map(|step| step.takes_back.is_some()).collect();
        let graph = Self { needs, needed_by, undoes };
        match graph.circle() {
            circle if circle.is_empty() => Ok(graph),
            circle => {
                let keys: Vec<_> = circle.into_iter().map(|at| format!("`{}`", steps[at].planned.key)).collect();
                Err(GraphError::Circle(keys.join(", ")))
            }
        }
    }

    /// The places of the steps that the one at this place needs.
    pub fn needs(&self, at: usize) -> &[usize] {
        &self.needs[at]
    }

    /// The steps that could start now: not started, and all that they need is behind them. None while a step waits
    /// for a person: what is built is kept, nothing is added to it.
    pub fn ready(&self, steps: &[Step]) -> Vec<usize> {
        if steps.iter().any(|step| step.state == StepState::Failed) {
            return Vec::new();
        }
        let startable = |at: &usize| matches!(steps[*at].state, StepState::Pending | StepState::Ready);
        let free = |at: &usize| self.needs[*at].iter().all(|&before| steps[before].state.lets_others_go_on());
        (0..steps.len()).filter(startable).filter(free).collect()
    }

    /// The steps that may be taken back now: begun, and nothing that was begun after them still stands. A step whose
    /// undo failed holds nothing up: one stuck object does not leave ten behind.
    pub fn ready_to_undo(&self, steps: &[Step]) -> Vec<usize> {
        let free = |at: &usize| self.needed_by[*at].iter().all(|&after| !self.stands(steps, after));
        (0..steps.len()).filter(|at| self.is_to_undo(steps, *at)).filter(free).collect()
    }

    /// How the run stands while it builds.
    pub fn standing(&self, steps: &[Step], now: DateTime<Utc>) -> Standing {
        if steps.iter().any(|step| step.state == StepState::Running) || !self.ready(steps).is_empty() {
            return Standing::Working;
        }
        if steps.iter().any(|step| step.state == StepState::Failed) {
            return Standing::Failed;
        }
        let timed = |step: &&Step| matches!(step.state, StepState::Waiting | StepState::Retrying);
        match steps.iter().filter(timed).map(|step| step.wake_at.unwrap_or(now)).min() {
            Some(until) if until <= now => Standing::Working,
            Some(until) => Standing::Waiting { until },
            None => Standing::Finished,
        }
    }

    /// How the run stands while it takes back what it built.
    pub fn standing_of_undo(&self, steps: &[Step], now: DateTime<Utc>) -> Standing {
        let undoing = |step: &&Step| matches!(step.state, StepState::Running | StepState::Undoing);
        match steps.iter().filter(undoing).map(|step| step.wake_at.unwrap_or(now)).min() {
            Some(until) if until > now => return Standing::Waiting { until },
            Some(_) => return Standing::Working,
            None => {}
        }
        if !self.ready_to_undo(steps).is_empty() {
            Standing::Working
        } else if steps.iter().any(|step| step.state == StepState::UndoFailed) {
            Standing::Failed
        } else {
            Standing::Finished
        }
    }

    fn is_to_undo(&self, steps: &[Step], at: usize) -> bool {
        !self.undoes[at] && steps[at].has_begun() && steps[at].state.may_be_undone()
    }

    fn stands(&self, steps: &[Step], at: usize) -> bool {
        self.is_to_undo(steps, at) || matches!(steps[at].state, StepState::Running | StepState::Undoing)
    }

    /// The steps that are never reached by walking from those without needs.
    fn circle(&self) -> Vec<usize> {
        let mut open: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut reached: Vec<usize> = (0..open.len()).filter(|&at| open[at] == 0).collect();
        let mut next = 0;
        while let Some(&at) = reached.get(next) {
            next += 1;
            for &after in &self.needed_by[at] {
                open[after] -= 1;
                if open[after] == 0 {
                    reached.push(after);
                }
            }
        }
        (0..open.len()).filter(|&at| open[at] > 0).collect()
    }
}
