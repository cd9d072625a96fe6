use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::deployment::{Deployment, DeploymentState};
use domain::finding::FindingKind;
use domain::ports::clock::Clock;
use domain::ports::machine_change::{Changes, MachineEvent};
use domain::ports::machines::{MachineOrder, MachineState, Machines};
use domain::site::SIMULATED;
use serde_json::Map;
use tokio::sync::Notify;

use super::*;
use crate::ci::{CiQuery, CiSort, CiView};
use crate::house::machines::{built, look, standing_of};
use crate::house::{House, auditor, requester};
use crate::page::{Turn, Window};

/// A hypervisor that shows and tells what a test says.
#[derive(Default)]
struct Told {
    there: Mutex<Option<Vec<Machine>>>,
    news: Mutex<Vec<MachineChange>>,
    /// Rings when there is news.
    bell: Notify,
}

impl Told {
    /// From now on these machines stand there; without any, it does not answer.
    fn shows(&self, there: Option<Vec<Machine>>, news: Vec<MachineChange>) {
        *self.there.lock().unwrap_or_else(PoisonError::into_inner) = there;
        *self.news.lock().unwrap_or_else(PoisonError::into_inner) = news;
        self.bell.notify_one();
    }
}

#[async_trait]
impl Machines for Told {
    async fn create(&self, _key: &str, _order: &MachineOrder) -> Result<Machine, ProviderError> {
        Err(away())
    }

    async fn find(&self, _key: &str) -> Result<Option<Machine>, ProviderError> {
        Err(away())
    }

    async fn describe(&self, _id: &str) -> Result<Machine, ProviderError> {
        Err(away())
    }

    async fn list(&self) -> Result<Vec<Machine>, ProviderError> {
        self.there.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(away)
    }

    async fn destroy(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        Err(away())
    }

    async fn changes(&self, since: Option<&str>) -> Result<Changes, ProviderError> {
        if since.is_some() {
            self.bell.notified().await;
        }
        let changes = std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Changes { cursor: Some("here".into()), complete: since.is_some(), changes })
    }
}

fn away() -> ProviderError {
    ProviderError::transient("The hypervisor is away.", "It is asked again.")
}

async fn page(house: &House, name: &str, as_of: Option<DateTime<Utc>>) -> CiView {
    let query = CiQuery { words: crate::ci::words(name), ..CiQuery::default() };
    let first = Window { sort: CiSort::Name, descending: false, turn: Turn::First, limit: 10 };
    let found = crate::ci::list(&house.app, &auditor(), &query, first).await.expect("it answers");
    let ci = found.rows.first().expect("there is one").id;
    crate::ci::show(&house.app, &auditor(), ci, as_of).await.expect("it is shown")
}

fn kinds(view: &CiView) -> Vec<FindingKind> {
    view.findings.iter().map(|finding| finding.kind).collect()
}

#[tokio::test]
async fn a_machine_that_somebody_deleted_is_a_finding_until_it_is_back() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    look(&house, &[standing_of(&shop)], &[]).await;
    assert_eq!(kinds(&page(&house, "shop-1", None).await), []);

    house.clock.wind(TimeDelta::minutes(5));
    let deleted = house.clock.now();
    let change = MachineChange {
        id: "vm-shop-1".into(),
        key: standing_of(&shop).key,
        name: "shop-1".into(),
        event: MachineEvent::Vanished,
        by: Some("LAB\\root".into()),
    };
    look(&house, &[], &[change]).await;
    let view = page(&house, "shop-1", None).await;
    assert_eq!(kinds(&view), [FindingKind::Gone]);
    assert_eq!(
        view.findings[0].detail,
        "No machine with its key stands at Simulated datacenter any more. First seen on 15 Jan 2027, 08:05 UTC; \
         LAB\\root did it, says the hypervisor's log."
    );
    assert_eq!(view.standing.expect("it was seen").sighting.power(), "Gone");
    let report = crate::audit_report::of_everything(&house.app, None).await.expect("it answers");
    assert_eq!((report.found(FindingKind::Gone), report.figures.adds_up()), (1, true));

    house.clock.wind(TimeDelta::minutes(5));
    look(&house, &[standing_of(&shop)], &[]).await;
    let view = page(&house, "shop-1", None).await;
    assert_eq!(kinds(&view), []);
    let told: Vec<(Aspect, bool)> =
        view.history.iter().flat_map(|day| &day.changes).map(|it| (it.aspect, it.after.is_null())).collect();
    assert_eq!(told, [(Aspect::Finding, true), (Aspect::Finding, false), (Aspect::Created, false)]);
    assert_eq!(kinds(&page(&house, "shop-1", Some(deleted)).await), [FindingKind::Gone], "so it was then");
}

#[tokio::test]
async fn a_second_look_at_the_same_writes_nothing_new() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    let off = Machine { state: MachineState::Stopped, snapshots: 1, ..standing_of(&shop) };
    look(&house, std::slice::from_ref(&off), &[]).await;
    let first = page(&house, "shop-1", None).await;
    house.clock.wind(TimeDelta::minutes(5));
    look(&house, &[off], &[]).await;
    let second = page(&house, "shop-1", None).await;
    assert_eq!(kinds(&second), [FindingKind::SwitchedOff, FindingKind::ChangedByHand]);
    assert_eq!((&first.findings, &first.history[0].changes), (&second.findings, &second.history[0].changes));
}

#[tokio::test]
async fn what_a_run_works_on_is_judged_when_the_run_is_over() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    look(&house, &[standing_of(&shop)], &[]).await;
    let set = async |deployment: Deployment| {
        let tx = house.app.store.begin().await.expect("a transaction");
        store::deployment::update(&tx, &deployment).await.expect("it is written");
        tx.commit().await.expect("it commits");
    };
    let before = store::sighting::machines(&house.app.store, SIMULATED).await.expect("it answers");
    set(shop.clone().changing(Map::new()).expect("it is live")).await;
    record(&house.app, SIMULATED, &before, &[], &[]).await.expect("a run began while the site was looked at");
    look(&house, &[], &[]).await;
    assert_eq!(kinds(&page(&house, "shop-1", None).await), []);
    set(shop).await;
    look(&house, &[], &[]).await;
    assert_eq!(kinds(&page(&house, "shop-1", None).await), [FindingKind::Gone]);
}

#[tokio::test]
async fn a_site_that_does_not_answer_is_not_evaluated_and_nothing_there_is_missing() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    assert!(page(&house, "shop-1", None).await.not_evaluated.expect("nobody looked").contains("never looked at"));
    look(&house, &[standing_of(&shop)], &[]).await;
    assert_eq!(page(&house, "shop-1", None).await.not_evaluated, None);
    house.clock.wind(TimeDelta::minutes(5));
    for _ in 0..2 {
        note(&house.app, SIMULATED, &away()).await.expect("it is noted");
        house.clock.wind(TimeDelta::minutes(1));
    }
    let view = page(&house, "shop-1", None).await;
    assert_eq!(kinds(&view), []);
    assert_eq!(
        view.not_evaluated.as_deref(),
        Some(
            "Not evaluated since 15 Jan 2027, 08:05 UTC: Simulated datacenter can't be looked at. The hypervisor is \
             away. It is asked again."
        )
    );
    let report = crate::audit_report::of_everything(&house.app, None).await.expect("it answers");
    assert_eq!((report.figures.not_evaluated, report.figures.correct.whole), (1, 1), "the server is no machine");
    assert!(report.figures.adds_up() && report.sites[0].unseen.is_some());
    look(&house, &[standing_of(&shop)], &[]).await;
    assert_eq!(page(&house, "shop-1", None).await.not_evaluated, None);
    house.clock.wind(TimeDelta::hours(1));
    assert!(page(&house, "shop-1", None).await.not_evaluated.is_some(), "nobody has looked for an hour");
}

#[tokio::test]
async fn another_tenants_machines_and_sites_are_not_told_of() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    built(&house, house.website, "website-1").await;
    look(&house, &[standing_of(&shop)], &[]).await;
    let stranger = requester(house.shop);
    let report = crate::audit_report::compile(&house.app, &stranger, None).await.expect("it answers");
    assert_eq!((report.found(FindingKind::Gone), report.sites.len()), (0, 1));
    let own = requester(house.website);
    let report = crate::audit_report::compile(&house.app, &own, None).await.expect("it answers");
    assert_eq!(report.found(FindingKind::Gone), 1);
    let nobodys = requester(store::fresh_id());
    let report = crate::audit_report::compile(&house.app, &nobodys, None).await.expect("it answers");
    assert_eq!(report.sites.len(), 0, "nothing of theirs stands anywhere");
}

#[tokio::test]
async fn whoever_follows_a_site_finds_what_its_hypervisor_tells_of_and_what_it_does_not() {
    let house = House::open().await;
    let shop = built(&house, house.shop, "shop-1").await;
    let told = Arc::new(Told::default());
    told.shows(Some(vec![standing_of(&shop)]), Vec::new());
    let hypervisors: Hypervisors = BTreeMap::from([(SIMULATED.to_owned(), told.clone() as Arc<dyn Machines>)]);
    let app = house.app.clone();
    let following = tokio::spawn(async move { follow(&app, hypervisors).await });
    until(async || page(&house, "shop-1", None).await.not_evaluated.is_none()).await;

    let off = Machine { state: MachineState::Stopped, ..standing_of(&shop) };
    let change = MachineChange {
        id: off.id.clone(),
        key: off.key.clone(),
        name: off.name.clone(),
        event: MachineEvent::Stopped,
        by: Some("root".into()),
    };
    told.shows(Some(vec![off]), vec![change]);
    until(async || kinds(&page(&house, "shop-1", None).await) == [FindingKind::SwitchedOff]).await;
    assert!(page(&house, "shop-1", None).await.findings[0].detail.contains("root did it"));

    let later = built(&house, house.shop, "shop-2").await;
    told.shows(Some(vec![standing_of(&shop)]), Vec::new());
    until(async || kinds(&page(&house, "shop-2", None).await) == [FindingKind::Gone]).await;
    assert_eq!(kinds(&page(&house, "shop-1", None).await), [], "the ledger changed: all of the site was looked at");
    assert_eq!(later.state, DeploymentState::Live);
    following.abort();
}

/// Waits for something that another task is about to bring about.
async fn until(is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait).await.expect("it never came to that");
}
