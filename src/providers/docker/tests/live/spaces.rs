//! Spaces on the lab's engine.

use domain::ports::provider_error::ProviderErrorKind;
use domain::ports::spaces::{SpaceOrder, SpaceQuota, Spaces};

use super::{docker, spaces, unique};

#[tokio::test]
async fn it_keeps_spaces_as_every_platform_does() {
    test_contract::spaces(&spaces()).await;
}

#[tokio::test]
async fn a_space_holds_its_last_quota_and_stays_while_somebody_works_in_it() {
    let (spaces, key) = (spaces(), unique("space"));
    let quota = SpaceQuota { cpu: 2, memory_gb: 4, containers: 10, storage_gb: 20 };
    let [organisation, project] = ["northwind", "shop"].map(str::to_owned);
    let order = SpaceOrder { organisation, project, name: key.clone(), quota };
    let space = spaces.create(&key, &order).await.expect("it is opened");
    for cpu in [3, 4, 5] {
        let told = spaces.set_quota(&space.id, &key, SpaceQuota { cpu, ..quota }).await.expect("it is set");
        assert_eq!(told.quota.cpu, cpu);
    }
    let filter = format!("label=org.gatehouse.network={}", space.id);
    let notes = docker(&["volume", "ls", "-q", "--filter", &filter]).expect("it answers");
    assert_eq!(notes.lines().count(), 1, "former quotas are forgotten: {notes}");

    let worker = unique("worker");
    docker(&["create", "--name", &worker, "--network", &space.id, "gatehouse/base"]).expect("somebody works there");
    let error = spaces.delete(&space.id, &key).await.expect_err("it is not empty");
    assert_eq!(error.kind, ProviderErrorKind::Refused);
    assert!(error.what.contains(&worker), "{error}");
    docker(&["rm", &worker]).expect("it is removed");
    spaces.delete(&space.id, &key).await.expect("it is closed");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &filter]).as_deref(), Ok(""), "nothing is left");
}
