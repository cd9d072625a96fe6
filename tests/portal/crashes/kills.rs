//! Workers that are killed at every boundary there is: before and after each commit, before and after each call of the
//! datacenter, of each blueprint, while it is built and while it is retired. Another worker goes on, and the
//! datacenter, not our database, is asked what came of it.
//!
//! At every boundary that takes minutes: `GATEHOUSE_KILL_STRIDE=1` does it. Else each fifth is taken, by turns one
//! before and one after.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

use app::App;
use app::request::What;
use domain::deployment::DeploymentState;
use domain::ids::DeploymentId;
use domain::person::Principal;
use engine::Worker;
use providers::clock::SystemClock;
use serde_json::json;

use super::{
    Later, assert_that_all_is_there_once, assert_that_nobody_was_told_twice, assert_that_nothing_is_left, stride,
};
use crate::house::House;
use crate::process::Process;

/// A run that is carried through in fewer is not carried through.
const FEWEST_BOUNDARIES: u64 = 10;
const SIGKILL: i32 = 9;

/// What a blueprint went through.
struct Ordeal<'h> {
    house: &'h House,
    /// The house as the worker sees it that goes on.
    heir: App,
    rita: Principal,
}

impl Ordeal<'_> {
    /// Has the deployment brought to a state by a worker that is killed at this boundary, and then by another one.
    /// False when the first had done it before it came there.
    async fn brought_to(&self, id: DeploymentId, state: DeploymentState, boundary: u64) -> bool {
        let mut command = self.house.worker_process();
        let doomed = Process::start(command.env("GATEHOUSE_KILL_AT", boundary.to_string()));
        let signals = doomed.signals();
        let mut end = tokio::spawn(doomed.ends());
        tokio::select! {
            ended = &mut end => {
                let ended = ended.unwrap();
                assert_eq!(ended.signal(), Some(SIGKILL), "boundary {boundary}: {ended}");
            }
            _ = self.house.when(&self.rita, id, state) => {
                signals.send("KILL");
                end.await.unwrap();
                return false;
            }
        }
        let heir = Worker::start(&self.heir.engine);
        self.house.when(&self.rita, id, state).await;
        heir.stop().await;
        true
    }
}

/// Orders the blueprint and retires what came of it, each time with a worker that is killed at a later boundary, until
/// one comes through.
async fn survives_being_killed(blueprint: &str, named_by: &str) {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let heir = house.seen_by(Arc::new(Later)).await;
    let ordeal = Ordeal { house: &house, heir, rita: house.person("Rita").await };
    for boundary in (1..).step_by(stride()) {
        let parameters = json!({ named_by: format!("shop{boundary}") });
        let ordered = house.order(&ordeal.rita, blueprint, parameters).await;
        house.approve_all().await;
        let told = format!("{blueprint}, killed at boundary {boundary}");
        let building = ordeal.brought_to(ordered.deployment, DeploymentState::Live, boundary).await;
        assert_that_all_is_there_once(&house, ordered.deployment, &told).await;
        house.ask(&ordeal.rita, What::Retire { deployment: ordered.deployment }).await;
        house.approve_all().await;
        let retiring = ordeal.brought_to(ordered.deployment, DeploymentState::Retired, boundary).await;
        assert_that_nothing_is_left(&house, ordered.deployment, &told).await;
        assert_that_nobody_was_told_twice(&house, &told).await;
        if !building && !retiring {
            assert_eq!(house.ailments().await, [""; 0], "after all of it");
            assert!(boundary > FEWEST_BOUNDARIES, "{blueprint} came through before boundary {boundary}");
            println!("{blueprint}: came through before boundary {boundary}");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linux_vm_survives_being_killed() {
    survives_being_killed("linux-vm", "application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sql_database_vm_survives_being_killed() {
    survives_being_killed("sql-database-vm", "application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scale_out_tomcat_survives_being_killed() {
    survives_being_killed("scale-out-tomcat", "application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_machine_survives_being_killed() {
    survives_being_killed("docker-machine", "application").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_space_survives_being_killed() {
    survives_being_killed("container-space", "name").await;
}
