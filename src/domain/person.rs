//! People, their roles, and what somebody who acts may see.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{OrganisationId, PersonId, ProjectId};

/// What a person may do, in a project or everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Orders, and acts on the project's deployments.
    Requester,
    /// May be named by an approval policy and decide.
    Approver,
    /// Sees every run and mends what is stuck.
    Operator,
    /// Reads everything, changes nothing.
    Auditor,
    /// Manages people, blueprints and settings.
    Administrator,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Requester, Self::Approver, Self::Operator, Self::Auditor, Self::Administrator];

    /// The word that settings, the API and the database use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// The role that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// The rows a person's queries are bounded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Everything,
    Projects(Vec<ProjectId>),
}

impl Scope {
    /// Whether a row of this project is within the scope.
    pub fn covers(&self, project: ProjectId) -> bool {
        match self {
            Self::Everything => true,
            Self::Projects(projects) => projects.contains(&project),
        }
    }

    /// What of the scope is in one project, when one is named; nothing of a project outside the scope.
    #[must_use]
    pub fn within(&self, project: Option<ProjectId>) -> Self {
        match project {
            Some(project) if self.covers(project) => Self::Projects(vec![project]),
            Some(_) => Self::Projects(Vec::new()),
            None => self.clone(),
        }
    }
}

/// Somebody who acts, with what he may do. Only a door that checked a credential makes one.
#[derive(Clone, Debug)]
pub struct Principal {
    pub person: PersonId,
    pub name: String,
    pub email: String,
    /// Groups that approval policies and responsibilities name.
    pub groups: BTreeSet<String>,
    /// Roles held on the whole platform.
    pub everywhere: BTreeSet<Role>,
    /// Roles held in single projects; a role in an organisation is held in each of its projects.
    pub by_project: BTreeMap<ProjectId, BTreeSet<Role>>,
}

impl Principal {
    /// Whether the person holds the role in this project, there or everywhere.
    pub fn has(&self, role: Role, project: ProjectId) -> bool {
        self.everywhere.contains(&role) || self.by_project.get(&project).is_some_and(|roles| roles.contains(&role))
    }

    /// Whether the person holds the role on the whole platform.
    pub fn has_everywhere(&self, role: Role) -> bool {
        self.everywhere.contains(&role)
    }

    /// What the person's queries are bounded to. Operators, auditors and administrators of the platform see all.
    pub fn scope(&self) -> Scope {
        let sees_all = [Role::Operator, Role::Auditor, Role::Administrator];
        if sees_all.iter().any(|role| self.everywhere.contains(role)) {
            Scope::Everything
        } else {
            Scope::Projects(self.by_project.keys().copied().collect())
        }
    }
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    /// Always in small letters; what the person signs in with.
    pub email: String,
    pub name: String,
    /// Somebody who left keeps his name in the history, and opens no door.
    pub active: bool,
    /// To whom an unanswered approval goes on.
    pub manager: Option<PersonId>,
    pub created_at: DateTime<Utc>,
}

/// A role and where it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub role: Role,
    pub place: Place,
}

/// Where a role is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Everywhere,
    /// In each project of the organisation, those made later as well.
    Organisation(OrganisationId),
    Project(ProjectId),
}
