//! Whose turn it is: projects take turns however much each of them has ordered, what is taken down or mended goes
//! before what is built, and nobody waits for ever.

use chrono::TimeDelta;
use domain::ids::{ProjectId, RunId};
use domain::run::RunKind;

use super::*;
use crate::proof::{Bend, Side};
use crate::queue::QUEUE;
use crate::{NewRun, Worker};

/// One run after the other.
fn one_by_one() -> Settings {
    Settings { runs_per_worker: 1, ..Settings::default() }
}

fn order(proof: &Proof, project: ProjectId, key: &str) -> NewRun {
    NewRun { project, ..proof.order(vec![make(key, &[])]) }
}

/// Enqueues runs in one transaction.
async fn enqueue(proof: &Proof, orders: Vec<NewRun>) -> Vec<RunId> {
    let tx = proof.store.begin().await.unwrap();
    let mut runs = Vec::new();
    for order in orders {
        runs.push(proof.engine.enqueue(&tx, order).await.unwrap());
    }
    tx.commit().await.unwrap();
    runs
}

/// Lets a worker drive until so many calls were begun; answers whose.
async fn first_calls(proof: &Proof, world: &World, calls: usize) -> Vec<String> {
    let worker = Worker::start(&proof.engine);
    let mut events = proof.engine.subscribe();
    while world.called().len() < calls {
        let heard = tokio::time::timeout(std::time::Duration::from_secs(20), events.recv()).await;
        assert!(heard.is_ok(), "nothing happens any more: {:?}", world.called());
    }
    worker.stop().await;
    world.called().into_iter().take(calls).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_thousand_orders_of_one_project_the_first_of_another_is_among_the_next() {
    let (proof, world) = proof_with(one_by_one()).await;
    let [many, one] = [store::fresh_id(), store::fresh_id()];
    enqueue(&proof, (0..1_000).map(|n| order(&proof, many, &format!("many{n}"))).collect()).await;
    enqueue(&proof, (0..3).map(|n| order(&proof, one, &format!("one{n}"))).collect()).await;
    let called = first_calls(&proof, &world, 6).await;
    assert_eq!(called, ["many0", "one0", "many1", "one1", "many2", "one2"]);
    assert!(proof.engine.queue().await.unwrap().number > 990, "what can't be driven yet is left in the queue");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_orders_later_does_not_wait_for_the_backlog_of_another_nor_the_backlog_for_who_orders_later() {
    let (proof, world) = proof_with(one_by_one()).await;
    let [backlog, later] = [store::fresh_id(), store::fresh_id()];
    enqueue(&proof, (0..20).map(|n| order(&proof, backlog, &format!("old{n}"))).collect()).await;
    first_calls(&proof, &world, 5).await;
    let done = world.called().len();
    enqueue(&proof, (0..20).map(|n| order(&proof, later, &format!("new{n}"))).collect()).await;
    let called = first_calls(&proof, &world, done + 6).await;
    let ours = |word: &str| called[done..].iter().filter(|key| key.starts_with(word)).count();
    assert_eq!((ours("old"), ours("new")), (3, 3), "{called:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_down_and_what_is_mended_goes_before_what_is_built() {
    let (proof, world) = proof_with(one_by_one()).await;
    let (project, house) = (store::fresh_id(), &proof);
    proof.bend("mended", Side::Run, &[Bend::Permanent]);
    let paused = proof.enqueue_run(order(&proof, project, "mended")).await;
    assert_eq!(proof.carry(paused).await.state, RunState::Paused);
    // Its job, which nobody took: the run was driven by hand.
    first_calls(&proof, &world, 0).await;

    enqueue(house, (0..5).map(|n| order(house, project, &format!("build{n}"))).collect()).await;
    let retire = NewRun { kind: RunKind::Retire, ..order(&proof, store::fresh_id(), "retire") };
    enqueue(&proof, vec![retire]).await;
    let tx = proof.store.begin().await.unwrap();
    let by = crate::mend::By { name: "Otto Operator", reason: "" };
    proof.engine.retry(&tx, paused, "mended", None, &by).await.unwrap();
    tx.commit().await.unwrap();
    let called = first_calls(&proof, &world, 3).await;
    assert_eq!(called, ["retire", "mended", "build0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_much_is_urgent_what_has_waited_for_long_goes_on_too() {
    let (proof, world) = proof_with(one_by_one()).await;
    enqueue(&proof, vec![order(&proof, store::fresh_id(), "build")]).await;
    let retire = |n: u32| NewRun { kind: RunKind::Retire, ..order(&proof, store::fresh_id(), &format!("retire{n}")) };
    enqueue(&proof, (0..5).map(retire).collect()).await;
    let minute = TimeDelta::minutes(1);
    assert!(
        !store::job::is_passed_over(&proof.store, QUEUE, minute, None).await.unwrap(),
        "it has not waited for long"
    );
    // As if it were later.
    let later = TimeDelta::seconds(-2);
    assert!(store::job::is_passed_over(&proof.store, QUEUE, later, None).await.unwrap());
    let tx = proof.store.begin().await.unwrap();
    store::job::let_pass(&tx, QUEUE, later, None).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!store::job::is_passed_over(&proof.store, QUEUE, later, None).await.unwrap(), "nobody else has waited");
    let called = first_calls(&proof, &world, 2).await;
    assert_eq!(called, ["build", "retire0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_begun_goes_on_beside_what_its_own_project_has_ordered_since() {
    let (proof, world) = proof_with(one_by_one()).await;
    let project = store::fresh_id();
    proof.bend("begun", Side::Run, &[Bend::Wait(600)]);
    let begun = proof.enqueue_run(order(&proof, project, "begun")).await;
    proof.drive_as(begun, "worker").await.unwrap();
    first_calls(&proof, &world, 0).await;
    enqueue(&proof, (0..20).map(|n| order(&proof, project, &format!("new{n}"))).collect()).await;
    proof.clock.wind(TimeDelta::seconds(600));
    assert!(proof.engine.sweep().await.unwrap().contains(&begun), "its time has come");
    let called = first_calls(&proof, &world, 2).await;
    assert!(called.contains(&"begun".to_owned()), "{called:?}");
}
