use chrono::TimeDelta;
use domain::audit::Actor;
use domain::audit_report::filing::Broken;
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

#[tokio::test]
async fn a_filed_report_says_later_what_it_said_then_and_comes_to_the_same_when_it_is_judged_again() {
    let house = House::open().await;
    let pools: Vec<CiChange> = (0..STRIDE + 5).map(|number| pool(&format!("p{number}"))).collect();
    house.tell(house.shop, &pools).await;
    let first = filing::file(&house.app, &auditor()).await.expect("it is filed");
    house.clock.wind(TimeDelta::days(1));
    house.tell(house.shop, &[CiChange::Retire { key: "p7".into() }]).await;
    let second = filing::file_as(&house.app, Actor::clock()).await.expect("it is filed");
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(second.previous, first.hash);

    let filed = filing::show(&house.app, &auditor(), 1).await.expect("it is kept");
    assert_eq!((filed.figures.current, filed.figures.retired), (1_005, 0), "as it was then");
    let pages: Vec<Vec<Row>> = futures::TryStreamExt::try_collect(population(house.app.clone(), auditor(), &filed))
        .await
        .expect("its population is kept");
    let mut counting = Counting::new(filed.figures.as_of);
    pages.iter().flatten().for_each(|row| counting.add(row));
    counting.add_objects(filed.figures.objects, &filed.unregistered);
    assert_eq!(counting.finish().2, first.sha256, "its rows count to what it says");
    let (_, last, next) = filing::page(&house.app, &auditor(), 1, STRIDE).await.expect("it is kept");
    assert_eq!((last.len(), next), (5, None));

    for number in [1, 2] {
        let again = filing::judge_again(&house.app, number).await.expect("it is judged");
        assert!(again.is_same(), "{again:?}");
    }
    let end = filing::verify(&house.app).await.expect("the chain is walked").expect("it is whole");
    assert_eq!(end, Some(second));
}

#[tokio::test]
async fn whoever_meddles_with_a_filed_report_is_found_out() {
    let house = House::open().await;
    house.tell(house.shop, &[pool("a"), pool("b")]).await;
    for _ in 0..2 {
        filing::file(&house.app, &auditor()).await.expect("it is filed");
    }
    // The first report's population is put in the place of the second's, after one CI more was on record.
    house.tell(house.shop, &[pool("c")]).await;
    filing::file(&house.app, &auditor()).await.expect("it is filed");
    house
        .database
        .tamper(
            "UPDATE audit_filing_part SET rows = (SELECT p.rows FROM audit_filing_part p JOIN audit_filing f \
             ON f.draft_id = p.draft_id WHERE f.number = 1) \
             WHERE draft_id = (SELECT draft_id FROM audit_filing WHERE number = 3)",
        )
        .await;
    let again = filing::judge_again(&house.app, 3).await.expect("it is judged");
    assert!(!again.whole && !again.is_same(), "{again:?}");
    assert_ne!(again.sha256, again.filing.sha256);

    house.database.tamper("UPDATE audit_filing SET cis = 1 WHERE number = 2").await;
    let broken = filing::verify(&house.app).await.expect("the chain is walked");
    assert_eq!(broken, Err(Broken::Changed(2)));
    house.database.tamper("DELETE FROM audit_filing WHERE number = 2").await;
    let broken = filing::verify(&house.app).await.expect("the chain is walked");
    assert_eq!(broken, Err(Broken::Missing(2)));
}

#[tokio::test]
async fn what_a_dead_process_left_of_a_report_is_swept_and_what_another_writes_is_not() {
    let house = House::open().await;
    let part = |draft: uuid::Uuid| {
        let house = &house;
        async move {
            let tx = house.app.store.begin_step().await.expect("a transaction");
            let now = house.clock.now();
            store::audit_report::filing::keep_part(&tx, draft, 0, vec![1], now).await.expect("it is written");
            tx.commit().await.expect("it commits");
        }
    };
    let (left, under_way): (uuid::Uuid, uuid::Uuid) = (store::fresh_id(), store::fresh_id());
    part(left).await;
    house.clock.wind(TimeDelta::days(2));
    part(under_way).await;
    filing::file(&house.app, &auditor()).await.expect("it is filed");
    let kept = async |draft| store::audit_report::filing::part(&house.app.store, draft, 0).await.expect("it answers");
    assert_eq!(kept(left).await, None);
    assert_eq!(kept(under_way).await, Some(vec![1]));
}

#[tokio::test]
async fn only_who_may_see_everything_reads_filed_reports_and_only_auditors_file_them() {
    let house = House::open().await;
    house.tell(house.shop, &[pool("a")]).await;
    filing::file(&house.app, &auditor()).await.expect("it is filed");
    let stranger = requester(house.shop);
    assert!(filing::file(&house.app, &stranger).await.is_err());
    assert!(filing::filed(&house.app, &stranger, None).await.is_err());
    assert!(filing::show(&house.app, &stranger, 1).await.is_err());
    assert!(filing::page(&house.app, &stranger, 1, 0).await.is_err());
    assert!(filing::rerun(&house.app, &stranger, 1).await.is_err());
}

#[tokio::test]
async fn a_report_tells_what_changed_since_the_last_that_was_filed_and_draws_its_sample_anew() {
    let house = House::open().await;
    let pools: Vec<CiChange> = (0..60).map(|number| pool(&format!("p{number}"))).collect();
    house.tell(house.shop, &pools).await;
    house.clock.wind(TimeDelta::seconds(1));
    filing::file(&house.app, &auditor()).await.expect("it is filed");
    house.clock.wind(TimeDelta::days(40));
    house.tell(house.shop, &[CiChange::Retire { key: "p7".into() }]).await;
    let report = compile(&house.app, &auditor(), None).await.expect("it answers");
    assert_eq!((report.changes.since_report, report.changes.cis), (Some(1), 1), "only what came after it");
    assert!(report.changes.listed.iter().all(|it| it.name == "pool p7"), "{:?}", report.changes.listed);
    let own = compile(&house.app, &requester(house.website), None).await.expect("it answers");
    assert_eq!((own.changes.since_report, own.changes.changes), (None, 0), "nothing of another tenant");

    let second = filing::file(&house.app, &auditor()).await.expect("it is filed");
    let (first, filed) = (filing::show(&house.app, &auditor(), 1).await, filing::show(&house.app, &auditor(), 2).await);
    let drawn = |report: Result<Arc<AuditReport>, Trouble>| report.expect("kept").sample.clone().expect("a sample");
    let (first, filed) = (drawn(first), drawn(filed));
    assert_eq!((first.cis.len(), filed.cis.len()), (25, 25));
    assert_ne!(first.cis, filed.cis, "the seal of the report before is in the seed");
    assert!(filed.cis.iter().all(|ci| ci.name != "pool p7"), "what is retired has no thing to be looked for");
    assert!(filing::judge_again(&house.app, second.number).await.expect("it is judged").drawn);
    let then = compile(&house.app, &auditor(), Some(house.clock.now() - TimeDelta::days(1))).await.expect("it answers");
    assert_eq!(then.sample, None, "nobody can look for what was there yesterday");
}
