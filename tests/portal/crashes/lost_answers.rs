//! A datacenter that does what it is asked, and whose answer is lost on its way: for each kind of call that changes
//! something, while things are built, changed and retired.

use std::sync::Arc;

use app::request::What;
use domain::deployment::DeploymentState;
use domain::ids::DeploymentId;
use domain::ports::datacenter::{Fault, Operation};
use domain::run::RunState;
use providers::clock::SystemClock;
use serde_json::{Value, json};

use super::{assert_that_all_is_there_once, assert_that_nobody_was_told_twice, assert_that_nothing_is_left, at_work};
use crate::house::House;
use crate::process::Process;

const BUILDING: [Operation; 5] = [
    Operation::NameReserve,
    Operation::MachineCreate,
    Operation::ConfigurationApply,
    Operation::PoolCreate,
    Operation::SpaceCreate,
];
const CHANGING: [Operation; 5] = [
    Operation::NameReserve,
    Operation::MachineCreate,
    Operation::ConfigurationApply,
    Operation::PoolMembers,
    Operation::SpaceQuota,
];
const RETIRING: [Operation; 5] = [
    Operation::NameRelease,
    Operation::MachineDestroy,
    Operation::ConfigurationPurge,
    Operation::PoolDelete,
    Operation::SpaceDelete,
];

/// The next answer to each of these is lost.
async fn lose_answers(house: &House, operations: &[Operation]) {
    for &operation in operations {
        house.app.datacenter.as_ref().unwrap().arm(operation, Fault::LoseAnswer, Some(1)).await.unwrap();
    }
}

async fn assert_that_answers_were_lost(house: &House) {
    let armed = house.app.datacenter.as_ref().unwrap().overview().await.unwrap().faults;
    assert!(armed.is_empty(), "no answer was lost for {armed:?}");
}

fn change(deployment: DeploymentId, action: &str, parameters: &Value) -> What {
    let parameters = parameters.as_object().cloned().unwrap();
    What::Action { deployment, action: action.to_owned(), parameters, seen: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_answer_is_lost_each_object_is_there_once_and_nothing_stays() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let worker = Process::start(&mut house.worker_process());
    at_work(&house, 1).await;
    lose_answers(&house, &BUILDING).await;
    let tomcats = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await.deployment;
    let space = house.order(&rita, "container-space", json!({ "name": "shop" })).await.deployment;
    house.approve_all().await;
    for deployment in [tomcats, space] {
        house.when(&rita, deployment, DeploymentState::Live).await;
        assert_that_all_is_there_once(&house, deployment, "built").await;
    }
    assert_that_answers_were_lost(&house).await;

    lose_answers(&house, &CHANGING).await;
    house.ask(&rita, change(tomcats, "scale", &json!({ "nodes": 3 }))).await;
    house.ask(&rita, change(space, "resize", &json!({ "cpu": 5 }))).await;
    house.approve_all().await;
    for deployment in [tomcats, space] {
        house.until(&rita, deployment, |it| it.runs.len() == 2 && it.runs[0].state == RunState::Done).await;
        assert_that_all_is_there_once(&house, deployment, "changed").await;
    }
    assert_that_answers_were_lost(&house).await;

    lose_answers(&house, &RETIRING).await;
    for deployment in [tomcats, space] {
        house.ask(&rita, What::Retire { deployment }).await;
    }
    for deployment in [tomcats, space] {
        house.when(&rita, deployment, DeploymentState::Retired).await;
        assert_that_nothing_is_left(&house, deployment, "retired").await;
    }
    assert_that_answers_were_lost(&house).await;
    assert_that_nobody_was_told_twice(&house, "with answers lost").await;
    assert_eq!(house.ailments().await, [""; 0], "after all of it");
    worker.stop().await;
}
