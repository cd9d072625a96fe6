//! Container spaces: a project's share of a pool of container hosts.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::provider_error::ProviderError;

/// What a space may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceQuota {
    /// Processors.
    pub cpu: u32,
    pub memory_gb: u32,
    pub containers: u32,
    pub storage_gb: u32,
}

/// What is wanted of a new space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceOrder {
    pub organisation: String,
    pub project: String,
    pub name: String,
    pub quota: SpaceQuota,
}

/// A space on its pool of hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    pub id: String,
    pub key: String,
    pub organisation: String,
    pub project: String,
    pub name: String,
    pub quota: SpaceQuota,
    /// Where its developers reach it.
    pub endpoint: String,
    /// The pool of container hosts that carries it.
    pub host_pool: String,
}

/// The platform that keeps spaces.
#[async_trait]
pub trait Spaces: Send + Sync {
    /// Makes a space. Repeated with the same key it answers with the space that carries it; refused when the name is
    /// taken in its project.
    async fn create(&self, key: &str, order: &SpaceOrder) -> Result<Space, ProviderError>;

    /// The space that carries `key`.
    async fn find(&self, key: &str) -> Result<Option<Space>, ProviderError>;

    /// Changes what the space may use.
    async fn set_quota(&self, id: &str, key: &str, quota: SpaceQuota) -> Result<Space, ProviderError>;

    /// Removes the space. Removing what is gone is no error; what carries another key is `NotOurs`.
    async fn delete(&self, id: &str, key: &str) -> Result<(), ProviderError>;
}
