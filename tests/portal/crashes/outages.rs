//! A database that goes away in the middle, and comes back: the portal and the worker live on, say so in the meantime,
//! and all runs end as they would have. Told where PostgreSQL is installed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::request::What;
use domain::deployment::DeploymentState;
use domain::ports::datacenter::Pace;
use providers::clock::SystemClock;
use serde_json::json;
use store::Store;
use test_database::TestDatabase;

use super::postgres::Server;
use super::{
    assert_that_all_is_there_once, assert_that_nobody_was_told_twice, assert_that_nothing_is_left, at_work, when_there,
};
use crate::api::{ALL, token};
use crate::house::{House, PATIENCE};
use crate::process::Process;

const RUNS: u32 = 6;
/// How long whoever asks whether the portal is ready may wait for its answer.
const PROMPT: Duration = Duration::from_secs(5);

/// The portal as a process, and the address where it is open.
struct Portal {
    process: Process,
    address: String,
    /// Rita's, for programs.
    token: String,
}

impl Portal {
    async fn open(house: &House) -> Self {
        let token = token(house, "rita@example.org", ALL).await;
        let mut command = house.process(&["serve", "--no-worker", "--port", "0"]);
        command.stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let lines = BufReader::new(process.takes_out()).lines().map_while(Result::ok);
        let address =
            lines.filter_map(|line| line.rsplit_once("http://").map(|(_, address)| address.to_owned())).next();
        Self { process, address: address.expect("the portal says where it is open"), token }
    }

    /// Status and text of an answer, and how long it took.
    async fn get(&self, path: &str) -> (u16, String, Duration) {
        let (address, token, path) = (self.address.clone(), self.token.clone(), path.to_owned());
        let asked = move || {
            let began = Instant::now();
            let mut connection = TcpStream::connect(&address).unwrap();
            let headers = format!("Authorization: Bearer {token}\r\nConnection: close");
            write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n\r\n").unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
            (status, answer, began.elapsed())
        };
        tokio::task::spawn_blocking(asked).await.unwrap()
    }

    /// What it says of being ready, as soon as it has this status.
    async fn says(&self, wanted: u16) -> String {
        let asked = async {
            loop {
                let (status, text, took) = self.get("/readyz").await;
                assert!(took < PROMPT, "{took:?}: {text}");
                if status == wanted {
                    return text;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("it never said {wanted}"))
    }

    async fn says_that_the_database_does_not_answer(&self) {
        let text = self.says(503).await;
        assert!(text.contains("The database does not answer."), "{text}");
        let (status, page, took) = self.get("/api/v1/catalog").await;
        assert!(status == 503 && page.contains("The database does not answer."), "{status}: {page}");
        assert!(took < PROMPT * 2, "{took:?}");
        assert_eq!(self.get("/healthz").await.0, 200, "the process itself lives");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_and_one_that_is_stopped_lose_nothing_when_they_are_back() {
    let Some(server) = Server::start().await else { return println!("PostgreSQL is not installed here") };
    let house = House::on(TestDatabase::on(server.address()).await, Arc::new(SystemClock), |_| {}).await;
    let rita = house.person("Rita").await;
    let brisk = Pace { answers: 0.0, work: 0.02, operations: Vec::new() };
    house.app.datacenter.as_ref().unwrap().set_pace(brisk).await.unwrap();
    let portal = Portal::open(&house).await;
    let worker = Process::start(house.worker_process().env("GATEHOUSE_WORKER__LEASE_SECONDS", "3"));
    at_work(&house, 1).await;

    let mut deployments = Vec::new();
    for n in 1..=RUNS {
        let request = house.order(&rita, "linux-vm", json!({ "application": format!("shop{n}") })).await;
        deployments.push(request.deployment);
    }
    when_there(&house, deployments[1], true).await;
    server.dies();
    portal.says_that_the_database_does_not_answer().await;
    server.go_on().await;
    portal.says(200).await;
    for &deployment in &deployments {
        house.when(&rita, deployment, DeploymentState::Live).await;
        assert_that_all_is_there_once(&house, deployment, "built while the database was killed").await;
    }

    for &deployment in &deployments {
        house.ask(&rita, What::Retire { deployment }).await;
    }
    when_there(&house, deployments[0], false).await;
    server.stops();
    let refused = house.worker_process().output().unwrap();
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && why.contains("could not be opened"), "a worker that starts now: {why}");
    portal.says_that_the_database_does_not_answer().await;
    server.go_on().await;
    portal.says(200).await;
    for &deployment in &deployments {
        house.when(&rita, deployment, DeploymentState::Retired).await;
        assert_that_nothing_is_left(&house, deployment, "retired while the database was stopped").await;
    }
    assert_that_nobody_was_told_twice(&house, "while the database was away").await;
    assert_eq!(house.ailments().await, [""; 0], "after all of it");
    worker.stop().await;
    portal.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stands_still_in_a_transaction_does_not_keep_the_others_from_writing() {
    let Some(server) = Server::start().await else { return println!("PostgreSQL is not installed here") };
    let database = TestDatabase::on(server.address()).await;
    let (frozen, other) =
        (Store::open(database.address()).await.unwrap(), Store::open(database.address()).await.unwrap());
    let held = frozen.begin().await.unwrap();
    let written = async { other.begin().await.unwrap().commit().await.unwrap() };
    tokio::time::timeout(PATIENCE, written).await.expect("its turn never came");
    assert!(held.commit().await.is_err(), "what it wakes to finish is not written");
}
