//! Projects: where orders, quota and machines belong.

use serde::{Deserialize, Serialize};

use crate::ids::{OrganisationId, ProjectId};

/// A project of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub id: ProjectId,
    pub organisation: OrganisationId,
    /// The organisation's word, `northwind`.
    pub organisation_name: String,
    /// The word in addresses and settings, `shop`.
    pub name: String,
    pub title: String,
    /// Who answers for the project's applications unless an order says otherwise.
    pub team: String,
}
