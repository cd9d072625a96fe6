//! Real worker processes that are killed, stand still, run into each other or hear no answer. Whatever happened, each run
//! ends as it would have: the datacenter, not our database, is asked whether each object is there once.

mod full_disk;
mod kills;
mod lost_answers;
mod outages;
mod pauses;
mod postgres;
mod races;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::DeploymentId;
use domain::ports::clock::Clock;
use domain::resource::ResourceState;
use providers::clock::SystemClock;

use crate::house::{House, PATIENCE};

/// A clock by which the lease of a worker that was just killed is over, and a run that it had only fetched from the
/// queue is looked at again.
struct Later;

impl Clock for Later {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::seconds(31)
    }
}

/// Which boundaries are taken: each of so many.
fn stride() -> usize {
    std::env::var("GATEHOUSE_KILL_STRIDE").map_or(5, |stride| stride.parse().unwrap())
}

/// Returns when so many workers have told that they are at work.
pub async fn at_work(house: &House, workers: usize) {
    let told = async {
        while store::worker::seen_since(&house.app.store, DateTime::UNIX_EPOCH).await.unwrap().len() < workers {
            // Nothing tells this process of what others write.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("they never came to work");
}

/// The keys of what the datacenter has of a deployment; each once.
async fn objects(house: &House, id: DeploymentId) -> BTreeSet<String> {
    let overview = house.app.datacenter.as_ref().unwrap().overview().await.unwrap();
    let whose = format!("{id}/");
    let keys: Vec<String> =
        overview.objects.into_iter().map(|object| object.key).filter(|key| key.starts_with(&whose)).collect();
    let once: BTreeSet<String> = keys.iter().cloned().collect();
    assert_eq!(once.len(), keys.len(), "made twice: {keys:?}");
    once
}

/// Returns when the datacenter has something of a deployment, or nothing any more.
async fn when_there(house: &House, id: DeploymentId, something: bool) {
    let seen = async {
        while objects(house, id).await.is_empty() == something {
            // Nothing tells this process of what others build.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the datacenter never came to that");
}

async fn kept_secrets(house: &House, id: DeploymentId) -> usize {
    store::secret::of_deployment(&house.app.store, id).await.unwrap().len()
}

async fn assert_that_all_is_there_once(house: &House, id: DeploymentId, told: &str) {
    let rows = store::resource::standing(&house.app.store, id).await.unwrap();
    let rest: Vec<_> = rows.iter().filter(|row| row.state != ResourceState::Live).collect();
    assert!(rest.is_empty(), "{told}: {rest:?}");
    let secrets = rows.iter().filter(|row| row.provider == "secrets").count();
    assert_eq!(secrets, kept_secrets(house, id).await, "{told}: the ledger, and the secrets that are kept");
    // A registration is kept in the portal's own CMDB, a secret in its own safe.
    let outside = rows.into_iter().filter(|row| !["cmdb", "secrets"].contains(&row.provider.as_str()));
    let rows: BTreeSet<String> = outside.map(|row| row.key).collect();
    assert_eq!(rows, objects(house, id).await, "{told}: the ledger, and what the datacenter has");
}

async fn assert_that_nothing_is_left(house: &House, id: DeploymentId, told: &str) {
    assert_eq!(objects(house, id).await, BTreeSet::new(), "{told}");
    assert_eq!(kept_secrets(house, id).await, 0, "{told}: secrets that are kept");
    let rows = store::resource::standing(&house.app.store, id).await.unwrap();
    assert!(rows.is_empty(), "{told}: {rows:?}");
}

async fn assert_that_nobody_was_told_twice(house: &House, told: &str) {
    let mails = store::mail::list(&house.app.store, None, 1_000).await.unwrap();
    let mut letters = BTreeSet::new();
    for mail in mails {
        let what = (mail.request, mail.asks, mail.to_email, mail.subject);
        assert!(letters.insert(what.clone()), "{told}: told twice: {what:?}");
    }
}
