//! Machines of the house's tests, as they are built, and as their site shows them.

use chrono::{DateTime, TimeDelta};
use domain::ci::{Cause, CiChange, CiClass, Relation, Source};
use domain::deployment::{Deployment, DeploymentState, Lease};
use domain::ids::ProjectId;
use domain::ports::clock::Clock;
use domain::ports::machine_change::MachineChange;
use domain::ports::machines::{Machine, MachineState};
use domain::resource::{LedgerChange, Resource, ResourceState};
use domain::site::SIMULATED;
use serde_json::{Map, Value, json};

use super::House;
use crate::sighting;

fn machine(key: &str, name: &str) -> Machine {
    Machine {
        id: format!("vm-{name}"),
        key: key.into(),
        name: name.into(),
        fqdn: format!("{name}.example.org"),
        address: "10.0.0.7".into(),
        image: "debian-12".into(),
        cpu: 2,
        memory_gb: 4,
        disk_gb: 20,
        cluster: "cluster-1".into(),
        host: "esx-01".into(),
        datastore: "ds-1".into(),
        folder: "group-v3".into(),
        snapshots: 0,
        state: MachineState::Running,
        ready_at: DateTime::UNIX_EPOCH,
    }
}

/// A deployment of one machine that stands, in the ledger and in the CMDB.
pub(crate) async fn built(house: &House, project: ProjectId, name: &str) -> Deployment {
    let deployment = deployment(house, project, name);
    let (key, now) = (format!("{}/node", deployment.id), house.clock.now());
    let row = Resource {
        id: store::fresh_id(),
        deployment: deployment.id,
        run: store::fresh_id(),
        step_key: "node".into(),
        key: key.clone(),
        kind: "machine".into(),
        provider: "machines".into(),
        name: name.into(),
        native_id: None,
        attributes: Value::Null,
        state: ResourceState::Intended,
        made_on: None,
        tied_to: Vec::new(),
        intended_at: now,
        live_at: None,
        gone_at: None,
    };
    let live = LedgerChange::Live {
        key: key.clone(),
        native_id: format!("vm-{name}"),
        attributes: json!({ "cpu": 2, "memory_gb": 4 }),
    };
    let of_server = json!({ "fqdn": format!("{name}.example.org"), "address": "10.0.0.7", "cpu": 2, "memory_gb": 4 });
    let mut of_machine = of_server.clone();
    of_machine["native_id"] = json!(format!("vm-{name}"));
    of_machine["site"] = json!(SIMULATED);
    of_machine["host"] = json!("esx-01");
    let (machine, server) = (format!("{key}/machine"), format!("{key}/server"));
    let declared = [
        declare(&machine, CiClass::VirtualMachine, name, of_machine),
        declare(&server, CiClass::Server, &format!("{name}.example.org"), of_server),
        CiChange::Relate { from: server, relation: Relation::Instantiates, to: machine },
    ];
    let cause = Cause {
        source: Source::Workflow,
        project,
        deployment: Some(deployment.id),
        run: None,
        step: None,
        platform: Some("ops-linux".into()),
        application: Some("shop-team".into()),
        at: now,
    };
    let tx = house.app.store.begin().await.expect("a transaction");
    store::deployment::insert(&tx, &deployment).await.expect("it is written");
    store::resource::intend(&tx, &[&row]).await.expect("it is written");
    store::resource::apply(&tx, deployment.id, &[live], now).await.expect("it is written");
    store::ci::apply(&tx, &declared, &cause).await.expect("it is written");
    tx.commit().await.expect("it commits");
    deployment
}

fn declare(key: &str, class: CiClass, name: &str, attributes: Value) -> CiChange {
    let attributes = serde_json::from_value(attributes).expect("it is an object");
    CiChange::Declare { key: key.into(), class, name: name.into(), attributes }
}

fn deployment(house: &House, project: ProjectId, name: &str) -> Deployment {
    let now = house.clock.now();
    let until = now + TimeDelta::days(90);
    Deployment {
        id: store::fresh_id(),
        project,
        site: SIMULATED.into(),
        request: store::fresh_id(),
        owner: store::fresh_id(),
        name: name.into(),
        blueprint: "linux-vm".into(),
        version: "1.0.0".into(),
        title: "Linux machine".into(),
        params: Map::new(),
        next_params: None,
        platform: "ops-linux".into(),
        application: "shop-team".into(),
        state: DeploymentState::Live,
        lease: Lease { until, longest_until: until, grace_days: 7, warned_at: None },
        created_at: now,
        built_at: Some(now),
        ended_at: None,
    }
}

/// Its machine, as its site shows it.
pub(crate) fn standing_of(deployment: &Deployment) -> Machine {
    machine(&format!("{}/node", deployment.id), &deployment.name)
}

/// A look at the site that shows these machines.
pub(crate) async fn look(house: &House, there: &[Machine], news: &[MachineChange]) {
    let before = store::sighting::machines(&house.app.store, SIMULATED).await.expect("it answers");
    sighting::record(&house.app, SIMULATED, &before, there, news).await.expect("it is recorded");
}
