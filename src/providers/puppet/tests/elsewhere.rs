//! Reports from PuppetDB, and agents started by Puppet Enterprise's orchestrator.

use domain::ports::configuration::ConfigurationState;
use domain::ports::provider_error::ProviderErrorKind;

use super::server::{Asked, client, serve};
use super::*;
use crate::puppet::Orchestrator;
use crate::puppet::puppetdb::PuppetDb;

#[tokio::test]
async fn an_orchestrator_is_asked_to_deploy_to_the_one_node() {
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let heard = asked.clone();
    let url = serve(move |it| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(it.clone());
        // As the documentation has it.
        (202, r#"{"job":{"id":"https://pe:8143/orchestrator/v1/jobs/1234","name":"1234"}}"#.to_owned())
    })
    .await;
    let orchestrator = Orchestrator::with(client(), &url, "of-gatehouse".into(), "production".into());
    orchestrator.expect("an address").start(CERTNAME).await.expect("it is started");
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("POST", "/orchestrator/v1/command/deploy"));
    assert!(asked[0].headers.contains("x-authentication: of-gatehouse"), "{}", asked[0].headers);
    assert_eq!(asked[0].body, r#"{"environment":"production","scope":{"nodes":["web-1.lab.test"]}}"#);
}

#[tokio::test]
async fn an_orchestrator_that_refuses_says_what_is_missing() {
    for (status, kind, words) in [
        (401, ProviderErrorKind::Permanent, "token of a user who may run Puppet"),
        (404, ProviderErrorKind::Permanent, "connected to the orchestrator"),
        (500, ProviderErrorKind::Transient, "asked again"),
    ] {
        let url = serve(move |_| (status, String::new())).await;
        let orchestrator = Orchestrator::with(client(), &url, "secret-token".into(), "production".into());
        let error = orchestrator.expect("an address").start(CERTNAME).await.expect_err("it refuses");
        assert!(error.kind == kind && error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("secret-token"), "{error}");
    }
}

#[tokio::test]
async fn a_report_that_did_not_come_by_itself_is_found_in_puppetdb() {
    let mut site = Site::new().await;
    let url = serve(|asked| {
        let after = "receive_time%22%2C%222027-01-15T08%3A00%3A05.000Z";
        let for_it = asked.path.starts_with("/pdb/query/v4/reports?query=") && asked.path.contains(after);
        (200, if for_it { sent_by_puppetdb() } else { "[]".to_owned() })
    })
    .await;
    site.puppet.database = PuppetDb::at(client(), &url).ok();
    site.apply().await;
    assert_eq!(site.look().await.state, ConfigurationState::Running);
    site.clock.wind(TimeDelta::seconds(5));
    site.register.is_asked(KEY);
    let node = site.look().await;
    assert_eq!((node.state, node.resources, node.changed, node.lines.len()), (ConfigurationState::Applied, 9, 2, 1));
    assert!(site.register.latest_report(CERTNAME).await.expect("it answers").is_some(), "it is kept");
}

#[tokio::test]
async fn a_puppetdb_that_is_away_is_no_reason_to_stop_waiting() {
    let mut site = Site::new().await;
    site.puppet.database = PuppetDb::at(client(), &authority::nobody()).ok();
    site.apply().await;
    site.register.is_asked(KEY);
    assert_eq!(site.look().await.state, ConfigurationState::Running);
}

fn sent_by_puppetdb() -> String {
    json!([{
        "certname": CERTNAME, "status": "changed", "noop": false, "hash": "5c3d",
        "transaction_uuid": "8e70a9b9-0f21-4835-b284-dc8be10aace1",
        "start_time": "2026-11-23T15:42:37.721Z", "end_time": "2026-11-23T15:42:41.615Z",
        "receive_time": "2026-11-23T15:42:42.000Z",
        "metrics": { "href": "/pdb/query/v4/reports/5c3d/metrics", "data": [
            { "category": "resources", "name": "total", "value": 9 },
            { "category": "resources", "name": "changed", "value": 2 },
            { "category": "time", "name": "total", "value": 3.89 },
        ] },
        "logs": { "href": "/pdb/query/v4/reports/5c3d/logs", "data": [] },
        "resource_events": { "href": "/pdb/query/v4/reports/5c3d/events", "data": [{
            "resource_type": "File", "resource_title": "/tmp/probe-agent", "status": "success", "message": "created",
            "timestamp": "2026-11-23T15:42:41.588Z", "property": "ensure", "corrective_change": false,
        }] },
    }])
    .to_string()
}
