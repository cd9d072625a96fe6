//! A run that an operator mends: who sees it, who may do what, and what is told of it.

use app::deployment::Details;
use app::idempotency::Sent;
use app::run::{Mend, Told, mend, show, watch};
use domain::deployment::DeploymentState;
use domain::ids::RunId;
use domain::person::Principal;
use domain::ports::datacenter::{Fault, Operation};
use domain::run::{EventKind, RunState};
use domain::step::StepState;
use domain::trouble::Kind;
use serde_json::json;

use crate::house::House;

/// A machine that the datacenter refused once.
async fn refused(house: &House, rita: &Principal) -> (Details, RunId) {
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
