//! What is done with a deployment later, on the lab: seen from outside, as its users see it.

use std::cell::Cell;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::blueprints::{attributes, page, server};
use crate::lab::{DOCKER, Lab, VCENTER, said};
use crate::portal::{Portal, own};

/// The owner's password, as the deployment hands it over; nobody gets it a second time.
async fn taken(portal: &Portal, deployment: &str) -> String {
    let secrets = portal.get(&format!("/deployments/{deployment}")).await["secrets"].clone();
    assert_eq!(secrets.as_array().unwrap().len(), 1, "one is in force: {secrets}");
    let take = format!("/deployments/{deployment}/secrets/{}/take", secrets[0]["id"].as_str().unwrap());
    let password = portal.post(&take).await["value"].as_str().unwrap().to_owned();
    assert_eq!(portal.post(&take).await["status"], 410, "it is handed over once");
    password
}

/// A client of the database at this address, who comes with a password.
fn client(kind: &str, address: &str, password: &str) -> Command {
    let mut client = Command::new(if kind == "mariadb" { "mariadb" } else { "psql" });
    match kind {
        "mariadb" => client.args(["-h", address, "-u", "app", "-BNe", "select 6 * 7", "app"]),
        _ => client.args(["-h", address, "-U", "app", "-d", "app", "-Atc", "select 6 * 7"]),
    };
    client.env("PGPASSWORD", password).env("MYSQL_PWD", password);
    client
}

/// Neither PuppetDB nor any file of Puppet Server or the lab's other systems has one of these words.
fn nobody_wrote_down(lab: &Lab, words: &[&str]) {
    for of in ["catalogs", "reports", "facts", "resources", "nodes"] {
        let told = lab.puppetdb(of);
        assert!(told.starts_with('['), "PuppetDB tells its {of}: {told}");
        assert!(words.iter().all(|word| !told.contains(word)), "PuppetDB keeps a password among its {of}");
    }
    for folder in ["puppet", "puppetdb", "run"] {
        let mut grep = Command::new("grep");
        words.iter().for_each(|word| {
            grep.args(["-e", word]);
        });
        let found = grep.args(["-rlaF"]).arg(lab.folder.join(folder)).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&found.stdout), "", "a password stands in a file");
    }
}

async fn a_password_is_replaced(kind: &str) {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, &format!("password-{kind}"));
    let order = portal.order(DOCKER, "sql-database-vm", json!({ "application": own("keys"), "kind": kind })).await;
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    let (fqdn, address) = server(&portal, &deployment).await;
    assert!(lab.puppetdb("reports").contains(&fqdn), "PuppetDB has heard of the machine");
    let old = taken(&portal, &deployment).await;
    assert_eq!(said(&mut client(kind, &address, &old)).trim(), "42");

    let action = format!("/deployments/{deployment}/actions/new-password");
    let renewal = portal.ask(&action, json!({ "parameters": {} })).await;
    portal.fulfilled(&renewal).await;
    let new = taken(&portal, &deployment).await;
    assert_ne!(new, old);
    assert_eq!(said(&mut client(kind, &address, &new)).trim(), "42");
    assert!(!client(kind, &address, &old).output().unwrap().status.success(), "the old one opens nothing any more");
    nobody_wrote_down(&lab, &[&old, &new]);

    portal.nothing_stays(&lab, &deployment, &before).await;
}

#[tokio::test]
async fn a_new_password_opens_a_postgresql_database_and_the_old_one_does_not() {
    a_password_is_replaced("postgresql").await;
}

#[tokio::test]
async fn a_new_password_opens_a_mariadb_database_and_the_old_one_does_not() {
    a_password_is_replaced("mariadb").await;
}

/// With how much memory each Tomcat of these machines runs, as the kernel tells of its process.
fn memory(lab: &Lab, machines: &[String]) -> Vec<String> {
    let of = |machine: &String| {
        let container = lab.docker(&["ps", "--quiet", "--filter", &format!("name={machine}-")]);
        let tomcat = ["exec", container.trim(), "pgrep", "-af", "org.apache.catalina.startup.Bootstrap"];
        let process = lab.docker(&tomcat);
        process.split_whitespace().find_map(|word| word.strip_prefix("-Xmx")).unwrap_or("none").to_owned()
    };
    machines.iter().map(of).collect()
}

#[tokio::test]
async fn a_configuration_is_rolled_machine_by_machine_while_the_page_answers() {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, "rolling");
    let application = own("roll");
    let order = portal.order(VCENTER, "scale-out-tomcat", json!({ "application": application })).await;
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    let url = attributes(&portal, &deployment, "load_balancer_service").await[0]["url"].as_str().unwrap().to_owned();
    let machines: Vec<String> = lab.machines().into_iter().filter(|name| name.starts_with(&application)).collect();
    assert_eq!(memory(&lab, &machines), ["256m", "256m"]);

    let action = format!("/deployments/{deployment}/actions/configure");
    let roll = portal.ask(&action, json!({ "parameters": { "memory_mb": 384 } })).await;
    let asked = Cell::new(0);
    let visits = async {
        loop {
            assert!(page(&url).await.is_some(), "the page answers while the configuration is rolled");
            asked.set(asked.get() + 1);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        _ = portal.fulfilled(&roll) => {}
        () = visits => {}
    }
    assert!(asked.get() > 20, "it was looked at all the time: {}", asked.get());
    assert_eq!(memory(&lab, &machines), ["384m", "384m"]);

    portal.nothing_stays(&lab, &deployment, &before).await;
}
