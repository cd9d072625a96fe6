//! The door: who comes in, what a form of another site does, what a link scanner does, what is too much.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::cookie::Cookie;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode, header};
use actix_web::test::{TestRequest, init_service, read_body, try_call_service};
use actix_web::{App as Application, Error};
use app::person::Change;
use app::token::{NewToken, create};
use chrono::TimeDelta;
use domain::audit::Actor;
use domain::request::{Request, RequestState};
use domain::token::TokenScope;
use providers::clock::{ManualClock, SystemClock};
use serde_json::json;
use web::limits::Limits;
use web::metrics::Metrics;

use crate::house::House;

/// Sends one request through every check of the portal.
pub async fn send(house: &House, request: TestRequest) -> ServiceResponse {
    send_within(house, Duration::from_secs(30), request).await.expect("an answer in time")
}

/// The same, ended when it takes longer than this.
async fn send_within(house: &House, time: Duration, request: TestRequest) -> Result<ServiceResponse, Error> {
    let doors = web::configure(house.app.clone(), Metrics::default(), Limits { time });
    let portal = init_service(Application::new().configure(doors)).await;
    let response = try_call_service(&portal, request.to_request()).await;
    response.map(ServiceResponse::map_into_boxed_body)
}

/// A form as our own pages send it.
pub fn form(path: &str, fields: &[(&str, &str)]) -> TestRequest {
    TestRequest::post().uri(path).insert_header(("Sec-Fetch-Site", "same-origin")).set_form(fields)
}

pub async fn sign_in(house: &House, email: &str, password: &str) -> ServiceResponse {
    send(house, form("/sign-in", &[("email", email), ("password", password), ("next", "/requests")])).await
}

pub fn session(response: &ServiceResponse) -> Cookie<'static> {
    let mut cookies = response.response().cookies();
    cookies.find(|cookie| cookie.name() == "gatehouse").expect("a session").into_owned()
}

async fn rita(house: &House) -> Cookie<'static> {
    session(&sign_in(house, "rita@example.org", "rita-orders-machines").await)
}

async fn house() -> House {
    House::asleep(Arc::new(SystemClock)).await
}

#[actix_web::test]
async fn each_sign_in_makes_a_new_session_and_ends_the_one_before() {
    let house = house().await;
    let first = rita(&house).await;
    assert!(first.http_only() == Some(true) && first.same_site().is_some());
    let again = form("/sign-in", &[("email", "rita@example.org"), ("password", "rita-orders-machines")]);
    let second = session(&send(&house, again.cookie(first.clone())).await);
    assert_ne!(first.value(), second.value());
    let visit = |cookie: Cookie<'static>| send(&house, TestRequest::get().uri("/requests").cookie(cookie));
    assert_eq!(visit(first).await.status(), StatusCode::SEE_OTHER, "the old cookie opens nothing");
    assert_eq!(visit(second).await.status(), StatusCode::OK);
    let planted = Cookie::new("gatehouse", "chosen-by-somebody-else");
    assert_eq!(visit(planted).await.status(), StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_person_who_is_disabled_is_out_at_once() {
    let house = house().await;
    let cookie = rita(&house).await;
    let (person, ada) = (house.person("Rita").await.person, house.person("Ada Ad").await);
    app::person::change(&house.app, &ada, person, app::person::Change::Disable).await.unwrap();
    let visit = send(&house, TestRequest::get().uri("/requests").cookie(cookie)).await;
    assert_eq!(visit.headers().get(header::LOCATION).unwrap(), "/sign-in?next=%2Frequests");
    let again = sign_in(&house, "rita@example.org", "rita-orders-machines").await;
    assert_eq!(again.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[actix_web::test]
async fn guessing_a_password_is_stopped_and_may_be_tried_again_later() {
    let clock = Arc::new(ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap()));
    let house = House::asleep(clock.clone()).await;
    for _ in 0..5 {
        let wrong = sign_in(&house, "rita@example.org", "guess-guess-guess").await;
        assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let even_right = sign_in(&house, "RITA@example.org", "rita-orders-machines").await;
    assert_eq!(even_right.status(), StatusCode::TOO_MANY_REQUESTS);
    clock.wind(TimeDelta::minutes(16));
    let later = sign_in(&house, "rita@example.org", "rita-orders-machines").await;
    assert_eq!(later.status(), StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_form_of_another_site_does_nothing() {
    let house = house().await;
    let cookie = rita(&house).await;
    let origin = ("Origin", "http://localhost");
    let origins: [(&str, &str, bool); 7] = [
        ("Sec-Fetch-Site", "same-origin", true),
        ("Sec-Fetch-Site", "none", true),
        ("Sec-Fetch-Site", "same-site", false),
        ("Sec-Fetch-Site", "cross-site", false),
        ("Origin", "http://evil.example", false),
        ("Origin", "null", false),
        ("X-Nothing", "at all", false),
    ];
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for (name, value, ours) in origins {
            let request = TestRequest::default().method(method.clone()).uri("/sign-out").cookie(cookie.clone());
            let status = send(&house, request.insert_header((name, value))).await.status();
            assert!(ours || status == StatusCode::FORBIDDEN, "{method} {name}: {value} gave {status}");
        }
    }
    // From our own site, but without the session's token; then with it.
    let without = TestRequest::post().uri("/sign-out").cookie(cookie.clone()).insert_header(origin);
    assert_eq!(send(&house, without.set_form([("csrf", "wrong")])).await.status(), StatusCode::FORBIDDEN);
    let token = app::session::resume(&house.app, cookie.value()).await.unwrap().expect("still signed in").csrf;
    let with = form("/sign-out", &[("csrf", token.as_str())]).cookie(cookie);
    assert_eq!(send(&house, with).await.status(), StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_link_scanner_decides_nothing_whatever_it_tries() {
    let house = house().await;
    let request = {
        let rita = house.person("Rita").await;
        house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await
    };
    let mails = store::mail::of_request(&house.app.store, request.id).await.unwrap();
    let at = mails[0].text.find("/decide/").unwrap();
    let path = mails[0].text[at..].split_whitespace().next().unwrap().to_owned();
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        for _ in 0..30 {
            let first = send(&house, TestRequest::default().method(method.clone()).uri(&path)).await;
            let Some(next) = first.headers().get(header::LOCATION) else { continue };
            let next = next.to_str().unwrap().to_owned();
            assert_eq!(first.headers().get(header::REFERRER_POLICY).unwrap(), "no-referrer");
            assert!(!next.contains(path.trim_start_matches("/decide/")), "the secret leaves the address");
            let cookie = first.response().cookies().next().unwrap().into_owned();
            let page = send(&house, TestRequest::get().uri(&next).cookie(cookie)).await;
            assert_eq!(page.status(), StatusCode::OK);
            assert_eq!(page.headers().get(header::CACHE_CONTROL).unwrap(), "no-store");
        }
    }
    let after = store::request::find(&house.app.store, request.id).await.unwrap().unwrap();
    assert_eq!((after.state, after.revision), (RequestState::AwaitingApproval, 1));
}

/// Opens the link of the first mail about a request: the page's address, its cookie, and the page.
pub async fn open_link(house: &House, request: &Request) -> (String, Cookie<'static>, String) {
    let mails = store::mail::of_request(&house.app.store, request.id).await.unwrap();
    let at = mails[0].text.find("/decide/").unwrap();
    let path = mails[0].text[at..].split_whitespace().next().unwrap();
    let first = send(house, TestRequest::get().uri(path)).await;
    let to = first.headers().get(header::LOCATION).unwrap().to_str().unwrap().to_owned();
    let held = first.response().cookies().next().unwrap().into_owned();
    let page = read_body(send(house, TestRequest::get().uri(&to).cookie(held.clone())).await).await;
    (to, held, String::from_utf8(page.to_vec()).unwrap())
}

#[actix_web::test]
async fn a_phone_that_says_no_origin_decides_by_its_link_and_nobody_else_does() {
    let house = house().await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let (to, held, page) = open_link(&house, &request).await;
    let proof = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let answer = |origin: &str, csrf: &str| {
        let form = TestRequest::post().uri(&to).cookie(held.clone()).insert_header(("Origin", origin));
        form.set_form([("csrf", csrf), ("answer", "approve"), ("reason", "")])
    };
    let state = || async { store::request::find(&house.app.store, request.id).await.unwrap().unwrap().state };

    for (origin, csrf) in [("null", ""), ("null", "guessed"), ("null", held.value()), ("http://evil.example", proof)] {
        let status = send(&house, answer(origin, csrf)).await.status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{origin} {csrf}");
    }
    let other_page = TestRequest::post().uri("/sign-in").insert_header(("Origin", "null"));
    let other_page = other_page.set_form([("email", "a@example.org"), ("password", "x"), ("csrf", proof)]);
    assert_eq!(send(&house, other_page).await.status(), StatusCode::FORBIDDEN, "links alone prove themselves");
    assert_eq!(state().await, RequestState::AwaitingApproval);

    assert_eq!(send(&house, answer("null", proof)).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(state().await, RequestState::Approved);
}

#[actix_web::test]
async fn what_is_too_large_or_no_text_is_refused_clearly() {
    let house = house().await;
    let ours = ("Sec-Fetch-Site", "same-origin");
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let large = format!("email={}&password=x", "a".repeat(10 * 1024 * 1024));
    let large = TestRequest::post().uri("/sign-in").insert_header(ours).insert_header(kind).set_payload(large);
    assert_eq!(send(&house, large).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    for broken in [&b"email=%FF&password=x"[..], b"email=\xFF&password=x", b"email=%ED%A0%80&password=x"] {
        let request = TestRequest::post().uri("/sign-in").insert_header(ours).insert_header(kind);
        let response = send(&house, request.set_payload(broken.to_vec())).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let body = read_body(response).await;
        assert!(String::from_utf8_lossy(&body).contains("not UTF-8"), "it says why");
    }
}

#[actix_web::test]
async fn a_zero_byte_is_refused_at_every_door_before_a_database_meets_it() {
    let house = house().await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let ours = ("Sec-Fetch-Site", "same-origin");
    let token = crate::api::token(&house, "rita@example.org", crate::api::ALL).await;
    let bearer = ("Authorization", format!("Bearer {token}"));
    let asked = [
        TestRequest::get().uri("/sign-in?next=%00"),
        TestRequest::post().uri("/sign-in").insert_header(ours).insert_header(form).set_payload("email=%00&password=x"),
        TestRequest::post().uri("/sign-in").insert_header(ours).insert_header(form).set_payload("email=\0&password=x"),
        TestRequest::get().uri("/api/v1/requests?q=%00").insert_header(bearer.clone()),
        TestRequest::post().uri("/api/v1/requests").insert_header(bearer).set_json(json!({ "reason": "a\0b" })),
    ];
    for (door, request) in asked.into_iter().enumerate() {
        let answer = send(&house, request).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "door {door}");
        assert!(String::from_utf8_lossy(&read_body(answer).await).contains("zero byte"), "door {door} says why");
    }
}

#[actix_web::test]
async fn from_a_form_that_was_refused_the_project_switch_leads_back_to_its_page() {
    let house = house().await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let otto = session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await);
    let (asked, made) = (format!("/requests/{}", request.id), format!("/deployments/{}", request.deployment));
    for (address, page) in [
        (format!("{asked}/withdraw"), asked.as_str()),
        (format!("{made}/prolong"), &made),
        (format!("/operations/runs/{}", request.id), "/operations"),
        ("/operations/datacenter/pace".to_owned(), "/operations/datacenter"),
        ("/account/absence/end".to_owned(), "/account/absence"),
        ("/project".to_owned(), "/"),
    ] {
        let refused = send(&house, form(&address, &[("csrf", "wrong")]).cookie(otto.clone())).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{address}");
        let shown = String::from_utf8(read_body(refused).await.to_vec()).unwrap();
        assert!(shown.contains(&format!("name=\"here\" value=\"{page}\"")), "{address}: {shown}");
        let read = send(&house, TestRequest::get().uri(page).cookie(otto.clone())).await.status();
        assert!(read.is_success() || read.is_redirection(), "{page}: {read}");
    }
}

#[actix_web::test]
async fn every_page_bears_the_headers_that_keep_it_safe() {
    let house = house().await;
    let cookie = rita(&house).await;
    for path in ["/sign-in", "/requests", "/approvals", "/no-such-page", "/decide/nothing"] {
        let response = send(&house, TestRequest::get().uri(path).cookie(cookie.clone())).await;
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let policy = header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{path}");
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(header("cache-control").as_deref(), Some("no-store"), "{path}");
    }
}

#[actix_web::test]
async fn another_tenants_addresses_are_not_there() {
    let house = house().await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let approval = store::approval::of_request(&house.app.store, request.id).await.unwrap()[0].id;
    let carlo = session(&sign_in(&house, "carlo@example.org", "carlo-sees-his-own").await);
    for path in [format!("/requests/{}", request.id), format!("/approvals/{approval}")] {
        let response = send(&house, TestRequest::get().uri(&path).cookie(carlo.clone())).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let list = send(&house, TestRequest::get().uri("/requests?whose=all").cookie(carlo)).await;
    assert!(!String::from_utf8_lossy(&read_body(list).await).contains("R-1"));
}

#[actix_web::test]
async fn what_takes_too_long_is_answered_with_a_page_and_every_header() {
    let house = house().await;
    let cookie = rita(&house).await;
    let request = TestRequest::get().uri("/requests").cookie(cookie);
    let ended = send_within(&house, Duration::ZERO, request).await.expect_err("no answer is that fast");
    let answer = ended.error_response();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert!(header("content-type").is_some_and(|is| is.starts_with("text/html")));
    assert!(header("content-security-policy").is_some_and(|is| is.contains("default-src 'none'")));
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    let body = to_bytes(answer.into_body()).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("This took longer than 0 seconds"));
}

#[actix_web::test]
async fn where_a_policy_wants_a_sign_in_the_link_shows_the_question_and_decides_nothing() {
    let house = house().await;
    let asks = "    approvers: group:application-owners\n";
    let text = include_str!("../../workflows/scale-out-tomcat.yaml")
        .replacen("version: 1.1.0", "version: 1.2.0", 1)
        .replacen(asks, &format!("{asks}    confirm: sign_in\n"), 1);
    house.offer("scale-out-tomcat.yaml", &text).await;
    let requester = house.person("Rita").await;
    let request = house.order(&requester, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let state = || async { store::request::find(&house.app.store, request.id).await.unwrap().unwrap().state };

    let mails = store::mail::of_request(&house.app.store, request.id).await.unwrap();
    let at = mails[0].text.find("/decide/").unwrap();
    let path = mails[0].text[at..].split_whitespace().next().unwrap();
    let first = send(&house, TestRequest::get().uri(path)).await;
    let to = first.headers().get(header::LOCATION).unwrap().to_str().unwrap().to_owned();
    let held = first.response().cookies().next().unwrap().into_owned();
    let page = read_body(send(&house, TestRequest::get().uri(&to).cookie(held.clone())).await).await;
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("This decision takes signing in") && !page.contains("name=\"answer\""), "{page}");
    let proof = app::secret::derive("form of a link", held.value());
    let yes = [("csrf", proof.as_str()), ("answer", "approve"), ("reason", "")];
    let yes = send(&house, form(&to, &yes).cookie(held)).await;
    assert_eq!(yes.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(state().await, RequestState::AwaitingApproval);

    let adam = session(&sign_in(&house, "adam@example.org", "adam-decides-orders").await);
    let token = app::session::resume(&house.app, adam.value()).await.unwrap().expect("signed in").csrf;
    let approval = store::approval::of_request(&house.app.store, request.id).await.unwrap()[0].id;
    let fields = [("csrf", token.as_str()), ("answer", "approve"), ("reason", "")];
    let yes = send(&house, form(&format!("/approvals/{approval}"), &fields).cookie(adam)).await;
    assert_eq!(yes.status(), StatusCode::SEE_OTHER);
    assert_eq!(state().await, RequestState::Approved);
}

#[actix_web::test]
async fn ordering_again_fills_the_form_with_what_was_ordered() {
    let house = house().await;
    let requester = house.person("Rita").await;
    let parameters = json!({ "application": "lantern", "nodes": 5, "size": "large" });
    let before = house.order(&requester, "scale-out-tomcat", parameters).await;
    let path = format!("/catalog/scale-out-tomcat?copy={}", before.id);
    let response = send(&house, TestRequest::get().uri(&path).cookie(rita(&house).await)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let page = String::from_utf8(read_body(response).await.to_vec()).unwrap();
    for filled in ["value=\"lantern\"", "value=\"5\"", "value=\"large\" checked"] {
        assert!(page.contains(filled), "the form lacks {filled}");
    }
    let carlo = session(&sign_in(&house, "carlo@example.org", "carlo-sees-his-own").await);
    let theirs = send(&house, TestRequest::get().uri(&path).cookie(carlo)).await;
    assert_eq!(theirs.status(), StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_new_password_and_a_closed_account_end_every_token() {
    let house = house().await;
    let (adam, ada) = (house.person("Adam").await, house.person("Ada Ad").await);
    for change in [Change::Password("a-new-password-of-adam".into()), Change::Disable] {
        let wanted = NewToken { name: "ci".into(), scopes: vec![TokenScope::Read], days: 30 };
        let (_, secret) = create(&house.app, &adam, Actor::person(&adam, "portal"), wanted).await.unwrap();
        assert!(app::token::resume(&house.app, &secret).await.unwrap().is_some());
        app::person::change(&house.app, &ada, adam.person, change).await.unwrap();
        assert!(app::token::resume(&house.app, &secret).await.unwrap().is_none());
    }
    // Opened again, the account has no old keys.
    app::person::change(&house.app, &ada, adam.person, Change::Enable).await.unwrap();
    let tokens = app::token::list(&house.app, &adam).await.unwrap();
    assert!(tokens.len() == 2 && tokens.iter().all(|token| token.revoked_at.is_some()));
}
