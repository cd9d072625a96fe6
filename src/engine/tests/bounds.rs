//! Bounds that hold for all workers together: never exceeded by two engines on one database, and never left unused.

use std::time::Duration;

use domain::ids::RunId;

use super::*;
use crate::drive::Drive;
use crate::proof::{Bend, Side};
use crate::{Bounds, Engine, NewRun, Worker};

fn bounded(provider: Option<usize>, blueprint: Option<usize>) -> Settings {
    let one = |name: &str, bound: Option<usize>| bound.map(|bound| (name.to_owned(), bound)).into_iter().collect();
    let bounds = Bounds { providers: one("world", provider), blueprints: one("proof", blueprint) };
    Settings { bounds, ..Settings::default() }
}

/// Runs of two steps side by side, each of a deployment and a project of its own but for every second.
async fn enqueue(proof: &Proof, runs: usize) -> Vec<RunId> {
    let project = store::fresh_id();
    let tx = proof.store.begin().await.unwrap();
    let mut enqueued = Vec::new();
    for n in 0..runs {
        let workflow = vec![make(&format!("a{n}"), &[]), make(&format!("b{n}"), &[])];
        let project = if n % 2 == 0 { project } else { store::fresh_id() };
        let order = NewRun { project, deployment: store::fresh_id(), ..proof.order(workflow) };
        enqueued.push(proof.engine.enqueue(&tx, order).await.unwrap());
    }
    tx.commit().await.unwrap();
    enqueued
}

async fn until_done(proof: &Proof, runs: &[RunId]) {
    let done = async {
        for run in runs {
            while proof.read(*run).await.0.state != RunState::Done {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), done).await.expect("all of them are carried through");
}

async fn carried_by_two(proof: &Proof, engines: [&Engine; 2], runs: &[RunId]) {
    let workers = engines.map(Worker::start);
    until_done(proof, runs).await;
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_never_have_more_calls_at_a_provider_than_its_bound() {
    for bound in [3, 1] {
        let (proof, world) = proof_with(bounded(Some(bound), None)).await;
        let other = proof.another_engine().await;
        let runs = enqueue(&proof, 12).await;
        carried_by_two(&proof, [&proof.engine, &other], &runs).await;
        assert_eq!(world.made(), 24);
        assert!(world.most_at_once() <= bound, "{} calls at once", world.most_at_once());
        assert!(store::share::all(&proof.store).await.unwrap().is_empty(), "who stops gives its places back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_alone_has_all_the_places_and_hands_them_on_to_the_next() {
    let (proof, world) = proof_with(bounded(Some(4), None)).await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let mut runs = enqueue(&proof, 4).await;
    let first = Worker::start(&proof.engine);
    let busy = async |calls| {
        while world.busy.lock().unwrap().0 != calls {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), busy(4)).await.expect("it uses all of them");
    let other = proof.another_engine().await;
    let second = Worker::start(&other);
    runs.extend(enqueue(&proof, 4).await);
    *world.gate.lock().unwrap() = None;
    gate.notify_waiters();
    until_done(&proof, &runs).await;
    assert_eq!((world.made(), world.most_at_once()), (16, 4));
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_runs_of_a_blueprint_are_driven_than_its_bound_and_none_is_left_behind() {
    let (proof, world) = proof_with(bounded(None, Some(1))).await;
    let other = proof.another_engine().await;
    let runs = enqueue(&proof, 8).await;
    carried_by_two(&proof, [&proof.engine, &other], &runs).await;
    assert_eq!(world.made(), 16);
    assert!(world.most_at_once() <= 2, "two steps of one run, and never of two: {}", world.most_at_once());
}

#[tokio::test]
async fn of_those_held_up_by_their_blueprint_the_projects_take_turns() {
    let (proof, world) = proof_with(bounded(None, Some(1))).await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let [many, one] = [store::fresh_id(), store::fresh_id()];
    let run = |project, key: &str| {
        proof.enqueue_run(NewRun { project, deployment: store::fresh_id(), ..proof.order(vec![make(key, &[])]) })
    };
    let first = run(many, "many0").await;
    let held_up = [run(many, "many1").await, run(many, "many2").await, run(one, "one0").await];
    let others = async {
        world.until_busy(1).await;
        for run in held_up {
            assert_eq!(proof.drive_as(run, "worker").await.unwrap(), Drive::NotTaken);
            assert_eq!(proof.read(run).await.0.state, RunState::Queued);
        }
        *world.gate.lock().unwrap() = None;
        gate.notify_waiters();
    };
    tokio::join!(proof.drive_as(first, "worker"), others).0.unwrap();
    let mut order = Vec::new();
    for _ in 0..3 {
        let due = proof.engine.sweep().await.unwrap();
        assert_eq!(due.len(), 1, "as many as may be driven");
        assert_eq!(proof.drive_as(due[0], "worker").await.unwrap(), Drive::Rested(RunState::Done));
        order.push(due[0]);
    }
    assert_eq!(order, [held_up[2], held_up[0], held_up[1]]);
}

#[tokio::test]
async fn a_run_that_waits_for_an_outside_system_keeps_its_turn_and_one_that_waits_for_long_does_not() {
    for (seconds, held_up) in [(60, true), (86_400, false)] {
        let (proof, _) = proof_with(bounded(None, Some(1))).await;
        proof.bend("waits", Side::Run, &[Bend::Wait(seconds)]);
        let waits = proof.enqueue(vec![make("waits", &[])]).await;
        let next = proof.enqueue(vec![make("next", &[])]).await;
        proof.drive_as(waits, "worker").await.unwrap();
        let driven = proof.drive_as(next, "worker").await.unwrap();
        assert_eq!(driven == Drive::NotTaken, held_up, "{seconds} s");
        assert_done(&proof.carry(waits).await);
        assert_done(&proof.carry(next).await);
    }
}

#[tokio::test]
async fn of_two_runs_that_are_taken_in_one_transaction_one_is_held_up() {
    let (proof, world) = proof_with(bounded(None, Some(1))).await;
    let runs = [proof.enqueue(vec![make("a", &[])]).await, proof.enqueue(vec![make("b", &[])]).await];
    let tx = proof.store.begin().await.unwrap();
    let taken = proof.engine.take(&tx, &runs, "worker").await.unwrap();
    assert_eq!(taken.iter().map(|held| held.run.id).collect::<Vec<_>>(), runs[..1]);
    drop(tx);
    assert_eq!(world.made(), 0);
}

#[tokio::test]
async fn a_late_job_of_a_run_that_has_ended_takes_nobodys_turn() {
    let (proof, _) = proof_with(bounded(None, Some(1))).await;
    let ended = proof.enqueue(vec![make("ended", &[])]).await;
    assert_done(&proof.carry(ended).await);
    proof.bend("waits", Side::Run, &[Bend::Wait(60)]);
    let at_work = proof.enqueue(vec![make("waits", &[])]).await;
    proof.drive_as(at_work, "worker").await.unwrap();
    assert_eq!(proof.drive_as(ended, "worker").await.unwrap(), Drive::NotTaken);
    assert!(!store::turn::is_awaited(&proof.store, "proof").await.unwrap(), "it waits for no turn");
    assert_eq!(proof.read(ended).await.0.wake_at, None, "nobody looks at it again");
}
