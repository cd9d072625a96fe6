//! A stage for actions: plays the engine's part, commits what they intend and record, and winds the clock when they wait.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ci::CiChange;
use domain::ids::{DeploymentId, ResourceId, RunId};
use domain::ports::balancer::{Balancer, MemberHealth};
use domain::ports::clock::Clock;
use domain::ports::cmdb::{Cmdb, Registered};
use domain::ports::datacenter::{DatacenterControls, Pace};
use domain::ports::machines::Machines;
use domain::ports::provider_error::ProviderError;
use domain::ports::secrets::{SecretOrder, Secrets};
use domain::ports::spaces::{SpaceQuota, Spaces};
use domain::resource::{LedgerChange, Resource, ResourceState};
use domain::secret::Handover;
use domain::site::SIMULATED;
use engine::{Action, ActionError, Outcome, Record, StepLog, Work};
use providers::clock::ManualClock;
use providers::simulated::Datacenter;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Systems, all};

pub struct Stage {
    pub datacenter: Datacenter,
    pub clock: Arc<ManualClock>,
    pub ledger: Vec<Resource>,
    pub cis: Vec<CiChange>,
    pub log: Arc<Heard>,
    pub cmdb: Arc<SlowCmdb>,
    pub safe: Arc<Safe>,
    /// Where machines stand, when it is not the datacenter.
    pub hypervisor: Option<Arc<dyn Machines>>,
    folder: PathBuf,
}

/// What is left of a step when its worker died.
pub struct Remains {
    pub remembered: Option<Value>,
    /// Whether its work was done, and only the record of it is lost.
    pub was_done: bool,
}

/// What stands on a stage, to be compared.
#[derive(Debug, Default, PartialEq)]
pub struct Scene {
    /// Kind, key and name of what the datacenter holds.
    objects: Vec<(String, String, String)>,
    members: Vec<(String, MemberHealth)>,
    quotas: Vec<SpaceQuota>,
    rows: Vec<(String, ResourceState, Value)>,
    cis: Vec<String>,
    /// Keys of steps that have a secret.
    secrets: Vec<String>,
}

/// What the actions said.
#[derive(Default)]
pub struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl StepLog for Heard {
    fn say(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

/// A CMDB that acknowledges one change each time it is asked.
#[derive(Default)]
pub struct SlowCmdb(pub AtomicU32);

#[async_trait]
impl Cmdb for SlowCmdb {
    fn name(&self) -> &str {
        "The slow CMDB"
    }

    async fn registered(&self, _deployment: DeploymentId) -> Result<Registered, ProviderError> {
        let outstanding = self.0.load(Ordering::Relaxed);
        self.0.store(outstanding.saturating_sub(1), Ordering::Relaxed);
        Ok(Registered { cis: 5, outstanding: u64::from(outstanding) })
    }
}

/// A safe in which nothing lies but what was ordered, by the key of its step, with the key that it renews.
#[derive(Default)]
pub struct Safe(Mutex<BTreeMap<String, (Handover, Option<String>)>>);

#[async_trait]
impl Secrets for Safe {
    async fn generate(&self, order: &SecretOrder) -> Result<Handover, ProviderError> {
        let mut kept = self.0.lock().unwrap();
        let id = Uuid::from_u128(kept.len() as u128 + 1).into();
        let SecretOrder { deployment, name, until, renews, .. } = order.clone();
        let new = Handover { id, deployment, name, until, taken: None, replaced: false };
        Ok(kept.entry(order.key.clone()).or_insert((new, renews)).0.clone())
    }

    async fn forget(&self, key: &str) -> Result<(), ProviderError> {
        self.0.lock().unwrap().retain(|own, (_, renews)| own != key && renews.as_deref() != Some(key));
        Ok(())
    }
}

impl Stage {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("gatehouse-actions-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let clock = Arc::new(ManualClock::at(DateTime::<Utc>::UNIX_EPOCH));
        let datacenter = Datacenter::open(&folder.join("datacenter.jsonl"), clock.clone()).unwrap();
        let (log, cmdb, safe) = Default::default();
        Self { datacenter, clock, ledger: Vec::new(), cis: Vec::new(), log, cmdb, safe, hypervisor: None, folder }
    }

    /// A stage where answers come at once and work takes its usual time on the clock.
    pub async fn ready() -> Self {
        let stage = Self::new();
        stage.datacenter.set_pace(Pace { answers: 0.0, work: 1.0, operations: Vec::new() }).await.unwrap();
        stage
    }

    pub fn systems(&self) -> Systems {
        let systems = Systems::one(Arc::new(self.datacenter.clone()), vec![self.cmdb.clone()], self.safe.clone());
        let machines = self.hypervisor.clone().unwrap_or_else(|| systems.machines.clone());
        Systems { machines, ..systems }
    }

    /// Runs the step to its end; commits its intents before and its record after.
    pub async fn run(&mut self, name: &str, step_key: &str, input: Value) -> Result<Value, ActionError> {
        self.go_on(name, step_key, input, None).await
    }

    /// Runs the step to its end, from what it remembers.
    pub async fn go_on(
        &mut self,
        name: &str,
        step_key: &str,
        input: Value,
        remembered: Option<Value>,
    ) -> Result<Value, ActionError> {
        let work = Work { remembered, ..self.work(step_key, input) };
        self.carry(name, work).await
    }

    /// Runs the step to its end because a person has it tried again; `before` is what the first try remembered.
    pub async fn try_again(
        &mut self,
        name: &str,
        step_key: &str,
        input: Value,
        before: Value,
    ) -> Result<Value, ActionError> {
        let work = Work { remembered_before: Some(before), ..self.work(step_key, input) };
        self.carry(name, work).await
    }

    async fn carry(&mut self, name: &str, mut work: Work) -> Result<Value, ActionError> {
        let action = self.action(name);
        self.intend(action.as_ref(), &mut work)?;
        loop {
            match action.run(&work).await? {
                Outcome::Done(record) => return Ok(self.commit(record)),
                Outcome::Wait { until, remember, .. } => self.wait(&mut work, until, remember),
                Outcome::Ask { .. } => return Ok(done_by_somebody()),
            }
        }
    }

    /// Begins the step with a worker that dies in its last call: what that call came to is lost, the calls before it
    /// are not.
    pub async fn die_in_call(&mut self, name: &str, step_key: &str, input: Value, last: usize) -> Remains {
        let (action, mut work) = (self.action(name), self.work(step_key, input));
        self.intend(action.as_ref(), &mut work).unwrap();
        for call in 1.. {
            match action.run(&work).await {
                Ok(Outcome::Wait { until, remember, .. }) if call < last => self.wait(&mut work, until, remember),
                Ok(Outcome::Ask { .. }) if call == last => break,
                Ok(Outcome::Wait { .. }) => break,
                Ok(Outcome::Done(_) | Outcome::Ask { .. }) => {
                    return Remains { remembered: work.remembered, was_done: true };
                }
                Err(_) => break,
            }
        }
        Remains { remembered: work.remembered, was_done: false }
    }

    /// Takes the step back, as the engine does: with the ledger rows that are left of it.
    pub async fn undo(&mut self, name: &str, step_key: &str) -> Result<(), ActionError> {
        let work = self.work(step_key, Value::Null);
        self.take_back(name, work).await
    }

    /// Takes back a step that had this input, and returned or remembers this.
    pub async fn undo_with(
        &mut self,
        name: &str,
        step_key: &str,
        input: Value,
        output: Option<Value>,
        remembered: Option<Value>,
    ) -> Result<(), ActionError> {
        let work = Work { output, remembered, ..self.work(step_key, input) };
        self.take_back(name, work).await
    }

    /// Calls the step once, as a worker does that dies before the answer is committed; `remembered` is what the call
    /// before asked to remember.
    pub async fn call(
        &mut self,
        name: &str,
        step_key: &str,
        input: Value,
        remembered: Option<Value>,
    ) -> Result<Outcome, ActionError> {
        let work = Work { remembered, ..self.work(step_key, input) };
        self.action(name).run(&work).await
    }

    fn intend(&mut self, action: &dyn Action, work: &mut Work) -> Result<(), ActionError> {
        for intent in action.intend(work)? {
            if self.ledger.iter().all(|row| row.key != intent.key) {
                self.ledger.push(intended(&work.step_key, intent));
            }
        }
        work.ledger = self.rows(&work.step_key);
        Ok(())
    }

    async fn take_back(&mut self, name: &str, mut work: Work) -> Result<(), ActionError> {
        let action = self.action(name);
        loop {
            match action.undo(&work).await? {
                Outcome::Done(record) => {
                    self.commit(record);
                    return Ok(());
                }
                Outcome::Wait { until, remember, .. } => self.wait(&mut work, until, remember),
                Outcome::Ask { wanted, .. } => panic!("nobody is asked to take it back: {wanted:?}"),
            }
        }
    }

    /// How many objects the datacenter holds of this kind.
    pub async fn count(&self, kind: &str) -> usize {
        self.datacenter.overview().await.unwrap().objects.iter().filter(|object| object.kind == kind).count()
    }

    /// All that stands: in the datacenter, in the ledger and in the CMDB.
    pub async fn scene(&self) -> Scene {
        let secrets = self.safe.0.lock().unwrap().keys().cloned().collect();
        let mut scene = Scene { cis: self.standing_cis(), secrets, ..Scene::default() };
        for object in self.datacenter.overview().await.unwrap().objects {
            if object.kind == "pool" {
                let pool = Balancer::describe(&self.datacenter, &object.id).await.unwrap();
                scene.members.extend(pool.members.into_iter().map(|member| (member.name, member.health)));
            }
            if let Some(space) = Spaces::find(&self.datacenter, &object.key).await.unwrap() {
                scene.quotas.push(space.quota);
            }
            scene.objects.push((object.kind, object.key, object.name));
        }
        let standing = self.ledger.iter().filter(|row| row.state != ResourceState::Gone);
        scene.rows = standing.map(|row| (row.key.clone(), row.state, row.attributes.clone())).collect();
        scene
    }

    /// Names of the CIs that were declared and not retired.
    pub fn standing_cis(&self) -> Vec<String> {
        let mut standing: Vec<(String, String)> = Vec::new();
        for change in &self.cis {
            match change {
                CiChange::Declare { key, name, .. } if standing.iter().all(|(known, _)| known != key) => {
                    standing.push((key.clone(), name.clone()));
                }
                CiChange::Retire { key } => standing.retain(|(known, _)| known != key),
                _ => {}
            }
        }
        standing.into_iter().map(|(_, name)| name).collect()
    }

    /// A machine that is configured with the role; returns what `machine.create` and `puppet.apply` returned.
    pub async fn machine(&mut self, n: u32, role: &str) -> (Value, Value) {
        let name = self.run("naming.reserve", &format!("name[{n}]"), json!({ "pattern": "shop-{n}" })).await.unwrap();
        let size = json!({ "name": "small", "title": "Small", "cpu": 2, "memory_gb": 4, "disk_gb": 20 });
        let input = json!({ "name": name["name"], "size": size, "image": "debian-12" });
        let machine = self.run("machine.create", &format!("node[{n}]"), input).await.unwrap();
        let input = json!({ "certname": machine["fqdn"], "role": role, "server": machine["ci"] });
        let setup = self.run("puppet.apply", &format!("setup[{n}]"), input).await.unwrap();
        (machine, setup)
    }

    fn action(&self, name: &str) -> Arc<dyn Action> {
        all(&self.systems()).into_iter().find(|action| action.signature().name == name).unwrap()
    }

    fn work(&self, step_key: &str, input: Value) -> Work {
        Work {
            run: RunId::from(Uuid::nil()),
            deployment: DeploymentId::from(Uuid::nil()),
            project: Uuid::nil().into(),
            site: SIMULATED.into(),
            step_key: step_key.to_owned(),
            key: format!("deployment/{step_key}"),
            input,
            output: None,
            ledger: self.rows(step_key),
            remembered: None,
            remembered_before: None,
            attempt: 1,
            now: self.clock.now(),
            log: self.log.clone(),
        }
    }

    fn rows(&self, step_key: &str) -> Vec<Resource> {
        let standing = |row: &&Resource| row.step_key == step_key && row.state != ResourceState::Gone;
        self.ledger.iter().filter(standing).cloned().collect()
    }

    fn wait(&self, work: &mut Work, until: DateTime<Utc>, remember: Value) {
        self.clock.wind(until - self.clock.now());
        work.now = self.clock.now();
        work.remembered = Some(remember);
    }

    fn commit(&mut self, record: Record) -> Value {
        for change in record.ledger {
            let (LedgerChange::Live { key, .. } | LedgerChange::Gone { key }) = &change;
            let row = self.ledger.iter_mut().find(|row| row.key == *key).unwrap();
            match change {
                LedgerChange::Live { native_id, attributes, .. } => {
                    (row.state, row.native_id, row.attributes) = (ResourceState::Live, Some(native_id), attributes);
                }
                LedgerChange::Gone { .. } => row.state = ResourceState::Gone,
            }
        }
        self.cis.extend(record.cis);
        record.output
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn intended(step_key: &str, intent: domain::resource::Intent) -> Resource {
    Resource {
        id: ResourceId::from(Uuid::nil()),
        deployment: DeploymentId::from(Uuid::nil()),
        run: RunId::from(Uuid::nil()),
        step_key: step_key.to_owned(),
        key: intent.key,
        kind: intent.kind,
        provider: intent.provider,
        name: intent.name,
        native_id: None,
        attributes: Value::Null,
        state: ResourceState::Intended,
        made_on: None,
        tied_to: Vec::new(),
        intended_at: DateTime::<Utc>::UNIX_EPOCH,
        live_at: None,
        gone_at: None,
    }
}

/// What a task leaves that somebody does at once.
fn done_by_somebody() -> Value {
    json!({ "answer": { "rack": "r1" }, "by": "Ada <ada@example.org>", "at": "1970-01-01T00:00:00Z" })
}
