//! Orders, through everything that happens to them on the way.

use std::time::Duration;

use domain::ports::machine_change::MachineEvent;
use domain::ports::machines::{MachineState, Machines};
use domain::ports::provider_error::ProviderErrorKind;

use super::super::inventory::{KEY, SHAPED};
use super::super::method::Maybe;
use super::super::soap;
use super::super::task::Limits;
use super::super::vim::UpdateSet;
use super::super::{Cloning, Vsphere};
use super::script::{Says, Script, in_envelope, machine, order, reference, updates, word};

const MACHINE: &str = "<val xsi:type=\"ManagedObjectReference\" type=\"VirtualMachine\">vm-1</val>";
const OURS: [(&str, &str); 2] = [(KEY, "run/1/node"), ("gatehouse.fqdn", "shop-1.example.org")];
const SHAPED_OURS: [(&str, &str); 2] = [(KEY, "run/1/node"), (SHAPED, "yes")];

/// A vCenter with a datastore and nothing else.
fn empty() -> Script {
    let script = Script::default();
    script.holds_a_datastore();
    script
}

/// vCenter has this machine whenever it is read.
fn reads(script: &Script, options: &[(&str, &str)], power: &str, address: Option<&str>) {
    script.answers("RetrievePropertiesEx", &machine("vm-1", "shop-1", options, power, address));
}

#[tokio::test]
async fn a_machine_is_cloned_shaped_and_switched_on_in_eight_requests() {
    let script = empty();
    script.starts("CloneVM_Task", "task-1", MACHINE);
    reads(&script, &OURS, "poweredOff", None);
    reads(&script, &OURS, "poweredOff", None);
    script.starts("ReconfigVM_Task", "task-2", "").starts("PowerOnVM_Task", "task-3", "");
    reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    let made = script.vcenter().create("run/1/node", &order()).await.unwrap();
    assert_eq!((made.id.as_str(), made.key.as_str(), made.state), ("vm-1", "run/1/node", MachineState::Running));
    let read = "RetrievePropertiesEx";
    let path = ["FindByUuid", "CloneVM_Task", read, read, "ReconfigVM_Task", "PowerOnVM_Task", read];
    assert_eq!(script.asked(), path);
    let clone = script.message("CloneVM_Task");
    assert!(clone.contains("<key>guestinfo.gatehouse.key</key><value xsi:type=\"xsd:string\">run/1/node</value>"));
    assert!(clone.contains("<powerOn>false</powerOn>") && !clone.contains("customization"), "{clone}");
    let shape = script.message("ReconfigVM_Task");
    assert!(shape.contains("<numCPUs>2</numCPUs><memoryMB>4096</memoryMB>"), "{shape}");
    assert!(shape.contains("guestinfo.userdata") && shape.contains("Key: run/1/node"), "{shape}");
}

#[tokio::test]
async fn a_machine_that_was_only_cloned_before_a_crash_is_driven_on_and_not_cloned_again() {
    let script = empty();
    script.answers("FindByUuid", &reference("VirtualMachine", "vm-1"));
    reads(&script, &OURS, "poweredOff", None);
    let vcenter = script.vcenter();
    assert_eq!(vcenter.find("run/1/node").await.unwrap().unwrap().state, MachineState::Stopped);
    reads(&script, &OURS, "poweredOff", None);
    script.answers("FindByUuid", &reference("VirtualMachine", "vm-1"));
    reads(&script, &OURS, "poweredOff", None);
    reads(&script, &OURS, "poweredOff", None);
    script.starts("ReconfigVM_Task", "task-2", "").starts("PowerOnVM_Task", "task-3", "");
    reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    let made = vcenter.create("run/1/node", &order()).await.unwrap();
    assert_eq!(made.state, MachineState::Running);
    assert_eq!(script.count("CloneVM_Task"), 0);
}

#[tokio::test]
async fn a_clone_whose_answer_was_lost_is_found_again_by_its_key() {
    let script = empty();
    script.on("CloneVM_Task", Says::Nothing);
    let vcenter = script.vcenter();
    let error = vcenter.create("run/1/node", &order()).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Transient);
    assert!(error.what.contains("may be at it all the same"), "{error}");
    script.answers("FindByUuid", &reference("VirtualMachine", "vm-1"));
    reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    let found = vcenter.find("run/1/node").await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), script.count("CloneVM_Task")), ("vm-1", 1));
}

#[tokio::test]
async fn a_name_that_is_taken_is_ours_if_it_carries_our_key_and_refused_otherwise() {
    let script = empty();
    script.on("CloneVM_Task", Says::Fault("DuplicateName", "<name>shop-1</name>"));
    script.answers("FindByName", "").answers("FindByName", &reference("VirtualMachine", "vm-1"));
    reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    assert_eq!(script.vcenter().create("run/1/node", &order()).await.unwrap().state, MachineState::Running);

    let script = empty();
    script.answers("FindByName", &reference("VirtualMachine", "vm-1"));
    reads(&script, &[(KEY, "somebody-elses")], "poweredOn", Some("10.0.0.9"));
    let error = script.vcenter().create("run/1/node", &order()).await.unwrap_err();
    assert_eq!((error.kind, script.count("CloneVM_Task")), (ProviderErrorKind::Refused, 0));
    assert!(error.what.contains("shop-1 stands already"), "{error}");
}

fn impatient(script: &Script) -> Vsphere {
    let mut vcenter = script.vcenter();
    let moment = Duration::from_millis(50);
    vcenter.limits = Limits { patience: moment, clone: moment * 4, task: moment };
    vcenter
}

#[tokio::test]
async fn a_clone_that_outlasts_a_call_goes_on_and_one_that_outlasts_every_limit_is_cancelled() {
    let script = empty();
    script.answers("CloneVM_Task", &reference("Task", "task-1"));
    for _ in 0..20 {
        script.answers("RetrievePropertiesEx", "<returnval></returnval>");
    }
    let vcenter = impatient(&script);
    let begun = vcenter.create("run/1/node", &order()).await.unwrap();
    assert_eq!(begun.state, MachineState::Building);
    assert_eq!(vcenter.find("run/1/node").await.unwrap().unwrap().state, MachineState::Building);
    let error = loop {
        match vcenter.create("run/1/node", &order()).await {
            Ok(building) => assert_eq!(building.state, MachineState::Building),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ProviderErrorKind::Transient);
    assert!(error.what.contains("told to give up") && error.what.contains("task-1"), "{error}");
    assert_eq!((script.count("CloneVM_Task"), script.count("CancelTask")), (1, 1));
}

#[tokio::test]
async fn taking_an_order_back_gives_up_its_clone() {
    let script = empty();
    script.answers("CloneVM_Task", &reference("Task", "task-1"));
    script.answers("RetrievePropertiesEx", "<returnval></returnval>");
    let vcenter = impatient(&script);
    let begun = vcenter.create("run/1/node", &order()).await.unwrap();
    let state = |state: &str| {
        format!("<propSet><name>info.state</name><val xsi:type=\"TaskInfoState\">{state}</val></propSet>")
    };
    let ended = format!("<returnval><objects><obj type=\"Task\">task-1</obj>{}</objects></returnval>", state("error"));
    script.answers("RetrievePropertiesEx", &ended);
    vcenter.destroy(&begun.id, "run/1/node").await.unwrap();
    assert_eq!(script.count("CancelTask"), 1);
    assert_eq!(vcenter.find("run/1/node").await.unwrap(), None);
}

/// The process that began the clone is dead, so its task is nobody's; vCenter tells the name first, and the key at the end.
#[tokio::test]
async fn a_clone_that_a_dead_process_began_is_waited_for_by_whoever_takes_the_order_back() {
    let script = empty();
    let vcenter = script.vcenter();
    let in_clone = "<returnval><objects><obj type=\"VirtualMachine\">vm-1</obj>\
                    <propSet><name>name</name><val xsi:type=\"xsd:string\">shop-1</val></propSet></objects></returnval>";
    script.answers("FindByName", &reference("VirtualMachine", "vm-1")).answers("RetrievePropertiesEx", in_clone);
    assert_eq!(vcenter.find("run/1/node").await.unwrap(), None);
    assert!(vcenter.is_coming("run/1/node", "shop-1").await.unwrap());
    script.answers("FindByName", &reference("VirtualMachine", "vm-1"));
    reads(&script, &[(KEY, "somebody-elses")], "poweredOff", None);
    assert!(!vcenter.is_coming("run/1/node", "shop-1").await.unwrap(), "what is somebody else's is not waited for");
    assert!(!vcenter.is_coming("run/1/node", "shop-1").await.unwrap(), "nothing is of that name");
}

#[tokio::test]
async fn nothing_is_destroyed_that_does_not_carry_our_key() {
    let script = empty();
    reads(&script, &[(KEY, "somebody-elses")], "poweredOn", None);
    let error = script.vcenter().destroy("vm-1", "run/1/node").await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::NotOurs);
    assert_eq!(script.asked(), ["RetrievePropertiesEx"]);
}

#[tokio::test]
async fn a_machine_that_nobody_answers_for_any_more_is_gone_already() {
    let script = empty();
    script.answers("RetrievePropertiesEx", "<returnval></returnval>");
    script.vcenter().destroy("vm-1", "run/1/node").await.unwrap();
    assert_eq!(script.asked(), ["RetrievePropertiesEx"]);
}

#[tokio::test]
async fn an_instant_clone_runs_from_its_first_moment_and_is_not_shaped_again() {
    let script = empty();
    script.starts("InstantClone_Task", "task-1", MACHINE);
    reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    let mut vcenter = script.vcenter();
    vcenter.settings.images.get_mut("debian-12").unwrap().cloning = Cloning::Instant;
    assert_eq!(vcenter.create("run/1/node", &order()).await.unwrap().state, MachineState::Running);
    let read = "RetrievePropertiesEx";
    assert_eq!(script.asked(), ["FindByUuid", "InstantClone_Task", read, read]);
    assert!(script.message("InstantClone_Task").contains("guestinfo.userdata"));
}

#[tokio::test]
async fn a_name_that_could_break_out_of_a_setting_is_refused() {
    let script = empty();
    let mut odd = order();
    odd.name = "shop\",\"--privileged".to_owned();
    let error = script.vcenter().create("run/1/node", &odd).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Permanent);
    assert!(script.asked().is_empty());
}

/// What was read directly is newer than what vCenter tells a moment later.
#[tokio::test]
async fn old_news_of_our_own_doing_is_no_news_and_what_is_different_in_the_end_is() {
    let script = empty();
    script.answers("FindByUuid", &reference("VirtualMachine", "vm-1"));
    for _ in 0..3 {
        reads(&script, &SHAPED_OURS, "poweredOn", Some("10.0.0.7"));
    }
    let vcenter = script.vcenter();
    vcenter.followed().current().await;
    vcenter.create("run/1/node", &order()).await.unwrap();
    let cursor = vcenter.changes(None).await.unwrap().cursor;
    let power = |state: &str| updates("modify", "VirtualMachine", "vm-1", &[("runtime.powerState", &word(state))]);
    for state in ["poweredOff", "poweredOn", "poweredOff"] {
        let told = soap::reply::<Maybe<UpdateSet>>(&in_envelope(&format!(
            "<WaitForUpdatesExResponse>{}</WaitForUpdatesExResponse>",
            power(state)
        )))
        .unwrap()
        .returnval
        .unwrap();
        vcenter.followed().apply(&told.filter_set[0].object_set);
    }
    reads(&script, &SHAPED_OURS, "poweredOff", None);
    let changes = vcenter.changes(cursor.as_deref()).await.unwrap().changes;
    let events: Vec<&MachineEvent> = changes.iter().map(|change| &change.event).collect();
    assert_eq!(events, [&MachineEvent::Stopped]);
}
