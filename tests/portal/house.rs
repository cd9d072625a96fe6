//! A house of its own for each story, swept when the story ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::App;
use app::approval::{Decider, decide, inbox};
use app::deployment::Details;
use app::request::{Order, What, submit};
use domain::approval::{Answer, Client, Via};
use domain::ci::{Cause, Source};
use domain::deployment::DeploymentState;
use domain::ids::DeploymentId;
use domain::person::Principal;
use domain::ports::clock::Clock;
use domain::ports::datacenter::Pace;
use domain::request::Request;
use domain::resource::ResourceState;
use domain::run::{EventKind, RunEvent, RunState};
use engine::Worker;
use gatehouse::boot;
use gatehouse::settings::{Secret, Settings};
use providers::clock::SystemClock;
use serde_json::{Map, Value};
use test_database::TestDatabase;

/// How long a story waits for something before it is told as failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct House {
    pub app: App,
    worker: Option<Worker>,
    /// The tokens of the people who are signed in, by their address.
    sessions: Mutex<BTreeMap<&'static str, String>>,
    pub settings: Settings,
    folder: PathBuf,
    pub database: TestDatabase,
}

/// What is logged as an error stands with the story that failed: an answer to the outside names no cause.
fn tell_errors() {
    let errors = tracing_subscriber::fmt().with_max_level(tracing::Level::ERROR).with_ansi(false).with_test_writer();
    // Another story of this process may have done so already.
    let _ = errors.try_init();
}

impl House {
    /// The demo's house with its people, a worker, and a datacenter where everything is done at once.
    pub async fn new() -> Self {
        let mut house = Self::asleep(Arc::new(SystemClock)).await;
        house.worker = Some(Worker::start(&house.app.engine));
        house
    }

    /// The same house with nobody at work and a clock of the story's own.
    pub async fn asleep(clock: Arc<dyn Clock>) -> Self {
        Self::set(clock, |_| {}).await
    }

    /// The same with settings of the story's own.
    pub async fn set(clock: Arc<dyn Clock>, set: impl FnOnce(&mut Settings)) -> Self {
        Self::on(TestDatabase::create().await, clock, set).await
    }

    /// The same on this database.
    pub async fn on(database: TestDatabase, clock: Arc<dyn Clock>, set: impl FnOnce(&mut Settings)) -> Self {
        tell_errors();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("gatehouse-portal-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        let mut settings = Settings::default();
        set(&mut settings);
        settings.database.url = Secret::from(database.address());
        settings.datacenter.file = folder.join("datacenter.json");
        settings.catalog.folder = Some(blueprints_in(&folder));
        settings.secrets.key_file = Some(sealing_key_in(&folder));
        let house = boot::House::open(&settings, clock, "http://localhost".to_owned(), true).await.unwrap();
        house.publish().await.unwrap();
        let app = house.app;
        app::demo::people(&app).await.unwrap();
        let at_once = Pace { answers: 0.0, work: 0.0, operations: Vec::new() };
        app.datacenter.as_ref().unwrap().set_pace(at_once).await.unwrap();
        Self { app, worker: None, sessions: Mutex::default(), settings, folder, database }
    }

    /// The same house as another process sees it, by a clock of its own.
    pub async fn seen_by(&self, clock: Arc<dyn Clock>) -> App {
        boot::House::open(&self.settings, clock, "http://localhost".to_owned(), true).await.unwrap().app
    }

    /// The same house as a process with other settings sees it.
    pub async fn seen_with(&self, settings: &Settings) -> App {
        boot::House::open(settings, self.app.clock.clone(), "http://localhost".to_owned(), true).await.unwrap().app
    }

    /// A worker of this house as a process of its own, for the story to start.
    pub fn worker_process(&self) -> Command {
        self.process(&["worker"])
    }

    /// Gatehouse with these arguments, as a process of its own in this house.
    pub fn process(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command
            .args(arguments)
            .env("GATEHOUSE_DATABASE__URL", self.settings.database.url.expose())
            .env("GATEHOUSE_DATACENTER__FILE", &self.settings.datacenter.file)
            .env("GATEHOUSE_CATALOG__FOLDER", self.folder.join("workflows"))
            .env("GATEHOUSE_SECRETS__KEY_FILE", self.folder.join("secrets.key"))
            .env("GATEHOUSE_LOGGING__FILTER", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// A blueprint's file in this house's own catalog.
    pub fn blueprint_file(&self, name: &str) -> PathBuf {
        self.folder.join("workflows").join(name)
    }

    /// Changes a blueprint's file and has it read.
    pub async fn offer(&self, name: &str, text: &str) {
        std::fs::write(self.blueprint_file(name), text).unwrap();
        let published = app::catalog::publish(&self.app, None).await.unwrap();
        assert!(published.refused.is_empty(), "{:?}", published.refused);
    }

    /// Somebody of the demo, signed in.
    pub async fn person(&self, first_name: &str) -> Principal {
        let person = app::demo::PEOPLE.iter().find(|person| person.name.starts_with(first_name)).unwrap();
        let known = self.sessions.lock().unwrap().get(person.email).cloned();
        // A password takes its time to be checked, on purpose.
        let token = match known {
            Some(token) => token,
            None => app::session::sign_in(&self.app, person.email, person.password, "test").await.unwrap(),
        };
        let session = app::session::resume(&self.app, &token).await.unwrap().unwrap();
        self.sessions.lock().unwrap().insert(person.email, token);
        session.principal
    }

    /// Orders a blueprint in the requester's project `shop`.
    pub async fn order(&self, who: &Principal, blueprint: &str, parameters: Value) -> Request {
        let projects = app::catalog::projects(&self.app, who).await.unwrap();
        let project = projects.iter().find(|project| project.name == "shop").unwrap().id;
        let parameters = members(parameters);
        let what = What::Provision {
            project,
            site: None,
            blueprint: blueprint.to_owned(),
            version: None,
            parameters,
            lease: None,
        };
        self.ask(who, what).await
    }

    /// Files a request that nothing is wrong with.
    pub async fn ask(&self, who: &Principal, what: What) -> Request {
        let order = Order { what, reason: "a story".to_owned(), via: "portal", key: app::secret::fresh() };
        submit(&self.app, who, order).await.unwrap()
    }

    /// Says yes to every open question of this approver.
    pub async fn approve(&self, first_name: &str) {
        assert_ne!(self.say_yes(first_name).await, 0, "{first_name} was asked nothing");
    }

    /// Whoever is asked anything says yes.
    pub async fn approve_all(&self) {
        for first_name in ["Adam", "Clara"] {
            self.say_yes(first_name).await;
        }
    }

    /// Says yes to every open question of this approver; how many there were.
    async fn say_yes(&self, first_name: &str) -> usize {
        let who = self.person(first_name).await;
        let open = inbox(&self.app, &who).await.unwrap().open;
        for (approval, _) in &open {
            let decider = Decider::Person { who: &who, approval: approval.id, via: Via::SignedIn, once: None };
            let client = Client { address: "test".to_owned(), agent: "test".to_owned() };
            decide(&self.app, decider, Answer::Approve, "", client).await.unwrap();
        }
        open.len()
    }

    /// The deployment as soon as it stands like this.
    pub async fn when(&self, who: &Principal, id: DeploymentId, state: DeploymentState) -> Details {
        self.until(who, id, |it| it.deployment.state == state).await
    }

    /// The deployment as soon as its newest run is paused.
    pub async fn when_paused(&self, who: &Principal, id: DeploymentId) -> Details {
        self.until(who, id, |it| it.runs.first().is_some_and(|run| run.state == RunState::Paused)).await
    }

    /// The deployment as soon as it is live with so many machines.
    pub async fn until_machines(&self, who: &Principal, id: DeploymentId, machines: usize) -> Details {
        let live = |it: &Details| {
            it.resources.iter().filter(|row| row.kind == "machine" && row.state == ResourceState::Live).count()
        };
        self.until(who, id, |it| it.deployment.state == DeploymentState::Live && live(it) == machines).await
    }

    /// What happened to a run, as soon as it happens from now on.
    pub async fn when_heard(&self, wanted: impl Fn(&RunEvent) -> bool) -> RunEvent {
        let mut events = self.app.engine.subscribe();
        let heard = async {
            loop {
                match events.recv().await {
                    Ok(event) if wanted(&event) => return event,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("it never happened")
    }

    /// The deployment as soon as this is so of it.
    pub async fn until(&self, who: &Principal, id: DeploymentId, done: impl Fn(&Details) -> bool) -> Details {
        let mut events = self.app.engine.subscribe();
        let waiting = async {
            loop {
                let it = app::deployment::show(&self.app, who, id).await.unwrap();
                if done(&it) {
                    return it;
                }
                // A run may come to something at each of its events, and at its own most likely; an event may be told
                // just before what it tells is written: look again after a moment at the latest.
                let of_a_run = async { while events.recv().await.is_ok_and(|event| event.kind != EventKind::Run) {} };
                let _ = tokio::time::timeout(Duration::from_millis(100), of_a_run).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it never came to that")
    }

    /// Why a step of the request's run would tell the CMDB something; nobody answers for the application.
    pub fn cause(&self, request: &Request) -> Cause {
        Cause {
            source: Source::Workflow,
            project: request.project,
            deployment: Some(request.deployment),
            run: None,
            step: None,
            platform: Some("ops-platform".into()),
            application: None,
            at: self.app.clock.now(),
        }
    }

    /// From now on nobody is at work.
    pub async fn stop_working(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
    }

    /// Somebody is at work again.
    pub fn work_again(&mut self) {
        self.worker = Some(Worker::start(&self.app.engine));
    }

    /// What ails the house, by the words that programs use.
    pub async fn ailments(&self) -> Vec<&'static str> {
        let found = app::ailment::examine(&self.app).await.unwrap();
        found.iter().map(|found| found.ailment.word()).collect()
    }

    /// Ends the story: the worker hands back what it holds.
    pub async fn close(mut self) {
        self.stop_working().await;
    }
}

impl Drop for House {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// A key of the house's own.
fn sealing_key_in(folder: &Path) -> PathBuf {
    let file = folder.join("secrets.key");
    std::fs::write(&file, app::secret::SealingKey::fresh()).unwrap();
    file
}

/// A copy of the blueprints that ship, for a story to change.
fn blueprints_in(folder: &Path) -> PathBuf {
    let workflows = folder.join("workflows");
    std::fs::create_dir_all(&workflows).unwrap();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), workflows.join(entry.file_name())).unwrap();
    }
    workflows
}

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
