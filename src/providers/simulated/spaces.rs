//! The platform that keeps container spaces.

use async_trait::async_trait;
use domain::ports::datacenter::Operation;
use domain::ports::provider_error::ProviderError;
use domain::ports::spaces::{Space, SpaceOrder, SpaceQuota, Spaces};

use super::world::World;
use super::{Datacenter, Done, missing, not_ours};

const ENDPOINT: &str = "tcp://spaces.dc1.example.org:2375/spaces";
const HOST_POOL: &str = "container-hosts-1";

#[async_trait]
impl Spaces for Datacenter {
    async fn create(&self, key: &str, order: &SpaceOrder) -> Result<Space, ProviderError> {
        let (key, wanted) = (key.to_owned(), order.clone());
        self.call(Operation::SpaceCreate, &order.name, move |world, _| {
            if let Some(space) = by_key(world, &key) {
                return Ok(Done::unchanged(space.clone(), &space.id));
            }
            let space = new_space(world, key, wanted)?;
            world.spaces.put(&space.id, space.clone());
            let note = format!("Space {} / {} / {} is open.", space.organisation, space.project, space.name);
            Ok(Done::changed(space.clone(), &space.id, note))
        })
        .await
    }

    async fn find(&self, key: &str) -> Result<Option<Space>, ProviderError> {
        let wanted = key.to_owned();
        self.call(Operation::SpaceFind, key, move |world, _| Ok(Done::read(by_key(world, &wanted).cloned()))).await
    }

    async fn set_quota(&self, id: &str, key: &str, quota: SpaceQuota) -> Result<Space, ProviderError> {
        let (wanted, key) = (id.to_owned(), key.to_owned());
        self.call(Operation::SpaceQuota, id, move |world, _| {
            let space = world.spaces.get(&wanted).ok_or_else(|| missing("space", &wanted))?;
            if space.key != key {
                return Err(not_ours("space", &space.name, &key));
            }
            let space = Space { quota, ..space.clone() };
            world.spaces.put(&wanted, space.clone());
            let note = format!("Space {} may use {} CPU and {} GB.", space.name, quota.cpu, quota.memory_gb);
            Ok(Done::changed(space, &wanted, note))
        })
        .await
    }

    async fn delete(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let (wanted, key) = (id.to_owned(), key.to_owned());
        self.call(Operation::SpaceDelete, id, move |world, _| {
            let Some(space) = world.spaces.get(&wanted) else { return Ok(Done::unchanged((), &wanted)) };
            if space.key != key {
                return Err(not_ours("space", &space.name, &key));
            }
            let note = format!("Closed space {}.", space.name);
            world.spaces.remove(&wanted);
            Ok(Done::changed((), &wanted, note))
        })
        .await
    }
}

fn by_key<'w>(world: &'w World, key: &str) -> Option<&'w Space> {
    world.spaces.values().find(|space| space.key == key)
}

fn new_space(world: &mut World, key: String, order: SpaceOrder) -> Result<Space, ProviderError> {
    let same_place = |space: &Space| space.organisation == order.organisation && space.project == order.project;
    if world.spaces.values().any(|space| same_place(space) && space.name == order.name) {
        return Err(ProviderError::refused(
            format!("Project {} has a space {} already.", order.project, order.name),
            "Choose another name, or use the space that is there.",
        ));
    }
    Ok(Space {
        id: format!("space-{}", world.next_number()),
        key,
        endpoint: format!("{ENDPOINT}/{}/{}/{}", order.organisation, order.project, order.name),
        organisation: order.organisation,
        project: order.project,
        name: order.name,
        quota: order.quota,
        host_pool: HOST_POOL.to_owned(),
    })
}
