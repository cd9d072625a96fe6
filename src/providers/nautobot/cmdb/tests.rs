//! Against a Nautobot of a few lines that keeps rows and refuses what the real one does, or answers badly when told to.

mod double;

use std::collections::BTreeMap;

use domain::ci::{Ci, CiClass, Lifecycle, Relation};
use domain::connector::Related;
use domain::ids::{CiId, ProjectId};
use domain::ports::cmdb_connector::Outcome;
use domain::ports::provider_error::ProviderErrorKind;

use self::double::Server;
use super::*;
use crate::clock::SystemClock;

pub(super) fn nautobot(url: &str, token: &str) -> NautobotCmdb {
    // Another test of this process may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = NautobotCmdbSettings {
        url: url.to_owned(),
        token: token.to_owned(),
        ca: None,
        cluster: "Gatehouse".to_owned(),
        namespace: "Global".to_owned(),
    };
    assert!(!format!("{settings:?}").contains(token), "a token never goes into a log");
    NautobotCmdb::new(settings, Arc::new(SystemClock)).expect("usable settings")
}

fn record(key: &str, class: CiClass, name: &str, attributes: Value) -> Record {
    let attributes: BTreeMap<String, Value> = serde_json::from_value(attributes).expect("an object");
    let ci = Ci {
        id: CiId(uuid::Uuid::nil()),
        key: key.to_owned(),
        class,
        name: name.to_owned(),
        lifecycle: Lifecycle::Operational,
        project: ProjectId(uuid::Uuid::nil()),
        deployment: None,
        platform: Some("ops-platform".to_owned()),
        application: Some("shop-team".to_owned()),
        gaps: Vec::new(),
        misfits: Vec::new(),
        created_at: DateTime::UNIX_EPOCH,
        changed_at: DateTime::UNIX_EPOCH,
        retired_at: None,
    };
    Record { ci, attributes, relations: Vec::new() }
}

/// A machine `name` with the key `d/name[1]`.
pub(super) fn machine(name: &str, cpu: i64, address: &str) -> Record {
    let attributes = json!({ "cpu": cpu, "memory_gb": 4, "disk_gb": 20, "address": address });
    record(&format!("d/{name}[1]"), CiClass::Server, name, attributes)
}

/// A Tomcat on the machine `name`.
pub(super) fn tomcat(name: &str) -> Record {
    let mut record =
        record(&format!("d/{name}[1]/tomcat"), CiClass::ApplicationServer, "Tomcat", json!({ "port": 8080 }));
    record.relations.push(Related {
        relation: Relation::RunsOn,
        key: format!("d/{name}[1]"),
        class: CiClass::Server,
        name: name.to_owned(),
    });
    record
}

pub(super) fn parcels(nautobot: &NautobotCmdb, records: &[Record]) -> Vec<Parcel> {
    let parcel = |record: &Record| Parcel {
        key: record.ci.key.clone(),
        class: record.ci.class,
        lifecycle: record.ci.lifecycle,
        revision: 1,
        native_id: None,
        payload: nautobot.render(record).expect("it has a place"),
    };
    records.iter().map(parcel).collect()
}

/// Delivers; what became of each, in the order of the records.
pub(super) async fn deliver(nautobot: &NautobotCmdb, records: &[Record]) -> Vec<Outcome> {
    let delivered = nautobot.deliver(&parcels(nautobot, records)).await;
    assert_eq!(delivered.broken, None);
    let mut outcomes: BTreeMap<String, Outcome> = delivered.outcomes.into_iter().collect();
    records.iter().map(|record| outcomes.remove(&record.ci.key).expect("it is judged")).collect()
}

/// All that they hold, by key.
pub(super) async fn held(nautobot: &NautobotCmdb) -> BTreeMap<String, Value> {
    let (mut found, mut from) = (BTreeMap::new(), None);
    loop {
        let page = nautobot.list(from.as_deref()).await.expect("a part");
        found.extend(page.held.into_iter().map(|held| (held.key, held.payload)));
        from = page.next;
        if from.is_none() {
            return found;
        }
    }
}

pub(super) fn rendered(nautobot: &NautobotCmdb, records: &[Record]) -> BTreeMap<String, Value> {
    parcels(nautobot, records).into_iter().map(|parcel| (parcel.key, parcel.payload)).collect()
}

pub(super) fn is_written(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Written { native_id: Some(_) })
}

fn is_unchanged(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unchanged { native_id: Some(_) })
}

fn failure(outcome: &Outcome) -> &Setback {
    match outcome {
        Outcome::Failed(setback) => setback,
        taken => panic!("it is taken: {taken:?}"),
    }
}

#[tokio::test]
async fn machines_come_with_addresses_and_services_and_a_second_delivery_writes_nothing() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    let records = [machine("shop-1", 2, "10.20.0.7"), machine("shop-2", 2, ""), tomcat("shop-1")];
    assert!(deliver(&nautobot, &records).await.iter().all(is_written));
    assert_eq!(held(&nautobot).await, rendered(&nautobot, &records), "what is read back compares");
    let writes = server.writes();
    assert!(deliver(&nautobot, &records).await.iter().all(is_unchanged));
    let anew = super::tests::nautobot(&server.url, "s3cret");
    assert!(deliver(&anew, &records).await.iter().all(is_unchanged), "all that it needs stands already");
    assert_eq!(server.writes(), writes);
}

#[tokio::test]
async fn what_is_new_is_written_and_nothing_else() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    deliver(&nautobot, &[machine("a", 2, "10.20.0.1"), machine("b", 2, "10.20.0.2")]).await;
    let writes = server.writes();
    let records = [machine("a", 2, "10.20.0.1"), machine("b", 4, "10.20.0.2")];
    let [same, grown] = &deliver(&nautobot, &records).await[..] else { panic!("two") };
    assert!(is_unchanged(same) && is_written(grown));
    assert_eq!(server.writes(), writes + 1);
    // Another address: the old one stays in the plan, and is tied to nothing.
    let moved = [machine("b", 4, "10.20.0.3")];
    assert!(deliver(&nautobot, &moved).await.iter().all(is_written));
    assert_eq!(server.rows("ipam/ip-address-to-interface/").len(), 2);
    assert_eq!(held(&nautobot).await["d/b[1]"], rendered(&nautobot, &moved)["d/b[1]"]);
}

#[tokio::test]
async fn a_machine_that_is_gone_gives_its_name_and_address_to_another() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    let mut gone = machine("a", 2, "10.20.0.1");
    deliver(&nautobot, std::slice::from_ref(&gone)).await;
    gone.ci.lifecycle = Lifecycle::Retired;
    let mut next = machine("a", 2, "10.20.0.1");
    next.ci.key = "d2/a[1]".to_owned();
    let records = [gone, next];
    for record in &records {
        assert!(deliver(&nautobot, std::slice::from_ref(record)).await.iter().all(is_written));
    }
    assert_eq!(held(&nautobot).await, rendered(&nautobot, &records));
    assert_eq!(held(&nautobot).await["d/a[1]"]["status"], "Decommissioning");
    assert_eq!(server.rows("ipam/ip-address-to-interface/").len(), 1);
}

#[tokio::test]
async fn who_is_not_taken_holds_up_nobody() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    server.put(MACHINES, json!({ "id": "theirs", "name": "b", "custom_fields": {} }));
    let records = [machine("a", 2, ""), machine("b", 2, ""), machine("c", 2, "10.99.0.1"), machine("d", 2, "")];
    let [a, b, c, d] = &deliver(&nautobot, &records).await[..] else { panic!("four") };
    assert!(is_written(a) && is_written(d));
    assert!(failure(b).error.what.contains("already exists") && failure(b).is_final(), "by its name none is adopted");
    assert!(failure(c).error.what.contains("No suitable parent Prefix for 10.99.0.1"), "{}", failure(c).error);
    assert_eq!(server.rows(MACHINES).len(), 3, "of a machine without its address nothing is written");
    // Of changes they do not say which is refused.
    let records = [machine("a", 99_999, ""), machine("d", 3, "")];
    let [a, d] = &deliver(&nautobot, &records).await[..] else { panic!("two") };
    assert!(failure(a).error.what.contains("vcpus") && is_written(d));
}

#[tokio::test]
async fn what_others_made_and_what_is_there_twice_is_left_alone() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    let address = json!({ "id": "ip", "host": "10.20.0.9", "address": "10.20.0.9/24", "custom_fields": {} });
    server.put("ipam/ip-addresses/", address);
    for id in ["x", "y"] {
        server.put(MACHINES, json!({ "id": id, "name": id, "custom_fields": { KEY: "d/twice[1]" } }));
    }
    deliver(&nautobot, &[machine("any", 1, "")]).await;
    let writes = server.writes();
    let records = [machine("a", 2, "10.20.0.9"), machine("twice", 2, "")];
    let [foreign, twice] = &deliver(&nautobot, &records).await[..] else { panic!("two") };
    assert_eq!((failure(foreign).code.as_str(), failure(foreign).is_final()), ("foreign_address", true));
    assert_eq!(failure(twice).code, "duplicate");
    assert!(failure(twice).error.what.contains("x, y"), "{}", failure(twice).error);
    assert_eq!(server.writes(), writes);
}

#[tokio::test]
async fn a_service_waits_for_its_machine() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    let [waits] = &deliver(&nautobot, &[tomcat("shop-1")]).await[..] else { panic!("one") };
    assert_eq!((failure(waits).code.as_str(), failure(waits).is_final()), ("no_machine", false));
    assert!(deliver(&nautobot, &[machine("shop-1", 2, ""), tomcat("shop-1")]).await.iter().all(is_written));
}

#[tokio::test]
async fn a_record_that_vanishes_while_it_is_changed_is_made_anew() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    deliver(&nautobot, &[machine("a", 2, "")]).await;
    server.loses_before_change();
    let [gone] = &deliver(&nautobot, &[machine("a", 3, "")]).await[..] else { panic!("one") };
    assert_eq!((failure(gone).code.as_str(), failure(gone).is_final()), ("vanished", false));
    assert!(deliver(&nautobot, &[machine("a", 3, "")]).await.iter().all(is_written));
}

#[tokio::test]
async fn an_answer_that_was_lost_makes_nothing_twice() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    deliver(&nautobot, &[machine("any", 2, "")]).await;
    let records = [machine("a", 2, "10.20.0.1")];
    for path in ["ipam/ip-addresses/", MACHINES, "virtualization/interfaces/", "ipam/ip-address-to-interface/"] {
        server.loses_answer("POST", path);
        let delivered = nautobot.deliver(&parcels(&nautobot, &records)).await;
        assert_eq!(delivered.broken.expect("nobody answers").code, "no_answer");
    }
    deliver(&nautobot, &records).await;
    assert_eq!(held(&nautobot).await["d/a[1]"], rendered(&nautobot, &records)["d/a[1]"]);
    assert_eq!(server.rows(MACHINES).len(), 2);
}

#[tokio::test]
async fn bad_answers_are_told_apart_and_make_no_dead_letter() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    deliver(&nautobot, &[machine("any", 2, "")]).await;
    for (answer, code, kind) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html>Sign in", "not_understood", ProviderErrorKind::Transient),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"results\": [", "no_answer", ProviderErrorKind::Transient),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"results\":1}",
            "not_understood",
            ProviderErrorKind::Transient,
        ),
        ("HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "http_429", ProviderErrorKind::Transient),
        ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "http_401", ProviderErrorKind::Refused),
        ("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "http_403", ProviderErrorKind::Refused),
        ("HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", "http_502", ProviderErrorKind::Transient),
    ] {
        for method in ["GET", "POST"] {
            server.answers(method, MACHINES, answer);
            let delivered = nautobot.deliver(&parcels(&nautobot, &[machine("a", 2, "")])).await;
            let broken = delivered.broken.expect("it is broken");
            assert_eq!((broken.code.as_str(), broken.error.kind), (code, kind), "{method} {answer}");
            assert_eq!(broken.retry_after, answer.contains("429").then(|| chrono::TimeDelta::seconds(7)));
            assert_eq!(delivered.outcomes, []);
        }
    }
}

#[tokio::test]
async fn parts_that_come_twice_or_hold_more_than_asked_for_are_seen_through() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    let records: Vec<Record> = (0..5).map(|n| machine(&format!("m-{n}"), 2, "")).collect();
    deliver(&nautobot, &records).await;
    server.put(MACHINES, json!({ "id": "theirs", "name": "theirs", "custom_fields": { KEY: null } }));
    server.pages_of(2);
    server.ignores_filters();
    assert_eq!(held(&nautobot).await, rendered(&nautobot, &records));
    assert!(deliver(&nautobot, &records).await.iter().all(is_unchanged));
    server.turns_in_circles();
    let circle = nautobot.list(None).await.expect_err("it comes twice");
    assert_eq!((circle.code.as_str(), circle.error.kind), ("same_page", ProviderErrorKind::Transient));
}

#[tokio::test]
async fn what_is_changed_by_hand_and_what_is_of_another_type_differs() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    let records = [machine("a", 2, "10.20.0.1")];
    deliver(&nautobot, &records).await;
    for (field, value) in
        [("vcpus", json!(8)), ("vcpus", json!("2")), ("primary_ip4", json!(null)), ("name", json!("z"))]
    {
        server.change(MACHINES, field, value);
        assert_ne!(held(&nautobot).await, rendered(&nautobot, &records), "{field}");
        assert!(deliver(&nautobot, &records).await.iter().all(is_written), "{field}");
        assert_eq!(held(&nautobot).await, rendered(&nautobot, &records), "{field}");
    }
}

#[tokio::test]
async fn a_custom_field_of_another_kind_is_told_and_left_alone() {
    let server = Server::start().await;
    let nautobot = nautobot(&server.url, "s3cret");
    let told = |lines: Vec<Line>| lines.into_iter().map(|line| line.told).collect::<Vec<_>>().join("\n");
    assert!(told(nautobot.survey(DateTime::UNIX_EPOCH).await.expect("it answers")).contains("made with the first CI"));
    let field = json!({ "id": "f", "key": KEY, "type": { "value": "integer" }, "content_types": [] });
    server.put("extras/custom-fields/", field);
    assert!(told(nautobot.survey(DateTime::UNIX_EPOCH).await.expect("it answers")).contains("holds no text"));
    assert_eq!(server.writes(), 0, "looking changes nothing");
    let delivered = nautobot.deliver(&parcels(&nautobot, &[machine("a", 2, "")])).await;
    assert_eq!(delivered.outcomes, []);
    assert_eq!(delivered.broken.expect("it is told").error.kind, ProviderErrorKind::Refused);
}
