//! An agent is started on the one machine that was made for this name, and nowhere else.

use domain::ports::nodes::RemoteAgent;
use domain::ports::provider_error::ProviderErrorKind;
use serde_json::{Value, json};

use super::engine::{Answer, Engine};
use super::machines::machines;

const FQDN: &str = "shop-1.example.org";

fn carrying(labels: Value) -> impl Fn(&str) -> Answer + Send + Sync {
    move |request| match request.split('?').next().unwrap_or_default() {
        "GET /containers/json" => Answer::Json(200, json!([{ "Id": "c1", "Labels": labels }])),
        "POST /containers/c1/exec" => Answer::Json(201, json!({ "Id": "e1" })),
        "POST /exec/e1/start" => Answer::Text(200, ""),
        other => panic!("nobody asks for {other}"),
    }
}

#[tokio::test]
async fn the_agent_is_started_and_not_waited_for() {
    let engine = Engine::that(carrying(json!({ "org.gatehouse.key": "k", "org.gatehouse.fqdn": FQDN }))).await;
    machines(&engine).start(FQDN).await.expect("it is started");
    assert_eq!(engine.asked(), ["GET /containers/json", "POST /containers/c1/exec", "POST /exec/e1/start"]);
}

#[tokio::test]
async fn a_container_that_is_not_ours_or_another_ones_is_left_alone() {
    for labels in [
        json!({ "org.gatehouse.fqdn": FQDN }),
        json!({ "org.gatehouse.key": "k", "org.gatehouse.fqdn": "shop-2.example.org" }),
    ] {
        let engine = Engine::that(carrying(labels)).await;
        let error = machines(&engine).start(FQDN).await.expect_err("there is none");
        assert_eq!(error.kind, ProviderErrorKind::NotFound, "{error}");
        assert_eq!(engine.asked(), ["GET /containers/json"]);
    }
}
