//! Deciding: by link or signed in, once, by nobody who may not, and stopped by whoever says "this was not me".

use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::test::{TestRequest, read_body};
use app::approval::{Decider, Standing, decide, dispute, keep_time, look, look_signed_in};
use app::idempotency::Sent;
use app::person::Change;
use app::request::{NewTerms, Order, What, submit};
use chrono::{DateTime, TimeDelta, Utc};
use domain::approval::{Answer, Approval, ApprovalState, Client, Via};
use domain::person::{Grant, Place, Principal, Role};
use domain::ports::clock::Clock;
use domain::request::{Request, RequestState};
use domain::run::{Cancel, RunState};
use domain::trouble::{Kind, Trouble};
use engine::{Consequences, Gate};
use providers::clock::ManualClock;
use serde_json::json;

use crate::door;
use crate::house::House;

/// A Monday at ten.
fn monday() -> DateTime<Utc> {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

async fn house() -> (House, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(monday()));
    (House::asleep(clock.clone()).await, clock)
}

/// An order that Adam has to approve, and after him nobody.
async fn small_order(house: &House, name: &str) -> Request {
    let rita = house.person("Rita").await;
    house.order(&rita, "scale-out-tomcat", json!({ "application": name })).await
}

/// The secret in the newest link of this sort that somebody got.
async fn link(house: &House, email: &str, before: &str) -> String {
    let mails = store::mail::list(&house.app.store, None, 100).await.unwrap();
    let to = mails.iter().find(|mail| mail.to_email == email && mail.text.contains(before));
    let text = &to.expect("a mail with a link").text;
    let from = text.find(before).unwrap() + before.len();
    text[from..].split_whitespace().next().unwrap().to_owned()
}

async fn question_link(house: &House, email: &str) -> String {
    link(house, email, "http://localhost/decide/").await
}

async fn by_link(house: &House, token: &str, answer: Answer) -> Result<Request, Trouble> {
    let client = Client { address: "10.0.0.9".into(), agent: "phone".into() };
    decide(&house.app, Decider::Link(token), answer, "because", client).await.map(|decided| decided.request)
}

async fn asked(house: &House, request: &Request) -> Vec<Approval> {
    store::approval::of_request(&house.app.store, request.id).await.unwrap()
}

async fn now(house: &House, request: &Request) -> Request {
    store::request::find(&house.app.store, request.id).await.unwrap().unwrap()
}

/// Offers the Tomcats under other rules than the ones that they come with.
async fn offer(house: &House, rule: &str, other: &str) {
    let text = include_str!("../../workflows/scale-out-tomcat.yaml").replacen("version: 1.", "version: 7.", 1);
    house.offer("scale-out-tomcat.yaml", &text.replacen(rule, other, 1)).await;
}

fn kind(outcome: Result<Request, Trouble>) -> Kind {
    outcome.expect_err("it is refused").kind
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_says_all_that_a_decision_takes() {
    let (house, _) = house().await;
    let rita = house.person("Rita").await;
    let project = app::catalog::projects(&house.app, &rita).await.unwrap().into_iter().find(|it| it.name == "shop");
    let what = What::Provision {
        project: project.unwrap().id,
        site: None,
        blueprint: "container-space".into(),
        version: None,
        parameters: json!({ "name": "web", "cpu": 32 }).as_object().cloned().unwrap(),
        lease: None,
    };
    let reason = "For the <b>sale</b>\nQuota after: nothing".to_owned();
    let order = Order { what, reason, via: "portal", key: app::secret::fresh() };
    submit(&house.app, &rita, order).await.unwrap();
    let mail = store::mail::list(&house.app.store, None, 1).await.unwrap().remove(0);
    assert!(mail.subject.contains("Container space shop-web for Shop?"), "{}", mail.subject);
    for (label, value) in [
        ("Why you are asked", "is approved by the cost owners."),
        ("Processors", "32"),
        ("Memory", "8 GB"),
        ("Per month", "€"),
        ("In total", "over 180"),
        ("Names", "web"),
        ("Quota after", " of "),
        ("Steps", "; "),
        ("Answers for it", "ops-containers"),
    ] {
        let line = mail.text.lines().find(|line| line.starts_with(&format!("{label}: ")));
        assert!(line.is_some_and(|line| line.contains(value)), "{label} {value}: {}", mail.text);
        assert!(mail.html.contains(&format!(">{label}</td>")), "{label}: {}", mail.html);
    }
    assert!(mail.text.contains("Why: For the <b>sale</b> Quota after: nothing"), "on one line: {}", mail.text);
    assert!(!mail.html.contains("<b>sale"), "{}", mail.html);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_by_link_starts_the_run_and_says_who_from_where() {
    let (house, _) = house().await;
    let request = small_order(&house, "shop").await;
    let decided = by_link(&house, &question_link(&house, "adam@example.org").await, Answer::Approve).await.unwrap();
    assert_eq!(decided.state, RequestState::Approved);
    let run = store::run::find(&house.app.store, decided.run.unwrap()).await.unwrap().unwrap();
    assert_eq!((run.state, run.request), (RunState::Queued, Some(request.id)));
    let decision = asked(&house, &request).await[0].decision.clone().unwrap();
    assert_eq!((decision.via, decision.client.address.as_str()), (Via::Link, "10.0.0.9"));
    for (email, kind) in [("adam@example.org", "decision_receipt"), ("rita@example.org", "request_decided")] {
        let mails = store::mail::of_request(&house.app.store, request.id).await.unwrap();
        assert!(mails.iter().any(|mail| mail.to_email == email && mail.kind == kind), "{kind}");
    }
    let whole = app::audit::verify(&house.app).await.unwrap();
    assert!(whole.is_ok(), "the audit log is a whole chain");
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_at_a_link_a_hundred_times_decides_nothing() {
    let (house, _) = house().await;
    let request = small_order(&house, "shop").await;
    let token = question_link(&house, "adam@example.org").await;
    for _ in 0..100 {
        let question = look(&house.app, &token).await.unwrap();
        assert_eq!(question.standing, Standing::Open { signed_in: false });
    }
    assert_eq!(now(&house, &request).await, request);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_answers_at_once_are_one_decision() {
    let (house, _) = house().await;
    let request = small_order(&house, "shop").await;
    let token = question_link(&house, "adam@example.org").await;
    let tries = (0..50).map(|n| {
        let answer = if n % 2 == 0 { Answer::Approve } else { Answer::Reject };
        by_link(&house, &token, answer)
    });
    let outcomes = futures::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.into_iter().filter_map(Result::err).all(|trouble| trouble.kind == Kind::Gone));
    let mails = store::mail::of_request(&house.app.store, request.id).await.unwrap();
    assert_eq!(mails.iter().filter(|mail| mail.kind == "decision_receipt").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_link_says_who_decided_and_when() {
    let (house, _) = house().await;
    small_order(&house, "shop").await;
    let token = question_link(&house, "adam@example.org").await;
    by_link(&house, &token, Answer::Approve).await.unwrap();
    let again = by_link(&house, &token, Answer::Reject).await.expect_err("a second decision");
    assert_eq!(again.kind, Kind::Gone);
    assert_eq!(again.what, "Adam Approver approved this on 23 Nov 2026, 10:00 UTC.");
    let Standing::Closed { what } = look(&house.app, &token).await.unwrap().standing else { panic!("it is closed") };
    assert_eq!(what, again.what);
}

#[actix_web::test]
async fn a_used_link_leads_on_to_the_request_for_who_is_signed_in_and_may_see_it() {
    let (house, _) = house().await;
    let request = small_order(&house, "shop").await;
    let token = question_link(&house, "adam@example.org").await;
    by_link(&house, &token, Answer::Approve).await.unwrap();
    let page = format!("/decide/question/{}", asked(&house, &request).await[0].id);
    let seen_by = async |session: Option<Cookie<'static>>| {
        let mut asked = TestRequest::get().uri(&page).cookie(Cookie::new("decide", token.clone()));
        if let Some(session) = session {
            asked = asked.cookie(session);
        }
        String::from_utf8(read_body(door::send(&house, asked).await).await.to_vec()).unwrap()
    };
    let way_on = format!("href=\"/requests/{}\"", request.id);
    let adam = door::session(&door::sign_in(&house, "adam@example.org", "adam-decides-orders").await);
    let carlo = door::session(&door::sign_in(&house, "carlo@example.org", "carlo-sees-his-own").await);
    assert!(seen_by(Some(adam)).await.contains(&way_on));
    for stranger in [None, Some(carlo)] {
        let seen = seen_by(stranger).await;
        assert!(seen.contains("Adam Approver approved this") && !seen.contains(&way_on), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_nobody_sent_leads_nowhere() {
    let (house, _) = house().await;
    small_order(&house, "shop").await;
    assert_eq!(kind(by_link(&house, &app::secret::fresh(), Answer::Approve).await), Kind::NotFound);
    assert_eq!(kind(by_link(&house, "", Answer::Approve).await), Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_die_when_the_request_is_taken_back_or_changed() {
    let (house, _) = house().await;
    let rita = house.person("Rita").await;
    let first = small_order(&house, "shop").await;
    let old = question_link(&house, "adam@example.org").await;
    let parameters = json!({ "application": "shop", "nodes": 4 }).as_object().cloned().unwrap();
    let terms = NewTerms { revision: 1, site: None, parameters, lease: None, reason: "more load".to_owned() };
    let changed = app::request::change(&house.app, &rita, first.id, terms, &Sent::PORTAL).await.unwrap();
    assert_eq!((changed.revision, changed.plan.as_ref().unwrap().parameters["nodes"].clone()), (2, json!(4)));
    let refused = by_link(&house, &old, Answer::Approve).await.expect_err("approve A, get B");
    assert!(refused.kind == Kind::Gone && refused.what.contains("changed"), "{refused}");

    let new = question_link(&house, "adam@example.org").await;
    assert_ne!(new, old);
    app::request::withdraw(&house.app, &rita, first.id, &Sent::PORTAL).await.unwrap();
    let refused = by_link(&house, &new, Answer::Approve).await.expect_err("it was taken back");
    assert!(refused.kind == Kind::Gone && refused.what.contains("took this request back"), "{refused}");
    assert!(now(&house, &first).await.run.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides_on_a_request_of_his_own_in_any_disguise() {
    let (house, _) = house().await;
    let rita = house.person("Rita").await;
    let ada = house.person("Ada Ad").await;
    let place = Place::Project(*rita.by_project.keys().next().unwrap());
    let everywhere = Grant { role: Role::Approver, place: Place::Everywhere };
    for change in [
        app::person::Change::Grant(Grant { role: Role::Approver, place }),
        app::person::Change::Grant(everywhere),
        app::person::Change::Join("application-owners".into()),
    ] {
        app::person::change(&house.app, &ada, rita.person, change).await.unwrap();
    }
    // Adam is away and Rita stands in for him: he is asked himself.
    let adam = house.person("Adam").await;
    let later = monday() + TimeDelta::days(3);
    app::approval::go_away(&house.app, &adam, "RITA@example.org", monday(), later, "portal").await.unwrap();
    let request = small_order(&house, "shop").await;
    let asked = asked(&house, &request).await;
    assert!(asked.iter().all(|approval| approval.approver == adam.person && approval.on_behalf_of.is_none()));
    // Not even by naming somebody else's question.
    let rita = house.person("Rita").await;
    let stolen = Decider::Person { who: &rita, approval: asked[0].id, via: Via::Api, once: None };
    let refused = decide(&house.app, stolen, Answer::Approve, "", Client::default()).await.expect_err("not hers");
    assert_eq!(refused.kind, Kind::NotFound);
    // Not even when a question to her came to be in whatever way.
    let forged = Approval { id: store::fresh_id(), approver: rita.person, ..asked[0].clone() };
    let tx = house.app.store.begin().await.unwrap();
    store::approval::insert(&tx, &forged).await.unwrap();
    tx.commit().await.unwrap();
    let own = Decider::Person { who: &rita, approval: forged.id, via: Via::SignedIn, once: None };
    let refused = decide(&house.app, own, Answer::Approve, "", Client::default()).await.expect_err("her own");
    assert_eq!(refused.kind, Kind::Forbidden);
    assert_eq!(now(&house, &request).await.state, RequestState::AwaitingApproval);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_in_gets_his_own_link_and_speaks_for_who_is_away() {
    let (house, _) = house().await;
    let adam = house.person("Adam").await;
    let later = monday() + TimeDelta::days(3);
    app::approval::go_away(&house.app, &adam, "clara@example.org", monday(), later, "portal").await.unwrap();
    let request = small_order(&house, "shop").await;
    let asked = asked(&house, &request).await;
    assert_eq!((asked.len(), asked[0].on_behalf_of), (1, Some(adam.person)));
    let decided = by_link(&house, &question_link(&house, "clara@example.org").await, Answer::Approve).await.unwrap();
    assert_eq!(decided.state, RequestState::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_ends_the_request_and_gives_its_quota_back() {
    let (house, _) = house().await;
    let request = small_order(&house, "shop").await;
    let used = || async { store::allocation::usage(&house.app.store, request.project).await.unwrap() };
    assert_eq!(used().await["machines"], 2);
    let token = question_link(&house, "adam@example.org").await;
    let unreasoned = decide(&house.app, Decider::Link(&token), Answer::Reject, " ", Client::default()).await;
    assert_eq!(unreasoned.expect_err("a no needs a reason").kind, Kind::Invalid);
    let rejected = by_link(&house, &token, Answer::Reject).await.unwrap();
    assert_eq!(rejected.outcome.as_deref(), Some("Adam Approver rejected it: because"));
    assert!(rejected.run.is_none() && used().await.get("machines").is_none_or(|used| *used == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_open_one_after_the_other() {
    let (house, _) = house().await;
    let rita = house.person("Rita").await;
    let parameters = json!({ "application": "shop", "environment": "production" });
    let request = house.order(&rita, "scale-out-tomcat", parameters).await;
    assert_eq!(asked(&house, &request).await.len(), 1, "Clara is not asked before Adam said yes");
    let after_one = by_link(&house, &question_link(&house, "adam@example.org").await, Answer::Approve).await.unwrap();
    assert_eq!((after_one.state, after_one.run), (RequestState::AwaitingApproval, None));
    let after_two = by_link(&house, &question_link(&house, "clara@example.org").await, Answer::Approve).await.unwrap();
    assert_eq!(after_two.state, RequestState::Approved);
}

#[actix_web::test]
async fn a_link_that_comes_too_late_leads_to_the_question_as_long_as_that_is_open() {
    let (house, clock) = house().await;
    let request = small_order(&house, "shop").await;
    let token = question_link(&house, "adam@example.org").await;
    clock.wind(TimeDelta::days(30));
    let first = door::send(&house, TestRequest::get().uri(&format!("/decide/{token}"))).await;
    let to = first.headers().get("location").unwrap().to_str().unwrap().to_owned();
    let held = first.response().cookies().next().unwrap().into_owned();
    let late = read_body(door::send(&house, TestRequest::get().uri(&to).cookie(held)).await).await;
    let late = String::from_utf8(late.to_vec()).unwrap();
    let way = format!("href=\"/approvals/{}\">Sign in and decide there</a>", asked(&house, &request).await[0].id);
    for told in ["This link could be used until", "It still is to be decided.", &way] {
        assert!(late.contains(told), "{told}: {late}");
    }
    assert!(!late.contains("Nothing more can be decided here.") && !late.contains("value=\"approve\""), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_reminded_then_passed_by_then_the_request_ends() {
    let (house, clock) = house().await;
    let request = small_order(&house, "shop").await;
    clock.wind(TimeDelta::hours(23) - TimeDelta::seconds(1));
    // 08:59:59 on Tuesday: not yet; then nine o'clock.
    keep_time(&house.app).await.unwrap();
    let mails = || async { store::mail::of_request(&house.app.store, request.id).await.unwrap() };
    assert_eq!(mails().await.len(), 1);
    clock.wind(TimeDelta::seconds(1));
    keep_time(&house.app).await.unwrap();
    assert_eq!(mails().await.iter().filter(|mail| mail.kind == "approval_reminder").count(), 1);
    // The link of the first mail still works, and so does that of the reminder.
    let token = question_link(&house, "adam@example.org").await;
    assert_eq!(look(&house.app, &token).await.unwrap().standing, Standing::Open { signed_in: false });

    clock.wind(TimeDelta::days(2));
    keep_time(&house.app).await.unwrap();
    let clara = house.person("Clara").await;
    let higher = asked(&house, &request).await;
    assert!(higher.iter().any(|approval| approval.approver == clara.person), "Adam's manager is asked now");
    assert_eq!(now(&house, &request).await.state, RequestState::AwaitingApproval);

    for _ in 0..3 {
        clock.wind(TimeDelta::days(3));
        keep_time(&house.app).await.unwrap();
    }
    assert_eq!(now(&house, &request).await.state, RequestState::Expired);
    assert!(asked(&house, &request).await.iter().all(|approval| approval.state == ApprovalState::Expired));
    assert_eq!(kind(by_link(&house, &token, Answer::Approve).await), Kind::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn this_was_not_me_halts_the_run_before_it_touches_anything() {
    let (house, _) = house().await;
    small_order(&house, "shop").await;
    let decided = by_link(&house, &question_link(&house, "adam@example.org").await, Answer::Approve).await.unwrap();
    let token = link(&house, "adam@example.org", "http://localhost/decide/not-me/").await;
    let run = || async { store::run::find(&house.app.store, decided.run.unwrap()).await.unwrap().unwrap() };
    for _ in 0..20 {
        app::approval::disputed(&house.app, &token).await.unwrap();
    }
    assert_eq!(run().await.cancel, None, "looking halts nothing");
    for _ in 0..2 {
        let disputed = dispute(&house.app, &token, Client::default()).await.unwrap();
        assert!(disputed.approval.disputed_at.is_some() || disputed.request.id == decided.id);
    }
    assert!(run().await.cancel.is_some() || run().await.state.has_ended());
    let portal = app::consequences::House { base_url: String::new(), mailer: None };
    let tx = house.app.store.begin().await.unwrap();
    assert!(matches!(portal.may_begin(&tx, &run().await).await.unwrap(), Gate::Closed(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn this_was_not_me_is_put_on_record_also_where_the_run_is_stuck() {
    let (house, clock) = house().await;
    small_order(&house, "shop").await;
    let decided = by_link(&house, &question_link(&house, "adam@example.org").await, Answer::Approve).await.unwrap();
    let token = link(&house, "adam@example.org", "http://localhost/decide/not-me/").await;
    let tx = house.app.store.begin().await.unwrap();
    let run = store::run::find(&tx, decided.run.unwrap()).await.unwrap().unwrap();
    let stuck = run.cancelling(Cancel::TakeBack, "Enough.".into()).unwrap().stuck("In use.".into(), clock.now());
    assert!(store::run::save_from_outside(&tx, &stuck.unwrap()).await.unwrap());
    let read_as = (decided.state, decided.revision);
    assert!(store::request::save(&tx, &decided.clone().paused().unwrap(), read_as).await.unwrap());
    tx.commit().await.unwrap();
    let disputed = dispute(&house.app, &token, Client::default()).await.unwrap();
    assert!(disputed.approval.disputed_at.is_some());
    let on_record = asked(&house, &decided).await;
    assert!(on_record.iter().any(|approval| approval.disputed_at.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_seen_by_whom_it_was_asked_and_nobody_else() {
    let (house, _) = house().await;
    let request = small_order(&house, "shop").await;
    let id = asked(&house, &request).await[0].id;
    assert!(look_signed_in(&house.app, &house.person("Adam").await, id).await.is_ok());
    for other in ["Clara", "Carlo", "Otto", "Rita"] {
        let who: Principal = house.person(other).await;
        let refused = look_signed_in(&house.app, &who, id).await.err().expect("it is somebody else's");
        assert_eq!(refused.kind, Kind::NotFound, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_left_decides_nothing_any_more() {
    let (house, _) = house().await;
    small_order(&house, "shop").await;
    let (adam, ada) = (house.person("Adam").await, house.person("Ada Ad").await);
    app::person::change(&house.app, &ada, adam.person, app::person::Change::Disable).await.unwrap();
    let token = question_link(&house, "adam@example.org").await;
    assert_eq!(kind(by_link(&house, &token, Answer::Approve).await), Kind::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_who_lost_his_role_or_his_group_decides_nothing_any_more() {
    let (house, _) = house().await;
    let request = small_order(&house, "shop").await;
    let (adam, ada) = (house.person("Adam").await, house.person("Ada Ad").await);
    let token = question_link(&house, "adam@example.org").await;
    let change = |change| app::person::change(&house.app, &ada, adam.person, change);

    change(Change::Leave("application-owners".into())).await.unwrap();
    assert_eq!(kind(by_link(&house, &token, Answer::Approve).await), Kind::Forbidden);
    change(Change::Join("application-owners".into())).await.unwrap();

    // He may still look at the project, as somebody who orders there.
    let northwind = store::organisation::find_by_name(&house.app.store, "northwind").await.unwrap().unwrap().id;
    let of = |role| Grant { role, place: Place::Organisation(northwind) };
    change(Change::Grant(of(Role::Requester))).await.unwrap();
    change(Change::Revoke(of(Role::Approver))).await.unwrap();
    assert_eq!(kind(by_link(&house, &token, Answer::Approve).await), Kind::Forbidden);

    change(Change::Grant(of(Role::Approver))).await.unwrap();
    by_link(&house, &token, Answer::Approve).await.unwrap();
    assert_eq!(now(&house, &request).await.state, RequestState::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_that_takes_everybody_is_decided_by_the_manager_of_who_is_silent() {
    let (house, clock) = house().await;
    offer(&house, "    within: 2d\n", "    quorum: all\n    within: 2d\n").await;
    let request = small_order(&house, "shop").await;
    clock.wind(TimeDelta::days(2));
    keep_time(&house.app).await.unwrap();
    let adam = house.person("Adam").await.person;
    let higher = asked(&house, &request).await.pop().unwrap();
    assert_eq!(higher.on_behalf_of, Some(adam));
    let mails = store::mail::of_request(&house.app.store, request.id).await.unwrap();
    let mail = mails.iter().find(|mail| mail.to_email == "clara@example.org").unwrap();
    assert!(mail.text.contains("manager of Adam Approver") && !mail.text.contains("away"), "{}", mail.text);
    let decided = by_link(&house, &question_link(&house, "clara@example.org").await, Answer::Approve).await.unwrap();
    assert_eq!(decided.state, RequestState::Approved);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_only_somebody_blind_to_the_project_could_decide_is_refused_at_once() {
    for approvers in ["approvers: manager", "approvers: person:carlo@example.org"] {
        let (house, _) = house().await;
        offer(&house, "approvers: group:application-owners", approvers).await;
        let (rita, carlo) = (house.person("Rita").await, house.person("Carlo").await);
        let ada = house.person("Ada Ad").await;
        let manager = Change::Manager(Some(carlo.person));
        app::person::change(&house.app, &ada, rita.person, manager).await.unwrap();
        let projects = app::catalog::projects(&house.app, &rita).await.unwrap();
        let parameters = json!({ "application": "shop" }).as_object().cloned().unwrap();
        let what = What::Provision {
            project: projects.iter().find(|project| project.name == "shop").unwrap().id,
            site: None,
            blueprint: "scale-out-tomcat".into(),
            version: None,
            parameters,
            lease: None,
        };
        let order = Order { what, reason: String::new(), via: "portal", key: app::secret::fresh() };
        let refused = submit(&house.app, &rita, order).await.expect_err(approvers);
        assert_eq!(refused.kind, Kind::Conflict, "{refused}");
        assert!(refused.what.contains("only 0"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_who_was_asked_already_is_passed_by_to_the_next_above() {
    let (house, clock) = house().await;
    let (clara, otto) = (house.person("Clara").await, house.person("Otto").await);
    let ada = house.person("Ada Ad").await;
    let change = |person, change| app::person::change(&house.app, &ada, person, change);
    change(clara.person, Change::Join("application-owners".into())).await.unwrap();
    change(clara.person, Change::Manager(Some(otto.person))).await.unwrap();
    let request = small_order(&house, "shop").await;
    assert_eq!(asked(&house, &request).await.len(), 2, "Adam, and Clara who is his manager");
    clock.wind(TimeDelta::days(2));
    keep_time(&house.app).await.unwrap();
    let above = asked(&house, &request).await.into_iter().filter(|approval| approval.approver == otto.person);
    let above: Vec<_> = above.collect();
    assert_eq!(above.len(), 1, "one question, though he stands above both");
    assert!(above[0].asked_as.starts_with("manager of Clara Cost"), "{}", above[0].asked_as);
    assert_eq!(now(&house, &request).await.state, RequestState::AwaitingApproval);

    clock.wind(TimeDelta::days(2));
    keep_time(&house.app).await.unwrap();
    let ended = now(&house, &request).await;
    assert_eq!(ended.state, RequestState::Expired);
    let outcome = ended.outcome.unwrap();
    assert!(outcome.ends_with("and nobody above them is left to ask."), "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_away_in_a_year_that_a_database_would_put_into_the_wrong_place() {
    let (house, _) = house().await;
    let adam = house.person("Adam").await;
    let year = |year| chrono::NaiveDate::from_ymd_opt(year, 6, 1).unwrap().and_time(chrono::NaiveTime::MIN).and_utc();
    let day = TimeDelta::days(1);
    for (begins, ends, field) in [
        (year(0), year(2090), "from"),
        (year(-4_000), year(2090), "from"),
        (year(12_026), year(12_026) + day, "from"),
        (year(9_999), year(10_000), "until"),
    ] {
        let away = app::approval::go_away(&house.app, &adam, "rita@example.org", begins, ends, "portal").await;
        let refused = away.expect_err("no such year");
        assert!(refused.fields.iter().any(|wrong| wrong.field == field && wrong.message.contains("9999")), "{begins}");
    }
}
