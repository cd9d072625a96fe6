//! Power cuts while real things are made: each exists once afterwards, and none is left behind.

use std::time::Duration;

use serde_json::json;

use crate::lab::{Lab, VCENTER};
use crate::portal::{Portal, own};

/// The power is cut this often, a little later after each start, so that it hits every stage of an order.
const CUTS: u32 = 8;
const BETWEEN_CUTS: Duration = Duration::from_millis(1_500);

/// Where the first process dies, beyond what a portal writes at its start, and how much further the next one comes.
const FIRST_BOUNDARY: u32 = 20;
const STRIDE: u32 = 3;

#[tokio::test]
async fn an_order_outlives_power_cuts_and_makes_everything_once() {
    let lab = Lab::running();
    let before = lab.inventory();
    let mut portal = Portal::open(&lab, "power-cuts");
    let application = own("cut");
    let order = portal.order(VCENTER, "scale-out-tomcat", json!({ "application": application })).await;
    for cut in 1..=CUTS {
        tokio::time::sleep(BETWEEN_CUTS * cut / 2).await;
        portal.cut_power();
    }
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    let made: Vec<String> = lab.machines().into_iter().filter(|name| name.starts_with(&application)).collect();
    assert_eq!(made.len(), 2, "each machine exists once: {made:?}");
    assert_eq!(lab.pools().difference(&before.pools).count(), 1, "one pool");
    portal.the_ledger_is_true(&lab, &deployment, &before).await;

    let retire = portal.ask(&format!("/deployments/{deployment}/retire"), json!({})).await;
    tokio::time::sleep(BETWEEN_CUTS).await;
    portal.cut_power();
    portal.fulfilled(&retire).await;
    assert_eq!(lab.inventory(), before, "nothing of it is left");
}

#[tokio::test]
async fn an_order_outlives_a_process_that_dies_at_one_boundary_after_another() {
    let lab = Lab::running();
    let before = lab.inventory();
    let mut portal = Portal::open(&lab, "boundaries");
    let order = portal.order(VCENTER, "linux-vm", json!({ "application": own("edge") })).await;
    let mut deaths = 0;
    while portal.dies_at(FIRST_BOUNDARY + deaths * STRIDE, &order).await {
        deaths += 1;
    }
    assert!(deaths > 3, "it died on its way: {deaths}");
    portal.cut_power();
    let deployment = portal.fulfilled(&order).await["deployment"].as_str().unwrap().to_owned();
    portal.nothing_stays(&lab, &deployment, &before).await;
}
