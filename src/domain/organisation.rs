//! Tenants: the companies or departments that projects belong to.

use serde::{Deserialize, Serialize};

use crate::ids::OrganisationId;

/// A tenant. Nobody of one organisation sees anything of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    pub id: OrganisationId,
    /// The word in addresses and settings, `northwind`.
    pub name: String,
    pub title: String,
}
