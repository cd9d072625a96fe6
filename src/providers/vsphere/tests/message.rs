//! Messages as they go over the wire: answers recorded from vCenter's simulator, and requests held against the schema.

use domain::ports::machine_change::MachineEvent;
use serde::de::DeserializeOwned;

use super::super::inventory::{Inventory, KEY, Seen, TaskEnd};
use super::super::method::{InstantClone, Many, Maybe, One};
use super::super::soap;
use super::super::spec::{InstantCloneSpec, OptionSet, RelocateSpec};
use super::super::vim::{
    Device, EntityPrivilege, Moref, RetrieveResult, ServiceContent, UpdateSet, UserSession, VimEvent,
};

fn read<T: DeserializeOwned>(recorded: &str) -> T {
    soap::reply(recorded).expect("it can be read")
}

/// The inventory after these updates, with what they meant for machines.
fn followed(recorded: &[&str]) -> (Inventory, Vec<MachineEvent>) {
    let mut inventory = Inventory::default();
    let mut events = Vec::new();
    for message in recorded {
        let set = read::<Maybe<UpdateSet>>(message).returnval.expect("something changed");
        for update in set.filter_set.iter().flat_map(|filter| &filter.object_set) {
            events.extend(inventory.apply(update).into_iter().map(|noted| noted.event));
        }
    }
    (inventory, events)
}

#[test]
fn signing_in_is_understood() {
    let content = read::<One<ServiceContent>>(include_str!("recorded/service_content.xml")).returnval;
    assert_eq!(content.session_manager, Moref::new("SessionManager", "SessionManager"));
    assert!(content.about.full_name.starts_with("VMware vCenter Server"));
    assert!(!read::<One<UserSession>>(include_str!("recorded/login.xml")).returnval.key.is_empty());
}

#[test]
fn a_machine_is_read_with_what_we_wrote_on_it() {
    let answer = read::<Maybe<RetrieveResult>>(include_str!("recorded/machine.xml")).returnval.unwrap();
    let mut seen = Seen::default();
    for property in &answer.objects[0].prop_set {
        seen.take(&property.name, Some(&property.val));
    }
    assert_eq!((seen.name.as_str(), seen.running, seen.snapshots), ("shop-1", true, 1));
    assert_eq!((seen.key(), seen.mark("gatehouse.fqdn")), ("run/1/node", Some("shop-1.example.org")));
    assert_eq!((seen.address.as_deref(), seen.cpu, seen.memory_mb), (Some("10.0.0.7"), 1, 32));
    assert!(seen.host.is_some() && seen.datastore.is_some() && seen.configured);
    let none = read::<Maybe<RetrieveResult>>(include_str!("recorded/no_machine.xml")).returnval.unwrap();
    assert!(none.objects.is_empty());
}

#[test]
fn the_devices_of_a_machine_are_read() {
    let answer = read::<Maybe<RetrieveResult>>(include_str!("recorded/devices.xml")).returnval.unwrap();
    let devices = &answer.objects[0].value("config.hardware.device").unwrap().devices;
    let disk = devices.iter().find(|device| device.kind == "VirtualDisk").unwrap();
    assert!(disk.capacity_in_kb.unwrap() > 0 && disk.backing.as_ref().unwrap().file_name.is_some());
    assert!(devices.iter().any(Device::is_card));
}

#[test]
fn updates_tell_the_story_of_a_machine() {
    let first = include_str!("recorded/first_updates.xml");
    let story = [
        first,
        include_str!("recorded/clone_updates.xml"),
        include_str!("recorded/power_on_updates.xml"),
        include_str!("recorded/snapshot_updates.xml"),
    ];
    let (inventory, events) = followed(&story);
    assert_eq!(events, [MachineEvent::Appeared, MachineEvent::Started, MachineEvent::Snapshots { count: 1 }]);
    let (id, seen) = inventory.by_key("run/1/node").expect("it is found by its key");
    assert!(id.starts_with("vm-") && seen.running && seen.mark(KEY).is_some());
    let (cluster, host, datastore) = inventory.stands_on(seen);
    assert_eq!((cluster.as_str(), host.as_str(), datastore.as_str()), ("DC0_H0", "DC0_H0", "LocalDS_0"));
    let (before, _) = followed(&[first]);
    let met: Vec<MachineEvent> = before.compared(&inventory).into_iter().map(|noted| noted.event).collect();
    assert_eq!(met, [MachineEvent::Appeared], "who was not there for a while learns the same from the difference");
    let lost: Vec<MachineEvent> = inventory.compared(&before).into_iter().map(|noted| noted.event).collect();
    assert_eq!(lost, [MachineEvent::Vanished]);
}

#[test]
fn a_task_tells_what_came_of_it_or_why_nothing_did() {
    let (cloned, _) = followed(&[include_str!("recorded/clone_updates.xml")]);
    let made = cloned.tasks.values().filter_map(|task| task.end()).find_map(|end| match end {
        TaskEnd::Success(result) => result,
        TaskEnd::Error(_) => None,
    });
    assert_eq!(made.expect("a machine came of it").kind, "VirtualMachine");
    let (again, _) = followed(&[include_str!("recorded/power_on_again_updates.xml")]);
    let end = again.tasks.values().find_map(|task| task.end());
    assert!(matches!(end, Some(TaskEnd::Error(error)) if error.fault.as_ref().unwrap().kind == "InvalidPowerState"));
}

#[test]
fn events_say_who_it_was_and_rights_whether_they_are_held() {
    let events = read::<Many<VimEvent>>(include_str!("recorded/events.xml")).returnval;
    let started = events.iter().find(|event| event.kind == "VmPoweredOnEvent").unwrap();
    assert_eq!(started.user_name, "admin");
    let rights = read::<Many<EntityPrivilege>>(include_str!("recorded/privileges.xml")).returnval;
    assert!(rights[0].priv_availability.iter().all(|right| right.is_granted));
}

/// No simulator has it, so the request is held against VMware's schema, and its answer is as of any other task.
#[test]
fn an_instant_clone_is_asked_for_as_the_schema_says() {
    let (source, pool, folder) =
        (Moref::machine("vm-7"), Moref::new("ResourcePool", "resgroup-8"), Moref::new("Folder", "group-v3"));
    let location = RelocateSpec { folder: Some(&folder), pool: Some(&pool), ..RelocateSpec::default() };
    let config = vec![OptionSet::new(KEY, "a<b&c")];
    let spec = InstantCloneSpec { name: "shop-1", location, config };
    let message = soap::request(&InstantClone { this: &source, spec }).unwrap();
    assert_eq!(message, include_str!("recorded/instant_clone_request.xml").trim_end().replace("\n", ""));
    let answer: One<Moref> = read(include_str!("recorded/instant_clone_answer.xml"));
    assert_eq!(answer.returnval, Moref::new("Task", "task-4711"));
}
