//! Parameters as forms: what was typed is read, nothing is lost, and what does not fit is said in a sentence.

use serde_json::{Map, Value, json};

use super::{parameters, shipped};
use crate::blueprint::Blueprint;
use crate::blueprint::schema::FieldKind;

fn complete(blueprint: &Blueprint, given: Value) -> Result<Map<String, Value>, Vec<String>> {
    let completed = blueprint.order.parameters.complete(&parameters(given), &Map::new());
    completed.map_err(|errors| errors.into_iter().map(|error| format!("{}: {}", error.field, error.message)).collect())
}

#[test]
fn defaults_fill_what_is_absent() {
    let tomcat = shipped("scale-out-tomcat");
    let complete = complete(&tomcat, json!({ "application": "shop" })).expect("it fits");
    let expected = json!({ "application": "shop", "environment": "test", "nodes": 2, "size": "small", "tomcat": "10.1", "memory_mb": 256 });
    assert_eq!(Value::Object(complete), expected);
}

#[test]
fn every_wrong_field_is_told_in_one_sentence() {
    let tomcat = shipped("scale-out-tomcat");
    let given =
        json!({ "application": "No Good", "environment": "prod", "nodes": 9, "size": "huge", "tomkat": "10.1" });
    let expected = [
        "tomkat: There is no parameter `tomkat`; did you mean `tomcat`?",
        "application: Application can't be `No Good`. Short name of what will run, in lower case; 3 to 21 letters, digits or dashes. Machines are named after it.",
        "environment: Environment can't be `prod`; choose one of test, acceptance, production.",
        "nodes: Machines must be at most 8.",
        "size: Size of each machine can't be `huge`; choose one of small, medium, large.",
    ];
    assert_eq!(complete(&tomcat, given).expect_err("much is wrong"), expected);
}

#[test]
fn a_missing_and_an_emptied_field_are_needed() {
    let tomcat = shipped("scale-out-tomcat");
    assert_eq!(complete(&tomcat, json!({})).expect_err("it is needed"), ["application: Application is needed."]);
    let emptied = json!({ "application": "shop", "nodes": null });
    assert_eq!(complete(&tomcat, emptied).expect_err("it is needed"), ["nodes: Machines is needed."]);
}

#[test]
fn a_value_of_another_kind_is_told() {
    let tomcat = shipped("scale-out-tomcat");
    let found = complete(&tomcat, json!({ "application": "shop", "nodes": "many" })).expect_err("it is no number");
    assert_eq!(found, ["nodes: Machines must be a whole number, and `many` is not."]);
    let found = complete(&tomcat, json!({ "application": "shop", "nodes": 2.5 })).expect_err("it is not whole");
    assert_eq!(found, ["nodes: Machines must be a whole number, and `2.5` is not."]);
}

#[test]
fn what_was_typed_is_read_by_its_kind_and_kept_where_it_can_not_be() {
    let tomcat = shipped("scale-out-tomcat");
    let typed = |nodes: &'static str| {
        tomcat.order.parameters.read_form(move |name| match name {
            "application" => Some(" shop "),
            "nodes" => Some(nodes),
            "environment" => Some(""),
            _ => None,
        })
    };
    assert_eq!(Value::Object(typed("3")), json!({ "application": "shop", "nodes": 3, "environment": null }));
    assert_eq!(typed("three")["nodes"], json!("three"));
}

#[test]
fn a_form_names_what_may_be_chosen_and_what_it_costs() {
    let tomcat = shipped("scale-out-tomcat");
    let form = tomcat.order.parameters.form(&Map::new());
    let nodes = form.iter().find(|field| field.name == "nodes").expect("it is there");
    assert_eq!((nodes.kind, nodes.minimum, nodes.maximum), (FieldKind::Integer, Some(2.0), Some(8.0)));
    let size = form.iter().find(|field| field.name == "size").expect("it is there");
    assert_eq!(size.options[0].label, "Small: 2 processors, 4 GB memory, 40 GB disk, 25.00 € a month");
}
