//! What somebody does to machines past Gatehouse, with the hypervisor's own tools, is a finding within ten seconds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lab::{DOCKER, Lab, VCENTER};
use crate::portal::Portal;

const SOON: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The findings about the deployment's machines, as soon as they are of these kinds.
async fn found(portal: &Portal, deployment: &str, kinds: &[&str]) -> Vec<Value> {
    let done = Instant::now();
    loop {
        let now = portal.get(&format!("/deployments/{deployment}")).await;
        let findings = now["findings"].as_array().cloned().unwrap_or_default();
        if findings.iter().map(|finding| finding["kind"].as_str().unwrap()).eq(kinds.iter().copied()) {
            println!("{kinds:?} after {} ms: {findings:#?}", done.elapsed().as_millis());
            return findings;
        }
        assert!(done.elapsed() < SOON, "not {kinds:?} within ten seconds: {now:#}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Orders a machine; answers its deployment and its name.
async fn a_machine(lab: &Lab, portal: &Portal, site: &str) -> (String, String) {
    let application = format!("seen{}", &uuid::Uuid::new_v4().simple().to_string()[..6]);
    let order = portal.order(site, "linux-vm", json!({ "application": application })).await;
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    let machine = lab.machines().into_iter().find(|machine| machine.starts_with(&application)).unwrap();
    (deployment, machine)
}

#[tokio::test]
async fn what_somebody_does_in_vcenter_is_a_finding_and_what_he_deleted_can_be_retired() {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, "sightings-vcenter");
    let (deployment, machine) = a_machine(&lab, &portal, VCENTER).await;

    lab.govc(&["vm.power", "-off", "-force", &machine]);
    let off = found(&portal, &deployment, &["switched_off"]).await;
    let detail = off[0]["detail"].as_str().unwrap();
    let by = format!("{} did it, says the hypervisor's log", lab.told("/vcenter/username"));
    assert!(detail.contains(&by), "{detail}");
    lab.govc(&["vm.power", "-on", &machine]);
    found(&portal, &deployment, &[]).await;

    let path = format!("{}/{machine}", lab.told("/vcenter/folder"));
    lab.govc(&["snapshot.create", "-vm", &path, "kept"]);
    found(&portal, &deployment, &["changed_by_hand"]).await;
    lab.govc(&["snapshot.remove", "-vm", &path, "*"]);
    found(&portal, &deployment, &[]).await;

    lab.govc(&["vm.destroy", &machine]);
    let gone = found(&portal, &deployment, &["gone"]).await;
    let detail = gone[0]["detail"].as_str().unwrap();
    assert!(detail.contains("No machine with its key stands at"), "{detail}");
    let ci = portal.get(&format!("/cis/{}", gone[0]["ci"].as_str().unwrap())).await;
    assert_eq!(ci["findings"][0]["kind"], "gone");

    let retire = portal.ask(&format!("/deployments/{deployment}/retire"), json!({})).await;
    portal.fulfilled(&retire).await;
    assert_eq!(lab.inventory(), before, "nothing of it is left");
    found(&portal, &deployment, &[]).await;
}

#[tokio::test]
async fn what_somebody_does_on_a_docker_engine_is_a_finding_and_what_he_deleted_can_be_retired() {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, "sightings-docker");
    let (deployment, machine) = a_machine(&lab, &portal, DOCKER).await;

    lab.docker(&["stop", "-t", "1", &machine]);
    found(&portal, &deployment, &["switched_off"]).await;
    lab.docker(&["start", &machine]);
    found(&portal, &deployment, &[]).await;
    lab.docker(&["rm", "-f", "-v", &machine]);
    found(&portal, &deployment, &["gone"]).await;

    let retire = portal.ask(&format!("/deployments/{deployment}/retire"), json!({})).await;
    portal.fulfilled(&retire).await;
    assert_eq!(lab.inventory(), before, "nothing of it is left");
}
