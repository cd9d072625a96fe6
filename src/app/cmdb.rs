//! The CMDBs as steps see them: the built-in one holds what they declared as soon as they are done, the company's as
//! soon as they have acknowledged it.

use async_trait::async_trait;
use domain::ci::Lifecycle;
use domain::ids::DeploymentId;
use domain::person::Scope;
use domain::ports::cmdb::{Cmdb, Registered};
use domain::ports::provider_error::ProviderError;
use store::ci::CiQuery;
use store::{DbErr, Store};

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
        Ok(Registered { cis: operational(&self.store, deployment).await?, outstanding: 0 })
    }
}

/// One of the company's CMDBs as steps see it: it holds what it has acknowledged.
pub struct Carried {
    pub store: Store,
    /// The connector's name.
    pub connector: String,
}

#[async_trait]
impl Cmdb for Carried {
    fn name(&self) -> &str {
        &self.connector
    }

    async fn registered(&self, deployment: DeploymentId) -> Result<Registered, ProviderError> {
        let counted = store::connector::outstanding_of(&self.store, &self.connector, deployment).await;
        let (outstanding, said) = counted.map_err(away)?;
        if outstanding.dead > 0 {
            let (name, number) = (&self.connector, outstanding.dead);
            return Err(ProviderError::refused(
                format!("{name} does not take {number} of the deployment's CIs: {}", said.unwrap_or_default()),
                "Mend that, have them sent again on the operations page, then retry.",
            ));
        }
        let cis = operational(&self.store, deployment).await?.saturating_sub(outstanding.cis);
        Ok(Registered { cis, outstanding: outstanding.cis })
    }
}

/// CIs of the deployment that stand.
async fn operational(store: &Store, deployment: DeploymentId) -> Result<u64, ProviderError> {
    let of_it =
        CiQuery { deployment: Some(deployment), lifecycles: vec![Lifecycle::Operational], ..CiQuery::default() };
    Ok(store::ci::count(store, &Scope::Everything, &of_it).await.map_err(away)?.number)
}

fn away(cause: DbErr) -> ProviderError {
    ProviderError::transient(format!("The CMDB did not answer: {cause}."), "It is asked again in a moment.")
}
