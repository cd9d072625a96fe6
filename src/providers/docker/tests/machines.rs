//! A machine is made in three calls, each of which may be the last one that is heard of.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::first_boot::FirstBoot;
use domain::ports::machines::{MachineOrder, MachineState, Machines};
use domain::ports::provider_error::ProviderErrorKind;
use serde_json::{Value, json};

use super::engine::{Answer, Engine};
use crate::docker::{DockerMachines, MachineSettings};

pub(super) fn machines(engine: &Engine) -> DockerMachines {
    let settings = MachineSettings {
        engine: engine.settings(),
        name: "lab".to_owned(),
        network: "gatehouse".to_owned(),
        images: BTreeMap::from([("debian-12".to_owned(), "gatehouse/machine".to_owned())]),
        inner_engines: false,
    };
    DockerMachines::new(settings).expect("it is on this machine")
}

fn order() -> MachineOrder {
    MachineOrder {
        name: "shop-1".to_owned(),
        fqdn: "shop-1.example.org".to_owned(),
        address: Ipv4Addr::new(172, 30, 0, 7),
        image: "debian-12".to_owned(),
        cpu: 2,
        memory_gb: 1,
        disk_gb: 10,
        first_boot: FirstBoot { fqdn: "shop-1.example.org".to_owned(), agent: None },
    }
}

fn container(state: &str, key: &str) -> Value {
    json!([{
        "Id": "c1", "Names": ["/shop-1"], "State": state, "Created": 1_795_435_200,
        "Labels": { "org.gatehouse.key": key, "org.gatehouse.fqdn": "shop-1.example.org", "org.gatehouse.cpu": "2" },
        "NetworkSettings": { "Networks": { "gatehouse": { "IPAddress": "172.30.0.7" } } },
    }])
}

fn info() -> Answer {
    Answer::Json(200, json!({ "Name": "host-1", "NCPU": 2, "MemTotal": 8_i64 << 30 }))
}

/// An engine on which the container is in the state that follows from how many requests of a kind it has had.
fn engine_with(
    state: impl Fn(usize, usize) -> Option<&'static str> + Send + Sync + 'static,
    create: fn() -> Answer,
) -> impl Fn(&str) -> Answer + Send + Sync {
    let (creates, starts) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    move |request| match request.split('?').next().unwrap_or_default() {
        "GET /info" => info(),
        "GET /containers/json" => match state(creates.load(Ordering::SeqCst), starts.load(Ordering::SeqCst)) {
            Some(state) => Answer::Json(200, container(state, "key-1")),
            None => Answer::Json(200, json!([])),
        },
        "POST /containers/create" => {
            creates.fetch_add(1, Ordering::SeqCst);
            create()
        }
        "PUT /containers/c1/archive" => Answer::Text(200, ""),
        "POST /containers/c1/start" => {
            starts.fetch_add(1, Ordering::SeqCst);
            Answer::Text(204, "")
        }
        _ => Answer::Text(404, "no such page"),
    }
}

fn as_asked(creates: usize, starts: usize) -> Option<&'static str> {
    match (creates, starts) {
        (0, _) => None,
        (_, 0) => Some("created"),
        _ => Some("running"),
    }
}

#[tokio::test]
async fn first_boot_data_is_handed_over_before_the_machine_starts() {
    let script = engine_with(as_asked, || Answer::Json(201, json!({ "Id": "c1", "Warnings": [] })));
    let engine = Engine::that(script).await;
    let machine = machines(&engine).create("key-1", &order()).await.expect("it is made");
    assert_eq!((machine.state, machine.address.as_str()), (MachineState::Running, "172.30.0.7"));
    assert_eq!((machine.host.as_str(), machine.cluster.as_str()), ("host-1", "lab"));
    let changes: Vec<String> = engine.asked().into_iter().filter(|request| !request.starts_with("GET")).collect();
    let wanted = ["POST /containers/create", "PUT /containers/c1/archive", "POST /containers/c1/start"];
    assert_eq!(changes, wanted);
}

#[tokio::test]
async fn a_machine_whose_creation_was_never_answered_is_driven_on_and_not_made_twice() {
    let engine = Engine::that(engine_with(as_asked, || Answer::Silence)).await;
    let machines = machines(&engine);
    let error = machines.create("key-1", &order()).await.expect_err("nothing was heard");
    assert_eq!(error.kind, ProviderErrorKind::Transient);
    let found = machines.find("key-1").await.expect("it answers").expect("it was made all the same");
    assert_eq!(found.state, MachineState::Stopped);
    let machine = machines.create("key-1", &order()).await.expect("it is driven on");
    assert_eq!(machine.state, MachineState::Running);
    assert_eq!(engine.asked().iter().filter(|request| request.contains("create")).count(), 1);
}

#[tokio::test]
async fn a_name_that_somebody_else_took_is_refused_and_one_that_a_twin_took_is_ours() {
    fn conflict() -> Answer {
        let what = "Conflict. The container name \"/shop-1\" is already in use by container \"c9\".";
        Answer::Json(409, json!({ "message": what }))
    }
    let foreign = Engine::that(engine_with(|_, _| None, conflict)).await;
    let error = machines(&foreign).create("key-1", &order()).await.expect_err("it is taken");
    assert_eq!(error.kind, ProviderErrorKind::Refused);
    assert!(error.what.contains("shop-1 stands already"), "{error}");

    let twin = Engine::that(engine_with(as_asked, conflict)).await;
    machines(&twin).create("key-1", &order()).await.expect("it is ours");
}

#[tokio::test]
async fn what_can_never_stand_here_is_refused_before_anything_is_made() {
    let engine = Engine::that(engine_with(|_, _| None, || Answer::Silence)).await;
    let large = MachineOrder { memory_gb: 16, ..order() };
    let error = machines(&engine).create("key-1", &large).await.expect_err("it is too large");
    assert_eq!(error.kind, ProviderErrorKind::Refused);
    let unknown = MachineOrder { image: "windows-95".to_owned(), ..order() };
    let error = machines(&engine).create("key-1", &unknown).await.expect_err("there is no such image");
    assert_eq!(error.kind, ProviderErrorKind::Permanent);
    assert!(error.next.contains("debian-12"), "{error}");
    assert!(engine.asked().iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn a_foreign_machine_is_never_destroyed() {
    let engine = Engine::that(|request| match request.split(' ').next() {
        Some("GET") => Answer::Json(200, container("running", "somebody-elses")),
        _ => Answer::Text(204, ""),
    })
    .await;
    let error = machines(&engine).destroy("c1", "key-1").await.expect_err("it is not ours");
    assert_eq!(error.kind, ProviderErrorKind::NotOurs);
    assert!(engine.asked().iter().all(|request| request.starts_with("GET")));
}
