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

async fn names(house: &House, who: &Principal, text: &str) -> Vec<String> {
    let query = CiQuery { words: words(text), limit: 50, ..CiQuery::default() };
    let list = search(&house.app, who, query).await.expect("it answers");
    list.rows.into_iter().map(|ci| ci.name).collect()
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
    let query = CiQuery { words: words("shop"), limit: 1, ..CiQuery::default() };
    let foreign = search(&house.app, &auditor(), query).await.expect("it answers").rows[0].id;
    let refused = show(&house.app, &stranger, foreign, None).await.expect_err("it is not theirs");
    assert_eq!(refused.kind, Kind::NotFound);
    assert!(show(&house.app, &requester(house.shop), foreign, None).await.is_ok());
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat() {
    let house = House::open().await;
    let machines: Vec<CiChange> = (0..7).map(|n| machine(&format!("{n}/machine"), &format!("node-{n}"), 2)).collect();
    house.tell(house.shop, &machines).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let query = CiQuery { after, limit: 3, ..CiQuery::default() };
        let list = search(&house.app, &requester(house.shop), query).await.expect("it answers");
        seen.extend(list.rows.into_iter().map(|ci| ci.name));
        after = list.next;
        if after.is_none() {
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
    let id = search(&house.app, &auditor(), CiQuery { limit: 1, ..CiQuery::default() }).await.expect("it answers").rows
        [0]
    .id;

    let before = show(&house.app, &auditor(), id, Some(then)).await.expect("it was there");
    let cpu = |view: &CiView| view.attributes.iter().find(|told| told.title == "CPUs").map(|told| told.value.clone());
    assert_eq!((before.ci.name.as_str(), cpu(&before).as_deref()), ("shop-web-01", Some("2")));
    let now = show(&house.app, &auditor(), id, None).await.expect("it is there");
    assert_eq!((now.ci.name.as_str(), cpu(&now).as_deref()), ("shop-front-01", Some("8")));
    assert_eq!(now.history.len(), 2, "the history is told by day");
    let too_early = show(&house.app, &auditor(), id, Some(then - TimeDelta::days(1))).await;
    assert_eq!(too_early.expect_err("it was not there").kind, Kind::NotFound);
}
