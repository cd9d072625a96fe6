//! Names and addresses: the register (IPAM and DNS) that says which host name means which address.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::provider_error::ProviderError;

/// A host name with its address, held for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameReservation {
    pub id: String,
    pub key: String,
    /// The short name, e.g. `shop-test-1`.
    pub name: String,
    /// The name with its domain, e.g. `shop-test-1.dc1.example.org`.
    pub fqdn: String,
    /// The IPv4 address that the name stands for.
    pub address: String,
}

/// The register of names and addresses.
#[async_trait]
pub trait Names: Send + Sync {
    /// Holds the first free name of `pattern`, in which `{n}` counts from 1; without `{n}` the pattern is the name itself.
    ///
    /// Repeated with the same key it answers with what that key already holds. Refused when the name is taken.
    async fn reserve(&self, key: &str, pattern: &str) -> Result<NameReservation, ProviderError>;

    /// The reservation that carries `key`.
    async fn find(&self, key: &str) -> Result<Option<NameReservation>, ProviderError>;

    /// The reservation of the short name `name`.
    async fn lookup(&self, name: &str) -> Result<Option<NameReservation>, ProviderError>;

    /// The names that the next `count` reservations of `pattern` would get. Nothing is held by asking.
    async fn preview(&self, pattern: &str, count: usize) -> Result<Vec<String>, ProviderError>;

    /// Gives the name and its address back. Giving back what is gone is no error; what carries another key is `NotOurs`.
    async fn release(&self, id: &str, key: &str) -> Result<(), ProviderError>;
}
