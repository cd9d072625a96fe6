//! The door for configuration servers: real reports of a Puppet agent arrive, and what they say becomes known.

use std::sync::Arc;

use actix_web::App as Application;
use actix_web::http::{Method, StatusCode, header};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use app::node::{BuiltIn, NodeServer};
use domain::deployment::DeploymentState;
use domain::finding::FindingKind;
use domain::node::NodeOrder;
use domain::ports::clock::Clock;
use domain::ports::nodes::NodeRegister;
use providers::clock::{ManualClock, SystemClock};
use providers::puppet::PuppetWords;
use serde_json::{Map, json};
use web::limits::Limits;
use web::metrics::Metrics;

use crate::house::House;

const TOKEN: &str = "token-of-the-lab";
/// `puppet:` with that token, and with one that nobody has, as Basic has it (RFC 7617).
const CREDENTIALS: &str = "cHVwcGV0OnRva2VuLW9mLXRoZS1sYWI=";
const OTHER_CREDENTIALS: &str = "cHVwcGV0OnRva2VuLW9mLW5vYm9keQ==";
const CHANGED: &str = include_str!("../../src/providers/puppet/tests/reports/changed.yaml");
const UNCHANGED: &str = include_str!("../../src/providers/puppet/tests/reports/unchanged.yaml");
const CORRECTED: &str = include_str!("../../src/providers/puppet/tests/reports/corrected.yaml");
const FAILED: &str = include_str!("../../src/providers/puppet/tests/reports/failed.yaml");

/// A house at whose door the servers of two sites are known.
struct Site {
    house: House,
    metrics: Metrics,
}

impl Site {
    fn of(mut house: House) -> Self {
        let server = |site, token| NodeServer::new(site, token, Arc::new(PuppetWords), &[]).expect("a long token");
        house.app.node_servers = [server("lab", TOKEN), server("elsewhere", "token-of-elsewhere")].into();
        Self { house, metrics: Metrics::default() }
    }

    async fn send(&self, request: TestRequest) -> (StatusCode, String) {
        let limits = Limits { time: std::time::Duration::from_secs(30) };
        let portal = Application::new().configure(web::configure(self.house.app.clone(), self.metrics.clone(), limits));
        let response = call_service(&init_service(portal).await, request.to_request()).await;
        let status = response.status();
        (status, String::from_utf8(read_body(response).await.to_vec()).unwrap())
    }

    async fn ask(&self, token: &str, certname: &str) -> (StatusCode, String) {
        let request = TestRequest::with_uri(&format!("/puppet/nodes/{certname}"));
        self.send(request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")))).await
    }

    async fn tell(&self, report: &str) -> StatusCode {
        self.send(posted(CREDENTIALS, report.to_owned())).await.0
    }

    fn register(&self) -> BuiltIn {
        BuiltIn { store: self.house.app.store.clone(), clock: self.house.app.clock.clone() }
    }

    async fn order(&self, key: &str) {
        let facts = json!({ "tomcat_version": "10.1", "motto": "no: [list] # {{ nor }} 'text'\n" });
        let order = NodeOrder {
            certname: "web-1.lab.test".into(),
            key: key.into(),
            site: "lab".into(),
            role: "tomcat".into(),
            environment: "production".into(),
            facts: facts.as_object().cloned().unwrap_or_else(Map::new),
        };
        self.register().order(&order).await.unwrap();
    }

    async fn is_settled(&self, key: &str) -> bool {
        self.register().find(key).await.unwrap().unwrap().settled_at.is_some()
    }
}

/// As Puppet Server's report processor `http` sends one, with the token in the address.
fn posted(credentials: &str, report: String) -> TestRequest {
    TestRequest::with_uri("/puppet/reports")
        .method(Method::POST)
        .insert_header((header::AUTHORIZATION, format!("Basic {credentials}")))
        .insert_header((header::CONTENT_TYPE, "application/x-yaml; charset=UTF-8"))
        .set_payload(report)
}

#[actix_web::test]
async fn a_server_is_told_of_the_nodes_of_its_own_site_alone() {
    let site = Site::of(House::asleep(Arc::new(SystemClock)).await);
    site.order("run/setup[1]").await;
    let (status, document) = site.ask(TOKEN, "web-1.lab.test").await;
    assert_eq!(status, StatusCode::OK);
    let told: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(told["environment"], "production");
    assert_eq!(told["classes"]["tomcat"]["tomcat_version"], "10.1");
    assert_eq!(told["classes"]["tomcat"]["motto"], "no: [list] # {{ nor }} 'text'\n");
    for (token, certname, refusal) in [
        (TOKEN, "web-2.lab.test", StatusCode::NOT_FOUND),
        ("token-of-elsewhere", "web-1.lab.test", StatusCode::NOT_FOUND),
        ("token-of-nobody", "web-1.lab.test", StatusCode::UNAUTHORIZED),
        ("", "web-1.lab.test", StatusCode::UNAUTHORIZED),
    ] {
        let (status, why) = site.ask(token, certname).await;
        assert_eq!(status, refusal, "{token} asks about {certname}");
        assert!(!why.contains("10.1"), "{why}");
    }
}

#[test]
fn a_token_that_could_be_guessed_opens_no_door() {
    for token in ["", "puppet", "fifteen-letters"] {
        assert!(NodeServer::new("lab", token, Arc::new(PuppetWords), &[]).is_err(), "{token}");
    }
}

#[actix_web::test]
async fn a_report_counts_when_the_server_asked_after_the_order_and_is_kept_once() {
    let site = Site::of(House::asleep(Arc::new(SystemClock)).await);
    site.order("run/setup[1]").await;
    assert_eq!(site.tell(UNCHANGED).await, StatusCode::CREATED);
    assert!(!site.is_settled("run/setup[1]").await, "that run knew nothing of the order");
    site.ask(TOKEN, "web-1.lab.test").await;
    assert_eq!(site.tell(CHANGED).await, StatusCode::CREATED);
    assert!(site.is_settled("run/setup[1]").await);
    assert_eq!(site.tell(CHANGED).await, StatusCode::OK, "it came twice");
    let latest = site.register().latest_report("web-1.lab.test").await.unwrap().unwrap().report;
    assert_eq!((latest.resources, latest.changed, latest.failed), (9, 2, 0));
}

#[actix_web::test]
async fn what_is_no_report_or_of_nobody_is_refused_in_words_and_counted() {
    let site = Site::of(House::asleep(Arc::new(SystemClock)).await);
    let (status, why) = site.send(posted(CREDENTIALS, CHANGED.to_owned())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(why.contains("has ordered no node"), "{why}");
    assert_eq!(site.send(posted(OTHER_CREDENTIALS, CHANGED.to_owned())).await.0, StatusCode::UNAUTHORIZED);
    let bomb = format!("a: &a [x]\nb: &b [{}]\nhost: [{}]\n", "*a,".repeat(999), "*b,".repeat(999));
    for nonsense in ["", "--- !ruby/object:Kernel\nsystem: 'rm'\n", "host: x", "\u{0}", bomb.as_str()] {
        assert_eq!(site.tell(nonsense).await, StatusCode::BAD_REQUEST, "{nonsense:.40}");
    }
    let json = posted(CREDENTIALS, CHANGED.to_owned()).insert_header((header::CONTENT_TYPE, "application/json"));
    assert_eq!(site.send(json).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = "x".repeat(17 * 1024 * 1024);
    assert_eq!(site.tell(&large).await, StatusCode::PAYLOAD_TOO_LARGE);
    let (_, counted) = site.send(TestRequest::with_uri("/metrics")).await;
    for line in ["outcome=\"unknown_node\"} 1", "outcome=\"without_token\"} 1", "outcome=\"unreadable\"} 6"] {
        assert!(counted.contains(line), "{line} is not in\n{counted}");
    }
}

#[actix_web::test]
async fn what_a_later_run_finds_changed_or_fails_at_is_a_finding_until_all_is_well() {
    let mut house = House::new().await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "drifter" })).await;
    house.approve_all().await;
    let details = house.when(&rita, request.deployment, DeploymentState::Live).await;
    let key = details.resources.iter().find(|row| row.kind == "configuration").unwrap().key.clone();
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    house.app.clock = clock.clone();
    let site = Site::of(house);
    let drifted = async || {
        let report = app::audit_report::of_everything(&site.house.app, None).await.unwrap();
        let drifted = report.listed.iter().flat_map(|row| row.findings.iter().map(|it| (row.ci.name.clone(), it)));
        let drifted = drifted.filter(|(_, it)| it.kind == FindingKind::Drifted);
        drifted.map(|(name, it)| format!("{name}: {}", it.detail)).collect::<Vec<_>>()
    };
    site.order(&key).await;
    site.ask(TOKEN, "web-1.lab.test").await;
    site.tell(CHANGED).await;
    assert_eq!(drifted().await, Vec::<String>::new());

    site.tell(CORRECTED).await;
    let told = drifted().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("1 of them back from what somebody had made of them"), "{told:?}");
    site.tell(FAILED).await;
    let told = drifted().await;
    assert!(told[0].contains("Exec[boom]: change from 'notrun' to ['0'] failed"), "{told:?}");
    site.tell(UNCHANGED).await;
    assert!(drifted().await[0].contains("back from what somebody"), "a change is told for a day");
    clock.wind(chrono::TimeDelta::hours(25));
    assert_eq!(drifted().await, Vec::<String>::new());
    site.house.close().await;
}

#[actix_web::test]
async fn a_machine_is_given_the_secrets_of_its_own_deployment_and_no_other() {
    let site = Site::of(House::new().await);
    let rita = site.house.person("Rita").await;
    let database = site.house.order(&rita, "sql-database-vm", json!({ "application": "orders" })).await.deployment;
    let database = site.house.when(&rita, database, DeploymentState::Live).await;
    let machine = site.house.order(&rita, "linux-vm", json!({ "application": "tools" })).await.deployment;
    let machine = site.house.when(&rita, machine, DeploymentState::Live).await;
    let reference = format!("secret:{}", database.secrets[0].handover.id);
    for (certname, of, status) in
        [("db-1.lab.test", &database, StatusCode::OK), ("tools-1.lab.test", &machine, StatusCode::CONFLICT)]
    {
        let setup = of.resources.iter().find(|row| row.kind == "configuration").unwrap();
        let order = NodeOrder {
            certname: certname.into(),
            key: setup.key.clone(),
            site: "lab".into(),
            role: "postgresql".into(),
            environment: "production".into(),
            facts: json!({ "database": "app", "password": reference }).as_object().cloned().unwrap(),
        };
        site.register().order(&order).await.unwrap();
        let (answered, document) = site.ask(TOKEN, certname).await;
        assert_eq!(answered, status, "{certname}: {document}");
        let told: serde_json::Value = serde_json::from_str(&document).unwrap_or_default();
        let password = told["parameters"]["gatehouse_secrets"]["password"].as_str();
        assert_eq!(password.map(str::len), (status == StatusCode::OK).then_some(24), "{certname}");
        if status == StatusCode::OK {
            let open = json!({ "postgresql": { "database": "app" } });
            assert_eq!(told["classes"], open, "PuppetDB keeps what is given to a class");
        }
        let kept = site.register().find(&setup.key).await.unwrap().unwrap().order.facts;
        assert_eq!(kept["password"], reference, "what is kept stands for it");
    }
    site.house.close().await;
}
