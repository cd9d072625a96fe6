//! The operations page: what stands still, and the buttons that move it on; and the figures that monitoring reads.

use std::collections::BTreeSet;

use actix_web::cookie::Cookie;
use actix_web::dev::ServiceResponse;
use actix_web::http::{StatusCode, header};
use actix_web::test::{TestRequest, read_body};
use domain::deployment::DeploymentState;
use domain::ports::datacenter::{Fault, Operation};
use domain::run::RunState;

use serde_json::json;

use crate::door::{form, send, session, sign_in};
use crate::house::House;
use crate::runs::refused;

async fn text(answer: ServiceResponse) -> String {
    String::from_utf8(read_body(answer).await.to_vec()).unwrap()
}

async fn otto(house: &House) -> Cookie<'static> {
    session(&sign_in(house, "otto@example.org", "otto-mends-runs-now").await)
}

/// The hidden field of a page's forms.
fn csrf(page: &str) -> &str {
    let field = page.split_once("name=\"csrf\" value=\"").unwrap().1;
    field.split_once('"').unwrap().0
}

#[actix_web::test]
async fn an_operator_mends_a_run_from_the_page_and_comes_back_to_it() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let (paused, run) = refused(&house, &rita).await;
    let why = paused.runs[0].why.clone().unwrap();
    let otto = otto(&house).await;
    let seen = look(&house, &otto, "/operations").await;
    let input = format!("/runs/{run}?step=node#step");
    for word in [why.as_str(), "Try again", "Skip", "Take everything back", &input, "Paused: needs an operator"] {
        assert!(seen.contains(word), "{word}: {seen}");
    }

    let address = format!("/operations/runs/{run}");
    let forged = send(&house, form(&address, &[("act", "resume")]).cookie(otto.clone())).await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN, "a form that is none of ours mends nothing");
    let csrf = csrf(&seen);
    let unexplained = form(&address, &[("act", "compensate"), ("reason", " "), ("csrf", csrf)]).cookie(otto.clone());
    let refused = send(&house, unexplained).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let refused = text(refused).await;
    assert!(refused.contains("Say why") && refused.contains("<details class=\"more\" open>"), "{refused}");

    let mended = send(&house, form(&address, &[("act", "resume"), ("csrf", csrf)]).cookie(otto.clone())).await;
    assert_eq!(mended.status(), StatusCode::SEE_OTHER);
    assert_eq!(mended.headers().get(header::LOCATION).unwrap(), "/operations");
    let told = mended.response().cookies().next().unwrap().into_owned();
    let again = TestRequest::get().uri("/operations").cookie(otto.clone()).cookie(told);
    assert!(text(send(&house, again).await).await.contains("The run goes on."));
    house.when(&rita, paused.deployment.id, DeploymentState::Live).await;
    assert!(look(&house, &otto, "/operations").await.contains("Nothing is paused, stuck or overdue."));
    house.close().await;
}

/// What this person reads at an address.
async fn look(house: &House, who: &Cookie<'static>, address: &str) -> String {
    text(send(house, TestRequest::get().uri(address).cookie(who.clone())).await).await
}

#[actix_web::test]
async fn an_outage_of_a_provider_is_shown_and_when_it_is_over_all_runs_go_on_by_themselves() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let otto = otto(&house).await;
    let calm = look(&house, &otto, "/operations").await;
    assert!(calm.contains("Answers") && !calm.contains("Away</"), "{calm}");

    let datacenter = house.app.datacenter.as_ref().unwrap();
    for operation in Operation::ALL {
        datacenter.arm(*operation, Fault::TimeOut, None).await.unwrap();
    }
    let mut orders = Vec::new();
    for application in ["one", "two", "three"] {
        orders.push(house.order(&rita, "linux-vm", json!({ "application": application })).await);
    }
    let told = house.when_heard(|event| event.line.starts_with("Waits: No answer from the names since")).await;
    while !look(&house, &otto, "/operations").await.contains("The datacenter did not answer") {
        tokio::task::yield_now().await;
    }
    let step = format!("/runs/{}?step={}", told.run, told.step_key.as_deref().unwrap_or_default());
    assert!(look(&house, &otto, &step).await.contains("it goes on by itself as soon as there is one"));
    let metrics = text(send(&house, TestRequest::get().uri("/metrics")).await).await;
    for line in ["gatehouse_provider_away{provider=\"names\"} 1", "gatehouse_provider_away{provider=\"machines\"} 0"] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }

    for fault in datacenter.overview().await.unwrap().faults {
        datacenter.clear(fault.id).await.unwrap();
    }
    for order in orders {
        let live = house.when(&rita, order.deployment, DeploymentState::Live).await;
        assert_eq!(live.runs[0].state, RunState::Done);
        let events = store::run_event::after(&house.app.store, live.runs[0].id, 0, 500).await.unwrap();
        assert!(events.iter().all(|event| !event.line.starts_with("Paused")), "{events:?}");
    }
    let metrics = text(send(&house, TestRequest::get().uri("/metrics")).await).await;
    assert!(metrics.contains("gatehouse_steps_waiting_for_provider{provider=\"names\"} 0"), "{metrics}");
    house.close().await;
}

/// The names of metrics that lines of this kind (`HELP`, `TYPE`) speak of; each may be spoken of once.
fn named(metrics: &str, kind: &str) -> BTreeSet<String> {
    let start = format!("# {kind} ");
    let lines: Vec<String> =
        metrics.lines().filter_map(|line| Some(line.strip_prefix(&start)?.split(' ').next()?.to_owned())).collect();
    let names: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(names.len(), lines.len(), "{kind} twice: {lines:?}");
    names
}

#[actix_web::test]
async fn monitoring_reads_what_steps_came_to_what_waits_and_what_is_paused() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    refused(&house, &rita).await;
    let metrics = text(send(&house, TestRequest::get().uri("/metrics")).await).await;
    assert_eq!(named(&metrics, "HELP"), named(&metrics, "TYPE"));
    for line in [
        "gatehouse_steps_total{action=\"machine.create\",outcome=\"failed\"} 1",
        "gatehouse_steps_total{action=\"naming.reserve\",outcome=\"done\"} 1",
        "gatehouse_step_seconds_count{action=\"naming.reserve\"} 1",
        "gatehouse_runs_open{state=\"paused\"} 1",
        "gatehouse_runs_paused 1",
        "gatehouse_runs_queued 0",
        "gatehouse_runs_queued_oldest_seconds 0",
        "gatehouse_mails_queued_oldest_seconds 0",
        "# TYPE gatehouse_step_seconds histogram",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in {metrics}");
    }
    let known = named(&metrics, "TYPE");
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap();
        assert!(known.iter().any(|known| name.starts_with(known.as_str())), "{line}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    house.close().await;
}
