//! Spaces on an engine that is not alone, or not well.

use domain::ports::provider_error::ProviderErrorKind;
use domain::ports::spaces::{SpaceOrder, SpaceQuota, Spaces};
use serde_json::{Value, json};

use super::engine::{Answer, Engine};
use crate::docker::{DockerSpaces, SpaceSettings};

const QUOTA: SpaceQuota = SpaceQuota { cpu: 2, memory_gb: 4, containers: 10, storage_gb: 20 };

fn spaces(engine: &Engine) -> DockerSpaces {
    let endpoint = "tcp://spaces.example.org:2375/spaces".to_owned();
    let settings = SpaceSettings { engine: engine.settings(), name: "hosts-1".to_owned(), endpoint };
    DockerSpaces::new(settings).expect("it is on this machine")
}

fn order() -> SpaceOrder {
    let [organisation, project, name] = ["acme", "shop", "web"].map(str::to_owned);
    SpaceOrder { organisation, project, name, quota: QUOTA }
}

fn network(key: &str) -> Value {
    json!({
        "Id": "n1", "Name": "space-web-1", "Created": "2026-11-23T12:00:00Z",
        "Labels": {
            "org.gatehouse.key": key, "org.gatehouse.organisation": "acme", "org.gatehouse.project": "shop",
            "org.gatehouse.space": "web", "org.gatehouse.quota": serde_json::to_string(&QUOTA).expect("it is data"),
        },
    })
}

/// A container that was made for a network and never started.
fn tied(name: &str, network: &str) -> Value {
    json!({ "Id": name, "Names": [name], "State": "created", "HostConfig": { "NetworkMode": network } })
}

/// An engine with one space and no volumes; everything else is answered as the test says.
fn with_space(other: fn(&str) -> Answer) -> impl Fn(&str) -> Answer + Send + Sync {
    move |request| match request.split('?').next().unwrap_or_default() {
        "GET /networks" => Answer::Json(200, json!([network("key-1")])),
        "GET /volumes" => Answer::Json(200, json!({ "Volumes": null, "Warnings": null })),
        request => other(request),
    }
}

#[tokio::test]
async fn a_space_is_known_by_its_key_with_the_quota_of_its_labels() {
    let engine = Engine::that(with_space(|_| Answer::Silence)).await;
    let space = spaces(&engine).create("key-1", &order()).await.expect("it is there already");
    assert_eq!(space.quota, QUOTA);
    assert_eq!(space.endpoint, "tcp://spaces.example.org:2375/spaces/acme/shop/web");
    assert_eq!(spaces(&engine).find("key-2").await.expect("it answers"), None, "a filter alone proves nothing");
}

#[tokio::test]
async fn a_space_with_containers_is_not_closed_and_they_are_named() {
    let engine = Engine::that(with_space(|request| match request {
        "GET /containers/json" => Answer::Json(200, json!([tied("/cart", "n1"), tied("/other", "n2")])),
        _ => Answer::Text(204, ""),
    }))
    .await;
    let error = spaces(&engine).delete("n1", "key-1").await.expect_err("somebody works there");
    assert_eq!(error.kind, ProviderErrorKind::Refused);
    assert!(error.what.contains("cart") && !error.what.contains("other"), "{error}");
    let error = spaces(&engine).delete("n1", "key-2").await.expect_err("it is not ours");
    assert_eq!(error.kind, ProviderErrorKind::NotOurs);
    assert!(engine.asked().iter().all(|request| request.starts_with("GET")));
}

#[tokio::test]
async fn a_quota_that_somebody_else_noted_at_the_same_time_is_not_taken_for_ours() {
    let engine = Engine::that(with_space(|request| match request {
        "POST /volumes/create" => Answer::Json(
            201,
            json!({
                "Name": "quota-n1-1", "Driver": "local", "Mountpoint": "/", "Scope": "local", "Options": null,
                "Labels": { "org.gatehouse.quota": "{}" },
            }),
        ),
        _ => Answer::Silence,
    }))
    .await;
    let larger = SpaceQuota { cpu: 4, ..QUOTA };
    let error = spaces(&engine).set_quota("n1", "key-1", larger).await.expect_err("it is not noted");
    assert_eq!(error.kind, ProviderErrorKind::Transient);
}

#[tokio::test]
async fn an_engine_without_free_networks_has_no_room() {
    let engine = Engine::that(|request| match request.split('?').next().unwrap_or_default() {
        "GET /networks" => Answer::Json(200, json!([])),
        _ => {
            let what = "could not find an available, non-overlapping IPv4 address pool among the defaults";
            Answer::Json(404, json!({ "message": what }))
        }
    })
    .await;
    let error = spaces(&engine).create("key-1", &order()).await.expect_err("no network is free");
    assert_eq!(error.kind, ProviderErrorKind::Refused);
    assert!(error.next.contains("address pools"), "{error}");
}
