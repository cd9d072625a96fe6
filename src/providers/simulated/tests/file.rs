//! The file: what was made stays, whoever opens it and however it was left.

use std::fs;
use std::io::Write;

use domain::ports::datacenter::{DatacenterControls, Fault, Operation};
use domain::ports::names::Names;

use super::House;

#[tokio::test]
async fn what_was_made_is_there_after_reopening() {
    let house = House::at_once().await;
    let held = house.datacenter.reserve("n", "shop-1").await.unwrap();
    house.datacenter.arm(Operation::Probe, Fault::TimeOut, None).await.unwrap();
    let reopened = house.reopened();
    assert_eq!(Names::find(&reopened, "n").await.unwrap(), Some(held));
    assert_eq!(reopened.overview().await.unwrap().faults.len(), 1);
    assert_eq!(reopened.overview().await.unwrap().pace.answers, 0.0);
}

#[tokio::test]
async fn two_handles_on_one_file_see_each_others_work() {
    let house = House::at_once().await;
    let other = house.reopened();
    for n in 1..=20 {
        let handle = if n % 2 == 0 { &house.datacenter } else { &other };
        handle.reserve(&format!("key-{n}"), "shop-{n}").await.unwrap();
    }
    let objects = house.datacenter.overview().await.unwrap().objects;
    assert_eq!(objects.len(), 20);
    assert_eq!(other.overview().await.unwrap().objects, objects);
    assert!(objects.iter().any(|object| object.name == "shop-20"));
}

#[tokio::test]
async fn handles_that_work_at_the_same_time_never_give_a_name_twice() {
    let house = House::at_once().await;
    let mut work = tokio::task::JoinSet::new();
    for n in 0..24 {
        let handle = if n % 2 == 0 { house.datacenter.clone() } else { house.reopened() };
        work.spawn(async move { handle.reserve(&format!("key-{n}"), "shop-{n}").await.unwrap().name });
    }
    let mut names = work.join_all().await;
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 24);
}

#[tokio::test]
async fn a_line_that_a_crash_tore_is_passed_over() {
    let house = House::at_once().await;
    house.datacenter.reserve("n1", "shop-1").await.unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&house.file).unwrap();
    file.write_all(br#"["names","name-999",{"id":"na"#).unwrap();
    drop(file);
    let reopened = house.reopened();
    reopened.reserve("n2", "shop-2").await.unwrap();
    assert_eq!(house.reopened().overview().await.unwrap().objects.len(), 2);
}

#[tokio::test]
async fn a_long_journal_is_written_anew_and_other_handles_follow() {
    let house = House::at_once().await;
    let other = house.reopened();
    let kept = house.datacenter.reserve("kept", "kept").await.unwrap();
    for n in 0..700 {
        let held = house.datacenter.reserve(&format!("key-{n}"), "shop-{n}").await.unwrap();
        house.datacenter.release(&held.id, &format!("key-{n}")).await.unwrap();
    }
    let lines = fs::read_to_string(&house.file).unwrap().lines().count();
    assert!(lines < 2_600, "{lines}");
    assert_eq!(Names::find(&other, "kept").await.unwrap(), Some(kept));
    assert_eq!(other.overview().await.unwrap().objects.len(), 1);
}
