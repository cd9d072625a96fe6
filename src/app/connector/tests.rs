//! The CMDB is carried to one that a test plays, which can be told to fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::ci::{CiChange, CiClass, Relation};
use domain::connector::Record;
use domain::ports::cmdb_connector::{Delivered, Held, HeldPage, Limits, Outcome, Parcel, Setback};
use domain::ports::provider_error::ProviderError;
use serde_json::{Map, Value, json};

use super::*;
use crate::house::{House, auditor, nobody};

/// What a CMDB holds, and how it behaves.
#[derive(Default)]
struct Played {
    held: BTreeMap<String, Value>,
    /// The keys that it was sent, batch by batch.
    sent: Vec<Vec<String>>,
    /// It does not answer, or says this.
    broken: Option<Setback>,
    /// It takes none of these, for good.
    refuses: Vec<String>,
    /// It refuses every batch with this in it as a whole.
    chokes_on: Option<String>,
    /// It says nothing of what comes after so many.
    judges: Option<usize>,
}

#[derive(Clone, Default)]
struct Cmdb(Arc<Mutex<Played>>);

impl Cmdb {
    fn play(&self) -> MutexGuard<'_, Played> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> Vec<String> {
        self.play().held.keys().cloned().collect()
    }
}

#[async_trait]
impl CmdbConnector for Cmdb {
    fn limits(&self) -> Limits {
        Limits { items: 4, bytes: 10_000 }
    }

    fn render(&self, record: &Record) -> Option<Value> {
        (record.ci.class != CiClass::Image).then(|| json!({ "name": record.ci.name, "with": record.attributes }))
    }

    async fn deliver(&self, batch: &[Parcel]) -> Delivered {
        let mut played = self.play();
        played.sent.push(batch.iter().map(|parcel| parcel.key.clone()).collect());
        if let Some(setback) = played.broken.clone() {
            return Delivered { outcomes: Vec::new(), broken: Some(setback) };
        }
        if batch.iter().any(|parcel| Some(&parcel.key) == played.chokes_on.as_ref()) {
            let error = ProviderError::permanent("It is too much.", "Send less.");
            return Delivered { outcomes: Vec::new(), broken: Some(Setback::new("http_400", error)) };
        }
        let mut delivered = Delivered::default();
        for parcel in batch.iter().take(played.judges.unwrap_or(usize::MAX)) {
            let outcome = if played.refuses.contains(&parcel.key) {
                let error = ProviderError::refused("It has no such field.", "Add it.");
                Outcome::Failed(Setback::new("no_field", error))
            } else if played.held.insert(parcel.key.clone(), parcel.payload.clone()).as_ref() == Some(&parcel.payload) {
                Outcome::Unchanged { native_id: Some(parcel.key.clone()) }
            } else {
                Outcome::Written { native_id: Some(parcel.key.clone()) }
            };
            delivered.outcomes.push((parcel.key.clone(), outcome));
        }
        delivered
    }

    fn lists(&self) -> bool {
        true
    }

    /// Three at a time; the place is how many there were before.
    async fn list(&self, from: Option<&str>) -> Result<HeldPage, Setback> {
        let played = self.play();
        if let Some(setback) = &played.broken {
            return Err(setback.clone());
        }
        let from = from.map_or(0, |from| from.parse().expect("a place of ours"));
        let held = |(key, payload): (&String, &Value)| Held {
            key: key.clone(),
            native_id: Some(key.clone()),
            payload: payload.clone(),
        };
        let next = (from + 3 < played.held.len()).then(|| (from + 3).to_string());
        Ok(HeldPage { held: played.held.iter().skip(from).take(3).map(held).collect(), next })
    }
}

/// A house whose CMDB is carried to these.
async fn house(names: &[&str]) -> (House, Vec<Cmdb>) {
    let mut house = House::open().await;
    let cmdbs: Vec<Cmdb> = names.iter().map(|_| Cmdb::default()).collect();
    let connector = |(name, cmdb): (&&str, &Cmdb)| Connector {
        name: (*name).to_owned(),
        kind: "played",
        system: Arc::new(cmdb.clone()),
    };
    house.app.connectors = names.iter().zip(&cmdbs).map(connector).collect();
    (house, cmdbs)
}

fn machine(key: &str, cpu: u32) -> CiChange {
    let attributes = Map::from_iter([("cpu".to_owned(), cpu.into())]);
    CiChange::Declare { key: key.into(), class: CiClass::VirtualMachine, name: key.into(), attributes }
}

fn cluster(key: &str) -> CiChange {
    CiChange::Declare { key: key.into(), class: CiClass::Cluster, name: key.into(), attributes: Map::new() }
}

async fn carry_all(house: &House) {
    hand_out(&house.app).await.expect("it is handed out");
    for connector in house.app.connectors.iter() {
        carry(&house.app, connector).await.expect("it is carried");
    }
}

async fn one(house: &House) -> Fares {
    fares(&house.app).await.expect("it is told").remove(0)
}

fn silence() -> Setback {
    Setback::new("no_answer", ProviderError::transient("Nobody answers.", "It is asked again."))
}

#[tokio::test]
async fn many_changes_of_a_ci_are_one_write_and_what_it_stands_on_goes_first() {
    let (house, cmdbs) = house(&["hub"]).await;
    carry_all(&house).await;
    let on = CiChange::Relate { from: "vm".into(), relation: Relation::RunsOn, to: "cluster".into() };
    house.tell(house.shop, &[machine("vm", 1), cluster("cluster"), on]).await;
    house.tell(house.shop, &[machine("vm", 2)]).await;
    carry_all(&house).await;
    assert_eq!(cmdbs[0].play().sent, [["cluster", "vm"]]);
    assert_eq!(cmdbs[0].play().held["vm"], json!({ "name": "vm", "with": { "cpu": 2 } }));
    carry_all(&house).await;
    assert_eq!(cmdbs[0].play().sent.len(), 1, "what they hold is not sent again");
    let fares = one(&house).await;
    assert_eq!((fares.outstanding.cis, fares.standing.noops, fares.state()), (0, 0, "answers"));
}

#[tokio::test]
async fn a_change_that_comes_to_the_same_over_there_sends_nothing() {
    let (house, cmdbs) = house(&["hub"]).await;
    house.tell(house.shop, &[machine("vm", 1), cluster("cluster")]).await;
    carry_all(&house).await;
    let sent = cmdbs[0].play().sent.len();
    house
        .tell(house.shop, &[CiChange::Relate { from: "vm".into(), relation: Relation::RunsOn, to: "cluster".into() }])
        .await;
    carry_all(&house).await;
    assert_eq!(cmdbs[0].play().sent.len(), sent, "this CMDB is told of no relations");
    assert_eq!(one(&house).await.outstanding.cis, 0);
}

#[tokio::test]
async fn one_that_is_down_holds_up_no_other_and_loses_nothing() {
    let (house, cmdbs) = house(&["down", "up"]).await;
    cmdbs[0].play().broken = Some(silence());
    house.tell(house.shop, &[machine("vm", 1)]).await;
    carry_all(&house).await;
    assert_eq!((cmdbs[0].keys().len(), cmdbs[1].keys().len()), (0, 1));
    assert_eq!(one(&house).await.state(), "away");
    carry_all(&house).await;
    assert_eq!(cmdbs[0].play().sent.len(), 1, "it is left alone for a while");
    cmdbs[0].play().broken = None;
    house.clock.wind(TimeDelta::minutes(1));
    carry_all(&house).await;
    assert_eq!(cmdbs[0].keys(), ["vm"]);
    let fares = one(&house).await;
    let lag = fares.lag.expect("it took a while");
    assert_eq!((fares.state(), lag.p95), ("answers", TimeDelta::minutes(1)));
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is_left_alone() {
    let (house, cmdbs) = house(&["hub"]).await;
    let busy = Setback { retry_after: Some(TimeDelta::minutes(10)), ..silence() };
    cmdbs[0].play().broken = Some(busy);
    house.tell(house.shop, &[machine("vm", 1)]).await;
    carry_all(&house).await;
    house.clock.wind(TimeDelta::minutes(9));
    carry_all(&house).await;
    assert_eq!(cmdbs[0].play().sent.len(), 1);
    house.clock.wind(TimeDelta::minutes(1));
    carry_all(&house).await;
    assert_eq!(cmdbs[0].play().sent.len(), 2);
}

#[tokio::test]
async fn each_ci_is_judged_for_itself_and_an_operator_has_dead_letters_sent_again() {
    let (house, cmdbs) = house(&["hub"]).await;
    cmdbs[0].play().refuses = vec!["b".into()];
    house.tell(house.shop, &[machine("a", 1), machine("b", 1), machine("c", 1)]).await;
    carry_all(&house).await;
    assert_eq!(cmdbs[0].keys(), ["a", "c"]);
    let dead = one(&house).await.dead.remove(0);
    assert_eq!((dead.name.as_str(), dead.code.as_str()), ("b", "no_field"));
    assert_eq!(dead.why, "It has no such field. Add it.");
    cmdbs[0].play().refuses.clear();
    house.clock.wind(TimeDelta::days(1));
    carry_all(&house).await;
    assert_eq!(cmdbs[0].keys().len(), 2, "nobody tries by itself what can't work");
    let denied = carry_again(&house.app, &auditor(), "portal", "hub", Some(dead.ci)).await.expect_err("he may not");
    assert_eq!(denied.kind, domain::trouble::Kind::Forbidden);
    let operator = Principal { everywhere: [Role::Operator].into(), ..nobody() };
    carry_again(&house.app, &operator, "portal", "hub", Some(dead.ci)).await.expect("it is sent again");
    carry_all(&house).await;
    assert_eq!(cmdbs[0].keys(), ["a", "b", "c"]);
    assert!(carry_again(&house.app, &operator, "portal", "hub", None).await.is_err(), "there is none any more");
}

#[tokio::test]
async fn what_makes_them_refuse_a_whole_batch_is_found_and_holds_up_nothing() {
    let (house, cmdbs) = house(&["hub"]).await;
    cmdbs[0].play().chokes_on = Some("c".into());
    let all: Vec<CiChange> = ["a", "b", "c", "d", "e"].map(|key| machine(key, 1)).into();
    house.tell(house.shop, &all).await;
    carry_all(&house).await;
    assert_eq!(cmdbs[0].keys(), ["a", "b", "d", "e"]);
    let fares = one(&house).await;
    assert_eq!(fares.dead.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["c"]);
}

#[tokio::test]
async fn what_an_answer_says_nothing_of_is_sent_again() {
    let (house, cmdbs) = house(&["hub"]).await;
    cmdbs[0].play().judges = Some(1);
    house.tell(house.shop, &[machine("a", 1), machine("b", 1)]).await;
    carry_all(&house).await;
    let errors = one(&house).await.outstanding.errors;
    assert_eq!(errors, BTreeMap::from([("unanswered".to_owned(), 1)]));
    cmdbs[0].play().judges = None;
    house.clock.wind(TimeDelta::minutes(1));
    carry_all(&house).await;
    assert_eq!(cmdbs[0].keys(), ["a", "b"]);
}

#[tokio::test]
async fn what_is_too_large_is_never_sent_and_says_so() {
    let (house, cmdbs) = house(&["hub"]).await;
    let prose = Map::from_iter([("prose".to_owned(), "x".repeat(20_000).into())]);
    let large = CiChange::Declare {
        key: "large".into(),
        class: CiClass::VirtualMachine,
        name: "large".into(),
        attributes: prose,
    };
    house.tell(house.shop, &[large, machine("small", 1)]).await;
    carry_all(&house).await;
    assert_eq!(cmdbs[0].keys(), ["small"]);
    assert_eq!(one(&house).await.dead[0].code, "too_large");
}

#[tokio::test]
async fn a_connector_that_is_added_later_is_told_everything_part_by_part() {
    let (house, cmdbs) = house(&["hub"]).await;
    let connectors = house.app.connectors.clone();
    let mut before = house.app.clone();
    before.connectors = Connectors::default();
    let many: Vec<CiChange> = (0..30).map(|number| machine(&format!("vm-{number:02}"), 1)).collect();
    house.tell(house.shop, &many).await;
    hand_out(&before).await.expect("nobody is told");
    for _ in 0..3 {
        carry(&house.app, &connectors[0]).await.expect("it is carried");
    }
    assert_eq!(cmdbs[0].keys().len(), 30);
}

#[tokio::test]
async fn a_cmdb_that_was_rolled_back_is_found_out_and_brought_up_to_date() {
    let (house, cmdbs) = house(&["hub"]).await;
    let many: Vec<CiChange> = (0..8).map(|number| machine(&format!("vm-{number}"), 1)).collect();
    house.tell(house.shop, &many).await;
    carry_all(&house).await;
    let backup = cmdbs[0].play().held.clone();
    house.clock.wind(TimeDelta::hours(1));
    house.tell(house.shop, &[machine("vm-1", 4), machine("new", 1)]).await;
    carry_all(&house).await;
    cmdbs[0].play().held = backup;
    cmdbs[0].play().broken = Some(silence());
    house.clock.wind(TimeDelta::days(1));
    let connector = house.app.connectors[0].clone();
    assert!(
        !keep_comparing(&house.app, &connector).await.expect("it is tried"),
        "a cut answer says nothing is missing"
    );
    assert_eq!(one(&house).await.outstanding.cis, 0);
    cmdbs[0].play().broken = None;
    house.clock.wind(TimeDelta::hours(1));
    assert!(keep_comparing(&house.app, &connector).await.expect("it is compared"));
    let standing = one(&house).await.standing;
    assert_eq!((standing.found_differing, standing.found_missing), (1, 1));
    house.clock.wind(TimeDelta::minutes(20));
    carry_all(&house).await;
    assert_eq!(cmdbs[0].play().held["vm-1"], json!({ "name": "vm-1", "with": { "cpu": 4 } }));
    assert!(cmdbs[0].keys().contains(&"new".to_owned()));
    house.clock.wind(TimeDelta::days(1));
    assert!(keep_comparing(&house.app, &connector).await.expect("it is compared again"));
    let standing = one(&house).await.standing;
    assert_eq!((standing.found_differing, standing.found_missing), (0, 0), "the second comparison finds nothing");
}

#[tokio::test]
async fn a_step_waits_until_the_deployments_cis_are_acknowledged_and_hears_what_is_not_taken() {
    use domain::ports::cmdb::Cmdb as _;
    let (house, cmdbs) = house(&["hub"]).await;
    let deployment = store::fresh_id();
    let carried = crate::cmdb::Carried { store: house.app.store.clone(), connector: "hub".to_owned() };
    carry_all(&house).await;
    house.tell_of(house.shop, Some(deployment), &[machine("a", 1), machine("b", 1)]).await;
    house.tell(house.shop, &[machine("of-somebody-else", 1)]).await;
    let before = carried.registered(deployment).await.expect("it answers");
    assert_eq!((before.cis, before.outstanding), (0, 2));
    cmdbs[0].play().refuses = vec!["b".into(), "of-somebody-else".into()];
    carry_all(&house).await;
    let refused = carried.registered(deployment).await.expect_err("one is not taken");
    assert_eq!(refused.what, "hub does not take 1 of the deployment's CIs: It has no such field. Add it.");
    cmdbs[0].play().refuses.clear();
    house.tell_of(house.shop, Some(deployment), &[machine("b", 2)]).await;
    carry_all(&house).await;
    let after = carried.registered(deployment).await.expect("it answers");
    assert_eq!((after.cis, after.outstanding), (2, 0));
}
