//! What the actions do together, and what they say of it.

use std::sync::atomic::Ordering;

use domain::first_boot::FirstBoot;
use domain::ports::datacenter::DatacenterControls;
use domain::ports::machines::{MachineOrder, Machines};
use engine::Failure;
use serde_json::json;

use super::stage::Stage;

#[tokio::test]
async fn two_machines_with_tomcat_answer_behind_a_pool_and_stand_in_the_cmdb() {
    let mut stage = Stage::ready().await;
    let (first, setup) = stage.machine(1, "tomcat").await;
    let (second, _) = stage.machine(2, "tomcat").await;
    let input = json!({ "name": "shop", "members": [first, second], "port": 8080, "check": "GET /" });
    let pool = stage.run("balancer.pool", "pool", input).await.unwrap();
    let proof = stage.run("http.check", "proof", json!({ "url": pool["url"], "expect": 200 })).await.unwrap();
    let relations = json!([
        { "relation": "depends_on", "to": pool["ci"] },
        { "relation": "runs_on", "to": setup["ci"] },
    ]);
    let service = json!({ "class": "application_service", "name": "shop-test", "relations": relations });
    stage.run("cmdb.register", "application", service).await.unwrap();

    assert_eq!(proof["status"], 200);
    assert_eq!((&setup["resources"], &setup["changed"]), (&json!(130), &json!(12)));
    let fqdn = "shop-1.dc1.example.org";
    let expected = [
        "shop-1",
        fqdn,
        "Tomcat on shop-1.dc1.example.org",
        "shop-2",
        "shop-2.dc1.example.org",
        "Tomcat on shop-2.dc1.example.org",
        "shop",
        "shop-1",
        "shop-2",
        "shop-test",
    ];
    assert_eq!(stage.standing_cis(), expected);
    let said = stage.log.lines();
    assert!(said.contains(&"Cloning debian-12 to shop-1 on esx-01.".to_owned()), "{said:#?}");
    assert!(said.contains(&"Package[tomcat10]: ensure changed 'purged' to 'tomcat'".to_owned()), "{said:#?}");
    let counted = "130 resources, 12 changed, none failed; ";
    assert!(said.iter().any(|line| line.starts_with(counted)), "{said:#?}");
    let changes = said.iter().filter(|line| line.starts_with("Service[tomcat10]")).count();
    assert_eq!(changes, 2, "each agent's line is told once");

    for (action, step) in [
        ("cmdb.register", "application"),
        ("balancer.pool", "pool"),
        ("puppet.apply", "setup[1]"),
        ("puppet.apply", "setup[2]"),
        ("machine.create", "node[1]"),
        ("machine.create", "node[2]"),
        ("naming.reserve", "name[1]"),
        ("naming.reserve", "name[2]"),
    ] {
        stage.undo(action, step).await.unwrap();
    }
    assert!(stage.datacenter.overview().await.unwrap().objects.is_empty());
    assert!(stage.standing_cis().is_empty());
}

#[tokio::test]
async fn a_machine_whose_name_nobody_reserved_is_not_made() {
    let mut stage = Stage::ready().await;
    let size = json!({ "cpu": 2, "memory_gb": 4, "disk_gb": 20 });
    let input = json!({ "name": "shop-1", "size": size, "image": "debian-12" });
    let refused = stage.run("machine.create", "node", input).await.unwrap_err();
    assert!(refused.what.contains("shop-1 is not reserved"), "{refused}");
    assert_eq!(stage.count("machine").await, 0);
}

#[tokio::test]
async fn a_foreign_machine_of_the_same_name_is_neither_adopted_nor_destroyed() {
    let mut stage = Stage::ready().await;
    let name = stage.run("naming.reserve", "name", json!({ "pattern": "shop-{n}" })).await.unwrap();
    let order = MachineOrder {
        name: "shop-1".into(),
        fqdn: "shop-1.dc1.example.org".into(),
        address: [10, 20, 0, 9].into(),
        image: "debian-12".into(),
        cpu: 1,
        memory_gb: 1,
        disk_gb: 10,
        first_boot: FirstBoot { fqdn: "shop-1.dc1.example.org".into(), agent: None },
    };
    Machines::create(&stage.datacenter, "made by hand", &order).await.unwrap();
    let size = json!({ "cpu": 2, "memory_gb": 4, "disk_gb": 20 });
    let input = json!({ "name": name["name"], "size": size, "image": "debian-12" });
    let refused = stage.run("machine.create", "node", input).await.unwrap_err();
    assert_eq!(refused.failure, Failure::Permanent);
    assert!(refused.what.contains("stands already and is not ours"), "{refused}");
    stage.undo("machine.create", "node").await.unwrap();
    assert_eq!(stage.count("machine").await, 1);
}

#[tokio::test]
async fn a_failed_agent_run_pauses_with_its_reason_and_goes_on_with_other_facts() {
    let mut stage = Stage::ready().await;
    let (machine, _) = stage.machine(1, "base").await;
    let facts = |version: &str| {
        let facts = json!({ "tomcat_version": version });
        json!({ "certname": machine["fqdn"], "role": "tomcat", "server": machine["ci"], "facts": facts })
    };
    let failed = stage.run("puppet.apply", "setup[1]", facts("4.1")).await.unwrap_err();
    assert_eq!(failed.failure, Failure::Permanent);
    assert!(failed.what.contains("Package[tomcat10]: version 4.1 is in no package source"), "{failed}");
    let done = stage.run("puppet.apply", "setup[1]", facts("10.1")).await.unwrap();
    assert_eq!(done["role"], "tomcat");
    assert_eq!(stage.count("configuration").await, 1);
}

#[tokio::test]
async fn a_docker_machine_tells_its_engine() {
    let mut stage = Stage::ready().await;
    let (machine, setup) = stage.machine(1, "docker").await;
    let input = json!({ "fqdn": machine["fqdn"], "engine": setup["ci"] });
    let engine = stage.run("docker.engine", "engine", input).await.unwrap();
    assert_eq!((&engine["version"], &engine["ci"]), (&json!("27.5.1"), &setup["ci"]));
    assert_eq!(engine["endpoint"], json!(format!("tcp://{}:2376", machine["address"].as_str().unwrap())));
}

#[tokio::test]
async fn the_quota_of_a_space_can_be_changed() {
    let mut stage = Stage::ready().await;
    let quota = |cpu: u32| json!({ "cpu": cpu, "memory_gb": 8, "containers": 20, "storage_gb": 50 });
    let order = json!({ "organisation": "northwind", "project": "shop", "name": "dev", "quota": quota(4) });
    let space = stage.run("space.create", "space", order).await.unwrap();
    stage.run("space.quota", "quota", json!({ "space": space, "quota": quota(16) })).await.unwrap();
    assert_eq!(stage.ledger[0].attributes["quota"]["cpu"], 16);
    assert_eq!(stage.standing_cis(), ["northwind / shop / dev"]);
}

#[tokio::test]
async fn a_check_of_a_pool_that_has_nobody_is_tried_again_and_a_wrong_status_is_not() {
    let mut stage = Stage::ready().await;
    let member = json!({ "name": "shop-1", "address": "10.20.0.1", "ci": "nobody" });
    let input = json!({ "name": "shop", "members": [member], "port": 8080, "check": "GET /" });
    let pool = stage.run("balancer.pool", "pool", input).await.unwrap();
    let warming = stage.run("http.check", "proof", json!({ "url": pool["url"] })).await.unwrap_err();
    assert_eq!(warming.failure, Failure::Transient);
    let (machine, _) = stage.machine(1, "tomcat").await;
    let url = format!("http://{}:8080/", machine["fqdn"].as_str().unwrap());
    let wrong = stage.run("http.check", "proof", json!({ "url": url, "expect": 204 })).await.unwrap_err();
    assert_eq!(wrong.failure, Failure::Permanent);
}

#[tokio::test]
async fn the_cmdb_is_waited_for_as_long_as_the_blueprint_says() {
    let mut stage = Stage::ready().await;
    stage.cmdb.0.store(3, Ordering::Relaxed);
    let confirmed = stage.run("cmdb.confirm", "record", json!({ "within": "1m" })).await.unwrap();
    assert_eq!(confirmed["cis"], 5);
    stage.cmdb.0.store(1_000, Ordering::Relaxed);
    let late = stage.run("cmdb.confirm", "record", json!({ "within": "1m" })).await.unwrap_err();
    assert_eq!(late.failure, Failure::Permanent);
    let nonsense = stage.run("cmdb.confirm", "record", json!({ "within": "soon" })).await.unwrap_err();
    assert!(nonsense.what.contains("`soon` is no length of time"), "{nonsense}");
}

#[tokio::test]
async fn who_ordered_is_told_and_a_word_that_means_nobody_is_refused() {
    let mut stage = Stage::ready().await;
    let letter = |to: &str| json!({ "to": to, "subject": "Your database is ready", "text": "It answers." });
    let told = stage.run("notify.send", "ready", letter("group:ops-database")).await.unwrap();
    assert_eq!(told["to"], "group:ops-database");
    let nobody = stage.run("notify.send", "ready", letter("everybody")).await.unwrap_err();
    assert_eq!(nobody.what, "`everybody` is nobody that can be told.");
}

#[tokio::test]
async fn input_that_does_not_fit_says_where() {
    let mut stage = Stage::ready().await;
    let wrong = stage.run("naming.reserve", "name", json!({ "patern": "shop" })).await.unwrap_err();
    assert_eq!(wrong.failure, Failure::Permanent);
    assert!(wrong.what.contains("unknown field `patern`, expected `pattern`"), "{wrong}");
    let relation = json!([{ "relation": "leans_on", "to": "x" }]);
    let service = json!({ "class": "application_service", "name": "shop", "relations": relation });
    assert!(
        stage.run("cmdb.register", "application", service).await.unwrap_err().what.contains("no relation `leans_on`")
    );
}

#[tokio::test]
async fn a_numbered_step_gets_the_name_of_its_number_and_another_one_when_that_is_taken() {
    let mut stage = Stage::ready().await;
    let pattern = json!({ "pattern": "shop-{n}" });
    let second = stage.run("naming.reserve", "name[2]", pattern.clone()).await.unwrap();
    let first = stage.run("naming.reserve", "name[1]", pattern.clone()).await.unwrap();
    assert_eq!((&first["name"], &second["name"]), (&json!("shop-1"), &json!("shop-2")));
    let taken = stage.run("naming.reserve", "other[2]", pattern).await.unwrap();
    assert_eq!(taken["name"], "shop-3");
}

#[tokio::test]
async fn a_node_gets_the_facts_that_change_keeps_the_others_and_has_the_former_ones_back() {
    let mut stage = Stage::ready().await;
    let (_, setup) = stage.machine(1, "tomcat").await;
    let larger = json!({ "node": setup, "facts": { "memory_mb": 512 } });
    let output = stage.run("puppet.change", "change", larger.clone()).await.unwrap();
    assert_eq!(output["former"], json!({}));
    let newer = json!({ "node": setup, "facts": { "tomcat_version": "11.0" } });
    let newer_output = stage.run("puppet.change", "again", newer.clone()).await.unwrap();
    assert_eq!(newer_output["former"], json!({ "memory_mb": 512 }));
    let facts = |stage: &Stage| {
        stage.ledger.iter().find(|row| row.kind == "configuration").unwrap().attributes["facts"].clone()
    };
    assert_eq!(facts(&stage), json!({ "memory_mb": 512, "tomcat_version": "11.0" }));
    stage.undo_with("puppet.change", "again", newer, Some(newer_output), None).await.unwrap();
    assert_eq!(facts(&stage), json!({ "memory_mb": 512 }));
    stage.undo_with("puppet.change", "change", larger, Some(output), None).await.unwrap();
    assert_eq!(facts(&stage), json!({}));
}

#[tokio::test]
async fn a_node_whose_agent_fails_on_other_facts_has_the_former_ones_back() {
    let mut stage = Stage::ready().await;
    let (_, setup) = stage.machine(1, "tomcat").await;
    let before = stage.scene().await;
    let wrong = json!({ "node": setup, "facts": { "tomcat_version": "7.0" } });
    let remains = stage.die_in_call("puppet.change", "change", wrong.clone(), 1_000).await;
    assert!(!remains.was_done, "there is no such version");
    stage.undo_with("puppet.change", "change", wrong, None, remains.remembered).await.unwrap();
    assert_eq!(stage.scene().await, before);
    let gone = json!({ "node": { "certname": "no.lab.test", "key": "no", "ci": "no/server" }, "facts": {} });
    let refused = stage.run("puppet.change", "other", gone).await.unwrap_err();
    assert!(refused.what.contains("has no node no.lab.test"), "{refused}");
}
