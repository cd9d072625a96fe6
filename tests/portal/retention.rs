//! What is over is forgotten when its time has come, and not before; what is not over never is.

use std::sync::Arc;

use actix_web::test::TestRequest;
use actix_web::test::read_body;
use app::App;
use app::retention::{Retention, forget};
use app::run::{Told, watch};
use chrono::TimeDelta;
use domain::deployment::DeploymentState;
use domain::ids::RunId;
use domain::mail::{Letter, MailState};
use domain::ports::clock::Clock;
use domain::run::RunEvent;
use providers::clock::{ManualClock, SystemClock};
use serde_json::json;

use crate::door::{send, session, sign_in};
use crate::house::House;
use crate::runs::refused;

const KEPT: Retention = Retention { run_events: Some(TimeDelta::days(365)), mails: Some(TimeDelta::days(90)) };

async fn events(app: &App, run: RunId) -> Vec<RunEvent> {
    store::run_event::after(&app.store, run, 0, 10_000).await.unwrap()
}

async fn mails(app: &App) -> usize {
    store::mail::list(&app.store, None, 10_000).await.unwrap().len()
}

#[actix_web::test]
async fn what_happened_to_a_run_is_forgotten_long_after_it_ended_but_for_how_it_ended() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let (paused, waits) = refused(&house, &rita).await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let built = house.when(&rita, request.deployment, DeploymentState::Live).await;
    let ended = built.runs[0].id;
    let (before, of_paused) = (events(&house.app, ended).await, events(&house.app, waits).await);
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let app = house.seen_by(clock.clone()).await;

    clock.wind(TimeDelta::days(364));
    forget(&app, KEPT).await.unwrap();
    assert_eq!(events(&app, ended).await, before, "its time has not come");
    clock.wind(TimeDelta::days(2));
    forget(&app, Retention { run_events: None, mails: None }).await.unwrap();
    assert_eq!(events(&app, ended).await, before, "nothing is forgotten where all is kept for ever");

    for _ in 0..2 {
        forget(&app, KEPT).await.unwrap();
        assert_eq!(events(&app, ended).await.as_slice(), &before[before.len() - 1..]);
        assert_eq!(events(&app, waits).await, of_paused, "a run that has not ended keeps all");
    }
    let rows = store::resource::standing(&app.store, request.deployment).await.unwrap();
    assert_eq!(rows.len(), built.resources.len(), "the ledger keeps its rows as long as their objects live");
    assert!(app::audit::verify(&app).await.unwrap().is_ok());
    assert_eq!(paused.deployment.state, DeploymentState::Building);

    let mut watch = watch(&app, &rita, ended, 0).await.unwrap();
    assert!(matches!(watch.next().await.unwrap(), Told::Events(told) if told.len() == 1));
    assert!(watch.has_ended().await.unwrap(), "nobody waits for lines that will never come");
    let rita = session(&sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    for (address, says) in [
        (format!("/runs/{ended}"), "What happened before is not kept any more."),
        (format!("/runs/{ended}?step=node"), "Its log is not kept any more."),
    ] {
        let page = send(&house, TestRequest::get().uri(&address).cookie(rita.clone())).await;
        let page = String::from_utf8(read_body(page).await.to_vec()).unwrap();
        assert!(page.contains(says), "{address}: {page}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_forgotten_when_they_are_old_unless_they_still_wait_to_be_sent() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let house = House::asleep(clock.clone()).await;
    let store = &house.app.store;
    for number in 0..121 {
        let letter = Letter {
            to_name: "Rita".to_owned(),
            to_email: "rita@example.org".to_owned(),
            kind: "request_ended",
            subject: "It is done".to_owned(),
            text: String::new(),
            html: String::new(),
            request: None,
            asks: None,
            reason: format!("mail {number}"),
        };
        let state = if number == 0 { MailState::Queued } else { MailState::Kept };
        let tx = store.begin().await.unwrap();
        store::mail::post(&tx, letter, state, clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    clock.wind(TimeDelta::days(90));
    forget(&house.app, KEPT).await.unwrap();
    assert_eq!(mails(&house.app).await, 121, "on the day itself all are there");
    clock.wind(TimeDelta::days(1));
    forget(&house.app, KEPT).await.unwrap();
    let left = store::mail::list(store, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|mail| mail.state).collect::<Vec<_>>(), [MailState::Queued]);
}
