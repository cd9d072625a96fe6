//! What is said of an engine that does not do as it is asked.

use domain::ports::provider_error::{ProviderError, ProviderErrorKind as Kind};
use serde_json::json;

use super::engine::{Answer, Engine};
use crate::docker::client::Client;

/// What becomes of asking for the engine's description.
async fn asking(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> ProviderError {
    let engine = Engine::that(script).await;
    let session = engine.session().await;
    let answer = session.ask("Asking the engine about itself", session.docker.info()).await;
    answer.expect_err("it does not answer properly")
}

fn refusing(status: u16, message: &'static str) -> impl Fn(&str) -> Answer + Send + Sync {
    move |_| Answer::Json(status, json!({ "message": message }))
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_away() {
    let engine = Engine::that(|_| Answer::Silence).await;
    let mut settings = engine.settings();
    let closed =
        std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port").local_addr().expect("it is bound");
    for host in [format!("tcp://{closed}"), "unix:///nonexistent/docker.sock".to_owned()] {
        settings.host.clone_from(&host);
        let error = Client::new(&settings).expect("it is an address").meet().await.err().expect("nobody is there");
        assert_eq!(error.kind, Kind::Transient);
        assert!(error.what.contains(&host) && error.what.contains("can't be reached"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_late_broken_or_slow_may_come_another_time() {
    for answer in [|| Answer::Silence, || Answer::BreakOff("{\"ID\": \"ab"), || Answer::Trickle("{\"ID\": \"ab")] {
        let error = asking(move |_| answer()).await;
        assert_eq!(error.kind, Kind::Transient, "{error}");
        assert!(error.next.contains("asking again finds out"), "{error}");
    }
    let error = asking(|_| Answer::Text(200, "{\"ID\": \"ab")).await;
    assert_eq!(error.kind, Kind::Transient, "{error}");
    assert!(error.what.contains("broke off"), "{error}");
}

#[tokio::test]
async fn a_web_server_is_no_engine() {
    let error = asking(|_| Answer::Text(200, "<html><body>Welcome</body></html>")).await;
    assert_eq!(error.kind, Kind::Permanent);
    assert!(error.what.contains("does not speak as a Docker engine does"), "{error}");
    let error = asking(|_| Answer::Text(502, "<html><body>Bad gateway</body></html>")).await;
    assert_eq!(error.kind, Kind::Transient);
    assert!(error.what.contains("a web page") && !error.what.contains('<'), "{error}");
}

#[tokio::test]
async fn what_an_engine_says_is_sorted_and_quoted() {
    let told = [
        (500, "something broke", Kind::Transient),
        (503, "", Kind::Transient),
        (500, "write /x: no space left on device", Kind::Refused),
        (403, "Address already in use", Kind::Refused),
        (500, "Bind for 0.0.0.0:80 failed: port is already allocated", Kind::Refused),
        (409, "Conflict. The container name is taken", Kind::Refused),
        (404, "No such image: gatehouse/machine:latest", Kind::NotFound),
        (404, "No such container: web", Kind::NotFound),
        (400, "invalid reference format", Kind::Permanent),
    ];
    for (status, message, kind) in told {
        let error = asking(refusing(status, message)).await;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.what.contains(message), "{error}");
        assert!(error.next.ends_with('.'), "{error}");
    }
}
