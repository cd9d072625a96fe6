//! A provider that does not answer: what needs it waits at no cost of its attempts, one call at a time sees whether it
//! is back, and then all go on.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::RunId;
use domain::ports::clock::Clock;
use domain::run::RunState;
use domain::step::StepState;

use super::*;
use crate::drive::Drive;
use crate::proof::{Bend, Side};

fn now(proof: &Proof) -> DateTime<Utc> {
    Clock::now(&*proof.clock)
}

/// Three runs of one step each that hear nothing from the world, so that it is away.
async fn away(proof: &Proof) -> Vec<RunId> {
    let mut runs = Vec::new();
    for key in ["a", "b", "c"] {
        proof.bend(key, Side::Run, &[Bend::Silent]);
        runs.push(proof.enqueue(vec![make(key, &[])]).await);
        proof.drive_as(runs[runs.len() - 1], "worker").await.unwrap();
    }
    assert_eq!(proof.engine.outages().len(), 1, "the third silence says that it is away");
    runs
}

#[tokio::test]
async fn a_provider_that_is_away_is_not_called_and_what_needs_it_says_why_it_waits() {
    let (proof, world) = proof().await;
    away(&proof).await;
    let run = proof.enqueue(diamond()).await;
    assert_eq!(proof.drive_as(run, "worker").await.unwrap(), Drive::Rested(RunState::Waiting));
    let (found, steps) = proof.read(run).await;
    let step = &steps[0];
    assert_eq!((step.state, step.attempt, step.failures), (StepState::Retrying, 0, 0));
    assert_eq!(step.wake_at, Some(now(&proof) + TimeDelta::seconds(5)));
    assert_eq!((found.wake_at, found.lease_until), (step.wake_at, None), "it holds no worker");
    let why = step.why.clone().unwrap();
    assert!(why.starts_with("No answer from the world since 4 Oct 2024, 00:00 UTC"), "{why}");
    assert!(!step.has_begun(), "nothing was called, so there is nothing to take back");
    assert_eq!(
        store::step::waiting_for_providers(&proof.store).await.unwrap(),
        BTreeMap::from([("world".to_owned(), 2)])
    );
    proof.clock.wind(TimeDelta::seconds(5));
    assert_done(&proof.carry(run).await);
    let events = store::run_event::after(&proof.store, run, 0, 100).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.line == format!("Waits: {why}")).count(), 1);
    assert_eq!(proof.read(run).await.1[0].attempt, 1);
    assert_eq!(world.made(), 5);
}

#[tokio::test]
async fn an_outage_longer_than_all_attempts_pauses_nothing_and_is_asked_about_ever_more_seldom() {
    let (proof, world) = proof().await;
    proof.bend("name", Side::Run, &[Bend::Silent; 9]);
    let run = proof.enqueue(diamond()).await;
    // The first two are retries like others; then the provider is away.
    for seconds in [2, 4, 5, 10, 20, 40, 60, 60, 60] {
        proof.drive_as(run, "worker").await.unwrap();
        let (found, steps) = proof.read(run).await;
        assert_eq!((found.state, steps[0].state), (RunState::Waiting, StepState::Retrying));
        assert_eq!(steps[0].wake_at, Some(now(&proof) + TimeDelta::seconds(seconds)));
        proof.clock.wind(TimeDelta::seconds(seconds));
    }
    assert_done(&proof.carry(run).await);
    assert_eq!(world.made(), 5);
    assert_eq!(proof.engine.outages(), []);
    let events = store::run_event::after(&proof.store, run, 0, 100).await.unwrap();
    let waits = events.iter().filter(|event| event.line.starts_with("Waits: No answer")).count();
    assert_eq!(waits, 1, "why it waits is said once");
}

#[tokio::test]
async fn one_call_asks_whether_it_is_back_and_then_all_that_wait_go_on_at_once() {
    let (proof, world) = proof().await;
    let mut waiting = away(&proof).await;
    proof.clock.wind(TimeDelta::seconds(5));
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let asks = proof.enqueue(vec![make("asks", &[])]).await;
    waiting.push(proof.enqueue(vec![make("late", &[])]).await);
    let others = async {
        world.until_busy(1).await;
        for run in &waiting {
            assert_eq!(proof.drive_as(*run, "worker").await.unwrap(), Drive::Rested(RunState::Waiting));
        }
        assert!(proof.engine.sweep().await.unwrap().is_empty(), "none is due while one asks");
        *world.gate.lock().unwrap() = None;
        gate.notify_one();
    };
    let (asked, ()) = tokio::join!(proof.drive_as(asks, "worker"), others);
    assert_eq!(asked.unwrap(), Drive::Rested(RunState::Done));
    let due: BTreeSet<RunId> = proof.engine.sweep().await.unwrap().into_iter().collect();
    assert_eq!(due, waiting.iter().copied().collect(), "the clock has not moved, and all are due");
    for run in waiting {
        assert_eq!(proof.drive_as(run, "worker").await.unwrap(), Drive::Rested(RunState::Done));
    }
    assert_eq!(world.made(), 5);
}

#[tokio::test]
async fn a_run_in_the_hands_of_a_worker_goes_on_when_another_run_is_answered() {
    let (proof, world) = proof().await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let early = proof.enqueue(vec![make("early", &[])]).await;
    let run = proof.enqueue(vec![make("asks", &[]), make("waits", &[])]).await;
    let story = async {
        world.until_busy(1).await;
        away(&proof).await;
        proof.clock.wind(TimeDelta::seconds(5));
        let answered = async {
            world.until_busy(2).await;
            assert_eq!(proof.read(run).await.1[1].state, StepState::Retrying);
            gate.notify_one();
            while proof.read(run).await.1[1].state != StepState::Running {
                tokio::task::yield_now().await;
            }
            *world.gate.lock().unwrap() = None;
            world.until_busy(2).await;
            gate.notify_waiters();
        };
        tokio::join!(proof.drive_as(run, "worker"), answered).0
    };
    let (early, driven) = tokio::join!(proof.drive_as(early, "worker"), story);
    assert_eq!(early.unwrap(), Drive::Rested(RunState::Done));
    assert_eq!(driven.unwrap(), Drive::Rested(RunState::Done));
}

#[tokio::test]
async fn a_refusal_and_a_failure_that_was_told_are_answers() {
    for answer in [Bend::Permanent, Bend::Transient] {
        let (proof, _) = proof().await;
        for (key, bend) in [("a", Bend::Silent), ("b", Bend::Silent), ("c", answer), ("d", Bend::Silent)] {
            proof.bend(key, Side::Run, &[bend]);
            let run = proof.enqueue(vec![make(key, &[])]).await;
            proof.drive_as(run, "worker").await.unwrap();
            assert_eq!(proof.read(run).await.1[0].waits_for, None);
        }
        assert_eq!(proof.engine.outages(), []);
    }
}

#[tokio::test]
async fn what_is_taken_back_waits_for_its_provider_too() {
    let (proof, world) = proof().await;
    proof.bend("proof", Side::Run, &[Bend::PermanentAfter]);
    proof.bend("pool", Side::Undo, &[Bend::Silent; 9]);
    let run = proof.enqueue(diamond()).await;
    assert_eq!(proof.carry(run).await.state, RunState::Paused);
    super::saga::compensate(&proof, run).await;
    let away = away(&proof).await;
    assert_eq!(proof.carry(run).await.state, RunState::Compensated);
    for run in away {
        assert_done(&proof.carry(run).await);
    }
    assert_eq!(world.things(), ["a", "b", "c"]);
    assert!(!proof.house.told().contains(&RunState::Stuck));
}

#[tokio::test]
async fn a_run_that_waits_for_a_provider_can_be_cancelled() {
    let (proof, world) = proof().await;
    away(&proof).await;
    let run = proof.enqueue(diamond()).await;
    proof.drive_as(run, "worker").await.unwrap();
    let tx = proof.store.begin().await.unwrap();
    let by = crate::mend::By { name: "Otto Operator", reason: "Not needed any more." };
    proof.engine.cancel(&tx, run, domain::run::Cancel::TakeBack, &by).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(proof.carry(run).await.state, RunState::Cancelled);
    assert_eq!(world.made(), 0);
}

#[tokio::test]
async fn leave_to_ask_whether_a_provider_is_back_is_given_back_by_a_call_that_is_never_made() {
    let (proof, _) = proof().await;
    away(&proof).await;
    proof.clock.wind(TimeDelta::seconds(5));
    let circuits = &proof.engine.0.circuits;
    let pass = circuits.admit(Some(&"world".into())).unwrap_or_else(|outage| panic!("{outage:?}"));
    assert!(circuits.admit(Some(&"world".into())).is_err(), "one asks at a time");
    drop(pass);
    assert!(circuits.admit(Some(&"world".into())).is_ok(), "another one asks instead");
}
