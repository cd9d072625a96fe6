//! Hypervisors.

use domain::ports::machines::{Machine, MachineOrder, MachineState, Machines};
use domain::ports::provider_error::ProviderErrorKind;

use crate::{Own, denied, seen};

/// Tells the contract of a hypervisor; `order` makes an order that it can fulfil for a machine of this name.
pub async fn machines(system: &dyn Machines, order: impl Fn(&str) -> MachineOrder) {
    let own = Own::new();
    let (key, name) = (own.key("machine"), own.name("contract"));
    let wanted = order(&name);
    assert_eq!(system.find(&key).await.unwrap(), None, "nothing carries a key that was never given");

    let begun = system.create(&key, &wanted).await.unwrap();
    assert_eq!((begun.key.as_str(), begun.name.as_str()), (key.as_str(), name.as_str()));
    let again = system.create(&key, &wanted).await.unwrap();
    assert_eq!(again.id, begun.id, "the same key means the same machine");

    let running = running(system, &key, &wanted).await;
    assert_eq!(running.id, begun.id);
    as_ordered(&running, &wanted);
    assert_eq!(system.describe(&running.id).await.unwrap().id, running.id);
    let of_that_name = system.list().await.unwrap().into_iter().filter(|machine| machine.name == name).count();
    assert_eq!(of_that_name, 1, "two orders with one key made one machine");

    let listed = system.list().await.unwrap().into_iter().find(|machine| machine.key == key);
    let listed = listed.expect("a look at all machines shows it with its key");
    assert_eq!((&listed.id, listed.state), (&running.id, MachineState::Running));
    assert!(!system.changes(None).await.unwrap().complete, "nobody knows what was before he first asked");

    foreign_hands_are_kept_off(system, &own, &running, &wanted).await;

    system.destroy(&running.id, &key).await.unwrap();
    system.destroy(&running.id, &key).await.unwrap();
    assert_eq!(system.find(&key).await.unwrap(), None, "what was destroyed is gone");
    let listed = system.list().await.unwrap();
    assert!(listed.iter().all(|machine| machine.key != key), "a look at all machines does not show it");
    denied(system.describe(&running.id).await, ProviderErrorKind::NotFound, "a machine that is gone is described");

    let anew = system.create(&key, &wanted).await.unwrap();
    assert_ne!(anew.id, running.id, "a machine that was destroyed can be made again");
    system.destroy(&anew.id, &key).await.unwrap();
}

async fn running(system: &dyn Machines, key: &str, wanted: &MachineOrder) -> Machine {
    seen("the machine runs", async || {
        let found = system.find(key).await?.expect("what was created is found by its key");
        if found.state == MachineState::Stopped {
            system.create(key, wanted).await?;
        }
        Ok((found.state == MachineState::Running).then_some(found))
    })
    .await
}

fn as_ordered(machine: &Machine, wanted: &MachineOrder) {
    assert_eq!(machine.name, wanted.name);
    assert_eq!(machine.fqdn, wanted.fqdn);
    assert_eq!(machine.address, wanted.address.to_string());
    assert_eq!(machine.image, wanted.image);
    assert_eq!((machine.cpu, machine.memory_gb), (wanted.cpu, wanted.memory_gb));
    for place in [&machine.cluster, &machine.host, &machine.datastore] {
        assert!(!place.is_empty(), "it is known where a machine stands");
    }
}

async fn foreign_hands_are_kept_off(system: &dyn Machines, own: &Own, machine: &Machine, wanted: &MachineOrder) {
    let foreign = own.key("somebody-elses");
    denied(system.create(&foreign, wanted).await, ProviderErrorKind::Refused, "a name that is taken is ordered");
    denied(system.destroy(&machine.id, &foreign).await, ProviderErrorKind::NotOurs, "somebody else destroys it");
    assert_eq!(system.describe(&machine.id).await.unwrap().state, MachineState::Running, "it was not touched");
}
