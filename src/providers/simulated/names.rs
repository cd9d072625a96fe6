//! The register of names and addresses.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::ports::datacenter::Operation;
use domain::ports::names::{NameReservation, Names};
use domain::ports::provider_error::ProviderError;

use super::world::World;
use super::{Datacenter, Done, not_ours};

/// The domain of every name.
const DOMAIN: &str = "dc1.example.org";
/// How far `{n}` counts.
const LAST_NUMBER: u32 = 9_999;

#[async_trait]
impl Names for Datacenter {
    async fn reserve(&self, key: &str, pattern: &str) -> Result<NameReservation, ProviderError> {
        let (key, wanted) = (key.to_owned(), pattern.to_owned());
        self.call(Operation::NameReserve, pattern, move |world, _| {
            if let Some(held) = by_key(world, &key) {
                return Ok(Done::unchanged(held.clone(), &held.id));
            }
            let name = free_names(world, &wanted, 1)?.remove(0);
            let held = NameReservation {
                id: format!("name-{}", world.next_number()),
                key,
                fqdn: format!("{name}.{DOMAIN}"),
                address: free_address(world, "10.20")?,
                name,
            };
            world.names.put(&held.id, held.clone());
            let note = format!("Reserved {} at {}.", held.fqdn, held.address);
            Ok(Done::changed(held.clone(), &held.id, note))
        })
        .await
    }

    async fn find(&self, key: &str) -> Result<Option<NameReservation>, ProviderError> {
        let wanted = key.to_owned();
        self.call(Operation::NameFind, key, move |world, _| Ok(Done::read(by_key(world, &wanted).cloned()))).await
    }

    async fn lookup(&self, name: &str) -> Result<Option<NameReservation>, ProviderError> {
        let wanted = name.to_owned();
        self.call(Operation::NameFind, name, move |world, _| {
            Ok(Done::read(world.names.values().find(|held| held.name == wanted).cloned()))
        })
        .await
    }

    async fn preview(&self, pattern: &str, count: usize) -> Result<Vec<String>, ProviderError> {
        let wanted = pattern.to_owned();
        self.change(move |world| free_names(world, &wanted, count)).await?
    }

    async fn release(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let (wanted, key) = (id.to_owned(), key.to_owned());
        self.call(Operation::NameRelease, id, move |world, _| {
            let Some(held) = world.names.get(&wanted) else { return Ok(Done::unchanged((), &wanted)) };
            if held.key != key {
                return Err(not_ours("name", &held.fqdn, &key));
            }
            let note = format!("Released {} and {}.", held.fqdn, held.address);
            world.names.remove(&wanted);
            Ok(Done::changed((), &wanted, note))
        })
        .await
    }
}

fn by_key<'w>(world: &'w World, key: &str) -> Option<&'w NameReservation> {
    world.names.values().find(|held| held.key == key)
}

/// The first `count` names of `pattern` that nobody holds.
fn free_names(world: &World, pattern: &str, count: usize) -> Result<Vec<String>, ProviderError> {
    check_pattern(pattern)?;
    let taken: BTreeSet<&str> = world.names.values().map(|held| held.name.as_str()).collect();
    if !pattern.contains("{n}") {
        if taken.contains(pattern) || count > 1 {
            return Err(ProviderError::refused(
                format!("The name {pattern} is taken."),
                "Choose another name, or retire what holds it.",
            ));
        }
        return Ok(vec![pattern.to_owned()]);
    }
    let numbered = (1..=LAST_NUMBER).map(|n| pattern.replace("{n}", &n.to_string()));
    let free: Vec<String> = numbered.filter(|name| !taken.contains(name.as_str())).take(count).collect();
    if free.len() < count {
        return Err(ProviderError::refused(
            format!("All {LAST_NUMBER} names of {pattern} are taken."),
            "Choose another pattern.",
        ));
    }
    Ok(free)
}

/// Only what may stand in the DNS may be reserved.
fn check_pattern(pattern: &str) -> Result<(), ProviderError> {
    let example = pattern.replace("{n}", "9999");
    let fits = (1..=63).contains(&example.len())
        && example.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !example.starts_with('-')
        && !example.ends_with('-');
    if fits {
        return Ok(());
    }
    Err(ProviderError::permanent(
        format!("`{pattern}` is no host name."),
        "Use lower-case letters, digits and hyphens, at most 63 in all.",
    ))
}

/// The lowest address below `prefix` that neither a name nor a pool holds.
pub(super) fn free_address(world: &World, prefix: &str) -> Result<String, ProviderError> {
    let names = world.names.values().map(|held| held.address.as_str());
    let pools = world.pools.values().map(|row| row.pool.address.as_str());
    let taken: BTreeSet<&str> = names.chain(pools).collect();
    let all = (0..=255).flat_map(|third| (1..=254).map(move |fourth| (third, fourth)));
    let mut addresses = all.map(|(third, fourth)| format!("{prefix}.{third}.{fourth}"));
    addresses.find(|address| !taken.contains(address.as_str())).ok_or_else(|| {
        ProviderError::refused(
            format!("No address is free in {prefix}.0.0/16."),
            "Retire what is no longer needed, or ask Network for another range.",
        )
    })
}
