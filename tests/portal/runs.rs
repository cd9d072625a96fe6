//! A run that an operator mends: who sees it, who may do what, and what is told of it.

use std::sync::Arc;

use actix_web::test::{TestRequest, read_body};
use app::deployment::Details;
use app::idempotency::Sent;
use app::request::What;
use app::run::{Mend, Told, mend, show, watch};
use domain::deployment::DeploymentState;
use domain::ids::RunId;
use domain::person::Principal;
use domain::ports::datacenter::{Fault, Operation};
use domain::request::RequestState;
use domain::run::{Cancel, EventKind, RunState};
use domain::step::StepState;
use domain::trouble::Kind;
use providers::clock::SystemClock;
use serde_json::json;

use crate::door::{send, session, sign_in};
use crate::house::House;

/// A machine that the datacenter refused once.
pub async fn refused(house: &House, rita: &Principal) -> (Details, RunId) {
    let datacenter = house.app.datacenter.as_ref().unwrap();
    datacenter.arm(Operation::MachineCreate, Fault::Refuse, Some(1)).await.unwrap();
    let request = house.order(rita, "linux-vm", json!({ "application": "fixme" })).await;
    let paused = house.when_paused(rita, request.deployment).await;
    let run = paused.runs[0].id;
    (paused, run)
}

fn again() -> Mend {
    Mend::Retry { step: "node".to_owned(), input: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_is_mended_by_an_operator_and_by_nobody_else() {
    let house = House::new().await;
    let (rita, otto, carlo) = (house.person("Rita").await, house.person("Otto").await, house.person("Carlo").await);
    let (paused, run) = refused(&house, &rita).await;

    let seen = show(&house.app, &rita, run, Some("node")).await.unwrap();
    assert_eq!(seen.run.state, RunState::Paused);
    assert_eq!(seen.steps[seen.chosen.unwrap()].state, StepState::Failed);
    assert!(!seen.may_mend);
    assert_eq!(mend(&house.app, &rita, run, again(), "", &Sent::PORTAL).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(show(&house.app, &carlo, run, None).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(mend(&house.app, &carlo, run, again(), "", &Sent::PORTAL).await.unwrap_err().kind, Kind::NotFound);

    let skip = Mend::Skip { step: "node".to_owned(), output: None };
    let unexplained = mend(&house.app, &otto, run, skip, " ", &Sent::PORTAL).await.unwrap_err();
    assert_eq!(unexplained.fields[0].field, "reason");

    mend(&house.app, &otto, run, again(), "", &Sent::PORTAL).await.unwrap();
    house.when(&rita, paused.deployment.id, DeploymentState::Live).await;
    let done = show(&house.app, &rita, run, None).await.unwrap();
    assert_eq!(done.run.state, RunState::Done);
    assert!(done.log.iter().any(|event| event.kind == EventKind::Mended && event.line.starts_with("Otto Operator")));
    assert!(done.usual.is_some(), "the next such run says how long it usually takes");
    assert!(app::audit::verify(&house.app).await.unwrap().is_ok());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_page_hears_every_event_once_until_the_end() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let (_, run) = refused(&house, &rita).await;
    let otto = house.person("Otto").await;
    let mut watch = watch(&house.app, &rita, run, 0).await.unwrap();
    mend(&house.app, &otto, run, again(), "", &Sent::PORTAL).await.unwrap();
    let mut numbers = Vec::new();
    while !watch.has_ended().await.unwrap() {
        if let Told::Events(events) = watch.next().await.unwrap() {
            numbers.extend(events.iter().map(|event| event.number));
        }
    }
    let all: Vec<i64> = (1..=i64::try_from(numbers.len()).unwrap()).collect();
    assert_eq!(numbers, all);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_how_the_last_days_went_and_nobody_else_does() {
    let house = House::new().await;
    let (rita, otto) = (house.person("Rita").await, house.person("Otto").await);
    let done = house.order(&rita, "linux-vm", json!({ "application": "calm" })).await;
    house.when(&rita, done.deployment, DeploymentState::Live).await;
    refused(&house, &rita).await;

    let lately = app::trend::lately(&house.app, &otto).await.unwrap();
    let (days, today) = (lately.days.len(), lately.days.last().unwrap());
    assert_eq!((days, today.well, today.failed), (30, 1, 1));
    assert_eq!(lately.lead_times.iter().map(|it| it.title.as_str()).collect::<Vec<_>>(), ["Linux VM"]);
    assert_eq!(lately.costs.len(), 1, "what is live costs, what is paused does not yet");
    assert_eq!(app::trend::lately(&house.app, &rita).await.unwrap_err().kind, Kind::Forbidden);
    house.close().await;
}

/// What a person of the demo reads at an address.
async fn page(house: &House, email: &str, password: &str, address: &str) -> String {
    let cookie = session(&sign_in(house, email, password).await);
    let answer = send(house, TestRequest::get().uri(address).cookie(cookie)).await;
    String::from_utf8(read_body(answer).await.to_vec()).unwrap()
}

#[actix_web::test]
async fn a_paused_run_reads_paused_wherever_it_shows() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let (paused, run) = refused(&house, &rita).await;
    let deployment = paused.deployment.id;
    let request = store::request::find(&house.app.store, paused.deployment.request).await.unwrap().unwrap();
    assert_eq!(request.state, RequestState::Paused);
    assert_eq!(paused.reads.label, "Paused: needs an operator");
    let addresses = [
        "/requests".to_owned(),
        format!("/requests/{}", request.id),
        "/deployments".to_owned(),
        format!("/deployments/{deployment}"),
        format!("/runs/{run}"),
    ];
    for address in &addresses {
        let seen = page(&house, "rita@example.org", "rita-orders-machines", address).await;
        assert!(seen.contains("Paused: needs an operator"), "{address}: {seen}");
        assert!(!seen.contains("</svg>Building</span>") && !seen.contains("</svg>Running</span>"), "{address}: {seen}");
    }
    let log = page(&house, "rita@example.org", "rita-orders-machines", &addresses[4]).await;
    let log = log.split_once("id=\"log\"").unwrap().1;
    assert!(log.contains("<span title=\"node\">Create machine</span></span>"), "people read titles: {log}");
    let log = page(&house, "otto@example.org", "otto-mends-runs-now", &addresses[4]).await;
    assert!(log.contains("<span title=\"node\">Create machine</span> <code>node</code>"), "operators keys as well");
    let list = page(&house, "rita@example.org", "rita-orders-machines", &addresses[0]).await;
    assert!(list.contains("Ops (ops-platform)"), "{list}");
    let own = page(&house, "rita@example.org", "rita-orders-machines", &addresses[1]).await;
    assert!(own.contains("Otto Operator decides how it goes on, and has been told by mail"), "{own}");
    let busy = app::deployment::to_change(&house.app, &rita, deployment).await.err().unwrap();
    assert!(busy.what.contains("Paused: needs an operator"), "{busy}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_are_told_once_for_each_pause() {
    let house = House::new().await;
    let (rita, otto) = (house.person("Rita").await, house.person("Otto").await);
    let (paused, run) = refused(&house, &rita).await;
    let told = || async {
        let mails = store::mail::list(&house.app.store, None, 100).await.unwrap();
        mails.into_iter().filter(|mail| mail.kind == "run_paused").collect::<Vec<_>>()
    };
    let first = told().await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].to_email, "otto@example.org");
    let why = paused.runs[0].why.clone().unwrap();
    assert!(first[0].text.contains(&why) && first[0].text.contains(&format!("http://localhost/runs/{run}")));

    let datacenter = house.app.datacenter.as_ref().unwrap();
    datacenter.arm(Operation::MachineCreate, Fault::Refuse, Some(1)).await.unwrap();
    mend(&house.app, &otto, run, again(), "", &Sent::PORTAL).await.unwrap();
    while told().await.len() < 2 {
        house.when_paused(&rita, paused.deployment.id).await;
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_request_says_who_cancelled_it_and_why() {
    let house = House::new().await;
    let (rita, otto) = (house.person("Rita").await, house.person("Otto").await);
    let (paused, run) = refused(&house, &rita).await;
    mend(&house.app, &otto, run, Mend::Cancel(Cancel::TakeBack), "Ordered twice", &Sent::PORTAL).await.unwrap();
    house.when(&rita, paused.deployment.id, DeploymentState::Failed).await;
    let request = app::request::show(&house.app, &rita, paused.deployment.request).await.unwrap();
    assert_eq!(request.request.reads().label, "Cancelled");
    let outcome = request.request.outcome.unwrap();
    assert!(outcome.starts_with("Cancelled by Otto Operator: Ordered twice."), "{outcome}");
    assert!(request.history.iter().any(|entry| entry.action == "request.cancelled"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_blueprint_file_is_gone_is_built_and_retired_as_it_was_ordered() {
    let mut house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let deployment = house.order(&rita, "linux-vm", json!({ "application": "shop" })).await.deployment;
    std::fs::remove_file(house.blueprint_file("linux-vm.yaml")).unwrap();
    app::catalog::publish(&house.app, None).await.unwrap();
    house.work_again();
    house.when(&rita, deployment, DeploymentState::Live).await;
    house.ask(&rita, What::Retire { deployment }).await;
    house.when(&rita, deployment, DeploymentState::Retired).await;
    assert_eq!(house.ailments().await, [""; 0]);
    house.close().await;
}
