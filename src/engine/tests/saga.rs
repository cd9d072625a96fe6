//! The two properties that every saga must show, and the walk back.

use domain::run::{Cancel, RunState};
use domain::step::StepState;

use super::*;
use crate::mend::By;
use crate::proof::{Bend, Side};

const OTTO: By<'_> = By { name: "Otto Operator", reason: "The datacenter is full." };

pub(super) async fn compensate(proof: &Proof, run: domain::ids::RunId) {
    let tx = proof.store.begin().await.unwrap();
    proof.engine.compensate(&tx, run, &OTTO).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_run_makes_each_thing_once_and_ends_done() {
    let (proof, world) = proof().await;
    let run = proof.enqueue(diamond()).await;
    assert_done(&proof.carry(run).await);
    assert_eq!(world.made(), 5);
    assert_eq!(proof.house.told(), [RunState::Running, RunState::Done]);
}

#[tokio::test]
async fn what_begins_beside_a_step_that_is_skipped_is_called_once() {
    let (proof, world) = proof().await;
    let mut skipped = make("b", &[]);
    skipped.planned.skip = Some("Nobody wants it.".into());
    let run = proof.enqueue(vec![make("a", &[]), skipped, make("c", &["b"])]).await;
    assert_done(&proof.carry(run).await);
    let mut called = world.called();
    called.sort();
    assert_eq!(called, ["a", "c"]);
}

#[tokio::test]
async fn every_step_may_be_called_twice() {
    for key in DIAMOND {
        let (proof, world) = proof().await;
        proof.bend(key, Side::Run, &[Bend::Twice]);
        let run = proof.enqueue(diamond()).await;
        assert_done(&proof.carry(run).await);
        assert_eq!(world.made(), 5, "{key} called twice");
    }
}

#[tokio::test]
async fn a_lost_answer_makes_nothing_twice() {
    for key in DIAMOND {
        let (proof, world) = proof().await;
        proof.bend(key, Side::Run, &[Bend::LostAnswer]);
        let run = proof.enqueue(diamond()).await;
        assert_done(&proof.carry(run).await);
        assert_eq!(world.made(), 5, "the answer of {key} lost");
    }
}

#[tokio::test]
async fn whichever_step_fails_nothing_is_left_after_compensation() {
    for bend in [Bend::Permanent, Bend::PermanentAfter, Bend::Panic] {
        for key in DIAMOND {
            let (proof, world) = proof().await;
            proof.bend(key, Side::Run, &[bend]);
            let run = proof.enqueue(diamond()).await;
            let paused = proof.carry(run).await;
            assert_eq!(paused.state, RunState::Paused, "{bend:?} at {key}");
            compensate(&proof, run).await;
            let ended = proof.carry(run).await;
            assert_eq!(ended.state, RunState::Compensated, "{bend:?} at {key}: {:?}", ended.why);
            assert!(world.things().is_empty(), "{bend:?} at {key} left {:?}", world.things());
            assert!(store::resource::standing(&proof.store, proof.deployment()).await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn compensation_walks_back_along_the_graph() {
    let (proof, world) = proof().await;
    proof.bend("proof", Side::Run, &[Bend::Permanent]);
    let run = proof.enqueue(diamond()).await;
    proof.carry(run).await;
    compensate(&proof, run).await;
    proof.carry(run).await;
    let undone = world.undone();
    assert_eq!(undone.first().map(String::as_str), Some("pool"));
    assert_eq!(undone.last().map(String::as_str), Some("name"));
    assert_eq!(undone.len(), 4);
}

#[tokio::test]
async fn compensation_goes_on_past_what_can_not_be_undone_and_names_it() {
    let (proof, world) = proof().await;
    proof.bend("proof", Side::Run, &[Bend::Permanent]);
    proof.bend("node[1]", Side::Undo, &[Bend::Permanent]);
    let run = proof.enqueue(diamond()).await;
    proof.carry(run).await;
    compensate(&proof, run).await;
    let stuck = proof.carry(run).await;
    assert_eq!(stuck.state, RunState::Stuck);
    assert_eq!(world.things(), ["node[1]"], "the others are gone");
    assert!(stuck.why.unwrap().contains("thing node[1] (id-node[1])"), "the object is named with its id");

    let tx = proof.store.begin().await.unwrap();
    proof.engine.retry(&tx, run, "node[1]", None, &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(proof.carry(run).await.state, RunState::Compensated);
    assert!(world.things().is_empty());
}

#[tokio::test]
async fn a_later_run_that_fails_leaves_what_was_there_before() {
    let (proof, world) = proof().await;
    let first = proof.enqueue(vec![make("pool", &[])]).await;
    assert_done(&proof.carry(first).await);
    let grow = proof.enqueue(vec![make("node[3]", &[]), make("pool", &["node[3]"]), make("proof", &["pool"])]).await;
    proof.bend("proof", Side::Run, &[Bend::Permanent]);
    proof.carry(grow).await;
    compensate(&proof, grow).await;
    assert_eq!(proof.carry(grow).await.state, RunState::Compensated);
    assert_eq!(world.things(), ["pool"], "only what the failed run had created is removed");
}

#[tokio::test]
async fn a_deployment_is_retired_in_the_order_reversed() {
    let (proof, world) = proof().await;
    let run = proof.enqueue(diamond()).await;
    proof.carry(run).await;
    let graph = proof.engine.retirement(&proof.store, proof.deployment()).await.unwrap();
    assert!(graph.iter().all(|step| step.planned.title == format!("Take back: {}", step.planned.key)));
    let retire = proof.enqueue(graph).await;
    assert_done(&proof.carry(retire).await);
    assert!(world.things().is_empty());
    let log = store::run_event::latest(&proof.store, retire, Some("pool"), 50).await.unwrap();
    let lines: Vec<&str> = log.iter().map(|event| event.line.as_str()).collect();
    assert_eq!(lines, ["Taking it back.", "Taken back."]);
    let undone = world.undone();
    assert_eq!(undone[..2], ["proof", "pool"]);
    assert_eq!(undone[4], "name");
    assert!(crate::retire::standing_steps(&proof.store, proof.deployment()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_day_two_step_takes_back_one_machine() {
    let (proof, world) = proof().await;
    let run = proof.enqueue(diamond()).await;
    proof.carry(run).await;
    let mut planned = make("remove[2]", &[]).planned;
    planned.work = domain::blueprint::plan::PlannedWork::Undo("node[2]".into());
    let standing = crate::retire::standing_steps(&proof.store, proof.deployment()).await.unwrap();
    let ledger = store::resource::standing(&proof.store, proof.deployment()).await.unwrap();
    let graph = crate::retire::workflow(vec![planned], &standing, &ledger).unwrap();
    let shrink = proof.enqueue(graph).await;
    assert_done(&proof.carry(shrink).await);
    assert_eq!(world.undone(), ["node[2]"]);
    let left = crate::retire::standing_steps(&proof.store, proof.deployment()).await.unwrap();
    assert!(!left.iter().any(|standing| standing.workflow.object_key() == "node[2]"));
}

#[tokio::test]
async fn a_run_cancelled_under_way_waits_for_its_calls_and_takes_back_what_they_made() {
    let (proof, world) = proof().await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let run = proof.enqueue(diamond()).await;
    let cancel = async {
        world.until_called().await;
        let tx = proof.store.begin().await.unwrap();
        proof.engine.cancel(&tx, run, Cancel::TakeBack, &OTTO).await.unwrap();
        tx.commit().await.unwrap();
        proof.engine.wake(run);
        gate.notify_one();
    };
    let (drive, ()) = tokio::join!(proof.drive_as(run, "worker"), cancel);
    drive.unwrap();
    let (run, steps) = proof.read(run).await;
    assert_eq!(run.state, RunState::Cancelled);
    assert!(world.things().is_empty());
    assert_eq!(step_of(&steps, "name").state, StepState::Undone);
    assert_eq!(step_of(&steps, "pool").state, StepState::Pending);
}

#[tokio::test]
async fn a_run_stopped_by_a_person_keeps_what_it_built() {
    let (proof, world) = proof().await;
    proof.bend("pool", Side::Run, &[Bend::Permanent]);
    let run = proof.enqueue(diamond()).await;
    proof.carry(run).await;
    let tx = proof.store.begin().await.unwrap();
    proof.engine.cancel(&tx, run, Cancel::Stop, &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(proof.carry(run).await.state, RunState::Cancelled);
    assert_eq!(world.things(), ["name", "node[1]", "node[2]"]);
}

#[tokio::test]
async fn a_withdrawn_approval_means_that_nothing_is_called() {
    let (proof, world) = proof().await;
    let run = proof.enqueue(diamond()).await;
    proof.house.close("Adam Approver withdrew his approval.");
    let ended = proof.carry(run).await;
    assert_eq!(ended.state, RunState::Refused);
    assert_eq!(ended.why.as_deref(), Some("Adam Approver withdrew his approval."));
    assert_eq!(world.made(), 0);
    assert!(store::resource::of_deployment(&proof.store, proof.deployment()).await.unwrap().is_empty());
}

#[tokio::test]
async fn people_are_told_once_however_often_a_step_is_called() {
    for bend in [Bend::Twice, Bend::LostAnswer, Bend::PermanentAfter] {
        let (proof, _) = proof().await;
        proof.bend("ready", Side::Run, &[bend]);
        let run = proof.enqueue(vec![step("ready", "thing.join", &[], json!({ "say": "It is ready" }))]).await;
        if proof.carry(run).await.state == RunState::Paused {
            let tx = proof.store.begin().await.unwrap();
            proof.engine.retry(&tx, run, "ready", None, &OTTO).await.unwrap();
            tx.commit().await.unwrap();
            proof.carry(run).await;
        }
        assert_eq!(proof.house.notices(), [("ready".to_owned(), "It is ready".to_owned())], "{bend:?}");
        let log = store::run_event::latest(&proof.store, run, Some("ready"), 50).await.unwrap();
        assert!(log.iter().any(|event| event.line == "Everybody is told."), "{bend:?}");
    }
}
