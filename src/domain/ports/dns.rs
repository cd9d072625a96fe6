//! The DNS: where everybody looks up which address a name means, and which name an address has.

use core::net::Ipv4Addr;

use async_trait::async_trait;

use super::provider_error::ProviderError;

/// A name server that takes changes of its zones.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Makes `fqdn` mean `address`, and `address` have that name. Repeated it changes nothing.
    ///
    /// `NotOurs` when the name or the address is in the DNS already without our `key`: nothing foreign is ever
    /// overwritten. After any answer but a transient one, either all of it is published or nothing.
    async fn publish(&self, key: &str, fqdn: &str, address: Ipv4Addr) -> Result<(), ProviderError>;

    /// Takes back what [`Dns::publish`] made. What is gone is no error; what carries another key is `NotOurs`.
    async fn withdraw(&self, key: &str, fqdn: &str, address: Ipv4Addr) -> Result<(), ProviderError>;
}
