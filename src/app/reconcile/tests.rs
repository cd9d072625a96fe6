use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::ci::{CiChange, CiClass};
use domain::deployment::{Deployment, DeploymentState};
use domain::finding::FindingKind;
use domain::finding::life::{Kept, State};
use domain::person::Scope;
use domain::ports::clock::Clock;
use domain::ports::machine_change::{MachineChange, MachineEvent};
use domain::ports::machines::Machine;
use domain::resource::LedgerChange;
use domain::site::SIMULATED;
use domain::workload::GRACE;
use store::finding::{FindingQuery, FindingSort};

use super::*;
use crate::finding;
use crate::house::machines::{built, look, standing_of};
use crate::house::{House, auditor, nobody, requester};
use crate::page::{Turn, Window};

async fn reconciled(house: &House) -> Run {
    let run = run_as(&house.app, &Actor::clock()).await.expect("it reconciles");
    run.expect("nobody else is at it")
}

async fn tally(house: &House) -> domain::reconcile::run::Tally {
    reconciled(house).await.outcome.expect("it came to its end").tally
}

/// Everything that is kept, in the order in which it was found.
async fn kept(house: &House) -> Vec<Kept> {
    let window = Window { sort: FindingSort::Age, descending: false, turn: Turn::First, limit: 500 };
    let all = store::finding::list(&house.app.store, &Scope::Everything, &FindingQuery::default(), window).await;
    all.expect("it answers").rows
}

/// Kind, part and state of everything that is kept.
async fn told(house: &House) -> BTreeSet<(&'static str, String, &'static str)> {
    let one = |kept: &Kept| (kept.found.matter.kind().id(), kept.found.matter.part(), kept.state.word());
    kept(house).await.iter().map(one).collect()
}

fn one(kind: &'static str, part: &str, state: &'static str) -> (&'static str, String, &'static str) {
    (kind, part.to_owned(), state)
}

fn operator() -> Principal {
    Principal { everywhere: BTreeSet::from([Role::Operator]), name: "Olga".into(), ..nobody() }
}

/// The machine of a deployment, moved to another host and with more processors than were ordered.
fn bent(deployment: &Deployment) -> Machine {
    Machine { cpu: 8, host: "esx-02".into(), ..standing_of(deployment) }
}

#[tokio::test]
async fn what_differs_is_kept_with_both_values_and_who_told_them_and_the_second_run_writes_nothing() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    look(&house, &[standing_of(&shop)], &[]).await;
    let clean = reconciled(&house).await;
    assert_eq!((clean.state, kept(&house).await.len()), (RunState::Done, 0), "what is as it was ordered is no finding");
    let summary = clean.outcome.expect("it came to its end");
    assert!(summary.totals.add_up());
    assert_eq!((summary.totals.sum().matched, summary.totals.sum().cmdb), (1, 2), "the server is seen by no source");
    assert_eq!(clean.rules, Rules::standard().hash);

    let change = MachineChange {
        id: "vm-shop-1".into(),
        key: standing_of(&shop).key,
        name: "shop-1".into(),
        event: MachineEvent::Reshaped,
        by: Some("LAB\\root".into()),
    };
    look(&house, &[bent(&shop)], &[change]).await;
    let first = tally(&house).await;
    assert_eq!((first.found, first.opened), (2, 2));
    assert_eq!(told(&house).await, BTreeSet::from([one("C1", "host", "open"), one("C2", "cpu", "open")]));
    let before = kept(&house).await;
    let host = before.iter().find(|kept| kept.found.matter.kind() == FindingKind::AttributeDrift).expect("the host");
    assert_eq!(host.found.matter.told(), "On record, host is `esx-01`; its source says `esx-02`.");
    assert_eq!(host.found.cause.source, Some(domain::ci::Source::Workflow), "who told what is on record");
    assert_eq!(host.found.subject.application.as_deref(), Some("shop-team"));
    let cpu = before.iter().find(|kept| kept.found.matter.kind() == FindingKind::ChangedByHand).expect("processors");
    assert_eq!(cpu.found.cause.done_by.as_deref(), Some("LAB\\root"));
    assert_eq!(cpu.found.cause.step.as_deref(), Some("node"), "the step that ordered it");

    house.clock.wind(TimeDelta::minutes(5));
    look(&house, &[bent(&shop)], &[]).await;
    let second = tally(&house).await;
    assert_eq!((second.found, second.opened, second.changed, second.fixed), (2, 0, 0, 0));
    assert_eq!(kept(&house).await, before, "not one row is another");
}

#[tokio::test]
async fn what_is_not_found_any_more_is_fixed_and_found_again_it_is_open_with_its_age() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    look(&house, &[bent(&shop)], &[]).await;
    let first = reconciled(&house).await;
    house.clock.wind(TimeDelta::hours(1));
    look(&house, &[standing_of(&shop)], &[]).await;
    assert_eq!(tally(&house).await.fixed, 2);
    let fixed = kept(&house).await.remove(0);
    let was = State::Fixed { at: house.clock.now(), last_seen_at: first.ended_at.expect("it ended") };
    assert_eq!(fixed.state, was);
    house.clock.wind(TimeDelta::hours(1));
    look(&house, &[bent(&shop)], &[]).await;
    assert_eq!(tally(&house).await.opened_again, 2);
    let again = kept(&house).await.remove(0);
    assert_eq!((again.id, &again.state, again.times), (fixed.id, &State::Open, 2));
    assert_eq!((again.first_seen_at, again.found_at), (first.began_at, house.clock.now()));
}

#[tokio::test]
async fn a_machine_is_missed_only_when_all_of_its_site_was_seen_and_it_was_gone_for_a_while() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    look(&house, &[standing_of(&shop)], &[]).await;
    look(&house, &[], &[]).await;
    assert_eq!(tally(&house).await.found, 0, "it has just gone");
    house.clock.wind(GRACE + TimeDelta::minutes(1));
    look(&house, &[], &[]).await;
    assert_eq!(tally(&house).await.opened, 1);
    assert_eq!(told(&house).await, BTreeSet::from([one("E4", "", "open")]));

    // Nobody can look: what is missing there is as missing as before, and no more.
    let tx = house.app.store.begin().await.expect("a transaction");
    store::sighting::unheard(&tx, SIMULATED, "It is away.", house.clock.now()).await.expect("it is noted");
    tx.commit().await.expect("it commits");
    let blind = reconciled(&house).await.outcome.expect("it came to its end");
    assert_eq!((blind.tally.found, blind.tally.fixed), (0, 0));
    assert_eq!(blind.totals.sum().not_evaluated, 2);
    assert!(blind.looks[0].why.as_ref().is_some_and(|why| why.contains("It is away.")), "{:?}", blind.looks);
    assert_eq!(told(&house).await, BTreeSet::from([one("E4", "", "open")]));
    look(&house, &[standing_of(&shop)], &[]).await;
    assert_eq!(tally(&house).await.fixed, 1);
}

#[tokio::test]
async fn what_a_run_works_on_is_judged_when_the_run_is_over() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    let at_work = |state| Deployment { state, ..shop.clone() };
    let save = async |deployment: Deployment| {
        let tx = house.app.store.begin().await.expect("a transaction");
        store::deployment::update(&tx, &deployment).await.expect("it is written");
        tx.commit().await.expect("it commits");
    };
    look(&house, &[bent(&shop)], &[]).await;
    save(at_work(DeploymentState::Changing)).await;
    assert_eq!(tally(&house).await.found, 0);
    save(at_work(DeploymentState::Live)).await;
    assert_eq!(tally(&house).await.opened, 2);
    save(at_work(DeploymentState::Changing)).await;
    look(&house, &[standing_of(&shop)], &[]).await;
    assert_eq!(tally(&house).await.fixed, 0, "what is known of it stands meanwhile");
}

#[tokio::test]
async fn what_the_ledger_took_back_and_what_it_holds_without_a_ci_are_found_where_no_source_looks() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    let key = standing_of(&shop).key;
    house.tell(house.shop, &[CiChange::Retire { key: format!("{key}/server") }]).await;
    let tx = house.app.store.begin().await.expect("a transaction");
    let gone = [LedgerChange::Gone { key: key.clone() }];
    store::resource::apply(&tx, shop.id, &gone, house.clock.now()).await.expect("it is written");
    tx.commit().await.expect("it commits");
    assert_eq!(tally(&house).await.opened, 1);
    assert_eq!(told(&house).await, BTreeSet::from([one("E2", "", "open")]));
    house.tell(house.shop, &[CiChange::Retire { key: format!("{key}/machine") }]).await;
    assert_eq!(tally(&house).await.fixed, 1, "its CI is retired: nobody misses it any more");
}

#[tokio::test]
async fn a_ci_with_the_shortest_of_keys_is_walked_like_any_other() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    look(&house, &[standing_of(&shop)], &[]).await;
    let machine = CiChange::Declare {
        key: "m".to_owned(),
        class: CiClass::VirtualMachine,
        name: "m".to_owned(),
        attributes: serde_json::Map::new(),
    };
    house.tell(house.shop, &[machine]).await;
    let summary = reconciled(&house).await.outcome.expect("it came to its end");
    assert_eq!((summary.totals.sum().matched, summary.totals.sum().cmdb), (1, 3));
}

#[tokio::test]
async fn when_much_would_vanish_at_once_it_is_held_back_until_an_operator_lets_it_through() {
    let house = House::open().await;
    let mut machines = Vec::new();
    for number in 0..30 {
        machines.push(standing_of(&built(&house, house.shop, &format!("shop-{number:02}")).await));
    }
    look(&house, &machines, &[]).await;
    reconciled(&house).await;
    look(&house, &machines[..12], &[]).await;
    house.clock.wind(GRACE + TimeDelta::minutes(1));
    look(&house, &machines[..12], &[]).await;
    let braked = reconciled(&house).await;
    assert_eq!((braked.state, kept(&house).await.len()), (RunState::Braked, 18));
    assert!(kept(&house).await.iter().all(|kept| kept.state == State::Held), "they are the list that is looked at");
    let held = braked.outcome.expect("it came to its end").braked;
    assert_eq!((held[0].class, held[0].would_vanish, held[0].cis), (CiClass::VirtualMachine, 18, 30));
    let machine = CiClass::VirtualMachine;
    release(&house.app, &auditor(), "portal", machine, "the move").await.expect_err("auditors change nothing");
    release(&house.app, &operator(), "portal", machine, " ").await.expect_err("a reason is needed");
    release(&house.app, &operator(), "portal", CiClass::Server, "the move").await.expect_err("nothing is held back");
    release(&house.app, &operator(), "portal", machine, "the move").await.expect("it is let through");
    let passed = reconciled(&house).await;
    assert_eq!(passed.state, RunState::Done);
    assert!(kept(&house).await.iter().all(|kept| kept.state == State::Open));
    assert_eq!(tally(&house).await.changed, 0, "the same is let through again");

    // More than was let through is held back anew.
    look(&house, &machines[..10], &[]).await;
    house.clock.wind(GRACE + TimeDelta::minutes(1));
    look(&house, &machines[..10], &[]).await;
    assert_eq!(reconciled(&house).await.state, RunState::Braked);
    assert_eq!(kept(&house).await.iter().filter(|kept| kept.state == State::Held).count(), 2);
    look(&house, &machines, &[]).await;
    let over = reconciled(&house).await;
    assert_eq!((over.state, over.outcome.expect("it came to its end").tally.fixed), (RunState::Done, 18));
    assert_eq!(kept(&house).await.len(), 18, "what was only held back is forgotten");
    assert_eq!(store::reconcile::releases(&house.app.store).await.expect("it answers"), []);
}

#[tokio::test]
async fn of_two_processes_one_reconciles_and_what_a_dead_one_left_is_closed_and_begun_anew() {
    let house = House::open().await;
    let (at_work, rules) = ((&Actor::clock(), "one"), Rules::standard());
    let (token, run) = begin(&house.app, at_work, rules, LEASE).await.expect("it answers").expect("it begins");
    assert_eq!(run_as(&house.app, &Actor::clock()).await.expect("it answers"), None);
    super::run(&house.app, &operator(), "portal").await.expect_err("another process is at it");
    house.database.tamper("UPDATE duty SET lease_until = '2020-01-01T00:00:00.000+00:00'").await;
    reconciled(&house).await;
    let all = latest(&house.app, &auditor()).await.expect("it answers");
    let ended: Vec<_> = all.iter().map(|it| (it.id == run.id, it.state)).collect();
    assert_eq!(ended.len(), 2);
    assert!(ended.contains(&(true, RunState::Interrupted)) && ended.contains(&(false, RunState::Done)), "{ended:?}");
    let stale = App { store: house.app.store.fenced(token), ..house.app.clone() };
    finish(&stale, token, run, Ok(Summary::default())).await.expect_err("who lost the work writes nothing");
    latest(&house.app, &requester(house.shop)).await.expect_err("they are of everything");
}

#[tokio::test]
async fn an_operator_bears_a_finding_until_a_day_and_then_it_is_open_again() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    look(&house, &[bent(&shop)], &[]).await;
    reconciled(&house).await;
    let id = kept(&house).await[0].id;
    let until = house.clock.now() + TimeDelta::days(30);
    let waive =
        async |who: &Principal, reason: &str| finding::waive(&house.app, who, "portal", id, (until, reason)).await;
    waive(&auditor(), "moved").await.expect_err("auditors change nothing");
    let unsaid = waive(&operator(), "").await.expect_err("a reason is needed");
    assert_eq!(unsaid.fields[0].field, "reason");
    waive(&operator(), "It was moved for the weekend.").await.expect("it is waived");
    finding::show(&house.app, &requester(house.website), id).await.expect_err("it is not theirs to see");
    assert_eq!(tally(&house).await.waivers_over, 0);
    house.clock.wind(TimeDelta::days(30));
    look(&house, &[bent(&shop)], &[]).await;
    assert_eq!(tally(&house).await.waivers_over, 1);
    assert_eq!(finding::show(&house.app, &requester(house.shop), id).await.expect("it is theirs").state, State::Open);
    let noted = store::audit::of_subject(&house.app.store, &format!("finding {id}")).await.expect("it answers");
    assert_eq!(noted[0].action, "finding.waived");
}
