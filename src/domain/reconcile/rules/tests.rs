use serde_json::json;

use super::*;

fn mistakes(text: &str) -> Vec<String> {
    let told = Rules::read("r.yaml", text).expect_err("it has mistakes");
    told.iter().map(ToString::to_string).collect()
}

#[test]
fn the_rules_that_come_with_gatehouse_are_in_order() {
    let rules = Rules::standard();
    let machine = rules.identifiers(CiClass::VirtualMachine);
    assert_eq!(machine[0], Identifier { attributes: vec!["uuid".into()], merges: true });
    assert!(!machine[3].merges, "a name only proposes");
    assert_eq!(rules.identifiers(CiClass::Server), machine, "a server is like a machine");
    assert_eq!(rules.leads(CiClass::VirtualMachine, "cpu"), View::Ledger);
    assert_eq!(rules.leads(CiClass::Server, "host"), View::Reality);
}

#[test]
fn a_name_that_nobody_knows_is_told_with_its_place_and_the_nearest_one() {
    let text = "rules: 1\nclasses:\n  virtual_machin: {}\n  workload:\n    identify: [[digest]]\n    attributes:\n      \
                image: { sources: [container_reports], refresh: soon }\n";
    assert_eq!(
        mistakes(text),
        [
            "r.yaml:3:3: there is no `virtual_machin` here\n    did you mean `virtual_machine`?",
            "r.yaml:5:17: found `digest`, which is no name of an attribute\n    did you mean `digests`?",
            "r.yaml:7:26: found `container_reports`, which is no name of a source\n    did you mean `container_report`?",
            "r.yaml:7:55: found `soon`; expected a length of time, such as `1d` or `12h`",
        ]
    );
}

#[test]
fn a_loop_of_classes_and_a_source_before_itself_are_refused() {
    let text = "rules: 1\nclasses:\n  server: { like: virtual_machine }\n  virtual_machine:\n    like: server\n    \
                attributes: { cpu: { sources: [workflow, workflow] } }\n";
    assert_eq!(
        mistakes(text),
        [
            "r.yaml:3:19: these classes are like one another in a loop: server, virtual_machine, server",
            "r.yaml:5:11: these classes are like one another in a loop: virtual_machine, server, virtual_machine",
            "r.yaml:6:46: `workflow` stands here twice: it can't come before itself",
        ]
    );
}

#[test]
fn what_is_no_table_or_of_another_edition_is_refused() {
    assert_eq!(
        mistakes("rules: 2\nbrake: { share: 200, most: 3 }\nclasses: []\n"),
        [
            "r.yaml:1:8: found `2` where the edition of the format stands; expected `rules: 1`",
            "r.yaml:2:17: found `200`; expected a percentage, 1 to 100",
            "r.yaml:2:22: there is no `most` here\n    known here: share, least",
            "r.yaml:3:10: found an empty list; expected a table with `business_application`, `application_service`, \
             `server`, `virtual_machine`",
        ]
    );
}

#[test]
fn a_weaker_source_waits_until_the_stronger_one_was_silent_for_its_time() {
    let told_at = DateTime::UNIX_EPOCH;
    let known = |source| Attribute { value: json!("10.0.0.1"), source, run: None, step: None, at: told_at };
    let takes = |attribute, by, source, value: &str, hours| {
        let at = told_at + TimeDelta::hours(hours);
        Rules::standard().takes((CiClass::VirtualMachine, attribute), &known(by), &json!(value), (source, at))
    };
    let (order, report) = (Source::Workflow, Source::MachineReport);
    assert!(!takes("address", report, order, "10.0.0.2", 1));
    assert!(takes("address", report, order, "10.0.0.2", 24), "the report is silent for a day");
    assert!(takes("address", order, report, "10.0.0.2", 1));
    assert!(!takes("cpu", order, report, "4", 10_000), "an order counts until the next one");
    assert!(!takes("address", report, report, "10.0.0.1", 1), "nothing is new");
    assert!(takes("address", report, report, "10.0.0.1", 12), "it is still told");
    assert!(takes("address", order, report, "10.0.0.1", 1), "a stronger source says so too");
    assert!(takes("operating_system", report, Source::Sample, "x", 0), "without a rule the last word counts");
}
