//! A worker dies at any moment; another one goes on, and nothing is lost, doubled or left behind.

use chrono::TimeDelta;
use domain::run::RunState;

use super::*;
use crate::proof::{Bend, Side};

/// Drives a run but dies after being woken so many times; true when it came to its end before.
pub(super) async fn drive_and_die(proof: &Proof, run: domain::ids::RunId, polls: usize) -> bool {
    wake(&mut Box::pin(proof.drive_as(run, "doomed")), polls).await
}

/// Wakes a drive so many times; true when it came to its end before.
pub(super) async fn wake(drive: &mut (impl Future + Unpin), times: usize) -> bool {
    let mut left = times;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return std::task::Poll::Ready(false);
        }
        left -= 1;
        std::pin::Pin::new(&mut *drive).poll(cx).map(|_| true)
    })
    .await
}

#[tokio::test]
async fn wherever_a_worker_dies_the_run_ends_the_same_with_each_thing_once() {
    let mut deaths = 0;
    for polls in 1..200 {
        let (proof, world) = proof().await;
        let run = proof.enqueue(diamond()).await;
        let ended = drive_and_die(&proof, run, polls).await;
        proof.clock.wind(TimeDelta::seconds(16));
        if !ended {
            deaths += 1;
            assert_done(&proof.carry(run).await);
        }
        assert_eq!(world.made(), 5, "death after {polls} polls");
        let ledger = store::resource::standing(&proof.store, proof.deployment()).await.unwrap();
        assert_eq!(ledger.len(), 5, "a row for each thing, a thing for each row");
        let events = store::run_event::after(&proof.store, run, 0, 1000).await.unwrap();
        assert!(events.iter().zip(1..).all(|(event, number)| event.number == number), "no gap in the events");
        if ended {
            break;
        }
    }
    assert!(deaths > 5, "the worker died at {deaths} places");
}

#[tokio::test]
async fn a_worker_that_dies_while_it_takes_back_leaves_nothing_behind() {
    for polls in 1..200 {
        let (proof, world) = proof().await;
        proof.bend("proof", Side::Run, &[Bend::PermanentAfter]);
        let run = proof.enqueue(diamond()).await;
        proof.carry(run).await;
        super::saga::compensate(&proof, run).await;
        let ended = drive_and_die(&proof, run, polls).await;
        proof.clock.wind(TimeDelta::seconds(16));
        if !ended {
            assert_eq!(proof.carry(run).await.state, RunState::Compensated);
        }
        assert!(world.things().is_empty(), "death after {polls} polls left {:?}", world.things());
        if ended {
            break;
        }
    }
}

#[tokio::test]
async fn each_finished_step_is_one_transaction() {
    let (proof, _) = proof().await;
    let chain: Vec<_> = (0..8)
        .map(|n| if n == 0 { make("s0", &[]) } else { make(&format!("s{n}"), &[&format!("s{}", n - 1)]) })
        .collect();
    let run = proof.enqueue(chain).await;
    let before = proof.store.commits();
    assert_done(&proof.carry(run).await);
    let commits = proof.store.commits() - before;
    assert_eq!(commits, 9, "one that begins, and one for each of eight steps");
}

#[tokio::test]
async fn a_request_has_one_run_however_often_it_is_enqueued() {
    let (proof, world) = proof().await;
    let request = Some(store::fresh_id());
    let mut runs = Vec::new();
    for _ in 0..2 {
        let tx = proof.store.begin().await.unwrap();
        let order = crate::NewRun { request, ..proof.order(diamond()) };
        runs.push(proof.engine.enqueue(&tx, order).await.unwrap());
        tx.commit().await.unwrap();
    }
    assert_eq!(runs[0], runs[1]);
    proof.carry(runs[0]).await;
    assert_eq!(world.made(), 5);
}
