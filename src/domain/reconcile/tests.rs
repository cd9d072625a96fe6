//! Stories of one key, and chance: whatever the views tell, the totals add up, and what was mended is found no more.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::coverage::Coverage;
use super::difference::{Difference, What};
use super::judge::{Outcome, reconcile};
use super::merge::{Fault, View};
use super::record::{Record, Standing};
use super::rules::{ClassRules, Identifier, Precedence, Rules};
use super::totals::{Brake, Totals};
use crate::ci::{CiClass, Relation, Source};
use crate::finding::FindingKind;

const MACHINE: CiClass = CiClass::VirtualMachine;

fn machine(key: &str) -> Record {
    Record::of(key, MACHINE).at("berlin").finish()
}

fn told(key: &str, attributes: &[(&str, Value)]) -> Record {
    let draft = Record::of(key, MACHINE).at("berlin");
    attributes.iter().fold(draft, |draft, (name, value)| draft.tell(name, value)).finish()
}

fn standing(key: &str, standing: Standing) -> Record {
    Record::of(key, MACHINE).at("berlin").standing(standing).finish()
}

/// A machine is known again by its serial number; by its name, somebody is asked.
fn rules() -> Rules {
    let by = |name: &str, merges| Identifier { attributes: vec![name.into()], merges };
    let cpu = Precedence { sources: vec![Source::Workflow], refresh: None };
    let machine = ClassRules {
        identifiers: vec![by("serial", true), by("name", false)],
        attributes: BTreeMap::from([("cpu".into(), cpu)]),
    };
    Rules { classes: BTreeMap::from([(MACHINE, machine)]), ..Rules::default() }
}

fn looked() -> Coverage {
    Coverage::default().looked(MACHINE, "berlin", true)
}

type Answer = Result<(Vec<Difference>, Totals), Fault<Infallible>>;

fn told_of(ledger: &[Record], reality: &[Record], cmdb: &[Record], coverage: &Coverage) -> Answer {
    let view = |records: &[Record]| records.iter().cloned().map(Ok).collect::<Vec<_>>().into_iter();
    let (mut found, rules) = (Vec::new(), rules());
    let by = (&rules, coverage);
    let Outcome { totals, .. } =
        reconcile(view(ledger), view(reality), view(cmdb), by, |difference| found.push(difference))?;
    assert!(totals.add_up(), "{totals:?}");
    Ok((found, totals))
}

fn kinds(ledger: &[Record], reality: &[Record], cmdb: &[Record]) -> Vec<(String, FindingKind)> {
    let (found, _) = told_of(ledger, reality, cmdb, &looked()).expect("the views are sorted");
    found.into_iter().map(|it| (it.key, it.what.kind())).collect()
}

fn of(key: &str, kind: FindingKind) -> (String, FindingKind) {
    (key.to_owned(), kind)
}

#[test]
fn what_one_view_knows_and_another_does_not_has_a_name() {
    let m = machine;
    assert_eq!(kinds(&[], &[m("a")], &[]), [of("a", FindingKind::Unregistered)]);
    assert_eq!(kinds(&[], &[], &[m("a")]), [of("a", FindingKind::Ghost)]);
    assert_eq!(kinds(&[m("a")], &[], &[m("a")]), [of("a", FindingKind::Gone)]);
    assert_eq!(kinds(&[m("a")], &[], &[]), [of("a", FindingKind::Gone)]);
    assert_eq!(kinds(&[m("a")], &[m("a")], &[m("a")]), []);
    let over = |key| standing(key, Standing::Over);
    assert_eq!(kinds(&[over("a")], &[m("a")], &[m("a")]), [of("a", FindingKind::ExpiredButRunning)]);
    assert_eq!(kinds(&[m("a")], &[m("a")], &[over("a")]), [of("a", FindingKind::ExpiredButRunning)]);
    assert_eq!(kinds(&[over("a")], &[], &[over("a")]), [], "both know that it is over");
    let due = |key| standing(key, Standing::Due);
    assert_eq!(kinds(&[due("a")], &[], &[due("a")]), [], "nobody misses what is being built");
    let ordered = looked().ordered(MACHINE);
    let (found, totals) = told_of(&[], &[m("a")], &[m("a")], &ordered).expect("sorted");
    assert_eq!(found[0].what, What::Shadow);
    assert_eq!(totals.sum().shadow, 1);
}

#[test]
fn what_nobody_could_look_at_is_not_evaluated_and_never_missing() {
    let partial = looked().looked(MACHINE, "berlin", false);
    let (found, totals) =
        told_of(&[machine("a")], &[machine("b")], &[machine("a"), machine("b")], &partial).expect("sorted");
    assert_eq!(found, []);
    assert_eq!((totals.sum().not_evaluated, totals.sum().matched), (1, 1));
    // The ledger alone says that it is there, or that it was taken back.
    let (found, _) = told_of(&[machine("a")], &[], &[], &partial).expect("sorted");
    assert_eq!(found[0].what, What::Missing { by: View::Ledger });
    let (found, _) = told_of(&[standing("a", Standing::Over)], &[], &[machine("a")], &partial).expect("sorted");
    assert_eq!(found[0].what, What::Ghost);
}

#[test]
fn an_attribute_that_differs_is_told_with_both_values_and_whose_word_counts() {
    let ordered = told("a", &[("cpu", json!(2)), ("image", json!("debian"))]);
    let seen = told("a", &[("cpu", json!(8)), ("power", json!("on"))]);
    let recorded = told("a", &[("cpu", json!(8)), ("image", json!("debian ")), ("note", json!("by hand"))]);
    let (found, totals) = told_of(&[ordered], &[seen], &[recorded], &looked()).expect("sorted");
    let what: Vec<What> = found.into_iter().map(|difference| difference.what).collect();
    let cpu = || "cpu".to_owned();
    let drift = |name, recorded, told, by| What::Attribute { name, recorded, told, by };
    assert_eq!(
        what,
        [
            drift(cpu(), json!(8), json!(2), View::Ledger),
            What::NotAsOrdered { name: cpu(), ordered: json!(2), seen: json!(8) },
            drift("power".into(), Value::Null, json!("on"), View::Reality),
        ]
    );
    assert_eq!((totals.sum().differing, totals.sum().attributes), (1, 2));
}

#[test]
fn a_relation_is_missing_or_too_many_only_where_its_kind_is_told() {
    let linked = |links: &[(Relation, &str)]| {
        let draft = Record::of("a", MACHINE).at("berlin");
        links.iter().fold(draft, |draft, (relation, to)| draft.link(*relation, to)).finish()
    };
    let seen = linked(&[(Relation::RunsOn, "host-2")]);
    let recorded = linked(&[(Relation::RunsOn, "host-1"), (Relation::MemberOf, "pool")]);
    assert_eq!(
        kinds(&[], &[seen], &[recorded]),
        [of("a", FindingKind::MissingRelation), of("a", FindingKind::ExtraRelation)]
    );
}

#[test]
fn a_thing_under_a_new_key_is_the_ci_with_its_serial_number() {
    let seen = told("b", &[("serial", json!("4C4C")), ("name", json!("shop-2"))]);
    let recorded = told("a", &[("serial", json!("4c4c")), ("name", json!("shop-1"))]);
    let (found, totals) = told_of(&[], &[seen], &[recorded], &looked()).expect("sorted");
    assert_eq!((totals.sum().matched, found.len()), (1, 2), "only what changed of it: {found:?}");
    assert!(found.iter().all(|difference| difference.key == "a"));
}

#[test]
fn a_name_alone_proposes_and_never_merges() {
    let named = |key| told(key, &[("name", json!("shop"))]);
    let (found, totals) = told_of(&[], &[named("b")], &[named("a")], &looked()).expect("sorted");
    assert_eq!(found[0].what, What::Ambiguous { by: vec!["name".into()], cis: vec!["a".into()] });
    assert_eq!((totals.sum().ambiguous, totals.sum().not_evaluated, totals.sum().ghost), (1, 1, 0));
}

#[test]
fn a_serial_number_that_fits_two_cis_fits_none() {
    let numbered = |key| told(key, &[("serial", json!("1"))]);
    let (found, _) = told_of(&[], &[numbered("z")], &[numbered("a"), numbered("b")], &looked()).expect("sorted");
    assert_eq!(found[0].what, What::Ambiguous { by: vec!["serial".into()], cis: vec!["a".into(), "b".into()] });
    assert_eq!(found.len(), 1);
}

#[test]
fn a_machine_built_anew_under_an_old_name_is_a_new_ci() {
    let machine = |key, serial| told(key, &[("serial", json!(serial)), ("name", json!("shop-1"))]);
    assert_eq!(
        kinds(&[], &[machine("b", "2")], &[machine("a", "1")]),
        [of("b", FindingKind::Unregistered), of("b", FindingKind::IdentityReuse), of("a", FindingKind::Ghost)]
    );
}

#[test]
fn a_key_that_two_cis_have_is_a_duplicate_and_one_told_twice_by_a_source_is_an_error() {
    assert_eq!(kinds(&[], &[machine("a")], &[machine("a"), machine("a")]), [of("a", FindingKind::Duplicate)]);
    let twice = told_of(&[], &[machine("a"), machine("a")], &[], &looked()).expect_err("a page came twice");
    assert_eq!(twice.to_string(), "the sources tell `a` twice");
    let unsorted = told_of(&[], &[], &[machine("b"), machine("a")], &looked()).expect_err("it is not sorted");
    assert_eq!(unsorted.to_string(), "the CMDB tells `a` after `b`; they have to come in the order of their keys");
}

#[test]
fn a_source_that_breaks_off_ends_the_walk_with_its_own_words() {
    let (rules, coverage) = (rules(), looked());
    let broken = [Ok(machine("a")), Err("the connection was closed")].into_iter();
    let none = || std::iter::empty();
    let fault = reconcile(none(), broken, none(), (&rules, &coverage), |_| {}).expect_err("it broke off");
    assert_eq!(fault, Fault::Source("the connection was closed"));
}

#[test]
fn when_too_much_of_a_class_would_vanish_the_brake_names_it() {
    let cis: Vec<Record> = (10..40).map(|number| machine(&number.to_string())).collect();
    let (_, totals) = told_of(&[], &cis[..18], &cis, &looked()).expect("sorted");
    let braked = Brake::default().holds(&totals);
    assert_eq!((braked.len(), braked[0].would_vanish, braked[0].cis), (1, 12, 30));
    let (_, totals) = told_of(&[], &cis[..25], &cis, &looked()).expect("sorted");
    assert_eq!(Brake::default().holds(&totals), []);
}

fn any_record() -> impl Strategy<Value = Record> {
    let standing = prop_oneof![1 => Just(Standing::Due), 4 => Just(Standing::Stands), 1 => Just(Standing::Over)];
    let text = || proptest::option::of(0..4_u8);
    (0..40_u8, standing, text(), text(), text()).prop_map(|(key, standing, serial, name, cpu)| {
        Record::of(&format!("{key:02}"), if key % 5 == 0 { CiClass::Database } else { MACHINE })
            .at(if key % 3 == 0 { "paris" } else { "berlin" })
            .standing(standing)
            .tell("serial", &json!(serial))
            .tell("name", &json!(name.map(|it| it.to_string())))
            .tell("cpu", &json!(cpu))
            .finish()
    })
}

fn any_view() -> impl Strategy<Value = Vec<Record>> {
    proptest::collection::vec(any_record(), 0..30).prop_map(|mut records| {
        records.sort_by(|a, b| a.key().cmp(b.key()));
        records
    })
}

fn each_once(mut records: Vec<Record>) -> Vec<Record> {
    records.dedup_by(|a, b| a.key() == b.key());
    records
}

proptest! {
    #[test]
    fn the_totals_add_up_whatever_the_views_tell(ledger in any_view(), reality in any_view(), cmdb in any_view()) {
        let (ledger, reality) = (each_once(ledger), each_once(reality));
        let (found, totals) = told_of(&ledger, &reality, &cmdb, &looked()).expect("the views are sorted");
        let sum = totals.sum();
        prop_assert_eq!((sum.ledger, sum.reality, sum.cmdb),
            (ledger.len() as u64, reality.len() as u64, cmdb.len() as u64));
        let count = |kind| found.iter().filter(|it| it.what.kind() == kind).count() as u64;
        prop_assert_eq!(count(FindingKind::Ambiguous) <= sum.ambiguous, true);
        prop_assert_eq!(count(FindingKind::AttributeDrift), sum.attributes);
        prop_assert_eq!(count(FindingKind::Ghost) + count(FindingKind::Gone) >= sum.ghost, true);
    }

    #[test]
    fn a_record_that_says_what_is_seen_has_no_difference(reality in any_view()) {
        let reality = each_once(reality);
        let (found, totals) = told_of(&[], &reality, &reality, &looked()).expect("the views are sorted");
        let but_retired: BTreeSet<FindingKind> = found.iter().map(|it| it.what.kind()).collect();
        prop_assert!(but_retired.iter().all(|kind| *kind == FindingKind::ExpiredButRunning), "{:?}", found);
        prop_assert_eq!(totals.sum().matched, reality.len() as u64);
    }
}
