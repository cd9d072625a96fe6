//! The life of a deployment: ordered, approved, built, changed, retired; and what nobody but its people may do.

use app::deployment::Details;
use app::request::What;
use domain::ci::Lifecycle;
use domain::deployment::DeploymentState;
use domain::ids::DeploymentId;
use domain::person::Principal;
use domain::ports::datacenter::{Fault, Operation};
use domain::resource::ResourceState;
use domain::run::RunState;
use domain::trouble::Kind;
use engine::mend::By;
use serde_json::{Value, json};

use crate::house::House;

fn standing(it: &Details, kind: &str) -> usize {
    it.resources.iter().filter(|row| row.kind == kind && row.state == ResourceState::Live).count()
}

fn operational(it: &Details) -> usize {
    it.cis.iter().filter(|ci| ci.lifecycle == Lifecycle::Operational).count()
}

/// Objects in the datacenter, of all kinds.
async fn objects(house: &House) -> usize {
    house.app.datacenter.as_ref().unwrap().overview().await.unwrap().objects.len()
}

async fn two_tomcats(house: &House, rita: &Principal) -> DeploymentId {
    let request = house.order(rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.approve("Adam").await;
    house.when(rita, request.deployment, DeploymentState::Live).await.deployment.id
}

async fn scale(house: &House, rita: &Principal, deployment: DeploymentId, nodes: u32) {
    let parameters = json!({ "nodes": nodes }).as_object().cloned().unwrap();
    house.ask(rita, What::Action { deployment, action: "scale".to_owned(), parameters }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tomcats_are_ordered_approved_built_grown_shrunk_and_retired() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;

    let built = app::deployment::show(&house.app, &rita, id).await.unwrap();
    assert_eq!((standing(&built, "machine"), standing(&built, "pool"), standing(&built, "name")), (2, 1, 2));
    assert_eq!(built.deployment.name, "shop-test");
    assert!(built.monthly.cents > 0 && built.deployment.built_at.is_some());
    // Per machine: machine, server, Tomcat, member; then the pool's service and the application's.
    assert_eq!(operational(&built), 2 * 4 + 2, "{:#?}", built.cis);
    assert!(built.cis.iter().all(|ci| ci.platform.is_some() && ci.application.is_some()));
    let made = objects(&house).await;

    scale(&house, &rita, id, 3).await;
    house.approve("Adam").await;
    let grown = house.until_machines(&rita, id, 3).await;
    assert_eq!((operational(&grown), &grown.deployment.params["nodes"]), (3 * 4 + 2, &json!(3)));
    assert!(grown.monthly.cents > built.monthly.cents);

    scale(&house, &rita, id, 2).await;
    let shrunk = house.until_machines(&rita, id, 2).await;
    assert_eq!((operational(&shrunk), &shrunk.deployment.params["nodes"]), (2 * 4 + 2, &json!(2)));
    assert_eq!((shrunk.monthly, objects(&house).await), (built.monthly, made));

    house.ask(&rita, What::Retire { deployment: id }).await;
    let retired = house.when(&rita, id, DeploymentState::Retired).await;
    assert_eq!((operational(&retired), objects(&house).await, retired.monthly.cents), (0, 0, 0));
    assert!(retired.resources.iter().all(|row| row.state == ResourceState::Gone));
    assert_eq!(retired.runs.len(), 4);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_offering_is_built_and_retired_without_a_trace() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let orders: [(&str, Value, &[&str]); 4] = [
        ("linux-vm", json!({ "application": "tools" }), &[]),
        ("sql-database-vm", json!({ "application": "orders" }), &[]),
        ("docker-machine", json!({ "application": "crates" }), &["Clara"]),
        ("container-space", json!({ "name": "dev" }), &[]),
    ];
    for (blueprint, parameters, approvers) in orders {
        let request = house.order(&rita, blueprint, parameters).await;
        for approver in approvers {
            house.approve(approver).await;
        }
        let built = house.when(&rita, request.deployment, DeploymentState::Live).await;
        assert!(operational(&built) >= 2, "{blueprint}: {:#?}", built.cis);
        house.ask(&rita, What::Retire { deployment: request.deployment }).await;
        let retired = house.when(&rita, request.deployment, DeploymentState::Retired).await;
        assert_eq!((operational(&retired), objects(&house).await), (0, 0), "{blueprint}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_silence_make_neither_twins_nor_orphans() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let datacenter = house.app.datacenter.clone().unwrap();
    for operation in
        [Operation::NameReserve, Operation::MachineCreate, Operation::ConfigurationApply, Operation::PoolCreate]
    {
        datacenter.arm(operation, Fault::LoseAnswer, Some(1)).await.unwrap();
        datacenter.arm(operation, Fault::TimeOut, Some(1)).await.unwrap();
    }
    let id = two_tomcats(&house, &rita).await;
    let built = app::deployment::show(&house.app, &rita, id).await.unwrap();
    assert_eq!((standing(&built, "machine"), objects(&house).await), (2, 7));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_clone_pauses_the_run_and_a_new_try_goes_on() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let otto = house.person("Otto").await;
    let datacenter = house.app.datacenter.clone().unwrap();
    datacenter.arm(Operation::MachineCreate, Fault::Refuse, Some(1)).await.unwrap();
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let paused = house.when_paused(&rita, request.deployment).await;
    assert_eq!(paused.deployment.state, DeploymentState::Building);
    assert!(paused.runs[0].why.as_deref().unwrap_or_default().contains("refused"), "{:?}", paused.runs[0].why);
    assert_eq!(standing(&paused, "name"), 1, "what was built is kept");

    let tx = house.app.store.begin().await.unwrap();
    let by = By { name: &otto.name, reason: "" };
    house.app.engine.retry(&tx, paused.runs[0].id, "node", None, &by).await.unwrap();
    tx.commit().await.unwrap();
    house.app.engine.wake(paused.runs[0].id);
    let built = house.when(&rita, request.deployment, DeploymentState::Live).await;
    assert_eq!((standing(&built, "machine"), built.runs[0].state), (1, RunState::Done));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_does_not_exist_for_another_tenant_and_only_requesters_change_it() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let id = request.deployment;
    house.when(&rita, id, DeploymentState::Live).await;

    let carlo = house.person("Carlo").await;
    assert_eq!(app::deployment::show(&house.app, &carlo, id).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(app::deployment::prolong(&house.app, &carlo, id, 30).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(app::deployment::to_change(&house.app, &carlo, id).await.unwrap_err().kind, Kind::NotFound);

    let audrey = house.person("Audrey").await;
    assert!(!app::deployment::show(&house.app, &audrey, id).await.unwrap().may_act);
    assert_eq!(app::deployment::prolong(&house.app, &audrey, id, 30).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(app::deployment::to_change(&house.app, &audrey, id).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(app::datacenter::overview(&house.app, &rita).await.unwrap_err().kind, Kind::NotFound);

    let before = app::deployment::show(&house.app, &rita, id).await.unwrap().deployment.lease.until;
    let after = app::deployment::prolong(&house.app, &rita, id, 30).await.unwrap().lease.until;
    assert_eq!((after - before).num_days(), 30);
    assert_eq!(app::deployment::prolong(&house.app, &rita, id, 0).await.unwrap_err().kind, Kind::Invalid);
    house.close().await;
}
