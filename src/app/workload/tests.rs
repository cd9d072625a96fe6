use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::ci::{Ci, CiClass, Lifecycle};
use domain::finding::FindingKind;
use domain::ports::clock::Clock;
use domain::ports::container_host::EngineInfo;
use domain::ports::provider_error::ProviderError;
use domain::site::SIMULATED;
use serde_json::json;

use tokio::sync::Notify;

use super::*;
use crate::ci::{CiQuery, CiSort};
use crate::house::{House, auditor};
use crate::page::{Turn, Window};

/// An engine that answers what a test says.
struct Told {
    answer: Mutex<Result<ContainerListing, ProviderError>>,
    /// Rings when the answer changes.
    bell: Notify,
}

fn listing(containers: Vec<Container>, complete: bool) -> ContainerListing {
    ContainerListing { containers, complete, asked_at: DateTime::UNIX_EPOCH }
}

/// Asks every engine once; answers with the entries that the CMDB gained, and how many engines did not tell all.
async fn observe(app: &App, hosts: &Told) -> Result<(usize, usize), Trouble> {
    let (mut changes, mut silent) = (0, 0);
    for engine in store::workload::engines(&app.store).await.map_err(database)? {
        let observed = super::observe(app, hosts, &engine).await?;
        changes += observed.changes;
        silent += usize::from(observed.told_at.is_none());
    }
    Ok((changes, silent))
}

impl Told {
    fn new(containers: Vec<Container>) -> Self {
        Self { answer: Mutex::new(Ok(listing(containers, true))), bell: Notify::new() }
    }

    fn says(&self, answer: Result<ContainerListing, ProviderError>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        self.bell.notify_one();
    }

    fn runs(&self, containers: Vec<Container>) {
        self.says(Ok(listing(containers, true)));
    }
}

#[async_trait]
impl ContainerHost for Told {
    async fn engine(&self, fqdn: &str) -> Result<EngineInfo, ProviderError> {
        Err(ProviderError::not_found(format!("No engine on {fqdn}."), "Nothing to do."))
    }

    async fn containers(&self, _fqdn: &str) -> Result<ContainerListing, ProviderError> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn changed(&self, _fqdn: &str, _since: DateTime<Utc>) -> Result<(), ProviderError> {
        self.bell.notified().await;
        Ok(())
    }
}

fn container(id: &str, digest: &str, house: &House) -> Container {
    Container {
        id: id.into(),
        name: "web-1".into(),
        image: "registry.example.org/shop/web:4.2".into(),
        image_digest: digest.into(),
        compose_project: None,
        compose_service: None,
        ports: Vec::new(),
        started_at: house.clock.now(),
    }
}

async fn docker_machine() -> House {
    let house = House::open().await;
    let attributes = json!({ "fqdn": "dock-1.example.org", "version": "27.1" });
    let engine = CiChange::Declare {
        key: "run/engine".into(),
        class: CiClass::ContainerEngine,
        name: "Docker Engine on dock-1".into(),
        attributes: serde_json::from_value(attributes).expect("it is an object"),
    };
    house.tell(house.shop, &[engine]).await;
    house
}

async fn find(house: &House, class: CiClass) -> Ci {
    let query = CiQuery { class: Some(class), ..CiQuery::default() };
    let first = Window { sort: CiSort::Name, descending: false, turn: Turn::First, limit: 10 };
    crate::ci::list(&house.app, &auditor(), &query, first).await.expect("it answers").rows.pop().expect("there is one")
}

async fn blind(house: &House) -> u64 {
    let report = crate::audit_report::compile(&house.app, &auditor(), None).await.expect("it answers");
    report.found(FindingKind::BlindContainerHost)
}

#[tokio::test]
async fn a_container_that_restarts_writes_nothing_to_the_cmdb() {
    let house = docker_machine().await;
    let host = Told::new(vec![container("a1", "sha256:1", &house)]);
    assert!(observe(&house.app, &host).await.expect("it observes").0 > 0);
    let workload = find(&house, CiClass::Workload).await;
    assert_eq!((workload.name.as_str(), workload.lifecycle), ("web", Lifecycle::Operational));

    house.clock.wind(TimeDelta::minutes(1));
    host.runs(vec![container("b2", "sha256:1", &house)]);
    assert_eq!(observe(&house.app, &host).await.expect("it observes").0, 0);
    let view = crate::ci::show(&house.app, &auditor(), workload.id, None).await.expect("it is there");
    let running: Vec<_> = view.containers.iter().map(|seen| seen.container_id.as_str()).collect();
    assert_eq!(running, ["b2"]);
    let then = house.clock.now() - TimeDelta::seconds(30);
    let view = crate::ci::show(&house.app, &auditor(), workload.id, Some(then)).await.expect("it was there");
    assert_eq!(view.containers[0].container_id, "a1", "the journal knows what ran before");
}

#[tokio::test]
async fn a_new_image_is_one_update_of_one_attribute() {
    let house = docker_machine().await;
    let host = Told::new(vec![container("a1", "sha256:1", &house)]);
    observe(&house.app, &host).await.expect("it observes");
    house.clock.wind(TimeDelta::minutes(1));
    host.runs(vec![container("b2", "sha256:2", &house)]);
    assert_eq!(observe(&house.app, &host).await.expect("it observes").0, 1);
}

#[tokio::test]
async fn an_answer_that_is_incomplete_or_fails_retires_nothing() {
    let house = docker_machine().await;
    let host = Told::new(vec![container("a1", "sha256:1", &house)]);
    observe(&house.app, &host).await.expect("it observes");
    house.clock.wind(TimeDelta::hours(1));
    host.says(Ok(listing(Vec::new(), false)));
    assert_eq!(observe(&house.app, &host).await.expect("it goes on").1, 1);
    host.says(Err(ProviderError::transient("The engine did not answer.", "Try again.")));
    assert_eq!(observe(&house.app, &host).await.expect("it goes on").0, 0);
    let workload = find(&house, CiClass::Workload).await;
    assert_eq!(workload.lifecycle, Lifecycle::Operational);
    let engine = find(&house, CiClass::ContainerEngine).await;
    let report = crate::ci::show(&house.app, &auditor(), engine.id, None).await.expect("it is there").report;
    assert_eq!(report.and_then(|report| report.why).as_deref(), Some("The engine did not answer. Try again."));
}

#[tokio::test]
async fn a_workload_is_retired_when_its_last_container_is_gone_for_the_grace() {
    let house = docker_machine().await;
    let host = Told::new(vec![container("a1", "sha256:1", &house)]);
    observe(&house.app, &host).await.expect("it observes");
    house.clock.wind(TimeDelta::minutes(1));
    host.runs(Vec::new());
    assert_eq!(observe(&house.app, &host).await.expect("it observes").0, 0, "it may come back");
    house.clock.wind(GRACE + TimeDelta::minutes(1));
    assert!(observe(&house.app, &host).await.expect("it observes").0 > 0);
    assert_eq!(find(&house, CiClass::Workload).await.lifecycle, Lifecycle::Retired);
}

#[tokio::test]
async fn an_engine_that_tells_nothing_for_a_day_is_blind_in_the_report() {
    let house = docker_machine().await;
    let host = Told::new(vec![container("a1", "sha256:1", &house)]);
    observe(&house.app, &host).await.expect("it observes");
    house.clock.wind(TimeDelta::hours(23));
    assert_eq!(blind(&house).await, 0);
    host.says(Err(ProviderError::transient("The engine did not answer.", "Try again.")));
    house.clock.wind(TimeDelta::hours(2));
    observe(&house.app, &host).await.expect("it goes on");
    assert_eq!(blind(&house).await, 1);
}

#[tokio::test]
async fn what_is_started_behind_the_portals_back_is_known_within_seconds() {
    let house = docker_machine().await;
    let host = Arc::new(Told::new(Vec::new()));
    let hosts = Hosts::from([(SIMULATED.to_owned(), Arc::clone(&host) as Arc<dyn ContainerHost>)]);
    let app = house.app.clone();
    let following = tokio::spawn(async move { follow(&app, hosts).await });
    let engine = find(&house, CiClass::ContainerEngine).await;
    let reported = || async {
        let view = crate::ci::show(&house.app, &auditor(), engine.id, None).await.expect("it is there");
        view.report.map(|report| report.containers)
    };
    until(|| async { reported().await == Some(0) }).await;
    host.runs(vec![container("a1", "sha256:1", &house)]);
    until(|| async { reported().await == Some(1) }).await;
    assert_eq!(find(&house, CiClass::Workload).await.name, "web");
    following.abort();
}

/// Waits for less than an engine is left alone on which nothing happens.
async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let seen = async {
        while !holds().await {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), seen).await.expect("it is seen within ten seconds");
}
