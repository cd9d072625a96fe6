//! The life of a deployment: ordered, approved, built, changed, retired; and what nobody but its people may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, read_body};
use app::deployment::{Details, keep_leases};
use app::idempotency::Sent;
use app::request::{Order, What, submit};
use app::run::{Mend, mend};
use chrono::TimeDelta;
use domain::ci::{CiClass, Lifecycle};
use domain::deployment::{Deployment, DeploymentState};
use domain::ids::DeploymentId;
use domain::person::Principal;
use domain::ports::clock::Clock;
use domain::ports::datacenter::{Fault, Operation};
use domain::resource::ResourceState;
use domain::run::{Cancel, Run, RunState};
use domain::trouble::Kind;
use engine::mend::By;
use providers::clock::{ManualClock, SystemClock};
use serde_json::{Value, json};

use crate::door;
use crate::house::House;

fn standing(it: &Details, kind: &str) -> usize {
    it.resources.iter().filter(|row| row.kind == kind && row.state == ResourceState::Live).count()
}

fn operational(it: &Details) -> usize {
    it.cis.iter().filter(|ci| ci.lifecycle == Lifecycle::Operational).count()
}

/// Objects in the datacenter, of all kinds.
async fn objects(house: &House) -> usize {
    house.app.datacenter.as_ref().unwrap().overview().await.unwrap().objects.len()
}

async fn two_tomcats(house: &House, rita: &Principal) -> DeploymentId {
    let request = house.order(rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.approve("Adam").await;
    house.when(rita, request.deployment, DeploymentState::Live).await.deployment.id
}

fn to_scale(deployment: DeploymentId, nodes: u32) -> What {
    let parameters = json!({ "nodes": nodes }).as_object().cloned().unwrap();
    What::Action { deployment, action: "scale".to_owned(), parameters, seen: None }
}

async fn scale(house: &House, rita: &Principal, deployment: DeploymentId, nodes: u32) {
    house.ask(rita, to_scale(deployment, nodes)).await;
}

/// A machine that is taken to be there, in a house where nobody is at work.
async fn said_to_be_live(house: &House, rita: &Principal, name: &str) -> Deployment {
    let request = house.order(rita, "linux-vm", json!({ "application": name })).await;
    written(house, request.deployment, |it| Deployment { state: DeploymentState::Live, ..it }).await
}

/// Writes the deployment as somebody else might have left it.
async fn written(house: &House, id: DeploymentId, change: impl FnOnce(Deployment) -> Deployment) -> Deployment {
    let tx = house.app.store.begin().await.unwrap();
    let changed = change(store::deployment::find(&tx, id).await.unwrap().unwrap());
    store::deployment::update(&tx, &changed).await.unwrap();
    tx.commit().await.unwrap();
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tomcats_are_ordered_approved_built_grown_shrunk_and_retired() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;

    let built = app::deployment::show(&house.app, &rita, id).await.unwrap();
    assert_eq!((standing(&built, "machine"), standing(&built, "pool"), standing(&built, "name")), (2, 1, 2));
    assert_eq!(built.deployment.name, "shop-test");
    assert!(built.monthly.cents > 0 && built.deployment.built_at.is_some());
    // Per machine: machine, server, Tomcat, member; then the pool's service and the application's.
    assert_eq!(operational(&built), 2 * 4 + 2, "{:#?}", built.cis);
    assert!(built.cis.iter().all(|ci| ci.platform.is_some() && ci.application.is_some()));
    let application = built.cis.iter().find(|ci| ci.class == CiClass::ApplicationService).unwrap();
    let application = app::ci::show(&house.app, &rita, application.id, None).await.unwrap();
    let told: Vec<_> = application.attributes.iter().map(|it| (it.title.as_str(), it.value.as_str())).collect();
    assert_eq!(told, [("Environment", "test"), ("Ordered as", "scale-out-tomcat 1.1.0")]);
    assert!(application.attributes.iter().all(|it| it.said.as_ref().is_some_and(|said| said.run.is_some())));
    let made = objects(&house).await;

    scale(&house, &rita, id, 3).await;
    house.approve("Adam").await;
    let grown = house.until_machines(&rita, id, 3).await;
    assert_eq!((operational(&grown), &grown.deployment.params["nodes"]), (3 * 4 + 2, &json!(3)));
    assert!(grown.monthly.cents > built.monthly.cents);

    scale(&house, &rita, id, 2).await;
    let shrunk = house.until_machines(&rita, id, 2).await;
    assert_eq!((operational(&shrunk), &shrunk.deployment.params["nodes"]), (2 * 4 + 2, &json!(2)));
    assert_eq!((shrunk.monthly, objects(&house).await), (built.monthly, made));

    house.ask(&rita, What::Retire { deployment: id }).await;
    let retired = house.when(&rita, id, DeploymentState::Retired).await;
    assert_eq!((operational(&retired), objects(&house).await, retired.monthly.cents), (0, 0, 0));
    assert!(retired.resources.iter().all(|row| row.state == ResourceState::Gone));
    assert_eq!(retired.runs.len(), 4);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_rolled_while_at_least_one_machine_serves() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;
    let parameters = json!({ "memory_mb": 512 }).as_object().cloned().unwrap();
    house.ask(&rita, What::Action { deployment: id, action: "configure".to_owned(), parameters, seen: None }).await;
    let rolled = house.until(&rita, id, |it| it.runs.len() == 2 && it.deployment.state == DeploymentState::Live).await;
    let nodes: Vec<_> = rolled.resources.iter().filter(|row| row.kind == "configuration").collect();
    assert!(nodes.iter().all(|node| node.attributes["facts"]["memory_mb"] == 512) && nodes.len() == 2, "{nodes:#?}");
    assert_eq!(rolled.deployment.params["memory_mb"], 512);

    let steps = store::step::of_deployment(&house.app.store, id).await.unwrap().remove(&rolled.runs[0].id).unwrap();
    let when = |key: &str| {
        let step = steps.iter().find(|step| step.key == key).unwrap();
        (step.started_at.unwrap(), step.ended_at.unwrap())
    };
    assert!(when("serve[1]").1 <= when("drain[2]").0, "the second waits until the first serves again");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_offering_is_built_and_retired_without_a_trace() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let orders: [(&str, Value, &[&str]); 4] = [
        ("linux-vm", json!({ "application": "tools" }), &[]),
        ("sql-database-vm", json!({ "application": "orders" }), &[]),
        ("docker-machine", json!({ "application": "crates" }), &["Clara"]),
        ("container-space", json!({ "name": "dev" }), &[]),
    ];
    for (blueprint, parameters, approvers) in orders {
        let request = house.order(&rita, blueprint, parameters).await;
        for approver in approvers {
            house.approve(approver).await;
        }
        let built = house.when(&rita, request.deployment, DeploymentState::Live).await;
        assert!(operational(&built) >= 2, "{blueprint}: {:#?}", built.cis);
        house.ask(&rita, What::Retire { deployment: request.deployment }).await;
        let retired = house.when(&rita, request.deployment, DeploymentState::Retired).await;
        assert_eq!((operational(&retired), objects(&house).await), (0, 0), "{blueprint}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_silence_make_neither_twins_nor_orphans() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let datacenter = house.app.datacenter.clone().unwrap();
    for operation in
        [Operation::NameReserve, Operation::MachineCreate, Operation::ConfigurationApply, Operation::PoolCreate]
    {
        datacenter.arm(operation, Fault::LoseAnswer, Some(1)).await.unwrap();
        datacenter.arm(operation, Fault::TimeOut, Some(1)).await.unwrap();
    }
    let id = two_tomcats(&house, &rita).await;
    let built = app::deployment::show(&house.app, &rita, id).await.unwrap();
    assert_eq!((standing(&built, "machine"), objects(&house).await), (2, 7));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_clone_pauses_the_run_and_a_new_try_goes_on() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let otto = house.person("Otto").await;
    let datacenter = house.app.datacenter.clone().unwrap();
    datacenter.arm(Operation::MachineCreate, Fault::Refuse, Some(1)).await.unwrap();
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let paused = house.when_paused(&rita, request.deployment).await;
    assert_eq!(paused.deployment.state, DeploymentState::Building);
    assert!(paused.runs[0].why.as_deref().unwrap_or_default().contains("refused"), "{:?}", paused.runs[0].why);
    assert_eq!(standing(&paused, "name"), 1, "what was built is kept");

    let tx = house.app.store.begin().await.unwrap();
    let by = By { name: &otto.name, reason: "" };
    house.app.engine.retry(&tx, paused.runs[0].id, "node", None, &by).await.unwrap();
    tx.commit().await.unwrap();
    house.app.engine.wake(paused.runs[0].id);
    let built = house.when(&rita, request.deployment, DeploymentState::Live).await;
    assert_eq!((standing(&built, "machine"), built.runs[0].state), (1, RunState::Done));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_does_not_exist_for_another_tenant_and_only_requesters_change_it() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let id = request.deployment;
    house.when(&rita, id, DeploymentState::Live).await;

    let carlo = house.person("Carlo").await;
    assert_eq!(app::deployment::show(&house.app, &carlo, id).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(
        app::deployment::prolong(&house.app, &carlo, id, 30, &Sent::PORTAL).await.unwrap_err().kind,
        Kind::NotFound
    );
    assert_eq!(app::deployment::to_change(&house.app, &carlo, id).await.unwrap_err().kind, Kind::NotFound);

    let audrey = house.person("Audrey").await;
    assert!(!app::deployment::show(&house.app, &audrey, id).await.unwrap().may_act);
    assert_eq!(
        app::deployment::prolong(&house.app, &audrey, id, 30, &Sent::PORTAL).await.unwrap_err().kind,
        Kind::Forbidden
    );
    assert_eq!(app::deployment::to_change(&house.app, &audrey, id).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(app::datacenter::overview(&house.app, &rita).await.unwrap_err().kind, Kind::NotFound);

    let before = app::deployment::show(&house.app, &rita, id).await.unwrap().deployment.lease.until;
    let after = app::deployment::prolong(&house.app, &rita, id, 30, &Sent::PORTAL).await.unwrap().lease.until;
    assert_eq!((after - before).num_days(), 30);
    assert_eq!(
        app::deployment::prolong(&house.app, &rita, id, 0, &Sent::PORTAL).await.unwrap_err().kind,
        Kind::Invalid
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_nobody_watched_ends_with_a_word_and_the_whole_grace() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let house = House::asleep(clock.clone()).await;
    let rita = house.person("Rita").await;
    let machine = said_to_be_live(&house, &rita, "tools").await;
    let state = || async { store::deployment::find(&house.app.store, machine.id).await.unwrap().unwrap().state };
    // The portal was down for a long time: nobody was told anything.
    clock.wind(machine.lease.until - machine.created_at + TimeDelta::days(machine.lease.grace_days + 100));
    keep_leases(&house.app).await.unwrap();
    assert_eq!(state().await, DeploymentState::Live);
    let mails = store::mail::of_request(&house.app.store, machine.request).await.unwrap();
    let removal = clock.now() + TimeDelta::days(machine.lease.grace_days);
    let said = format!("is removed on {}", removal.format("%-d %b %Y"));
    assert!(mails.iter().any(|mail| mail.subject.ends_with("has ended") && mail.text.contains(&said)), "{said}");

    clock.wind(TimeDelta::days(machine.lease.grace_days) - TimeDelta::seconds(1));
    keep_leases(&house.app).await.unwrap();
    assert_eq!(state().await, DeploymentState::Live);
    clock.wind(TimeDelta::seconds(1));
    keep_leases(&house.app).await.unwrap();
    assert_eq!(state().await, DeploymentState::Retiring);
}

#[actix_web::test]
async fn the_form_of_an_action_is_empty_at_first_and_says_what_is_missing_when_it_is_sent() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let text = include_str!("../../workflows/scale-out-tomcat.yaml")
        .replacen("version: 1.1.0", "version: 1.2.0", 1)
        .replacen("        default: \"${deployment.params.nodes}\"\n", "        required: true\n", 1);
    house.offer("scale-out-tomcat.yaml", &text).await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.approve("Adam").await;
    house.when(&rita, request.deployment, DeploymentState::Live).await;

    let session = app::session::sign_in(&house.app, "rita@example.org", "rita-orders-machines", "test").await.unwrap();
    let csrf = app::session::resume(&house.app, &session).await.unwrap().unwrap().csrf;
    let path = format!("/deployments/{}/actions/scale", request.deployment);
    let ask = async |asked: TestRequest| {
        let asked = asked.uri(&path).cookie(Cookie::new("gatehouse", session.clone()));
        let answer = door::send(&house, asked.insert_header(("Sec-Fetch-Site", "same-origin"))).await;
        let status = answer.status();
        (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    };
    let (status, page) = ask(TestRequest::get()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("Please look at these again"), "{page}");
    let (status, page) =
        ask(TestRequest::post().set_form([("csrf", csrf.as_str()), ("key", "form-0123456789"), ("nodes", "")])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("Machines is needed."), "{page}");
    house.close().await;
}

#[actix_web::test]
async fn the_form_of_an_action_that_is_sent_twice_leads_to_its_request_while_that_is_at_work() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;
    let session = app::session::sign_in(&house.app, "rita@example.org", "rita-orders-machines", "test").await.unwrap();
    let csrf = app::session::resume(&house.app, &session).await.unwrap().unwrap().csrf;
    let send = async || {
        let form = TestRequest::post().uri(&format!("/deployments/{id}/actions/scale"));
        let form = form.set_form([("csrf", csrf.as_str()), ("key", "form-0123456789"), ("nodes", "3")]);
        let form = form.cookie(Cookie::new("gatehouse", session.clone()));
        let answer = door::send(&house, form.insert_header(("Sec-Fetch-Site", "same-origin"))).await;
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status(), to)
    };
    let (status, first) = send().await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    written(&house, id, |it| Deployment { state: DeploymentState::Changing, ..it }).await;
    assert_eq!(send().await, (StatusCode::SEE_OTHER, first), "it was asked for once");
    house.close().await;
}

#[actix_web::test]
async fn the_form_that_prolongs_sent_twice_prolongs_once() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let before = said_to_be_live(&house, &rita, "tools").await;
    let session = app::session::sign_in(&house.app, "rita@example.org", "rita-orders-machines", "test").await.unwrap();
    let path = format!("/deployments/{}", before.id);
    let page = TestRequest::get().uri(&path).cookie(Cookie::new("gatehouse", session.clone()));
    let page = String::from_utf8(read_body(door::send(&house, page).await).await.to_vec()).unwrap();
    let form = page.split("/prolong\"").nth(1).unwrap();
    let hidden = |name: &str| {
        let value = form.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        value.split('"').next().unwrap().to_owned()
    };
    let (csrf, key) = (hidden("csrf"), hidden("key"));
    for _ in 0..2 {
        let sent = door::form(&format!("{path}/prolong"), &[("csrf", &csrf), ("key", &key), ("days", "30")]);
        let answer = door::send(&house, sent.cookie(Cookie::new("gatehouse", session.clone()))).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    }
    let after = store::deployment::find(&house.app.store, before.id).await.unwrap().unwrap();
    assert_eq!((after.lease.until - before.lease.until).num_days(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_not_prolonged_of_what_is_going_or_gone() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let id = said_to_be_live(&house, &rita, "tools").await.id;
    for state in [DeploymentState::Retiring, DeploymentState::Retired, DeploymentState::Failed] {
        // The state changes while somebody prolongs, or just before.
        let change = written(&house, id, |it| Deployment { state, ..it });
        let (written, prolonged) =
            futures::future::join(change, app::deployment::prolong(&house.app, &rita, id, 5, &Sent::PORTAL)).await;
        let after = store::deployment::find(&house.app.store, id).await.unwrap().unwrap();
        assert_eq!((written.state, after.state), (state, state), "a prolonged lease brings nothing back");
        assert!(prolonged.is_err() || state == DeploymentState::Retiring, "{state:?}");
    }
    let refused = app::deployment::prolong(&house.app, &rita, id, 5, &Sent::PORTAL).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scaling_that_was_stopped_keeps_the_quota_of_the_machine_that_it_made() {
    let house = House::new().await;
    let (rita, otto) = (house.person("Rita").await, house.person("Otto").await);
    let id = two_tomcats(&house, &rita).await;
    let datacenter = house.app.datacenter.clone().unwrap();
    datacenter.arm(Operation::ConfigurationApply, Fault::Refuse, Some(1)).await.unwrap();
    scale(&house, &rita, id, 3).await;
    house.approve("Adam").await;
    let paused = house.when_paused(&rita, id).await;
    assert_eq!(standing(&paused, "machine"), 3);
    mend(&house.app, &otto, paused.runs[0].id, Mend::Cancel(Cancel::Stop), "enough", &Sent::PORTAL).await.unwrap();
    let stopped = house.until_machines(&rita, id, 3).await;
    let used = store::allocation::usage(&house.app.store, stopped.deployment.project).await.unwrap();
    assert_eq!(used["machines"], 3, "what stands is paid for");
    house.close().await;
}

#[actix_web::test]
async fn the_page_follows_a_change_that_awaits_its_approval() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;
    let visitor = door::session(&door::sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    let page = async || {
        let page = TestRequest::get().uri(&format!("/deployments/{id}")).cookie(visitor.clone());
        String::from_utf8(read_body(door::send(&house, page).await).await.to_vec()).unwrap()
    };
    assert!(!page().await.contains("data-follow="), "nothing is ahead");
    let request = house.ask(&rita, to_scale(id, 3)).await;
    let waiting = page().await;
    assert!(waiting.contains("data-follow=") && waiting.contains("waits for Adam Approver"), "{waiting}");
    app::request::withdraw(&house.app, &rita, request.id, &Sent::PORTAL).await.unwrap();
    let over = page().await;
    assert!(!over.contains("data-follow=") && !over.contains("waits for Adam Approver"));
    house.close().await;
}

#[actix_web::test]
async fn the_history_says_who_ordered_and_who_approved() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let asked = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.approve("Adam").await;
    let unasked = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let visitor = door::session(&door::sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    for (request, name, yes) in [(asked, "R-1", "approved by Adam"), (unasked, "R-2", "no approval needed")] {
        let page = TestRequest::get().uri(&format!("/deployments/{}", request.deployment)).cookie(visitor.clone());
        let page = String::from_utf8(read_body(door::send(&house, page).await).await.to_vec()).unwrap();
        let told = page.split_once("Ordered by Rita").expect("it stands in the history").1;
        let told = told.split_once("</li>").unwrap().0;
        let link = format!("<a href=\"/requests/{}\">{name}</a>", request.id);
        assert!(told.contains(&link) && told.contains(yes), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_change_a_deployment_at_once_one_does() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;
    let sent = (0..8).map(|n| {
        let order =
            Order { what: to_scale(id, 3 + n % 2), reason: String::new(), via: "portal", key: app::secret::fresh() };
        submit(&house.app, &rita, order)
    });
    let outcomes = futures::future::join_all(sent).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.into_iter().filter_map(Result::err).all(|trouble| trouble.kind == Kind::Conflict));
    house.close().await;
}

/// A run that worked on the deployment and is done, as some other process may have carried it.
async fn other_run(house: &House, id: DeploymentId) {
    let tx = house.app.store.begin().await.unwrap();
    let first = store::run::whole_of_deployment(&tx, id).await.unwrap().remove(0);
    let other = Run { id: store::fresh_id(), request: None, created_at: house.app.clock.now(), ..first };
    store::run::insert(&tx, &other).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_was_looked_at_before_the_deployment_changed_is_not_taken() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;
    let form = app::deployment::action_form(&house.app, &rita, id, "scale").await.unwrap();
    other_run(&house, id).await;
    let What::Action { deployment, action, parameters, .. } = to_scale(id, 3) else { panic!("it is an action") };
    let what = What::Action { deployment, action, parameters, seen: form.seen };
    let order = Order { what, reason: String::new(), via: "portal", key: app::secret::fresh() };
    let refused = submit(&house.app, &rita, order).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.what.starts_with("shop-test has changed since you looked at it"), "{}", refused.what);
    scale(&house, &rita, id, 3).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_action_does_nothing_when_the_deployment_changed_after_it_was_planned() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;
    let made = objects(&house).await;
    scale(&house, &rita, id, 3).await;
    other_run(&house, id).await;
    house.approve("Adam").await;
    let refused = house.until_machines(&rita, id, 2).await;
    let run = refused.runs.iter().find(|run| run.state == RunState::Refused).unwrap();
    assert!(run.why.as_ref().unwrap().contains("has worked on the deployment since this was asked for"));
    assert_eq!((objects(&house).await, &refused.deployment.params["nodes"]), (made, &json!(2)));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tomcats_that_grew_are_retired_from_the_pool_down() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let id = two_tomcats(&house, &rita).await;
    scale(&house, &rita, id, 3).await;
    house.approve("Adam").await;
    house.until_machines(&rita, id, 3).await;
    house.ask(&rita, What::Retire { deployment: id }).await;
    let retired = house.when(&rita, id, DeploymentState::Retired).await;
    let when = |kind: &str| {
        let rows = retired.resources.iter().filter(|row| row.kind == kind);
        rows.map(|row| row.gone_at.unwrap()).collect::<Vec<_>>()
    };
    let (pool, setups, machines, names) = (when("pool"), when("configuration"), when("machine"), when("name"));
    assert_eq!((pool.len(), setups.len(), machines.len(), names.len()), (1, 3, 3, 3));
    for n in 0..3 {
        assert!(pool[0] < setups[n] && setups[n] < machines[n] && machines[n] < names[n], "machine {n}");
    }
    let run = store::run::find(&house.app.store, retired.runs[0].id).await.unwrap().unwrap();
    let titles: BTreeSet<&str> = run.workflow.iter().map(|step| step.planned.title.as_str()).collect();
    let expected = ["Release name", "Remove machine", "Remove pool", "Remove role", "Retire from the CMDB"];
    assert_eq!(titles, BTreeSet::from(expected));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ordered_a_database_is_told_where_it_answers() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "sql-database-vm", json!({ "application": "orders" })).await;
    house.when(&rita, request.deployment, DeploymentState::Live).await;
    let tx = house.app.store.begin().await.unwrap();
    let mails = store::mail::list(&tx, None, 50).await.unwrap();
    let told: Vec<_> = mails.iter().filter(|mail| mail.kind == "notice").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].to_email.as_str(), told[0].subject.as_str()),
        (rita.email.as_str(), "Your database app is ready")
    );
    assert!(told[0].text.contains("answers at orders-db-test-1.dc1.example.org, port 5432"), "{}", told[0].text);
    drop(tx);
    house.close().await;
}
