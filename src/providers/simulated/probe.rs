//! The probe: what a browser would see at an address inside the datacenter.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::balancer::MemberHealth;
use domain::ports::datacenter::Operation;
use domain::ports::probe::{Probe, ProbeAnswer};
use domain::ports::provider_error::ProviderError;

use super::world::World;
use super::{Datacenter, Done, balancer, configuration, missing, pace};

#[async_trait]
impl Probe for Datacenter {
    async fn get(&self, url: &str) -> Result<ProbeAnswer, ProviderError> {
        let wanted = url.to_owned();
        self.call(Operation::Probe, url, move |world, moment| {
            let (host, port) = parts(&wanted)?;
            let status = answer(world, &host, port, moment.now).ok_or_else(|| missing("service at", &wanted))?;
            Ok(Done::read(ProbeAnswer { status, millis: 4 + pace::seed(&(&wanted, moment.now)) % 40 }))
        })
        .await
    }
}

/// What the service at `host` says: 200, or 503 from a pool that has nobody to ask.
fn answer(world: &World, host: &str, port: u16, now: DateTime<Utc>) -> Option<u16> {
    let row = world.pools.values().find(|row| row.pool.address == host && row.pool.port == port);
    if let Some(row) = row {
        let healthy = balancer::seen(world, row, now).members.iter().any(|member| member.health == MemberHealth::Up);
        return Some(if healthy { 200 } else { 503 });
    }
    let machine = world.machines.values().find(|machine| machine.address == host || machine.fqdn == host)?;
    configuration::serves(world, &machine.address, port, now).then_some(200)
}

/// Host and port of a URL.
fn parts(url: &str) -> Result<(String, u16), ProviderError> {
    let (usual_port, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (80, rest),
        (_, Some(rest)) => (443, rest),
        _ => return Err(no_url(url)),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) => Ok((host.to_owned(), port.parse().map_err(|_| no_url(url))?)),
        None if authority.is_empty() => Err(no_url(url)),
        None => Ok((authority.to_owned(), usual_port)),
    }
}

fn no_url(url: &str) -> ProviderError {
    ProviderError::permanent(format!("`{url}` is no web address."), "Give one such as http://10.21.0.1:8080/.")
}
