//! The load balancer: pools with an address of their own and members whose health follows their machines.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::balancer::{Balancer, MemberHealth, MemberOrder, Pool, PoolMember, PoolOrder};
use domain::ports::datacenter::Operation;
use domain::ports::provider_error::ProviderError;

use super::pace::Moment;
use super::world::{PoolRow, World};
use super::{Datacenter, Done, configuration, missing, names, not_ours};

/// Where the addresses of pools come from.
const VIRTUAL_ADDRESSES: &str = "10.21";
/// Seconds that a member usually drains.
const DRAIN_SECONDS: f64 = 5.0;

#[async_trait]
impl Balancer for Datacenter {
    async fn create(&self, key: &str, order: &PoolOrder) -> Result<Pool, ProviderError> {
        let (key, wanted) = (key.to_owned(), order.clone());
        self.call(Operation::PoolCreate, &order.name, move |world, moment| {
            if let Some(row) = by_key(world, &key) {
                return Ok(Done::unchanged(seen(world, row, moment.now), &row.pool.id));
            }
            let row = PoolRow { pool: new_pool(world, key, wanted)?, leaving: Vec::new() };
            let pool = seen(world, &row, moment.now);
            world.pools.put(&pool.id, row);
            let note = format!(
                "Pool {} answers at {}:{} for {} members.",
                pool.name,
                pool.address,
                pool.port,
                pool.members.len()
            );
            Ok(Done::changed(pool.clone(), &pool.id, note))
        })
        .await
    }

    async fn find(&self, key: &str) -> Result<Option<Pool>, ProviderError> {
        let wanted = key.to_owned();
        self.call(Operation::PoolFind, key, move |world, moment| {
            Ok(Done::read(by_key(world, &wanted).map(|row| seen(world, row, moment.now))))
        })
        .await
    }

    async fn describe(&self, id: &str) -> Result<Pool, ProviderError> {
        let wanted = id.to_owned();
        self.call(Operation::PoolFind, id, move |world, moment| {
            let row = world.pools.get(&wanted).ok_or_else(|| missing("pool", &wanted))?;
            Ok(Done::read(seen(world, row, moment.now)))
        })
        .await
    }

    async fn set_members(&self, id: &str, key: &str, members: &[MemberOrder]) -> Result<Pool, ProviderError> {
        let (wanted, key, members) = (id.to_owned(), key.to_owned(), members.to_vec());
        self.call(Operation::PoolMembers, id, move |world, moment| {
            let row = world.pools.get(&wanted).ok_or_else(|| missing("pool", &wanted))?;
            if row.pool.key != key {
                return Err(not_ours("pool", &row.pool.name, &key));
            }
            let row = with_members(row, &members, moment);
            let (pool, leaving) = (seen(world, &row, moment.now), row.leaving.len());
            world.pools.put(&wanted, row);
            let note =
                format!("Pool {} has {} members, {leaving} of them draining.", pool.name, members.len() + leaving);
            Ok(Done::changed(pool, &wanted, note))
        })
        .await
    }

    async fn delete(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let (wanted, key) = (id.to_owned(), key.to_owned());
        self.call(Operation::PoolDelete, id, move |world, _| {
            let Some(row) = world.pools.get(&wanted) else { return Ok(Done::unchanged((), &wanted)) };
            if row.pool.key != key {
                return Err(not_ours("pool", &row.pool.name, &key));
            }
            let note = format!("Removed pool {} and its address {}.", row.pool.name, row.pool.address);
            world.pools.remove(&wanted);
            Ok(Done::changed((), &wanted, note))
        })
        .await
    }
}

fn by_key<'w>(world: &'w World, key: &str) -> Option<&'w PoolRow> {
    world.pools.values().find(|row| row.pool.key == key)
}

fn new_pool(world: &mut World, key: String, order: PoolOrder) -> Result<Pool, ProviderError> {
    if world.pools.values().any(|row| row.pool.name == order.name) {
        return Err(ProviderError::refused(
            format!("A pool {} stands already and is not ours.", order.name),
            "Choose another name, or find out whose it is.",
        ));
    }
    Ok(Pool {
        id: format!("pool-{}", world.next_number()),
        key,
        name: order.name,
        address: names::free_address(world, VIRTUAL_ADDRESSES)?,
        port: order.port,
        check: order.check,
        members: order.members.into_iter().map(newcomer).collect(),
    })
}

/// A member whose health nobody has looked at yet.
fn newcomer(member: MemberOrder) -> PoolMember {
    PoolMember { name: member.name, address: member.address, health: MemberHealth::Down }
}

/// The pool with these members; whoever is no longer among them drains.
fn with_members(row: &PoolRow, members: &[MemberOrder], moment: &Moment) -> PoolRow {
    let stays = |name: &str| members.iter().any(|member| member.name == name);
    let mut leaving: Vec<(String, DateTime<Utc>)> =
        row.leaving.iter().filter(|(name, gone_at)| !stays(name) && *gone_at > moment.now).cloned().collect();
    let mut all: Vec<PoolMember> = members.iter().cloned().map(newcomer).collect();
    for member in row.pool.members.iter().filter(|member| !stays(&member.name)) {
        let known = row.leaving.iter().any(|(name, _)| *name == member.name);
        if !known {
            leaving.push((member.name.clone(), moment.after(DRAIN_SECONDS)));
        }
        if leaving.iter().any(|(name, _)| *name == member.name) {
            all.push(member.clone());
        }
    }
    PoolRow { pool: Pool { members: all, ..row.pool.clone() }, leaving }
}

/// The pool as it is at `now`: drained members are gone, the others are as healthy as their machines.
pub(super) fn seen(world: &World, row: &PoolRow, now: DateTime<Utc>) -> Pool {
    let look = |member: &PoolMember| {
        let leaves_at = row.leaving.iter().find(|(name, _)| *name == member.name).map(|(_, at)| *at);
        let health = match leaves_at {
            Some(at) if at <= now => return None,
            Some(_) => MemberHealth::Draining,
            None if configuration::serves(world, &member.address, row.pool.port, now) => MemberHealth::Up,
            None => MemberHealth::Down,
        };
        Some(PoolMember { health, ..member.clone() })
    };
    Pool { members: row.pool.members.iter().filter_map(look).collect(), ..row.pool.clone() }
}
