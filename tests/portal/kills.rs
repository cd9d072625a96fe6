//! Workers that are killed at every boundary there is: before and after each commit, before and after each call of the
//! datacenter, of each blueprint, while it is built and while it is retired. Another worker goes on, and the
//! datacenter, not our database, is asked what came of it.
//!
//! At every boundary that takes minutes: `GATEHOUSE_KILL_STRIDE=1` does it. Else each fifth is taken, by turns one
//! before and one after.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;

use app::App;
use app::request::What;
use chrono::{DateTime, TimeDelta, Utc};
use domain::deployment::DeploymentState;
use domain::ids::DeploymentId;
use domain::person::Principal;
use domain::ports::clock::Clock;
use domain::resource::ResourceState;
use engine::Worker;
use providers::clock::SystemClock;
use serde_json::json;

use crate::house::House;

/// A run that is carried through in fewer is not carried through.
const FEWEST_BOUNDARIES: u64 = 10;
const SIGKILL: i32 = 9;

/// A clock by which the lease of a worker that was just killed is over, and a run that it had only fetched from the
/// queue is looked at again.
struct Later;

impl Clock for Later {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::seconds(31)
    }
}

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
        let mut doomed =
            self.house.worker_process().env("GATEHOUSE_KILL_AT", boundary.to_string()).spawn().expect("it starts");
        let process = doomed.id().to_string();
        let mut end = tokio::task::spawn_blocking(move || doomed.wait());
        tokio::select! {
            ended = &mut end => {
                let ended = ended.unwrap().unwrap();
                assert_eq!(ended.signal(), Some(SIGKILL), "boundary {boundary}: {ended}");
            }
            _ = self.house.when(&self.rita, id, state) => {
                Command::new("kill").args(["-9", &process]).status().unwrap();
                end.await.unwrap().unwrap();
                return false;
            }
        }
        let heir = Worker::start(&self.heir.engine);
        self.house.when(&self.rita, id, state).await;
        heir.stop().await;
        true
    }

    /// The keys of what the datacenter has of a deployment; each once.
    async fn objects(&self, id: DeploymentId) -> BTreeSet<String> {
        let overview = self.heir.datacenter.as_ref().unwrap().overview().await.unwrap();
        let whose = format!("{id}/");
        let keys: Vec<String> =
            overview.objects.into_iter().map(|object| object.key).filter(|key| key.starts_with(&whose)).collect();
        let once: BTreeSet<String> = keys.iter().cloned().collect();
        assert_eq!(once.len(), keys.len(), "made twice: {keys:?}");
        once
    }

    async fn assert_that_all_is_there_once(&self, id: DeploymentId, boundary: u64) {
        let rows = store::resource::standing(&self.house.app.store, id).await.unwrap();
        let rest: Vec<_> = rows.iter().filter(|row| row.state != ResourceState::Live).collect();
        assert!(rest.is_empty(), "boundary {boundary}: {rest:?}");
        // A registration is kept in the portal's own CMDB.
        let outside = rows.into_iter().filter(|row| row.provider != "cmdb");
        let rows: BTreeSet<String> = outside.map(|row| row.key).collect();
        assert_eq!(rows, self.objects(id).await, "boundary {boundary}: the ledger, and what the datacenter has");
    }

    async fn assert_that_nothing_is_left(&self, id: DeploymentId, boundary: u64) {
        assert_eq!(self.objects(id).await, BTreeSet::new(), "boundary {boundary}");
        let rows = store::resource::standing(&self.house.app.store, id).await.unwrap();
        assert!(rows.is_empty(), "boundary {boundary}: {rows:?}");
    }

    async fn assert_that_nobody_was_told_twice(&self, boundary: u64) {
        let mails = store::mail::list(&self.house.app.store, None, 1_000).await.unwrap();
        let mut told = BTreeSet::new();
        for mail in mails {
            let what = (mail.request, mail.approval, mail.to_email, mail.subject);
            assert!(told.insert(what.clone()), "boundary {boundary}: told twice: {what:?}");
        }
    }
}

/// Orders the blueprint and retires what came of it, each time with a worker that is killed at a later boundary, until
/// one comes through.
async fn survives_being_killed(blueprint: &str, named_by: &str) {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let heir = house.seen_by(Arc::new(Later)).await;
    let ordeal = Ordeal { house: &house, heir, rita: house.person("Rita").await };
    let stride = std::env::var("GATEHOUSE_KILL_STRIDE").map_or(5, |stride| stride.parse().unwrap());
    for boundary in (1..).step_by(stride) {
        let parameters = json!({ named_by: format!("shop{boundary}") });
        let ordered = house.order(&ordeal.rita, blueprint, parameters).await;
        house.approve_all().await;
        let building = ordeal.brought_to(ordered.deployment, DeploymentState::Live, boundary).await;
        ordeal.assert_that_all_is_there_once(ordered.deployment, boundary).await;
        house.ask(&ordeal.rita, What::Retire { deployment: ordered.deployment }).await;
        house.approve_all().await;
        let retiring = ordeal.brought_to(ordered.deployment, DeploymentState::Retired, boundary).await;
        ordeal.assert_that_nothing_is_left(ordered.deployment, boundary).await;
        ordeal.assert_that_nobody_was_told_twice(boundary).await;
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
