//! A disk that is full under SQLite, in the middle of runs: whoever asks is told, nothing is corrupted, and all goes on
//! by itself when there is room.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, read_body};
use domain::deployment::DeploymentState;
use domain::ports::datacenter::Pace;
use engine::Worker;
use providers::clock::SystemClock;
use serde_json::json;
use store::Pool;
use test_database::TestDatabase;

use super::{assert_that_all_is_there_once, assert_that_nobody_was_told_twice, when_there};
use crate::api::{READ, get, token};
use crate::door::send;
use crate::house::{House, PATIENCE};
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
    house.database.keep_full().await;
    until_not_ready(&house).await;
    house.database.make_room().await;
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

#[actix_web::test]
async fn for_as_long_as_the_disk_is_full_operations_and_readiness_say_so() {
    let database = TestDatabase::in_folder(&std::env::temp_dir());
    let brief_lease = |settings: &mut gatehouse::settings::Settings| settings.worker.lease_seconds = 1;
    let house = House::on(database, Arc::new(SystemClock), brief_lease).await;
    let rita = house.person("Rita").await;
    let order = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.approve_all().await;
    let browser = Browser::of(&house, "otto@example.org", "otto-mends-runs-now").await;
    let programs = token(&house, "otto@example.org", READ).await;
    let told = "The disk of the database is full";
    assert_eq!(ready(&house).await, (StatusCode::OK, "ready\n".to_owned()));
    let (_, page) = browser.get("/operations").await;
    assert!(!page.contains(told), "{page}");

    // Whoever comes is noted now and then, which is no reason to send him away.
    let ago = "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '-20 minutes')";
    house.database.tamper(&format!("UPDATE session SET seen_at = {ago}")).await;
    house.database.tamper(&format!("UPDATE api_token SET used_at = {ago}")).await;
    house.database.keep_full().await;
    let worker = Worker::start(&house.app.engine);
    until_not_ready(&house).await;
    // Who meets it makes its connection anew, which makes no room.
    for _ in 0..3 {
        let (status, text) = ready(&house).await;
        assert!(status == StatusCode::SERVICE_UNAVAILABLE && text.contains(told), "{status} {text}");
        let (status, page) = browser.get("/operations").await;
        assert!(status == StatusCode::OK && page.contains(told), "{page}");
        let overview = get(&house, &programs, "/api/v1/operations").await.body;
        assert_eq!(overview["disk_is_full"], true, "{overview}");
    }

    house.database.make_room().await;
    assert_eq!(ready(&house).await, (StatusCode::OK, "ready\n".to_owned()), "as soon as there is room");
    let (_, page) = browser.get("/operations").await;
    assert!(!page.contains(told), "{page}");
    house.when(&rita, order.deployment, DeploymentState::Live).await;
    assert_that_all_is_there_once(&house, order.deployment, "built after the disk was full").await;
    assert_eq!(house.ailments().await, [""; 0], "after all of it");
    worker.stop().await;
}

/// Comes back when somebody who writes has met the full disk.
async fn until_not_ready(house: &House) {
    let noticed = async {
        while ready(house).await.0 == StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.expect("whoever works meets the full disk");
}

async fn ready(house: &House) -> (StatusCode, String) {
    let answer = send(house, TestRequest::get().uri("/readyz")).await;
    (answer.status(), String::from_utf8(read_body(answer).await.to_vec()).unwrap())
}
