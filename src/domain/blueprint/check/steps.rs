//! The graph of a workflow's steps: ids, needs, fan-out, cycles, and what each step leaves.

use serde_json::{Map, Value, json};

use super::{Check, params_shape};
use crate::blueprint::mistake::{Mistakes, hint};
use crate::blueprint::plan::{inherited, needed_ids};
use crate::blueprint::read::APPLICATION_STEP;
use crate::blueprint::schema::Parameters;
use crate::blueprint::shape::{self, Names, UNKNOWN, list_of, open_table, table};
use crate::blueprint::source::{Node, shortened};
use crate::blueprint::{Located, StepDeclaration, Work, Workflow};

impl Check<'_, '_, '_> {
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
                self.valued(when, &names, sample, "a boolean");
            }
            if let Some(turn) = &step.in_turn {
                self.in_turn(step, turn, workflow);
            }
            if let Some(title) = &step.title {
                self.template(title, &names);
            }
            match &step.work {
                // The application's own step is made from what is checked as such.
                Work::Do(_) if self.is_application(step) => {}
                Work::Do(action) => self.action(step, action, &names),
                Work::Undo(target) => self.undo(step, target, is_day_two),
            }
        }
        self.cycles(workflow);
    }

    fn is_application(&self, step: &StepDeclaration) -> bool {
        self.blueprint.application.as_ref().is_some_and(|application| application.place == step.id.place)
    }

    fn identity(&mut self, step: &StepDeclaration, workflow: &Workflow) {
        let id = &step.id.value;
        if !step.id.is_unread() && !is_first(step, workflow) {
            let why = if id == APPLICATION_STEP { ": the one of `cmdb`" } else { "" };
            self.mistakes.add(step.id.at(), format!("there is a step `{id}` already{why}"));
        }
        for need in &step.needs {
            if need.value == *id {
                self.mistakes.add(need.at(), format!("the step `{id}` needs itself"));
            } else {
                self.unknown_step(need, workflow, format!("`{id}` needs `{}`, and there is no such step", need.value));
            }
        }
    }

    /// Tells that there is no such step, unless there is one, or may be one among those that could not be read.
    pub(super) fn unknown_step(&mut self, id: &Located<String>, workflow: &Workflow, message: String) {
        let known: Vec<&str> = workflow.steps.iter().map(|step| step.id.value.as_str()).collect();
        if is_whole(workflow) && !known.contains(&id.value.as_str()) {
            self.mistakes.add_with_hint(id.at(), message, hint(&id.value, known));
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
        let source = shortened(for_each.value.source());
        if let Some(target) = inherited(&for_each.value) {
            self.expression(for_each, names);
            let found = workflow.steps.iter().find(|other| other.id.value == target && other.id.value != step.id.value);
            if found.is_some_and(|found| found.for_each.is_none()) {
                self.mistakes
                    .add(for_each.at(), format!("the step `{target}` is not fanned out, so there is no each of it"));
            }
        } else if for_each.value.is_late() {
            let message = format!("`{source}` is known only while the run goes on; a fan-out has to be planned before");
            let hint = "fan out over the order (`range(params.n)`) or over a whole step (`steps.node`)".to_owned();
            self.mistakes.add_with_hint(for_each.at(), message, Some(hint));
        } else {
            self.valued(for_each, names, sample, "a list");
        }
    }

    /// One instance after another means something for a fan-out, and its turn ends with a step of the same instance.
    fn in_turn(&mut self, step: &StepDeclaration, turn: &Located<String>, workflow: &Workflow) {
        let id = &step.id.value;
        if step.for_each.is_none() {
            self.mistakes.add(turn.at(), format!("`{id}` is not fanned out, so there is nobody before it"));
        }
        self.unknown_step(turn, workflow, format!("`{id}` waits for `{}`, and there is no such step", turn.value));
        let known = workflow.steps.iter().any(|other| other.id.value == turn.value);
        if known && step.for_each.is_some() && !takes_over(&turn.value, id, workflow) {
            let message = format!("`{}` is not fanned out over `{id}`, so it ends nobody's turn", turn.value);
            self.mistakes.add(turn.at(), message);
        }
    }

    fn undo(&mut self, step: &StepDeclaration, target: &Located<String>, is_day_two: bool) {
        if !step.with.entries().is_empty() {
            self.mistakes.add(step.with.at, "`undo` takes no input: it knows what the step has made");
        }
        if !is_day_two {
            let message = "`undo` is for actions on a deployment; an order has nothing to undo";
            self.mistakes.add(target.at(), message);
            return;
        }
        let blueprint = self.blueprint;
        let declared = blueprint.order.steps.iter().find(|declared| declared.id.value == target.value);
        match declared {
            _ if target.is_unread() => {}
            None => {
                let message = format!("the deployment has no step `{}` to undo", target.value);
                self.unknown_step(target, &blueprint.order, message);
            }
            Some(declared) if declared.for_each.is_some() && step.for_each.is_none() => {
                let message = format!("`{}` is fanned out; `for_each` has to say which of it are undone", target.value);
                self.mistakes.add(target.at(), message);
            }
            Some(_) => {}
        }
    }

    /// Tells every circle of steps that wait for each other.
    fn cycles(&mut self, workflow: &Workflow) {
        let steps = workflow.steps.iter().filter(|step| is_first(step, workflow));
        let mut left: Vec<Waiting<'_>> = steps.map(|step| Waiting { step, needs: needed_ids(step) }).collect();
        loop {
            loosen(&mut left);
            let Some(Waiting { step: first, .. }) = left.first() else { return };
            let path = circle(&left);
            let at =
                left.iter().find(|waiting| path.contains(waiting.id())).map_or(first.id.at(), |it| it.step.id.at());
            if path.len() > 2 {
                self.mistakes.add(at, format!("these steps wait for each other: {}", path.join(" -> ")));
            } else if first.needs.iter().all(|need| need.value != first.id.value) {
                self.mistakes.add(at, format!("the step `{}` reads its own output", path[0]));
            }
            left.retain(|waiting| !path.contains(waiting.id()));
        }
    }

    /// What each step of a workflow leaves, as expressions see it.
    pub(super) fn outputs_shape(&self, workflow: &Workflow) -> Value {
        let output = |step: &StepDeclaration| {
            let single = self.output_shape(step);
            (step.id.value.clone(), if step.for_each.is_some() { list_of(single) } else { single })
        };
        let outputs = workflow.steps.iter().filter(|step| is_first(step, workflow)).map(output);
        if is_whole(workflow) { table(outputs) } else { open_table(outputs) }
    }

    pub(super) fn output_shape(&self, step: &StepDeclaration) -> Value {
        match &step.work {
            Work::Do(action) => {
                let known = self.actions.iter().find(|signature| signature.name == action.value);
                known.map_or(UNKNOWN, |signature| with_answers(step, shape::inlined(&signature.output)))
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

/// The output of a step whose answers are those to the form that it was given.
fn with_answers(step: &StepDeclaration, mut output: Value) -> Value {
    for (name, form) in shape::answers(&output) {
        // What is wrong with the form is told where it stands.
        let asked = |form: &Node| params_shape(&Parameters::read_input(form, &mut Mistakes::of("")));
        output["properties"][name] = step.with.get(&form).map_or_else(|| table([]), asked);
    }
    output
}

/// Whether one step is the other, or takes over its instances, through whatever steps in between.
fn takes_over(id: &str, source: &str, workflow: &Workflow) -> bool {
    let mut next = Some(id.to_owned());
    // No chain is longer than the steps that there are.
    for _ in 0..=workflow.steps.len() {
        let Some(id) = next.filter(|id| id != source) else { break };
        let step = workflow.steps.iter().find(|step| step.id.value == id);
        next = step.and_then(|step| inherited(&step.for_each.as_ref()?.value));
        if next.as_deref() == Some(source) {
            return true;
        }
    }
    id == source
}

/// Whether every step has an id that could be read.
fn is_whole(workflow: &Workflow) -> bool {
    !workflow.steps.iter().any(|step| step.id.is_unread()) && !workflow.steps.is_empty()
}

/// Whether no step before has the same id.
fn is_first(step: &StepDeclaration, workflow: &Workflow) -> bool {
    let first = workflow.steps.iter().find(|other| other.id.value == step.id.value);
    first.is_some_and(|first| first.id.place == step.id.place)
}

/// A step with the ids of those it waits for.
struct Waiting<'w> {
    step: &'w StepDeclaration,
    needs: Vec<String>,
}

impl Waiting<'_> {
    fn id(&self) -> &String {
        &self.step.id.value
    }
}

/// Leaves only the steps that wait for one another, or for one that does.
fn loosen(left: &mut Vec<Waiting<'_>>) {
    loop {
        let ids: Vec<String> = left.iter().map(|waiting| waiting.id().clone()).collect();
        left.retain(|waiting| waiting.needs.iter().any(|need| ids.contains(need)));
        if left.len() == ids.len() {
            return;
        }
    }
}

/// The ids along a circle of steps that all wait for another one, the first id again at the end.
fn circle(steps: &[Waiting<'_>]) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut next = steps.first();
    while let Some(current) = next {
        let seen = path.iter().position(|id| id == current.id());
        path.push(current.id().clone());
        if let Some(start) = seen {
            return path.split_off(start);
        }
        next = steps.iter().find(|step| current.needs.contains(step.id()));
    }
    path
}
