use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::ci::Source;
use crate::ci::past::{replay, rewind};
use crate::ids::ProjectId;

/// A CMDB in memory: what a plan says is written down, so that the next plan finds it.
#[derive(Default)]
struct Records {
    known: Known,
    history: Vec<Change>,
    ids: u128,
}

impl Records {
    fn tell(&mut self, changes: &[CiChange], cause: &Cause) -> Delta {
        let mut last = self.ids;
        let fresh = || {
            last += 1;
            CiId(Uuid::from_u128(last))
        };
        let delta = plan(self.known.clone(), changes, cause, Rules::standard(), fresh).expect("every key is declared");
        self.ids = last;
        for ci in &delta.cis {
            let attributes =
                self.known.cis.iter().find(|(old, _)| old.id == ci.id).map(|(_, a)| a.clone()).unwrap_or_default();
            self.known.cis.retain(|(old, _)| old.id != ci.id);
            self.known.cis.push((ci.clone(), attributes));
        }
        for (id, name, attribute) in &delta.attributes {
            let (_, attributes) = self.known.cis.iter_mut().find(|(ci, _)| ci.id == *id).expect("it was written");
            attributes.insert(name.clone(), attribute.clone());
        }
        self.known.links.retain(|_, row| !delta.closed.contains(row));
        for link in &delta.opened {
            self.ids += 1;
            self.known.links.insert(*link, Uuid::from_u128(self.ids));
        }
        self.history.extend(delta.history.iter().cloned());
        delta
    }

    fn ci(&self, key: &str) -> &Ci {
        &self.known.cis.iter().find(|(ci, _)| ci.key == key).expect("it was declared").0
    }
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant")
}

fn cause(minutes: i64) -> Cause {
    Cause {
        source: Source::Workflow,
        project: ProjectId(Uuid::from_u128(7)),
        deployment: None,
        run: None,
        step: Some("node[1]".into()),
        platform: Some("ops-platform".into()),
        application: Some("team-shop".into()),
        at: noon() + TimeDelta::minutes(minutes),
    }
}

fn machine(name: &str, cpu: u32) -> CiChange {
    let attributes =
        json!({ "fqdn": format!("{name}.example.org"), "address": "10.0.0.7", "cpu": cpu, "memory_gb": 4 });
    let Value::Object(attributes) = attributes else { unreachable!("it is an object") };
    CiChange::Declare { key: "run-1/node[1]".into(), class: CiClass::VirtualMachine, name: name.into(), attributes }
}

#[test]
fn saying_the_same_again_writes_nothing() {
    let mut records = Records::default();
    assert!(!records.tell(&[machine("shop-1", 2)], &cause(0)).is_empty());
    let again = records.tell(&[machine("shop-1", 2)], &cause(5));
    assert_eq!(again, Delta::default());
}

#[test]
fn a_rename_keeps_the_ci_and_its_history() {
    let mut records = Records::default();
    records.tell(&[machine("shop-1", 2)], &cause(0));
    let id = records.ci("run-1/node[1]").id;
    let delta = records.tell(&[machine("shop-web-1", 2)], &cause(5));
    assert_eq!(records.ci("run-1/node[1]").id, id);
    let fields: Vec<_> = delta.history.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["name", "fqdn"]);
}

#[test]
fn a_change_of_one_attribute_is_one_update_with_its_source_and_time() {
    let mut records = Records::default();
    records.tell(&[machine("shop-1", 2)], &cause(0));
    let delta = records.tell(&[machine("shop-1", 4)], &cause(5));
    assert_eq!(delta.attributes.len(), 1);
    let (_, name, attribute) = &delta.attributes[0];
    assert_eq!((name.as_str(), &attribute.value, attribute.at), ("cpu", &json!(4), cause(5).at));
    assert_eq!((&delta.history[0].before, &delta.history[0].after), (&json!(2), &json!(4)));
}

#[test]
fn a_retired_ci_stays_and_its_relations_end() {
    let mut records = Records::default();
    let pool = CiChange::Declare {
        key: "pool".into(),
        class: CiClass::LoadBalancerService,
        name: "shop".into(),
        attributes: Map::new(),
    };
    let member = CiChange::Relate { from: "run-1/node[1]".into(), relation: Relation::MemberOf, to: "pool".into() };
    records.tell(&[machine("shop-1", 2), pool, member], &cause(0));
    let delta = records.tell(&[CiChange::Retire { key: "run-1/node[1]".into() }], &cause(9));
    assert_eq!((delta.cis.len(), delta.closed.len()), (1, 1));
    let ci = records.ci("run-1/node[1]");
    assert_eq!((ci.lifecycle, ci.retired_at), (Lifecycle::Retired, Some(cause(9).at)));
    assert!(records.tell(&[CiChange::Retire { key: "run-1/node[1]".into() }], &cause(10)).is_empty());
}

#[test]
fn history_answers_what_was_true_at_any_instant() {
    let mut records = Records::default();
    records.tell(&[machine("shop-1", 2)], &cause(0));
    records.tell(&[machine("shop-web-1", 4)], &cause(10));
    records.tell(&[CiChange::Retire { key: "run-1/node[1]".into() }], &cause(20));
    let until = |minutes: i64| -> Vec<Change> {
        records.history.iter().filter(|change| change.at <= cause(minutes).at).cloned().collect()
    };
    assert_eq!(replay(&until(-1)), None);
    let (ci, attributes) = replay(&until(5)).expect("it was there");
    assert_eq!((ci.name.as_str(), &attributes["cpu"].value), ("shop-1", &json!(2)));
    let (ci, attributes) = replay(&until(15)).expect("it was there");
    assert_eq!(
        (ci.name.as_str(), &attributes["cpu"].value, ci.lifecycle),
        ("shop-web-1", &json!(4), Lifecycle::Operational)
    );

    let later: Vec<Change> = records.history.iter().rev().filter(|change| change.at > cause(5).at).cloned().collect();
    let rewound = rewind(records.ci("run-1/node[1]").clone(), &later).expect("it was there");
    assert_eq!(
        (rewound.name.as_str(), rewound.lifecycle, rewound.retired_at),
        ("shop-1", Lifecycle::Operational, None)
    );
}

#[test]
fn what_the_class_requires_and_nobody_told_is_a_gap() {
    let mut records = Records::default();
    let bare = CiChange::Declare {
        key: "run-1/node[1]".into(),
        class: CiClass::VirtualMachine,
        name: "shop-1".into(),
        attributes: serde_json::from_value(json!({ "cpu": "two" })).expect("it is an object"),
    };
    records.tell(&[bare], &cause(0));
    let ci = records.ci("run-1/node[1]");
    assert_eq!(ci.gaps, ["fqdn", "address", "memory_gb"]);
    assert_eq!(ci.misfits, ["cpu"]);
}

#[test]
fn relating_what_was_never_declared_names_the_key() {
    let lost = CiChange::Relate { from: "a".into(), relation: Relation::RunsOn, to: "b".into() };
    let refused = plan(Known::default(), &[lost], &cause(0), Rules::standard(), || CiId(Uuid::nil()));
    assert_eq!(refused, Err(UnknownCi("a".into())));
}

#[test]
fn a_name_is_found_whole_and_by_its_parts_and_an_address_whole() {
    assert_eq!(words_of("Shop-Test-01"), ["shop", "test", "01", "shop-test-01"]);
    assert_eq!(words_of("10.20.0.7"), ["10.20.0.7"]);
}

#[test]
fn a_weaker_source_changes_nothing_and_a_stronger_one_does_and_stays() {
    let mut records = Records::default();
    let report = |minutes| Cause { source: Source::MachineReport, step: None, ..cause(minutes) };
    let told = |cpu: u32, address: &str| {
        let attributes = json!({ "cpu": cpu, "address": address }).as_object().cloned().unwrap_or_default();
        [CiChange::Declare { key: "k".into(), class: CiClass::VirtualMachine, name: "m".into(), attributes }]
    };
    let value = |records: &Records, name: &str| records.known.cis[0].1[name].value.clone();
    records.tell(&told(2, "10.0.0.1"), &cause(0));
    let seen = records.tell(&told(8, "10.0.0.9"), &report(1));
    assert_eq!(seen.history.len(), 1, "the platform knows the address, and the order the size");
    assert_eq!((value(&records, "cpu"), value(&records, "address")), (json!(2), json!("10.0.0.9")));
    assert!(records.tell(&told(8, "10.0.0.9"), &report(2)).is_empty());
    assert!(records.tell(&told(2, "10.0.0.1"), &cause(3)).is_empty(), "an order does not know it better");
    let still = records.tell(&told(8, "10.0.0.9"), &report(13 * 60));
    assert_eq!((still.history.len(), still.attributes.len()), (0, 1), "that it was told again is no change");
    assert!(records.tell(&told(2, "10.0.0.1"), &cause(30 * 60)).is_empty(), "so it counts for another day");
    records.tell(&told(2, "10.0.0.1"), &cause(38 * 60));
    assert_eq!(value(&records, "address"), json!("10.0.0.1"), "nobody looked for a day");
}
