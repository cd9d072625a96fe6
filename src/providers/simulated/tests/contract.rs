//! The contracts that every system behind a port keeps, kept by this one.

use domain::ports::balancer::MemberOrder;
use domain::ports::configuration::ConfigurationOrder;
use domain::ports::names::Names;
use serde_json::Map;

use super::{House, ports, small};

#[tokio::test]
async fn it_keeps_machines_as_every_hypervisor_does() {
    let house = House::at_once().await;
    test_contract::machines(&house.datacenter, small).await;
}

#[tokio::test]
async fn it_keeps_names_as_every_register_does() {
    test_contract::names(&House::at_once().await.datacenter).await;
}

#[tokio::test]
async fn it_configures_as_every_manager_does() {
    let house = House::at_once().await;
    let held = house.datacenter.reserve("name", "shop-1").await.unwrap();
    ports::machine(&house.datacenter, &held).await;
    let order = ConfigurationOrder { certname: held.fqdn, role: "tomcat".to_owned(), facts: Map::new() };
    test_contract::configuration(&house.datacenter, order, async || ()).await;
}

#[tokio::test]
async fn it_balances_as_every_balancer_does() {
    let house = House::at_once().await;
    let mut members: Vec<MemberOrder> = Vec::new();
    for name in ["shop-1", "shop-2", "shop-3"] {
        members.push(ports::configured(&house.datacenter, name, "tomcat").await);
    }
    let members = members.try_into().expect("there are three");
    test_contract::balancer(&house.datacenter, members, 8080).await;
}

#[tokio::test]
async fn it_keeps_spaces_as_every_platform_does() {
    test_contract::spaces(&House::at_once().await.datacenter).await;
}
