//! Two workers that race for the same runs.

use std::sync::Arc;
use std::time::Duration;

use app::request::What;
use domain::deployment::DeploymentState;
use domain::ids::DeploymentId;
use domain::ports::datacenter::Pace;
use providers::clock::SystemClock;
use serde_json::json;

use super::{assert_that_all_is_there_once, assert_that_nobody_was_told_twice, assert_that_nothing_is_left, at_work};
use crate::house::House;
use crate::process::Process;

/// What is ordered, and by which parameter it is named.
const ORDERS: [(&str, &str); 4] = [
    ("linux-vm", "application"),
    ("sql-database-vm", "application"),
    ("scale-out-tomcat", "application"),
    ("container-space", "name"),
];
const OF_EACH: u32 = 3;
/// How often every run is brought to the queue once more, whoever holds it.
const STIR: Duration = Duration::from_millis(100);

/// All deployments as soon as they stand like this. Meanwhile all runs are made due over and over, so that each worker
/// is brought runs that the other one holds.
async fn stirred_until(house: &House, deployments: &[DeploymentId], state: DeploymentState) {
    let rita = house.person("Rita").await;
    let stirred = async {
        loop {
            house.database.tamper("UPDATE run SET wake_at = created_at WHERE wake_at IS NOT NULL").await;
            tokio::time::sleep(STIR).await;
        }
    };
    let ended = async {
        for &deployment in deployments {
            house.when(&rita, deployment, state).await;
        }
    };
    tokio::select! {
        () = ended => {}
        never = stirred => never,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_that_race_for_the_same_runs_make_each_object_once_and_tell_each_person_once() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    // Work takes a little, so that runs are let go and taken up again by either.
    let brisk = Pace { answers: 0.0, work: 0.01, operations: Vec::new() };
    house.app.datacenter.as_ref().unwrap().set_pace(brisk).await.unwrap();
    // Each has fewer places than there are runs.
    let worker = || Process::start(house.worker_process().env("GATEHOUSE_WORKER__CONCURRENCY", "4"));
    let workers = [worker(), worker()];
    at_work(&house, workers.len()).await;

    let mut deployments = Vec::new();
    for (blueprint, named_by) in ORDERS {
        for n in 1..=OF_EACH {
            let name = format!("{}-{n}", &blueprint[..3]);
            deployments.push(house.order(&rita, blueprint, json!({ named_by: name })).await.deployment);
        }
    }
    house.approve_all().await;
    stirred_until(&house, &deployments, DeploymentState::Live).await;
    for &deployment in &deployments {
        assert_that_all_is_there_once(&house, deployment, "built in a race").await;
    }

    for &deployment in &deployments {
        house.ask(&rita, What::Retire { deployment }).await;
    }
    stirred_until(&house, &deployments, DeploymentState::Retired).await;
    for &deployment in &deployments {
        assert_that_nothing_is_left(&house, deployment, "retired in a race").await;
    }
    assert_that_nobody_was_told_twice(&house, "in a race").await;
    assert_eq!(house.ailments().await, [""; 0], "after all of it");
    for worker in workers {
        worker.stop().await;
    }
}
