//! What goes wrong goes wrong as told, and no oftener.

use domain::ports::datacenter::{DatacenterControls, Fault, Operation};
use domain::ports::machines::Machines;
use domain::ports::names::Names;
use domain::ports::provider_error::ProviderErrorKind;

use super::{House, small};

/// A house where the next machine meets `fault`.
async fn with_fault(fault: Fault) -> House {
    let house = House::at_once().await;
    house.datacenter.reserve("n", "shop-1").await.unwrap();
    house.datacenter.arm(Operation::MachineCreate, fault, Some(1)).await.unwrap();
    house
}

#[tokio::test]
async fn a_refusal_makes_nothing() {
    let house = with_fault(Fault::Refuse).await;
    let refused = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap_err();
    assert_eq!(refused.kind, ProviderErrorKind::Refused);
    assert!(Machines::find(&house.datacenter, "m").await.unwrap().is_none());
}

#[tokio::test]
async fn a_time_out_makes_nothing_and_the_next_call_works() {
    let house = with_fault(Fault::TimeOut).await;
    let silent = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap_err();
    assert_eq!(silent.kind, ProviderErrorKind::Transient);
    assert!(Machines::find(&house.datacenter, "m").await.unwrap().is_none());
    assert!(Machines::create(&house.datacenter, "m", &small("shop-1")).await.is_ok());
}

#[tokio::test]
async fn a_lost_answer_leaves_a_machine_that_is_found_by_its_key() {
    let house = with_fault(Fault::LoseAnswer).await;
    let silent = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap_err();
    assert_eq!(silent.kind, ProviderErrorKind::Transient);
    let found = Machines::find(&house.datacenter, "m").await.unwrap().unwrap();
    assert_eq!(Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap(), found);
    assert_eq!(house.datacenter.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_lost_object_was_answered_for_and_is_gone() {
    let house = with_fault(Fault::LoseObject).await;
    let machine = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap();
    let gone = Machines::describe(&house.datacenter, &machine.id).await.unwrap_err();
    assert_eq!(gone.kind, ProviderErrorKind::NotFound);
}

#[tokio::test]
async fn slowness_delays_the_work() {
    let house = House::paced(1.0).await;
    house.datacenter.reserve("n", "shop-1").await.unwrap();
    house.datacenter.arm(Operation::MachineCreate, Fault::SlowDown, Some(1)).await.unwrap();
    let slow = Machines::create(&house.datacenter, "m", &small("shop-1")).await.unwrap();
    assert!((slow.ready_at - chrono::DateTime::UNIX_EPOCH).num_seconds() > 100);
}

#[tokio::test]
async fn an_armed_fault_strikes_as_often_as_told_or_until_it_is_cleared() {
    let house = House::at_once().await;
    let controls: &dyn DatacenterControls = &house.datacenter;
    controls.arm(Operation::NameReserve, Fault::Refuse, Some(2)).await.unwrap();
    for _ in 0..2 {
        assert!(house.datacenter.reserve("n", "shop-1").await.is_err());
    }
    assert!(house.datacenter.reserve("n", "shop-1").await.is_ok());
    let lasting = controls.arm(Operation::NameReserve, Fault::Refuse, None).await.unwrap();
    for _ in 0..3 {
        assert!(house.datacenter.reserve("n2", "shop-2").await.is_err());
    }
    controls.clear(lasting.id).await.unwrap();
    controls.clear(lasting.id).await.unwrap();
    assert!(house.datacenter.reserve("n2", "shop-2").await.is_ok());
    let activity = controls.overview().await.unwrap().activity;
    assert_eq!(activity.iter().filter(|it| !it.went_well).count(), 5);
    assert_eq!(activity[0].what, "Reserved shop-2.dc1.example.org at 10.20.0.2.");
}
