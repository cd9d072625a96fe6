//! Against the double of `tests/doubles/servicenow`, which keeps the vendor's rules.

use chrono::TimeDelta;
use domain::ci::{Ci, Lifecycle, Relation};
use domain::connector::Related;
use domain::ports::cmdb_connector::Held;
use domain::ports::provider_error::ProviderErrorKind;
use domain::ports::survey::Standing;
use serde_json::json;
use test_doubles::Fault;

use super::*;
use crate::clock::SystemClock;

fn settings(double: &test_doubles::ServiceNow) -> ServiceNowSettings {
    ServiceNowSettings {
        url: double.url.clone(),
        sign_in: SignIn::Client { id: "gatehouse".into(), secret: "let-me-in".into() },
        source: "Gatehouse".into(),
        feed: "cmdb".into(),
        classes: BTreeMap::new(),
        lifecycle: LifecycleFields::Status,
        platform: vec!["managed_by_group".into()],
        application: vec!["support_group".into()],
        leaves_out_unknown: false,
        ca: None,
    }
}

fn open(settings: ServiceNowSettings) -> ServiceNow {
    // Another test of this process may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ServiceNow::new(settings, Arc::new(SystemClock)).expect("usable settings")
}

async fn instance() -> (test_doubles::ServiceNow, ServiceNow) {
    let double = test_doubles::ServiceNow::start(&["ops-platform", "shop-team"]).await;
    let ours = open(settings(&double));
    (double, ours)
}

fn record(class: CiClass, key: &str, attributes: Value) -> Record {
    let ci = Ci {
        id: uuid::Uuid::from_u128(1).into(),
        key: key.into(),
        class,
        name: key.into(),
        lifecycle: Lifecycle::Operational,
        project: uuid::Uuid::from_u128(2).into(),
        deployment: None,
        platform: Some("ops-platform".into()),
        application: Some("shop-team".into()),
        gaps: Vec::new(),
        misfits: Vec::new(),
        created_at: DateTime::UNIX_EPOCH,
        changed_at: DateTime::UNIX_EPOCH,
        retired_at: None,
    };
    let attributes = attributes.as_object().cloned().unwrap_or_default().into_iter().collect();
    Record { ci, attributes, relations: Vec::new() }
}

fn server(key: &str) -> Record {
    record(CiClass::Server, key, json!({ "address": "10.0.0.7", "cpu": 2, "memory_gb": 4.5, "ignored": "x" }))
}

fn tomcat(key: &str, on: &str) -> Record {
    related(record(CiClass::ApplicationServer, key, json!({ "port": 8080 })), Relation::RunsOn, CiClass::Server, on)
}

fn related(mut record: Record, relation: Relation, class: CiClass, key: &str) -> Record {
    record.relations.push(Related { relation, key: key.into(), class, name: key.into() });
    record
}

fn parcels(ours: &ServiceNow, records: &[Record]) -> Vec<Parcel> {
    let parcel = |record: &Record| Parcel {
        key: record.ci.key.clone(),
        class: record.ci.class,
        lifecycle: record.ci.lifecycle,
        revision: 1,
        native_id: None,
        payload: ours.render(record).expect("it is carried"),
    };
    records.iter().map(parcel).collect()
}

async fn deliver(ours: &ServiceNow, records: &[Record]) -> HashMap<String, Outcome> {
    let delivered = ours.deliver(&parcels(ours, records)).await;
    assert_eq!(delivered.broken, None);
    delivered.outcomes.into_iter().collect()
}

/// What a delivery of one CI failed with.
async fn failure(ours: &ServiceNow, record: Record) -> Setback {
    let key = record.ci.key.clone();
    match deliver(ours, &[record]).await.remove(&key) {
        Some(Outcome::Failed(setback)) => setback,
        other => panic!("{key} should have failed: {other:?}"),
    }
}

async fn broken(ours: &ServiceNow) -> Setback {
    let delivered = ours.deliver(&parcels(ours, &[server("a")])).await;
    assert_eq!(delivered.outcomes, []);
    delivered.broken.expect("it is broken")
}

async fn held(ours: &ServiceNow) -> Vec<Held> {
    let page = ours.list(None).await.expect("it is listed");
    assert_eq!(page.next, None);
    page.held
}

#[tokio::test]
async fn what_was_delivered_is_read_back_the_same_and_the_second_delivery_changes_nothing() {
    let (double, ours) = instance().await;
    let machine = record(CiClass::VirtualMachine, "vm", json!({ "native_id": "vm-42", "memory_gb": 4 }));
    let engine =
        related(record(CiClass::ContainerEngine, "docker", json!({})), Relation::RunsOn, CiClass::Server, "srv");
    let workload = record(CiClass::Workload, "web", json!({ "image": "nginx", "digests": ["sha256:1"] }));
    let pool = record(CiClass::LoadBalancerService, "pool", json!({ "port": 443 }));
    let records = [
        related(server("srv"), Relation::Instantiates, CiClass::VirtualMachine, "vm"),
        machine,
        tomcat("tomcat", "srv"),
        engine,
        related(workload, Relation::RunsOn, CiClass::ContainerEngine, "docker"),
        related(record(CiClass::PoolMember, "m", json!({})), Relation::MemberOf, CiClass::LoadBalancerService, "pool"),
        pool,
    ];
    let first = deliver(&ours, &records).await;
    assert!(first.values().all(|it| matches!(it, Outcome::Written { native_id: Some(_) })), "{first:?}");
    let relations = double.relations();
    let expected = [
        "docker Manages::Managed by web",
        "docker Runs on::Runs srv",
        "pool Members::Member of pool: m",
        "srv Instantiates::Instantiated by vm",
        "tomcat Runs on::Runs srv",
    ];
    assert_eq!(relations, expected);
    let row = double.rows("cmdb_ci_linux_server").remove(0);
    assert_eq!((row["ram"].as_str(), row["install_status"].as_str(), row.get("ignored")), ("4608", "1", None));
    assert_eq!(row["managed_by_group"].len(), 32, "a reference is an id");

    let second = deliver(&ours, &records).await;
    assert!(second.values().all(|it| matches!(it, Outcome::Unchanged { native_id: Some(_) })), "{second:?}");
    assert_eq!(double.relations(), relations);
    let mut sent: Vec<(String, Value)> = parcels(&ours, &records).into_iter().map(|it| (it.key, it.payload)).collect();
    let mut read: Vec<(String, Value)> = held(&ours).await.into_iter().map(|it| (it.key, it.payload)).collect();
    sent.sort_by(|one, other| one.0.cmp(&other.0));
    read.sort_by(|one, other| one.0.cmp(&other.0));
    let written = |all: &[(String, Value)]| all.iter().map(|(key, it)| format!("{key} {it}")).collect::<Vec<String>>();
    assert_eq!(written(&read), written(&sent), "letter by letter, for fingerprints are compared");
}

#[tokio::test]
async fn a_renamed_ci_is_the_same_one_and_a_retired_one_stays() {
    let (double, ours) = instance().await;
    deliver(&ours, &[server("srv")]).await;
    let mut renamed = server("srv");
    renamed.ci.name = "shop-test-1".into();
    renamed.ci.lifecycle = Lifecycle::Retired;
    deliver(&ours, &[renamed]).await;
    let rows = double.rows("cmdb_ci_linux_server");
    assert_eq!(rows.len(), 1);
    let told = ["name", "install_status", "operational_status"].map(|field| rows[0][field].clone());
    assert_eq!(told, ["shop-test-1", "7", "6"]);
}

#[tokio::test]
async fn a_relation_ends_at_what_was_sent_before_and_waits_for_what_was_not() {
    let (double, ours) = instance().await;
    let service = |on: &str| {
        let service = record(CiClass::ApplicationService, "shop", json!({}));
        related(service, Relation::DependsOn, CiClass::Server, on)
    };
    let waits = failure(&ours, service("srv")).await;
    assert_eq!((waits.code.as_str(), waits.is_final()), ("relation_waits", false));
    assert!(waits.error.what.contains("srv"), "{}", waits.error);
    assert_eq!(double.rows("cmdb_ci_service_auto").len(), 1, "the CI itself is there already");
    deliver(&ours, &[server("srv")]).await;
    let again = deliver(&ours, &[service("srv")]).await;
    assert!(matches!(again["shop"], Outcome::Written { .. }), "{again:?}");
    assert_eq!(double.relations(), ["shop Depends on::Used by srv"]);
    let ends = double.payloads().pop().expect("a call")["items"][1].clone();
    assert_eq!(ends["values"].as_object().map(|it| it.len()), Some(1), "it is looked up by its id alone: {ends}");
    assert_eq!(double.rows("cmdb_ci_linux_server").len(), 1);
}

#[tokio::test]
async fn an_end_whose_id_vanished_makes_the_relation_wait() {
    let (double, ours) = instance().await;
    deliver(&ours, &[server("srv")]).await;
    let id = double.rows("cmdb_ci_linux_server")[0]["sys_id"].clone();
    double.delete("cmdb_ci_linux_server", "srv");
    let gone =
        [("name", "Gatehouse"), ("id", "srv"), ("target_table", "cmdb_ci_linux_server"), ("target_sys_id", &*id)];
    double.add("sys_object_source", &gone);
    assert_eq!(failure(&ours, tomcat("tomcat", "srv")).await.code, "relation_waits");
    assert_eq!(held(&ours).await, [], "what is listed under a key and is not there is not held");
}

#[tokio::test]
async fn a_lock_timeout_is_retried_and_a_missing_dependency_is_a_dead_letter() {
    let (double, ours) = instance().await;
    double.lock("busy", true);
    let locked = failure(&ours, server("busy")).await;
    assert_eq!((locked.code.as_str(), locked.is_final()), ("LOCK_TIMEOUT", false));
    double.lock("busy", false);
    assert!(matches!(deliver(&ours, &[server("busy")]).await["busy"], Outcome::Written { .. }));
    let alone = failure(&ours, record(CiClass::ApplicationServer, "tomcat", json!({}))).await;
    assert_eq!((alone.code.as_str(), alone.is_final()), ("MISSING_DEPENDENCY", true));
    assert!(alone.error.what.contains("hosting rules"), "{}", alone.error);
}

#[tokio::test]
async fn each_ci_is_judged_by_its_own_entry_in_a_good_answer() {
    let (double, ours) = instance().await;
    double.lock("srv", true);
    double.forbid("cmdb_ci_cluster");
    for _ in 0..2 {
        double.add("cmdb_ci_linux_server", &[("name", "twice")]);
    }
    let two = related(tomcat("two", "a"), Relation::RunsOn, CiClass::Server, "b");
    let records = [
        server("srv"),
        tomcat("tomcat", "srv"),
        server("a"),
        server("b"),
        two,
        server("twice"),
        record(CiClass::Cluster, "cluster", json!({})),
        record(CiClass::Image, "image", json!({})),
    ];
    let judged = deliver(&ours, &records).await;
    let code = |key: &str| match &judged[key] {
        Outcome::Failed(setback) => format!("{} {}", setback.code, setback.is_final()),
        other => format!("{other:?}").chars().take(7).collect(),
    };
    let told = ["srv", "tomcat", "a", "b", "two", "twice", "cluster", "image"].map(code);
    let expected = [
        "LOCK_TIMEOUT false",
        "ABANDONED false",
        "Written",
        "Written",
        "MULTIPLE_DEPENDENCIES true",
        "MULTIPLE_DUPLICATE_RECORDS true",
        "INSERT_NOT_ALLOWED_FOR_SOURCE true",
        "MISSING_MATCHING_ATTRIBUTES true",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn two_cis_that_they_take_for_one_are_told() {
    let (double, ours) = instance().await;
    let mut twin = server("twin");
    twin.ci.name = "srv".into();
    let judged = deliver(&ours, &[server("srv"), twin.clone()]).await;
    let Outcome::Failed(merged) = &judged["twin"] else { panic!("{judged:?}") };
    assert_eq!((merged.code.as_str(), merged.is_final()), ("merged", true));
    assert_eq!(double.rows("cmdb_ci_linux_server").len(), 1);
    twin.attributes.insert("address".into(), json!("10.0.0.8"));
    let judged = deliver(&ours, &[server("srv"), twin, server("other")]).await;
    let Outcome::Failed(duplicate) = &judged["twin"] else { panic!("{judged:?}") };
    assert_eq!(duplicate.code, "DUPLICATE_PAYLOAD_RECORDS");
    assert!(!judged.contains_key("other"), "what was not judged is sent again");
}

#[tokio::test]
async fn a_group_that_nobody_knows_is_a_dead_letter_or_left_out() {
    let (double, ours) = instance().await;
    let mut stranger = server("srv");
    stranger.ci.platform = Some("nobody".into());
    let unknown = failure(&ours, stranger.clone()).await;
    assert_eq!((unknown.code.as_str(), unknown.is_final()), ("unknown_reference", true));
    assert_eq!(double.payloads().len(), 0);
    let lenient = open(ServiceNowSettings { leaves_out_unknown: true, ..settings(&double) });
    deliver(&lenient, &[stranger.clone()]).await;
    let row = double.rows("cmdb_ci_linux_server").remove(0);
    assert_eq!((row.get("managed_by_group"), row.contains_key("support_group")), (None, true));
    double.add("sys_user_group", &[("name", "nobody")]);
    assert!(matches!(deliver(&ours, &[stranger]).await["srv"], Outcome::Written { .. }), "it is asked for again");
}

#[tokio::test]
async fn stages_are_references_and_classes_are_the_companys_own() {
    let double = test_doubles::ServiceNow::start(&[]).await;
    double.add("life_cycle_stage", &[("name", "Operational")]);
    double.add("life_cycle_stage_status", &[("name", "In Use")]);
    let classes = BTreeMap::from([
        (CiClass::ApplicationService, "cmdb_ci_business_app".to_owned()),
        (CiClass::Image, String::new()),
    ]);
    let ours = open(ServiceNowSettings {
        classes,
        lifecycle: LifecycleFields::Stage,
        platform: Vec::new(),
        application: Vec::new(),
        ..settings(&double)
    });
    assert_eq!(ours.render(&record(CiClass::Image, "image", json!({}))), None);
    deliver(&ours, &[record(CiClass::ApplicationService, "shop", json!({}))]).await;
    assert_eq!(double.rows("cmdb_ci_business_app")[0]["life_cycle_stage"].len(), 32);
    let read = held(&ours).await.remove(0).payload;
    assert_eq!(read["references"]["life_cycle_stage_status"], "In Use");
}

#[tokio::test]
async fn answers_that_are_none_lose_nothing() {
    let (double, ours) = instance().await;
    deliver(&ours, &[server("before")]).await;
    let say = async |fault: Fault| {
        double.fails(fault);
        broken(&ours).await
    };
    let busy = say(Fault::Busy("30")).await;
    assert_eq!((busy.code.as_str(), busy.retry_after), ("http_429", Some(TimeDelta::seconds(30))));
    let far = say(Fault::Busy("Fri, 01 Jan 2094 10:00:00 GMT")).await;
    assert_eq!(far.retry_after, Some(TimeDelta::hours(1)), "a clock in the future holds us up for an hour at most");
    assert_eq!(say(Fault::Html).await.code, "not_understood");
    assert_eq!(say(Fault::OtherShape).await.code, "not_understood");
    let half = say(Fault::Half).await;
    assert_eq!((half.code.as_str(), half.error.kind), ("no_answer", ProviderErrorKind::Transient));
    assert!(
        matches!(deliver(&ours, &[server("a")]).await["a"], Outcome::Unchanged { .. }),
        "it had arrived all the same"
    );
    double.take_role();
    let denied = broken(&ours).await;
    assert_eq!((denied.code.as_str(), denied.error.kind), ("http_403", ProviderErrorKind::Refused));
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_once_and_a_password_signs_in_as_well() {
    let (double, ours) = instance().await;
    deliver(&ours, &[server("a")]).await;
    double.end_tokens();
    assert!(matches!(deliver(&ours, &[server("a")]).await["a"], Outcome::Unchanged { .. }));
    double.fails(Fault::SignedOut);
    double.fails(Fault::SignedOut);
    assert_eq!(broken(&ours).await.code, "http_401");
    let user = |password: &str| SignIn::User { name: "gatehouse".into(), password: password.into() };
    let with = |sign_in| open(ServiceNowSettings { sign_in, ..settings(&double) });
    assert!(matches!(deliver(&with(user("let-me-in")), &[server("a")]).await["a"], Outcome::Unchanged { .. }));
    assert_eq!(broken(&with(user("wrong"))).await.code, "http_401");
    let stranger = SignIn::Client { id: "gatehouse".into(), secret: "wrong".into() };
    let refused = broken(&with(stranger)).await;
    assert_eq!((refused.code.as_str(), refused.error.kind), ("http_401", ProviderErrorKind::Refused));
}

#[tokio::test]
async fn a_dry_run_says_what_would_become_of_each_ci_and_writes_nothing() {
    let (double, ours) = instance().await;
    deliver(&ours, &[server("a")]).await;
    let batch = parcels(&ours, &[server("a"), server("b"), record(CiClass::ApplicationServer, "alone", json!({}))]);
    let judged = ours.preview(&batch).await.expect("they can be asked").outcomes;
    let [(_, Outcome::Unchanged { .. }), (_, Outcome::Written { .. }), (_, Outcome::Failed(_))] = &judged[..] else {
        panic!("{judged:?}")
    };
    assert_eq!(double.rows("cmdb_ci_linux_server").len(), 1);
}

#[tokio::test]
async fn many_are_listed_part_by_part_and_a_part_that_comes_again_ends_it() {
    let (double, ours) = instance().await;
    let many: Vec<Record> = (0..450).map(|number| server(&format!("srv-{number:03}"))).collect();
    deliver(&ours, &many).await;
    let (mut keys, mut from) = (Vec::new(), None);
    loop {
        let page = ours.list(from.as_deref()).await.expect("a part");
        keys.extend(page.held.into_iter().map(|held| held.key));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    keys.sort();
    assert_eq!(keys, many.iter().map(|record| record.ci.key.clone()).collect::<Vec<String>>());
    let first = ours.list(None).await.expect("a part").next;
    double.repeat();
    let again = ours.list(first.as_deref()).await.expect_err("it does not go on for ever");
    assert_eq!(again.code, "same_page");
}

#[tokio::test]
async fn calls_are_no_larger_than_advised_with_the_ends_of_relations_counted() {
    let (double, ours) = instance().await;
    let servers: Vec<Record> = (0..500).map(|number| server(&format!("srv-{number:03}"))).collect();
    deliver(&ours, &servers).await;
    let apps: Vec<Record> =
        (0..500).map(|number| tomcat(&format!("app-{number:03}"), &format!("srv-{number:03}"))).collect();
    let judged = deliver(&ours, &apps).await;
    assert!(judged.values().all(|it| matches!(it, Outcome::Written { .. })) && judged.len() == 500);
    let sizes =
        double.payloads().iter().map(|payload| payload["items"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>();
    assert_eq!(sizes, [500, 500, 500]);
}

#[tokio::test]
async fn somebody_elses_hand_is_seen_and_a_survey_changes_nothing() {
    let (double, ours) = instance().await;
    deliver(&ours, &[server("srv")]).await;
    double.change("cmdb_ci_linux_server", "srv", "ram", "1");
    assert_eq!(held(&ours).await[0].payload["values"]["ram"], "1");
    let calls = double.payloads().len();
    let lines = ours.survey(DateTime::UNIX_EPOCH).await.expect("it answers");
    assert!(lines.iter().all(|line| line.standing == Standing::There), "{lines:?}");
    let stranger = open(ServiceNowSettings { source: "Nobody".into(), ..settings(&double) });
    let lines = stranger.survey(DateTime::UNIX_EPOCH).await.expect("it answers");
    assert_eq!((lines[0].what.as_str(), lines[0].standing), ("data source Nobody", Standing::Missing));
    assert_eq!(double.payloads().len(), calls);
    let unknown = failure(&stranger, server("x")).await;
    assert_eq!((unknown.code.as_str(), unknown.is_final()), ("INVALID_INPUT_DATA", true));
}
