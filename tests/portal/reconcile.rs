//! Reconcile, as people and programs have it done: of what was built as ordered nothing is found; of what somebody does past
//! Gatehouse, what it is.

use std::time::Instant;

use actix_web::cookie::Cookie;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, read_body};
use app::request::What;
use chrono::TimeDelta;
use domain::deployment::DeploymentState;
use domain::finding::FindingKind;
use domain::ids::DeploymentId;
use serde_json::{Value, json};

use crate::api::{ALL, get, send, token, with};
use crate::door::{self, session, sign_in};
use crate::house::{House, PATIENCE};
use crate::sightings::{by_hand, found, watchful};

async fn reconcile(house: &House, otto: &str) -> Value {
    let request = with(otto, Method::POST, "/api/v1/reconcile").set_json(json!({}));
    let answer = send(house, request).await;
    assert!(answer.status.is_success(), "{}", answer.body);
    answer.body
}

/// The findings in this state.
async fn kept(house: &House, otto: &str, state: &str) -> Vec<Value> {
    let answer = get(house, otto, &format!("/api/v1/findings?state={state}")).await;
    answer.body["items"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn of_what_was_built_changed_and_retired_as_ordered_nothing_is_found() {
    let (house, following) = watchful().await;
    let (rita, otto) = (house.person("Rita").await, token(&house, "otto@example.org", ALL).await);
    let orders = [
        ("linux-vm", json!({ "application": "tools" })),
        ("sql-database-vm", json!({ "application": "books" })),
        ("scale-out-tomcat", json!({ "application": "shop" })),
        ("docker-machine", json!({ "application": "fleet" })),
        ("container-space", json!({ "name": "den" })),
    ];
    let mut built: Vec<DeploymentId> = Vec::new();
    for (blueprint, parameters) in orders {
        built.push(house.order(&rita, blueprint, parameters).await.deployment);
        house.approve_all().await;
    }
    let began = Instant::now();
    for deployment in &built {
        let stands = house.when(&rita, *deployment, DeploymentState::Live).await;
        found(&house, &rita, &stands, &[]).await;
    }
    // A machine that nobody looked at since it came to be is not matched yet, and no finding either.
    loop {
        let done = reconcile(&house, &otto).await;
        assert_eq!((&done["state"], kept(&house, &otto, "open").await), (&json!("done"), Vec::new()));
        let totals = &done["outcome"]["totals"]["virtual_machine"];
        assert!(began.elapsed() < PATIENCE, "not all of them are seen: {totals:#}");
        if totals["matched"].as_u64().unwrap() >= 5 {
            break;
        }
    }
    for deployment in built {
        house.ask(&rita, What::Retire { deployment }).await;
        house.approve_all().await;
        house.when(&rita, deployment, DeploymentState::Retired).await;
    }
    reconcile(&house, &otto).await;
    assert_eq!(kept(&house, &otto, "open").await, [] as [Value; 0], "nor of what is retired");
    following.abort();
    house.close().await;
}

#[actix_web::test]
async fn a_machine_that_was_switched_off_is_a_finding_with_its_cost_until_it_runs_again() {
    let (house, following) = watchful().await;
    let rita = house.person("Rita").await;
    let (otto, program) = (
        session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await),
        token(&house, "otto@example.org", ALL).await,
    );
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    house.approve_all().await;
    let built = house.when(&rita, request.deployment, DeploymentState::Live).await;
    found(&house, &rita, &built, &[]).await;
    by_hand(&house, &otto, "switch-off").await;
    found(&house, &rita, &built, &[FindingKind::SwitchedOff]).await;
    reconcile(&house, &program).await;
    let open = kept(&house, &program, "open").await;
    assert_eq!((open.len(), &open[0]["code"], &open[0]["kind"]), (1, &json!("K1"), &json!("switched_off")));
    assert!(open[0]["cents_per_month"].as_i64().unwrap() > 0, "{:#}", open[0]);
    assert!(open[0]["detail"].as_str().unwrap().contains("It is switched off."), "{:#}", open[0]);

    by_hand(&house, &otto, "switch-on").await;
    found(&house, &rita, &built, &[]).await;
    assert_eq!(reconcile(&house, &program).await["outcome"]["tally"]["fixed"], 1);
    assert_eq!(kept(&house, &program, "fixed").await[0]["id"], open[0]["id"]);
    following.abort();
    house.close().await;
}

/// The page as this person sees it.
async fn visit(house: &House, who: &Cookie<'static>, address: &str) -> (StatusCode, String) {
    let answer = door::send(house, TestRequest::get().uri(address).cookie(who.clone())).await;
    let status = answer.status();
    (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
}

/// A form as this person sends it from a page.
async fn fill(
    house: &House,
    who: &Cookie<'static>,
    (page, address): (&str, &str),
    fields: &[(&str, &str)],
) -> (StatusCode, String) {
    let (_, text) = visit(house, who, page).await;
    let token = text.split_once("name=\"csrf\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", token.as_str())]).collect();
    let answer = door::send(house, door::form(address, &fields).cookie(who.clone())).await;
    let status = answer.status();
    (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
}

#[actix_web::test]
async fn an_operator_bears_a_finding_until_a_day_and_nobody_of_another_project_sees_it() {
    let house = House::new().await;
    let customer = house.person("Rita").await;
    let request = house.order(&customer, "linux-vm", json!({ "application": "tools" })).await;
    house.approve_all().await;
    house.when(&customer, request.deployment, DeploymentState::Live).await;
    let (otto, rita, carlo) = (
        session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await),
        session(&sign_in(&house, "rita@example.org", "rita-orders-machines").await),
        session(&sign_in(&house, "carlo@example.org", "carlo-sees-his-own").await),
    );
    let program = token(&house, "otto@example.org", ALL).await;
    house.database.tamper("UPDATE ci SET application = NULL WHERE class = 'virtual_machine'").await;
    let (done, _) = fill(&house, &otto, ("/reconcile", "/reconcile"), &[]).await;
    assert_eq!(done, StatusCode::SEE_OTHER);
    let (_, came_to) = visit(&house, &otto, "/reconcile").await;
    assert!(came_to.contains("Machine") && came_to.contains("Otto"), "{came_to}");
    assert_eq!(visit(&house, &rita, "/reconcile").await.0, StatusCode::FORBIDDEN, "it tells of everybody's");

    let open = kept(&house, &program, "open").await;
    let of_machine = open.iter().find(|it| it["class"] == "virtual_machine").expect("nobody answers for it");
    let address = format!("/findings/{}", of_machine["id"].as_str().unwrap());
    for who in [&otto, &rita] {
        let (_, list) = visit(&house, who, "/findings?class=virtual_machine").await;
        assert!(list.contains("Ownerless") || list.contains("Nobody"), "{list}");
        assert_eq!(visit(&house, who, &address).await.0, StatusCode::OK);
    }
    assert!(!visit(&house, &carlo, "/findings?state=all").await.1.contains(&address));
    assert_eq!(visit(&house, &carlo, &address).await.0, StatusCode::NOT_FOUND);

    let waiver = [("until", "2001-01-01"), ("reason", "Its team is being named.")];
    assert_eq!(fill(&house, &rita, (&address, &address), &waiver).await.0, StatusCode::FORBIDDEN);
    let (refused, page) = fill(&house, &otto, (&address, &address), &waiver).await;
    assert_eq!(refused, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("That day is over") && page.contains("Its team is being named."), "{page}");
    let until = (house.app.clock.now() + TimeDelta::days(30)).date_naive().to_string();
    let waiver = [("until", until.as_str()), ("reason", "Its team is being named.")];
    assert_eq!(fill(&house, &otto, (&address, &address), &waiver).await.0, StatusCode::SEE_OTHER);
    let (_, page) = visit(&house, &rita, &address).await;
    assert!(page.contains("Waived") && page.contains("Its team is being named."), "{page}");
    let (_, file) = visit(&house, &rita, "/findings.csv?state=waived").await;
    assert!(file.contains("waived") && file.contains("Otto"), "{file}");
    assert_eq!(kept(&house, &program, "waived").await.len(), 1);
    house.close().await;
}
