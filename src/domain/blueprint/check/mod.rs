//! Compares a blueprint with what exists: names in expressions, actions and their inputs, the graph of its steps.

use serde_json::{Map, Value, json};

use super::expression::Expression;
use super::mistake::{Mistake, Mistakes, Position, hint};
use super::plan::{DeploymentFacts, samples};
use super::schema::Parameters;
use super::shape::{self, Names, table};
use super::template::Template;
use super::{Blueprint, Located, Workflow};
use crate::action::Signature;

mod input;
mod steps;

/// What a check looks things up in, and where it notes what it finds.
struct Check<'b, 'f> {
    blueprint: &'b Blueprint,
    actions: &'b [Signature],
    mistakes: Mistakes<'f>,
}

impl Blueprint {
    /// Every mistake of the file's meaning, in the order of the file. `actions` are those that exist.
    pub fn check(&self, file: &str, actions: &[Signature]) -> Vec<Mistake> {
        let mut check = Check { blueprint: self, actions, mistakes: Mistakes::of(file) };
        check.order();
        for day_two in &self.actions {
            check.day_two(day_two);
        }
        check.mistakes.into_sorted()
    }
}

impl Check<'_, '_> {
    fn order(&mut self) {
        let blueprint = self.blueprint;
        let names = self.order_names();
        for template in [&blueprint.responsible.platform, &blueprint.responsible.application] {
            self.template(template, &names);
        }
        let sample = self.sample_scope(&blueprint.order, None);
        self.valued(&blueprint.price, &names, &sample, "a number");
        for (_, amount) in &blueprint.quota {
            self.valued(amount, &names, &sample, "an integer");
        }
        self.application(&names);
        self.workflow(&blueprint.order, names, &sample, false);
    }

    fn day_two(&mut self, day_two: &super::DayTwo) {
        let blueprint = self.blueprint;
        let names = self.order_names().with("params", params_shape(&day_two.workflow.parameters));
        let names = names.with("deployment", self.deployment_shape());
        let deployment =
            DeploymentFacts { params: samples(&blueprint.order.parameters, false), ..DeploymentFacts::default() };
        let scope = self.sample_scope(&day_two.workflow, Some(&deployment));
        for (name, expression) in &day_two.sets {
            let known: Vec<&str> = blueprint.order.parameters.names().collect();
            if !known.contains(&name.value.as_str()) {
                let message = format!("`sets` names the deployment's parameters, and `{}` is none", name.value);
                self.mistakes.add_with_hint(name.at, message, hint(&name.value, known));
            }
            self.expression(expression, &names);
        }
        if blueprint.actions.iter().filter(|other| other.action.value == day_two.action.value).count() > 1 {
            self.mistakes.add(day_two.action.at, format!("there are two actions `{}`", day_two.action.value));
        }
        self.workflow(&day_two.workflow, names, &scope, true);
    }

    fn workflow(&mut self, workflow: &Workflow, names: Names, sample: &Map<String, Value>, is_day_two: bool) {
        for parameter in workflow.parameters.declared() {
            if let Some((template, at)) = &parameter.computed_default {
                let mut seen = Names::default().with("request", request_shape());
                if is_day_two {
                    seen = seen.with("deployment", self.deployment_shape());
                }
                self.template(&Located { value: template.clone(), at: *at }, &seen);
            }
        }
        let names = names.with("price", price_shape());
        for policy in &workflow.approval {
            if let Some(when) = &policy.when {
                self.valued(when, &names, sample, "a boolean");
            }
        }
        self.levels(workflow);
        self.steps(workflow, &names, sample, is_day_two);
    }

    /// Levels open one after the other, so none may be left out.
    fn levels(&mut self, workflow: &Workflow) {
        for policy in &workflow.approval {
            let below = policy.level - 1;
            if below > 0 && !workflow.approval.iter().any(|other| other.level == below) {
                let message = format!("level {} waits for level {below}, which no approval has", policy.level);
                self.mistakes.add(policy.at, message);
            }
        }
    }

    fn application(&mut self, names: &Names) {
        let blueprint = self.blueprint;
        let Some(application) = &blueprint.application else { return };
        self.template(&application.name, names);
        let known: Vec<&str> = blueprint.order.steps.iter().map(|step| step.id.value.as_str()).collect();
        for (_, step) in &application.relations {
            if !known.contains(&step.value.as_str()) {
                let message = format!("there is no step `{}`", step.value);
                self.mistakes.add_with_hint(step.at, message, hint(&step.value, known.iter().copied()));
            }
        }
    }

    /// Notes what is wrong with the names of an expression, and says what it gives.
    fn expression(&mut self, expression: &Located<Expression>, names: &Names) -> Value {
        self.expression_at(&expression.value, expression.at, names)
    }

    fn expression_at(&mut self, expression: &Expression, at: Position, names: &Names) -> Value {
        let (shape, faults) = shape::of(expression, names);
        for fault in faults {
            self.mistakes.add_with_hint(at.right(fault.offset), fault.message, fault.hint);
        }
        shape
    }

    /// The same for a text with expressions in it.
    fn template(&mut self, template: &Located<Template>, names: &Names) -> Value {
        let mut last = json!({ "type": "string" });
        for (expression, offset) in template.value.expressions() {
            last = self.expression_at(expression, template.at.right(offset), names);
        }
        if template.value.whole().is_some() { last } else { json!({ "type": "string" }) }
    }

    /// An expression that has to have a value of a kind over the defaults.
    fn valued(&mut self, expression: &Located<Expression>, names: &Names, sample: &Map<String, Value>, kind: &str) {
        let (shape, faults) = shape::of(&expression.value, names);
        if !faults.is_empty() {
            self.expression(expression, names);
            return;
        }
        let reads_outputs = |path: &Vec<String>| path.len() > 1 && path[0] == "deployment" && path[1] == "steps";
        if expression.value.paths().iter().any(reads_outputs) {
            return;
        }
        let source = expression.value.source();
        match expression.value.evaluate(sample) {
            Err(why) => self.mistakes.add(expression.at, format!("`{source}` has no value over the defaults: {why}")),
            Ok(value) if !is_kind(&value, kind) => {
                let found = shape::kind(&shape).map_or_else(|| format!("`{value}`"), str::to_owned);
                self.mistakes.add(expression.at, format!("{kind} is expected, and `{source}` is {found}"));
            }
            Ok(_) => {}
        }
    }

    fn order_names(&self) -> Names {
        Names::default()
            .with("params", params_shape(&self.blueprint.order.parameters))
            .with("size", self.size_shape())
            .with("request", request_shape())
    }

    fn size_shape(&self) -> Value {
        if !self.blueprint.order.parameters.declared().iter().any(|parameter| parameter.is_size) {
            return table([]);
        }
        let (text, integer) = (json!({ "type": "string" }), json!({ "type": "integer" }));
        table([
            ("name".to_owned(), text.clone()),
            ("title".to_owned(), text),
            ("cpu".to_owned(), integer.clone()),
            ("memory_gb".to_owned(), integer.clone()),
            ("disk_gb".to_owned(), integer),
            ("monthly".to_owned(), json!({ "type": "number" })),
        ])
    }

    fn deployment_shape(&self) -> Value {
        table([
            ("name".to_owned(), json!({ "type": "string" })),
            ("params".to_owned(), params_shape(&self.blueprint.order.parameters)),
            ("steps".to_owned(), self.outputs_shape(&self.blueprint.order)),
        ])
    }

    fn sample_scope(&self, workflow: &Workflow, deployment: Option<&DeploymentFacts>) -> Map<String, Value> {
        let params = samples(&workflow.parameters, false);
        let order = deployment.map_or(&params, |deployment| &deployment.params);
        let chosen = self.blueprint.order.parameters.chosen_size(order);
        let size = self.blueprint.sizes.iter().find(|size| Some(size.name.as_str()) == chosen);
        let mut scope = Map::new();
        scope.insert("size".into(), json!(size.or(self.blueprint.sizes.first())));
        scope.insert("params".into(), Value::Object(params));
        scope.insert("request".into(), json!(super::plan::RequestFacts::default()));
        scope.insert("price".into(), json!({ "monthly": 1.0, "before": 1.0, "total": 3.0 }));
        if let Some(deployment) = deployment {
            scope.insert("deployment".into(), json!(deployment));
        }
        scope
    }
}

fn is_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "a number" => value.is_number(),
        "an integer" => value.is_i64(),
        "a boolean" => value.is_boolean(),
        "a list" => value.is_array(),
        _ => true,
    }
}

fn params_shape(parameters: &Parameters) -> Value {
    let declared = parameters.declared().iter();
    table(declared.map(|parameter| (parameter.field.name.clone(), parameter.schema.clone())))
}

fn request_shape() -> Value {
    let names = ["number", "requester", "team", "project", "organisation"];
    table(names.map(|name| (name.to_owned(), json!({ "type": "string" }))))
}

fn price_shape() -> Value {
    table(["monthly", "before", "total"].map(|name| (name.to_owned(), json!({ "type": "number" }))))
}
