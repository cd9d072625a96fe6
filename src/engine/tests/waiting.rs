//! What waits costs a row: no place at a worker, no task, and no statement of the sweeper more, however many wait.

use std::time::Duration;

use chrono::TimeDelta;
use domain::run::RunState;
use tokio::runtime::Handle;

use super::*;
use crate::Worker;
use crate::proof::{Bend, Side};

/// Runs side by side, far fewer than those that wait.
const PLACES: usize = 2;

async fn proof_of_few_places() -> (Proof, Arc<World>) {
    proof_with(Settings { runs_per_worker: PLACES, calls_per_worker: PLACES, ..Settings::default() }).await
}

/// A step that asks to be called again in a day, for whatever it waits: people, a moment, an address.
fn waiting(n: usize) -> WorkflowStep {
    make(&format!("wait[{n}]"), &[])
}

async fn let_wait(proof: &Proof, runs: usize) {
    let mut all = Vec::new();
    for n in 0..runs {
        proof.bend(&format!("wait[{n}]"), Side::Run, &[Bend::Wait(86_400)]);
        let run = proof.enqueue(vec![waiting(n)]).await;
        proof.engine.wake(run);
        all.push(run);
    }
    for run in all {
        until(proof, run, RunState::Waiting).await;
    }
}

/// As soon as no run is driven any more.
async fn when_idle(proof: &Proof) {
    let idle = async {
        while proof.engine.busy() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), idle).await.expect("the worker comes to rest");
}

/// As soon as so many tasks are alive, and no more.
async fn when_tasks_are(number: usize) {
    let settled = async {
        while Handle::current().metrics().num_alive_tasks() > number {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), settled).await.expect("the tasks of runs that rest have ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_wait_hold_no_place_no_task_and_no_job() {
    let (proof, world) = proof_of_few_places().await;
    let worker = Worker::start(&proof.engine);
    let_wait(&proof, 1).await;
    when_idle(&proof).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let_wait(&proof, 40 * PLACES).await;
    when_tasks_are(tasks).await;
    assert_eq!((proof.engine.busy(), proof.engine.queue().await.unwrap().number), (0, 0));
    assert_eq!(world.made(), 0);

    let other = proof.enqueue(diamond()).await;
    proof.engine.wake(other);
    until(&proof, other, RunState::Done).await;
    worker.stop().await;
}

#[tokio::test]
async fn the_sweeper_asks_the_same_of_the_database_however_many_wait() {
    let mut costs = Vec::new();
    for runs in [3, 3_000] {
        let (proof, _) = proof().await;
        proof.bend("wait[0]", Side::Run, &[Bend::Wait(86_400)]);
        let first = proof.enqueue(vec![waiting(0)]).await;
        proof.drive_as(first, "proof").await.unwrap();
        let (run, _) = proof.read(first).await;
        let tx = proof.store.begin().await.unwrap();
        for _ in 1..runs {
            let (id, deployment) = (store::fresh_id(), store::fresh_id());
            store::run::insert(&tx, &Run { id, deployment, ..run.clone() }).await.unwrap();
        }
        tx.commit().await.unwrap();
        let before = proof.store.reads();
        assert!(proof.engine.sweep().await.unwrap().is_empty(), "none is due");
        costs.push(proof.store.reads() - before);
        proof.clock.wind(TimeDelta::days(2));
        assert_eq!(proof.engine.sweep().await.unwrap().len(), runs.min(200), "and all are when their time has come");
    }
    assert_eq!(costs, [1, 1]);
}
