//! A step that asks people: it holds nobody while it waits, asks once, and is done by what is answered.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::RunId;
use domain::run::{Cancel, EventKind, RunState};
use domain::task::Wanted;
use domain::trouble::{Kind, Trouble};

use super::*;
use crate::drive::Drive;
use crate::mend::By;
use crate::proof::{Bend, Side};

/// Asks people to look at something for two days.
#[derive(Default)]
struct Ask {
    /// When set, calls wait for it.
    gate: Mutex<Option<Arc<Notify>>>,
}

/// The handle by which a test holds calls up.
struct Held(Arc<Ask>);

#[async_trait]
impl Action for Held {
    fn signature(&self) -> Signature {
        Signature {
            name: "people.ask",
            title: "Ask people",
            undo_title: "Leave as it is",
            summary: "Asks people.",
            input: json!({ "type": "object", "properties": { "title": { "type": "string" } } }),
            output: json!({ "type": "object", "required": ["answer"], "properties": { "answer": { "type": "string" } } }),
            provider: None,
            is_of_site: true,
        }
    }

    fn intend(&self, _: &Work) -> Result<Vec<Intent>, ActionError> {
        Ok(Vec::new())
    }

    async fn run(&self, work: &Work) -> Result<Outcome, ActionError> {
        let gate = self.0.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        let first = work.remembered.clone().and_then(|it| serde_json::from_value::<DateTime<Utc>>(it).ok());
        let due_at = first.unwrap_or(work.now + TimeDelta::days(2));
        let until = if due_at > work.now { due_at } else { work.now + TimeDelta::days(1) };
        let wanted = Wanted {
            title: work.input["title"].as_str().unwrap_or_default().to_owned(),
            instructions: String::new(),
            assignees: vec![Recipients::Group("ops".into())],
            form: json!({}),
            due_at,
        };
        Ok(Outcome::Ask { wanted: Box::new(wanted), until, remember: json!(due_at), why: "for people".to_owned() })
    }

    async fn undo(&self, _: &Work) -> Result<Outcome, ActionError> {
        Ok(Outcome::Done(Record::default()))
    }
}

const OTTO: By<'_> = By { name: "Otto Operator", reason: "Nobody has to look." };

struct Story {
    proof: Proof,
    world: Arc<World>,
    asks: Arc<Ask>,
    run: RunId,
}

/// A run that has just asked people to look.
async fn asking() -> Story {
    let (world, asks) = (Arc::<World>::default(), Arc::<Ask>::default());
    let actions: Vec<Arc<dyn Action>> = vec![Arc::new(Make(Arc::clone(&world))), Arc::new(Held(Arc::clone(&asks)))];
    let proof = Proof::new(actions, Settings::default()).await;
    let workflow = vec![
        make("name", &[]),
        step("look", "people.ask", &["name"], json!({ "title": "Look at it" })),
        make("node", &["look"]),
    ];
    let run = proof.enqueue(workflow).await;
    Story { proof, world, asks, run }
}

async fn look(proof: &Proof, run: RunId) -> Step {
    step_of(&proof.read(run).await.1, "look").clone()
}

async fn fulfil(proof: &Proof, run: RunId, output: Value) -> Result<(), Trouble> {
    let tx = proof.store.begin().await.unwrap();
    proof.engine.fulfil(&tx, run, "look", output, "Olga").await?;
    tx.commit().await.unwrap();
    proof.engine.wake(run);
    Ok(())
}

#[tokio::test]
async fn a_step_that_asks_lets_the_run_rest_and_is_done_by_what_is_answered() {
    let Story { proof, world, run, .. } = asking().await;
    let rests = proof.drive_as(run, "first").await.unwrap();
    assert_eq!(rests, Drive::Rested(RunState::Waiting));
    let (waits, _) = proof.read(run).await;
    assert_eq!((waits.worker, waits.lease_until), (None, None), "no worker holds it");
    assert_eq!(look(&proof, run).await.state, StepState::Waiting);
    assert_eq!(proof.house.asked()["look"].title, "Look at it");

    fulfil(&proof, run, json!({ "answer": "fine" })).await.unwrap();
    let done = proof.carry(run).await;
    assert_eq!((done.state, world.things()), (RunState::Done, vec!["name".to_owned(), "node".to_owned()]));
    let step = look(&proof, run).await;
    assert_eq!((step.output, step.attempt, step.why), (Some(json!({ "answer": "fine" })), 1, None));
    let events = store::run_event::after(&proof.store, run, 0, 100).await.unwrap();
    let told: Vec<_> = events.iter().filter(|event| event.step_key.as_deref() == Some("look")).collect();
    let lines: Vec<&str> = told.iter().map(|event| event.line.as_str()).collect();
    assert_eq!(lines, ["Started.", "Waits: for people", "Somebody is asked.", "Done by Olga."]);
    assert_eq!(told[3].kind, EventKind::Step);
}

#[tokio::test]
async fn what_is_answered_has_to_be_what_the_action_promises() {
    let Story { proof, run, .. } = asking().await;
    proof.drive_as(run, "first").await.unwrap();
    assert_eq!(fulfil(&proof, run, json!({ "answer": 7 })).await.unwrap_err().kind, Kind::Invalid);
    assert_eq!(look(&proof, run).await.state, StepState::Waiting);
}

#[tokio::test]
async fn called_twice_or_again_after_a_crash_or_when_its_time_is_up_it_asks_once() {
    let Story { proof, run, .. } = asking().await;
    proof.bend("look", Side::Run, &[Bend::Twice]);
    proof.drive_as(run, "first").await.unwrap();
    let asked = proof.house.asked();
    proof.clock.wind(TimeDelta::days(3));
    proof.drive_as(run, "second").await.unwrap();
    assert_eq!(proof.house.asked(), asked, "the due date stays the one of the first call");
    let events = store::run_event::after(&proof.store, run, 0, 100).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.line == "Somebody is asked.").count(), 1);
}

#[tokio::test]
async fn an_answer_that_comes_while_the_step_is_called_again_is_kept() {
    let Story { proof, asks, run, .. } = asking().await;
    proof.drive_as(run, "first").await.unwrap();
    proof.clock.wind(TimeDelta::days(3));
    let gate = Arc::new(Notify::new());
    *asks.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let called = proof.drive_as(run, "second");
    let answered = async {
        while look(&proof, run).await.state != StepState::Running {
            tokio::task::yield_now().await;
        }
        fulfil(&proof, run, json!({ "answer": "just now" })).await.unwrap();
        gate.notify_one();
    };
    let (drive, ()) = tokio::join!(called, answered);
    assert_eq!(drive.unwrap(), Drive::Rested(RunState::Done));
    assert_eq!(look(&proof, run).await.output, Some(json!({ "answer": "just now" })));
}

#[tokio::test]
async fn a_step_that_is_skipped_or_given_other_input_asks_for_what_it_asked_no_more() {
    let Story { proof, run, .. } = asking().await;
    proof.drive_as(run, "first").await.unwrap();
    let tx = proof.store.begin().await.unwrap();
    proof.engine.retry(&tx, run, "look", Some(json!({ "title": "Look twice" })), &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert!(proof.house.asked().is_empty());
    proof.drive_as(run, "second").await.unwrap();
    assert_eq!(proof.house.asked()["look"].title, "Look twice");

    let tx = proof.store.begin().await.unwrap();
    proof.engine.skip(&tx, run, "look", Some(json!({ "answer": "by hand" })), &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert!(proof.house.asked().is_empty());
    assert_eq!(proof.carry(run).await.state, RunState::Done);
    assert_eq!(fulfil(&proof, run, json!({ "answer": "late" })).await.unwrap_err().kind, Kind::Conflict);
}

#[tokio::test]
async fn a_run_that_waits_for_people_is_cancelled_like_any_other() {
    let Story { proof, world, run, .. } = asking().await;
    proof.drive_as(run, "first").await.unwrap();
    let tx = proof.store.begin().await.unwrap();
    proof.engine.cancel(&tx, run, Cancel::TakeBack, &OTTO).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(proof.carry(run).await.state, RunState::Cancelled);
    assert!(world.things().is_empty());
    assert_eq!(look(&proof, run).await.state, StepState::Undone);
}

#[tokio::test]
async fn what_a_call_asks_for_when_its_run_is_already_cancelled_is_asked_of_nobody_and_is_never_answered() {
    let Story { proof, asks, run, .. } = asking().await;
    let gate = Arc::new(Notify::new());
    *asks.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let called = proof.drive_as(run, "first");
    let cancelled = async {
        while look(&proof, run).await.state != StepState::Running {
            tokio::task::yield_now().await;
        }
        let tx = proof.store.begin().await.unwrap();
        proof.engine.cancel(&tx, run, Cancel::Stop, &OTTO).await.unwrap();
        tx.commit().await.unwrap();
        gate.notify_one();
    };
    let (drive, ()) = tokio::join!(called, cancelled);
    assert_eq!(drive.unwrap(), Drive::Rested(RunState::Cancelled));
    let events = store::run_event::after(&proof.store, run, 0, 100).await.unwrap();
    assert!(events.iter().all(|event| event.line != "Somebody is asked."), "{events:?}");
    assert_eq!(look(&proof, run).await.state, StepState::Waiting);
    assert_eq!(fulfil(&proof, run, json!({ "answer": "late" })).await.unwrap_err().kind, Kind::Conflict);
}
