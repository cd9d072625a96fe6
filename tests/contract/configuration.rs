//! Configuration managers.

use domain::ports::configuration::{Configuration, ConfigurationOrder, ConfigurationState, ConfiguredNode};
use domain::ports::provider_error::ProviderErrorKind;

use crate::{Own, denied, seen};

/// Tells the contract of a configuration manager. `order` is for a machine that stands, or that `boot` lets boot once
/// its node is ordered.
pub async fn configuration(system: &dyn Configuration, order: ConfigurationOrder, boot: impl AsyncFnOnce()) {
    let own = Own::new();
    let (key, foreign) = (own.key("node"), own.key("somebody-elses"));
    let enrolment = system.enrol(&order.certname).await.unwrap();
    assert_eq!(system.enrol(&order.certname).await.unwrap(), enrolment, "asked again, it says the same");
    assert_eq!(system.find(&key).await.unwrap(), None);

    let begun = system.apply(&key, &order).await.unwrap();
    assert_eq!((&begun.key, &begun.certname, &begun.role), (&key, &order.certname, &order.role));
    assert_eq!(system.apply(&key, &order).await.unwrap().id, begun.id, "the same key means the same node");
    boot().await;
    let node = applied(system, &key).await;
    assert_eq!((node.id.as_str(), node.failed), (begun.id.as_str(), 0));
    assert!(node.resources > 0 && node.ends_at >= node.started_at, "{node:?}");
    assert_eq!(system.apply(&key, &order).await.unwrap().state, ConfigurationState::Applied, "it is done already");

    denied(system.apply(&foreign, &order).await, ProviderErrorKind::NotOurs, "somebody else configures it");
    denied(system.purge(&node.id, &foreign).await, ProviderErrorKind::NotOurs, "somebody else forgets it");

    system.purge(&node.id, &key).await.unwrap();
    system.purge(&node.id, &key).await.unwrap();
    assert_eq!(system.find(&key).await.unwrap(), None);
}

async fn applied(system: &dyn Configuration, key: &str) -> ConfiguredNode {
    seen("the role is applied", async || {
        let node = system.find(key).await?.expect("what was applied is found by its key");
        assert_ne!(node.state, ConfigurationState::Failed, "{:?}", node.lines);
        Ok((node.state == ConfigurationState::Applied).then_some(node))
    })
    .await
}
