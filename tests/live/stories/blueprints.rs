//! Each blueprint from the order to what its users see, and back until nothing of it is left.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{DOCKER, Lab, VCENTER, said};
use crate::portal::{Portal, own};

/// What one CI of the deployment says of itself, by its class.
pub async fn attributes(portal: &Portal, deployment: &str, class: &str) -> Vec<Value> {
    let cis = portal.get(&format!("/cis?deployment={deployment}&class={class}")).await;
    let mut found = Vec::new();
    for ci in cis["items"].as_array().unwrap_or_else(|| panic!("{cis}")) {
        let told = portal.get(&format!("/cis/{}", ci["id"].as_str().unwrap())).await["attributes"].clone();
        let told = told.as_array().unwrap_or_else(|| panic!("{ci}: {told}"));
        let by_name = told.iter().map(|told| (told["name"].as_str().unwrap().to_owned(), told["value"].clone()));
        found.push(Value::Object(by_name.collect()));
    }
    found
}

pub async fn page(url: &str) -> Option<String> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
    let answer = client.get(url).send().await.ok()?.error_for_status().ok()?;
    answer.text().await.ok()
}

/// Name and address of the deployment's only server.
pub async fn server(portal: &Portal, deployment: &str) -> (String, String) {
    let servers = attributes(portal, deployment, "server").await;
    let [server] = servers.as_slice() else { panic!("one server: {servers:?}") };
    let text = |name: &str| server[name].as_str().unwrap().to_owned();
    (text("fqdn"), text("address"))
}

async fn a_machine_comes_and_goes(site: &str) {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, &format!("linux-vm-{site}"));
    let order = portal.order(site, "linux-vm", json!({ "application": own("solo") })).await;
    let fulfilled = portal.fulfilled(&order).await;

    let deployment = fulfilled["deployment"].as_str().unwrap();
    let (fqdn, address) = server(&portal, deployment).await;
    let (fqdn, address) = (fqdn.as_str(), address.as_str());
    assert_eq!(lab.resolved(fqdn), [address], "its name stands for its address");
    let ssh = tokio::net::TcpStream::connect((address, 22)).await;
    assert!(ssh.is_ok(), "it can be logged in to: {ssh:?}");
    assert!(lab.certificates().contains(fqdn), "its agent has a certificate");

    portal.nothing_stays(&lab, deployment, &before).await;
    assert_eq!(lab.resolved(fqdn), Vec::<String>::new());
}

#[tokio::test]
async fn a_linux_machine_comes_and_goes_on_vcenter() {
    a_machine_comes_and_goes(VCENTER).await;
}

#[tokio::test]
async fn a_linux_machine_comes_and_goes_on_a_docker_engine() {
    a_machine_comes_and_goes(DOCKER).await;
}

async fn a_tomcat_cluster_serves(site: &str) {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, &format!("tomcat-{site}"));
    let application = own("shop");
    let order = portal.order(site, "scale-out-tomcat", json!({ "application": application })).await;
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    let url = attributes(&portal, &deployment, "load_balancer_service").await[0]["url"].as_str().unwrap().to_owned();
    assert!(page(&url).await.is_some(), "{url} answers through the balancer");

    let one = lab.machines().into_iter().find(|machine| machine.starts_with(&application)).unwrap();
    lab.switch_off(site, &one);
    for _ in 0..20 {
        let answered = page(&url).await.or(page(&url).await);
        assert!(answered.is_some(), "the page answers although {one} is off");
    }
    lab.switch_on(site, &one);

    let scale = format!("/deployments/{deployment}/actions/scale");
    let four = portal.ask(&scale, json!({ "parameters": { "nodes": 4 } })).await;
    portal.fulfilled(&four).await;
    let machines = lab.machines();
    assert_eq!(machines.iter().filter(|machine| machine.starts_with(&application)).count(), 4);
    assert!(page(&url).await.is_some());

    portal.nothing_stays(&lab, &deployment, &before).await;
    assert!(page(&url).await.is_none(), "nobody answers at {url} any more");
}

#[tokio::test]
async fn a_tomcat_cluster_on_vcenter_serves_through_losses_grows_and_goes() {
    a_tomcat_cluster_serves(VCENTER).await;
}

#[tokio::test]
async fn a_tomcat_cluster_on_a_docker_engine_serves_through_losses_grows_and_goes() {
    a_tomcat_cluster_serves(DOCKER).await;
}

// Those on a Docker engine are among the stories of new passwords.
#[tokio::test]
async fn a_database_on_vcenter_answers_whoever_took_its_password() {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, "database");
    let order = json!({ "application": own("books"), "kind": "postgresql", "postgresql": "15" });
    let order = portal.order(VCENTER, "sql-database-vm", order).await;
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    let (_, address) = server(&portal, &deployment).await;

    let secrets = portal.get(&format!("/deployments/{deployment}")).await["secrets"].clone();
    let take = format!("/deployments/{deployment}/secrets/{}/take", secrets[0]["id"].as_str().unwrap());
    let password = portal.post(&take).await["value"].as_str().unwrap().to_owned();
    let mut psql = Command::new("psql");
    psql.args(["-h", &address, "-U", "app", "-d", "app", "-Atc", "select 6 * 7"]).env("PGPASSWORD", &password);
    assert_eq!(said(&mut psql).trim(), "42");
    assert_eq!(portal.post(&take).await["status"], 410, "it is handed over once");

    portal.nothing_stays(&lab, &deployment, &before).await;
}

// The simulator's datastores are as large as this machine's disk, which seldom has the 200 GB of a Docker machine.
#[tokio::test]
async fn what_is_started_behind_the_portals_back_is_in_the_cmdb_within_ten_seconds() {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, "docker-machine");
    let order = portal.order(DOCKER, "docker-machine", json!({ "application": own("whale") })).await;
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    let (_, address) = server(&portal, &deployment).await;

    lab.load_into_engine(&address);
    let compose = ["com.docker.compose.project=shop", "com.docker.compose.service=web"];
    let run = ["run", "-d", "--network", "none", "--label", compose[0], "--label", compose[1]];
    lab.engine_of(&address, &[&run[..], &[lab.told("/images/base"), "sleep", "infinity"]].concat());
    let started = Instant::now();
    while portal.get("/cis?class=workload").await["items"][0]["name"] != "shop / web" {
        assert!(started.elapsed() < Duration::from_secs(10), "the workload is not in the CMDB");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    portal.nothing_stays(&lab, &deployment, &before).await;
}

#[tokio::test]
async fn a_space_is_a_network_with_a_quota_on_a_real_engine() {
    let lab = Lab::running();
    let portal = Portal::open(&lab, "space");
    let order = portal.order(DOCKER, "container-space", json!({ "name": own("play") })).await;
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    let networks =
        || lab.docker(&["network", "ls", "--filter", &format!("label=org.gatehouse.key={deployment}/space"), "-q"]);
    assert_eq!(networks().lines().count(), 1);

    let retire = portal.ask(&format!("/deployments/{deployment}/retire"), json!({})).await;
    portal.fulfilled(&retire).await;
    assert_eq!(networks(), "");
}
