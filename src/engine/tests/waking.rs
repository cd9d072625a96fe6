//! The queue: runs reach a worker at once, and commits stay durable.

use std::time::{Duration, Instant};

use domain::run::RunState;

use super::*;
use crate::Worker;
use crate::proof::{Bend, Side};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_woken_starts_within_a_tenth_of_a_second() {
    let (proof, world) = proof().await;
    let worker = Worker::start(&proof.engine);
    let warm_up = proof.enqueue(diamond()).await;
    proof.engine.wake(warm_up);
    until(&proof, warm_up, RunState::Done).await;

    let mut waits = Vec::new();
    for _ in 0..9 {
        let mut events = proof.engine.subscribe();
        let run = proof.enqueue(vec![make("name", &[])]).await;
        let committed = Instant::now();
        proof.engine.wake(run);
        let started = async {
            loop {
                let event = events.recv().await.unwrap();
                if event.run == run && event.step_key.is_some() {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), started).await.expect("the run starts");
        waits.push(committed.elapsed());
        until(&proof, run, RunState::Done).await;
    }
    waits.sort();
    assert!(waits[4] < Duration::from_millis(100), "{waits:?}");
    assert!(world.made() >= 5);
    assert_eq!(proof.engine.queue().await.unwrap().number, 0, "what is done is out of the queue");
    let workers = store::worker::seen_since(&proof.store, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(workers.len(), 1);
    worker.stop().await;
    let workers = store::worker::seen_since(&proof.store, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    assert!(workers[0].stopped_at.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_told_to_stop_finishes_its_calls_and_hands_the_run_back() {
    let (proof, world) = proof().await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let worker = Worker::start(&proof.engine);
    let run = proof.enqueue(diamond()).await;
    proof.engine.wake(run);
    world.until_called().await;
    tokio::join!(worker.stop(), async { gate.notify_one() });
    let (found, steps) = proof.read(run).await;
    assert_eq!(found.lease_until, None, "another worker may take it at once");
    assert_eq!(steps[0].state, StepState::Done);
    *world.gate.lock().unwrap() = None;
    assert_done(&proof.carry(run).await);
    assert_eq!(world.made(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_runs_that_wait_hold_no_place_of_a_worker_that_has_one() {
    let settings = Settings { runs_per_worker: 1, calls_per_worker: 1, calls_per_provider: 1, ..Settings::default() };
    let (proof, world) = proof_with(settings).await;
    let worker = Worker::start(&proof.engine);
    let mut waiting = Vec::new();
    for n in 0..10 {
        let key = format!("pause{n}");
        proof.bend(&key, Side::Run, &[Bend::Wait(600)]);
        let run = proof.enqueue(vec![make(&key, &[])]).await;
        proof.engine.wake(run);
        until(&proof, run, RunState::Waiting).await;
        waiting.push(run);
    }
    let other = proof.enqueue(diamond()).await;
    proof.engine.wake(other);
    until(&proof, other, RunState::Done).await;
    assert_eq!(world.made(), 5, "those that wait have made nothing yet");
    proof.clock.wind(chrono::TimeDelta::seconds(600));
    proof.engine.sweep().await.unwrap();
    for run in waiting {
        until(&proof, run, RunState::Done).await;
    }
    worker.stop().await;
}

#[tokio::test]
async fn commits_stay_durable_beside_the_queue() {
    let (proof, _) = proof().await;
    assert!(proof.store.is_durable().await.unwrap(), "the queue's own set-up would turn it off");
}
