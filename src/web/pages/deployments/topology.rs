//! What a deployment is made of, as a drawing: balancer above machines above hosts, software inside its machine.

use domain::ci::{Ci, CiClass, Lifecycle};
use domain::reading::Reading;
use domain::resource::{Resource, ResourceState};
use serde_json::Value;

use crate::drawing::{Drawing, Edge, Node, topology};
use crate::look::Meaning;

/// The drawing of the objects that stand, of a deployment that reads so; nothing while there are none.
pub(super) fn draw(resources: &[Resource], cis: &[Ci], name: &str, reads: Reading) -> Option<Drawing> {
    let mut standing: Vec<&Resource> = resources.iter().filter(|row| row.state != ResourceState::Gone).collect();
    standing.sort_by_cached_key(|row| crate::look::counting(&row.name));
    let mut nodes: Vec<Node> = standing.iter().filter_map(|row| node(row, &standing, reads)).collect();
    let edges: Vec<Edge> = standing.iter().flat_map(|row| edges(row, &standing)).collect();
    nodes.extend(workloads(cis, &standing));
    nodes.extend(hosts(&standing));
    (!nodes.is_empty()).then(|| topology(&nodes, &edges, &format!("What {name} is made of")))
}

fn node(row: &Resource, all: &[&Resource], reads: Reading) -> Option<Node> {
    let node = Node::new(row.key.as_str(), row.name.as_str());
    let node = match row.kind.as_str() {
        "machine" => node.icon("machine").note(text(row, "address")),
        "pool" => node.icon("balancer").note(format!("{}:{}", text(row, "address"), number(row, "port"))),
        "space" => node.icon("space").note(text(row, "host_pool")),
        "configuration" => {
            let role = text(row, "role");
            let machine = all.iter().find(|other| other.kind == "machine" && text(other, "fqdn") == row.name)?;
            let changed = number(row, "changed");
            Node::new(row.key.as_str(), crate::look::words(&role))
                .icon(if role == "postgresql" {
                    "database"
                } else if role == "docker" {
                    "docker"
                } else {
                    "service"
                })
                .note(format!("{changed} changes"))
                .inside(machine.key.as_str())
        }
        _ => return None,
    };
    Some(match row.state {
        ResourceState::Live => node.state(Meaning::Done, ""),
        _ if reads.meaning == Meaning::Failed => node.state(Meaning::Idle, "Unfinished"),
        _ => node.state(Meaning::Running, "Building"),
    })
}

fn edges(row: &Resource, all: &[&Resource]) -> Vec<Edge> {
    match row.kind.as_str() {
        "pool" => members(row)
            .filter_map(|name| all.iter().find(|other| other.kind == "machine" && other.name == name))
            .map(|machine| Edge::new(row.key.as_str(), machine.key.as_str()))
            .collect(),
        "machine" if !text(row, "host").is_empty() => vec![Edge::new(row.key.as_str(), text(row, "host"))],
        _ => Vec::new(),
    }
}

/// The hosts below the machines, each once.
fn hosts(all: &[&Resource]) -> Vec<Node> {
    let mut names: Vec<String> = all.iter().map(|row| text(row, "host")).filter(|host| !host.is_empty()).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| Node::new(name.as_str(), name.as_str()).icon("host").note("Host")).collect()
}

/// What runs in the container engine of the deployment's only machine, as the CMDB was told.
fn workloads(cis: &[Ci], all: &[&Resource]) -> Vec<Node> {
    let mut machines = all.iter().filter(|row| row.kind == "machine");
    let (Some(machine), None) = (machines.next(), machines.next()) else { return Vec::new() };
    let running = cis.iter().filter(|ci| ci.class == CiClass::Workload && ci.lifecycle == Lifecycle::Operational);
    let node = |ci: &Ci| {
        Node::new(ci.key.as_str(), ci.name.as_str())
            .icon("container")
            .href(format!("/cmdb/{}", ci.id))
            .inside(machine.key.as_str())
    };
    running.map(node).collect()
}

fn members(row: &Resource) -> impl Iterator<Item = &str> {
    let members = row.attributes.get("members").and_then(Value::as_array);
    members.into_iter().flatten().filter_map(|member| member["name"].as_str())
}

fn text(row: &Resource, attribute: &str) -> String {
    row.attributes.get(attribute).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(row: &Resource, attribute: &str) -> i64 {
    row.attributes.get(attribute).and_then(Value::as_i64).unwrap_or_default()
}
