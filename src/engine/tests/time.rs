//! Retries, waits, leases and bounds, on a clock that the test winds.

use std::time::Duration;

use chrono::TimeDelta;
use domain::run::RunState;
use domain::step::StepState;

use super::*;
use crate::drive::Drive;
use crate::proof::{Bend, Side};

#[tokio::test]
async fn a_transient_failure_is_tried_again_after_waits_that_double() {
    let (proof, _) = proof().await;
    proof.bend("name", Side::Run, &[Bend::Transient; 3]);
    let run = proof.enqueue(diamond()).await;
    for seconds in [2, 4, 8] {
        assert_eq!(proof.drive_as(run, "worker").await.unwrap(), Drive::Rested(RunState::Waiting));
        let (found, steps) = proof.read(run).await;
        assert_eq!(steps[0].state, StepState::Retrying);
        let now = domain::ports::clock::Clock::now(&*proof.clock);
        assert_eq!(steps[0].wake_at, Some(now + TimeDelta::seconds(seconds)));
        assert_eq!(found.wake_at, steps[0].wake_at);
        proof.clock.wind(TimeDelta::seconds(seconds));
    }
    assert_done(&proof.carry(run).await);
    assert_eq!(proof.read(run).await.1[0].attempt, 4);
}

#[tokio::test]
async fn a_failure_that_does_not_pass_goes_to_a_person() {
    let (proof, _) = proof().await;
    proof.bend("name", Side::Run, &[Bend::Transient; 6]);
    let run = proof.enqueue(diamond()).await;
    assert_eq!(proof.carry(run).await.state, RunState::Paused);
    assert_eq!(proof.read(run).await.1[0].attempt, 6);
}

#[tokio::test]
async fn a_step_that_waits_holds_no_worker() {
    let (proof, _) = proof().await;
    proof.bend("name", Side::Run, &[Bend::Wait(600)]);
    let run = proof.enqueue(diamond()).await;
    assert_eq!(proof.drive_as(run, "worker").await.unwrap(), Drive::Rested(RunState::Waiting));
    let (found, steps) = proof.read(run).await;
    assert_eq!((found.worker, found.lease_until), (None, None));
    assert_eq!(steps[0].why.as_deref(), Some("It takes 600 s."));
    assert!(proof.engine.sweep().await.unwrap().is_empty(), "it is not due yet");
    proof.clock.wind(TimeDelta::seconds(600));
    assert_eq!(proof.engine.sweep().await.unwrap(), [run]);
    assert!(proof.engine.sweep().await.unwrap().is_empty(), "it is in the queue already");
    assert_done(&proof.carry(run).await);
    assert_eq!(proof.read(run).await.1[0].attempt, 1, "going on after a wait is no new attempt");
}

#[tokio::test]
async fn a_call_that_never_returns_is_tried_again() {
    let settings = Settings { longest_call: Duration::from_millis(20), ..Settings::default() };
    let (proof, world) = proof_with(settings).await;
    proof.bend("name", Side::Run, &[Bend::Hang]);
    let run = proof.enqueue(diamond()).await;
    proof.drive_as(run, "worker").await.unwrap();
    let (_, steps) = proof.read(run).await;
    assert_eq!(steps[0].state, StepState::Retrying);
    assert_done(&proof.carry(run).await);
    assert_eq!(world.made(), 5);
}

#[tokio::test]
async fn steps_that_do_not_need_each_other_run_side_by_side_up_to_the_bound() {
    let many: Vec<_> = (1..=10).map(|n| make(&format!("node[{n}]"), &[])).collect();
    for (settings, bound) in [
        (Settings { steps_per_run: 3, ..Settings::default() }, 3),
        (Settings { calls_per_provider: 2, ..Settings::default() }, 2),
        (Settings { calls_per_worker: 4, ..Settings::default() }, 4),
    ] {
        let (proof, world) = proof_with(settings).await;
        let run = proof.enqueue(many.clone()).await;
        assert_done(&proof.carry(run).await);
        assert_eq!(world.made(), 10);
        assert_eq!(world.most_at_once(), bound);
    }
}

#[tokio::test]
async fn a_step_starts_only_when_all_it_needs_is_done() {
    let (proof, world) = proof().await;
    proof.bend("node[2]", Side::Run, &[Bend::Wait(60)]);
    let run = proof.enqueue(diamond()).await;
    proof.drive_as(run, "worker").await.unwrap();
    let (_, steps) = proof.read(run).await;
    use StepState::{Done, Pending, Waiting};
    assert_eq!(states(&steps), [Done, Done, Waiting, Pending, Pending]);
    assert_eq!(world.made(), 2);
}

#[tokio::test]
async fn a_run_is_held_by_one_worker_until_its_lease_is_over() {
    let (proof, world) = proof().await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let run = proof.enqueue(vec![make("name", &[])]).await;
    let second = async {
        world.until_called().await;
        assert_eq!(proof.drive_as(run, "second").await.unwrap(), Drive::NotTaken);
        // The first worker shows no sign of life for the time of its lease: another one may take over.
        proof.clock.wind(TimeDelta::seconds(15));
        assert_eq!(proof.engine.sweep().await.unwrap(), [run]);
        *world.gate.lock().unwrap() = None;
        assert_eq!(proof.drive_as(run, "second").await.unwrap(), Drive::Rested(RunState::Done));
        let before = proof.read(run).await;
        gate.notify_one();
        before
    };
    let (first, before) = tokio::join!(proof.drive_as(run, "first"), second);
    assert_eq!(first.unwrap(), Drive::Lost);
    assert_eq!(proof.read(run).await, before, "what a stale worker writes changes nothing");
    assert_eq!(world.made(), 1);
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_ahead_hands_a_run_over_once_and_doubles_nothing() {
    let (proof, world) = proof().await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let run = proof.enqueue(diamond()).await;
    let other = async {
        world.until_called().await;
        // By the clock that is ahead, the first worker has been silent for an hour.
        proof.clock.wind(TimeDelta::hours(1));
        assert_eq!(proof.engine.sweep().await.unwrap(), [run]);
        *world.gate.lock().unwrap() = None;
        assert_eq!(proof.drive_as(run, "ahead").await.unwrap(), Drive::Rested(RunState::Done));
        proof.clock.wind(TimeDelta::hours(-1));
        let before = proof.read(run).await;
        gate.notify_one();
        before
    };
    let (first, before) = tokio::join!(proof.drive_as(run, "first"), other);
    assert_eq!(first.unwrap(), Drive::Lost);
    assert_eq!((proof.read(run).await, world.made()), (before, 5));
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_back_leaves_a_run_to_the_worker_that_holds_it() {
    let (proof, world) = proof().await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let run = proof.enqueue(diamond()).await;
    let other = async {
        world.until_called().await;
        proof.clock.wind(TimeDelta::hours(-1));
        assert!(proof.engine.sweep().await.unwrap().is_empty());
        assert_eq!(proof.drive_as(run, "other").await.unwrap(), Drive::NotTaken);
        *world.gate.lock().unwrap() = None;
        gate.notify_one();
    };
    let (first, ()) = tokio::join!(proof.drive_as(run, "first"), other);
    assert_eq!((first.unwrap(), world.made()), (Drive::Rested(RunState::Done), 5));
}

#[tokio::test]
async fn a_timer_is_neither_lost_nor_rung_over_and_over_when_the_clock_jumps() {
    let (proof, world) = proof().await;
    proof.bend("name", Side::Run, &[Bend::Wait(600)]);
    let run = proof.enqueue(diamond()).await;
    proof.drive_as(run, "worker").await.unwrap();
    proof.clock.wind(TimeDelta::hours(1));
    assert_eq!(proof.engine.sweep().await.unwrap(), [run]);
    assert!(proof.engine.sweep().await.unwrap().is_empty(), "it is in the queue already");
    // Before a worker came to it, the clock is right again: it is looked at, and rests for what is left of its time.
    proof.clock.wind(TimeDelta::hours(-1));
    assert_eq!(proof.drive_as(run, "worker").await.unwrap(), Drive::Rested(RunState::Waiting));
    assert!(proof.engine.sweep().await.unwrap().is_empty(), "it is not due yet");
    assert_eq!((proof.read(run).await.1[0].attempt, world.made()), (1, 0));
    proof.clock.wind(TimeDelta::seconds(600));
    assert_eq!(proof.engine.sweep().await.unwrap(), [run]);
    assert_done(&proof.carry(run).await);
    assert_eq!(world.made(), 5);
}

#[tokio::test]
async fn a_due_step_that_finds_no_place_rests_until_one_is_free() {
    let (proof, world) = proof_with(Settings { calls_per_worker: 1, ..Settings::default() }).await;
    proof.bend("late", Side::Run, &[Bend::Wait(60)]);
    let late = proof.enqueue(vec![make("late", &[])]).await;
    assert_eq!(proof.drive_as(late, "worker").await.unwrap(), Drive::Rested(RunState::Waiting));
    proof.clock.wind(TimeDelta::seconds(60));
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let busy = proof.enqueue(vec![make("busy", &[])]).await;
    let watched = async {
        world.until_called().await;
        let look = async {
            // Nothing happens in this time, so there is nothing to await but the time itself.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let before = proof.clock.asked();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let asked = proof.clock.asked() - before;
            *world.gate.lock().unwrap() = None;
            gate.notify_one();
            asked
        };
        tokio::join!(proof.drive_as(late, "worker"), look)
    };
    let (built, (resumed, asked)) = tokio::join!(proof.drive_as(busy, "worker"), watched);
    assert_eq!(built.unwrap(), Drive::Rested(RunState::Done));
    assert_eq!(resumed.unwrap(), Drive::Rested(RunState::Done));
    assert!(asked < 20, "the time was asked for {asked} times while nothing happened");
}
