//! Lists as people use them: found, narrowed, sorted, turned, taken along; and never a row of somebody else's.

use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::{StatusCode, header};
use actix_web::test::{TestRequest, read_body};
use chrono::TimeDelta;
use domain::ci::{CiChange, CiClass};
use domain::deployment::{Deployment, DeploymentState};
use domain::request::Request;
use providers::clock::SystemClock;
use serde_json::json;

use crate::api;
use crate::door::{send, session, sign_in};
use crate::house::House;

async fn rita(house: &House) -> Cookie<'static> {
    session(&sign_in(house, "rita@example.org", "rita-orders-machines").await)
}

async fn carlo(house: &House) -> Cookie<'static> {
    session(&sign_in(house, "carlo@example.org", "carlo-sees-his-own").await)
}

/// A page's status and text.
async fn visit(house: &House, who: &Cookie<'static>, address: &str) -> (StatusCode, String) {
    let response = send(house, TestRequest::get().uri(address).cookie(who.clone())).await;
    let status = response.status();
    (status, String::from_utf8(read_body(response).await.to_vec()).unwrap())
}

async fn text(house: &House, who: &Cookie<'static>, address: &str) -> String {
    let (status, text) = visit(house, who, address).await;
    assert_eq!(status, StatusCode::OK, "{address}");
    text
}

/// A house in which Rita ordered a machine called `tools`, and the CMDB knows it.
async fn house() -> (House, Request) {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let attributes = json!({ "fqdn": "tools-1.example.org", "address": "10.9.8.7", "cpu": 2, "memory_gb": 4 });
    let machine = CiChange::Declare {
        key: "tools/machine".into(),
        class: CiClass::VirtualMachine,
        name: "tools-1".into(),
        attributes: attributes.as_object().cloned().unwrap(),
    };
    let tx = house.app.store.begin().await.unwrap();
    store::ci::apply(&tx, &[machine], &house.cause(&request)).await.unwrap();
    tx.commit().await.unwrap();
    (house, request)
}

/// So many more deployments like the one that there is.
async fn more_deployments(house: &House, like: &Request, number: usize) {
    let tx = house.app.store.begin().await.unwrap();
    let one = store::deployment::find(&tx, like.deployment).await.unwrap().unwrap();
    for number in 0..number {
        let more = Deployment {
            id: store::fresh_id(),
            name: format!("more-{number:03}"),
            state: DeploymentState::Live,
            created_at: one.created_at + TimeDelta::seconds(1 + number as i64),
            ..one.clone()
        };
        store::deployment::insert(&tx, &more).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// The address of a link in a page, by its `rel`.
fn link(page: &str, rel: &str) -> String {
    let (_, after) =
        page.split_once(&format!("rel=\"{rel}\" href=\"")).unwrap_or_else(|| panic!("no {rel} on the page"));
    after.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

const LISTS: [&str; 4] = ["/requests?whose=all", "/deployments", "/runs", "/cmdb"];
const FILES: [&str; 4] = ["/requests.csv?whose=all", "/deployments.csv", "/runs.csv", "/cmdb/export.csv"];

#[actix_web::test]
async fn another_tenants_rows_show_in_no_list_and_no_file() {
    let (house, request) = house().await;
    let (rita, carlo) = (rita(&house).await, carlo(&house).await);
    for address in LISTS.iter().chain(&FILES) {
        let (hers, his) = (text(&house, &rita, address).await, text(&house, &carlo, address).await);
        let about = |text: &str| {
            text.contains("tools") || text.contains("Linux") || text.contains(&request.project.to_string())
        };
        assert!(about(&hers), "{address} shows Rita what is hers: {hers}");
        assert!(!about(&his), "{address} shows Carlo nothing of it: {his}");
    }
    for list in ["/deployments", "/cmdb"] {
        let hers = format!("{list}?project={}", request.project);
        assert!(text(&house, &rita, &hers).await.contains("tools"), "{hers}");
        assert!(!text(&house, &carlo, &hers).await.contains("tools"), "nor does naming her project show him {list}");
        let others = format!("{list}?project={}", store::fresh_id::<domain::ids::ProjectId>());
        assert!(!text(&house, &rita, &others).await.contains("tools"), "a list of another project is without hers");
    }
    let place = format!("/deployments?after={}", request.deployment);
    assert!(text(&house, &carlo, &place).await.contains("Nothing further"), "nor a place of hers");
}

#[actix_web::test]
async fn one_search_finds_every_noun_and_never_another_tenants() {
    let (house, request) = house().await;
    let (rita, carlo) = (rita(&house).await, carlo(&house).await);
    for (q, finds) in [
        ("linux", format!("/requests/{}", request.id)),
        ("TOOLS", format!("/deployments/{}", request.deployment)),
        ("10.9.8", "Configuration items".to_owned()),
        ("tools-te", "tools-1".to_owned()),
    ] {
        let address = format!("/search?q={q}");
        let page = text(&house, &rita, &address).await;
        assert!(page.contains(&finds), "{q} finds {finds}: {page}");
        let his = text(&house, &carlo, &address).await;
        assert!(his.contains("Nothing found") && !his.contains("tools-1"), "{q}: {his}");
    }
    let exact = TestRequest::get().uri("/search?q=r-1").cookie(rita.clone());
    let answer = send(&house, exact).await;
    let to = answer.headers().get(header::LOCATION).unwrap().to_str().unwrap();
    assert_eq!(to, format!("/requests/{}", request.id), "a number leads straight to its request");
    assert_eq!(visit(&house, &carlo, "/search?q=R-1").await.0, StatusCode::OK, "but not into another's");
    let ada = session(&sign_in(&house, "ada@example.org", "ada-manages-people").await);
    assert!(text(&house, &ada, "/search?q=carlo").await.contains("carlo@example.org"));
    assert!(
        !text(&house, &rita, "/search?q=carlo").await.contains("carlo@example.org"),
        "people are for administrators"
    );
}

#[actix_web::test]
async fn a_program_finds_a_request_by_its_number_and_a_machine_among_many_workloads() {
    let (house, request) = house().await;
    let workload = |number: usize| CiChange::Declare {
        key: format!("tools/workload/{number}"),
        class: CiClass::Workload,
        name: format!("tools-0{number}"),
        attributes: serde_json::Map::new(),
    };
    let workloads: Vec<CiChange> = (0..8).map(workload).collect();
    let tx = house.app.store.begin().await.unwrap();
    store::ci::apply(&tx, &workloads, &house.cause(&request)).await.unwrap();
    tx.commit().await.unwrap();
    let token = api::token(&house, "rita@example.org", api::READ).await;
    let found = async |q: &str, noun: &str| {
        let answer = api::get(&house, &token, &format!("/api/v1/search?q={q}")).await;
        let group = answer.body["groups"].as_array().unwrap().iter().find(|it| it["noun"] == noun).cloned();
        let items = group.map(|it| it["items"].as_array().unwrap().clone()).unwrap_or_default();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("r-1", "requests").await, ["R-1"]);
    assert_eq!(found("tools", "cis").await, ["tools-1"], "workloads take no place from it");
    assert_eq!(found("tools", "workloads").await.len(), 6);
    let carlo = api::token(&house, "carlo@example.org", api::READ).await;
    assert_eq!(api::get(&house, &carlo, "/api/v1/search?q=r-1").await.body["groups"], json!([]));
}

#[actix_web::test]
async fn a_machine_whose_lease_ended_says_so_on_its_page_and_an_engine_what_it_runs_on_its_deployments() {
    let (house, request) = house().await;
    let rita = rita(&house).await;
    let list = text(&house, &rita, "/cmdb").await;
    let machine = list.split("data-href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(!text(&house, &rita, &machine).await.contains("Expired but running"));
    let tx = house.app.store.begin().await.unwrap();
    let mut one = store::deployment::find(&tx, request.deployment).await.unwrap().unwrap();
    one.lease.until -= TimeDelta::days(400);
    store::deployment::update(&tx, &one).await.unwrap();
    let engine = CiChange::Declare {
        key: "tools/engine".into(),
        class: CiClass::ContainerEngine,
        name: "Engine of tools-1".into(),
        attributes: serde_json::Map::new(),
    };
    store::ci::apply(&tx, &[engine], &house.cause(&request)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(text(&house, &rita, &machine).await.contains("Expired but running"));
    let deployment = text(&house, &rita, &format!("/deployments/{}", request.deployment)).await;
    assert!(deployment.contains("What runs here"));
    assert!(deployment.contains("Not asked yet: ") && !deployment.contains("No container ran"), "nobody asked so far");
}

#[actix_web::test]
async fn a_list_turns_its_pages_forth_and_back_and_its_file_has_them_all() {
    let (house, request) = house().await;
    more_deployments(&house, &request, 600).await;
    let rita = rita(&house).await;
    let first = text(&house, &rita, "/deployments?sort=name").await;
    assert!(first.contains("25 of 601 deployments") && first.contains("more-000") && !first.contains("more-025"));
    let second = text(&house, &rita, &link(&first, "next")).await;
    assert!(second.contains("more-025") && !second.contains("more-024"));
    let back = text(&house, &rita, &link(&second, "prev")).await;
    assert!(back.contains("more-000") && !back.contains("more-025"));
    let newest = text(&house, &rita, "/deployments").await;
    assert!(newest.contains("aria-sort=\"descending\"") && newest.contains("more-599"));

    let file = text(&house, &rita, "/deployments.csv?sort=name").await;
    let names: Vec<&str> = file.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!((names.len(), names[0], names[599]), (601, "more-000", "more-599"));
    let few = text(&house, &rita, "/deployments.csv?q=MORE-01&state=live").await;
    assert_eq!(few.lines().count(), 1 + 10, "the file has what the filters leave: {few}");
}

#[actix_web::test]
async fn people_are_found_narrowed_and_taken_along_by_administrators_alone() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let ada = session(&sign_in(&house, "ada@example.org", "ada-manages-people").await);
    let page = text(&house, &ada, "/people?q=RITA").await;
    assert!(page.contains("1 account") && page.contains("rita@example.org") && !page.contains("adam@example.org"));
    let auditors = text(&house, &ada, "/people?role=auditor").await;
    assert!(auditors.contains("auditor everywhere") && !auditors.contains("rita@example.org"));
    assert!(text(&house, &ada, "/people?access=no").await.contains("Nothing fits"));
    let file = text(&house, &ada, "/people.csv?sort=-email").await;
    let emails: Vec<&str> = file.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
    assert!(emails.len() == 7 && emails.is_sorted_by(|one, other| one > other), "{file}");
    let rita = rita(&house).await;
    for address in ["/people", "/people.csv", "/people/new"] {
        assert_eq!(visit(&house, &rita, address).await.0, StatusCode::FORBIDDEN, "{address}");
    }
}

#[actix_web::test]
async fn what_a_list_can_not_read_is_named_and_nothing_else_is_lost() {
    let (house, _) = house().await;
    let rita = rita(&house).await;
    for (address, named) in [
        ("/requests?q=linux&sort=colour", "sorted by `colour`"),
        ("/requests?q=linux&state=odd", "no state `odd`"),
        ("/requests?q=linux&size=7", "not `7`"),
        ("/requests?q=linux&col=mast", "no column `mast`"),
        ("/requests?q=linux&after=tomorrow", "not whole"),
        ("/cmdb?q=tools&class=ship", "no class `ship`"),
    ] {
        let (status, page) = visit(&house, &rita, address).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
        assert!(page.contains(named), "{address} says {named}");
        assert!(page.contains("R-1") || page.contains("tools-1"), "{address} shows the rest of the list");
    }
    let (status, _) = visit(&house, &rita, "/requests.csv?state=odd").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a file has no place to say so");
    let (status, _) = visit(&house, &rita, "/deployments?q=%ff%fe").await;
    assert_eq!(status, StatusCode::OK, "broken letters are letters that nothing has");
}

#[actix_web::test]
async fn columns_and_rows_a_page_are_remembered_without_scripts() {
    let (house, request) = house().await;
    more_deployments(&house, &request, 30).await;
    let rita = rita(&house).await;
    let chosen = TestRequest::get().uri("/deployments?col=name&col=owner&size=50").cookie(rita.clone());
    let response = send(&house, chosen).await;
    let cookies: Vec<_> = response.response().cookies().map(Cookie::into_owned).collect();
    let remembered = cookies.into_iter().find(|cookie| cookie.name() == "list-deployments").unwrap();
    let later = TestRequest::get().uri("/deployments").cookie(rita.clone()).cookie(remembered);
    let page = String::from_utf8(read_body(send(&house, later).await).await.to_vec()).unwrap();
    assert!(page.contains("31 deployments") && page.contains("data-label=\"Ordered by\""));
    assert!(!page.contains("data-label=\"Lease ends\""));
    assert!(text(&house, &rita, "/deployments").await.contains("data-label=\"Lease ends\""), "elsewhere all are there");
}

#[actix_web::test]
async fn an_empty_list_says_what_to_do() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let carlo = carlo(&house).await;
    for address in LISTS {
        assert!(text(&house, &carlo, address).await.contains("Open the catalog") || address.contains('?'), "{address}");
    }
    assert!(text(&house, &carlo, "/deployments?q=nothing").await.contains("Show all"));
}

#[actix_web::test]
async fn a_page_costs_as_many_statements_for_many_rows_as_for_few() {
    let (house, request) = house().await;
    let rita = rita(&house).await;
    let cost = async |address: &str| {
        let before = house.app.store.reads();
        text(&house, &rita, address).await;
        house.app.store.reads() - before
    };
    more_deployments(&house, &request, 30).await;
    let mut few = Vec::new();
    for address in LISTS {
        few.push(cost(address).await);
    }
    let search = cost("/search?q=more").await;
    more_deployments(&house, &request, 300).await;
    let page = cost("/deployments?size=100").await;
    assert_eq!(page, few[1], "a list of 100 rows takes as many as one of 25");
    assert_eq!(cost("/search?q=more").await, search, "nor does what there is to find cost a search");
    for (address, few) in LISTS.iter().zip(few) {
        assert!(few <= 15, "{address} took {few} statements");
    }
    let file = TestRequest::get().uri("/cmdb/export.csv").cookie(rita.clone());
    let kind = send(&house, file).await.headers().get(header::CONTENT_TYPE).unwrap().to_str().unwrap().to_owned();
    assert!(kind.starts_with("text/csv"));
}
