//! What goes wrong in people's hands, at the pages and doors where it does: each has its status and says why, and
//! nothing is lost or done twice. What only a use case sees is told beside its own stories.

use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::test::read_body;
use app::approval::keep_time;
use chrono::{DateTime, TimeDelta, Utc};
use domain::request::RequestState;
use providers::clock::{ManualClock, SystemClock};
use serde_json::json;

use crate::api::{ALL, get, post, token};
use crate::door;
use crate::house::House;
use crate::requests::{Browser, csrf, hidden};

async fn state(house: &House, request: &domain::request::Request) -> RequestState {
    store::request::find(&house.app.store, request.id).await.unwrap().unwrap().state
}

#[actix_web::test]
async fn a_form_of_an_older_version_comes_back_with_what_was_typed_and_orders_the_new_one_when_sent_again() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = Browser::of(&house, "rita@example.org", "rita-orders-machines").await;
    let page = rita.get("/catalog/linux-vm").await.1;
    let text = std::fs::read_to_string(house.blueprint_file("linux-vm.yaml")).unwrap();
    house.offer("linux-vm.yaml", &text.replace("version: 1.0.0", "version: 1.1.0")).await;

    let send = async |page: String| {
        let (version, key) = (hidden(&page, "version"), hidden(&page, "key"));
        let fields = [("version", version.as_str()), ("key", &key), ("application", "typed-before"), ("lease", "30")];
        rita.send_form("/catalog/linux-vm", &csrf(&page), &fields).await
    };
    let (status, again) = send(page).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(again.contains("1.0.0 is not offered any more; it is 1.1.0 now."), "{again}");
    assert!(again.contains("value=\"typed-before\""), "what was typed is kept");
    assert_eq!(send(again).await.0, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_blueprint_that_is_gone_says_so_where_it_was() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = Browser::of(&house, "rita@example.org", "rita-orders-machines").await;
    let page = rita.get("/catalog/linux-vm").await.1;
    std::fs::remove_file(house.blueprint_file("linux-vm.yaml")).unwrap();
    app::catalog::publish(&house.app, None).await.unwrap();

    let sent = rita.send_form("/catalog/linux-vm", &csrf(&page), &[("application", "shop")]).await;
    for (status, page) in [sent, rita.get("/catalog/linux-vm").await] {
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(page.contains("The catalog does not offer `linux-vm`, or no longer."), "{page}");
    }
    let program = token(&house, "rita@example.org", ALL).await;
    let answer = get(&house, &program, "/api/v1/catalog/linux-vm").await;
    assert_eq!((answer.status, answer.kind.as_str()), (StatusCode::NOT_FOUND, "application/problem+json"));
}

#[actix_web::test]
async fn a_link_that_was_used_or_is_another_questions_decides_nothing_more() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let shop = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let wiki = house.order(&rita, "scale-out-tomcat", json!({ "application": "wiki" })).await;
    let ((to, held, page), (other, ..)) = (door::open_link(&house, &shop).await, door::open_link(&house, &wiki).await);
    let answer = async |to: &str, held: &Cookie<'static>, answer: &str| {
        let fields = [("csrf", csrf(&page)), ("answer", answer.to_owned()), ("reason", "because".to_owned())];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let sent = door::send(&house, door::form(to, &fields).cookie(held.clone())).await;
        (sent.status(), String::from_utf8(read_body(sent).await.to_vec()).unwrap())
    };
    assert_eq!(answer(&other, &held, "approve").await.0, StatusCode::NOT_FOUND, "the link of another question");
    assert_eq!(state(&house, &wiki).await, RequestState::AwaitingApproval);
    assert_eq!(answer(&to, &held, "approve").await.0, StatusCode::SEE_OTHER);
    let (status, told) = answer(&to, &held, "reject").await;
    assert_eq!(status, StatusCode::GONE, "a second decision");
    assert!(told.contains("Adam Approver approved this on"), "{told}");
    assert_eq!(state(&house, &shop).await, RequestState::Approved);
}

#[actix_web::test]
async fn a_link_that_nobody_used_in_time_says_that_it_is_too_late() {
    let monday: DateTime<Utc> = "2026-11-23T10:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::at(monday));
    let house = House::asleep(clock.clone()).await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let (to, held, page) = door::open_link(&house, &request).await;
    for _ in 0..6 {
        clock.wind(TimeDelta::days(3));
        keep_time(&house.app).await.unwrap();
    }
    let fields = [("csrf", csrf(&page)), ("answer", "approve".to_owned()), ("reason", String::new())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let late = door::send(&house, door::form(&to, &fields).cookie(held)).await;
    assert_eq!(late.status(), StatusCode::GONE);
    let told = String::from_utf8(read_body(late).await.to_vec()).unwrap();
    assert!(told.contains("in time"), "{told}");
    assert_eq!(state(&house, &request).await, RequestState::Expired);
}

#[actix_web::test]
async fn nobody_decides_on_his_own_request_and_nobody_twice_in_the_portal_or_by_program() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let (rita, adam) = (token(&house, "rita@example.org", ALL).await, token(&house, "adam@example.org", ALL).await);
    let who = house.person("Rita").await;
    let request = house.order(&who, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let question = get(&house, &adam, "/api/v1/approvals").await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let by_program = format!("/api/v1/approvals/{question}/decision");
    let own = post(&house, &rita, &by_program, json!({ "decision": "approve" }), None).await;
    assert_eq!(own.status, StatusCode::NOT_FOUND, "a question is for whom it was asked: {}", own.body);

    let (portal, page) =
        (Browser::of(&house, "adam@example.org", "adam-decides-orders").await, format!("/approvals/{question}"));
    let form = csrf(&portal.get(&page).await.1);
    let first = post(&house, &adam, &by_program, json!({ "decision": "approve" }), None).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let again = post(&house, &adam, &by_program, json!({ "decision": "reject", "reason": "no" }), None).await;
    assert_eq!(again.status, StatusCode::GONE, "{}", again.body);
    assert!(again.body["detail"].to_string().contains("Adam Approver approved this"), "{}", again.body);
    let (status, told) = portal.send_form(&page, &form, &[("answer", "reject"), ("reason", "no")]).await;
    assert_eq!(status, StatusCode::GONE);
    assert!(told.contains("Adam Approver approved this"), "{told}");
    assert_eq!(state(&house, &request).await, RequestState::Approved);
}
