//! The systems beneath an order stop, come back, or forget what they had, while it is built.

use std::time::Duration;

use serde_json::json;

use crate::lab::{DOCKER, Lab, VCENTER};
use crate::portal::{Portal, own};

#[tokio::test]
async fn an_order_waits_for_a_puppet_server_that_is_away_for_a_minute() {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, "puppet-away");
    let away = lab.without("puppet");
    let order = portal.order(DOCKER, "linux-vm", json!({ "application": own("late") })).await;
    portal.until_trouble(&order, "Puppet CA").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop(away);

    let deployment = portal.in_the_end(&order).await["deployment"].as_str().unwrap().to_owned();
    portal.nothing_stays(&lab, &deployment, &before).await;
}

#[tokio::test]
async fn an_order_goes_on_when_its_engine_was_restarted() {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, "engine-restarted");
    let application = own("phoenix");
    let order = portal.order(DOCKER, "linux-vm", json!({ "application": application })).await;
    portal.until_started(&order, "setup").await;
    drop(lab.without("docker"));

    let deployment = portal.in_the_end(&order).await["deployment"].as_str().unwrap().to_owned();
    let made = lab.machines().into_iter().filter(|name| name.starts_with(&application)).count();
    assert_eq!(made, 1, "the machine exists once");
    portal.nothing_stays(&lab, &deployment, &before).await;
}

#[tokio::test]
async fn a_vcenter_that_forgot_a_machine_in_mid_clone_is_asked_for_it_again() {
    let lab = Lab::running();
    let before = lab.inventory();
    let portal = Portal::open(&lab, "vcenter-restarted");
    let application = own("amnesia");
    let order = portal.order(VCENTER, "linux-vm", json!({ "application": application })).await;
    portal.until_started(&order, "node").await;
    drop(lab.without("vcenter"));

    let deployment = portal.in_the_end(&order).await["deployment"].as_str().unwrap().to_owned();
    let made = lab.machines().into_iter().filter(|name| name.starts_with(&application)).count();
    assert_eq!(made, 1, "the machine exists once");
    portal.nothing_stays(&lab, &deployment, &before).await;
}
