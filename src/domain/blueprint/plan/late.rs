//! What is known only while a run goes on: inputs are filled when a step becomes ready.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Each, PlannedStep, is_true};
use crate::blueprint::Workflow;
use crate::blueprint::expression::{Expression, Scope};
use crate::blueprint::template::fill_all;

/// What expressions of a run see beside the outputs of its steps. Kept with the run, so that it is carried on with
/// what was approved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bindings {
    scope: Scope,
    /// Steps whose output is a list, even when nothing is in it.
    fanned_out: Vec<String>,
    /// Steps whose output is a single value, null until they are done.
    single: Vec<String>,
}

/// What a step left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOutput {
    /// `node[2]`.
    pub key: String,
    /// `node`.
    pub id: String,
    /// Its number, where the step was fanned out.
    pub n: Option<u32>,
    pub output: Value,
}

impl Bindings {
    pub(super) fn new(scope: Scope, workflow: &Workflow) -> Self {
        let ids = |fanned_out: bool| {
            let steps = workflow.steps.iter().filter(move |step| step.for_each.is_some() == fanned_out);
            steps.map(|step| step.id.value.clone()).collect()
        };
        Self { scope, fanned_out: ids(true), single: ids(false) }
    }

    /// The step's input with every expression replaced by its value. The error is a sentence for the operator.
    pub fn resolve(&self, step: &PlannedStep, outputs: &[StepOutput]) -> Result<Value, String> {
        fill_all(&step.with, &self.late_scope(step, outputs)?)
    }

    /// Whether the step is to run, now that everything before it is done.
    pub fn is_wanted(&self, step: &PlannedStep, outputs: &[StepOutput]) -> Result<bool, String> {
        let Some(when) = &step.when else { return Ok(step.skip.is_none()) };
        let expression = Expression::parse(when).map_err(|fault| format!("`{when}`: {}", fault.message))?;
        is_true(&expression, &self.late_scope(step, outputs)?)
    }

    /// The outputs by step id, as expressions see them: a list, by number, where a step was fanned out.
    pub fn outputs_by_step(&self, outputs: &[StepOutput]) -> Map<String, Value> {
        let mut steps: Map<String, Value> = Map::new();
        steps.extend(self.single.iter().map(|id| (id.clone(), Value::Null)));
        steps.extend(self.fanned_out.iter().map(|id| (id.clone(), json!([]))));
        steps.extend(outputs_by_step(outputs));
        steps
    }

    fn late_scope(&self, step: &PlannedStep, outputs: &[StepOutput]) -> Result<Scope, String> {
        let mut scope = self.scope.clone();
        scope.insert("steps".into(), Value::Object(self.outputs_by_step(outputs)));
        if let Some(each) = &step.each {
            let of = |key: &String| {
                let found = outputs.iter().find(|output| output.key == *key).map(|output| output.output.clone());
                found.ok_or_else(|| format!("the step `{key}` has left no output yet"))
            };
            let item = each.of.as_ref().map_or_else(|| Ok(each.item.clone()), of)?;
            scope.insert("each".into(), each_value(each, item));
        }
        Ok(scope)
    }
}

/// Outputs by step id: a list, by number, where a step was fanned out.
pub fn outputs_by_step(outputs: &[StepOutput]) -> Map<String, Value> {
    let mut lists: BTreeMap<&str, BTreeMap<u32, &Value>> = BTreeMap::new();
    let mut steps = Map::new();
    for output in outputs {
        match output.n {
            Some(n) => {
                lists.entry(&output.id).or_default().insert(n, &output.output);
            }
            None => {
                steps.insert(output.id.clone(), output.output.clone());
            }
        }
    }
    steps.extend(lists.into_iter().map(|(id, items)| (id.to_owned(), items.into_values().cloned().collect())));
    steps
}

/// What `each` is: the item itself with its number, or `value` beside the number when the item is no table.
pub(super) fn each_value(each: &Each, item: Value) -> Value {
    match item {
        Value::Object(mut item) => {
            item.insert("n".to_owned(), Value::from(each.n));
            Value::Object(item)
        }
        Value::Null => json!({ "n": each.n }),
        item => json!({ "n": each.n, "value": item }),
    }
}
