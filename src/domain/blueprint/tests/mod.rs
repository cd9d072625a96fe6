//! The language of blueprints, told by what it accepts, refuses and plans.

mod bounds;
mod editors;
mod forms;
mod mistakes;
mod plans;

use serde_json::{Map, Value, json};

use super::Blueprint;
use super::plan::{DeploymentFacts, Order, Plan, RequestFacts};
use crate::action::Signature;

/// The five blueprints of the catalog, by file name.
pub(super) const SHIPPED: [(&str, &str); 5] = [
    ("container-space.yaml", include_str!("../../../../workflows/container-space.yaml")),
    ("docker-machine.yaml", include_str!("../../../../workflows/docker-machine.yaml")),
    ("linux-vm.yaml", include_str!("../../../../workflows/linux-vm.yaml")),
    ("scale-out-tomcat.yaml", include_str!("../../../../workflows/scale-out-tomcat.yaml")),
    ("sql-database-vm.yaml", include_str!("../../../../workflows/sql-database-vm.yaml")),
];

fn schema(properties: &Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// A few actions as the house has them.
pub(super) fn actions() -> Vec<Signature> {
    let action = |name, title, input, output| {
        let undo_title = match name {
            "machine.create" => "Remove machine",
            "puppet.apply" => "Forget role",
            _ => "",
        };
        Signature { name, title, undo_title, summary: "", input, output, provider: None, is_of_site: true }
    };
    let text = json!({ "type": "string" });
    let anything = json!({ "type": "object", "additionalProperties": true });
    let machine = json!({ "id": text, "name": text, "fqdn": text, "address": text, "ci": text });
    let pool = json!({ "id": text, "url": text, "ci": text, "key": text });
    vec![
        action(
            "naming.reserve",
            "Reserve name",
            schema(&json!({ "pattern": text }), &["pattern"]),
            schema(&json!({ "name": text, "fqdn": text }), &[]),
        ),
        action(
            "machine.create",
            "Create machine",
            schema(
                &json!({ "name": text, "size": { "type": "object", "properties": { "cpu": { "type": "integer" } }, "additionalProperties": true }, "image": text }),
                &["name", "size", "image"],
            ),
            schema(&machine, &[]),
        ),
        action(
            "notify.send",
            "Tell people",
            schema(&json!({ "to": text, "subject": text, "text": text }), &["to", "subject", "text"]),
            schema(&json!({ "to": text }), &[]),
        ),
        action(
            "secret.generate",
            "Make secret",
            schema(&json!({ "title": text, "hand_over_within": text }), &["title"]),
            schema(&json!({ "reference": text, "name": text, "key": text }), &[]),
        ),
        action(
            "secret.renew",
            "Make new secret",
            schema(&json!({ "secret": anything, "hand_over_within": text }), &["secret"]),
            schema(&json!({ "reference": text, "name": text }), &[]),
        ),
        action(
            "puppet.apply",
            "Apply role",
            schema(
                &json!({ "certname": text, "role": text, "server": text, "facts": { "type": "object", "additionalProperties": true } }),
                &["certname", "role", "server"],
            ),
            schema(&json!({ "changed": { "type": "integer" }, "ci": text }), &[]),
        ),
        action(
            "puppet.change",
            "Change configuration",
            schema(&json!({ "node": anything, "facts": anything }), &["node", "facts"]),
            schema(&json!({ "changed": { "type": "integer" } }), &[]),
        ),
        action(
            "balancer.pool",
            "Create pool",
            schema(
                &json!({ "name": text, "members": { "type": "array" }, "port": { "type": "integer", "maximum": 65535 }, "check": text }),
                &["name", "members", "port", "check"],
            ),
            schema(&pool, &[]),
        ),
        action(
            "balancer.members",
            "Set pool members",
            schema(
                &json!({ "pool": { "type": "object", "additionalProperties": true }, "members": { "type": "array" } }),
                &["pool", "members"],
            ),
            schema(&pool, &[]),
        ),
        action(
            "balancer.drain",
            "Take out of rotation",
            schema(&json!({ "pool": anything, "member": anything }), &["pool", "member"]),
            schema(&json!({ "moved": { "type": "boolean" } }), &[]),
        ),
        action(
            "balancer.serve",
            "Put back into rotation",
            schema(&json!({ "pool": anything, "member": anything }), &["pool", "member"]),
            schema(&json!({ "moved": { "type": "boolean" } }), &[]),
        ),
        action(
            "http.check",
            "Check service",
            schema(&json!({ "url": text, "expect": { "type": "integer" } }), &["url"]),
            schema(&json!({ "status": { "type": "integer" } }), &[]),
        ),
        action(
            "docker.engine",
            "Meet container engine",
            schema(&json!({ "fqdn": text, "engine": text }), &["fqdn", "engine"]),
            schema(&json!({ "endpoint": text, "ci": text }), &[]),
        ),
        action(
            "space.create",
            "Create space",
            schema(
                &json!({ "organisation": text, "project": text, "name": text, "quota": { "type": "object", "additionalProperties": true } }),
                &["organisation", "project", "name", "quota"],
            ),
            schema(&json!({ "id": text, "endpoint": text, "key": text, "ci": text }), &[]),
        ),
        action(
            "space.quota",
            "Set space quota",
            schema(
                &json!({ "space": { "type": "object", "additionalProperties": true }, "quota": { "type": "object", "additionalProperties": true } }),
                &["space", "quota"],
            ),
            schema(&json!({ "id": text, "ci": text }), &[]),
        ),
        action(
            "cmdb.register",
            "Register in the CMDB",
            schema(&json!({ "class": text, "name": text, "relations": { "type": "array" } }), &["class", "name"]),
            schema(&json!({ "ci": text }), &[]),
        ),
        action(
            "cmdb.confirm",
            "Confirm in the CMDB",
            schema(&json!({ "within": text }), &["within"]),
            schema(&json!({ "cis": { "type": "integer" } }), &[]),
        ),
    ]
}

pub(super) fn shipped(name: &str) -> Blueprint {
    let file = format!("{name}.yaml");
    let (_, text) = SHIPPED.iter().find(|(known, _)| *known == file).expect("it is shipped");
    Blueprint::parse_checked(&file, text, &actions()).unwrap_or_else(|mistakes| panic!("{}", told(&mistakes)))
}

pub(super) fn told(mistakes: &[super::Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

pub(super) fn rita() -> RequestFacts {
    RequestFacts {
        number: String::new(),
        requester: "Rita Requester".to_owned(),
        team: "shop-developers".to_owned(),
        project: "shop".to_owned(),
        organisation: "northwind".to_owned(),
    }
}

pub(super) fn parameters(value: Value) -> Map<String, Value> {
    value.as_object().expect("a table").clone()
}

pub(super) fn plan(blueprint: &Blueprint, given: Value) -> Plan {
    let order = Order { parameters: &parameters(given), lease: None, request: &rita(), on: None };
    blueprint.plan(&order, &actions()).expect("it can be planned")
}

pub(super) fn plan_action(blueprint: &Blueprint, action: &str, given: Value, deployment: &DeploymentFacts) -> Plan {
    let order = Order { parameters: &parameters(given), lease: None, request: &rita(), on: Some((action, deployment)) };
    blueprint.plan(&order, &actions()).expect("it can be planned")
}

#[test]
fn every_shipped_blueprint_is_without_mistake() {
    for (file, text) in SHIPPED {
        if let Err(found) = Blueprint::parse_checked(file, text, &actions()) {
            panic!("{}", told(&found));
        }
    }
}
