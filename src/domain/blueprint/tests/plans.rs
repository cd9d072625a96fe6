//! Plans: what an order or an action would do, kept as readable text beside the tests of the house.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{SHIPPED, actions, parameters, plan, plan_action, rita, shipped};
use crate::blueprint::plan::{DeploymentFacts, Order, Plan, PlannedWork, StepOutput, Unplannable};
use crate::blueprint::{Blueprint, Period};

fn readable(plan: &Plan) -> String {
    let mut text = String::new();
    let mut line = |written: String| writeln!(text, "{written}").expect("text grows");
    line(format!("{} {}: {}", plan.blueprint, plan.version, plan.title));
    line(format!("parameters {}", Value::Object(plan.parameters.clone())));
    line(format!("names {}", plan.names.join(", ")));
    line(format!("price {} a month (before {}), {} in {}", plan.monthly, plan.monthly_before, plan.total, plan.lease));
    for quota in &plan.quota {
        line(format!("quota {}: {} (before {})", quota.title, quota.amount, quota.before));
    }
    for verdict in &plan.approval {
        let approvers: Vec<String> = verdict.approvers.iter().map(ToString::to_string).collect();
        let asked = if verdict.matched { "asked" } else { "not asked" };
        line(format!("level {}: {} {asked}. {}", verdict.level, approvers.join(", "), verdict.why));
    }
    line(format!("platform by {}, application by {}", plan.responsible.platform, plan.responsible.application));
    for step in &plan.steps {
        let work = match &step.work {
            PlannedWork::Do(action) => format!("do {action}"),
            PlannedWork::Undo(key) => format!("undo {key}"),
        };
        let name = step.name.as_deref().map(|name| format!(" `{name}`")).unwrap_or_default();
        let skip = step.skip.as_deref().map(|skip| format!(" (skipped: {skip})")).unwrap_or_default();
        line(format!("{}: {work}: {}{name} <- [{}]{skip}", step.key, step.title, step.needs.join(", ")));
    }
    text
}

/// Compares with the file, or writes it when `GATEHOUSE_WRITE_SNAPSHOTS` is set.
fn assert_reads_as(file: &str, text: &str) {
    let path = format!("{}/../../tests/plans/{file}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("GATEHOUSE_WRITE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).expect("the snapshot can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, text, "tests/plans/{file}.txt differs; look, then run with GATEHOUSE_WRITE_SNAPSHOTS=1");
}

fn tomcat_of(nodes: u32) -> DeploymentFacts {
    let params = json!({ "application": "shop", "environment": "test", "nodes": nodes, "size": "small", "tomcat": "10.1", "memory_mb": 256 });
    let steps = json!({
        "pool": { "id": "p1", "url": "http://shop" },
        "node": [{ "name": "a" }, { "name": "b" }, { "name": "c" }],
        "setup": [{ "certname": "a.lab" }, { "certname": "b.lab" }, { "certname": "c.lab" }],
    });
    DeploymentFacts {
        name: "shop".to_owned(),
        params: parameters(params),
        steps: parameters(steps),
        lease: Period::of_days(90),
    }
}

#[test]
fn each_shipped_blueprint_plans_its_defaults_as_written() {
    for (file, _) in SHIPPED {
        let name = file.trim_end_matches(".yaml");
        let blueprint = shipped(name);
        let given =
            if name == "container-space" { json!({ "name": "builds" }) } else { json!({ "application": "shop" }) };
        assert_reads_as(name, &readable(&plan(&blueprint, given)));
    }
}

#[test]
fn growing_adds_the_missing_machines_and_removes_none() {
    let tomcat = shipped("scale-out-tomcat");
    let plan = plan_action(&tomcat, "scale", json!({ "nodes": 4 }), &tomcat_of(2));
    assert_reads_as("scale-out-tomcat-grows", &readable(&plan));
    assert_eq!(plan.parameters_after["nodes"], json!(4));
}

#[test]
fn shrinking_undoes_the_last_machines_after_they_left_the_pool() {
    let tomcat = shipped("scale-out-tomcat");
    let plan = plan_action(&tomcat, "scale", json!({ "nodes": 2 }), &tomcat_of(4));
    assert_reads_as("scale-out-tomcat-shrinks", &readable(&plan));
    assert!(plan.levels().is_empty(), "fewer machines need nobody");
}

#[test]
fn a_configuration_is_rolled_one_machine_after_another() {
    let tomcat = shipped("scale-out-tomcat");
    let plan = plan_action(&tomcat, "configure", json!({ "memory_mb": 512 }), &tomcat_of(3));
    assert_reads_as("scale-out-tomcat-rolls", &readable(&plan));
    let change = plan.steps.iter().find(|step| step.key == "change[2]").expect("it is planned");
    let left = [StepOutput { key: "drain[2]".to_owned(), id: "drain".to_owned(), n: Some(2), output: json!({}) }];
    let input = plan.bindings.resolve(change, &left).expect("all is there");
    assert_eq!(input, json!({ "node": { "certname": "b.lab" }, "facts": { "memory_mb": 512 } }));
}

#[test]
fn an_input_is_filled_with_what_the_steps_before_it_left() {
    let plan = plan(&shipped("scale-out-tomcat"), json!({ "application": "shop" }));
    let output = |key: &str, id: &str, n, output| StepOutput { key: key.to_owned(), id: id.to_owned(), n, output };
    let left = [
        output("node[2]", "node", Some(2), json!({ "name": "shop-test-2", "fqdn": "two.example.org", "ci": "c2" })),
        output("node[1]", "node", Some(1), json!({ "name": "shop-test-1", "fqdn": "one.example.org", "ci": "c1" })),
    ];
    let step = |key: &str| plan.steps.iter().find(|step| step.key == key).expect("it is planned");
    let setup = plan.bindings.resolve(step("setup[2]"), &left).expect("all is there");
    assert_eq!(
        setup,
        json!({ "certname": "two.example.org", "role": "tomcat", "server": "c2", "facts": { "tomcat_version": "10.1", "memory_mb": 256 } })
    );
    let pool = plan.bindings.resolve(step("pool"), &left).expect("all is there");
    assert_eq!(pool["members"][0]["name"], "shop-test-1", "the list is in the order of its numbers");
    let missing = plan.bindings.resolve(step("setup[1]"), &left[..1]).expect_err("node[1] is missing");
    assert_eq!(missing, "the step `node[1]` has left no output yet");
}

#[test]
fn a_plan_survives_being_stored() {
    let plan = plan(&shipped("scale-out-tomcat"), json!({ "application": "shop" }));
    let stored = serde_json::to_value(&plan).expect("it is JSON");
    assert_eq!(serde_json::from_value::<Plan>(stored).expect("it reads back"), plan);
}

#[test]
fn policies_of_one_level_are_one_level_with_all_their_approvers() {
    let blueprint = shipped("docker-machine");
    let levels = plan(&blueprint, json!({ "application": "shop", "size": "largest" })).levels();
    let told: Vec<String> = levels.iter().map(|level| format!("{}: {}", level.level, level.approvers.len())).collect();
    assert_eq!(told, ["1: 1", "2: 2"]);
}

#[test]
fn what_can_not_be_ordered_is_refused_with_its_field() {
    let tomcat = shipped("scale-out-tomcat");
    let given = parameters(json!({ "application": "shop" }));
    let order = Order { parameters: &given, lease: Some(Period::of_days(400)), request: &rita(), on: None };
    let Err(Unplannable::Fields(fields)) = tomcat.plan(&order, &actions()) else { panic!("the lease is too long") };
    assert_eq!(fields[0].message, "Lease must be between 1 day and 365 days.");
    let deployment = tomcat_of(2);
    let order = Order { parameters: &given, lease: None, request: &rita(), on: Some(("explode", &deployment)) };
    assert_eq!(tomcat.plan(&order, &actions()), Err(Unplannable::NoSuchAction("explode".to_owned())));
}

#[test]
fn parameters_and_the_lease_that_do_not_fit_are_told_together() {
    let given = parameters(json!({ "application": "shop", "nodes": 99 }));
    let order = Order { parameters: &given, lease: Some(Period::of_days(400)), request: &rita(), on: None };
    let tomcat = shipped("scale-out-tomcat");
    let Err(Unplannable::Fields(fields)) = tomcat.plan(&order, &actions()) else { panic!("two things are wrong") };
    let names: Vec<&str> = fields.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(names, ["nodes", "lease"]);
    let (plan, told) = tomcat.draft(&order, &actions()).expect("the rest is planned");
    assert_eq!((told.len(), plan.lease), (2, Period::of_days(90)));
}

#[test]
fn a_price_that_nobody_could_pay_is_refused_when_it_is_planned() {
    let (file, text) = SHIPPED[3];
    let priced = |formula: &str| {
        let line = text.lines().find(|line| line.starts_with("price:")).expect("it has a price");
        let text = text.replace(line, &format!("price: {{ monthly: \"{formula}\" }}"));
        let blueprint = Blueprint::parse_checked(file, &text, &actions()).expect("the defaults can be paid");
        let given = parameters(json!({ "application": "shop", "nodes": 5 }));
        let order = Order { parameters: &given, lease: None, request: &rita(), on: None };
        blueprint.plan(&order, &actions()).map(|plan| plan.monthly.to_string()).map_err(|fault| fault.to_string())
    };
    assert_eq!(priced("params.nodes * 25.0"), Ok("125.00 €".to_owned()));
    assert_eq!(
        priced("params.nodes > 4 ? 1e300 : 25.0"),
        Err("The blueprint can't be planned with these parameters: `params.nodes > 4 ? 1e300 : 25.0` gives 1e+300, which \
             is no price: a month costs from 0 to less than 1,000,000,000.00 €."
            .to_owned())
    );
    assert!(priced("(4.0 - params.nodes) * 25.0").expect_err("negative").contains("gives -25.0, which is no price"));
}

#[test]
fn a_step_that_undoes_says_so_in_the_words_of_the_action() {
    let (file, text) = SHIPPED[3];
    let silent = text.replace("title: Remove machine", "").replace("title: Take back the configuration", "");
    let tomcat = Blueprint::parse_checked(file, &silent, &actions()).expect("it fits the actions");
    let plan = plan_action(&tomcat, "scale", json!({ "nodes": 2 }), &tomcat_of(3));
    let title = |key: &str| plan.steps.iter().find(|step| step.key == key).expect("it is planned").title.clone();
    assert_eq!((title("remove[3]"), title("forget[3]")), ("Remove machine".to_owned(), "Forget role".to_owned()));
    let machine = actions().into_iter().find(|action| action.name == "machine.create").expect("it is known");
    assert_eq!(machine.undo_title_of("Install the shop"), "Take back: Install the shop");
}
