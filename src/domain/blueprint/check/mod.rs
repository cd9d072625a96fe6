//! Compares a blueprint with what exists: names in expressions, actions and their inputs, the graph of its steps.
//!
//! What could not be read is passed over, and so is what follows from it: its mistake has been told.

use serde_json::{Map, Value, json};

use super::expression::Expression;
use super::mistake::{Mistakes, hint};
use super::plan::{DeploymentFacts, no_price, samples};
use super::schema::Parameters;
use super::shape::{self, Names, UNKNOWN, open_table, table};
use super::source::{Place, shortened};
use super::template::Template;
use super::{Blueprint, Located, Workflow};
use crate::action::Signature;
use crate::money::Money;

mod input;
mod steps;

/// A name that expressions may use.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) meaning: &'static str,
    pub(super) known_in: &'static str,
}

/// Every name that expressions may use, for the reference; those of tables from what the check itself knows of them.
pub(super) fn variables() -> Vec<Variable> {
    let variable = |name: &str, meaning, known_in| Variable { name: name.to_owned(), meaning, known_in };
    let everywhere = "every expression";
    let mut all =
        vec![variable("params.<name>", "a parameter; `null` if it is optional and was not given", everywhere)];
    let tables = [
        ("size", "of the chosen size", size_table(), everywhere),
        ("request", "of the request", request_shape(), everywhere),
        ("price", "euros; `before` is zero in an order", price_shape(), "approval and steps"),
    ];
    for (table, meaning, shape, known_in) in tables {
        let fields = shape.get("properties").and_then(Value::as_object).into_iter().flatten();
        all.extend(fields.map(|(field, _)| Variable { name: format!("{table}.{field}"), meaning, known_in }));
    }
    all.extend([
        variable("steps.<id>", "what a step has left; a list where it is fanned out", "steps"),
        variable("each", "the item of `for_each`: its fields, or `each.value`, and `each.n`", "a step with `for_each`"),
        variable("deployment.name", "the deployment's name", "day-2 actions"),
        variable("deployment.params.<name>", "a parameter as it is now", "day-2 actions"),
        variable("deployment.steps.<id>", "what a step of the order has left", "day-2 actions"),
    ]);
    all
}

/// What a check looks things up in, and where it notes what it finds.
struct Check<'b, 'm, 'f> {
    blueprint: &'b Blueprint,
    actions: &'b [Signature],
    mistakes: &'m mut Mistakes<'f>,
}

/// Tells every mistake of the file's meaning. `actions` are those that exist.
pub(super) fn check(blueprint: &Blueprint, actions: &[Signature], mistakes: &mut Mistakes<'_>) {
    let mut check = Check { blueprint, actions, mistakes };
    check.order();
    for day_two in &blueprint.actions {
        check.day_two(day_two);
    }
}

impl Check<'_, '_, '_> {
    fn order(&mut self) {
        let blueprint = self.blueprint;
        let names = self.order_names();
        for template in [&blueprint.responsible.platform, &blueprint.responsible.application] {
            self.template(template, &names);
        }
        let sample = self.sample_scope(&blueprint.order, None);
        self.price(&names, &sample);
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
            if !blueprint.order.parameters.is_open() && !known.contains(&name.value.as_str()) {
                let message = format!("`sets` names the deployment's parameters, and `{}` is none", name.value);
                self.mistakes.add_with_hint(name.at(), message, hint(&name.value, known));
            }
            self.expression(expression, &names);
        }
        let action = &day_two.action;
        let first = blueprint.actions.iter().find(|other| other.action.value == action.value);
        if !action.is_unread() && first.is_some_and(|first| first.action.at() < action.at()) {
            self.mistakes.add(action.at(), format!("there is an action `{}` already", action.value));
        }
        self.workflow(&day_two.workflow, names, &scope, true);
    }

    fn workflow(&mut self, workflow: &Workflow, names: Names, sample: &Map<String, Value>, is_day_two: bool) {
        for parameter in workflow.parameters.declared() {
            if let Some(template) = &parameter.computed_default {
                let mut seen = Names::default().with("request", request_shape());
                if is_day_two {
                    seen = seen.with("deployment", self.deployment_shape());
                }
                self.template(template, &seen);
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
        let levels: Vec<u32> = workflow.approval.iter().map(|policy| policy.level).collect();
        if levels.contains(&0) {
            // One could not be read, and may be the one that seems to be left out.
            return;
        }
        for policy in workflow.approval.iter().filter(|policy| policy.level > 1) {
            let below = policy.level - 1;
            if !levels.contains(&below) {
                let message = format!("level {} waits for level {below}, which no approval has", policy.level);
                self.mistakes.add(policy.place.start(), message);
            }
        }
    }

    fn application(&mut self, names: &Names) {
        let blueprint = self.blueprint;
        let Some(application) = &blueprint.application else { return };
        self.template(&application.name, names);
        let outputs = self.outputs_shape(&blueprint.order);
        for (_, step) in &application.relations {
            let source = format!("steps.{}.ci", step.value);
            let declared = blueprint.order.steps.iter().find(|declared| declared.id.value == step.value);
            let Some(declared) = declared else {
                self.unknown_step(step, &blueprint.order, format!("there is no step `{}`", step.value));
                continue;
            };
            let output = self.output_shape(declared);
            if outputs.get("properties").is_some() && output != UNKNOWN && output.pointer("/properties/ci").is_none() {
                let message =
                    format!("the step `{}` registers no CI to stand in a relation to: no `{source}`", step.value);
                self.mistakes.add(step.at(), message);
            }
        }
    }

    /// Notes what is wrong with the names of an expression, and says what it gives.
    fn expression(&mut self, expression: &Located<Expression>, names: &Names) -> Value {
        self.expression_at(&expression.value, &expression.place, 0, names)
    }

    /// The same for an expression with so many characters before it.
    fn expression_at(&mut self, expression: &Expression, place: &Place, before: usize, names: &Names) -> Value {
        let (shape, faults) = shape::of(expression, names);
        for fault in faults {
            self.mistakes.add_with_hint(place.at(before + fault.offset), fault.message, fault.hint);
        }
        shape
    }

    /// The same for a text with expressions in it.
    fn template(&mut self, template: &Located<Template>, names: &Names) -> Value {
        if template.is_unread() {
            return UNKNOWN;
        }
        let mut last = json!({ "type": "string" });
        for (expression, offset) in template.value.expressions() {
            last = self.expression_at(expression, &template.place, offset, names);
        }
        if template.value.whole().is_some() { last } else { json!({ "type": "string" }) }
    }

    /// An expression that has to have a value of a kind over the defaults: that value, where it can be known.
    fn valued(
        &mut self,
        expression: &Located<Expression>,
        names: &Names,
        sample: &Map<String, Value>,
        kind: &str,
    ) -> Option<Value> {
        if expression.is_unread() {
            return None;
        }
        let before = self.mistakes.count();
        let shape = self.expression(expression, names);
        if self.mistakes.count() > before {
            return None;
        }
        let source = shortened(expression.value.source());
        let wrong = |found: String| format!("{kind} is expected, and `{source}` is {found}");
        if let Some(found) = shape::kind(&shape).filter(|found| !shape::is_kind(found, kind)) {
            self.mistakes.add(expression.at(), wrong(found.to_owned()));
        } else if expression.value.paths().iter().all(|path| sample.contains_key(&path[0]) && names.knows(path)) {
            match expression.value.evaluate(sample) {
                Err(why) => {
                    self.mistakes.add(expression.at(), format!("`{source}` has no value over the defaults: {why}"));
                }
                Ok(value) if !has_kind(&value, kind) => self.mistakes.add(expression.at(), wrong(format!("`{value}`"))),
                Ok(value) => return Some(value),
            }
        }
        None
    }

    /// The price over the defaults has to be one that can be paid.
    fn price(&mut self, names: &Names, sample: &Map<String, Value>) {
        let price = &self.blueprint.price;
        if let Some(value) = self.valued(price, names, sample, "a number")
            && value.as_f64().and_then(Money::price).is_none()
        {
            self.mistakes.add(price.at(), no_price(&price.value, &value));
        }
    }

    fn order_names(&self) -> Names {
        Names::default()
            .with("params", params_shape(&self.blueprint.order.parameters))
            .with("size", self.size_shape())
            .with("request", request_shape())
    }

    fn size_shape(&self) -> Value {
        let parameters = &self.blueprint.order.parameters;
        if !parameters.declared().iter().any(|parameter| parameter.is_size) {
            return if parameters.is_open() { UNKNOWN } else { table([]) };
        }
        size_table()
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

fn has_kind(value: &Value, kind: &str) -> bool {
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
    let declared = declared.map(|parameter| (parameter.field.name.clone(), parameter.schema.clone()));
    if parameters.is_open() { open_table(declared) } else { table(declared) }
}

fn size_table() -> Value {
    let fields = [
        ("name", "string"),
        ("title", "string"),
        ("cpu", "integer"),
        ("memory_gb", "integer"),
        ("disk_gb", "integer"),
        ("monthly", "number"),
    ];
    table(fields.map(|(name, kind)| (name.to_owned(), json!({ "type": kind }))))
}

fn request_shape() -> Value {
    let names = ["number", "requester", "team", "project", "organisation"];
    table(names.map(|name| (name.to_owned(), json!({ "type": "string" }))))
}

fn price_shape() -> Value {
    table(["monthly", "before", "total"].map(|name| (name.to_owned(), json!({ "type": "number" }))))
}
