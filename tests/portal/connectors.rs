//! The CMDB as it is carried to the company's: a ServiceNow that keeps the vendor's rules (`tests/doubles`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::test::{TestRequest, read_body};
use app::connector;
use domain::ci::{CiChange, CiClass};
use domain::request::Request;
use gatehouse::settings::{self, Secret};
use providers::clock::SystemClock;
use serde_json::{Map, json};
use test_doubles::ServiceNow;

use crate::api::{ALL, READ, get, post, token};
use crate::crashes::at_work;
use crate::door::{send, session, sign_in};
use crate::house::{House, PATIENCE};
use crate::process::Process;

/// From now on the house's CMDB is carried to a ServiceNow by the name of `company`.
pub async fn carried(house: &mut House) -> ServiceNow {
    // Another story of this process may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let company = ServiceNow::start(&["ops-platform"]).await;
    let servicenow = settings::ServiceNow {
        url: company.url.clone(),
        client_id: Some("gatehouse".to_owned()),
        client_secret: Some(Secret::from("let-me-in")),
        // Who answers for applications has no group there.
        application: Vec::new(),
        ..settings::ServiceNow::default()
    };
    let mut settings = house.settings.clone();
    let named = settings::Connector { servicenow: Some(servicenow), ..settings::Connector::default() };
    settings.cmdb.connectors = BTreeMap::from([("company".to_owned(), named)]);
    house.app.connectors = house.seen_with(&settings).await.connectors;
    company
}

/// A CI comes to be for a request.
pub async fn declare(house: &House, request: &Request, key: &str, class: CiClass) {
    tell(house, request, &[declared(key, class)]).await;
}

fn declared(key: &str, class: CiClass) -> CiChange {
    CiChange::Declare { key: key.to_owned(), class, name: key.to_owned(), attributes: Map::new() }
}

async fn tell(house: &House, request: &Request, changes: &[CiChange]) {
    let tx = house.app.store.begin().await.unwrap();
    store::ci::apply(&tx, changes, &house.cause(request)).await.unwrap();
    tx.commit().await.unwrap();
}

/// What waits is carried.
pub async fn carry(house: &House) {
    connector::hand_out(&house.app).await.unwrap();
    connector::carry(&house.app, &house.app.connectors[0]).await.unwrap();
}

#[actix_web::test]
async fn an_operators_program_sees_what_the_cmdb_would_make_of_a_ci_and_has_it_sent_again_once_that_is_mended() {
    let mut house = House::asleep(Arc::new(SystemClock)).await;
    let company = carried(&mut house).await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "shop" })).await;
    let (otto, stranger) = (token(&house, "otto@example.org", ALL).await, token(&house, "rita@example.org", ALL).await);
    carry(&house).await;
    company.forbid("cmdb_ci_linux_server");
    declare(&house, &request, "srv", CiClass::Server).await;
    connector::hand_out(&house.app).await.unwrap();

    let plan = "/api/v1/connectors/company/plan";
    let planned = get(&house, &otto, plan).await.body["items"][0].clone();
    assert_eq!(planned["payload"]["className"], "cmdb_ci_linux_server");
    let verdict = planned["verdict"].as_str().unwrap().to_owned();
    assert!(verdict.contains("INSERT_NOT_ALLOWED_FOR_SOURCE"), "{verdict}");
    let cookie = session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await);
    let page = send(&house, TestRequest::get().uri("/operations/connectors/company").cookie(cookie)).await;
    let page = String::from_utf8(read_body(page).await.to_vec()).unwrap();
    assert!(page.contains("INSERT_NOT_ALLOWED_FOR_SOURCE") && page.contains("cmdb_ci_linux_server"), "{page}");
    assert!(company.rows("cmdb_ci_linux_server").is_empty(), "a dry run writes nothing");

    carry(&house).await;
    let told = get(&house, &otto, "/api/v1/connectors").await.body["items"][0].clone();
    assert_eq!((&told["kind"], &told["state"], &told["dead"]), (&json!("servicenow"), &json!("answers"), &json!(1)));
    assert_eq!(told["errors"], json!({ "INSERT_NOT_ALLOWED_FOR_SOURCE": 1 }));
    let letter = format!("/api/v1/connectors/company/again/{}", told["dead_letters"][0]["ci"].as_str().unwrap());

    for door in [plan, "/api/v1/connectors"] {
        assert_eq!(get(&house, &stranger, door).await.status, 403, "{door}");
    }
    let reader = token(&house, "otto@example.org", READ).await;
    for (who, door) in [(&stranger, &letter), (&reader, &letter)] {
        assert_eq!(post(&house, who, door, json!({}), None).await.status, 403);
    }
    company.allow("cmdb_ci_linux_server");
    let again = post(&house, &otto, &letter, json!({}), None).await;
    assert_eq!((again.status.as_u16(), &again.body["dead"]), (200, &json!(0)));
    assert_eq!(post(&house, &otto, &letter, json!({}), None).await.status, 409, "it is no dead letter any more");
    carry(&house).await;
    assert_eq!(company.rows("cmdb_ci_linux_server").len(), 1);

    company.delete("cmdb_ci_linux_server", "srv");
    assert_eq!(post(&house, &otto, "/api/v1/connectors/company/compare", json!({}), None).await.status, 200);
    assert!(connector::keep_comparing(&house.app, &house.app.connectors[0]).await.unwrap());
    let told = get(&house, &otto, "/api/v1/connectors").await.body["items"][0].clone();
    assert_eq!((&told["missing"], &told["differed"]), (&json!(1), &json!(0)));
    carry(&house).await;
    assert_eq!(company.rows("cmdb_ci_linux_server").len(), 1, "what was lost is there again");
    assert_eq!(post(&house, &otto, "/api/v1/connectors/nobody/compare", json!({}), None).await.status, 404);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_carry_to_the_same_cmdb_at_once_send_each_ci_once() {
    const CIS: usize = 1_200;
    let mut house = House::asleep(Arc::new(SystemClock)).await;
    let company = carried(&mut house).await;
    let rita = house.person("Rita").await;
    // It waits for somebody's yes, so that no run tells of CIs of its own.
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let many: Vec<CiChange> = (0..CIS).map(|number| declared(&format!("srv-{number:04}"), CiClass::Server)).collect();
    tell(&house, &request, &many).await;

    let start = || {
        let mut command = house.worker_process();
        for (setting, value) in [
            ("URL", company.url.as_str()),
            ("CLIENT_ID", "gatehouse"),
            ("CLIENT_SECRET", "let-me-in"),
            ("UNKNOWN_GROUPS", "leave_out"),
        ] {
            command.env(format!("GATEHOUSE_CMDB__CONNECTORS__COMPANY__SERVICENOW__{setting}"), value);
        }
        Process::start(&mut command)
    };
    let workers = [start(), start()];
    at_work(&house, workers.len()).await;
    let carried = async {
        while connector::fares(&house.app).await.unwrap()[0].outstanding.cis > 0
            || company.rows("cmdb_ci_linux_server").len() < CIS
        {
            // Nothing tells this process of what others write.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, carried).await.expect("they were never carried");
    drop(workers);

    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for payload in company.payloads() {
        for item in payload["items"].as_array().unwrap() {
            let key = item["sys_object_source_info"]["source_native_key"].as_str().unwrap();
            *sent.entry(key.to_owned()).or_default() += 1;
        }
    }
    let twice: Vec<&String> = sent.iter().filter(|(_, times)| **times > 1).map(|(key, _)| key).collect();
    assert_eq!((sent.len(), twice), (CIS, Vec::new()));
    let fares = connector::fares(&house.app).await.unwrap().remove(0);
    assert_eq!((fares.standing.noops, fares.outstanding.dead), (0, 0));
    house.close().await;
}
