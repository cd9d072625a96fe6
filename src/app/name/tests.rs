//! The register on a database of its own, with a DNS that is played.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::address::AddressRange;
use test_database::TestDatabase;

use super::*;
use crate::address::AddressPool;

/// A zone that knows whose each name is.
#[derive(Default)]
struct Zone {
    names: Mutex<BTreeMap<String, String>>,
    /// What it answers instead of doing anything.
    refusal: Mutex<Option<ProviderError>>,
}

impl Zone {
    fn names(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self, refusal: Option<ProviderError>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }

    fn check(&self, key: &str, fqdn: &str) -> Result<(), ProviderError> {
        if let Some(refusal) = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(refusal);
        }
        match self.names().get(fqdn) {
            Some(owner) if owner != key => Err(ProviderError::not_ours(format!("{fqdn} is {owner}'s."), "Ask.")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Dns for Zone {
    async fn publish(&self, key: &str, fqdn: &str, _: Ipv4Addr) -> Result<(), ProviderError> {
        self.check(key, fqdn)?;
        self.names().insert(fqdn.to_owned(), key.to_owned());
        Ok(())
    }

    async fn withdraw(&self, key: &str, fqdn: &str, _: Ipv4Addr) -> Result<(), ProviderError> {
        self.check(key, fqdn)?;
        self.names().remove(fqdn);
        Ok(())
    }
}

struct Site {
    register: Arc<Register>,
    zone: Arc<Zone>,
    _database: TestDatabase,
}

/// A site whose range has room for so many addresses.
async fn site(addresses: u8) -> Site {
    let database = TestDatabase::create().await;
    let store = Store::open(database.address()).await.expect("a new database opens");
    let zone = Arc::new(Zone::default());
    let range = format!("10.20.0.1-10.20.0.{addresses}");
    let range = AddressRange::within("10.20.0.0/24", Some(&range), &[]).expect("a range");
    let register = Arc::new(Register {
        store: store.clone(),
        name: "dc1".to_owned(),
        policy: NamingPolicy::new("dc1.example.org", None).expect("a policy"),
        ipam: Arc::new(AddressPool { store, name: "dc1".to_owned(), range }),
        dns: Some(zone.clone()),
    });
    Site { register, zone, _database: database }
}

#[tokio::test]
async fn no_two_orders_get_one_name_or_one_address_however_they_race() {
    let site = site(60).await;
    let orders = (0..60).map(|order| {
        let register = site.register.clone();
        tokio::spawn(async move { register.reserve(&format!("order-{order}"), "shop-{n}").await })
    });
    let mut held = Vec::new();
    for order in orders.collect::<Vec<_>>() {
        held.push(order.await.expect("it ends").expect("there is room for all"));
    }
    let names: HashSet<&str> = held.iter().map(|one| one.name.as_str()).collect();
    let addresses: HashSet<&str> = held.iter().map(|one| one.address.as_str()).collect();
    assert_eq!((names.len(), addresses.len()), (60, 60));
    assert_eq!(site.zone.names().len(), 60);
}

#[tokio::test]
async fn the_register_keeps_the_contract_of_names() {
    test_contract::names(&*site(20).await.register).await;
}

#[tokio::test]
async fn whoever_asks_again_gets_what_he_has() {
    let site = site(9).await;
    let first = site.register.reserve("order-1", "shop-{n}").await.expect("there is room");
    let again = site.register.reserve("order-1", "shop-{n}").await.expect("it has one");
    assert_eq!(again, first);
    assert_eq!(site.register.find("order-1").await, Ok(Some(first.clone())));
    assert_eq!(site.register.lookup("shop-1").await, Ok(Some(first)));
    assert_eq!(site.register.lookup("shop-2").await, Ok(None));
    assert_eq!(site.register.preview("shop-{n}", 2).await, Ok(vec!["shop-2".to_owned(), "shop-3".to_owned()]));
    let taken = site.register.reserve("order-2", "shop-1").await.expect_err("it is taken");
    assert_eq!(taken.kind, ProviderErrorKind::Refused);
}

#[tokio::test]
async fn what_is_given_back_is_free_again_and_only_its_holder_gives_it_back() {
    let site = site(1).await;
    let held = site.register.reserve("order-1", "shop-{n}").await.expect("there is room");
    let refused = site.register.release(&held.id, "order-2").await.expect_err("it is another's");
    assert_eq!(refused.kind, ProviderErrorKind::NotOurs);
    for _ in 0..2 {
        site.register.release(&held.id, "order-1").await.expect("it is given back, and once only");
    }
    assert!(site.zone.names().is_empty());
    let next = site.register.reserve("order-2", "shop-{n}").await.expect("there is room again");
    assert_eq!((next.name, next.address), (held.name, held.address));
}

#[tokio::test]
async fn a_full_range_refuses_and_holds_no_name() {
    let site = site(1).await;
    site.register.reserve("order-1", "shop-{n}").await.expect("there is room");
    let full = site.register.reserve("order-2", "shop-{n}").await.expect_err("there is none");
    assert_eq!(full.kind, ProviderErrorKind::Refused);
    assert!(full.what.contains("No address is free for shop-2.dc1.example.org in dc1"), "{full}");
    assert_eq!(site.register.preview("shop-{n}", 1).await, Ok(vec!["shop-2".to_owned()]));
    assert_eq!(site.register.find("order-2").await, Ok(None));
}

#[tokio::test]
async fn a_zone_that_is_away_for_a_while_keeps_the_name_and_one_that_refuses_frees_it() {
    let site = site(9).await;
    site.zone.answers(Some(ProviderError::transient("The DNS is away.", "It is asked again.")));
    let away = site.register.reserve("order-1", "shop-{n}").await.expect_err("it is away");
    assert_eq!(away.kind, ProviderErrorKind::Transient);
    assert_eq!(site.register.preview("shop-{n}", 1).await, Ok(vec!["shop-2".to_owned()]));
    site.zone.answers(None);
    let held = site.register.find("order-1").await.expect("it is back").expect("it was completed");
    assert_eq!((held.name.as_str(), site.zone.names().len()), ("shop-1", 1));

    site.zone.answers(Some(ProviderError::refused("The zone takes no changes.", "Ask its owner.")));
    let refused = site.register.reserve("order-2", "shop-{n}").await.expect_err("it refuses");
    assert!(refused.what.contains("takes no changes"), "{refused}");
    assert_eq!(site.register.find("order-2").await, Ok(None));
    assert_eq!(site.register.preview("shop-{n}", 1).await, Ok(vec!["shop-2".to_owned()]));
}

#[tokio::test]
async fn a_name_that_is_in_the_dns_without_being_ours_is_passed_over_and_left_alone() {
    let site = site(9).await;
    site.zone.names().insert("shop-1.dc1.example.org".to_owned(), "somebody".to_owned());
    let held = site.register.reserve("order-1", "shop-{n}").await.expect("there are others");
    assert_eq!((held.name.as_str(), held.address.as_str()), ("shop-2", "10.20.0.1"));
    let foreign = site.register.reserve("order-2", "shop-1").await.expect_err("that very name is somebody's");
    assert_eq!(foreign.kind, ProviderErrorKind::NotOurs);
    assert_eq!(site.zone.names()["shop-1.dc1.example.org"], "somebody");
}
