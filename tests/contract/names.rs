//! Registers of names and addresses.

use std::collections::BTreeSet;

use domain::ports::names::Names;
use domain::ports::provider_error::ProviderErrorKind;

use crate::{Own, denied};

/// How many reservations are raced.
const RACERS: usize = 8;

/// Tells the contract of a register of names.
pub async fn names(system: &dyn Names) {
    let own = Own::new();
    let pattern = own.name("contract") + "-{n}";
    let numbered = |n: usize| pattern.replace("{n}", &n.to_string());
    assert_eq!(system.preview(&pattern, 2).await.unwrap(), [numbered(1), numbered(2)]);

    let key = own.key("first");
    let first = system.reserve(&key, &pattern).await.unwrap();
    assert_eq!(first.name, numbered(1));
    assert!(first.fqdn.starts_with(&format!("{}.", first.name)), "{}", first.fqdn);
    assert_eq!(system.reserve(&key, &pattern).await.unwrap(), first, "the same key means the same name");
    assert_eq!(system.find(&key).await.unwrap().as_ref(), Some(&first));
    assert_eq!(system.lookup(&first.name).await.unwrap().as_ref(), Some(&first));
    assert_eq!(system.lookup(&numbered(9_999)).await.unwrap(), None);

    let taken = system.reserve(&own.key("taken"), &first.name).await;
    denied(taken, ProviderErrorKind::Refused, "a name that is taken is reserved");
    let stranger = system.release(&first.id, &own.key("stranger")).await;
    denied(stranger, ProviderErrorKind::NotOurs, "somebody else releases it");
    for wrong in ["", "Shop", "shop_db", "-shop", "shop-", "shöp", &"x".repeat(64)] {
        denied(system.reserve(&own.key("wrong"), wrong).await, ProviderErrorKind::Permanent, wrong);
    }

    no_two_racers_get_one_name(system, &own, &pattern).await;

    system.release(&first.id, &key).await.unwrap();
    system.release(&first.id, &key).await.unwrap();
    assert_eq!(system.find(&key).await.unwrap(), None);
    assert_eq!(system.lookup(&first.name).await.unwrap(), None);
    assert_eq!(system.preview(&pattern, 1).await.unwrap(), [numbered(1)], "a name that was released is free again");
}

async fn no_two_racers_get_one_name(system: &dyn Names, own: &Own, pattern: &str) {
    let keys: Vec<String> = (0..RACERS).map(|n| own.key(&format!("racer-{n}"))).collect();
    let held = futures::future::join_all(keys.iter().map(|key| system.reserve(key, pattern))).await;
    let held: Vec<_> = held.into_iter().map(|outcome| outcome.unwrap()).collect();
    let unlike = |what: fn(&domain::ports::names::NameReservation) -> &String| {
        held.iter().map(what).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((unlike(|one| &one.name), unlike(|one| &one.address)), (RACERS, RACERS));
    for one in &held {
        system.release(&one.id, &one.key).await.unwrap();
    }
}
