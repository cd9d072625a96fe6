//! A worker that stands still in the middle of a call (SIGSTOP), is taken for dead, and wakes when another one has done
//! its work: what it writes then changes nothing, and what its call made is the one object that the other one found.
//!
//! On SQLite a process that stands still in the middle of a transaction keeps the file's only lock, as a disk that
//! stands still would; then it is woken, and the story begins anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use domain::deployment::DeploymentState;
use domain::ids::DeploymentId;
use domain::request::Request;
use domain::resource::Resource;
use domain::run::{Run, RunEvent};
use domain::step::Step;
use engine::Worker;
use providers::clock::SystemClock;
use serde_json::json;

use super::{Later, assert_that_all_is_there_once, assert_that_nobody_was_told_twice, at_work, objects, stride};
use crate::house::House;
use crate::process::Process;

/// A deployment in the hands of a worker that stands still.
struct Left {
    request: Request,
    sleepy: Process,
}

/// So often it may stand still in a transaction, where it keeps a SQLite file for itself.
const TRIES: usize = 20;

/// Orders a database; a worker builds it and stands still at this call boundary: an odd one is before a call, an even
/// one after it. Nothing when it never came there.
async fn left_at(house: &House, boundary: u64) -> Option<Left> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let rita = house.person("Rita").await;
    for _ in 0..TRIES {
        let mut command = house.worker_process();
        command.env("GATEHOUSE_PAUSE_AT", boundary.to_string()).env("GATEHOUSE_WORKER__LEASE_SECONDS", "3");
        let mut sleepy = Process::start(&mut command);
        let name = format!("shop{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let request = house.order(&rita, "sql-database-vm", json!({ "application": name })).await;
        tokio::select! {
            _ = sleepy.says("paused at call boundary") => {}
            _ = house.when(&rita, request.deployment, DeploymentState::Live) => {
                sleepy.stop().await;
                return None;
            }
        }
        if house.database.takes_writes().await {
            return Some(Left { request, sleepy });
        }
        sleepy.signals().send("CONT");
        house.when(&rita, request.deployment, DeploymentState::Live).await;
        sleepy.stop().await;
    }
    panic!("at call boundary {boundary} it always stood still in a transaction");
}

impl Left {
    /// Wakes the worker and lets it come to its end, which changes nothing of what another one has done.
    async fn wakes_and_changes_nothing(self, house: &House, told: &str) {
        let deployment = self.request.deployment;
        let before = written(house, deployment).await;
        self.sleepy.signals().send("CONT");
        self.sleepy.stop().await;
        assert_eq!(written(house, deployment).await, before, "{told}");
        assert_that_all_is_there_once(house, deployment, told).await;
        assert_that_nobody_was_told_twice(house, told).await;
    }
}

/// All that is written of a deployment's only run.
async fn written(house: &House, id: DeploymentId) -> (Run, Vec<Step>, Vec<RunEvent>, Vec<Resource>) {
    let store = &house.app.store;
    let run = store::run::whole_of_deployment(store, id).await.unwrap().pop().unwrap();
    let steps = store::step::of_run(store, &run).await.unwrap();
    let events = store::run_event::after(store, run.id, 0, 10_000).await.unwrap();
    (run, steps, events, store::resource::standing(store, id).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stands_still_beyond_its_lease_finds_its_run_done_by_another() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    // A look for the name's key, the name, a look for the machine's key: the next call clones the machine.
    let left = left_at(&house, 7).await.unwrap();
    assert_eq!(objects(&house, left.request.deployment).await.len(), 1, "the name is there, the machine not yet");
    let second = Process::start(&mut house.worker_process());
    at_work(&house, 2).await;
    house.when(&rita, left.request.deployment, DeploymentState::Live).await;
    left.wakes_and_changes_nothing(&house, "paused before the machine was cloned").await;
    second.stop().await;
    assert_eq!(house.ailments().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_worker_stands_still_what_it_does_later_changes_nothing() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let heirs = house.seen_by(Arc::new(Later)).await;
    let rita = house.person("Rita").await;
    for boundary in (1..).step_by(stride()) {
        let Some(left) = left_at(&house, boundary).await else {
            assert!(boundary > 5, "it came through before call boundary {boundary}");
            break;
        };
        let heir = Worker::start(&heirs.engine);
        house.when(&rita, left.request.deployment, DeploymentState::Live).await;
        heir.stop().await;
        left.wakes_and_changes_nothing(&house, &format!("paused at call boundary {boundary}")).await;
    }
    assert_eq!(house.ailments().await, [""; 0], "after all of it");
}
