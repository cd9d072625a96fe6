//! Fix and continue: what a person does about a run that is paused.

use domain::ids::RunId;
use domain::run::{EventKind, RunState};
use domain::step::StepState;
use domain::trouble::{Kind, Trouble};
use serde_json::json;

use super::*;
use crate::mend::By;
use crate::proof::{Bend, Side};

const OTTO: By<'_> = By { name: "Otto Operator", reason: "The datastore has room again." };

async fn paused_at(key: &str) -> (Proof, Arc<World>, RunId) {
    let (proof, world) = proof().await;
    proof.bend(key, Side::Run, &[Bend::Permanent]);
    let run = proof.enqueue(diamond()).await;
    assert_eq!(proof.carry(run).await.state, RunState::Paused);
    (proof, world, run)
}

async fn retry(proof: &Proof, run: RunId, key: &str, input: Option<Value>) -> Result<(), Trouble> {
    let tx = proof.store.begin().await.unwrap();
    proof.engine.retry(&tx, run, key, input, &OTTO).await?;
    tx.commit().await.unwrap();
    Ok(())
}

async fn skip(proof: &Proof, run: RunId, key: &str, output: Option<Value>) -> Result<(), Trouble> {
    let tx = proof.store.begin().await.unwrap();
    proof.engine.skip(&tx, run, key, output, &OTTO).await?;
    tx.commit().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn a_permanent_failure_pauses_the_run_and_keeps_what_was_built() {
    let (proof, world, run) = paused_at("pool").await;
    assert_eq!(world.things(), ["name", "node[1]", "node[2]"]);
    let (run, steps) = proof.read(run).await;
    assert_eq!(run.why.as_deref(), Some("The system refused."));
    assert_eq!(run.wake_at, None, "only a person moves it on");
    assert_eq!(step_of(&steps, "pool").advice.as_deref(), Some("Ask its operators."));
}

#[tokio::test]
async fn a_step_is_tried_again_with_the_input_that_the_operator_gave() {
    let (proof, world, run) = paused_at("pool").await;
    retry(&proof, run, "pool", Some(json!({ "size": 3 }))).await.unwrap();
    assert_done(&proof.carry(run).await);
    assert_eq!(world.made(), 5);
    let (_, steps) = proof.read(run).await;
    assert_eq!(step_of(&steps, "pool").input, Some(json!({ "size": 3 })));
    let events = store::run_event::after(&proof.store, run, 0, 100).await.unwrap();
    let mended = events.iter().find(|event| event.kind == EventKind::Mended).unwrap();
    assert_eq!(mended.detail, Some(json!({ "before": {}, "after": { "size": 3 } })));
    assert!(mended.line.starts_with("Otto Operator changed the input and tries again."));
    assert!(events.iter().zip(1..).all(|(event, number)| event.number == number), "no gap in the events");
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_refused_at_its_field() {
    let (proof, _, run) = paused_at("pool").await;
    let trouble = retry(&proof, run, "pool", Some(json!({ "size": "large" }))).await.unwrap_err();
    assert_eq!(trouble.kind, Kind::Invalid);
    assert_eq!(trouble.fields[0].field, "input");
    assert!(trouble.fields[0].message.contains("size"), "{}", trouble.fields[0].message);
    assert_eq!(proof.read(run).await.0.state, RunState::Paused);
}

#[tokio::test]
async fn a_step_is_skipped_with_what_it_would_have_returned() {
    let (proof, world, run) = paused_at("pool").await;
    assert_eq!(skip(&proof, run, "pool", Some(json!({ "name": 1 }))).await.unwrap_err().kind, Kind::Invalid);
    skip(&proof, run, "pool", Some(json!({ "id": "by hand" }))).await.unwrap();
    assert_done(&proof.carry(run).await);
    assert_eq!(world.things(), ["name", "node[1]", "node[2]", "proof"]);
    let (_, steps) = proof.read(run).await;
    assert_eq!(step_of(&steps, "pool").state, StepState::Skipped);
    assert_eq!(step_of(&steps, "pool").why.as_deref(), Some("Otto Operator: The datastore has room again."));
}

#[tokio::test]
async fn what_is_done_can_not_be_tried_again() {
    let (proof, _, run) = paused_at("pool").await;
    assert_eq!(retry(&proof, run, "name", None).await.unwrap_err().kind, Kind::Conflict);
    assert_eq!(retry(&proof, run, "nothing", None).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(skip(&proof, run, "proof", None).await.unwrap_err().kind, Kind::Conflict);
}

#[tokio::test]
async fn resuming_tries_everything_that_failed_again() {
    let (proof, world) = proof().await;
    proof.bend("node[1]", Side::Run, &[Bend::Permanent]);
    proof.bend("node[2]", Side::Run, &[Bend::Permanent]);
    let run = proof.enqueue(diamond()).await;
    proof.carry(run).await;
    let tx = proof.store.begin().await.unwrap();
    proof.engine.resume(&tx, run, &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert_done(&proof.carry(run).await);
    assert_eq!(world.made(), 5);
}

#[tokio::test]
async fn a_panic_pauses_the_run_and_the_engine_lives() {
    let (proof, _) = proof().await;
    proof.bend("name", Side::Run, &[Bend::Panic]);
    let run = proof.enqueue(diamond()).await;
    let paused = proof.carry(run).await;
    assert_eq!(paused.state, RunState::Paused);
    assert_eq!(paused.why.as_deref(), Some("The action broke down in the middle of its work."));
    retry(&proof, run, "name", None).await.unwrap();
    assert_done(&proof.carry(run).await);
}

#[tokio::test]
async fn an_unknown_action_and_an_unfit_input_pause_with_words_an_operator_understands() {
    let (proof, _) = proof().await;
    let unknown = proof.enqueue(vec![step("a", "thing.bake", &[], json!({}))]).await;
    let why = proof.carry(unknown).await.why.unwrap();
    assert_eq!(why, "This version of Gatehouse knows no action `thing.bake`.");
    let unfit = proof.enqueue(vec![step("a", "thing.make", &[], json!({ "size": "large" }))]).await;
    let why = proof.carry(unfit).await.why.unwrap();
    assert!(why.starts_with("The input does not fit `thing.make`: /size"), "{why}");
}
