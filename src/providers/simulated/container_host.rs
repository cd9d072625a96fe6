//! The container engines on machines that have the role `docker`.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::container_host::{ContainerHost, ContainerListing, EngineInfo};
use domain::ports::datacenter::Operation;
use domain::ports::provider_error::ProviderError;

use super::world::World;
use super::{Datacenter, Done, missing, pace, workloads};

/// How often it is seen whether other containers run: they follow from the time alone, so nothing tells it.
const LOOK: Duration = Duration::from_secs(2);

#[async_trait]
impl ContainerHost for Datacenter {
    async fn engine(&self, fqdn: &str) -> Result<EngineInfo, ProviderError> {
        let wanted = fqdn.to_owned();
        self.call(Operation::EngineInfo, fqdn, move |world, moment| {
            let (address, _) = engine_at(world, &wanted, moment.now)?;
            Ok(Done::read(EngineInfo {
                id: format!("{:016x}", pace::seed(&wanted)),
                endpoint: format!("tcp://{address}:2376"),
                host: wanted,
                version: "27.5.1".to_owned(),
                api_version: "1.47".to_owned(),
            }))
        })
        .await
    }

    async fn containers(&self, fqdn: &str) -> Result<ContainerListing, ProviderError> {
        let wanted = fqdn.to_owned();
        self.call(Operation::EngineList, fqdn, move |world, moment| {
            let (_, up_since) = engine_at(world, &wanted, moment.now)?;
            let mut containers = workloads::running_at(&wanted, up_since, moment.now);
            if moment.in_part {
                containers.truncate(containers.len() / 2);
            }
            Ok(Done::read(ContainerListing { containers, complete: !moment.in_part, asked_at: moment.now }))
        })
        .await
    }

    async fn changed(&self, fqdn: &str, since: DateTime<Utc>) -> Result<(), ProviderError> {
        loop {
            let (wanted, now) = (fqdn.to_owned(), self.clock.now());
            let changed = self.change(move |world| {
                let (_, up_since) = engine_at(world, &wanted, now)?;
                let running = |at| workloads::running_at(&wanted, up_since, at);
                Ok::<_, ProviderError>(running(since) != running(now))
            });
            if changed.await?? {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The address of the machine and since when its engine is up.
fn engine_at(world: &World, fqdn: &str, now: DateTime<Utc>) -> Result<(String, DateTime<Utc>), ProviderError> {
    let machine = world.machines.values().find(|machine| machine.fqdn == fqdn);
    let node = world.nodes.values().find(|node| node.certname == fqdn && node.role == "docker" && node.ends_at <= now);
    match (machine, node) {
        (Some(machine), Some(node)) => Ok((machine.address.clone(), node.ends_at)),
        _ => Err(missing("container engine on", fqdn)),
    }
}
