//! Addresses: the plan (IPAM) that says which address of a network is whose.

use core::net::Ipv4Addr;

use async_trait::async_trait;

use super::provider_error::ProviderError;

/// A plan of addresses, from which machines get theirs.
#[async_trait]
pub trait Ipam: Send + Sync {
    /// Holds a free address under `key`; `fqdn` is noted beside it, for people.
    ///
    /// Repeated with the same key it answers with the address that the key holds. Refused when none is free.
    async fn allocate(&self, key: &str, fqdn: &str) -> Result<Ipv4Addr, ProviderError>;

    /// Gives back what `key` holds. Nothing held is no error; what carries another key is never touched.
    async fn release(&self, key: &str) -> Result<(), ProviderError>;
}
