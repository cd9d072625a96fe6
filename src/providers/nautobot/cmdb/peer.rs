//! Against a real Nautobot, which `tests/live/nautobot/up` starts.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use domain::ports::cmdb_connector::Outcome;

use super::tests::{deliver, held, is_written, machine, nautobot, parcels, rendered, tomcat};
use super::*;
use crate::lab::{lab, text};

const PREFIXES: &str = "ipam/prefixes/";
const CHANGES: &str = "extras/object-changes/";

fn peer() -> NautobotCmdb {
    let lab = lab();
    nautobot(&text(&lab["nautobot"]["url"]), &text(&lab["nautobot"]["token"]))
}

/// Makes the prefix that addresses need, if it is not there.
async fn prefix(nautobot: &NautobotCmdb) {
    if nautobot.api.all(PREFIXES, "prefix=10.20.0.0%2F16").await.expect("it answers").is_empty() {
        let body =
            json!({ "prefix": "10.20.0.0/16", "status": { "name": "Active" }, "namespace": { "name": "Global" } });
        nautobot.api.make(PREFIXES, body).await.expect("a prefix");
    }
}

/// What was written over there last, the newest first.
async fn changes(nautobot: &NautobotCmdb) -> [String; 2] {
    let page = nautobot.api.page(CHANGES, "limit=2").await.expect("it answers");
    page.results.into_iter().map(|row| row.id).collect::<Vec<_>>().try_into().expect("two changes")
}

fn fleet(name: &str, network: u8, count: u8) -> Vec<Record> {
    let machines = (1..=count).map(|n| machine(&format!("{name}-{n}"), 2, &format!("10.20.{network}.{n}")));
    machines.chain((1..=count).map(|n| tomcat(&format!("{name}-{n}")))).collect()
}

async fn ours(nautobot: &NautobotCmdb, records: &[Record]) -> std::collections::BTreeMap<String, Value> {
    let mut held = held(nautobot).await;
    held.retain(|key, _| records.iter().any(|record| record.ci.key == *key));
    held
}

#[tokio::test]
async fn a_first_load_is_read_back_as_it_was_sent_and_a_second_writes_nothing() {
    let nautobot = peer();
    prefix(&nautobot).await;
    let records = fleet("shop", 1, 40);
    assert!(deliver(&nautobot, &records).await.iter().all(|it| !matches!(it, Outcome::Failed(_))));
    assert_eq!(ours(&nautobot, &records).await, rendered(&nautobot, &records));
    let before = changes(&nautobot).await;
    assert!(deliver(&nautobot, &records).await.iter().all(|it| matches!(it, Outcome::Unchanged { .. })));
    assert_eq!(changes(&nautobot).await, before, "nothing was written");
    // Of what changed, only that is written.
    let mut grown = records.clone();
    grown[3].attributes.insert("cpu".to_owned(), json!(8));
    let outcomes = deliver(&nautobot, &grown).await;
    assert_eq!(outcomes.iter().filter(|it| is_written(it)).count(), 1);
    assert_eq!(changes(&nautobot).await[1], before[0], "one change, and no more");

    // Somebody changes a machine by hand, takes another's address, and removes a third.
    let rows = nautobot.api.bearing(MACHINES, &["d/shop-1[1]", "d/shop-2[1]", "d/shop-3[1]"]).await.expect("rows");
    let id = |n: u8| rows[&format!("d/shop-{n}[1]")][0].id.clone();
    nautobot
        .api
        .change(MACHINES, &id(1), json!({ "vcpus": 9, "status": { "name": "Failed" } }))
        .await
        .expect("a change");
    nautobot.api.change(MACHINES, &id(2), json!({ "primary_ip4": null })).await.expect("a change");
    nautobot.api.remove(MACHINES, vec![id(3)]).await.expect("it is gone");
    assert_ne!(ours(&nautobot, &grown).await, rendered(&nautobot, &grown));
    // Three machines, and the service that went with its machine.
    assert_eq!(deliver(&nautobot, &grown).await.iter().filter(|it| is_written(it)).count(), 4);
    assert_eq!(ours(&nautobot, &grown).await, rendered(&nautobot, &grown));
}

#[tokio::test]
async fn what_it_refuses_is_told_by_machine() {
    let nautobot = peer();
    prefix(&nautobot).await;
    let records = [
        machine("refused-1", 2, "10.20.9.1"),
        machine("refused-2", 99_999, "10.20.9.2"),
        machine("refused-3", 2, "10.99.0.3"),
    ];
    let outcomes = deliver(&nautobot, &records).await;
    assert!(!matches!(outcomes[0], Outcome::Failed(_)));
    let told = |outcome: &Outcome| match outcome {
        Outcome::Failed(setback) => setback.error.what.clone(),
        taken => panic!("it is taken: {taken:?}"),
    };
    assert!(told(&outcomes[1]).contains("vcpus"), "{}", told(&outcomes[1]));
    assert!(told(&outcomes[2]).contains("No suitable parent Prefix"), "{}", told(&outcomes[2]));
}

#[tokio::test]
async fn it_is_restarted_in_the_middle_and_nothing_is_there_twice() {
    let nautobot = peer();
    prefix(&nautobot).await;
    let records = fleet("middle", 2, 60);
    let batch = parcels(&nautobot, &records);
    let pid = lab()["nautobot"]["pid"].to_string();
    let under_way = nautobot.deliver(&batch);
    let killed = async {
        // It is in the middle as soon as the first machine stands.
        while nautobot.api.bearing(MACHINES, &["d/middle-1[1]"]).await.expect("it answers").is_empty() {}
        Command::new("kill").arg(&pid).status().expect("it is told to end");
    };
    let (delivered, ()) = tokio::join!(under_way, killed);
    let broken = delivered.broken.expect("it went away");
    assert!(!broken.is_final(), "{}", broken.error);
    Command::new("tail").args(["-f", "/dev/null", "--pid", &pid]).status().expect("it ends");
    let up = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/live/nautobot/up");
    let folder = std::env::var("GATEHOUSE_LAB").expect("the lab's folder");
    assert!(Command::new(up).arg(folder).status().expect("it is started").success());
    assert!(deliver(&nautobot, &records).await.iter().all(|it| !matches!(it, Outcome::Failed(_))));
    assert_eq!(ours(&nautobot, &records).await, rendered(&nautobot, &records));
    let all = nautobot.api.all(MACHINES, "name__isw=middle-").await.expect("it answers");
    assert_eq!(all.len(), 60);
}

/// How long a first load takes; `tests/live/nautobot/bulk` does the same writes with nothing around them.
#[tokio::test]
#[ignore = "it measures"]
async fn how_fast_a_first_load_is() {
    let nautobot = peer();
    prefix(&nautobot).await;
    deliver(&nautobot, &[machine("warm", 2, "10.20.200.1")]).await;
    let began = Instant::now();
    let mut all = 0;
    for network in 101..=102 {
        let records: Vec<Record> =
            (1..=250).map(|n| machine(&format!("load-{network}-{n}"), 2, &format!("10.20.{network}.{n}"))).collect();
        for batch in records.chunks(LIMITS.items) {
            assert!(deliver(&nautobot, batch).await.iter().all(is_written));
            all += batch.len();
        }
    }
    println!("{all} machines in {:.1} s", began.elapsed().as_secs_f64());
}
