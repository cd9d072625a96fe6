//! The audit report at the door: page, CSV and JSON say the same, and of another tenant they say nothing.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, read_body};
use calamine::{Reader, Xlsx};
use domain::ci::{Cause, CiChange, CiClass};
use domain::request::Request;
use providers::clock::{ManualClock, SystemClock};
use serde_json::{Value, json};

use crate::door::{form, send, session, sign_in};
use crate::house::House;
use crate::requests::csrf;

/// What somebody gets at this address.
async fn read(house: &House, who: &Cookie<'static>, path: &str) -> String {
    let response = send(house, TestRequest::get().uri(path).cookie(who.clone())).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    String::from_utf8(read_body(response).await.to_vec()).unwrap()
}

async fn report(house: &House, who: &Cookie<'static>) -> Value {
    serde_json::from_str(&read(house, who, "/audit/report.json").await).unwrap()
}

#[actix_web::test]
async fn page_csv_and_json_tell_the_same_cis_and_findings_and_nothing_of_another_tenant() {
    // The clock stands still, so all three are of one instant.
    let house = House::asleep(Arc::new(ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap()))).await;
    app::sample::fill(&house.app, 9, |_| {}).await.unwrap();
    let rita = session(&sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    let carlo = session(&sign_in(&house, "carlo@example.org", "carlo-sees-his-own").await);

    let json = report(&house, &rita).await;
    let figures = &json["figures"];
    let rows = json["rows"].as_array().unwrap();
    assert!(!rows.is_empty(), "there is something to tell");
    assert_eq!(rows.len() as u64, figures["total"].as_u64().unwrap());
    let with_findings = rows.iter().filter(|row| row["findings"] != Value::Array(Vec::new())).count();

    let page = read(&house, &rita, "/audit").await;
    for sentence in [
        format!("{} current CIs, {} retired", figures["current"], figures["retired"]),
        format!("{} CIs without findings, {} with.", figures["sound"], figures["with_findings"]),
        json["about"]["sha256"].as_str().unwrap().to_owned(),
    ] {
        assert!(page.contains(&sentence), "the page does not say: {sentence}");
    }
    assert_eq!(with_findings as u64, figures["with_findings"].as_u64().unwrap());

    let csv = read(&house, &rita, "/audit/report.csv").await;
    assert_eq!(csv.lines().filter(|line| line.starts_with("ci,")).count(), rows.len());
    for row in rows {
        let id = row["ci"]["id"].as_str().unwrap();
        let line = csv.lines().find(|line| line.contains(id)).expect("each CI has its line");
        for finding in row["findings"].as_array().unwrap() {
            assert!(line.contains(finding["kind"].as_str().unwrap()), "{line}");
        }
    }

    let theirs = report(&house, &carlo).await;
    assert!(theirs["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "Contoso has CIs of its own");
    let (page, csv) = (read(&house, &carlo, "/audit").await, read(&house, &carlo, "/audit/report.csv").await);
    for id in rows.iter().map(|row| row["ci"]["id"].as_str().unwrap()) {
        let seen = [theirs.to_string(), page.clone(), csv.clone()].iter().any(|text| text.contains(id));
        assert!(!seen, "Carlo sees {id}");
    }
}

/// The rows of a sheet, without its head.
fn sheet(workbook: &mut Xlsx<Cursor<Vec<u8>>>, name: &str) -> Vec<Vec<String>> {
    let range = workbook.worksheet_range(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    range.rows().skip(1).map(|row| row.iter().map(ToString::to_string).collect()).collect()
}

#[actix_web::test]
async fn xlsx_and_pdf_carry_the_numbers_of_the_report() {
    let clock = Arc::new(ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap()));
    let house = House::asleep(clock.clone()).await;
    app::sample::fill(&house.app, 9, |_| {}).await.unwrap();
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    for name in ["Engine of tools-1", "Engine of tools-2"] {
        engine(&house, &request, name).await;
    }
    // Leases end, and container hosts are silent.
    clock.wind(chrono::TimeDelta::days(400));
    let audrey = session(&sign_in(&house, "audrey@example.org", "audrey-reads-it-all").await);
    let json = report(&house, &audrey).await;
    let file = async |path: &str| {
        let response = send(&house, TestRequest::get().uri(path).cookie(audrey.clone())).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        read_body(response).await.to_vec()
    };

    let mut workbook = Xlsx::new(Cursor::new(file("/audit/report.xlsx").await)).expect("a workbook");
    let rows = json["rows"].as_array().unwrap();
    let cis = sheet(&mut workbook, "CIs");
    let ids = |rows: Vec<String>| rows.into_iter().collect::<BTreeSet<_>>();
    let listed = ids(cis.iter().map(|cells| cells[1].clone()).collect());
    assert_eq!(listed, ids(rows.iter().map(|row| row["ci"]["id"].as_str().unwrap().to_owned()).collect()));
    let findings: usize = rows.iter().map(|row| row["findings"].as_array().unwrap().len()).sum();
    assert!(findings > 0);
    assert_eq!(sheet(&mut workbook, "Findings").len(), findings);
    let figures = &json["figures"];
    for (row, figure) in sheet(&mut workbook, "Control totals").iter().zip(["total", "current", "retired", "sound"]) {
        assert_eq!(row[1], figures[figure].to_string(), "{}", row[0]);
    }
    for row in sheet(&mut workbook, "Findings by kind") {
        let of_kind = |kind: &str| domain::finding::FindingKind::from_word(kind).is_some_and(|it| it.title() == row[0]);
        let counted = figures["findings"].as_object().unwrap().iter().find(|(kind, _)| of_kind(kind)).unwrap().1;
        assert_eq!(row[2], counted.to_string(), "{}", row[0]);
    }

    assert!(file("/audit/report.pdf").await.starts_with(b"%PDF-"));

    // The page begins with what really runs where, in the rows of the workbook.
    let page = read(&house, &audrey, "/audit").await;
    let (truth, rest) = page.split_once("id=\"truth\"").unwrap().1.split_once("</section>").unwrap();
    assert!(rest.contains("Is it complete?"), "what really runs where comes first");
    let (engines, workloads) = (sheet(&mut workbook, "Container engines"), sheet(&mut workbook, "Workloads"));
    let blind = engines.iter().filter(|row| row[1] == "Blind").count();
    let sentence = format!("{blind} of {} container engines are blind", engines.len());
    assert!(blind > 1 && truth.contains(&sentence), "{sentence}: {truth}");
    assert_eq!(json["container_hosts"].as_array().unwrap().len(), engines.len());
    assert_eq!(json["containers"].as_array().unwrap().len(), workloads.len());
    // When an engine told everything is said by the page as people say times.
    let but_times = |mut row: Vec<String>| {
        row.remove(2);
        row
    };
    let told: Vec<_> = engines.into_iter().map(but_times).chain(workloads).collect();
    let shown: Vec<_> = rows_in(truth).map(|row| if row.len() == 6 { but_times(row) } else { row }).collect();
    assert_eq!(shown, told);
}

/// A container engine of the request's deployment, which told nothing yet.
async fn engine(house: &House, request: &Request, name: &str) {
    let engine = CiChange::Declare {
        key: name.to_owned(),
        class: CiClass::ContainerEngine,
        name: name.to_owned(),
        attributes: serde_json::Map::new(),
    };
    let tx = house.app.store.begin().await.unwrap();
    store::ci::apply(&tx, &[engine], &house.cause(request)).await.unwrap();
    tx.commit().await.unwrap();
}

/// The words of each row of a page's tables.
fn rows_in(page: &str) -> impl Iterator<Item = Vec<String>> {
    let rows = page.split("<tr>").filter(|row| row.starts_with("<th scope=\"row\""));
    rows.map(|row| row.split("data-label=").map(words_of).collect())
}

/// The words of a piece of a page, without what stands in its tags; the piece may begin within one.
fn words_of(piece: &str) -> String {
    let inner = if piece.starts_with('<') { piece } else { piece.split_once('>').map_or("", |(_, inner)| inner) };
    let (first, tags) = inner.split_once('<').unwrap_or((inner, ""));
    // What is not closed here is the beginning of the next cell.
    let within = tags.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text);
    let text: String = std::iter::once(first).chain(within).collect();
    text.trim().to_owned()
}

#[actix_web::test]
async fn of_many_who_ask_for_the_report_at_once_all_but_the_first_share_one() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    app::sample::fill(&house.app, 9, |_| {}).await.unwrap();
    let audrey = house.person("Audrey").await;
    let compile = || app::audit_report::compile(&house.app, &audrey, None);
    let before = house.app.store.reads();
    compile().await.unwrap();
    let alone = house.app.store.reads() - before;

    let reports = futures::future::join_all((0..12).map(|_| compile())).await;
    let instants: BTreeSet<_> = reports.into_iter().map(|report| report.unwrap().figures.as_of).collect();
    assert_eq!(instants.len(), 2, "one for the first, one for those who waited");
    assert_eq!(house.app.store.reads() - before, 3 * alone);
}

/// A machine of the request's deployment, as a step of its run would tell the CMDB.
async fn record(house: &House, request: &Request, name: &str) {
    let machine = CiChange::Declare {
        key: format!("{name}/machine"),
        class: CiClass::VirtualMachine,
        name: name.to_owned(),
        attributes: serde_json::Map::new(),
    };
    let cause = Cause { application: Some("dev-shop".into()), ..house.cause(request) };
    let tx = house.app.store.begin().await.unwrap();
    store::ci::apply(&tx, &[machine], &cause).await.unwrap();
    tx.commit().await.unwrap();
}

/// The row of the page's table that tells of this CI.
fn row_of<'a>(page: &'a str, name: &str) -> &'a str {
    let table = page.split_once("What exists, CI by CI").expect("the page lists what exists").1;
    table.split("<tr>").find(|row| row.contains(&format!(">{name}</a>"))).expect(name)
}

#[actix_web::test]
async fn a_row_of_what_exists_leads_to_the_ci_and_its_order_and_says_who_approved_or_that_nobody_had_to() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let small = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    let dear = house.order(&rita, "linux-vm", json!({ "application": "books", "environment": "production" })).await;
    house.approve("Adam").await;
    record(&house, &small, "tools-1").await;
    record(&house, &dear, "books-1").await;
    let audrey = session(&sign_in(&house, "audrey@example.org", "audrey-reads-it-all").await);

    let page = read(&house, &audrey, "/audit").await;
    let json = report(&house, &audrey).await;
    let csv = read(&house, &audrey, "/audit/report.csv").await;
    for (name, request, needless, on_page, in_csv) in [
        ("tools-1", &small, true, "No approval needed", "no approval needed"),
        ("books-1", &dear, false, "Adam", "Adam"),
    ] {
        let told = json["rows"].as_array().unwrap().iter().find(|row| row["ci"]["name"] == name).unwrap();
        assert_eq!(told["origin"]["no_approval_needed"], needless, "{told}");
        let ci = format!("href=\"/cmdb/{}\"", told["ci"]["id"].as_str().unwrap());
        let order = format!("href=\"/requests/{}\">R-{}</a> by Rita", request.id, request.number);
        let row = row_of(&page, name);
        for part in [ci.as_str(), &order, on_page, "ops-platform", "dev-shop"] {
            assert!(row.contains(part), "{name}'s row does not say {part}: {row}");
        }
        let line = csv.lines().find(|line| line.contains(name)).unwrap();
        assert!(line.contains(in_csv), "{line}");
        let listed = json["orders"].as_array().unwrap().iter().find(|it| it["request"] == request.number).unwrap();
        assert_eq!(listed["no_approval_needed"], needless, "{listed}");
    }
    let orders = page.split_once("Orders\"").unwrap().1.split_once("</table>").unwrap().0;
    assert!(orders.contains("No approval needed") && !orders.contains("Nobody"), "{orders}");
}

#[actix_web::test]
async fn what_exists_goes_on_page_by_page_to_its_end_and_never_shows_another_tenant() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    app::sample::fill(&house.app, 30, |_| {}).await.unwrap();
    let rita = session(&sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    let carlo = session(&sign_in(&house, "carlo@example.org", "carlo-sees-his-own").await);
    let ids = |json: &Value| -> BTreeSet<String> {
        json["rows"].as_array().unwrap().iter().map(|row| row["ci"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let (own, theirs) = (ids(&report(&house, &rita).await), ids(&report(&house, &carlo).await));

    let (mut seen, mut address, mut pages) = (BTreeSet::new(), Some("/audit".to_owned()), 0);
    while let Some(place) = address {
        let page = read(&house, &rita, &place).await;
        let shown = listed(&page);
        assert!(!shown.is_empty() && shown.len() <= 25, "{place} lists {}", shown.len());
        assert!(shown.is_disjoint(&seen), "{place} repeats what was shown");
        seen.extend(shown);
        pages += 1;
        address = next(&page);
        assert!(pages == 1 || page.contains("From the start"), "{place}");
        assert!(address.as_ref().is_none_or(|next| next.contains("as_of=20")), "the pages are of one instant");
    }
    assert!(pages > 2, "there is more than a page to tell");
    assert_eq!(seen, own);

    let last = theirs.iter().next_back().unwrap();
    let sneaked = listed(&read(&house, &rita, &format!("/audit/population?after={last}")).await);
    assert!(sneaked.is_disjoint(&theirs), "a foreign CI in the address shows nothing of its tenant");
    let wrong = TestRequest::get().uri("/audit/population?after=nothing").cookie(rita);
    assert_eq!(send(&house, wrong).await.status(), StatusCode::BAD_REQUEST);
}

/// The CIs in the page's table of what exists.
fn listed(page: &str) -> BTreeSet<String> {
    let Some((_, table)) = page.split_once("What exists, CI by CI") else { return BTreeSet::new() };
    let links = table.split("href=\"/cmdb/").skip(1);
    links.filter_map(|link| link.split_once('"')).map(|(id, _)| id.to_owned()).collect()
}

/// Where the page's Next leads.
fn next(page: &str) -> Option<String> {
    let (_, link) = page.split_once("rel=\"next\" href=\"")?;
    Some(link.split_once('"')?.0.replace("&#38;", "&").replace("&amp;", "&"))
}

/// What somebody is answered who files the report.
async fn file(house: &House, who: &Cookie<'static>) -> ServiceResponse {
    let page = read(house, who, "/audit").await;
    send(house, form("/audit/filed", &[("csrf", &csrf(&page))]).cookie(who.clone())).await
}

#[actix_web::test]
async fn an_auditor_files_the_report_and_its_page_and_files_say_later_what_they_said_then() {
    let clock = Arc::new(ManualClock::at("2026-11-23T10:00:00Z".parse().unwrap()));
    let house = House::asleep(clock.clone()).await;
    app::sample::fill(&house.app, 9, |_| {}).await.unwrap();
    let audrey = session(&sign_in(&house, "audrey@example.org", "audrey-reads-it-all").await);
    let now = report(&house, &audrey).await;

    let response = file(&house, &audrey).await;
    assert_eq!(response.headers().get("location").unwrap(), "/audit/filed/1");
    clock.wind(chrono::TimeDelta::hours(1));

    let page = read(&house, &audrey, "/audit/filed/1").await;
    let filed: Value = serde_json::from_str(&read(&house, &audrey, "/audit/filed/1/report.json").await).unwrap();
    let csv = read(&house, &audrey, "/audit/filed/1/report.csv").await;
    assert_eq!(filed["figures"], now["figures"], "as it was on the day");
    assert_eq!(filed["rows"], now["rows"]);
    assert_eq!(filed["about"]["filed"]["number"], 1);
    assert_eq!(csv.lines().filter(|line| line.starts_with("ci,")).count(), filed["rows"].as_array().unwrap().len());
    let seal = filed["about"]["filed"]["hash"].as_str().unwrap();
    assert!(page.contains(seal) && page.contains(filed["about"]["sha256"].as_str().unwrap()));
    assert!(page.contains("2026-11-23"), "the page says of when it is");

    let next = "/audit/filed/1/population?from=25";
    assert!(page.contains(next), "the page leads to the rest of its population");
    let rest = read(&house, &audrey, next).await;
    let name = filed["rows"][25]["ci"]["name"].as_str().unwrap();
    assert!(rest.contains(&format!(">{name}</a>")), "{name}");
    assert!(read(&house, &audrey, "/audit/filed/1/proof").await.contains("It comes to the very same"));

    // A second one shows how the figures went.
    file(&house, &audrey).await;
    let list = read(&house, &audrey, "/audit/filed").await;
    assert!(list.contains("Report 1") && list.contains("Report 2") && list.contains("How it went"));

    let carlo = session(&sign_in(&house, "carlo@example.org", "carlo-sees-his-own").await);
    for path in ["/audit/filed", "/audit/filed/1", next, "/audit/filed/1/report.csv", "/audit/filed/1/proof"] {
        let response = send(&house, TestRequest::get().uri(path).cookie(carlo.clone())).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(file(&house, &carlo).await.status(), StatusCode::FORBIDDEN);
}
