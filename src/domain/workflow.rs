//! The graph of steps that a run carries out, and the rules of what may go on when. Pure: given the graph and where
//! each step stands, it says what is ready, what may be taken back, and how the run stands.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::step::{Step, StepState};

/// Whether a step makes something or takes something back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    #[default]
    Do,
    Undo,
}

/// One node of the graph, as planned. A run pins it, so that a later version of the blueprint changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowStep {
    /// Names the step within the run and its objects within the deployment: `pool`, `node[1]`.
    pub key: String,
    /// The step of the blueprint it comes from: `node`.
    pub step_id: String,
    pub title: String,
    pub action: String,
    #[serde(default)]
    pub direction: Direction,
    /// Keys of the steps that must be done before.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The input as the blueprint says it, expressions unresolved: they may name outputs of steps before.
    #[serde(default)]
    pub with: Value,
    /// The item of a fan-out that this step is for, as far as it is known beforehand.
    #[serde(default)]
    pub each: Option<Value>,
    /// A condition that is known only when the steps before are done; false skips the step.
    #[serde(default)]
    pub when: Option<String>,
    #[serde(default)]
    pub retry: Retry,
    /// For a step that takes back: what the step it takes back was given and what it returned.
    #[serde(default)]
    pub taken_back: Option<TakenBack>,
}

/// What is known of a step of an earlier run that is to be taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TakenBack {
    pub input: Value,
    pub output: Option<Value>,
}

/// How often, and after which waits, a transient failure is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retry {
    /// Tries in all, the first one included.
    pub attempts: u32,
    /// Seconds before the second try; each further wait is twice the one before.
    pub first_seconds: u32,
    /// No wait is longer than this.
    pub longest_seconds: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 6, first_seconds: 2, longest_seconds: 120 }
    }
}

impl WorkflowStep {
    /// Whether the step is one of several made by a fan-out.
    pub fn is_fanned_out(&self) -> bool {
        self.key != self.step_id
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
            if by_key.insert(step.key.as_str(), position).is_some() {
                return Err(GraphError::Twice(step.key.clone()));
            }
        }
        let mut needs = vec![Vec::new(); steps.len()];
        let mut needed_by = vec![Vec::new(); steps.len()];
        for (position, step) in steps.iter().enumerate() {
            for need in &step.needs {
                let Some(&before) = by_key.get(need.as_str()) else {
                    return Err(GraphError::Missing { step: step.key.clone(), missing: need.clone() });
                };
                needs[position].push(before);
                needed_by[before].push(position);
            }
        }
        let undoes = steps.iter().map(|step| step.direction == Direction::Undo).collect();
        let graph = Self { needs, needed_by, undoes };
        match graph.circle() {
            circle if circle.is_empty() => Ok(graph),
            circle => {
                let keys: Vec<_> = circle.into_iter().map(|at| format!("`{}`", steps[at].key)).collect();
                Err(GraphError::Circle(keys.join(", ")))
            }
        }
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

    /// Positions of the steps that this one needs.
    pub fn needs(&self, at: usize) -> &[usize] {
        &self.needs[at]
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
