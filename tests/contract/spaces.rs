//! Platforms that keep container spaces.

use domain::ports::provider_error::ProviderErrorKind;
use domain::ports::spaces::{SpaceOrder, SpaceQuota, Spaces};

use crate::{Own, denied};

/// Tells the contract of a platform that keeps spaces.
pub async fn spaces(system: &dyn Spaces) {
    let own = Own::new();
    let (key, foreign) = (own.key("space"), own.key("somebody-elses"));
    let quota = SpaceQuota { cpu: 2, memory_gb: 4, containers: 10, storage_gb: 20 };
    let order = SpaceOrder {
        organisation: "northwind".to_owned(),
        project: own.name("project"),
        name: own.name("contract"),
        quota,
    };
    assert_eq!(system.find(&key).await.unwrap(), None);

    let space = system.create(&key, &order).await.unwrap();
    assert_eq!((&space.key, &space.name, space.quota), (&key, &order.name, quota));
    assert!(!space.endpoint.is_empty() && !space.host_pool.is_empty(), "{space:?}");
    assert_eq!(system.create(&key, &order).await.unwrap(), space, "the same key means the same space");
    assert_eq!(system.find(&key).await.unwrap().as_ref(), Some(&space));
    denied(system.create(&foreign, &order).await, ProviderErrorKind::Refused, "a name that is taken is ordered");

    let larger = SpaceQuota { containers: 20, ..quota };
    denied(
        system.set_quota(&space.id, &foreign, larger).await,
        ProviderErrorKind::NotOurs,
        "somebody else enlarges it",
    );
    assert_eq!(system.set_quota(&space.id, &key, larger).await.unwrap().quota, larger);
    assert_eq!(system.find(&key).await.unwrap().map(|found| found.quota), Some(larger));

    denied(system.delete(&space.id, &foreign).await, ProviderErrorKind::NotOurs, "somebody else deletes it");
    system.delete(&space.id, &key).await.unwrap();
    system.delete(&space.id, &key).await.unwrap();
    assert_eq!(system.find(&key).await.unwrap(), None);
}
