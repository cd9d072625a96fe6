//! The built-in plan of addresses: a range of a network, kept in our own database.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use domain::address::AddressRange;
use domain::ports::ipam::Ipam;
use domain::ports::provider_error::ProviderError;
use store::{DbErr, Store};

use crate::fault;

/// Addresses that are given away from a range.
pub struct AddressPool {
    pub store: Store,
    /// What it is called in our database; pools of one name share their addresses.
    pub name: String,
    pub range: AddressRange,
}

#[async_trait]
impl Ipam for AddressPool {
    async fn allocate(&self, key: &str, fqdn: &str) -> Result<Ipv4Addr, ProviderError> {
        self.take(key, fqdn).await.map_err(fault::of_register)?.ok_or_else(|| {
            ProviderError::refused(
                format!("No address is free for {fqdn} in {} ({}).", self.name, self.range),
                "Retire what is no longer needed, or give the site a larger range.",
            )
        })
    }

    async fn release(&self, key: &str) -> Result<(), ProviderError> {
        let released = async {
            let tx = self.store.begin_step().await?;
            store::address::remove(&tx, &self.name, key).await?;
            tx.commit().await
        };
        released.await.map_err(fault::of_register)
    }
}

impl AddressPool {
    /// Takes the first free address; none when none is free.
    async fn take(&self, key: &str, fqdn: &str) -> Result<Option<Ipv4Addr>, DbErr> {
        let tx = self.store.begin_step().await?;
        store::address::alone(&tx, &self.name).await?;
        if let Some(held) = store::address::find_by_key(&tx, &self.name, key).await? {
            return Ok(Some(held));
        }
        let taken = store::address::taken(&tx, &self.name).await?;
        let Some(free) = self.range.free(&taken) else { return Ok(None) };
        store::address::insert(&tx, &self.name, free, key, fqdn).await?;
        tx.commit().await?;
        Ok(Some(free))
    }
}
