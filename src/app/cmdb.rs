//! The built-in CMDB as steps see it: it holds what they declared as soon as they are done.

use async_trait::async_trait;
use domain::ci::Lifecycle;
use domain::ids::DeploymentId;
use domain::person::Scope;
use domain::ports::cmdb::{Cmdb, Registered};
use domain::ports::provider_error::ProviderError;
use store::Store;
use store::ci::CiQuery;

/// The CMDB in our own database. CI changes commit with the step that declares them, so nothing is ever outstanding.
pub struct BuiltIn {
    pub store: Store,
}

#[async_trait]
impl Cmdb for BuiltIn {
    fn name(&self) -> &str {
        "The CMDB"
    }

    async fn registered(&self, deployment: DeploymentId) -> Result<Registered, ProviderError> {
        let of_it =
            CiQuery { deployment: Some(deployment), lifecycles: vec![Lifecycle::Operational], ..CiQuery::default() };
        let counted = store::ci::count(&self.store, &Scope::Everything, &of_it).await.map_err(|cause| {
            ProviderError::transient(format!("The CMDB did not answer: {cause}."), "It is asked again in a moment.")
        })?;
        Ok(Registered { cis: counted.number, outstanding: 0 })
    }
}
