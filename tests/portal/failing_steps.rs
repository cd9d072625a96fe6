//! Each step of each blueprint that ships, and of what can be done with it later, fails for good in turn, before it did
//! its work and after. What the run made is taken back, and the datacenter has what it had: all of it, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use app::consequences::House as Consequences;
use app::idempotency::Sent;
use app::request::What;
use app::run::{Mend, mend};
use async_trait::async_trait;
use domain::action::Signature;
use domain::deployment::DeploymentState;
use domain::first_boot::FirstBoot;
use domain::ids::DeploymentId;
use domain::person::Principal;
use domain::ports::datacenter::HeldObject;
use domain::ports::machines::{MachineOrder, Machines};
use domain::ports::names::Names;
use domain::request::RequestState;
use domain::resource::{Intent, Tie};
use domain::run::{Run, RunState};
use domain::workflow::WorkflowStep;
use engine::{Action, ActionError, Engine, Outcome, Work};
use gatehouse::systems;
use providers::clock::SystemClock;
use providers::simulated::Datacenter;
use serde_json::{Value, json};

use crate::house::House;

/// When a step fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    BeforeItsWork,
    AfterItsWork,
}

/// The step that fails the next time it is called.
type Next = Mutex<Option<(String, When)>>;

/// A real action, which fails when it is told to.
struct Failing {
    action: Arc<dyn Action>,
    next: Arc<Next>,
}

impl Failing {
    async fn call(&self, work: &Work, call: impl Future<Output = Result<Outcome, ActionError>>) -> Said {
        let is_meant = |next: &mut (String, When)| next.0 == work.step_key;
        let fails = self.next.lock().unwrap().take_if(is_meant).map(|(_, when)| when);
        if fails == Some(When::BeforeItsWork) {
            return Err(refusal());
        }
        let outcome = call.await;
        if fails == Some(When::AfterItsWork) { Err(refusal()) } else { outcome }
    }
}

type Said = Result<Outcome, ActionError>;

fn refusal() -> ActionError {
    ActionError::permanent("The story wants it to fail.", "Take back what was built.")
}

#[async_trait]
impl Action for Failing {
    fn signature(&self) -> Signature {
        self.action.signature()
    }

    fn intend(&self, work: &Work) -> Result<Vec<Intent>, ActionError> {
        self.action.intend(work)
    }

    fn ties(&self, work: &Work) -> Result<Vec<Tie>, ActionError> {
        self.action.ties(work)
    }

    async fn run(&self, work: &Work) -> Said {
        self.call(work, self.action.run(work)).await
    }

    async fn undo(&self, work: &Work) -> Said {
        self.call(work, self.action.undo(work)).await
    }
}

/// A house in which any step can be made to fail, beside things that are nobody's in this story.
struct Scene {
    house: House,
    next: Arc<Next>,
    rita: Principal,
    otto: Principal,
}

impl Scene {
    async fn set() -> Self {
        let mut house = House::asleep(Arc::new(SystemClock)).await;
        let datacenter = Datacenter::open(&house.settings.datacenter.file, Arc::new(SystemClock)).unwrap();
        Names::reserve(&datacenter, "reserved by hand", "by-hand").await.unwrap();
        let by_hand = MachineOrder {
            name: "by-hand".into(),
            fqdn: "by-hand.dc1.example.org".into(),
            address: [10, 20, 0, 1].into(),
            image: "debian-12".into(),
            cpu: 1,
            memory_gb: 1,
            disk_gb: 10,
            first_boot: FirstBoot { fqdn: "by-hand.dc1.example.org".into(), agent: None },
        };
        Machines::create(&datacenter, "made by hand", &by_hand).await.unwrap();
        let next = Arc::<Next>::default();
        let failing = |action| Arc::new(Failing { action, next: Arc::clone(&next) }) as Arc<dyn Action>;
        let systems = systems::open(&house.settings, &house.app.store, &house.app.clock, &house.app.sealing).unwrap();
        let at = |(site, actions): (String, Vec<_>)| (site, actions.into_iter().map(failing).collect());
        let actions = systems.actions().into_iter().map(at).collect();
        let consequences = Arc::new(Consequences { base_url: house.app.base_url.clone(), mailer: None });
        let (store, clock) = (house.app.store.clone(), house.app.clock.clone());
        house.app.engine = Engine::new(store, clock, actions, consequences, engine::Settings::default()).await.unwrap();
        house.work_again();
        let (rita, otto) = (house.person("Rita").await, house.person("Otto").await);
        Self { house, next, rita, otto }
    }

    /// A new deployment of a blueprint, as soon as it stands.
    async fn live(&self, blueprint: &str, parameters: Value) -> DeploymentId {
        let id = self.house.order(&self.rita, blueprint, parameters).await.deployment;
        self.house.approve_all().await;
        self.house.when(&self.rita, id, DeploymentState::Live).await.deployment.id
    }

    /// Lets the deployment's run come to the step that fails, and an operator take it back.
    async fn fails_and_is_taken_back(&self, id: DeploymentId, told: &str) -> Run {
        self.house.approve_all().await;
        let paused = self.house.when_paused(&self.rita, id).await;
        assert_eq!(*self.next.lock().unwrap(), None, "{told}: another step failed: {:?}", paused.runs[0].why);
        let run = paused.runs[0].id;
        let reason = "It failed for good.";
        mend(&self.house.app, &self.otto, run, Mend::Compensate, reason, &Sent::PORTAL).await.unwrap();
        self.house.until(&self.rita, id, |it| it.runs[0].state == RunState::Compensated).await;
        store::run::find(&self.house.app.store, run).await.unwrap().unwrap()
    }

    async fn retire(&self, deployment: DeploymentId) {
        self.house.ask(&self.rita, What::Retire { deployment }).await;
        self.house.when(&self.rita, deployment, DeploymentState::Retired).await;
    }

    /// All that the datacenter has, whoever made it.
    async fn objects(&self) -> BTreeSet<HeldObject> {
        let overview = self.house.app.datacenter.as_ref().unwrap().overview().await.unwrap();
        overview.objects.into_iter().collect()
    }

    /// The steps of a deployment's newest run: how they are called, and what an action knows them by.
    async fn steps(&self, id: DeploymentId) -> Vec<(String, String)> {
        let newest = store::run::whole_of_deployment(&self.house.app.store, id).await.unwrap().pop().unwrap();
        let keys = |step: &WorkflowStep| (step.planned.key.clone(), step.object_key().to_owned());
        newest.workflow.iter().map(keys).collect()
    }

    fn let_fail(&self, step: &str, when: When) {
        *self.next.lock().unwrap() = Some((step.to_owned(), when));
    }

    /// What the project of these stories takes of its quota.
    async fn taken(&self, id: DeploymentId) -> BTreeMap<String, i64> {
        let deployment = app::deployment::show(&self.house.app, &self.rita, id).await.unwrap().deployment;
        store::allocation::usage(&self.house.app.store, deployment.project).await.unwrap()
    }

    async fn assert_that_its_request_failed(&self, run: &Run, told: &str) {
        let request = store::request::find(&self.house.app.store, run.request.unwrap()).await.unwrap().unwrap();
        assert_eq!(request.state, RequestState::Failed, "{told}");
    }
}

/// Orders the blueprint once undisturbed, and then with each of its steps failing.
async fn leaves_nothing_whichever_step_fails(blueprint: &str, named_by: &str) {
    let scene = Scene::set().await;
    let neighbour = scene.live(blueprint, json!({ named_by: "neighbour" })).await;
    let before = (scene.objects().await, scene.taken(neighbour).await);
    for (step, known_as) in scene.steps(neighbour).await {
        for when in [When::BeforeItsWork, When::AfterItsWork] {
            let told = format!("{blueprint}: {step} failed {when:?}");
            scene.let_fail(&known_as, when);
            let id = scene.house.order(&scene.rita, blueprint, json!({ named_by: "shop" })).await.deployment;
            let run = scene.fails_and_is_taken_back(id, &told).await;
            assert_eq!((scene.objects().await, scene.taken(id).await), before, "{told}");
            assert!(store::resource::standing(&scene.house.app.store, id).await.unwrap().is_empty(), "{told}");
            let failed = app::deployment::show(&scene.house.app, &scene.rita, id).await.unwrap();
            assert_eq!(failed.deployment.state, DeploymentState::Failed, "{told}");
            scene.assert_that_its_request_failed(&run, &told).await;
        }
    }
    assert_eq!(scene.house.ailments().await, [""; 0], "after all of it");
    scene.house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_of_a_linux_vm_fails_nothing_is_left() {
    leaves_nothing_whichever_step_fails("linux-vm", "application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_of_a_sql_database_vm_fails_nothing_is_left() {
    leaves_nothing_whichever_step_fails("sql-database-vm", "application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_of_a_scale_out_tomcat_fails_nothing_is_left() {
    leaves_nothing_whichever_step_fails("scale-out-tomcat", "application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_of_a_docker_machine_fails_nothing_is_left() {
    leaves_nothing_whichever_step_fails("docker-machine", "application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_of_a_container_space_fails_nothing_is_left() {
    leaves_nothing_whichever_step_fails("container-space", "name").await;
}

/// A change that people ask for, of a deployment that was ordered like this.
struct Change {
    blueprint: &'static str,
    ordered: Value,
    action: &'static str,
    parameters: Value,
}

impl Change {
    async fn live(&self, scene: &Scene, name: &str) -> DeploymentId {
        let mut ordered = self.ordered.clone();
        let named_by = if self.blueprint == "container-space" { "name" } else { "application" };
        ordered[named_by] = name.into();
        scene.live(self.blueprint, ordered).await
    }

    fn of(&self, deployment: DeploymentId) -> What {
        let parameters = self.parameters.as_object().cloned().unwrap();
        What::Action { deployment, action: self.action.to_owned(), parameters, seen: None }
    }

    /// Its steps, as [`Scene::steps`] tells them.
    async fn steps(&self, scene: &Scene) -> Vec<(String, String)> {
        let id = self.live(scene, "undisturbed").await;
        scene.house.ask(&scene.rita, self.of(id)).await;
        scene.house.approve_all().await;
        scene.house.until(&scene.rita, id, |it| it.runs[0].state == RunState::Done && it.runs.len() == 2).await;
        scene.steps(id).await
    }

    /// Asks for it with each of its steps failing: what there was before stays, but for what it was to take back.
    async fn leaves_what_was_there_whichever_step_fails(&self) {
        let scene = Scene::set().await;
        let steps = self.steps(&scene).await;
        let without = scene.objects().await;
        let mut stands = None;
        for (step, known_as) in steps {
            for when in [When::BeforeItsWork, When::AfterItsWork] {
                let told = format!("{} of {}: {step} failed {when:?}", self.action, self.blueprint);
                let id = match stands.take() {
                    Some(id) => id,
                    None => self.live(&scene, "shop").await,
                };
                scene.let_fail(&known_as, when);
                let taken_back = self.fails(&scene, id, &told).await;
                if taken_back.is_empty() {
                    stands = Some(id);
                } else {
                    scene.retire(id).await;
                    assert_eq!(scene.objects().await, without, "{told}, and it was retired");
                }
            }
        }
        if let Some(id) = stands {
            scene.retire(id).await;
        }
        assert_eq!(scene.objects().await, without, "after all of it");
        assert_eq!(scene.house.ailments().await, [""; 0], "after all of it");
        scene.house.close().await;
    }

    /// Asks for it once, with a step that fails. Gives the steps that it was to take back.
    async fn fails(&self, scene: &Scene, id: DeploymentId, told: &str) -> Vec<String> {
        let before = scene.objects().await;
        scene.house.ask(&scene.rita, self.of(id)).await;
        let run = scene.fails_and_is_taken_back(id, told).await;
        scene.assert_that_its_request_failed(&run, told).await;
        let stands = app::deployment::show(&scene.house.app, &scene.rita, id).await.unwrap().deployment;
        assert_eq!(stands.state, DeploymentState::Live, "{told}");

        let after = scene.objects().await;
        let made: Vec<_> = after.difference(&before).collect();
        assert!(made.is_empty(), "{told}: it left {made:?}");
        let key = |step: &WorkflowStep| step.takes_back.as_ref().map(|before| before.key.clone());
        let meant: Vec<String> = run.workflow.iter().filter_map(key).collect();
        for gone in before.difference(&after) {
            assert!(meant.iter().any(|key| gone.key == format!("{id}/{key}")), "{told}: {gone:?} is gone");
        }
        meant
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_of_adding_a_machine_fails_what_was_there_stays() {
    let (blueprint, action) = ("scale-out-tomcat", "scale");
    let grows = Change { blueprint, ordered: json!({ "nodes": 2 }), action, parameters: json!({ "nodes": 3 }) };
    grows.leaves_what_was_there_whichever_step_fails().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_of_removing_a_machine_fails_what_was_there_stays() {
    let (blueprint, action) = ("scale-out-tomcat", "scale");
    let shrinks = Change { blueprint, ordered: json!({ "nodes": 3 }), action, parameters: json!({ "nodes": 2 }) };
    shrinks.leaves_what_was_there_whichever_step_fails().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_step_of_changing_a_quota_fails_what_was_there_stays() {
    let (blueprint, action) = ("container-space", "resize");
    let grows = Change { blueprint, ordered: json!({}), action, parameters: json!({ "cpu": 5 }) };
    grows.leaves_what_was_there_whichever_step_fails().await;
}
