//! What a deployment is made of, as a drawing: its application above the balancer above machines above hosts, software
//! inside its machine.

use app::deployment::{Details, OnMachine};
use domain::ci::{Ci, CiClass, Lifecycle};
use domain::reading::Reading;
use domain::resource::{Resource, ResourceState};
use serde_json::Value;

use crate::drawing::{Drawing, Edge, Node, topology};
use crate::look::Meaning;

/// The drawing of the objects that stand, of a deployment that reads so; nothing while there are none.
pub(super) fn draw(it: &Details) -> Option<Drawing> {
    let Details { resources, cis, reads, .. } = it;
    let name = &it.deployment.name;
    let mut standing: Vec<&Resource> = resources.iter().filter(|row| row.state != ResourceState::Gone).collect();
    standing.sort_by_cached_key(|row| crate::look::counting(&row.name));
    let mut nodes: Vec<Node> =
        standing.iter().filter_map(|row| node(row, &standing, *reads)).map(|node| found(node, &it.by_hand)).collect();
    let mut edges: Vec<Edge> = standing.iter().flat_map(|row| edges(row, &standing)).collect();
    let applications = applications(cis);
    edges.extend(applications.iter().flat_map(|application| fronts(application, &standing)));
    nodes.splice(0..0, applications);
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
            let version = row.attributes.pointer(&format!("/facts/{role}_version")).and_then(Value::as_str);
            let (software, icon) = match role.as_str() {
                "postgresql" => ("PostgreSQL".to_owned(), "database"),
                "mariadb" => ("MariaDB".to_owned(), "database"),
                "docker" => ("Docker Engine".to_owned(), "docker"),
                _ => (crate::look::words(&role), "service"),
            };
            Node::new(row.key.as_str(), software)
                .icon(icon)
                .note(version.map(|version| format!("Version {version}")).unwrap_or_default())
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

/// The node, with what others made of its machine.
fn found(node: Node, by_hand: &[OnMachine]) -> Node {
    match by_hand.iter().find(|found| found.is_about(&node.id)) {
        Some(found) => node.state(Meaning::Waiting, found.finding.kind.title()),
        None => node,
    }
}

fn edges(row: &Resource, all: &[&Resource]) -> Vec<Edge> {
    match row.kind.as_str() {
        "pool" => machines(all).map(|machine| behind(row, machine)).collect(),
        "machine" if !text(row, "host").is_empty() => vec![Edge::new(row.key.as_str(), text(row, "host"))],
        _ => Vec::new(),
    }
}

/// A machine stands below the pool, joined to it once the pool sends it work.
fn behind(pool: &Resource, machine: &Resource) -> Edge {
    let edge = Edge::new(pool.key.as_str(), machine.key.as_str());
    if members(pool).any(|name| name == machine.name) { edge } else { edge.unseen() }
}

fn machines<'r>(all: &[&'r Resource]) -> impl Iterator<Item = &'r Resource> {
    all.iter().copied().filter(|row| row.kind == "machine")
}

/// The application that all of it is for, as the CMDB was told.
fn applications(cis: &[Ci]) -> Vec<Node> {
    let standing =
        cis.iter().filter(|ci| ci.class == CiClass::ApplicationService && ci.lifecycle == Lifecycle::Operational);
    let node = |ci: &Ci| {
        Node::new(ci.key.as_str(), ci.name.as_str())
            .icon("application")
            .note(ci.class.title())
            .href(format!("/cmdb/{}", ci.id))
            .state(Meaning::Done, "")
    };
    standing.map(node).collect()
}

/// From the application to what it is reached by: its pools and spaces, or else its machines.
fn fronts(application: &Node, all: &[&Resource]) -> Vec<Edge> {
    let before = |row: &&&Resource| matches!(row.kind.as_str(), "pool" | "space");
    let mut fronts: Vec<&Resource> = all.iter().filter(before).copied().collect();
    if fronts.is_empty() {
        fronts = machines(all).collect();
    }
    fronts.into_iter().map(|row| Edge::new(application.id.as_str(), row.key.as_str())).collect()
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
    let mut machines = machines(all);
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
