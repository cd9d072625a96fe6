//! What runs on an engine, as we tell it to the portal.

use std::time::Duration;

use chrono::DateTime;
use domain::ports::provider_error::ProviderErrorKind;
use serde_json::{Value, json};

use super::engine::{Answer, Engine};
use crate::docker::containers::{Digests, changed, listing};

const NOW: &str = "2026-11-23T12:00:00.000000007Z";

fn listed(id: &str) -> Value {
    json!({
        "Id": id, "Names": [format!("/{id}")], "Image": "sha256:77", "State": "running",
        "Labels": { "com.docker.compose.project": "shop", "com.docker.compose.service": id },
        "Ports": [
            { "IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp" },
            { "IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp" },
            { "PrivatePort": 443, "Type": "tcp" },
        ],
    })
}

fn inspected(name: &str) -> Value {
    json!({
        "Id": name, "Name": format!("/{name}"), "Image": "sha256:77",
        "Config": { "Image": "docker.io/library/redis:7" },
        "State": { "Running": true, "StartedAt": "2026-11-23T11:00:00.5Z" },
    })
}

/// An engine with the containers `web` and `cache`; `cache` is looked at with this answer.
fn two(cache: fn() -> Answer) -> impl Fn(&str) -> Answer + Send + Sync {
    move |request| match request.split('?').next().unwrap_or_default() {
        "GET /info" => Answer::Json(200, json!({ "ID": "one", "SystemTime": NOW })),
        "GET /containers/json" => Answer::Json(200, json!([listed("web"), listed("cache")])),
        "GET /containers/web/json" => Answer::Json(200, inspected("web")),
        "GET /containers/cache/json" => cache(),
        "GET /images/sha256:77/json" => Answer::Json(
            200,
            json!({ "Id": "sha256:77", "RepoDigests": ["mirror.example.org/redis@sha256:aa", "redis@sha256:bb"] }),
        ),
        _ => Answer::Text(404, "no such page"),
    }
}

#[tokio::test]
async fn a_container_is_told_with_what_was_asked_for_and_the_digest_of_its_own_registry() {
    let engine = Engine::that(two(|| Answer::Json(200, inspected("cache")))).await;
    let (session, digests) = (engine.session().await, Digests::default());
    let told = listing(&session, "box-1", &digests).await.expect("it answers");
    assert!(told.complete);
    assert_eq!(told.asked_at, DateTime::parse_from_rfc3339(NOW).expect("it is a time"));
    let web = &told.containers[0];
    assert_eq!((web.name.as_str(), web.image.as_str()), ("web", "docker.io/library/redis:7"));
    assert_eq!(web.image_digest, "sha256:bb");
    assert_eq!(web.ports, ["8080->80/tcp"]);
    assert_eq!(web.compose_project.as_deref(), Some("shop"));
    assert_eq!(web.started_at.to_rfc3339(), "2026-11-23T11:00:00.500+00:00");

    let before = engine.asked().len();
    listing(&session, "box-1", &digests).await.expect("it answers");
    let again = &engine.asked()[before..];
    assert!(!again.iter().any(|request| request.contains("images")), "the digests are known: {again:?}");
    listing(&session, "box-2", &digests).await.expect("it answers");
    assert!(engine.asked().last().is_some_and(|last| last.contains("images")), "but not from another host");
}

#[tokio::test]
async fn a_listing_is_complete_only_when_every_container_that_runs_was_seen() {
    let gone = Engine::that(two(|| Answer::Json(404, json!({ "message": "No such container: cache" })))).await;
    let told = listing(&gone.session().await, "box-1", &Digests::default()).await.expect("it answers");
    assert_eq!((told.containers.len(), told.complete), (1, true), "it ended between two questions");

    for broken in [|| Answer::BreakOff("{\"Id\":"), || Answer::Json(500, json!({})), || Answer::Silence] {
        let engine = Engine::that(two(broken)).await;
        let told = listing(&engine.session().await, "box-1", &Digests::default()).await.expect("it answers");
        assert_eq!((told.containers.len(), told.complete), (1, false));
    }
    let cut = Engine::that(|request| match request {
        "GET /info" => Answer::Json(200, json!({ "SystemTime": NOW })),
        _ => Answer::Text(200, "[{\"Id\": \"web\"}, {\"I"),
    })
    .await;
    let error = listing(&cut.session().await, "box-1", &Digests::default()).await.expect_err("it broke off");
    assert_eq!(error.kind, ProviderErrorKind::Transient);
}

#[tokio::test]
async fn what_happens_is_waited_for_from_the_engines_own_time() {
    let since = DateTime::parse_from_rfc3339(NOW).expect("it is a time").to_utc();
    let engine = Engine::that(|_| Answer::Trickle("{\"Type\":\"container\",\"Action\":\"start\"}\n")).await;
    changed(&engine.session().await, since).await.expect("something started");
    assert!(engine.last().contains("since=1795435200.000000007"), "{}", engine.last());

    let quiet = Engine::that(|_| Answer::Trickle("")).await;
    let session = quiet.session().await;
    let waited = tokio::time::timeout(Duration::from_secs(3), changed(&session, since)).await;
    assert!(waited.is_err(), "silence is no fault, however long");

    for end in [|| Answer::Text(200, ""), || Answer::BreakOff("")] {
        let engine = Engine::that(move |_| end()).await;
        let error = changed(&engine.session().await, since).await.expect_err("the engine is gone");
        assert_eq!(error.kind, ProviderErrorKind::Transient);
    }
}
