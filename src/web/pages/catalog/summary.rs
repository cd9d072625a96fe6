//! What an order comes to, beside its form: names, price, quota, approvers and why, the plan as a graph.

use std::time::Duration;

use app::catalog::{Draft, OrderForm};
use app::quota::QuotaAfter;
use askama::Template;
use domain::blueprint::plan::{Plan, PlannedStep, PlannedWork, Verdict};
use domain::trouble::FieldError;

use crate::drawing::{Drawing, Edge, Node, plan_graph};

/// The summary of a draft; also what htmx puts in its place while somebody types.
#[derive(Template)]
#[template(path = "catalog/summary.html")]
pub(super) struct Summary {
    plan: Plan,
    /// What is still to be filled in, in words; empty when the form is complete.
    unfinished: String,
    quota: Vec<QuotaAfter>,
    graph: Drawing,
    usually: Option<Duration>,
}

impl Summary {
    pub(super) fn of(draft: Draft, form: &OrderForm) -> Self {
        let Draft { mut plan, errors, quota } = draft;
        if !errors.is_empty() {
            // They would be made of what is not typed yet.
            plan.steps.iter_mut().for_each(|step| step.name = None);
        }
        Self { graph: drawn(&plan), plan, unfinished: unfinished(&errors, form), quota, usually: form.usually }
    }

    fn steps(&self) -> usize {
        self.plan.steps.iter().filter(|step| step.skip.is_none()).count()
    }
}

/// The fields that still need something, by their titles.
fn unfinished(errors: &[FieldError], form: &OrderForm) -> String {
    let title = |error: &FieldError| {
        let field = form.fields.iter().find(|field| field.name == error.field);
        field.map_or_else(|| crate::look::words(&error.field), |field| field.title.clone())
    };
    match errors {
        [] => String::new(),
        errors => {
            format!("Still to be filled in or corrected: {}.", errors.iter().map(title).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The plan as a graph.
fn drawn(plan: &Plan) -> Drawing {
    let nodes: Vec<Node> = plan.steps.iter().filter(|step| step.skip.is_none()).map(node).collect();
    let edge = |step: &PlannedStep| -> Vec<Edge> { step.needs.iter().map(|need| Edge::new(need, &step.key)).collect() };
    let edges: Vec<Edge> = plan.steps.iter().flat_map(edge).collect();
    plan_graph(&nodes, &edges, "The steps of this order")
}

fn node(step: &PlannedStep) -> Node {
    let node = Node::new(&step.key, &step.title).icon(icon(step));
    let node = match &step.name {
        Some(name) => node.note(name.as_str()),
        None => node,
    };
    if step.each.is_some() { node.group(&step.id) } else { node }
}

fn icon(step: &PlannedStep) -> &'static str {
    let PlannedWork::Do(action) = &step.work else { return "undo" };
    match action.split('.').next().unwrap_or_default() {
        "naming" => "name",
        "machine" => "machine",
        "puppet" => "configure",
        "balancer" => "balancer",
        "http" => "check",
        "cmdb" => "record",
        "docker" => "docker",
        "space" => "space",
        _ => "step",
    }
}

/// The approvers of a policy, in words.
fn approvers(verdict: &Verdict) -> String {
    let names: Vec<String> = verdict.approvers.iter().map(ToString::to_string).collect();
    names.join(" or ")
}
