//! The controls of the datacenter, for its page and for tests.

use async_trait::async_trait;
use domain::ports::datacenter::{ArmedFault, DatacenterControls, Deed, Fault, Operation, Overview, Pace};
use domain::ports::provider_error::ProviderError;

use super::{Datacenter, deeds, machines};

#[async_trait]
impl DatacenterControls for Datacenter {
    async fn overview(&self) -> Result<Overview, ProviderError> {
        let now = self.clock.now();
        self.change(move |world| Overview {
            hosts: machines::host_loads(world),
            objects: world.objects(),
            machines: machines::by_name(world, now),
            pace: world.pace(),
            faults: world.faults(),
            activity: world.activity(),
        })
        .await
    }

    async fn set_pace(&self, pace: Pace) -> Result<(), ProviderError> {
        self.change(move |world| world.set_pace(pace)).await
    }

    async fn arm(&self, operation: Operation, fault: Fault, times: Option<u32>) -> Result<ArmedFault, ProviderError> {
        self.change(move |world| world.arm(operation, fault, times)).await
    }

    async fn clear(&self, fault: u64) -> Result<(), ProviderError> {
        self.change(move |world| world.clear_fault(fault)).await
    }

    async fn by_hand(&self, machine: &str, deed: Deed, by: &str) -> Result<(), ProviderError> {
        let (machine, by, now) = (machine.to_owned(), by.to_owned(), self.clock.now());
        self.change(move |world| deeds::carry_out(world, &machine, deed, &by, now)).await?
    }
}
