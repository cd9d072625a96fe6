//! People in a workflow: a step asks, somebody answers at a page, by a program or by a mail's link, and the run goes on.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use app::App;
use app::idempotency::Sent;
use app::run::{Mend, mend, show};
use app::task::{Doer, answer, inbox, keep_time};
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::approval::{Client, Via};
use domain::deployment::DeploymentState;
use domain::mail::Mail;
use domain::person::Principal;
use domain::ports::mailer::{Mailer, MailerError};
use domain::request::Request;
use domain::run::{Cancel, RunState};
use domain::step::StepState;
use domain::task::{Task, TaskState};
use domain::trouble::Kind;
use providers::clock::ManualClock;
use serde_json::{Map, Value, json};

use crate::api::{ALL, READ, get, post, token};
use crate::house::House;
use crate::requests::{Browser, csrf};
use crate::task_links::{link, opened};

pub const RACKED: &str = r#"
blueprint: racked
version: 1.0.0
title: Racked machine
summary: A name for a machine that somebody puts into a rack.
category: machines
responsible: { platform: ops-platform, application: "${request.team}" }
parameters:
  application: { type: string, title: Application }
lease: { default: 30d }
price: { monthly: "1.0" }
steps:
  - { id: name, do: naming.reserve, with: { pattern: "${params.application}-{n}" } }
  - id: rack
    do: human.task
    with:
      title: "Put ${steps.name.name} into a rack"
      instructions: "The machine stands in the hall.\nIt weighs 20 kg."
      assignees: "group:application-owners, person:clara@example.org"
      form:
        rack: { type: string, pattern: "^r[0-9]{1,3}$", title: Rack, description: "Such as r12." }
        power: { type: integer, minimum: 1, maximum: 16, default: 2, title: Power, unit: kW }
        cabled: { type: boolean, title: The cable is plugged in, default: true }
        note: { type: string, title: Note, required: false }
      within: 2d
  - id: told
    do: notify.send
    with:
      to: requester
      subject: "It is in ${steps.rack.answer.rack}"
      text: "At ${steps.rack.answer.power} kW, says ${steps.rack.by}."
"#;

/// A house that offers the racked machine, with somebody at work.
pub async fn house() -> (House, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap()));
    let mut house = House::asleep(clock.clone()).await;
    house.offer("racked.yaml", RACKED).await;
    house.work_again();
    (house, clock)
}

pub async fn order(house: &House) -> Request {
    let rita = house.person("Rita").await;
    house.order(&rita, "racked", json!({ "application": "shop" })).await
}

/// What the person is asked to do, as soon as it is.
pub async fn asked(house: &House, who: &Principal) -> Task {
    all_asked(house, who, 1).await.remove(0)
}

/// What the person is asked to do, as soon as it is so much.
async fn all_asked(house: &House, who: &Principal, number: usize) -> Vec<Task> {
    let mut events = house.app.engine.subscribe();
    let asked = async {
        loop {
            let open = inbox(&house.app, who).await.unwrap().open;
            if open.len() >= number {
                return open;
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), events.recv()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.expect("nobody was asked")
}

pub async fn mails(house: &House, kind: &str) -> Vec<Mail> {
    let mut mails = store::mail::list(&house.app.store, None, 100).await.unwrap();
    mails.retain(|mail| mail.kind == kind);
    mails
}

pub async fn again(house: &House, task: &Task) -> Task {
    store::task::find(&house.app.store, task.id).await.unwrap().unwrap()
}

pub fn values(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[actix_web::test]
async fn a_step_asks_a_group_and_what_one_of_it_fills_in_goes_on_with_the_run() {
    let (mut house, _) = house().await;
    let adam = house.person("Adam").await;
    let request = order(&house).await;
    let task = asked(&house, &adam).await;
    // Whoever works when the answer comes: the run rests in a row.
    house.stop_working().await;
    let run = show(&house.app, &adam, task.run, Some("rack")).await.unwrap();
    assert_eq!((run.run.state, run.run.worker.as_ref()), (RunState::Waiting, None));
    let mut to: Vec<String> = mails(&house, "task_asked").await.into_iter().map(|mail| mail.to_email).collect();
    to.sort();
    assert_eq!(to, ["adam@example.org", "clara@example.org"]);

    let browser = Browser::of(&house, "adam@example.org", "adam-decides-orders").await;
    let (_, list) = browser.get("/tasks").await;
    assert!(
        list.contains("Put shop-1 into a rack") && list.contains("1<span class=\"visually-hidden\"> open"),
        "{list}"
    );
    let (_, page) = browser.get(&format!("/runs/{}?step=rack", task.run)).await;
    assert!(page.contains("Waits for people") && page.contains(&format!("/tasks/{}", task.id)), "{page}");
    let otto = Browser::of(&house, "otto@example.org", "otto-mends-runs-now").await;
    let told = "Waits for application-owners, clara@example.org: Put shop-1 into a rack.";
    let (deployment, request) = (format!("/deployments/{}", request.deployment), format!("/requests/{}", request.id));
    for address in ["/operations", "/runs", &deployment, &request] {
        let (_, page) = otto.get(address).await;
        assert!(page.contains(told) && !page.contains("Building</span>"), "{address}: {page}");
    }
    let (_, page) = otto.get("/deployments").await;
    assert!(page.contains("Waits for people") && !page.contains("Building</span>"), "{page}");
    let (_, page) = otto.get(&format!("/runs/{}?step=rack", task.run)).await;
    assert!(page.contains("Skip the step") && page.contains("Change the input and try again"), "{page}");
    assert!(!page.contains("name=\"act\" value=\"retry\""), "to try it again would come to the same: {page}");
    let address = format!("/tasks/{}", task.id);
    let (_, page) = browser.get(&address).await;
    assert!(page.contains("<p>It weighs 20 kg.</p>") && page.contains("value=\"2\""), "{page}");

    let wrong = [("rack", "cellar"), ("power", "99"), ("note", "by the door")];
    let (status, refused) = browser.send_form(&address, &csrf(&page), &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    for kept in
        ["value=\"cellar\"", "value=\"99\"", "value=\"by the door\"", "id=\"errors\"", "Such as r12.", "at most 16"]
    {
        assert!(refused.contains(kept), "{kept}: {refused}");
    }
    assert!(!refused.contains("checked"), "the box that was left empty stays so: {refused}");
    assert_eq!(again(&house, &task).await.state, TaskState::Open);

    let right = [("rack", "r12"), ("power", "3"), ("note", "")];
    let (status, _) = browser.send_form(&address, &csrf(&page), &right).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    house.work_again();
    let rita = house.person("Rita").await;
    house.when(&rita, task.deployment, DeploymentState::Live).await;
    let done = show(&house.app, &rita, task.run, None).await.unwrap();
    let output = done.steps[1].output.clone().unwrap();
    assert_eq!(output["answer"], json!({ "rack": "r12", "power": 3, "cabled": false, "note": null }));
    assert_eq!(output["by"], "Adam Approver <adam@example.org>");
    assert!(mails(&house, "notice").await[0].subject.contains("It is in r12"));

    let browser = Browser::of(&house, "adam@example.org", "adam-decides-orders").await;
    let (_, page) = browser.get(&address).await;
    assert!(
        page.contains("Adam Approver did this on 23 Nov 2026, 10:00 UTC.") && page.contains("<dd>r12</dd>"),
        "{page}"
    );
    let (_, list) = browser.get("/tasks").await;
    assert!(list.contains("Nothing waits for you") && list.contains("Adam Approver"), "{list}");
    let log = store::audit::after(&house.app.store, 0, 1_000).await.unwrap();
    let noted = log.iter().find(|entry| entry.action == "task.answered").expect("it is on record");
    assert!(noted.actor.name.contains("Adam") && noted.actor.via == "signed_in" && noted.data.contains("r12"));
    assert!(app::audit::verify(&house.app).await.unwrap().is_ok());
    house.close().await;
}

#[actix_web::test]
async fn requests_whose_runs_wait_for_people_say_so_wherever_they_are_listed_at_the_price_of_one() {
    let (mut house, _) = house().await;
    let rita = house.person("Rita").await;
    for application in ["odd", "shop", "good"] {
        house.order(&rita, "racked", json!({ "application": application })).await;
    }
    all_asked(&house, &house.person("Adam").await, 3).await;
    house.stop_working().await;
    let otto = Browser::of(&house, "otto@example.org", "otto-mends-runs-now").await;
    let mut costs = Vec::new();
    for (address, number) in [("/requests?whose=all&q=R-3", 1), ("/requests?whose=all", 3), ("/search?q=racked", 3)] {
        let before = house.app.store.reads();
        let (_, page) = otto.get(address).await;
        costs.push(house.app.store.reads() - before);
        let requests = page.matches("Waits for people<").count();
        assert!(requests == number && !page.contains("Building<"), "{address}: {page}");
    }
    assert!(costs[0] == costs[1] && costs[1] <= 17, "a page takes so many statements: {costs:?}");
    let (_, list) = otto.get("/requests?whose=all").await;
    assert_eq!(list.matches("application-owners, clara@example.org").count(), 3, "whom each waits for: {list}");
    assert!(!list.contains("does not wait"), "{list}");
    let programs = token(&house, "otto@example.org", READ).await;
    let items = get(&house, &programs, "/api/v1/requests").await.body["items"].clone();
    for request in items.as_array().unwrap() {
        let said = (&request["state"], &request["state_label"], &request["waits_since"]);
        assert_eq!(said, (&json!("running"), &json!("Waits for people"), &json!("2026-11-23T10:00:00Z")), "{request}");
    }
    let (_, file) = otto.get("/requests.csv?whose=all").await;
    assert_eq!(file.matches("Waits for application-owners, clara@example.org: Put ").count(), 3, "{file}");
    house.close().await;
}

#[actix_web::test]
async fn a_program_answers_with_the_token_of_somebody_who_is_asked_and_with_no_other() {
    let (house, _) = house().await;
    order(&house).await;
    let task = asked(&house, &house.person("Clara").await).await;
    let clara = token(&house, "clara@example.org", ALL).await;
    let list = get(&house, &clara, "/api/v1/tasks").await.body;
    assert_eq!(list["items"][0]["id"], task.id.to_string());
    let at = format!("/api/v1/tasks/{}", task.id);
    let details = get(&house, &clara, &at).await.body;
    assert_eq!(details["form"]["properties"]["power"]["maximum"], 16);
    let answer_at = format!("{at}/answer");

    let good = json!({ "answer": { "rack": "r7" } });
    let (rita, carlo) = (token(&house, "rita@example.org", ALL).await, token(&house, "carlo@example.org", ALL).await);
    let reads = token(&house, "clara@example.org", READ).await;
    for (who, status) in [(&rita, 403), (&carlo, 404), (&reads, 403)] {
        assert_eq!(post(&house, who, &answer_at, good.clone(), None).await.status, status);
    }
    assert_eq!(get(&house, &carlo, &at).await.status, 404);
    assert_eq!(get(&house, &rita, &at).await.body["may_answer"], false, "who orders may look");
    assert!(get(&house, &carlo, "/api/v1/tasks").await.body["items"].as_array().unwrap().is_empty());

    let wrong = json!({ "answer": { "rack": "7", "power": "much", "colour": "red" } });
    let refused = post(&house, &clara, &answer_at, wrong, None).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    let mut pointers: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/answer/colour", "/answer/power", "/answer/rack"]);
    assert_eq!(post(&house, &clara, &answer_at, json!({}), None).await.body["errors"][0]["pointer"], "/answer");

    let done = post(&house, &clara, &answer_at, good.clone(), Some("once and no more")).await;
    assert_eq!((done.status, &done.body["answer"]["power"]), (StatusCode::OK, &json!(2)), "{}", done.body);
    let twice = post(&house, &clara, &answer_at, good.clone(), Some("once and no more")).await;
    assert_eq!((twice.status, &twice.body["state"]), (StatusCode::OK, &json!("answered")));
    let late = post(&house, &clara, &answer_at, good, None).await;
    assert_eq!(late.status, StatusCode::GONE);
    assert!(late.body["detail"].as_str().unwrap().starts_with("Clara Cost did this on"), "{}", late.body);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_answer_at_once_one_does_and_the_others_are_told_who() {
    let (house, _) = house().await;
    order(&house).await;
    let (adam, clara) = (house.person("Adam").await, house.person("Clara").await);
    let task = asked(&house, &adam).await;
    let tries = (0..20).map(|n| {
        let who = if n % 2 == 0 { &adam } else { &clara };
        let doer = Doer::Person { who, task: task.id, via: Via::SignedIn, once: None };
        let values = values(json!({ "rack": format!("r{n}") }));
        let app = &house.app;
        async move { answer(app, doer, &values, Client::default()).await }
    });
    let outcomes = futures::future::join_all(tries).await;
    let won: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(won.len(), 1);
    let by = if won[0].answer.as_ref().unwrap().by == adam.person { "Adam Approver" } else { "Clara Cost" };
    for lost in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(lost.kind == Kind::Gone && lost.what.starts_with(&format!("{by} did this on")), "{lost}");
    }
    house.close().await;
}

#[actix_web::test]
async fn who_is_slow_is_reminded_once_and_then_the_operators_are_told() {
    let (house, clock) = house().await;
    order(&house).await;
    let clara = house.person("Clara").await;
    let task = asked(&house, &clara).await;
    clock.wind(TimeDelta::hours(23));
    for _ in 0..3 {
        keep_time(&house.app).await.unwrap();
    }
    let reminders = mails(&house, "task_reminder").await;
    assert_eq!(reminders.len(), 2, "Adam and Clara, once each");
    assert!(reminders[0].text.contains("This still waits for you."));
    assert!(mails(&house, "task_overdue").await.is_empty());

    clock.wind(TimeDelta::hours(26));
    let overdue = house.when_heard(|event| event.line.starts_with("Overdue: "));
    let (_, swept) = tokio::join!(overdue, house.app.engine.sweep());
    swept.unwrap();
    let run = show(&house.app, &clara, task.run, Some("rack")).await.unwrap();
    let why = run.steps[1].why.clone().unwrap();
    assert!(why.contains("overdue since 25 Nov 2026, 10:00 UTC"), "{why}");
    let told = mails(&house, "task_overdue").await;
    assert_eq!((told.len(), told[0].to_email.as_str()), (1, "otto@example.org"));
    let otto = Browser::of(&house, "otto@example.org", "otto-mends-runs-now").await;
    let (_, page) = otto.get("/operations").await;
    assert!(page.contains("Put shop-1 into a rack</a> is overdue") && page.contains(">skip the step</a>"), "{page}");
    let ada = Browser::of(&house, "ada@example.org", "ada-manages-people").await;
    let (_, page) = ada.get("/operations").await;
    assert!(page.contains("Speak with them.") && !page.contains(">skip the step</a>"), "she may not mend: {page}");
    let programs = token(&house, "otto@example.org", READ).await;
    let overview = get(&house, &programs, "/api/v1/operations").await.body;
    assert_eq!(overview["overdue"][0]["id"], task.id.to_string(), "{overview}");
    let (_, page) = otto.get(&format!("/tasks/{}", task.id)).await;
    assert!(page.contains("Only who is asked can do it.") && !page.contains("<form class=\"form\""), "{page}");

    clock.wind(TimeDelta::days(2));
    house.app.engine.sweep().await.unwrap();
    let doer = Doer::Person { who: &clara, task: task.id, via: Via::SignedIn, once: None };
    answer(&house.app, doer, &values(json!({ "rack": "r3" })), Client::default()).await.unwrap();
    house.when(&clara, task.deployment, DeploymentState::Live).await;
    assert_eq!(mails(&house, "task_overdue").await.len(), 1, "they were told once");
    house.close().await;
}

#[actix_web::test]
async fn what_is_cancelled_taken_back_or_skipped_is_asked_of_nobody_any_more() {
    for wish in [
        Mend::Cancel(Cancel::TakeBack),
        Mend::Cancel(Cancel::Stop),
        Mend::Skip { step: "rack".to_owned(), output: Some(skipped()) },
    ] {
        let (house, _) = house().await;
        let (rita, otto, adam) = (house.person("Rita").await, house.person("Otto").await, house.person("Adam").await);
        let request = order(&house).await;
        let task = asked(&house, &adam).await;
        let path = link(&house, "adam@example.org").await;
        mend(&house.app, &otto, task.run, wish.clone(), "Not now", &Sent::PORTAL).await.unwrap();
        let closed = again(&house, &task).await;
        assert_eq!(closed.state, TaskState::Closed, "{wish:?}");
        assert!(inbox(&house.app, &adam).await.unwrap().open.is_empty());
        let (_, _, page) = opened(&house, &path).await;
        assert!(page.contains("This is not needed any more.") && page.contains("Not now"), "{wish:?}: {page}");
        let doer = Doer::Person { who: &adam, task: task.id, via: Via::SignedIn, once: None };
        let late = answer(&house.app, doer, &values(json!({ "rack": "r3" })), Client::default()).await.unwrap_err();
        assert_eq!(late.kind, Kind::Gone);
        let ends = if matches!(wish, Mend::Skip { .. }) { DeploymentState::Live } else { DeploymentState::Failed };
        if wish != Mend::Cancel(Cancel::Stop) {
            house.when(&rita, request.deployment, ends).await;
        }
        house.close().await;
    }
}

#[actix_web::test]
async fn what_is_over_stands_in_the_list_with_when_it_ended() {
    let (house, clock) = house().await;
    let (otto, adam) = (house.person("Otto").await, house.person("Adam").await);
    order(&house).await;
    let task = asked(&house, &adam).await;
    clock.wind(TimeDelta::hours(5));
    let skip = Mend::Skip { step: "rack".to_owned(), output: Some(skipped()) };
    mend(&house.app, &otto, task.run, skip, "Not now", &Sent::PORTAL).await.unwrap();
    let browser = Browser::of(&house, "adam@example.org", "adam-decides-orders").await;
    let (_, list) = browser.get("/tasks").await;
    let over = list.split_once("<h2 id=\"ended\">Over</h2>").unwrap().1;
    assert!(over.contains("2026-11-23T15:00:00Z") && !over.contains("2026-11-23T10:00:00Z"), "{over}");
    house.close().await;
}

#[actix_web::test]
async fn what_is_still_open_when_its_run_ends_is_closed_with_it() {
    let (mut house, _) = house().await;
    let (otto, adam) = (house.person("Otto").await, house.person("Adam").await);
    order(&house).await;
    let task = asked(&house, &adam).await;
    house.stop_working().await;
    mend(&house.app, &otto, task.run, Mend::Cancel(Cancel::Stop), "Not now", &Sent::PORTAL).await.unwrap();
    house.database.tamper("UPDATE task SET state = 'open', ended_at = NULL").await;
    house.work_again();
    house.when_heard(|event| event.line.starts_with("Stopped.")).await;
    assert_eq!(again(&house, &task).await.state, TaskState::Closed);
    house.close().await;
}

#[actix_web::test]
async fn a_task_of_which_nobody_can_be_reminded_keeps_nobody_from_being_reminded_of_the_next() {
    let (mut house, clock) = house().await;
    let (rita, adam) = (house.person("Rita").await, house.person("Adam").await);
    for application in ["odd", "lost", "good"] {
        house.order(&rita, "racked", json!({ "application": application })).await;
    }
    all_asked(&house, &adam, 3).await;
    house.stop_working().await;
    clock.wind(TimeDelta::hours(23));
    for broken in [
        "UPDATE run SET state = 'odd' WHERE id = (SELECT run_id FROM task WHERE title = 'Put odd-1 into a rack')",
        "UPDATE task SET run_id = id WHERE title = 'Put lost-1 into a rack'",
    ] {
        house.database.tamper(broken).await;
    }
    assert_eq!(keep_time(&house.app).await.unwrap(), 2, "one run can't be read");
    let reminders = mails(&house, "task_reminder").await;
    assert!(reminders.len() == 2 && reminders.iter().all(|mail| mail.subject.contains("good-1")), "{reminders:?}");
    assert_eq!(keep_time(&house.app).await.unwrap(), 0, "it is not come back to the one whose run is gone");
    house.close().await;
}

/// A mail server that knows nobody of these names.
struct Without(&'static [&'static str]);

#[async_trait]
impl Mailer for Without {
    async fn send(&self, mail: &Mail) -> Result<String, MailerError> {
        match self.0.iter().any(|name| mail.to_name.starts_with(name)) {
            true => Err(MailerError::Refused("550 no such mailbox".to_owned())),
            false => Ok("250 taken".to_owned()),
        }
    }
}

/// The house with somebody asked, nobody at work any more, and the mails handed to a server that knows nobody of these
/// names.
async fn house_without_mailboxes(names: &'static [&'static str]) -> (House, Task) {
    let (mut house, _) = house().await;
    order(&house).await;
    let task = asked(&house, &house.person("Adam").await).await;
    house.stop_working().await;
    house.database.tamper("UPDATE mail SET state = 'queued', next_at = '2026-11-23T10:00:00+00:00'").await;
    let sender = App { mailer: Some(Arc::new(Without(names))), ..house.app.clone() };
    assert_eq!(app::mail::send_due(&sender, "sender").await.unwrap(), 2);
    (house, task)
}

#[actix_web::test]
async fn a_mail_that_no_server_takes_is_shown_to_operators_until_it_is_sent_again() {
    let (house, _) = house_without_mailboxes(&["Adam", "Clara"]).await;
    let otto = Browser::of(&house, "otto@example.org", "otto-mends-runs-now").await;
    let (_, page) = otto.get("/operations").await;
    assert!(page.contains("No mail server took 2 mails"), "{page}");
    for mail in mails(&house, "task_asked").await {
        let named = format!("<a href=\"/operations/mail/{}\">{}</a> to {}", mail.id, mail.subject, mail.to_name);
        assert!(page.contains(&named), "{named}: {page}");
        assert!(page.contains(&format!("Tell {} by hand.", mail.to_name)), "{page}");
        app::mail::send_again(&house.app, &house.person("Otto").await, mail.id).await.unwrap();
    }
    let (_, page) = otto.get("/operations").await;
    assert!(!page.contains("No mail server took"), "{page}");
    house.close().await;
}

#[actix_web::test]
async fn who_gets_no_mail_about_his_task_is_told_by_his_manager() {
    let (house, task) = house_without_mailboxes(&["Adam"]).await;
    keep_time(&house.app).await.unwrap();
    assert_eq!(keep_time(&house.app).await.unwrap(), 0, "once");
    let told = mails(&house, "task_unreached").await;
    assert_eq!((told.len(), told[0].to_email.as_str()), (1, "clara@example.org"), "Adam's manager");
    assert_eq!(told[0].subject, "Tell Adam Approver: Put shop-1 into a rack");
    let why = "no mail server took the mail to adam@example.org: 550 no such mailbox.";
    assert!(told[0].text.contains(why) && told[0].text.contains(&format!("/tasks/{}", task.id)), "{}", told[0].text);
    assert!(!told[0].text.contains("/decide/"), "she can't answer in his name: {}", told[0].text);

    let otto = Browser::of(&house, "otto@example.org", "otto-mends-runs-now").await;
    for address in ["/operations".to_owned(), format!("/runs/{}", task.run)] {
        let (_, page) = otto.get(&address).await;
        assert!(page.contains("A mail asks Clara Cost to tell them."), "{address}: {page}");
        assert!(!page.contains("by hand"), "{address}: {page}");
    }
    let clara = house.person("Clara").await;
    let doer = Doer::Person { who: &clara, task: task.id, via: Via::SignedIn, once: None };
    answer(&house.app, doer, &values(json!({ "rack": "r3" })), Client::default()).await.unwrap();
    let (_, page) = otto.get("/operations").await;
    assert!(page.contains("No mail server took a mail") && !page.contains("waits for them"), "it is done: {page}");
    house.close().await;
}

#[actix_web::test]
async fn where_no_manager_can_be_told_the_operators_are_and_where_nobody_can_the_pages_say_who_is_told_by_hand() {
    let (house, task) = house_without_mailboxes(&["Adam", "Clara"]).await;
    keep_time(&house.app).await.unwrap();
    let told = mails(&house, "task_unreached").await;
    let to: Vec<&str> = told.iter().map(|mail| mail.to_email.as_str()).collect();
    assert_eq!(to, ["otto@example.org"; 2], "Adam's manager got no mail either, and has none above her");

    let (house_of_none, task_of_none) = house_without_mailboxes(&["Clara"]).await;
    house_of_none.database.tamper("DELETE FROM role_grant WHERE role = 'operator'").await;
    keep_time(&house_of_none.app).await.unwrap();
    assert!(mails(&house_of_none, "task_unreached").await.is_empty());
    for (house, task, said) in [
        (&house, &task, "A mail asks Otto Operator to tell them."),
        (&house_of_none, &task_of_none, "Tell Clara Cost by hand."),
    ] {
        let ada = Browser::of(house, "ada@example.org", "ada-manages-people").await;
        for address in ["/operations".to_owned(), format!("/runs/{}", task.run)] {
            let (_, page) = ada.get(&address).await;
            assert!(page.contains(said), "{said} {address}: {page}");
        }
    }
    house.close().await;
    house_of_none.close().await;
}

/// What the step would have left.
fn skipped() -> Value {
    let answer = json!({ "rack": "r1", "power": 1, "cabled": true, "note": null });
    json!({ "answer": answer, "by": "Otto", "at": "2026-11-23T10:00:00Z" })
}

#[actix_web::test]
async fn other_input_by_an_operator_asks_anew_and_closes_what_was_asked() {
    let (house, _) = house().await;
    let (otto, adam) = (house.person("Otto").await, house.person("Adam").await);
    order(&house).await;
    let first = asked(&house, &adam).await;
    let input = json!({ "title": "Put it anywhere", "assignees": "group:application-owners", "form": {} });
    let change = Mend::Retry { step: "rack".to_owned(), input: Some(input) };
    mend(&house.app, &otto, first.run, change, "There is no rack", &Sent::PORTAL).await.unwrap();
    let second = asked(&house, &adam).await;
    assert_eq!((second.title.as_str(), again(&house, &first).await.state), ("Put it anywhere", TaskState::Closed));
    let doer = Doer::Person { who: &adam, task: second.id, via: Via::SignedIn, once: None };
    answer(&house.app, doer, &Map::new(), Client::default()).await.unwrap();
    house.close().await;
}

#[actix_web::test]
async fn when_nobody_who_is_asked_may_see_the_project_the_operators_are_told_at_once() {
    let (house, _) = house().await;
    let asks = RACKED.replace("version: 1.0.0", "version: 1.1.0");
    let asks =
        asks.replace("group:application-owners, person:clara@example.org", "group:nobody, person:carlo@example.org");
    house.offer("racked.yaml", &asks).await;
    let said = house.when_heard(|event| event.line.starts_with("Nobody is asked"));
    let (event, request) = tokio::join!(said, order(&house));
    assert_eq!(mails(&house, "task_overdue").await[0].to_email, "otto@example.org");
    let carlo = house.person("Carlo").await;
    assert!(inbox(&house.app, &carlo).await.unwrap().open.is_empty(), "nobody does what he may not look at");
    let otto = house.person("Otto").await;
    let seen = show(&house.app, &otto, event.run, None).await.unwrap();
    assert_eq!((seen.run.deployment, seen.steps[1].state), (request.deployment, StepState::Waiting));
    house.close().await;
}
