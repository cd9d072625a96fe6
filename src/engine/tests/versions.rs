//! Rows that another version wrote: what it did not know is taken as it was meant then, what only it knows is left
//! alone, and what can't be read stops its own run and nothing else.

use domain::ids::RunId;
use domain::run::RunState;
use serde_json::{Value, json};

use super::*;
use crate::proof::{Bend, Side};

/// What a run pins, as the first version writes it, with no more than it must say. It has to be read for ever.
pub(super) fn first() -> (Value, Value) {
    let step = |key: &str, needs: Value| {
        let planned = json!({
            "key": key, "id": key, "work": { "do": "thing.make" }, "title": key, "needs": needs, "with": {},
        });
        json!({ "planned": planned, "action": "thing.make" })
    };
    let workflow = json!([step("name", json!([])), step("node", json!(["name"]))]);
    let bindings = json!({ "scope": {}, "fanned_out": [], "single": [] });
    (workflow, bindings)
}

/// Writes what a run pins past the engine.
pub(super) async fn pin(proof: &Proof, run: RunId, workflow: &Value, bindings: &Value) {
    let text = |value: &Value| value.to_string().replace('\'', "''");
    let which = match proof.database.is_postgres() {
        true => format!("'{}'", run.0),
        false => format!("x'{}'", run.0.simple()),
    };
    let (workflow, bindings) = (text(workflow), text(bindings));
    let statement =
        format!("UPDATE run_pinned SET workflow = '{workflow}', bindings = '{bindings}' WHERE run_id = {which}");
    proof.database.tamper(&statement).await;
}

/// Adds to an object and to all in it something that only a newer version knows.
fn with_news(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.iter_mut().filter(|(name, _)| *name != "work" && *name != "with").for_each(|(_, it)| with_news(it));
            members.insert("from_a_newer_version".to_owned(), json!({ "any": ["thing", 1] }));
        }
        Value::Array(items) => items.iter_mut().for_each(with_news),
        _ => {}
    }
}

#[tokio::test]
async fn a_run_that_the_first_version_wrote_is_carried_through() {
    let (proof, world) = proof().await;
    let run = proof.enqueue(diamond()).await;
    let (workflow, bindings) = first();
    pin(&proof, run, &workflow, &bindings).await;
    assert_done(&proof.carry(run).await);
    assert_eq!(world.things(), ["name", "node"], "what it pinned is what is done");
}

#[tokio::test]
async fn what_only_a_newer_version_knows_is_left_alone() {
    let (proof, world) = proof().await;
    proof.bend("node", Side::Run, &[Bend::Wait(60)]);
    let run = proof.enqueue(diamond()).await;
    let (mut workflow, mut bindings) = first();
    with_news(&mut workflow);
    if let Some(members) = bindings.as_object_mut() {
        members.insert("from_a_newer_version".to_owned(), json!(true));
    }
    pin(&proof, run, &workflow, &bindings).await;
    proof.drive_as(run, "old").await.unwrap();
    let steps = "UPDATE step SET remembered = '{\"from_a_newer_version\": true}' WHERE state = 'waiting'";
    proof.database.tamper(steps).await;
    assert_done(&proof.carry(run).await);
    assert_eq!(world.made(), 2);
}

#[tokio::test]
async fn a_run_that_can_not_be_read_is_left_to_a_person_and_holds_up_no_other() {
    let (proof, world) = proof().await;
    let (broken, well) = (proof.enqueue(diamond()).await, proof.enqueue(vec![make("well", &[])]).await);
    let (workflow, bindings) = first();
    pin(&proof, broken, &json!({ "no": "workflow" }), &bindings).await;
    let both = [broken, well].map(|run| proof.drive_as(run, "worker"));
    let [broken_drive, well_drive] = both;
    let (of_broken, of_well) = tokio::join!(broken_drive, well_drive);
    assert_eq!(of_broken.unwrap(), crate::drive::Drive::NotTaken);
    assert_eq!(of_well.unwrap(), crate::drive::Drive::Rested(RunState::Done));
    assert!(proof.engine.sweep().await.unwrap().is_empty(), "nobody takes it up again and again");
    let summary = store::run::of_deployment(&proof.store, proof.deployment()).await.unwrap();
    let summary = summary.into_iter().find(|run| run.id == broken).unwrap();
    assert_eq!((summary.state, summary.paused_at.is_some()), (RunState::Paused, true));
    let why = summary.why.unwrap();
    assert!(why.contains("can't be read") && why.contains("restore its row from a backup"), "{why}");

    pin(&proof, broken, &workflow, &bindings).await;
    let tx = proof.store.begin().await.unwrap();
    let by = crate::mend::By { name: "Otto Operator", reason: "" };
    proof.engine.resume(&tx, broken, &by).await.unwrap();
    tx.commit().await.unwrap();
    assert_done(&proof.carry(broken).await);
    assert_eq!(world.things().len(), 3);
}
