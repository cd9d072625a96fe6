//! The graph of a workflow's steps: ids, needs, fan-out, cycles, and what each step leaves.

use serde_json::{Map, Value, json};

use super::Check;
use crate::blueprint::mistake::hint;
use crate::blueprint::plan::{inherited, needed_ids};
use crate::blueprint::shape::{self, Names, UNKNOWN, list_of, table};
use crate::blueprint::{Located, StepDeclaration, Work, Workflow};

impl Check<'_, '_> {
    pub(super) fn steps(&mut self, workflow: &Workflow, names: &Names, sample: &Map<String, Value>, is_day_two: bool) {
        let names = names.clone().with("steps", self.outputs_shape(workflow));
        for step in &workflow.steps {
            self.identity(step, workflow);
            if let Some(for_each) = &step.for_each {
                self.fan_out(step, for_each, workflow, &names, sample);
            }
            let names = match self.each_shape(step, workflow, &names) {
                Some(each) => names.clone().with("each", each),
                None => names.clone(),
            };
            if let Some(when) = &step.when {
                let shape = self.expression(when, &names);
                if shape::kind(&shape).is_some_and(|kind| kind != "a boolean") {
                    let message = format!(
                        "`when` is true or false, and `{}` is {}",
                        when.value.source(),
                        shape::kind(&shape).unwrap_or("neither")
                    );
                    self.mistakes.add(when.at, message);
                }
            }
            match &step.work {
                Work::Do(action) => self.action(step, action, &names),
                Work::Undo(target) => self.undo(step, target, is_day_two),
            }
        }
        self.cycles(workflow);
    }

    fn identity(&mut self, step: &StepDeclaration, workflow: &Workflow) {
        let id = &step.id.value;
        let first = workflow.steps.iter().find(|other| other.id.value == *id);
        if first.is_some_and(|first| first.id.at < step.id.at) {
            self.mistakes.add(step.id.at, format!("there is a step `{id}` already"));
        }
        let known: Vec<&str> = workflow.steps.iter().map(|step| step.id.value.as_str()).collect();
        for need in &step.needs {
            if need.value == *id {
                self.mistakes.add(need.at, format!("the step `{id}` needs itself"));
            } else if !known.contains(&need.value.as_str()) {
                let others = known.iter().copied().filter(|other| other != id);
                let message = format!("`{id}` needs `{}`, and there is no such step", need.value);
                self.mistakes.add_with_hint(need.at, message, hint(&need.value, others));
            }
        }
    }

    /// A fan-out has to be known before the run: over another step's instances, or over what the order says.
    fn fan_out(
        &mut self,
        step: &StepDeclaration,
        for_each: &Located<crate::blueprint::expression::Expression>,
        workflow: &Workflow,
        names: &Names,
        sample: &Map<String, Value>,
    ) {
        let source = for_each.value.source();
        if let Some(target) = inherited(&for_each.value) {
            self.expression(for_each, names);
            let found = workflow.steps.iter().find(|other| other.id.value == target && other.id.value != step.id.value);
            if found.is_some_and(|found| found.for_each.is_none()) {
                self.mistakes
                    .add(for_each.at, format!("the step `{target}` is not fanned out, so there is no each of it"));
            }
        } else if for_each.value.is_late() {
            let message = format!("`{source}` is known only while the run goes on; a fan-out has to be planned before");
            let hint = "fan out over the order (`range(params.n)`) or over a whole step (`steps.node`)".to_owned();
            self.mistakes.add_with_hint(for_each.at, message, Some(hint));
        } else {
            self.valued(for_each, names, sample, "a list");
        }
    }

    fn undo(&mut self, step: &StepDeclaration, target: &Located<String>, is_day_two: bool) {
        if !is_day_two {
            let message = "`undo` is for actions on a deployment; an order has nothing to undo";
            self.mistakes.add(target.at, message);
            return;
        }
        let declared = &self.blueprint.order.steps;
        match declared.iter().find(|declared| declared.id.value == target.value) {
            None => {
                let message = format!("the deployment has no step `{}` to undo", target.value);
                let known = declared.iter().map(|step| step.id.value.as_str());
                self.mistakes.add_with_hint(target.at, message, hint(&target.value, known));
            }
            Some(declared) if declared.for_each.is_some() && step.for_each.is_none() => {
                let message = format!("`{}` is fanned out; `for_each` has to say which of it are undone", target.value);
                self.mistakes.add(target.at, message);
            }
            Some(_) => {}
        }
    }

    fn cycles(&mut self, workflow: &Workflow) {
        let mut left: Vec<&StepDeclaration> = workflow.steps.iter().collect();
        loop {
            let ids: Vec<&str> = left.iter().map(|step| step.id.value.as_str()).collect();
            let before = left.len();
            let waits = |step: &&StepDeclaration| needed_ids(step).iter().any(|id| ids.contains(&id.as_str()));
            left.retain(waits);
            if left.len() == before {
                break;
            }
        }
        if let Some(path) = left.first().map(|first| circle(first, &left))
            && path.len() > 2
        {
            let message = format!("these steps wait for each other: {}", path.join(" -> "));
            self.mistakes.add(left[0].id.at, message);
        } else if let Some(step) = left.first().filter(|step| step.needs.iter().all(|need| need.value != step.id.value))
        {
            self.mistakes.add(step.id.at, format!("the step `{}` reads its own output", step.id.value));
        }
    }

    /// What each step of a workflow leaves, as expressions see it.
    pub(super) fn outputs_shape(&self, workflow: &Workflow) -> Value {
        let output = |step: &StepDeclaration| {
            let single = self.output_shape(step);
            (step.id.value.clone(), if step.for_each.is_some() { list_of(single) } else { single })
        };
        table(workflow.steps.iter().map(output))
    }

    fn output_shape(&self, step: &StepDeclaration) -> Value {
        match &step.work {
            Work::Do(action) => {
                let known = self.actions.iter().find(|signature| signature.name == action.value);
                known.map_or(UNKNOWN, |signature| shape::inlined(&signature.output))
            }
            Work::Undo(_) => table([]),
        }
    }

    fn each_shape(&self, step: &StepDeclaration, workflow: &Workflow, names: &Names) -> Option<Value> {
        let for_each = step.for_each.as_ref()?;
        let mut item = match inherited(&for_each.value) {
            Some(target) => {
                let source = workflow.steps.iter().find(|other| other.id.value == target);
                source.map_or(UNKNOWN, |source| self.output_shape(source))
            }
            None => {
                let (list, _) = shape::of(&for_each.value, names);
                match list.get("items") {
                    Some(item) if shape::kind(item) == Some("an integer") => table([]),
                    Some(item) if shape::kind(item) == Some("a table") => item.clone(),
                    _ => json!({ "type": "object", "properties": { "value": true }, "additionalProperties": true }),
                }
            }
        };
        if let Some(properties) = item.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("n".to_owned(), json!({ "type": "integer" }));
        }
        Some(item)
    }
}

/// The ids along a circle, the first one again at the end.
fn circle(first: &StepDeclaration, steps: &[&StepDeclaration]) -> Vec<String> {
    let mut path = vec![first.id.value.clone()];
    let mut current = first;
    loop {
        let needed = needed_ids(current);
        let Some(next) = steps.iter().find(|step| needed.contains(&step.id.value)) else { return path };
        let seen = path.iter().position(|id| *id == next.id.value);
        path.push(next.id.value.clone());
        if let Some(start) = seen {
            return path.split_off(start);
        }
        current = next;
    }
}
