//! Where steps have secrets made that nobody but the deployment's people and machines may see. A step holds no more
//! than the reference.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::provider_error::ProviderError;
use crate::ids::{DeploymentId, ProjectId, RunId};
use crate::secret::Handover;

/// A secret that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretOrder {
    /// The idempotency key of the step.
    pub key: String,
    /// Where it takes the place of another: the key under which that was made at first.
    pub renews: Option<String>,
    pub run: RunId,
    pub deployment: DeploymentId,
    pub project: ProjectId,
    /// What people call it, "Database password".
    pub name: String,
    /// Until when it may be taken.
    pub until: DateTime<Utc>,
}

/// The safe in which secrets lie sealed.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Makes a password and seals it. Repeated with the same key it answers with what that key already has.
    async fn generate(&self, order: &SecretOrder) -> Result<Handover, ProviderError>;

    /// Deletes what `key` has sealed, and what took its place since, for ever. What is gone already is no error.
    async fn forget(&self, key: &str) -> Result<(), ProviderError>;
}
