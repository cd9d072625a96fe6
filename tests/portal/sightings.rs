//! What is done to machines in the datacenter itself, past Gatehouse: it finds out, says so everywhere, and lets people
//! clear up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, read_body};
use app::deployment::Details;
use app::request::What;
use app::sighting::{Hypervisors, follow};
use domain::deployment::DeploymentState;
use domain::finding::FindingKind;
use domain::person::Principal;
use domain::ports::datacenter::{Fault, Operation};
use domain::ports::machines::Machines;
use domain::site::SIMULATED;
use providers::simulated::Datacenter;
use serde_json::json;
use tokio::task::AbortHandle;

use crate::door::{form, send, session, sign_in};
use crate::house::House;

/// The house with somebody who follows its machines.
pub async fn watchful() -> (House, AbortHandle) {
    let house = House::new().await;
    let datacenter = Datacenter::open(&house.settings.datacenter.file, house.app.clock.clone()).unwrap();
    let hypervisors: Hypervisors = BTreeMap::from([(SIMULATED.to_owned(), Arc::new(datacenter) as Arc<dyn Machines>)]);
    let app = house.app.clone();
    let following = tokio::spawn(async move { follow(&app, hypervisors).await });
    (house, following.abort_handle())
}

async fn a_machine(house: &House, rita: &Principal) -> Details {
    let request = house.order(rita, "linux-vm", json!({ "application": "tools" })).await;
    house.approve_all().await;
    house.when(rita, request.deployment, DeploymentState::Live).await
}

/// As Otto does it on the datacenter's page.
pub async fn by_hand(house: &House, otto: &Cookie<'static>, deed: &str) {
    let overview = house.app.datacenter.as_ref().unwrap().overview().await.unwrap();
    let address = format!("/operations/datacenter/machines/{}", overview.machines[0].id);
    let token = read(house, otto, "/operations/datacenter").await;
    let token = token.split_once("name=\"csrf\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let answer = send(house, form(&address, &[("csrf", &token), ("deed", deed)]).cookie(otto.clone())).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{deed}");
}

async fn read(house: &House, who: &Cookie<'static>, address: &str) -> String {
    let answer = send(house, TestRequest::get().uri(address).cookie(who.clone())).await;
    assert_eq!(answer.status(), StatusCode::OK, "{address}");
    String::from_utf8(read_body(answer).await.to_vec()).unwrap()
}

/// The deployment as soon as these are the findings about its machines.
pub async fn found(house: &House, rita: &Principal, it: &Details, kinds: &[FindingKind]) -> Details {
    let looked = async {
        loop {
            let it = app::deployment::show(&house.app, rita, it.deployment.id).await.unwrap();
            if it.not_evaluated.is_none() && it.by_hand.iter().map(|it| it.finding.kind).eq(kinds.iter().copied()) {
                return it;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::house::PATIENCE, looked).await.expect("it was never found")
}

#[actix_web::test]
async fn a_machine_that_somebody_deleted_is_told_on_every_page_and_its_deployment_can_be_retired() {
    let (house, following) = watchful().await;
    let rita = house.person("Rita").await;
    let otto = session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await);
    let built = a_machine(&house, &rita).await;
    found(&house, &rita, &built, &[]).await;

    by_hand(&house, &otto, "delete").await;
    let gone = found(&house, &rita, &built, &[FindingKind::Gone]).await;
    let rita_sees = session(&sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    let ci = gone.by_hand[0].ci.id;
    for address in [format!("/deployments/{}", built.deployment.id), format!("/cmdb/{ci}"), "/audit".to_owned()] {
        let page = read(&house, &rita_sees, &address).await;
        for said in ["Gone from its site", "No machine with its key stands at Simulated datacenter any more", "Otto"] {
            assert!(page.contains(said), "{address} does not say {said}");
        }
    }
    let csv = read(&house, &rita_sees, "/audit/report.csv").await;
    let line = csv.lines().find(|line| line.contains(&ci.to_string())).unwrap();
    assert!(line.contains(",gone,"), "{line}");
    assert!(read(&house, &rita_sees, "/audit/report.json").await.contains("\"gone\":1"));
    assert!(read(&house, &otto, "/operations").await.contains("Machines seen"));

    house.ask(&rita, What::Retire { deployment: built.deployment.id }).await;
    let retired = house.when(&rita, built.deployment.id, DeploymentState::Retired).await;
    assert_eq!(retired.by_hand.len(), 0);
    assert_eq!(house.app.datacenter.as_ref().unwrap().overview().await.unwrap().objects, []);
    following.abort();
    house.close().await;
}

#[actix_web::test]
async fn what_is_put_right_again_is_no_finding_any_more_and_its_history_tells_of_it() {
    let (house, following) = watchful().await;
    let rita = house.person("Rita").await;
    let otto = session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await);
    let built = a_machine(&house, &rita).await;
    found(&house, &rita, &built, &[]).await;
    let deeds: [(&str, &[FindingKind]); 6] = [
        ("switch-off", &[FindingKind::SwitchedOff]),
        ("switch-on", &[]),
        ("rename", &[FindingKind::ChangedByHand]),
        ("rename", &[]),
        ("take-snapshot", &[FindingKind::ChangedByHand]),
        ("remove-snapshots", &[]),
    ];
    for (deed, kinds) in deeds {
        by_hand(&house, &otto, deed).await;
        found(&house, &rita, &built, kinds).await;
    }
    let machine = built.cis.iter().find(|ci| ci.class == domain::ci::CiClass::VirtualMachine).unwrap();
    let page = read(&house, &otto, &format!("/cmdb/{}", machine.id)).await;
    let history = page.split_once("id=\"history\"").unwrap().1;
    for said in ["It is switched off.", "It is called", "A snapshot of it was taken", "Machine report"] {
        assert!(history.contains(said), "its history does not say {said}");
    }
    following.abort();
    house.close().await;
}

#[actix_web::test]
async fn while_the_datacenter_is_silent_nothing_is_missing_and_people_are_told_that_nobody_knows() {
    let (house, following) = watchful().await;
    let rita = house.person("Rita").await;
    let otto = session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await);
    let built = a_machine(&house, &rita).await;
    found(&house, &rita, &built, &[]).await;
    let datacenter = house.app.datacenter.clone().unwrap();
    let fault = datacenter.arm(Operation::MachineList, Fault::TimeOut, None).await.unwrap();
    by_hand(&house, &otto, "delete").await;
    let silent = house.until(&rita, built.deployment.id, |it| it.not_evaluated.is_some()).await;
    assert_eq!(silent.by_hand.len(), 0, "nobody knows whether it is gone");
    let page = read(&house, &otto, "/operations").await;
    assert!(page.contains("Not evaluated") && page.contains("did not answer machine.list"), "{page}");
    let page = read(&house, &otto, &format!("/deployments/{}", built.deployment.id)).await;
    assert!(page.contains("Not evaluated since"), "{page}");

    datacenter.clear(fault.id).await.unwrap();
    found(&house, &rita, &built, &[FindingKind::Gone]).await;
    following.abort();
    house.close().await;
}
