//! Typed ids, so that a run's id can never be passed where a request's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// One approver's open question at one level of a request.
    ApprovalId,
    /// A published or refused version of a blueprint.
    BlueprintId,
    /// A configuration item.
    CiId,
    /// What a fulfilled request leaves.
    DeploymentId,
    /// A finding as it is kept.
    FindingId,
    /// A mail in the outbox.
    MailId,
    /// A reservation of a host name.
    NameId,
    /// A tenant: the company or department that projects belong to.
    OrganisationId,
    /// A person with an account.
    PersonId,
    /// A project of an organisation: where orders, quota and machines belong.
    ProjectId,
    /// One reconcile of the ledger, the sources and the CMDB.
    ReconcileId,
    /// An order for a blueprint, or for an action on a deployment.
    RequestId,
    /// A row of the ledger: one object ever intended on an outside system.
    ResourceId,
    /// One execution of a workflow.
    RunId,
    /// A secret that was made for a deployment.
    SecretId,
    /// What a step asks people to do.
    TaskId,
    /// A bearer token for programs.
    TokenId,
}
