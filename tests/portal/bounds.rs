//! What waits in line is told: on the operations page, at the run, at its request, to programs and to monitoring.

use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::test::{TestRequest, read_body};
use domain::deployment::DeploymentState;
use domain::ids::RunId;
use domain::ports::datacenter::{Operation, Pace};
use domain::request::Request;
use domain::run::RunState;
use engine::Worker;
use providers::clock::SystemClock;
use serde_json::json;

use crate::api::{READ, get, token};
use crate::door::{send, session, sign_in};
use crate::house::House;

async fn otto(house: &House) -> Cookie<'static> {
    session(&sign_in(house, "otto@example.org", "otto-mends-runs-now").await)
}

async fn look(house: &House, who: &Cookie<'static>, address: &str) -> String {
    let answer = send(house, TestRequest::get().uri(address).cookie(who.clone())).await;
    String::from_utf8(read_body(answer).await.to_vec()).unwrap()
}

async fn run_of(house: &House, request: &Request) -> RunId {
    store::run::of_request(&house.app.store, request.id).await.unwrap().unwrap().id
}

/// The runs that wait for a place, as soon as there are so many.
async fn in_line(house: &House, provider: &str, number: u64) {
    let full = async {
        loop {
            let crowds = store::place::crowds(&house.app.store, None).await.unwrap();
            if crowds.iter().any(|crowd| crowd.provider == provider && crowd.waiting == number && crowd.taken == 1) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), full).await.expect("they wait in line");
}

#[actix_web::test]
async fn a_run_without_a_place_says_so_on_every_page_and_is_nowhere_said_to_be_building() {
    let one_machine = |settings: &mut gatehouse::settings::Settings| {
        settings.bounds.providers.insert("machines".to_owned(), 1);
    };
    let house = House::set(Arc::new(SystemClock), one_machine).await;
    let (rita, otto) = (house.person("Rita").await, otto(&house).await);
    let datacenter = house.app.datacenter.as_ref().unwrap();
    datacenter
        .set_pace(Pace { answers: 3.0, work: 0.0, operations: vec![(Operation::MachineCreate, 3.0)] })
        .await
        .unwrap();
    let mut orders = Vec::new();
    for application in ["one", "two", "three"] {
        orders.push(house.order(&rita, "linux-vm", json!({ "application": application })).await);
    }
    let worker = Worker::start(&house.app.engine);
    in_line(&house, "machines", 2).await;
    let told = "Waits for a place at the machines: 1 of 1 are taken";
    let page = look(&house, &otto, "/operations").await;
    assert_eq!(page.matches(told).count(), 2, "{page}");
    assert_eq!(page.matches("Waits for a place<").count(), 2, "{page}");
    assert!(page.contains("1 of 1") && page.contains("2, the first for "), "{page}");
    let programs = token(&house, "otto@example.org", READ).await;
    let overview = get(&house, &programs, "/api/v1/operations").await.body;
    let held_up: Vec<&str> =
        overview["under_way"].as_array().unwrap().iter().filter_map(|run| run["held_up"].as_str()).collect();
    assert_eq!(held_up, [format!("{told}."), format!("{told}.")], "{overview}");
    let metrics = look(&house, &otto, "/metrics").await;
    for line in [
        "gatehouse_provider_calls{provider=\"machines\"} 1",
        "gatehouse_steps_waiting_for_place{provider=\"machines\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }
    for list in ["/runs", "/deployments", "/requests?whose=all", "/search?q=Linux"] {
        let page = look(&house, &otto, list).await;
        assert_eq!(page.matches("Waits for a place<").count(), 2, "{list}: {page}");
    }
    assert_eq!(look(&house, &otto, "/runs").await.matches(told).count(), 2);
    let what = told.trim_start_matches("Waits for ");
    assert_eq!(look(&house, &otto, "/requests?whose=all").await.matches(what).count(), 2);
    assert_eq!(look(&house, &otto, "/requests.csv?whose=all").await.matches(told).count(), 2);
    let requests = get(&house, &programs, "/api/v1/requests").await.body;
    let held_up = requests["items"].as_array().unwrap().iter().filter(|request| request["held_up"].is_string());
    let labels: Vec<&str> = held_up.filter_map(|request| request["state_label"].as_str()).collect();
    assert_eq!(labels, ["Waits for a place"; 2], "{requests}");
    let runs = get(&house, &programs, "/api/v1/runs").await.body;
    assert_eq!(runs["items"].as_array().unwrap().iter().filter(|run| run["held_up"].is_string()).count(), 2, "{runs}");
    let mut waiting = 0;
    for order in &orders {
        let run = run_of(&house, order).await;
        let page = look(&house, &otto, &format!("/runs/{run}")).await;
        if page.contains(told) {
            waiting += 1;
            assert!(page.contains("Waits for a place") && !page.contains("Building"), "{page}");
            let request = look(&house, &otto, &format!("/requests/{}", order.id)).await;
            assert!(request.contains(&format!("Approved, and begun. {told}")), "{request}");
            assert!(!request.contains("Building</span>"), "{request}");
            let details = get(&house, &programs, &format!("/api/v1/requests/{}", order.id)).await.body;
            assert_eq!(details["state_label"], "Waits for a place", "{details}");
            let deployment = look(&house, &otto, &format!("/deployments/{}", order.deployment)).await;
            assert!(deployment.contains(told) && !deployment.contains("Building"), "{deployment}");
            let name = app::deployment::show(&house.app, &rita, order.deployment).await.unwrap().deployment.name;
            let found = look(&house, &otto, &format!("/search?q={name}")).await;
            assert!(found.contains("Waits for a place<"), "{found}");
        }
    }
    assert_eq!(waiting, 2);
    datacenter.set_pace(Pace { answers: 0.0, work: 0.0, operations: Vec::new() }).await.unwrap();
    for order in orders {
        house.when(&rita, order.deployment, DeploymentState::Live).await;
    }
    assert!(store::place::crowds(&house.app.store, None).await.unwrap().is_empty(), "nobody waits any more");
    worker.stop().await;
}

#[actix_web::test]
async fn a_queued_run_says_how_many_are_taken_before_it_and_operators_see_the_queue_by_project() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let (rita, otto) = (house.person("Rita").await, otto(&house).await);
    let mut orders = Vec::new();
    for application in ["one", "two", "three"] {
        orders.push(house.order(&rita, "linux-vm", json!({ "application": application })).await);
    }
    for (order, told) in orders.iter().zip(["it is the next", "1 run goes before it", "2 runs go before it"]) {
        let run = run_of(&house, order).await;
        let page = look(&house, &otto, &format!("/runs/{run}")).await;
        assert!(page.contains(&format!("Waits for a worker; {told}.")), "{told}: {page}");
    }
    let page = look(&house, &otto, "/operations").await;
    let queue = page.split_once("id=\"queue\"").unwrap().1.split_once("</section>").unwrap().0;
    assert!(queue.contains("class=\"num\">3</td>"), "{queue}");
}

#[actix_web::test]
async fn a_run_whose_blueprint_is_at_its_bound_waits_for_its_turn_and_says_so() {
    let one_at_a_time = |settings: &mut gatehouse::settings::Settings| {
        settings.bounds.blueprints.insert("linux-vm".to_owned(), 1);
    };
    let house = House::set(Arc::new(SystemClock), one_at_a_time).await;
    let (rita, otto) = (house.person("Rita").await, otto(&house).await);
    let datacenter = house.app.datacenter.as_ref().unwrap();
    datacenter.set_pace(Pace { answers: 3.0, work: 0.0, operations: Vec::new() }).await.unwrap();
    let mut orders = Vec::new();
    for application in ["one", "two"] {
        orders.push(house.order(&rita, "linux-vm", json!({ "application": application })).await);
    }
    let worker = Worker::start(&house.app.engine);
    let told = "Waits for its turn: 1 of 1 runs of linux-vm are at work";
    let held_up = async {
        while !look(&house, &otto, "/operations").await.contains(told) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), held_up).await.expect("one is held up");
    datacenter.set_pace(Pace { answers: 0.0, work: 0.0, operations: Vec::new() }).await.unwrap();
    for order in orders {
        let live = house.when(&rita, order.deployment, DeploymentState::Live).await;
        assert_eq!(live.runs[0].state, RunState::Done);
    }
    worker.stop().await;
}
