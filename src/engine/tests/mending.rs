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
async fn what_an_operator_gives_another_name_bears_it_in_the_ledger() {
    let (proof, _, run) = paused_at("pool").await;
    retry(&proof, run, "pool", Some(json!({ "size": 3 }))).await.unwrap();
    assert_done(&proof.carry(run).await);
    let rows = store::resource::standing(&proof.store, proof.deployment()).await.unwrap();
    let named = rows.iter().find(|row| row.step_key == "pool").map(|row| row.name.as_str());
    assert_eq!(named, Some("pool of 3"));
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

/// The standing rows of the ledger and the standing CIs, by the keys of their steps.
async fn recorded(proof: &Proof, keys: &[&str]) -> (Vec<String>, usize) {
    let rows = store::resource::standing(&proof.store, proof.deployment()).await.unwrap();
    let mut cis = 0;
    for key in keys {
        let object = format!("{}/{key}", proof.deployment());
        cis += store::ci::standing_below(&proof.store, proof.deployment(), &object).await.unwrap().len();
    }
    (rows.into_iter().map(|row| row.step_key).collect(), cis)
}

#[tokio::test]
async fn what_is_taken_back_by_hand_in_a_stuck_run_is_gone_from_the_ledger_and_the_cmdb() {
    let (proof, _, run) = paused_at("pool").await;
    proof.bend("node[1]", Side::Undo, &[Bend::Permanent]);
    let tx = proof.store.begin().await.unwrap();
    proof.engine.compensate(&tx, run, &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(proof.carry(run).await.state, RunState::Stuck);
    assert_eq!(recorded(&proof, &DIAMOND).await, (vec!["node[1]".to_owned()], 1));
    skip(&proof, run, "node[1]", None).await.unwrap();
    assert_eq!(proof.carry(run).await.state, RunState::Compensated);
    assert_eq!(recorded(&proof, &DIAMOND).await, (vec![], 0));
}

#[tokio::test]
async fn a_removal_that_is_skipped_is_done_by_hand_and_leaves_nothing_on_the_books() {
    let (proof, _) = proof().await;
    let run = proof.enqueue(diamond()).await;
    assert_done(&proof.carry(run).await);
    let graph = proof.engine.retirement(&proof.store, proof.deployment()).await.unwrap();
    proof.bend("node[2]", Side::Undo, &[Bend::Permanent]);
    let retire = proof.enqueue(graph).await;
    assert_eq!(proof.carry(retire).await.state, RunState::Paused);
    skip(&proof, retire, "node[2]", None).await.unwrap();
    assert_done(&proof.carry(retire).await);
    assert_eq!(recorded(&proof, &DIAMOND).await, (vec![], 0));
    assert!(crate::retire::standing_steps(&proof.store, proof.deployment()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_output_that_is_too_large_is_refused_with_its_bound() {
    let (proof, _, run) = paused_at("pool").await;
    let large = json!({ "id": "x".repeat(300 * 1024) });
    let trouble = skip(&proof, run, "pool", Some(large)).await.unwrap_err();
    assert_eq!(trouble.fields[0].message, "An output has 256 KB at most; this one is larger.");
    proof.bend("pool", Side::Run, &[Bend::Large]);
    retry(&proof, run, "pool", None).await.unwrap();
    let paused = proof.carry(run).await;
    assert_eq!(paused.state, RunState::Paused);
    assert_eq!(paused.why.as_deref(), Some("`thing.make` returned 10241 KB; an output has 256 KB at most."));
}

#[tokio::test]
async fn a_step_whose_output_others_read_is_not_skipped_without_one() {
    let (proof, _) = proof().await;
    proof.bend("node", Side::Run, &[Bend::Permanent]);
    let setup = step("setup", "thing.make", &["node"], json!({ "on": "${steps.node.id}" }));
    let run = proof.enqueue(vec![make("node", &[]), setup, make("proof", &["node"])]).await;
    assert_eq!(proof.carry(run).await.state, RunState::Paused);
    let trouble = skip(&proof, run, "node", None).await.unwrap_err();
    let expected = "What this step returns is read by setup: give it here, as it would have been.";
    assert_eq!((trouble.fields[0].field.as_str(), trouble.fields[0].message.as_str()), ("output", expected));
    skip(&proof, run, "node", Some(json!({ "id": "by hand" }))).await.unwrap();
}

#[tokio::test]
async fn what_a_try_remembered_is_known_to_the_next_try_and_to_the_walk_back() {
    let (proof, _) = proof().await;
    proof.bend("pool", Side::Run, &[Bend::Wait(5), Bend::Permanent, Bend::Permanent]);
    let run = proof.enqueue(diamond()).await;
    proof.carry(run).await;
    for _ in 0..2 {
        let (_, steps) = proof.read(run).await;
        let pool = step_of(&steps, "pool");
        assert_eq!(pool.remembered.clone().or(pool.remembered_before.clone()), Some(json!(5)));
        retry(&proof, run, "pool", None).await.unwrap();
        let (_, steps) = proof.read(run).await;
        let pool = step_of(&steps, "pool");
        assert_eq!((&pool.remembered, &pool.remembered_before), (&None, &Some(json!(5))), "a try begins afresh");
        proof.carry(run).await;
    }
    let (run, steps) = proof.read(run).await;
    assert_done(&run);
    assert_eq!(step_of(&steps, "pool").remembered_before, None);
}
