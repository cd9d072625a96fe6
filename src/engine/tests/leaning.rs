//! In which order a deployment goes that grew and shrank: nothing is removed while something that stands leans on it.
//! The world itself breaks off when a thing is removed that a pool sends to.

use domain::blueprint::plan::PlannedWork;
use domain::run::Cancel;

use super::*;
use crate::mend::By;
use crate::proof::{Bend, Side};

const OTTO: By<'_> = By { name: "Otto Operator", reason: "It took too long." };

fn numbered(ids: &[&str], numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    let keys = |n: u32| ids.iter().map(move |id| format!("{id}[{n}]"));
    numbers.into_iter().flat_map(keys).collect()
}

/// A machine: its name, the machine, what is set up on it.
fn machine(n: u32) -> Vec<WorkflowStep> {
    let key = |id: &str| format!("{id}[{n}]");
    vec![make(&key("name"), &[]), make(&key("node"), &[&key("name")]), make(&key("setup"), &[&key("node")])]
}

fn pointing(step_key: &str, action: &str, machines: u32, needs: &[String]) -> WorkflowStep {
    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
    step(step_key, action, &needs, json!({ "members": numbered(&["node"], 1..=machines) }))
}

/// So many machines behind a pool, looked at by a step that makes nothing before the pool is made.
fn order(machines: u32) -> Vec<WorkflowStep> {
    let setups = numbered(&["setup"], 1..=machines);
    let needs: Vec<&str> = setups.iter().map(String::as_str).collect();
    let look = step("look", "thing.join", &needs, json!({}));
    let pool = pointing("pool", "thing.make", machines, &["look".to_owned()]);
    (1..=machines).flat_map(machine).chain([look, pool, make("application", &["pool"])]).collect()
}

/// From so many machines to so many. The steps that take back say nothing of their order among themselves.
fn scale(from: u32, to: u32) -> Vec<WorkflowStep> {
    let added = (from + 1..=to).flat_map(machine);
    let members = pointing("members", "thing.join", to, &numbered(&["setup"], from + 1..=to));
    let undo = |key: String| {
        let mut step = make(&format!("undo-{key}"), &["members"]);
        step.planned.work = PlannedWork::Undo(key);
        step
    };
    let removed = numbered(&["name", "node", "setup"], to + 1..=from).into_iter().map(undo);
    added.chain([members]).chain(removed).collect()
}

async fn carry_out(proof: &Proof, steps: Vec<WorkflowStep>) {
    let standing = crate::retire::standing_steps(&proof.store, proof.deployment()).await.unwrap();
    let ledger = store::resource::standing(&proof.store, proof.deployment()).await.unwrap();
    let planned = steps.into_iter().map(|step| step.planned).collect();
    let workflow = crate::retire::workflow(planned, &standing, &ledger).unwrap();
    let run = proof.enqueue(workflow).await;
    assert_done(&proof.carry(run).await);
}

/// Retires the deployment; the graph, as people see it: each step with those that it waits for.
async fn retire(proof: &Proof) -> Vec<(String, Vec<String>)> {
    let graph = proof.engine.retirement(&proof.store, proof.deployment()).await.unwrap();
    let drawn = graph.iter().map(|step| (step.planned.key.clone(), step.planned.needs.clone())).collect();
    let run = proof.enqueue(graph).await;
    assert_done(&proof.carry(run).await);
    drawn
}

/// Whether the things went in an order in which each machine's configuration goes before it, and its name after it.
fn assert_from_top_to_bottom(undone: &[String], machines: u32) {
    let place = |key: String| undone.iter().position(|it| *it == key).unwrap_or_else(|| panic!("{key} in {undone:?}"));
    for n in 1..=machines {
        let [name, node, setup] = ["name", "node", "setup"].map(|id| place(format!("{id}[{n}]")));
        assert!(place("pool".into()) < setup && setup < node && node < name, "machine {n} in {undone:?}");
    }
    assert!(place("application".into()) < place("pool".into()), "{undone:?}");
}

#[tokio::test]
async fn a_deployment_that_grew_goes_from_its_pool_down_to_its_names() {
    let (proof, world) = proof().await;
    carry_out(&proof, order(2)).await;
    carry_out(&proof, scale(2, 3)).await;
    let drawn = retire(&proof).await;
    assert!(world.things().is_empty());
    assert_from_top_to_bottom(&world.undone(), 3);
    let needs = |key: &str| drawn.iter().find(|(step, _)| step == key).unwrap().1.clone();
    assert_eq!(needs("pool"), ["application"]);
    for n in 1..=3 {
        assert_eq!(needs(&format!("setup[{n}]")), ["pool"], "machines go side by side");
        assert_eq!(needs(&format!("node[{n}]")), [format!("setup[{n}]")], "no detours are drawn");
        assert_eq!(needs(&format!("name[{n}]")), [format!("node[{n}]")]);
    }
}

#[tokio::test]
async fn what_left_a_pool_is_free_to_go_and_what_came_again_is_not() {
    let (proof, world) = proof().await;
    carry_out(&proof, order(2)).await;
    carry_out(&proof, scale(2, 4)).await;
    carry_out(&proof, scale(4, 2)).await;
    let undone = world.undone();
    let place = |key: &str| undone.iter().position(|it| it == key).unwrap();
    assert!(place("setup[3]") < place("node[3]") && place("node[3]") < place("name[3]"), "{undone:?}");
    carry_out(&proof, scale(2, 3)).await;
    retire(&proof).await;
    assert!(world.things().is_empty());
    assert_from_top_to_bottom(&world.undone()[undone.len()..], 3);
}

#[tokio::test]
async fn a_change_that_was_stopped_after_its_call_is_known_to_the_ledger_all_the_same() {
    let (proof, world) = proof().await;
    carry_out(&proof, order(2)).await;
    proof.bend("members", Side::Run, &[Bend::PermanentAfter]);
    let run = proof.enqueue(scale(2, 3)).await;
    assert_eq!(proof.carry(run).await.state, RunState::Paused);
    let tx = proof.store.begin().await.unwrap();
    proof.engine.cancel(&tx, run, Cancel::Stop, &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(proof.carry(run).await.state, RunState::Cancelled);
    retire(&proof).await;
    assert!(world.things().is_empty());
    assert_from_top_to_bottom(&world.undone(), 3);
}

#[tokio::test]
async fn rows_from_before_the_ledger_kept_this_go_in_the_order_of_their_making_reversed() {
    let (proof, world) = proof().await;
    carry_out(&proof, order(2)).await;
    let mut rows = store::resource::standing(&proof.store, proof.deployment()).await.unwrap();
    rows.iter_mut().for_each(|row| (row.made_on, row.tied_to) = (None, Vec::new()));
    let tx = proof.store.begin().await.unwrap();
    store::resource::lean(&tx, &rows.iter().collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
    carry_out(&proof, scale(2, 3)).await;
    retire(&proof).await;
    assert!(world.things().is_empty());
    assert_from_top_to_bottom(&world.undone(), 3);
}

/// Numbers that look like chance, the same in every run of the test.
fn chances(seed: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(seed), |last| Some(last.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)))
        .map(|number| number >> 16)
}

#[tokio::test]
async fn however_a_deployment_grew_and_shrank_nothing_goes_while_something_leans_on_it() {
    for seed in 1..=6 {
        let (proof, world) = proof().await;
        let mut sizes = chances(seed).map(|number| 1 + number % 5);
        let mut machines = sizes.next().unwrap();
        carry_out(&proof, order(machines)).await;
        for next in sizes.take(4) {
            carry_out(&proof, scale(machines, next)).await;
            assert_nothing_hangs_in_the_air(&proof, seed).await;
            machines = next;
        }
        let before = world.undone().len();
        retire(&proof).await;
        assert!(world.things().is_empty(), "chance {seed} left {:?}", world.things());
        assert_from_top_to_bottom(&world.undone()[before..], machines);
    }
}

/// What stands leans only on what stands.
async fn assert_nothing_hangs_in_the_air(proof: &Proof, seed: u32) {
    let rows = store::resource::standing(&proof.store, proof.deployment()).await.unwrap();
    for row in &rows {
        let below = row.leans_on().filter(|id| rows.iter().all(|other| other.id != *id)).count();
        assert_eq!(below, 0, "chance {seed}: {} leans on {below} things that are gone", row.name);
    }
}
