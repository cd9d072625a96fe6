//! CMDBs: whether what a deployment's runs declared has arrived in each of them.

use async_trait::async_trait;

use super::provider_error::ProviderError;
use crate::ids::DeploymentId;

/// What a CMDB knows of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// CIs of the deployment that it holds and that are not retired.
    pub cis: u64,
    /// Changes that it has not acknowledged yet.
    pub outstanding: u64,
}

/// A CMDB, the built-in one included.
#[async_trait]
pub trait Cmdb: Send + Sync {
    /// What people call it.
    fn name(&self) -> &str;

    /// How much of the deployment has arrived.
    async fn registered(&self, deployment: DeploymentId) -> Result<Registered, ProviderError>;
}
