use chrono::TimeDelta;
use domain::ci::CiChange;
use domain::ports::clock::Clock;
use domain::trouble::Kind;
use serde_json::json;

use super::*;
use crate::house::{House, auditor, requester};

fn machine(key: &str, name: &str, cpu: u32) -> CiChange {
    let attributes =
        json!({ "fqdn": format!("{name}.example.org"), "address": "10.0.0.7", "cpu": cpu, "memory_gb": 4 });
    CiChange::Declare {
        key: key.into(),
        class: CiClass::VirtualMachine,
        name: name.into(),
        attributes: serde_json::from_value(attributes).expect("it is an object"),
    }
}

fn window(turn: Turn<CiId>, limit: u64) -> Window<CiSort, CiId> {
    Window { sort: CiSort::Name, descending: false, turn, limit }
}

async fn found(house: &House, who: &Principal, text: &str) -> Vec<Ci> {
    let query = CiQuery { words: words(text), ..CiQuery::default() };
    let (part, counted) = list_counted(&house.app, who, &query, window(Turn::First, 50)).await.expect("it answers");
    assert_eq!(counted.number, part.rows.len() as u64);
    part.rows
}

async fn names(house: &House, who: &Principal, text: &str) -> Vec<String> {
    found(house, who, text).await.into_iter().map(|ci| ci.name).collect()
}

#[tokio::test]
async fn a_ci_is_found_by_the_beginnings_of_its_words_and_by_who_answers() {
    let house = House::open().await;
    house.tell(house.shop, &[machine("a/machine", "shop-web-01", 2), machine("b/machine", "shop-db-01", 2)]).await;
    assert_eq!(names(&house, &auditor(), "shop").await, ["shop-db-01", "shop-web-01"]);
    assert_eq!(names(&house, &auditor(), "sho WEB").await, ["shop-web-01"]);
    assert_eq!(names(&house, &auditor(), "10.0.0").await.len(), 2);
    assert_eq!(names(&house, &auditor(), "ops-cont").await.len(), 2);
    assert!(names(&house, &auditor(), "contoso").await.is_empty());
}

#[tokio::test]
async fn another_tenants_cis_are_neither_found_nor_shown() {
    let house = House::open().await;
    house.tell(house.shop, &[machine("a/machine", "shop-web-01", 2)]).await;
    house.tell(house.website, &[machine("b/machine", "website-01", 2)]).await;
    let stranger = requester(house.website);
    assert_eq!(names(&house, &stranger, "").await, ["website-01"]);
    let foreign = found(&house, &auditor(), "shop").await[0].id;
    let refused = show(&house.app, &stranger, foreign, None).await.expect_err("it is not theirs");
    assert_eq!(refused.kind, Kind::NotFound);
    assert!(show(&house.app, &requester(house.shop), foreign, None).await.is_ok());
}

#[tokio::test]
async fn counting_what_bears_a_word_stops_early_and_is_still_true() {
    let house = House::open().await;
    let machines: Vec<CiChange> = (0..260).map(|n| machine(&format!("{n}/machine"), &format!("node-{n}"), 2)).collect();
    house.tell(house.shop, &machines).await;
    house.tell(house.website, &[machine("x/machine", "node-x", 2)]).await;
    let count = async |text: &str| {
        let query = CiQuery { words: words(text), ..CiQuery::default() };
        list_counted(&house.app, &requester(house.shop), &query, window(Turn::First, 5)).await.expect("it answers").1
    };
    assert_eq!(count("node").await, Counted { number: 250, more: true });
    assert_eq!(count("node-25").await, Counted { number: 11, more: false });
    assert_eq!(count("").await, Counted { number: 260, more: false });
    assert_eq!(count("node-x").await.number, 0, "another tenant's word finds nothing");
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat() {
    let house = House::open().await;
    let machines: Vec<CiChange> = (0..7).map(|n| machine(&format!("{n}/machine"), &format!("node-{n}"), 2)).collect();
    house.tell(house.shop, &machines).await;
    let (mut seen, mut turn) = (Vec::new(), Turn::First);
    loop {
        let query = CiQuery::default();
        let part = list(&house.app, &requester(house.shop), &query, window(turn, 3)).await.expect("it answers");
        turn = Turn::After(part.rows.last().expect("no page is empty").id);
        seen.extend(part.rows.into_iter().map(|ci| ci.name));
        if !part.later {
            break;
        }
    }
    assert_eq!(seen, (0..7).map(|n| format!("node-{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_page_shows_what_was_true_at_an_earlier_instant() {
    let house = House::open().await;
    house.tell(house.shop, &[machine("a/machine", "shop-web-01", 2)]).await;
    let then = house.clock.now();
    house.clock.wind(TimeDelta::days(2));
    house.tell(house.shop, &[machine("a/machine", "shop-front-01", 8)]).await;
    let id = found(&house, &auditor(), "").await[0].id;

    let before = show(&house.app, &auditor(), id, Some(then)).await.expect("it was there");
    let cpu = |view: &CiView| view.attributes.iter().find(|told| told.title == "CPUs").map(|told| told.value.clone());
    assert_eq!((before.ci.name.as_str(), cpu(&before).as_deref()), ("shop-web-01", Some("2")));
    let now = show(&house.app, &auditor(), id, None).await.expect("it is there");
    assert_eq!((now.ci.name.as_str(), cpu(&now).as_deref()), ("shop-front-01", Some("8")));
    assert_eq!(now.history.len(), 2, "the history is told by day");
    let too_early = show(&house.app, &auditor(), id, Some(then - TimeDelta::days(1))).await;
    assert_eq!(too_early.expect_err("it was not there").kind, Kind::NotFound);
}
