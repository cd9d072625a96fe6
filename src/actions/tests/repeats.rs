//! Every action there is, carried out by workers that die in each of its calls: what is run twice is done once, and
//! what is taken back, from wherever it stopped and however often, leaves the stage as it was.

use domain::ports::datacenter::{DatacenterControls, Fault, Operation};
use serde_json::Value;

use super::sets::set_for;
use super::stage::{Remains, Scene, Stage};
use crate::signatures;

const STEP: &str = "it";
/// More calls than any step here takes.
const ALL_CALLS: usize = 1_000;
/// A quota that was changed is not taken back by itself: what runs may need it by now.
const LEAVES_AS_IT_IS: &str = "space.quota";

fn actions() -> impl Iterator<Item = &'static str> {
    signatures().into_iter().map(|signature| signature.name)
}

/// The stage as it was, and what the story is about.
struct Act {
    action: &'static str,
    stage: Stage,
    input: Value,
    before: Scene,
}

impl Act {
    async fn of(action: &'static str) -> Self {
        let (stage, input) = set_for(action).await;
        let before = stage.scene().await;
        Self { action, stage, input, before }
    }

    async fn die_in_call(&mut self, call: usize) -> Remains {
        self.stage.die_in_call(self.action, STEP, self.input.clone(), call).await
    }

    async fn go_on(&mut self, remembered: Option<Value>) -> Value {
        self.stage.go_on(self.action, STEP, self.input.clone(), remembered).await.unwrap()
    }

    /// Takes the step back, twice.
    async fn undo_twice(&mut self, output: Option<Value>, remembered: Option<Value>, told: &str) {
        let stands = self.stage.scene().await;
        let expected = if self.action == LEAVES_AS_IT_IS { &stands } else { &self.before };
        for _ in 0..2 {
            let (input, output, remembered) = (self.input.clone(), output.clone(), remembered.clone());
            self.stage.undo_with(self.action, STEP, input, output, remembered).await.unwrap();
            assert_eq!(self.stage.scene().await, *expected, "{} taken back {told}", self.action);
        }
    }
}

#[tokio::test]
async fn an_action_that_is_gone_on_with_after_a_crash_in_any_call_does_its_work_once() {
    for action in actions() {
        let mut undisturbed = Act::of(action).await;
        let output = undisturbed.go_on(None).await;
        let scene = undisturbed.stage.scene().await;
        for call in 1.. {
            let mut act = Act::of(action).await;
            let Remains { remembered, was_done } = act.die_in_call(call).await;
            let again = act.go_on(remembered).await;
            assert_eq!(act.stage.scene().await, scene, "{action} after a crash in call {call}");
            assert_eq!(again, output, "{action} after a crash in call {call}");
            if was_done {
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_action_that_was_done_is_taken_back_once_however_often() {
    for action in actions() {
        let mut act = Act::of(action).await;
        let output = act.go_on(None).await;
        act.undo_twice(Some(output), None, "after it was done").await;
    }
}

#[tokio::test]
async fn an_action_that_stopped_in_any_call_is_taken_back_whole() {
    for action in actions() {
        for call in 1.. {
            let mut act = Act::of(action).await;
            let Remains { remembered, was_done } = act.die_in_call(call).await;
            act.undo_twice(None, remembered, &format!("after a crash in call {call}")).await;
            if was_done {
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_action_of_which_an_answer_was_lost_is_taken_back_whole() {
    for action in actions() {
        for operation in changes_of(action).await {
            let mut act = Act::of(action).await;
            act.stage.datacenter.arm(operation, Fault::LoseAnswer, Some(1)).await.unwrap();
            let Remains { remembered, was_done } = act.die_in_call(ALL_CALLS).await;
            assert!(!was_done, "{action} is not told what became of {operation}");
            act.undo_twice(None, remembered, &format!("after the answer to {operation} was lost")).await;
        }
    }
}

/// What the action changes in the datacenter.
async fn changes_of(action: &'static str) -> Vec<Operation> {
    let mut act = Act::of(action).await;
    let before = act.stage.datacenter.overview().await.unwrap().activity.len();
    act.go_on(None).await;
    let activity = act.stage.datacenter.overview().await.unwrap().activity;
    let new = activity.len() - before;
    activity.into_iter().take(new).filter_map(|activity| activity.operation).collect()
}
