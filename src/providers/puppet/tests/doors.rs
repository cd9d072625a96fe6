//! Who is let in, and who tries.

use domain::ports::configuration::{ConfigurationState, RunFailure};
use domain::ports::provider_error::ProviderErrorKind;

use super::*;

fn refusal(node: &ConfiguredNode) -> &str {
    match &node.failure {
        Some(RunFailure::CertificateRefused { why, .. }) => why,
        other => panic!("it was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn the_machine_that_was_ordered_is_let_in_when_it_asks() {
    let site = Site::new().await;
    let enrolment = site.puppet.enrol(CERTNAME).await.expect("it is told").expect("it has an agent");
    assert_eq!((enrolment.server.as_str(), enrolment.port), ("puppet.lab.test", 8140));
    assert_eq!(enrolment.challenge.len(), 64);
    assert_eq!(site.apply().await.state, ConfigurationState::Running);
    assert_eq!(site.authority.done(), [""; 0], "nobody has asked yet");
    site.authority.asks("good");
    assert_eq!(site.look().await.state, ConfigurationState::Running);
    assert_eq!(site.look().await.state, ConfigurationState::Running);
    assert_eq!(site.authority.done(), ["signed"]);
    assert_eq!(site.agents.started(), [""; 0], "a fresh machine starts its agent itself");
}

#[tokio::test]
async fn nobody_else_is_let_in_whatever_the_request_says() {
    for (request, why) in [
        ("wrong-challenge", "another challenge"),
        ("challenge-of-another", "another challenge"),
        ("no-challenge", "does not carry the challenge"),
        ("other-name", "is for the name `CN=puppet.lab.test`"),
        ("two-names", "is for the name"),
        ("more-than-a-name", "is for the name"),
        ("alternative-name", "asks for what nobody ordered (attribute 1.2.840.113549.1.9.14)"),
        ("auth-role", "asks for what nobody ordered"),
        ("cli-auth", "asks for what nobody ordered"),
        ("tampered", "its signature does not fit"),
        ("good.certificate", "it is no certificate request"),
    ] {
        let site = Site::new().await;
        site.apply().await;
        site.authority.asks(request);
        let node = site.look().await;
        assert_eq!(node.state, ConfigurationState::Failed, "{request}");
        assert!(refusal(&node).contains(why), "{request}: {}", refusal(&node));
        assert_eq!(site.authority.done(), [""; 0], "{request}");
    }
}

#[tokio::test]
async fn a_request_for_a_name_that_nobody_ordered_is_left_alone() {
    let site = Site::new().await;
    site.authority.asks("good");
    assert_eq!(site.puppet.find(KEY).await, Ok(None));
    assert_eq!(site.authority.state(), Some("requested"));
}

#[tokio::test]
async fn trying_again_throws_the_wrong_request_away_and_waits_for_the_right_one() {
    let site = Site::new().await;
    site.apply().await;
    site.authority.asks("wrong-challenge");
    site.look().await;
    assert_eq!(site.apply().await.state, ConfigurationState::Running);
    assert_eq!(site.authority.done(), ["deleted"]);
    site.authority.asks("good");
    site.look().await;
    assert_eq!(site.authority.state(), Some("signed"));
}

#[tokio::test]
async fn a_second_request_for_a_name_that_is_in_is_refused_until_the_node_is_purged() {
    let site = Site::new().await;
    site.apply().await;
    site.authority.asks("good");
    site.look().await;
    site.authority.asks("another-key");
    let node = site.look().await;
    assert!(refusal(&node).contains("somebody tries to enrol as web-1.lab.test"), "{}", refusal(&node));
    assert_eq!(site.authority.done(), ["signed"]);
    site.puppet.purge(CERTNAME, KEY).await.expect("it is purged");
    site.apply().await;
    site.authority.asks("another-key");
    let node = site.look().await;
    assert!(refusal(&node).contains("another challenge"), "what the first machine knew is spent: {}", refusal(&node));
}

#[tokio::test]
async fn a_request_that_is_exchanged_while_it_is_signed_is_revoked_at_once() {
    let site = Site::new().await;
    site.apply().await;
    site.authority.asks("good");
    site.authority.is_given_instead("another-key");
    let node = site.look().await;
    assert!(refusal(&node).contains("exchanged while it was signed"), "{}", refusal(&node));
    assert_eq!(site.authority.done(), ["signed", "revoked", "deleted"]);
}

#[tokio::test]
async fn a_certificate_that_we_had_signed_is_known_again_after_a_crash_and_any_other_is_refused() {
    let site = Site::new().await;
    site.apply().await;
    site.authority.asks("good");
    site.authority.loses_the_next_answer();
    let lost = site.puppet.find(KEY).await.expect_err("its answer was lost");
    assert_eq!(lost.kind, ProviderErrorKind::Transient);
    assert_eq!(site.look().await.state, ConfigurationState::Running);
    assert_eq!(site.authority.done(), ["signed"]);

    let site = Site::new().await;
    site.apply().await;
    site.authority.signs("another-key");
    let node = site.look().await;
    assert!(refusal(&node).contains("that Gatehouse did not have signed"), "{}", refusal(&node));
    let refused = site.puppet.purge(CERTNAME, KEY).await.expect_err("it is not ours to revoke");
    assert_eq!(refused.kind, ProviderErrorKind::NotOurs);
    assert_eq!(site.authority.state(), Some("signed"));
}

#[tokio::test]
async fn a_purged_node_is_kept_out_and_forgotten_however_often_it_is_purged() {
    let site = Site::new().await;
    site.apply().await;
    site.authority.asks("good");
    site.look().await;
    site.authority.loses_the_next_answer();
    site.puppet.purge(CERTNAME, KEY).await.expect_err("the answer was lost");
    site.puppet.purge(CERTNAME, KEY).await.expect("the second try ends it");
    site.puppet.purge(CERTNAME, KEY).await.expect("nothing is left to do");
    assert_eq!(site.authority.done(), ["signed", "revoked", "deleted"]);
    assert_eq!(site.puppet.find(KEY).await, Ok(None));
}

#[tokio::test]
async fn a_name_that_is_none_gets_nowhere_near_the_authority() {
    let site = Site::new().await;
    for name in ["", "../signed", "Web-1", "a b", "web..lab", &"x".repeat(300)] {
        let refused = site.puppet.enrol(name).await.expect_err(name);
        assert_eq!(refused.kind, ProviderErrorKind::Permanent, "{name}");
    }
}

#[tokio::test]
async fn an_authority_that_refuses_or_is_away_is_told_in_words() {
    let site = Site::new().await;
    for (status, kind, words) in
        [(403, ProviderErrorKind::Permanent, "auth.conf"), (503, ProviderErrorKind::Transient, "not to be spoken to")]
    {
        site.authority.is_away(Some(status));
        let error = site.puppet.apply(KEY, &order("10.1")).await.expect_err("it does not help");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    site.authority.is_away(None);
    assert_eq!(site.apply().await.state, ConfigurationState::Running);
}
