//! Stories of runs, told with actions that make things in a world in memory, over a real database.

mod asking;
mod bounds;
mod chance;
mod cmdb;
mod crash;
mod leaning;
mod mending;
mod outage;
mod queueing;
mod saga;
mod sites;
mod time;
mod timeline;
mod together;
mod turns;
mod versions;
mod waiting;
mod waking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::action::Signature;
use domain::ci::{CiChange, CiClass, Relation};
use domain::ids::{DeploymentId, RunId};
use domain::mail::{Notice, Recipients};
use domain::resource::{Intent, LedgerChange, Tie};
use domain::run::{Run, RunState};
use domain::step::{Step, StepState};
use domain::workflow::WorkflowStep;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::proof::{Proof, step};
use crate::{Action, ActionError, Outcome, Record, Settings, Work};

/// Things by the key that they bear, with how often each was made.
#[derive(Default)]
pub(super) struct World {
    things: Mutex<BTreeMap<String, u32>>,
    made: Mutex<u32>,
    undone: Mutex<Vec<String>>,
    /// The keys of what is behind a pool, by the pool's key.
    behind: Mutex<BTreeMap<String, Vec<String>>>,
    /// What must never be asked of a world, and was.
    complaints: Mutex<Vec<String>>,
    /// Calls under way, and the most there ever were.
    busy: Mutex<(usize, usize)>,
    /// The steps whose calls were begun, in their order.
    called: Mutex<Vec<String>>,
    /// When set, calls that make things wait for it.
    pub(super) gate: Mutex<Option<Arc<Notify>>>,
}

impl World {
    pub(super) fn things(&self) -> Vec<String> {
        self.things.lock().unwrap().keys().map(|key| key.split('/').next_back().unwrap().to_owned()).collect()
    }

    /// The keys of the things that bear this deployment's.
    pub(super) fn keys_of(&self, deployment: DeploymentId) -> BTreeSet<String> {
        let (things, whose) = (self.things.lock().unwrap(), format!("{deployment}/"));
        things.keys().filter(|key| key.starts_with(&whose)).cloned().collect()
    }

    /// Ends the call, and is kept for the test: the engine takes a panic of an action for a failure like others.
    fn complain(&self, what: &str) -> ! {
        self.complaints.lock().unwrap().push(what.to_owned());
        panic!("{what}");
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    /// A person removes a thing, past the engine.
    pub(super) fn remove_by_hand(&self, key: &str) {
        self.things.lock().unwrap().remove(key);
        self.behind.lock().unwrap().remove(key);
    }

    /// How many things were ever made.
    pub(super) fn made(&self) -> u32 {
        *self.made.lock().unwrap()
    }

    /// Steps in the order in which their things were removed.
    pub(super) fn undone(&self) -> Vec<String> {
        self.undone.lock().unwrap().clone()
    }

    /// The steps whose calls were begun, in their order.
    pub(super) fn called(&self) -> Vec<String> {
        self.called.lock().unwrap().clone()
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.busy.lock().unwrap().1
    }

    /// Returns when a call is under way, or was.
    pub(super) async fn until_called(&self) {
        self.until(|(_, most)| most > 0).await;
    }

    /// Returns when so many calls are under way.
    pub(super) async fn until_busy(&self, calls: usize) {
        self.until(|(now, _)| now >= calls).await;
    }

    /// Returns when no call is under way.
    pub(super) async fn until_idle(&self) {
        self.until(|(now, _)| now == 0).await;
    }

    async fn until(&self, busy: impl Fn((usize, usize)) -> bool) {
        let reached = async {
            while !busy(*self.busy.lock().unwrap()) {
                tokio::task::yield_now().await;
            }
        };
        let longest = std::time::Duration::from_secs(20);
        tokio::time::timeout(longest, reached).await.expect("the calls come to that");
    }
}

/// Makes one thing.
struct Make(Arc<World>);

#[async_trait]
impl Action for Make {
    fn signature(&self) -> Signature {
        Signature {
            name: "thing.make",
            title: "Make thing",
            undo_title: "Remove thing",
            summary: "Makes a thing.",
            input: json!({
                "type": "object",
                "properties": { "size": { "type": "integer" }, "on": { "type": "string" }, "members": { "type": "array" } },
                "additionalProperties": false,
            }),
            output: json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } }),
            provider: Some("world"),
            is_of_site: true,
        }
    }

    fn intend(&self, work: &Work) -> Result<Vec<Intent>, ActionError> {
        let (kind, provider) = ("thing".to_owned(), "world".to_owned());
        let size = work.input.get("size").map(|size| format!(" of {size}")).unwrap_or_default();
        let name = format!("{}{size}", work.step_key);
        Ok(vec![Intent { key: work.key.clone(), kind, provider, name }])
    }

    fn ties(&self, work: &Work) -> Result<Vec<Tie>, ActionError> {
        let to = members(work);
        Ok(if to.is_empty() { Vec::new() } else { vec![Tie { key: work.key.clone(), to }] })
    }

    async fn run(&self, work: &Work) -> Result<Outcome, ActionError> {
        self.0.called.lock().unwrap().push(work.step_key.clone());
        let gate = self.0.gate.lock().unwrap().clone();
        // It counts as busy from when it would hear the gate open.
        let opened = gate.as_ref().map(|gate| gate.notified());
        {
            let mut busy = self.0.busy.lock().unwrap();
            busy.0 += 1;
            busy.1 = busy.1.max(busy.0);
        }
        match opened {
            Some(opened) => opened.await,
            None => tokio::task::yield_now().await,
        }
        self.0.busy.lock().unwrap().0 -= 1;
        if work.ledger.is_empty() {
            self.0.complain(&format!("{} is made before its intent is committed", work.step_key));
        }
        self.0.things.lock().unwrap().entry(work.key.clone()).or_insert_with(|| {
            *self.0.made.lock().unwrap() += 1;
            1
        });
        self.0.behind.lock().unwrap().insert(work.key.clone(), members(work));
        work.say(format!("Made {}.", work.step_key));
        Ok(Outcome::Done(Record {
            output: json!({ "id": work.step_key }),
            ledger: vec![LedgerChange::Live {
                key: work.key.clone(),
                native_id: format!("id-{}", work.step_key),
                attributes: Value::Null,
            }],
            cis: described(work),
            notices: Vec::new(),
        }))
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        let mut behind = self.0.behind.lock().unwrap();
        behind.remove(&work.key);
        let serving = behind.values().flatten().any(|member| *member == work.key);
        drop(behind);
        if serving {
            self.0.complain(&format!("{} is removed while a pool sends to it", work.step_key));
        }
        if self.0.things.lock().unwrap().remove(&work.key).is_some() {
            self.0.undone.lock().unwrap().push(work.step_key.clone());
        }
        Ok(Outcome::Done(Record {
            ledger: work.ledger.iter().map(|row| LedgerChange::Gone { key: row.key.clone() }).collect(),
            cis: vec![CiChange::Retire { key: ci_key(&work.key) }],
            ..Record::default()
        }))
    }
}

/// The keys of the things that the input names.
fn members(work: &Work) -> Vec<String> {
    let named = work.input.get("members").and_then(Value::as_array);
    let key = |step: &Value| format!("{}/{}", work.deployment, step.as_str().unwrap_or_default());
    named.into_iter().flatten().map(key).collect()
}

/// Changes what is behind a pool, and tells people; makes nothing.
struct Join(Arc<World>);

#[async_trait]
impl Action for Join {
    fn signature(&self) -> Signature {
        let shape = json!({ "type": "object" });
        Signature {
            name: "thing.join",
            title: "Join things",
            undo_title: "Part things",
            summary: "Puts things behind the pool.",
            input: shape.clone(),
            output: shape,
            provider: None,
            is_of_site: true,
        }
    }

    fn intend(&self, _: &Work) -> Result<Vec<Intent>, ActionError> {
        Ok(Vec::new())
    }

    fn ties(&self, work: &Work) -> Result<Vec<Tie>, ActionError> {
        let to = members(work);
        Ok(if to.is_empty() { Vec::new() } else { vec![Tie { key: format!("{}/pool", work.deployment), to }] })
    }

    async fn run(&self, work: &Work) -> Result<Outcome, ActionError> {
        for tie in self.ties(work)? {
            self.0.behind.lock().unwrap().insert(tie.key, tie.to);
        }
        let said = work.input.get("say").and_then(Value::as_str);
        let notice = |subject: &str| Notice {
            to: Recipients::Requester,
            subject: subject.to_owned(),
            text: "It is there.".to_owned(),
        };
        let notices = said.map(notice).into_iter().collect();
        Ok(Outcome::Done(Record { output: json!({}), notices, ..Record::default() }))
    }

    async fn undo(&self, _: &Work) -> Result<Outcome, ActionError> {
        Ok(Outcome::Done(Record::default()))
    }
}

/// Returns when a run has come to a state.
pub(super) async fn until(proof: &Proof, run: RunId, state: RunState) {
    let mut events = proof.engine.subscribe();
    let reached = async {
        while proof.read(run).await.0.state != state {
            let _ = tokio::time::timeout(std::time::Duration::from_millis(100), events.recv()).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), reached).await.expect("the run gets there");
}

pub(super) fn ci_key(key: &str) -> String {
    format!("{key}/thing")
}

/// The thing's CI, on the one that the input names.
fn described(work: &Work) -> Vec<CiChange> {
    let key = ci_key(&work.key);
    let (name, attributes) = (work.step_key.clone(), serde_json::Map::new());
    let declared = CiChange::Declare { key: key.clone(), class: CiClass::VirtualMachine, name, attributes };
    let below = work.input.get("on").and_then(Value::as_str);
    let related = below.map(|to| CiChange::Relate { from: key, relation: Relation::RunsOn, to: to.to_owned() });
    std::iter::once(declared).chain(related).collect()
}

pub(super) async fn proof_with(settings: Settings) -> (Proof, Arc<World>) {
    let world = Arc::<World>::default();
    let proof =
        Proof::new(vec![Arc::new(Make(Arc::clone(&world))), Arc::new(Join(Arc::clone(&world)))], settings).await;
    (proof, world)
}

pub(super) async fn proof() -> (Proof, Arc<World>) {
    proof_with(Settings::default()).await
}

pub(super) fn make(key: &str, needs: &[&str]) -> WorkflowStep {
    step(key, "thing.make", needs, json!({}))
}

/// name → node[1], node[2] → pool → proof
pub(super) fn diamond() -> Vec<WorkflowStep> {
    vec![
        make("name", &[]),
        make("node[1]", &["name"]),
        make("node[2]", &["name"]),
        make("pool", &["node[1]", "node[2]"]),
        make("proof", &["pool"]),
    ]
}

pub(super) const DIAMOND: [&str; 5] = ["name", "node[1]", "node[2]", "pool", "proof"];

pub(super) fn states(steps: &[Step]) -> Vec<StepState> {
    steps.iter().map(|step| step.state).collect()
}

pub(super) fn step_of<'a>(steps: &'a [Step], key: &str) -> &'a Step {
    steps.iter().find(|step| step.key == key).unwrap()
}

pub(super) fn assert_done(run: &Run) {
    assert_eq!(run.state, RunState::Done, "{:?}", run.why);
}
