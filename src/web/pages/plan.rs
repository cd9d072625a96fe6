//! A plan as pages show it.

use domain::blueprint::plan::{Plan, PlannedStep, PlannedWork};

use crate::drawing::{Drawing, Edge, Node, plan_graph};

/// The plan's steps as a graph.
pub(crate) fn drawing(plan: &Plan) -> Drawing {
    let runs: Vec<&PlannedStep> = plan.steps.iter().filter(|step| step.skip.is_none()).collect();
    let nodes: Vec<Node> = runs.iter().map(|step| node(step)).collect();
    let edges: Vec<Edge> =
        runs.iter().flat_map(|step| step.needs.iter().map(|need| Edge::new(need.clone(), step.key.clone()))).collect();
    plan_graph(&nodes, &edges, "The steps that would be done")
}

fn node(step: &PlannedStep) -> Node {
    let node = Node::new(&step.key, &step.title).icon(icon(&step.work)).note(step.name.clone().unwrap_or_default());
    if step.each.is_some() { node.group(&step.id) } else { node }
}

/// The icon of what a step does, by the family of its action.
pub(crate) fn icon(work: &PlannedWork) -> &'static str {
    let PlannedWork::Do(action) = work else { return "undo" };
    match action.split('.').next().unwrap_or_default() {
        "naming" => "name",
        "machine" => "machine",
        "puppet" => "configure",
        "balancer" => "balancer",
        "http" => "check",
        "cmdb" => "record",
        "docker" => "docker",
        "space" => "space",
        "secret" => "key",
        "notify" => "mail",
        "human" => "person",
        "wait" => "clock",
        _ => "step",
    }
}
