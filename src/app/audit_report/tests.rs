use chrono::TimeDelta;
use domain::ci::{CiChange, CiClass};
use domain::ports::clock::Clock;
use serde_json::Map;

use super::*;
use crate::house::{House, auditor, requester};

fn pool(key: &str) -> CiChange {
    CiChange::Declare {
        key: key.into(),
        class: CiClass::LoadBalancerService,
        name: format!("pool {key}"),
        attributes: Map::new(),
    }
}

#[tokio::test]
async fn the_report_is_bounded_to_what_the_person_may_see_and_its_totals_add_up() {
    let house = House::open().await;
    house.tell(house.shop, &[pool("a"), pool("b")]).await;
    house.tell(house.website, &[pool("c")]).await;
    house.tell(house.shop, &[CiChange::Retire { key: "b".into() }]).await;
    let all = compile(&house.app, &auditor(), None).await.expect("it answers");
    assert!(all.everything && all.figures.adds_up());
    assert_eq!((all.figures.current, all.figures.retired), (2, 1));
    let own = compile(&house.app, &requester(house.website), None).await.expect("it answers");
    assert!(!own.everything && own.figures.adds_up());
    assert_eq!((own.figures.current, own.figures.retired), (1, 0));
    let (rows, _) =
        rows(&house.app, &requester(house.website), house.clock.now(), None, STRIDE).await.expect("it answers");
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn a_report_of_an_earlier_instant_says_what_was_true_then_and_the_same_again_later() {
    let house = House::open().await;
    house.tell(house.shop, &[pool("a"), pool("b")]).await;
    let then = house.clock.now();
    let fresh = compile(&house.app, &auditor(), None).await.expect("it answers");
    house.clock.wind(TimeDelta::days(1));
    house.tell(house.shop, &[CiChange::Retire { key: "b".into() }, pool("c")]).await;
    let again = compile(&house.app, &auditor(), Some(then)).await.expect("it answers");
    assert_eq!((again.figures.current, again.figures.retired), (2, 0));
    assert_eq!(again.figures, fresh.figures);
    assert_eq!(again.sha256, fresh.sha256, "the report can be made again and proves itself");
}

#[tokio::test]
async fn the_rows_of_the_files_count_to_the_figures_of_the_page() {
    let house = House::open().await;
    house.tell(house.shop, &[pool("a"), pool("b"), pool("c")]).await;
    let report = compile(&house.app, &auditor(), None).await.expect("it answers");
    let (rows, _) = rows(&house.app, &auditor(), report.figures.as_of, None, STRIDE).await.expect("it answers");
    let mut counting = Counting::new(report.figures.as_of);
    rows.iter().for_each(|row| counting.add(row));
    counting.add_objects(0, &report.unregistered);
    let (figures, duties, sha256) = counting.finish();
    assert_eq!((&figures, &sha256), (&report.figures, &report.sha256));
    assert_eq!(duties, report.duties);
}
