//! The API as programs use it: what the document promises is what they get, and a token opens only what it may.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::App as Application;
use actix_web::cookie::Cookie;
use actix_web::http::{Method, StatusCode, header};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use app::token::NewToken;
use domain::deployment::DeploymentState;
use domain::token::TokenScope;
use providers::clock::SystemClock;
use serde_json::{Value, json};
use web::limits::Limits;
use web::metrics::Metrics;

use crate::house::House;

pub const READ: &[TokenScope] = &[TokenScope::Read];
pub const ALL: &[TokenScope] = &TokenScope::ALL;

/// An answer as a program sees it.
pub struct Answer {
    pub status: StatusCode,
    pub kind: String,
    pub allow: String,
    pub body: Value,
    link: Option<String>,
}

pub async fn token(house: &House, email: &str, scopes: &[TokenScope]) -> String {
    let wanted = NewToken { name: "story".to_owned(), scopes: scopes.to_vec(), days: 1 };
    app::token::create_from_command_line(&house.app, email, wanted).await.unwrap().1
}

pub async fn send(house: &House, request: TestRequest) -> Answer {
    let limits = Limits { time: Duration::from_secs(30) };
    let portal = Application::new().configure(web::configure(house.app.clone(), Metrics::default(), limits));
    let response = call_service(&init_service(portal).await, request.to_request()).await;
    let text = |name: header::HeaderName| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, kind, link) = (response.status(), text(header::CONTENT_TYPE).unwrap_or_default(), text(header::LINK));
    let allow = text(header::ALLOW).unwrap_or_default();
    let body = read_body(response).await;
    Answer { status, kind, allow, link, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}

pub fn with(token: &str, method: Method, path: &str) -> TestRequest {
    TestRequest::with_uri(path).method(method).insert_header((header::AUTHORIZATION, format!("Bearer {token}")))
}

pub async fn get(house: &House, token: &str, path: &str) -> Answer {
    send(house, with(token, Method::GET, path)).await
}

/// Posts a document; its key is new each time unless one is given.
pub async fn post(house: &House, token: &str, path: &str, body: Value, key: Option<&str>) -> Answer {
    let key = key.map_or_else(app::secret::fresh, str::to_owned);
    send(house, with(token, Method::POST, path).insert_header(("Idempotency-Key", key)).set_json(body)).await
}

pub async fn shop(house: &House, token: &str) -> String {
    let details = get(house, token, "/api/v1/catalog/scale-out-tomcat").await;
    let projects = details.body["projects"].as_array().unwrap().clone();
    projects.iter().find(|project| project["name"] == "shop").unwrap()["id"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn trying_again_with_the_same_key_orders_once() {
    let house = House::new().await;
    let rita = token(&house, "rita@example.org", ALL).await;
    let order = json!({
        "project": shop(&house, &rita).await,
        "blueprint": "scale-out-tomcat",
        "parameters": { "application": "shop" },
    });
    let first = post(&house, &rita, "/api/v1/requests", order.clone(), Some("the same key")).await;
    let again = post(&house, &rita, "/api/v1/requests", order.clone(), Some("the same key")).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.body["id"], again.body["id"]);
    let without = send(&house, with(&rita, Method::POST, "/api/v1/requests").set_json(order)).await;
    assert_eq!(without.body["errors"][0]["header"], "Idempotency-Key");
    house.close().await;
}

#[actix_web::test]
async fn every_mistake_of_a_body_is_pointed_at() {
    let house = House::new().await;
    let rita = token(&house, "rita@example.org", ALL).await;
    let shop = shop(&house, &rita).await;
    let pointers = async |body: Value| {
        let answer = post(&house, &rita, "/api/v1/requests", body, None).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
        assert_eq!(answer.kind, "application/problem+json");
        let errors = answer.body["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        pointers(json!({ "colour": "red", "lease_days": "long" })).await,
        ["/project", "/blueprint", "/lease_days", "/colour"]
    );
    let everything = json!({
        "blueprint": "scale-out-tomcat",
        "parameters": { "application": "shop", "nodes": 99, "nods": 2 },
        "reason": ["because"],
        "colour": "red",
    });
    let mut told = pointers(everything).await;
    told.sort();
    assert_eq!(told, ["/colour", "/parameters/nodes", "/parameters/nods", "/project", "/reason"]);
    let too_long = json!({ "project": shop, "blueprint": "scale-out-tomcat", "lease_days": 5_000,
        "parameters": { "application": "shop" } });
    assert_eq!(pointers(too_long).await, ["/lease_days"]);
    let mainframe = json!({ "blueprint": "mainframe", "parameters": {} });
    assert_eq!(pointers(mainframe).await, ["/project", "/blueprint"]);
    let parameters = json!({ "application": "shop", "nodes": 99, "nods": 2 });
    let order = json!({ "project": shop, "blueprint": "scale-out-tomcat", "parameters": parameters });
    let wrong: BTreeSet<String> = pointers(order).await.into_iter().collect();
    assert_eq!(wrong, BTreeSet::from(["/parameters/nods".to_owned(), "/parameters/nodes".to_owned()]));
    house.close().await;
}

#[actix_web::test]
async fn every_mistake_of_a_change_is_pointed_at() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = token(&house, "rita@example.org", ALL).await;
    let who = house.person("Rita").await;
    let request = house.order(&who, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let path = format!("/api/v1/requests/{}/change", request.id);
    let pointers = async |body: Value| {
        let answer = post(&house, &rita, &path, body, None).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
        let errors = answer.body["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let parameters = json!({ "application": "shop", "nodes": 99 });
    let too_long = "because ".repeat(300);
    let unread = json!({ "parameters": parameters, "lease_days": 400, "reason": too_long, "colour": "red" });
    assert_eq!(
        pointers(unread).await,
        set(&["/revision", "/parameters/nodes", "/lease_days", "/reason", "/colour"]),
        "what can't be read and what does not fit"
    );
    let read = json!({ "revision": 1, "parameters": parameters, "lease_days": 400, "reason": "" });
    assert_eq!(pointers(read).await, set(&["/parameters/nodes", "/lease_days"]));
    assert_eq!(pointers(json!({ "revision": 1 })).await, set(&["/parameters"]), "and nothing of what is not there");
}

#[actix_web::test]
async fn a_change_that_is_sent_again_is_made_once_even_when_it_was_decided_meanwhile() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = token(&house, "rita@example.org", ALL).await;
    let who = house.person("Rita").await;
    let request = house.order(&who, "scale-out-tomcat", json!({ "application": "shop", "nodes": 3 })).await;
    let path = format!("/api/v1/requests/{}/change", request.id);
    let change = async |nodes: u32, key: &str| {
        let terms = json!({ "revision": 1, "parameters": { "application": "shop", "nodes": nodes } });
        post(&house, &rita, &path, terms, Some(key)).await
    };
    assert_eq!(change(4, "change it once").await.status, StatusCode::OK);
    house.approve("Adam").await;
    let again = change(4, "change it once").await;
    assert_eq!((again.status, &again.body["revision"]), (StatusCode::OK, &json!(2)), "{}", again.body);
    assert_eq!(change(5, "change it once").await.status, StatusCode::UNPROCESSABLE_ENTITY, "the key was used");
    assert_eq!(change(5, "another change").await.status, StatusCode::CONFLICT, "it is decided");
}

#[actix_web::test]
async fn a_token_opens_what_its_scopes_say_and_a_cookie_opens_nothing() {
    let house = House::new().await;
    let reader = token(&house, "rita@example.org", READ).await;
    assert_eq!(get(&house, &reader, "/api/v1/requests").await.status, StatusCode::OK);
    let order = post(&house, &reader, "/api/v1/requests", json!({}), None).await;
    assert_eq!(order.status, StatusCode::FORBIDDEN);
    assert!(order.body["detail"].as_str().unwrap().contains("`order`"), "{}", order.body);

    let session = app::session::sign_in(&house.app, "rita@example.org", "rita-orders-machines", "test").await.unwrap();
    let cookie = TestRequest::with_uri("/api/v1/requests").cookie(Cookie::new("gatehouse", session));
    assert_eq!(send(&house, cookie).await.status, StatusCode::UNAUTHORIZED);

    let wanted = NewToken { name: "short".to_owned(), scopes: READ.to_vec(), days: 1 };
    let (known, secret) = app::token::create_from_command_line(&house.app, "rita@example.org", wanted).await.unwrap();
    app::token::revoke_from_command_line(&house.app, "rita@example.org", known.id).await.unwrap();
    assert_eq!(get(&house, &secret, "/api/v1/requests").await.status, StatusCode::UNAUTHORIZED);
    house.close().await;
}

#[actix_web::test]
async fn what_belongs_to_another_tenant_is_not_there() {
    let house = House::new().await;
    let rita = token(&house, "rita@example.org", ALL).await;
    let carlo = token(&house, "carlo@example.org", ALL).await;
    let who = house.person("Rita").await;
    let request = house.order(&who, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.approve("Adam").await;
    let deployment = house.when(&who, request.deployment, DeploymentState::Live).await;
    let (id, run) = (request.deployment, deployment.runs[0].id);
    let ci = get(&house, &rita, "/api/v1/cis").await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let question = store::approval::of_request(&house.app.store, request.id).await.unwrap()[0].id;

    let shop = shop(&house, &rita).await;
    for path in [
        format!("requests/{}", request.id),
        format!("runs/{run}"),
        format!("runs/{run}/events"),
        format!("deployments/{id}"),
        format!("cis/{ci}"),
        format!("projects/{shop}/quota"),
    ] {
        let path = format!("/api/v1/{path}");
        assert_eq!(get(&house, &rita, &path).await.status, StatusCode::OK, "{path}");
        assert_eq!(get(&house, &carlo, &path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let new = json!({ "project": shop, "blueprint": "linux-vm", "parameters": { "application": "x-y-z" } });
    for (path, body) in [
        ("requests".to_owned(), new),
        (format!("requests/{}/withdraw", request.id), json!({})),
        (format!("requests/{}/change", request.id), json!({ "revision": 1, "parameters": { "application": "mine" } })),
        (format!("runs/{run}/retry"), json!({ "step": "node" })),
        (format!("runs/{run}/cancel"), json!({ "wish": "stop", "reason": "because" })),
        (format!("deployments/{id}/prolong"), json!({ "days": 5 })),
        (format!("approvals/{question}/decision"), json!({ "decision": "approve" })),
        (format!("deployments/{id}/actions/scale"), json!({ "parameters": { "nodes": 3 } })),
        (format!("deployments/{id}/retire"), json!({})),
    ] {
        let answer = post(&house, &carlo, &format!("/api/v1/{path}"), body, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.body);
    }
    for list in ["requests", "deployments", "cis", "approvals", "runs"] {
        let answer = get(&house, &carlo, &format!("/api/v1/{list}")).await;
        assert_eq!(answer.body["items"], json!([]), "{list}");
    }
    let sought = "/api/v1/search?q=shop";
    assert_ne!(get(&house, &rita, sought).await.body["groups"], json!([]));
    assert_eq!(get(&house, &carlo, sought).await.body["groups"], json!([]));
    let report = get(&house, &carlo, "/api/v1/audit/report").await;
    assert_eq!(report.body["rows"], json!([]));
    house.close().await;
}

#[actix_web::test]
async fn a_ci_is_told_with_its_attributes_by_name() {
    let house = House::new().await;
    let rita = token(&house, "rita@example.org", READ).await;
    let who = house.person("Rita").await;
    let request = house.order(&who, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.approve("Adam").await;
    house.when(&who, request.deployment, DeploymentState::Live).await;

    let servers = get(&house, &rita, "/api/v1/cis?class=server").await.body;
    let server = format!("/api/v1/cis/{}", servers["items"][0]["id"].as_str().unwrap());
    let server = get(&house, &rita, &server).await.body;
    let fqdn = server["attributes"].as_array().unwrap().iter().find(|attribute| attribute["name"] == "fqdn").unwrap();
    assert_eq!(fqdn["title"], "Full name");
    assert!(fqdn["value"].as_str().unwrap().starts_with(server["name"].as_str().unwrap()), "{fqdn}");
    house.close().await;
}

#[actix_web::test]
async fn pages_of_a_list_follow_each_other_without_a_gap() {
    let house = House::new().await;
    let rita = token(&house, "rita@example.org", ALL).await;
    let who = house.person("Rita").await;
    for name in ["one", "two", "three", "four", "five"] {
        house.order(&who, "linux-vm", json!({ "application": name })).await;
    }
    let mut numbers = Vec::new();
    let mut next = Some("/api/v1/requests?limit=2".to_owned());
    while let Some(path) = next {
        let page = get(&house, &rita, &path).await;
        numbers.extend(page.body["items"].as_array().unwrap().iter().map(|item| item["number"].clone()));
        next = page.link.map(|link| link.trim_start_matches('<').split('>').next().unwrap().to_owned());
    }
    assert_eq!(numbers, ["R-1", "R-2", "R-3", "R-4", "R-5"]);
    for (wrong, parameter) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("after=zzz", "after"),
        ("stat=x", "stat"),
    ] {
        let answer = get(&house, &rita, &format!("/api/v1/requests?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", answer.body);
        assert_eq!(answer.body["errors"][0]["parameter"], parameter, "{wrong}");
    }
    let said = get(&house, &rita, "/api/v1/requests?limit=many").await.body["errors"][0]["detail"].clone();
    assert_eq!(said, "This has to be a whole number, 0 or more, and `many` is not.");
    house.close().await;
}

#[actix_web::test]
async fn what_is_no_json_is_refused_and_not_half_read() {
    let house = House::new().await;
    let rita = token(&house, "rita@example.org", ALL).await;
    let plan = "/api/v1/catalog/scale-out-tomcat/plan";
    for (status, kind, body) in [
        (StatusCode::BAD_REQUEST, "application/json", b"{\"project\": \"\xff\xfe\"}".to_vec()),
        (StatusCode::BAD_REQUEST, "application/json", b"{\"project\":".to_vec()),
        (StatusCode::BAD_REQUEST, "application/json", [b"[".repeat(10_000), b"]".repeat(10_000)].concat()),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "text/yaml", b"project: x".to_vec()),
    ] {
        let request = with(&rita, Method::POST, plan).insert_header((header::CONTENT_TYPE, kind)).set_payload(body);
        let answer = send(&house, request).await;
        assert_eq!((answer.status, answer.kind.as_str()), (status, "application/problem+json"));
    }
    let large = with(&rita, Method::POST, plan).set_json(json!({ "project": "x".repeat(10_000_000) }));
    let large = large.insert_header((header::CONTENT_LENGTH, "10000014"));
    assert_eq!(send(&house, large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    house.close().await;
}
