//! Machines on the lab's engine.

use std::time::Duration;

use domain::ports::clock::Clock;
use domain::ports::machine_change::{Changes, MachineChange, MachineEvent};
use domain::ports::machines::{MachineOrder, MachineState, Machines};
use domain::ports::provider_error::ProviderErrorKind;
use domain::ports::survey::{Standing, Survey};
use tokio::time::timeout;

use super::{address, docker, lab, machines, order, over_socket, over_tls, spaces, text, unique, until};
use crate::clock::SystemClock;

#[tokio::test]
async fn it_keeps_machines_as_every_hypervisor_does() {
    test_contract::machines(&machines(over_socket()), |name| order(name, address(1))).await;
}

#[tokio::test]
async fn it_keeps_machines_as_every_hypervisor_does_over_tls() {
    test_contract::machines(&machines(over_tls()), |name| order(name, address(2))).await;
}

#[tokio::test]
async fn a_machine_boots_with_its_address_its_name_and_what_it_was_told() {
    let (machines, name) = (machines(over_socket()), unique("boots"));
    let machine = machines.create(&name, &order(&name, address(3))).await.expect("it is made");
    let inside = |words: &[&str]| docker(&[&["exec", &name], words].concat());
    until("cloud-init is done", || inside(&["cat", "/var/lib/cloud/data/result.json"]).ok()).await;
    assert_eq!(inside(&["cat", "/var/lib/cloud/data/instance-id"]).as_deref(), Ok(machine.id.as_str()));
    assert_eq!(inside(&["hostname", "--fqdn"]), Ok(format!("{name}.lab.test")));
    let told = inside(&["cat", "/var/lib/cloud/instance/user-data.txt"]).expect("it can be read");
    assert!(told.starts_with("#cloud-config") && told.contains(&name), "{told}");
    let mode = inside(&["stat", "-c", "%a %U", "/var/lib/cloud/seed/nocloud/user-data"]);
    assert_eq!(mode.as_deref(), Ok("600 root"), "others on the machine can't read it");
    let addresses = inside(&["ip", "-4", "-o", "address"]).expect("it can be read");
    assert!(addresses.contains(&format!("{}/", address(3))), "{addresses}");
    machines.destroy(&machine.id, &name).await.expect("it is destroyed");
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={name}")]).as_deref(), Ok(""));
}

#[tokio::test]
async fn a_machine_that_was_left_behind_half_made_or_switched_off_is_driven_on() {
    let (machines, name) = (machines(over_socket()), unique("half"));
    let (network, address) = (text(&lab()["docker"]["network"]), address(4));
    let label = format!("org.gatehouse.key={name}");
    let place = ["--network", &network, "--ip", &address.to_string()].map(str::to_owned);
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    let made = [&["create", "--name", &name, "--label", &label], place.as_slice(), &["gatehouse/machine"]].concat();
    let id = docker(&made).expect("it is created");

    let found = machines.find(&name).await.expect("it answers").expect("it is there");
    assert_eq!((found.id.as_str(), found.state), (id.as_str(), MachineState::Stopped));
    let running = machines.create(&name, &order(&name, address)).await.expect("it is driven on");
    assert_eq!((running.id.as_str(), running.state), (id.as_str(), MachineState::Running));
    let seed = docker(&["exec", &name, "cat", "/var/lib/cloud/seed/nocloud/meta-data"]).expect("it was handed over");
    assert!(seed.contains(&id), "{seed}");

    docker(&["kill", &name]).expect("somebody switches it off");
    let found = machines.find(&name).await.expect("it answers").expect("it is there");
    assert_eq!(found.state, MachineState::Stopped);
    let running = machines.create(&name, &order(&name, address)).await.expect("it is switched on");
    assert_eq!(running.state, MachineState::Running);
    machines.destroy(&id, &name).await.expect("it is destroyed");
}

#[tokio::test]
async fn an_address_that_is_taken_and_an_image_that_is_missing_are_told_as_such() {
    let (machines, first, second) = (machines(over_socket()), unique("first"), unique("second"));
    let there = machines.create(&first, &order(&first, address(5))).await.expect("it is made");
    let error = machines.create(&second, &order(&second, address(5))).await.expect_err("the address is taken");
    assert_eq!(error.kind, ProviderErrorKind::Refused, "{error}");
    assert!(error.what.contains("ddress already in use"), "{error}");
    let left = machines.find(&second).await.expect("it answers").expect("it stands and waits");
    assert_eq!(left.state, MachineState::Stopped);
    for (id, key) in [(&left.id, &second), (&there.id, &first)] {
        machines.destroy(id, key).await.expect("it is destroyed");
    }
    let lost = MachineOrder { image: "lost".to_owned(), ..order(&second, address(5)) };
    let error = machines.create(&second, &lost).await.expect_err("the engine has no such image");
    assert_eq!(error.kind, ProviderErrorKind::NotFound, "{error}");
    assert!(error.what.contains("gatehouse/lost") && error.next.contains("Pull"), "{error}");
}

#[tokio::test]
async fn a_survey_names_what_orders_need_and_what_of_it_is_missing() {
    let lines = machines(over_tls()).survey(SystemClock.now()).await.expect("the engine answers");
    let standing = |what: &str| lines.iter().find(|line| line.what.contains(what)).expect("it is told").standing;
    assert_eq!(standing("Docker engine at tcp://"), Standing::There);
    assert_eq!(standing("network gatehouse"), Standing::There);
    assert_eq!(standing("image debian-12"), Standing::There);
    assert_eq!(standing("image lost"), Standing::Missing);
    // The lab's certificates are good for 30 days, which is just too short for a site.
    assert_eq!(standing("client certificate"), Standing::Missing);
    assert_eq!(spaces().survey(SystemClock.now()).await.expect("the engine answers").len(), 1);
}

#[tokio::test]
async fn what_somebody_does_to_a_machine_is_told_and_what_we_do_is_not() {
    let (machines, name) = (machines(over_socket()), unique("watched"));
    let first = machines.changes(None).await.expect("it answers");
    assert!(!first.complete && first.changes.is_empty(), "before the first look nothing is known: {first:?}");
    let machine = machines.create(&name, &order(&name, address(8))).await.expect("it is made");
    let made = machines.changes(first.cursor.as_deref()).await.expect("it answers");
    assert!(made.changes.iter().all(|change| change.key != name), "that was us: {made:?}");
    let mut cursor = made.cursor;
    let other = format!("{name}-x");
    let deeds = [
        (vec!["stop", "-t", "1", &name], MachineEvent::Stopped),
        (vec!["start", &name], MachineEvent::Started),
        (vec!["rename", &name, &other], MachineEvent::Renamed { before: name.clone() }),
        (vec!["rm", "-f", &machine.id], MachineEvent::Vanished),
    ];
    for (deed, event) in deeds {
        // What is under way elsewhere on this engine is told, too.
        let of_ours = |changes: &Changes| -> Vec<MachineChange> {
            changes.changes.iter().filter(|change| change.key == name).cloned().collect()
        };
        docker(&deed).expect("somebody does it");
        let told = timeout(Duration::from_secs(15), async {
            loop {
                let changes = machines.changes(cursor.as_deref()).await.expect("it answers");
                cursor = changes.cursor.clone();
                assert!(changes.complete);
                let told = of_ours(&changes);
                if !told.is_empty() {
                    return told;
                }
            }
        });
        let told = told.await.expect("it is told in time");
        assert!(told.len() == 1 && told[0].event == event, "{deed:?} is told alone: {told:?}");
        assert_eq!(told[0].id, machine.id);
    }
}
