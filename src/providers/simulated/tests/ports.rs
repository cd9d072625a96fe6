//! Every port: create, find by key, adopt, refuse what is foreign, remove twice.

use domain::ports::balancer::{Balancer, MemberHealth, MemberOrder, PoolOrder};
use domain::ports::configuration::{Configuration, ConfigurationOrder, ConfigurationState};
use domain::ports::container_host::ContainerHost;
use domain::ports::datacenter::DatacenterControls;
use domain::ports::machines::{MachineOrder, MachineState, Machines};
use domain::ports::names::{NameReservation, Names};
use domain::ports::probe::Probe;
use domain::ports::provider_error::ProviderErrorKind;
use domain::ports::spaces::{SpaceOrder, SpaceQuota, Spaces};
use serde_json::{Map, json};

use super::{Datacenter, House, small};

/// A machine of the reserved name.
pub(super) async fn machine(datacenter: &Datacenter, held: &NameReservation) {
    let order = MachineOrder { address: held.address.parse().unwrap(), ..small(&held.name) };
    Machines::create(datacenter, &format!("machine-{}", held.name), &order).await.unwrap();
}

/// A machine with the role, ready to serve.
pub(super) async fn configured(datacenter: &Datacenter, name: &str, role: &str) -> MemberOrder {
    let held = Names::reserve(datacenter, &format!("name-of-{name}"), name).await.unwrap();
    machine(datacenter, &held).await;
    let order = ConfigurationOrder { certname: held.fqdn, role: role.to_owned(), facts: Map::new() };
    datacenter.apply(&format!("node-{name}"), &order).await.unwrap();
    MemberOrder { name: name.to_owned(), address: held.address }
}

#[tokio::test]
async fn a_name_is_held_once_per_key_and_given_back_once() {
    let house = House::at_once().await;
    let names: &dyn Names = &house.datacenter;
    assert_eq!(names.preview("shop-test-{n}", 2).await.unwrap(), ["shop-test-1", "shop-test-2"]);
    let first = names.reserve("key-1", "shop-test-{n}").await.unwrap();
    assert_eq!(names.reserve("key-1", "shop-test-{n}").await.unwrap(), first);
    let second = names.reserve("key-2", "shop-test-{n}").await.unwrap();
    assert_eq!((first.name.as_str(), second.name.as_str()), ("shop-test-1", "shop-test-2"));
    assert_ne!(first.address, second.address);
    assert_eq!(names.find("key-2").await.unwrap(), Some(second));

    let foreign = names.release(&first.id, "somebody-elses").await.unwrap_err();
    assert_eq!(foreign.kind, ProviderErrorKind::NotOurs);
    names.release(&first.id, "key-1").await.unwrap();
    names.release(&first.id, "key-1").await.unwrap();
    assert_eq!(names.find("key-1").await.unwrap(), None);
    assert_eq!(names.preview("shop-test-{n}", 1).await.unwrap(), ["shop-test-1"]);
}

#[tokio::test]
async fn what_is_no_host_name_and_what_is_taken_is_refused() {
    let house = House::at_once().await;
    let names: &dyn Names = &house.datacenter;
    names.reserve("key-1", "shop-db").await.unwrap();
    assert_eq!(names.reserve("key-2", "shop-db").await.unwrap_err().kind, ProviderErrorKind::Refused);
    for pattern in ["", "Shop", "shop_db", "-shop", "shop-", "shöp", &"x".repeat(64)] {
        assert_eq!(names.reserve("key-3", pattern).await.unwrap_err().kind, ProviderErrorKind::Permanent, "{pattern}");
    }
}

#[tokio::test]
async fn a_machine_is_made_once_per_key_and_destroyed_only_with_it() {
    let house = House::at_once().await;
    let machines: &dyn Machines = &house.datacenter;
    let held = house.datacenter.reserve("n", "shop-1").await.unwrap();
    let machine = machines.create("key-1", &small("shop-1")).await.unwrap();
    assert_eq!(machines.create("key-1", &small("shop-1")).await.unwrap(), machine);
    assert_eq!((&machine.fqdn, &machine.address), (&held.fqdn, &held.address));
    assert_eq!(machine.state, MachineState::Running);
    assert_eq!(machines.list().await.unwrap().len(), 1);

    assert_eq!(machines.create("key-2", &small("shop-1")).await.unwrap_err().kind, ProviderErrorKind::Refused);
    assert_eq!(machines.destroy(&machine.id, "key-2").await.unwrap_err().kind, ProviderErrorKind::NotOurs);
    machines.destroy(&machine.id, "key-1").await.unwrap();
    machines.destroy(&machine.id, "key-1").await.unwrap();
    assert_eq!(machines.find("key-1").await.unwrap(), None);
    assert_eq!(machines.describe(&machine.id).await.unwrap_err().kind, ProviderErrorKind::NotFound);
}

#[tokio::test]
async fn machines_spread_over_the_hosts_until_none_has_room() {
    let house = House::at_once().await;
    for n in 1..=4 {
        house.datacenter.reserve(&format!("n{n}"), "big-{n}").await.unwrap();
        let mut order = small(&format!("big-{n}"));
        order.memory_gb = 928;
        Machines::create(&house.datacenter, &format!("m{n}"), &order).await.unwrap();
    }
    let loads = house.datacenter.overview().await.unwrap().hosts;
    assert!(loads.iter().all(|load| load.machines == 1), "{loads:?}");
    let mut order = small("big-5");
    order.memory_gb = 97;
    let full = Machines::create(&house.datacenter, "m5", &order).await.unwrap_err();
    assert_eq!(full.kind, ProviderErrorKind::Refused);
    assert!(full.what.contains("97 GB of memory are needed, its emptiest host has 96 GB"), "{}", full.what);
}

#[tokio::test]
async fn a_configuration_run_reports_what_it_changed_and_is_not_repeated() {
    let house = House::at_once().await;
    let configuration: &dyn Configuration = &house.datacenter;
    let member = configured(&house.datacenter, "shop-1", "tomcat").await;
    let node = configuration.find("node-shop-1").await.unwrap().unwrap();
    assert_eq!(node.state, ConfigurationState::Applied);
    assert_eq!((node.resources, node.changed, node.failed), (130, 12, 0));
    assert!(node.lines.iter().any(|line| line.resource == "Package[tomcat10]"));

    let order = ConfigurationOrder { certname: node.certname.clone(), role: "tomcat".to_owned(), facts: Map::new() };
    assert_eq!(configuration.apply("node-shop-1", &order).await.unwrap(), node);
    assert_eq!(configuration.apply("another", &order).await.unwrap_err().kind, ProviderErrorKind::NotOurs);
    assert_eq!(configuration.purge(&node.id, "another").await.unwrap_err().kind, ProviderErrorKind::NotOurs);
    configuration.purge(&node.id, "node-shop-1").await.unwrap();
    configuration.purge(&node.id, "node-shop-1").await.unwrap();
    assert_eq!(configuration.find("node-shop-1").await.unwrap(), None);
    assert!(!member.address.is_empty());
}

#[tokio::test]
async fn a_run_that_fails_says_where_and_is_started_again_with_other_facts() {
    let house = House::at_once().await;
    configured(&house.datacenter, "shop-1", "base").await;
    let certname = "shop-1.dc1.example.org".to_owned();
    let facts = |version: &str| json!({ "tomcat_version": version }).as_object().cloned().unwrap();
    let mut order = ConfigurationOrder { certname, role: "tomcat".to_owned(), facts: facts("4.1") };
    let broken = house.datacenter.apply("node-shop-1", &order).await.unwrap();
    assert_eq!((broken.state, broken.failed), (ConfigurationState::Failed, 1));
    let last = broken.lines.last().unwrap();
    assert_eq!((last.level.as_str(), last.resource.as_str()), ("err", "Package[tomcat10]"));
    assert!(last.message.contains("4.1 is in no package source; there are 9.0, 10.1, 11.0"), "{}", last.message);

    order.facts = facts("10.1");
    let mended = house.datacenter.apply("node-shop-1", &order).await.unwrap();
    assert_eq!((mended.state, mended.id), (ConfigurationState::Applied, broken.id));
}

#[tokio::test]
async fn only_a_running_machine_and_a_known_role_can_be_configured() {
    let house = House::at_once().await;
    let mut order = ConfigurationOrder { certname: "nobody".to_owned(), role: "tomcat".to_owned(), facts: Map::new() };
    assert_eq!(house.datacenter.apply("k", &order).await.unwrap_err().kind, ProviderErrorKind::NotFound);
    order.role = "tomkat".to_owned();
    let unknown = house.datacenter.apply("k", &order).await.unwrap_err();
    assert_eq!(unknown.next, "Choose one of base, tomcat, docker, postgresql, mariadb.");
}

#[tokio::test]
async fn a_pool_answers_as_long_as_one_member_serves() {
    let house = House::at_once().await;
    let balancer: &dyn Balancer = &house.datacenter;
    let tomcat = configured(&house.datacenter, "shop-1", "tomcat").await;
    let database = configured(&house.datacenter, "shop-2", "postgresql").await;
    let order = PoolOrder {
        name: "shop".to_owned(),
        port: 8080,
        check: "GET /".to_owned(),
        members: vec![tomcat.clone(), database.clone()],
    };
    let pool = balancer.create("pool-key", &order).await.unwrap();
    assert_eq!(balancer.create("pool-key", &order).await.unwrap(), pool);
    assert_eq!(balancer.create("another", &order).await.unwrap_err().kind, ProviderErrorKind::Refused);
    let health: Vec<MemberHealth> = pool.members.iter().map(|member| member.health).collect();
    assert_eq!(health, [MemberHealth::Up, MemberHealth::Down]);

    let url = format!("http://{}:8080/", pool.address);
    assert_eq!(house.datacenter.get(&url).await.unwrap().status, 200);
    balancer.set_members(&pool.id, "pool-key", &[database]).await.unwrap();
    assert_eq!(house.datacenter.get(&url).await.unwrap().status, 503);
    assert_eq!(house.datacenter.get("http://10.99.0.1/").await.unwrap_err().kind, ProviderErrorKind::NotFound);

    assert_eq!(balancer.set_members(&pool.id, "x", &[]).await.unwrap_err().kind, ProviderErrorKind::NotOurs);
    assert_eq!(balancer.delete(&pool.id, "x").await.unwrap_err().kind, ProviderErrorKind::NotOurs);
    balancer.delete(&pool.id, "pool-key").await.unwrap();
    balancer.delete(&pool.id, "pool-key").await.unwrap();
    assert_eq!(balancer.find("pool-key").await.unwrap(), None);
    assert_eq!(balancer.describe(&pool.id).await.unwrap_err().kind, ProviderErrorKind::NotFound);
}

#[tokio::test]
async fn a_space_is_made_once_and_its_quota_can_change() {
    let house = House::at_once().await;
    let spaces: &dyn Spaces = &house.datacenter;
    let quota = SpaceQuota { cpu: 4, memory_gb: 8, containers: 20, storage_gb: 50 };
    let order =
        SpaceOrder { organisation: "northwind".to_owned(), project: "shop".to_owned(), name: "dev".to_owned(), quota };
    let space = spaces.create("key-1", &order).await.unwrap();
    assert_eq!(spaces.create("key-1", &order).await.unwrap(), space);
    assert!(space.endpoint.ends_with("/spaces/northwind/shop/dev"));
    assert_eq!(spaces.create("key-2", &order).await.unwrap_err().kind, ProviderErrorKind::Refused);

    let larger = SpaceQuota { cpu: 8, ..quota };
    assert_eq!(spaces.set_quota(&space.id, "key-1", larger).await.unwrap().quota, larger);
    assert_eq!(spaces.set_quota(&space.id, "x", larger).await.unwrap_err().kind, ProviderErrorKind::NotOurs);
    assert_eq!(spaces.delete(&space.id, "x").await.unwrap_err().kind, ProviderErrorKind::NotOurs);
    spaces.delete(&space.id, "key-1").await.unwrap();
    spaces.delete(&space.id, "key-1").await.unwrap();
    assert_eq!(spaces.find("key-1").await.unwrap(), None);
}

#[tokio::test]
async fn only_a_docker_machine_has_an_engine_that_lists_containers() {
    let house = House::at_once().await;
    configured(&house.datacenter, "shop-1", "tomcat").await;
    configured(&house.datacenter, "box-1", "docker").await;
    let hosts: &dyn ContainerHost = &house.datacenter;
    assert_eq!(hosts.engine("shop-1.dc1.example.org").await.unwrap_err().kind, ProviderErrorKind::NotFound);
    let engine = hosts.engine("box-1.dc1.example.org").await.unwrap();
    assert_eq!(engine.version, "27.5.1");
    let listing = hosts.containers("box-1.dc1.example.org").await.unwrap();
    assert!(listing.complete);
    assert!(listing.containers.iter().any(|container| container.compose_service.as_deref() == Some("web")));
}
