//! A disk that is full under SQLite, in the middle of runs: whoever asks is told, nothing is corrupted, and all goes on
//! by itself when there is room.

use std::sync::Arc;

use actix_web::http::StatusCode;
use domain::deployment::DeploymentState;
use domain::ports::datacenter::Pace;
use engine::Worker;
use providers::clock::SystemClock;
use serde_json::json;
use store::Pool;
use test_database::TestDatabase;

use super::{assert_that_all_is_there_once, assert_that_nobody_was_told_twice, when_there};
use crate::house::House;
use crate::requests::{Browser, csrf, hidden};

const RUNS: u32 = 4;

#[actix_web::test]
async fn a_full_disk_is_told_and_outlived() {
    let database = TestDatabase::in_folder(&std::env::temp_dir());
    let brief_lease = |settings: &mut gatehouse::settings::Settings| settings.worker.lease_seconds = 3;
    let house = House::on(database, Arc::new(SystemClock), brief_lease).await;
    let Pool::Sqlite(connections) = house.app.store.pool().clone() else { panic!("it is a file") };
    let rita = house.person("Rita").await;
    let browser = Browser::of(&house, "rita@example.org", "rita-orders-machines").await;
    let form = browser.get("/catalog/linux-vm").await.1;
    let brisk = Pace { answers: 0.0, work: 0.02, operations: Vec::new() };
    house.app.datacenter.as_ref().unwrap().set_pace(brisk).await.unwrap();
    let mut deployments = Vec::new();
    for n in 1..=RUNS {
        let request = house.order(&rita, "scale-out-tomcat", json!({ "application": format!("shop{n}") })).await;
        deployments.push(request.deployment);
    }
    house.approve_all().await;

    TestDatabase::fill(&connections).await;
    let (version, key) = (hidden(&form, "version"), hidden(&form, "key"));
    let fields = [("version", version.as_str()), ("key", &key), ("application", "late"), ("lease", "30")];
    let (status, page) = browser.send_form("/catalog/linux-vm", &csrf(&form), &fields).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{page}");
    assert!(page.contains("The disk of the database is full"), "{page}");
    let (status, page) = browser.get("/requests").await;
    assert!(status == StatusCode::OK && page.contains("shop1"), "what is there can be read: {page}");

    // And once more, in the middle of what a worker writes.
    let worker = Worker::start(&house.app.engine);
    when_there(&house, deployments[0], true).await;
    TestDatabase::fill(&connections).await;
    for &deployment in &deployments {
        house.when(&rita, deployment, DeploymentState::Live).await;
        assert_that_all_is_there_once(&house, deployment, "built while the disk was full").await;
    }
    let (status, page) = browser.send_form("/catalog/linux-vm", &csrf(&form), &fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "the same order is taken now: {page}");
    assert_that_nobody_was_told_twice(&house, "while the disk was full").await;
    assert_eq!(TestDatabase::integrity(&connections).await, "ok");
    assert_eq!(house.ailments().await, [""; 0], "after all of it");
    worker.stop().await;
}
