//! One sample deployment as values: two machines with Tomcat behind a load balancer, ten CIs.

use chrono::{DateTime, TimeDelta, Utc};
use domain::blueprint::plan::{Bindings, PlannedStep, PlannedWork};
use domain::ci::{Cause, CiChange, CiClass, Relation, Source};
use domain::deployment::{Deployment, DeploymentState, Lease};
use domain::ids::{DeploymentId, PersonId, RequestId, RunId};
use domain::project::Project;
use domain::request::{Request, RequestKind, RequestState};
use domain::resource::{Resource, ResourceState};
use domain::run::{Run, RunKind, RunState};
use domain::site::SIMULATED;
use domain::step::{Step, StepState};
use domain::workflow::WorkflowStep;
use serde_json::{Map, Value, json};

const BLUEPRINT: &str = "scale-out-tomcat";
const VERSION: &str = "1.0.0";
const TITLE: &str = "Scale Out Tomcat";
const PLATFORM: &str = "ops-middleware";
const ENVIRONMENTS: [&str; 3] = ["test", "acceptance", "production"];
const TRADES: [&str; 8] = ["orders", "stock", "search", "basket", "invoice", "ledger", "mailing", "portal"];
/// Key, action and title of the steps, in order.
const STEPS: [(&str, &str, &str); 5] = [
    ("node[1]", "machine.create", "Create machine"),
    ("node[2]", "machine.create", "Create machine"),
    ("setup[1]", "puppet.apply", "Configure machine"),
    ("setup[2]", "puppet.apply", "Configure machine"),
    ("pool", "balancer.pool", "Make load balancer pool"),
];
/// How long each step took.
const STEP_SECONDS: i64 = 40;

/// Everything that one deployment's rows are made of.
pub(super) struct Story<'p> {
    number: u32,
    name: String,
    project: &'p Project,
    requester: PersonId,
    pub(super) request: RequestId,
    deployment: DeploymentId,
    run: RunId,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl<'p> Story<'p> {
    pub(super) fn new(
        number: u32,
        project: &'p Project,
        requester: PersonId,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Self {
        let trade = TRADES[number as usize % TRADES.len()];
        let environment = ENVIRONMENTS[number as usize % ENVIRONMENTS.len()];
        Self {
            number,
            name: format!("{trade}-{environment}-{number:05}"),
            project,
            requester,
            request: store::fresh_id(),
            deployment: store::fresh_id(),
            run: store::fresh_id(),
            at,
            now,
        }
    }

    pub(super) fn request(&self) -> Request {
        Request {
            id: self.request,
            number: 0,
            project: self.project.id,
            site: SIMULATED.into(),
            requester: self.requester,
            kind: RequestKind::Provision,
            title: TITLE.into(),
            blueprint: BLUEPRINT.into(),
            version: VERSION.into(),
            action: None,
            deployment: self.deployment,
            parameters: self.parameters(),
            plan: None,
            reason: "Sample data".into(),
            revision: 1,
            state: RequestState::Fulfilled,
            outcome: None,
            run: Some(self.run),
            submitted_at: self.at,
            decided_at: Some(self.at),
            ended_at: Some(self.built_at()),
        }
    }

    pub(super) fn deployment(&self) -> Deployment {
        // Leases end far from now: a duty that ends them has nothing to do with sample data.
        let until = self.now + TimeDelta::days(60 + i64::from(self.number % 200));
        Deployment {
            id: self.deployment,
            project: self.project.id,
            site: SIMULATED.into(),
            request: self.request,
            owner: self.requester,
            name: self.name.clone(),
            blueprint: BLUEPRINT.into(),
            version: VERSION.into(),
            title: TITLE.into(),
            params: self.parameters(),
            next_params: None,
            platform: PLATFORM.into(),
            application: self.project.team.clone(),
            state: DeploymentState::Live,
            lease: Lease { until, longest_until: until + TimeDelta::days(365), grace_days: 7, warned_at: None },
            created_at: self.at,
            built_at: Some(self.built_at()),
            ended_at: None,
        }
    }

    pub(super) fn run(&self) -> Run {
        let step = |(key, action, title): (&str, &str, &str)| WorkflowStep {
            planned: PlannedStep {
                key: key.into(),
                id: key.split('[').next().unwrap_or(key).into(),
                work: PlannedWork::Do(action.into()),
                title: title.into(),
                name: None,
                needs: needs(key),
                each: None,
                with: Value::Null,
                when: None,
                skip: None,
                retry: None,
            },
            action: action.into(),
            takes_back: None,
        };
        Run {
            id: self.run,
            deployment: self.deployment,
            project: self.project.id,
            site: SIMULATED.into(),
            request: Some(self.request),
            kind: RunKind::Provision,
            title: format!("{TITLE} for {}", self.name),
            blueprint: BLUEPRINT.into(),
            version: VERSION.into(),
            action: None,
            workflow: STEPS.map(step).into(),
            bindings: Bindings::default().into(),
            platform: PLATFORM.into(),
            application: self.project.team.clone(),
            state: RunState::Done,
            why: None,
            paused_at: None,
            cancel: None,
            token: 1,
            revision: 0,
            next_event: 1,
            worker: None,
            lease_until: None,
            wake_at: None,
            created_at: self.at,
            started_at: Some(self.at),
            ended_at: Some(self.built_at()),
        }
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        let mut began = self.at;
        let step = |(position, (key, ..)): (usize, &(&str, &str, &str))| {
            let started = began;
            began += TimeDelta::seconds(STEP_SECONDS);
            Step {
                state: StepState::Done,
                attempt: 1,
                started_at: Some(started),
                ended_at: Some(began),
                ..Step::new(self.run, position, (*key).to_owned())
            }
        };
        STEPS.iter().enumerate().map(step).collect()
    }

    pub(super) fn resources(&self) -> Vec<Resource> {
        let row = |(key, action, _): &(&str, &str, &str)| {
            let kind = match *action {
                "machine.create" => "machine",
                "puppet.apply" => "configuration",
                _ => "pool",
            };
            Resource {
                id: store::fresh_id(),
                deployment: self.deployment,
                run: self.run,
                step_key: (*key).to_owned(),
                key: self.key(key),
                kind: kind.into(),
                provider: "sample".into(),
                name: format!("{} {key}", self.name),
                native_id: Some(self.key(key)),
                attributes: json!({}),
                state: ResourceState::Live,
                made_on: None,
                tied_to: Vec::new(),
                intended_at: self.at,
                live_at: Some(self.built_at()),
                gone_at: None,
            }
        };
        STEPS.iter().map(row).collect()
    }

    /// What the CMDB was told, and why, in the order of time.
    pub(super) fn cmdb(&self) -> Vec<(Vec<CiChange>, Cause)> {
        let mut told = vec![(self.registered(), self.cause(self.built_at(), None))];
        let upgraded = self.built_at() + TimeDelta::days(30);
        if self.number.is_multiple_of(10) && upgraded < self.now {
            told.push((
                (1..=2).map(|node| self.tomcat(node, "10.1.36")).collect(),
                self.cause(upgraded, Some("setup")),
            ));
        }
        told
    }

    fn registered(&self) -> Vec<CiChange> {
        let (pool, service) = (self.key("pool/service"), self.key("pool/application"));
        let mut changes = vec![
            self.declare(&pool, CiClass::LoadBalancerService, &self.name, json!({ "port": 8080, "check": "GET /" })),
            self.declare(
                &service,
                CiClass::ApplicationService,
                &self.name,
                json!({ "environment": self.environment() }),
            ),
            relate(&service, Relation::DependsOn, &pool),
        ];
        for node in 1..=2 {
            changes.extend(self.node(node, &pool));
        }
        changes
    }

    /// The four CIs of one machine.
    fn node(&self, node: u32, pool: &str) -> Vec<CiChange> {
        let (machine, server) = (self.node_key(node, "machine"), self.node_key(node, "server"));
        let member = self.key(&format!("pool/member/{node}"));
        let name = format!("{}-{node}", self.name);
        let fqdn = format!("{name}.example.org");
        let serial = self.number * 2 + node;
        let address = format!("10.{}.{}.{}", 64 + serial / 65_536, serial / 256 % 256, serial % 256);
        let known = json!({ "fqdn": fqdn, "address": address, "cpu": 2, "memory_gb": 4, "disk_gb": 40 });
        vec![
            self.declare(&machine, CiClass::VirtualMachine, &name, known.clone()),
            self.declare(&server, CiClass::Server, &fqdn, known),
            self.tomcat(node, "10.1.34"),
            self.declare(&member, CiClass::PoolMember, &name, json!({ "address": address })),
            relate(&server, Relation::Instantiates, &machine),
            relate(&self.node_key(node, "software"), Relation::RunsOn, &server),
            relate(&member, Relation::MemberOf, pool),
            relate(&member, Relation::DependsOn, &server),
        ]
    }

    fn tomcat(&self, node: u32, version: &str) -> CiChange {
        let key = self.node_key(node, "software");
        let name = format!("Tomcat on {}-{node}.example.org", self.name);
        self.declare(
            &key,
            CiClass::ApplicationServer,
            &name,
            json!({ "role": "tomcat", "version": version, "port": 8080 }),
        )
    }

    fn declare(&self, key: &str, class: CiClass, name: &str, attributes: Value) -> CiChange {
        let attributes = match attributes {
            Value::Object(attributes) => attributes,
            _ => Map::new(),
        };
        CiChange::Declare { key: key.to_owned(), class, name: name.to_owned(), attributes }
    }

    fn cause(&self, at: DateTime<Utc>, step: Option<&str>) -> Cause {
        Cause {
            source: Source::Sample,
            project: self.project.id,
            deployment: Some(self.deployment),
            run: Some(self.run),
            step: step.map(str::to_owned),
            platform: Some(PLATFORM.into()),
            application: Some(self.project.team.clone()),
            at,
        }
    }

    fn parameters(&self) -> Map<String, Value> {
        Map::from_iter([
            ("application".to_owned(), Value::from(self.name.as_str())),
            ("environment".to_owned(), Value::from(self.environment())),
            ("nodes".to_owned(), Value::from(2)),
        ])
    }

    fn environment(&self) -> &'static str {
        ENVIRONMENTS[self.number as usize % ENVIRONMENTS.len()]
    }

    fn built_at(&self) -> DateTime<Utc> {
        self.at + TimeDelta::seconds(STEP_SECONDS * 5)
    }

    /// The key of a step's object, or of a part of it.
    fn key(&self, part: &str) -> String {
        format!("sample/{}/{part}", self.deployment)
    }

    fn node_key(&self, node: u32, part: &str) -> String {
        let step = if part == "software" { "setup" } else { "node" };
        self.key(&format!("{step}[{node}]/{part}"))
    }
}

fn needs(key: &str) -> Vec<String> {
    match key {
        "setup[1]" => vec!["node[1]".into()],
        "setup[2]" => vec!["node[2]".into()],
        "pool" => vec!["setup[1]".into(), "setup[2]".into()],
        _ => Vec::new(),
    }
}

fn relate(from: &str, relation: Relation, to: &str) -> CiChange {
    CiChange::Relate { from: from.to_owned(), relation, to: to.to_owned() }
}
