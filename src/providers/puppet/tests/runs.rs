//! What runs come to.

use domain::ports::configuration::{ConfigurationState, RunFailure};

use super::*;

#[tokio::test]
async fn it_configures_as_every_manager_does() {
    let site = Site::new().await;
    test_contract::configuration(&site.puppet, order("10.1"), async || {
        site.authority.asks("good");
        let node = site.register.named(CERTNAME).await.expect("it answers").expect("it is ordered");
        site.puppet.find(&node.order.key).await.expect("its machine is let in");
        site.register.is_asked(&node.order.key);
        site.register.record(&recorded("changed")).await.expect("it is kept");
    })
    .await;
}

#[tokio::test]
async fn a_run_is_over_when_its_report_is_here() {
    let site = Site::new().await;
    let node = site.apply().await;
    assert_eq!((node.state, node.ends_at), (ConfigurationState::Running, noon() + LIMIT));
    site.register.record(&recorded("unchanged")).await.expect("it is kept");
    assert_eq!(site.look().await.state, ConfigurationState::Running, "that run knew nothing of the order");
    site.runs("changed").await;
    let node = site.look().await;
    assert_eq!((node.state, node.failure.clone()), (ConfigurationState::Applied, None));
    assert_eq!((node.resources, node.changed, node.failed, node.lines.len()), (9, 2, 0, 2));
    assert_eq!((node.ends_at - node.started_at).num_milliseconds(), 3_893);
    assert_eq!(site.apply().await, node, "what is as ordered is not run again");
}

#[tokio::test]
async fn a_failed_run_says_why_and_is_started_again() {
    for (report, failure) in [("failed", "Resources"), ("not-compiled", "NoCatalog"), ("unknown-class", "NoCatalog")] {
        let site = Site::new().await;
        site.apply().await;
        site.authority.asks("good");
        site.look().await;
        site.runs(report).await;
        let node = site.look().await;
        assert_eq!(node.state, ConfigurationState::Failed);
        assert!(format!("{:?}", node.failure).contains(failure), "{report}: {:?}", node.failure);
        let again = site.apply().await;
        assert_eq!((again.state, again.failure), (ConfigurationState::Running, None));
        assert_eq!(site.agents.started(), [CERTNAME], "its machine is in already, so its agent is started");
        site.look().await;
        assert_eq!(site.agents.started(), [CERTNAME], "once");
        site.runs("unchanged").await;
        assert_eq!(site.look().await.state, ConfigurationState::Applied);
    }
}

#[tokio::test]
async fn another_order_for_the_same_node_is_another_run() {
    let site = Site::new().await;
    site.apply().await;
    site.authority.asks("good");
    site.look().await;
    site.runs("changed").await;
    let node = site.puppet.apply(KEY, &order("11.0")).await.expect("it is ordered");
    assert_eq!(node.state, ConfigurationState::Running);
    assert_eq!(node.facts["tomcat_version"], "11.0");
    assert_eq!(site.agents.started(), [CERTNAME]);
    let other = site.puppet.apply("run/setup[2]", &order("11.0")).await.expect_err("the name is held");
    assert!(other.to_string().contains("held"), "{other}");
}

#[tokio::test]
async fn a_run_that_does_not_report_in_time_says_how_far_it_came() {
    let site = Site::new().await;
    site.apply().await;
    site.clock.wind(LIMIT);
    let silent = |seen: &str| Some(RunFailure::NoReport { minutes: 20, seen: seen.to_owned() });
    assert_eq!(site.look().await.failure, silent("its agent has not asked for a certificate"));
    site.apply().await;
    site.authority.asks("good");
    site.look().await;
    site.clock.wind(LIMIT);
    let seen = "it has its certificate, and its server never asked for its role";
    assert_eq!(site.look().await.failure, silent(seen));
    site.apply().await;
    site.register.is_asked(KEY);
    site.clock.wind(LIMIT);
    let Some(RunFailure::NoReport { seen, .. }) = site.look().await.failure else { panic!("it reported") };
    assert!(seen.starts_with("its server asked for its role at ") && seen.ends_with("and no report came"), "{seen}");
}
