//! The audit report at the door: page, CSV and JSON say the same, and of another tenant they say nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, read_body};
use providers::clock::{ManualClock, SystemClock};
use serde_json::Value;

use crate::door::{send, session, sign_in};
use crate::house::House;

/// What somebody gets at this address.
async fn read(house: &House, who: &Cookie<'static>, path: &str) -> String {
    let response = send(house, TestRequest::get().uri(path).cookie(who.clone())).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    String::from_utf8(read_body(response).await.to_vec()).unwrap()
}

async fn report(house: &House, who: &Cookie<'static>) -> Value {
    serde_json::from_str(&read(house, who, "/audit/report.json").await).unwrap()
}

#[actix_web::test]
async fn page_csv_and_json_tell_the_same_cis_and_findings_and_nothing_of_another_tenant() {
    // The clock stands still, so all three are of one instant.
    let house = House::asleep(Arc::new(ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap()))).await;
    app::sample::fill(&house.app, 9, |_| {}).await.unwrap();
    let rita = session(&sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    let carlo = session(&sign_in(&house, "carlo@example.org", "carlo-sees-his-own").await);

    let json = report(&house, &rita).await;
    let figures = &json["figures"];
    let rows = json["rows"].as_array().unwrap();
    assert!(!rows.is_empty(), "there is something to tell");
    assert_eq!(rows.len() as u64, figures["total"].as_u64().unwrap());
    let with_findings = rows.iter().filter(|row| row["findings"] != Value::Array(Vec::new())).count();

    let page = read(&house, &rita, "/audit").await;
    for sentence in [
        format!("{} current CIs, {} retired", figures["current"], figures["retired"]),
        format!("{} CIs without findings, {} with.", figures["sound"], figures["with_findings"]),
        json["about"]["sha256"].as_str().unwrap().to_owned(),
    ] {
        assert!(page.contains(&sentence), "the page does not say: {sentence}");
    }
    assert_eq!(with_findings as u64, figures["with_findings"].as_u64().unwrap());

    let csv = read(&house, &rita, "/audit/report.csv").await;
    assert_eq!(csv.lines().filter(|line| line.starts_with("ci,")).count(), rows.len());
    for row in rows {
        let id = row["ci"]["id"].as_str().unwrap();
        let line = csv.lines().find(|line| line.contains(id)).expect("each CI has its line");
        for finding in row["findings"].as_array().unwrap() {
            assert!(line.contains(finding["kind"].as_str().unwrap()), "{line}");
        }
    }

    let theirs = report(&house, &carlo).await;
    assert!(theirs["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "Contoso has CIs of its own");
    let (page, csv) = (read(&house, &carlo, "/audit").await, read(&house, &carlo, "/audit/report.csv").await);
    for id in rows.iter().map(|row| row["ci"]["id"].as_str().unwrap()) {
        let seen = [theirs.to_string(), page.clone(), csv.clone()].iter().any(|text| text.contains(id));
        assert!(!seen, "Carlo sees {id}");
    }
}

#[actix_web::test]
async fn of_many_who_ask_for_the_report_at_once_all_but_the_first_share_one() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    app::sample::fill(&house.app, 9, |_| {}).await.unwrap();
    let audrey = house.person("Audrey").await;
    let compile = || app::audit_report::compile(&house.app, &audrey, None);
    let before = house.app.store.reads();
    compile().await.unwrap();
    let alone = house.app.store.reads() - before;

    let reports = futures::future::join_all((0..12).map(|_| compile())).await;
    let instants: BTreeSet<_> = reports.into_iter().map(|report| report.unwrap().figures.as_of).collect();
    assert_eq!(instants.len(), 2, "one for the first, one for those who waited");
    assert_eq!(house.app.store.reads() - before, 3 * alone);
}
