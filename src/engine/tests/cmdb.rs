//! What steps tell the CMDB, and what becomes of a step that it does not believe.

use domain::run::RunState;
use domain::step::StepState;
use serde_json::json;

use super::*;
use crate::mend::By;
use crate::proof::{Bend, Side};

const OTTO: By<'_> = By { name: "Otto Operator", reason: "Built by hand." };

/// A proof whose second step stands on the first, which fails and is skipped with an output.
async fn skipped_below() -> (Proof, domain::ids::RunId, String) {
    let (proof, _) = proof().await;
    let below = ci_key(&format!("{}/node", proof.deployment()));
    proof.bend("node", Side::Run, &[Bend::Permanent]);
    let setup = step("setup", "thing.make", &["node"], json!({ "on": below }));
    let run = proof.enqueue(vec![make("node", &[]), setup]).await;
    assert_eq!(proof.carry(run).await.state, RunState::Paused);
    let tx = proof.store.begin().await.unwrap();
    proof.engine.skip(&tx, run, "node", Some(json!({ "id": "by hand" })), &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    (proof, run, below)
}

#[tokio::test]
async fn a_step_that_names_an_unknown_ci_pauses_its_run_and_says_which_and_what_to_do() {
    let (proof, run, below) = skipped_below().await;
    let paused = proof.carry(run).await;
    assert_eq!(paused.state, RunState::Paused);
    assert!(paused.why.unwrap().contains(&format!("no CI with the key `{below}`")));
    let (_, steps) = proof.read(run).await;
    assert_eq!(step_of(&steps, "setup").state, StepState::Failed);
    assert!(step_of(&steps, "setup").advice.as_ref().unwrap().contains("change this step's input"));

    let tx = proof.store.begin().await.unwrap();
    proof.engine.retry(&tx, run, "setup", Some(json!({})), &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert_done(&proof.carry(run).await);
}
