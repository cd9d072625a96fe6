//! Links in mails to tasks: who was sent one sees and does what it is about, for as long as he is asked and in time.

use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::test::{TestRequest, read_body};
use app::person::Change;
use app::task::{Doer, answer};
use chrono::TimeDelta;
use domain::approval::{Client, Via};
use domain::deployment::DeploymentState;
use domain::task::TaskState;
use serde_json::json;

use crate::door;
use crate::house::House;
use crate::requests::csrf;
use crate::tasks::{again, asked, house, order, values};

/// The path of the newest link that somebody got.
pub async fn link(house: &House, email: &str) -> String {
    let mails = store::mail::list(&house.app.store, None, 100).await.unwrap();
    let mail = mails.iter().find(|mail| mail.to_email == email && mail.text.contains("/decide/to-do/")).unwrap();
    let at = mail.text.find("/decide/to-do/").unwrap();
    mail.text[at..].split_whitespace().next().unwrap().to_owned()
}

/// Opens a link as a browser does: the page that it leads to, what it keeps, and what it shows.
pub async fn opened(house: &House, path: &str) -> (String, Cookie<'static>, String) {
    let first = door::send(house, TestRequest::get().uri(path)).await;
    let to = first.headers().get(header::LOCATION).unwrap().to_str().unwrap().to_owned();
    let held = first.response().cookies().next().unwrap().into_owned();
    let page = read_body(door::send(house, TestRequest::get().uri(&to).cookie(held.clone())).await).await;
    (to, held, String::from_utf8(page.to_vec()).unwrap())
}

#[actix_web::test]
async fn a_link_in_a_mail_shows_the_form_and_only_who_sends_it_answers() {
    let (house, _) = house().await;
    let request = order(&house).await;
    let task = asked(&house, &house.person("Clara").await).await;
    let path = link(&house, "clara@example.org").await;
    let token = path.rsplit('/').next().unwrap().to_owned();
    for _ in 0..50 {
        // A scanner opens whatever it finds, and keeps cookies at times.
        let (to, _, page) = opened(&house, &path).await;
        assert!(page.contains("Put shop-1 into a rack") && !to.contains(&token) && !page.contains(&token), "{to}");
    }
    assert_eq!(again(&house, &task).await.state, TaskState::Open, "looking answers nothing");

    let (to, held, page) = opened(&house, &path).await;
    let answer = async |csrf: &str, rack: &str| {
        let fields = [("csrf", csrf), ("rack", rack), ("power", "4"), ("cabled", "true")];
        let sent = door::send(&house, door::form(&to, &fields).cookie(held.clone())).await;
        let status = sent.status();
        (status, String::from_utf8(read_body(sent).await.to_vec()).unwrap())
    };
    for guess in ["", "guessed", held.value()] {
        assert_eq!(answer(guess, "r1").await.0, StatusCode::FORBIDDEN, "a scanner that sends forms knows no proof");
    }
    let (status, refused) = answer(&csrf(&page), "nowhere").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.contains("value=\"nowhere\"") && refused.contains("value=\"4\"") && refused.contains("checked"));

    assert_eq!(answer(&csrf(&page), "r1").await.0, StatusCode::SEE_OTHER);
    let (status, late) = answer(&csrf(&page), "r2").await;
    assert!(status == StatusCode::GONE && late.contains("Clara Cost did this on"), "{status} {late}");
    let answered = again(&house, &task).await.answer.unwrap();
    assert_eq!((answered.via, &answered.values["rack"]), (Via::Link, &json!("r1")));
    let rita = house.person("Rita").await;
    house.when(&rita, request.deployment, DeploymentState::Live).await;

    let other = door::send(&house, TestRequest::get().uri("/decide/to-do/nobody-sent-this")).await;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    house.close().await;
}

#[actix_web::test]
async fn who_is_not_asked_any_more_sees_nothing_by_his_link_and_answers_nothing() {
    let (house, _) = house().await;
    order(&house).await;
    let (adam, ada) = (house.person("Adam").await, house.person("Ada Ad").await);
    let task = asked(&house, &adam).await;
    let path = link(&house, "adam@example.org").await;
    let (to, held, page) = opened(&house, &path).await;
    let leaves = Change::Leave("application-owners".into());
    app::person::change(&house.app, &ada, adam.person, leaves).await.unwrap();

    let proof = csrf(&page);
    let fields = [("csrf", proof.as_str()), ("rack", "r1"), ("power", "4")];
    for request in [
        TestRequest::get().uri(&path),
        TestRequest::get().uri(&to).cookie(held.clone()),
        door::form(&to, &fields).cookie(held.clone()),
    ] {
        let answer = door::send(&house, request).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let page = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
        assert!(page.contains("is not asked of you any more") && !page.contains("into a rack"), "{page}");
    }
    assert_eq!(again(&house, &task).await.state, TaskState::Open);
    house.close().await;
}

#[actix_web::test]
async fn a_link_that_comes_too_late_leads_to_the_task_and_shows_nothing_of_the_answer() {
    let (mut house, clock) = house().await;
    order(&house).await;
    let adam = house.person("Adam").await;
    let task = asked(&house, &adam).await;
    house.stop_working().await;
    let path = link(&house, "adam@example.org").await;
    let (to, held, in_time) = opened(&house, &path).await;
    clock.wind(TimeDelta::days(30));
    let (_, _, late) = opened(&house, &path).await;
    for told in ["This link could be used until", "It still is to be done.", "Sign in and do it there"] {
        assert!(late.contains(told), "{told}: {late}");
    }
    assert!(late.contains(&format!("href=\"/tasks/{}\"", task.id)) && !late.contains("<form class=\"form\""), "{late}");
    let proof = csrf(&in_time);
    let fields = [("csrf", proof.as_str()), ("rack", "r1"), ("power", "4")];
    let refused = door::send(&house, door::form(&to, &fields).cookie(held)).await;
    assert_eq!(refused.status(), StatusCode::GONE);

    let doer = Doer::Person { who: &adam, task: task.id, via: Via::SignedIn, once: None };
    answer(&house.app, doer, &values(json!({ "rack": "r77" })), Client::default()).await.unwrap();
    let (_, _, late) = opened(&house, &path).await;
    assert!(late.contains("Adam Approver did this on") && !late.contains("r77"), "{late}");
    house.close().await;
}
