//! What people do to machines past Gatehouse shows, is told to those who ask, and to none twice.

use domain::ports::datacenter::{DatacenterControls, Deed};
use domain::ports::machine_change::MachineEvent;
use domain::ports::machines::{MachineState, Machines};

use super::{House, small};

#[tokio::test]
async fn each_deed_shows_in_the_next_look_and_is_told_with_who_did_it() {
    let house = House::at_once().await;
    let machine = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap();
    // Another process follows the same file.
    let follower = house.reopened();
    let first = follower.changes(None).await.unwrap();
    assert!(!first.complete, "what was before is not known");
    let mut cursor = first.cursor;
    let renamed = MachineEvent::Renamed { before: "shop-1".into() };
    for (deed, event) in [
        (Deed::SwitchOff, MachineEvent::Stopped),
        (Deed::SwitchOn, MachineEvent::Started),
        (Deed::TakeSnapshot, MachineEvent::Snapshots { count: 1 }),
        (Deed::RemoveSnapshots, MachineEvent::Snapshots { count: 0 }),
        (Deed::Rename, renamed),
        (Deed::Delete, MachineEvent::Vanished),
    ] {
        house.datacenter.by_hand(&machine.id, deed, "otto").await.unwrap();
        let told = follower.changes(cursor.as_deref()).await.unwrap();
        assert!(told.complete);
        let told_of: Vec<_> = told.changes.iter().map(|it| (it.key.as_str(), &it.event, it.by.as_deref())).collect();
        assert_eq!(told_of, [("m", &event, Some("otto"))]);
        cursor = told.cursor;
    }
    assert_eq!(follower.list().await.unwrap(), []);
    house.datacenter.by_hand(&machine.id, Deed::SwitchOn, "otto").await.unwrap_err();
}

#[tokio::test]
async fn a_machine_that_somebody_switched_off_is_switched_on_when_it_is_ordered_again() {
    let house = House::at_once().await;
    let machine = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap();
    house.datacenter.by_hand(&machine.id, Deed::SwitchOff, "otto").await.unwrap();
    assert_eq!(house.datacenter.list().await.unwrap()[0].state, MachineState::Stopped);
    let again = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap();
    assert_eq!((again.id, again.state), (machine.id, MachineState::Running));
}

#[tokio::test]
async fn who_asks_after_too_many_deeds_is_told_that_something_is_missing() {
    let house = House::at_once().await;
    let machine = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap();
    let cursor = house.datacenter.changes(None).await.unwrap().cursor;
    for _ in 0..120 {
        house.datacenter.by_hand(&machine.id, Deed::TakeSnapshot, "otto").await.unwrap();
    }
    let told = house.datacenter.changes(cursor.as_deref()).await.unwrap();
    assert!(!told.complete && told.changes.is_empty(), "{told:?}");
    let current = house.datacenter.overview().await.unwrap();
    assert_eq!(current.machines[0].snapshots, 120);
}
