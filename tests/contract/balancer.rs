//! Load balancers.

use domain::ports::balancer::{Balancer, MemberHealth, MemberOrder, Pool, PoolOrder};
use domain::ports::provider_error::ProviderErrorKind;

use crate::{Own, denied, seen};

/// Tells the contract of a load balancer. `members` are three machines that answer `GET /` at `port`.
pub async fn balancer(system: &dyn Balancer, members: [MemberOrder; 3], port: u16) {
    let own = Own::new();
    let (key, foreign) = (own.key("pool"), own.key("somebody-elses"));
    let [one, two, three] = members;
    let order = PoolOrder { name: own.name("contract"), port, check: "GET /".to_owned(), members: vec![one, two] };
    assert_eq!(system.find(&key).await.unwrap(), None);

    let pool = system.create(&key, &order).await.unwrap();
    assert_eq!((&pool.key, &pool.name, pool.port), (&key, &order.name, port));
    assert!(!pool.address.is_empty());
    assert_eq!(system.create(&key, &order).await.unwrap().id, pool.id, "the same key means the same pool");
    assert_eq!(system.find(&key).await.unwrap().map(|found| found.id), Some(pool.id.clone()));
    all_up(system, &pool, 2).await;

    denied(system.create(&foreign, &order).await, ProviderErrorKind::Refused, "a name that is taken is ordered");
    let changed = system.set_members(&pool.id, &foreign, &order.members).await;
    denied(changed, ProviderErrorKind::NotOurs, "somebody else changes its members");
    denied(system.delete(&pool.id, &foreign).await, ProviderErrorKind::NotOurs, "somebody else deletes it");

    let later = [order.members[1].clone(), three];
    system.set_members(&pool.id, &key, &later).await.unwrap();
    only_these_serve(system, &pool, &key, &later).await;

    system.delete(&pool.id, &key).await.unwrap();
    system.delete(&pool.id, &key).await.unwrap();
    assert_eq!(system.find(&key).await.unwrap(), None);
    denied(system.describe(&pool.id).await, ProviderErrorKind::NotFound, "a pool that is gone is described");
}

async fn all_up(system: &dyn Balancer, pool: &Pool, members: usize) {
    seen("all members are up", async || {
        let now = system.describe(&pool.id).await?;
        let up = now.members.iter().filter(|member| member.health == MemberHealth::Up).count();
        Ok((up == members).then_some(()))
    })
    .await;
}

/// Those that leave drain first; asking again is how the drain goes on.
async fn only_these_serve(system: &dyn Balancer, pool: &Pool, key: &str, wanted: &[MemberOrder]) {
    seen("only the wanted members serve", async || {
        let now = system.set_members(&pool.id, key, wanted).await?;
        let mut names: Vec<&str> = now.members.iter().map(|member| member.name.as_str()).collect();
        let mut expected: Vec<&str> = wanted.iter().map(|member| member.name.as_str()).collect();
        names.sort_unstable();
        expected.sort_unstable();
        Ok((names == expected).then_some(()))
    })
    .await;
    all_up(system, pool, wanted.len()).await;
}
