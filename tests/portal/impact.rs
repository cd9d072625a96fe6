//! What stands around a CI: as much of it as is one's own, and whether there is more.

use domain::ci::{Cause, CiChange, CiClass, Relation};
use domain::ids::ProjectId;
use serde_json::{Map, json};

use crate::api::{ALL, get, token};
use crate::house::House;

/// CIs of a project that run on the shared cluster.
async fn on_the_cluster(house: &House, cause: &Cause, names: impl Iterator<Item = String>) {
    let cluster = "shared/cluster".to_owned();
    let told = names.flat_map(|name| {
        let (key, to) = (format!("around/{name}"), cluster.clone());
        let declared =
            CiChange::Declare { key: key.clone(), class: CiClass::VirtualMachine, name, attributes: Map::new() };
        [declared, CiChange::Relate { from: key, relation: Relation::RunsOn, to }]
    });
    let tx = house.app.store.begin().await.unwrap();
    store::ci::apply(&tx, &told.collect::<Vec<_>>(), cause).await.unwrap();
    tx.commit().await.unwrap();
}

async fn project(house: &House, person: &str) -> ProjectId {
    let who = house.person(person).await;
    app::catalog::projects(&house.app, &who).await.unwrap()[0].id
}

#[actix_web::test]
async fn what_others_run_on_a_shared_cluster_hides_nothing_of_ones_own_and_what_is_left_out_is_told() {
    let house = House::asleep(std::sync::Arc::new(providers::clock::SystemClock)).await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "linux-vm", json!({ "application": "shop" })).await;
    let own = Cause { deployment: None, ..house.cause(&request) };
    let theirs = Cause { project: project(&house, "Carlo").await, ..own.clone() };
    assert_ne!(own.project, theirs.project);

    let cluster = "shared/cluster".to_owned();
    let shared =
        CiChange::Declare { key: cluster, class: CiClass::Cluster, name: "cluster".into(), attributes: Map::new() };
    let tx = house.app.store.begin().await.unwrap();
    store::ci::apply(&tx, &[shared], &own).await.unwrap();
    tx.commit().await.unwrap();
    // By name theirs come first.
    on_the_cluster(&house, &theirs, (0..230).map(|n| format!("a-theirs-{n:03}"))).await;
    on_the_cluster(&house, &own, (0..3).map(|n| format!("own-{n}"))).await;

    let (program, auditor) =
        (token(&house, "rita@example.org", ALL).await, token(&house, "audrey@example.org", ALL).await);
    let found = get(&house, &program, "/api/v1/cis?class=cluster").await.body;
    let at = format!("/api/v1/cis/{}", found["items"][0]["id"].as_str().unwrap());
    let seen = get(&house, &program, &at).await.body;
    let mut names: Vec<_> =
        seen["affects"].as_array().unwrap().iter().map(|near| near["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["own-0", "own-1", "own-2"]);
    assert_eq!((&seen["affects_more"], &seen["needs_more"]), (&json!(false), &json!(false)));

    // Who sees everything is told that it is not all.
    let seen = get(&house, &auditor, &at).await.body;
    assert_eq!((seen["affects"].as_array().unwrap().len(), &seen["affects_more"]), (200, &json!(true)));
}
