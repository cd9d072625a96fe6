//! What takes time takes it on the clock, and shows how far it is.

use chrono::TimeDelta;
use domain::ports::balancer::{Balancer, MemberHealth, MemberOrder, PoolOrder};
use domain::ports::configuration::{Configuration, ConfigurationOrder, ConfigurationState};
use domain::ports::container_host::{Container, ContainerHost};
use domain::ports::machines::{MachineState, Machines};
use domain::ports::names::Names;
use serde_json::Map;

use super::{House, small};

#[tokio::test]
async fn a_machine_builds_for_a_while_and_then_runs() {
    let house = House::paced(1.0).await;
    house.datacenter.reserve("n", "shop-1").await.unwrap();
    let machine = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap();
    assert_eq!(machine.state, MachineState::Building);
    house.clock.wind(machine.ready_at - chrono::DateTime::UNIX_EPOCH);
    let ready = Machines::describe(&house.datacenter, &machine.id).await.unwrap();
    assert_eq!(ready.state, MachineState::Running);
}

#[tokio::test]
async fn the_agent_reports_line_by_line() {
    let house = House::paced(1.0).await;
    let held = house.datacenter.reserve("n", "shop-1").await.unwrap();
    Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap();
    house.clock.wind(TimeDelta::minutes(1));
    let order = ConfigurationOrder { certname: held.fqdn, role: "tomcat".to_owned(), facts: Map::new() };
    let started = house.datacenter.apply("c", &order).await.unwrap();
    assert_eq!((started.state, started.lines.len()), (ConfigurationState::Running, 0));
    house.clock.wind((started.ends_at - started.started_at) / 2);
    let halfway = Configuration::find(&house.datacenter, "c").await.unwrap().unwrap();
    assert_eq!(halfway.state, ConfigurationState::Running);
    assert!((1..12).contains(&halfway.lines.len()), "{}", halfway.lines.len());
    house.clock.wind(TimeDelta::minutes(1));
    let ended = Configuration::find(&house.datacenter, "c").await.unwrap().unwrap();
    assert_eq!((ended.state, ended.lines.len()), (ConfigurationState::Applied, 12));
}

#[tokio::test]
async fn a_member_that_leaves_drains_before_it_is_gone() {
    let house = House::paced(1.0).await;
    let member = |n: u32| MemberOrder { name: format!("shop-{n}"), address: format!("10.20.0.{n}") };
    let order = PoolOrder {
        name: "shop".to_owned(),
        port: 8080,
        check: "GET /".to_owned(),
        members: vec![member(1), member(2)],
    };
    let pool = Balancer::create(&house.datacenter, "p", &order).await.unwrap();
    let draining = house.datacenter.set_members(&pool.id, "p", &[member(1)]).await.unwrap();
    assert_eq!(draining.members[1].health, MemberHealth::Draining);
    let again = house.datacenter.set_members(&pool.id, "p", &[member(1)]).await.unwrap();
    assert_eq!(again, draining);
    house.clock.wind(TimeDelta::minutes(1));
    let drained = Balancer::describe(&house.datacenter, &pool.id).await.unwrap();
    assert_eq!(drained.members.len(), 1);
}

#[tokio::test]
async fn a_restarted_container_has_another_id_and_some_are_started_behind_the_portals_back() {
    let house = House::at_once().await;
    let held = house.datacenter.reserve("n", "box-1").await.unwrap();
    Machines::create(&house.datacenter, "m", &small("box-1")).await.unwrap();
    let order = ConfigurationOrder { certname: held.fqdn.clone(), role: "docker".to_owned(), facts: Map::new() };
    house.datacenter.apply("c", &order).await.unwrap();

    let named = |containers: &[Container], name: &str| containers.iter().find(|it| it.name == name).cloned();
    house.clock.wind(TimeDelta::minutes(3));
    let listing = house.datacenter.containers(&held.fqdn).await.unwrap();
    let changed = || house.datacenter.changed(&held.fqdn, listing.asked_at);
    let waited = tokio::time::timeout(std::time::Duration::from_millis(100), changed()).await;
    assert!(waited.is_err(), "nothing has happened yet");
    let early = listing.containers.clone();
    house.clock.wind(TimeDelta::minutes(7));
    changed().await.unwrap();
    let later = house.datacenter.containers(&held.fqdn).await.unwrap().containers;
    let (before, after) = (named(&early, "report-batch").unwrap(), named(&later, "report-batch").unwrap());
    assert_ne!(before.id, after.id);
    assert_eq!(before.image_digest, after.image_digest);
    assert!(named(&early, "tmp-mysql").is_none() && named(&later, "tmp-mysql").is_some());
    assert_eq!(named(&early, "webshop-web-1"), named(&later, "webshop-web-1"));
}
