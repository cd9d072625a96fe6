//! The ledger: every object ever intended on an outside system, and what became of it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{DeploymentId, ResourceId, RunId};

/// Where an object stands. A row lives as long as its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceState {
    /// Committed before the call; the object may or may not exist.
    Intended,
    /// The object exists and answers to its key.
    Live,
    /// The object was removed, or is proved never to have been made.
    Gone,
}

impl ResourceState {
    const ALL: [Self; 3] = [Self::Intended, Self::Live, Self::Gone];

    /// The word that the database uses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Live => "live",
            Self::Gone => "gone",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What an action is about to make, committed before the call that makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Idempotency key, stored on the outside object as well.
    pub key: String,
    /// What it is: `machine`, `name`, `pool`, `space`, `configuration`.
    pub kind: String,
    /// The outside system that holds it.
    pub provider: String,
    pub name: String,
}

/// What an object leans on once a step is done: the machines behind a pool. They outlive it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The key of the object, whichever step made it.
    pub key: String,
    /// The keys of everything that it leans on from now on.
    pub to: Vec<String>,
}

/// What a finished step changes in the ledger; committed with the step's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LedgerChange {
    /// The object with this key exists.
    Live { key: String, native_id: String, attributes: Value },
    /// The object with this key is gone.
    Gone { key: String },
}

impl LedgerChange {
    /// The key of the object that changed.
    pub fn key(&self) -> &str {
        let (Self::Live { key, .. } | Self::Gone { key }) = self;
        key
    }
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    pub id: ResourceId,
    pub deployment: DeploymentId,
    pub run: RunId,
    /// The key of the step that intended it, `node[1]`.
    pub step_key: String,
    pub key: String,
    pub kind: String,
    pub provider: String,
    pub name: String,
    pub native_id: Option<String>,
    pub attributes: Value,
    pub state: ResourceState,
    /// The rows that it was made on, which outlive it; nothing where that was not kept.
    pub made_on: Option<Vec<ResourceId>>,
    /// The rows that it leans on because a step tied it to them; they outlive it as well.
    pub tied_to: Vec<ResourceId>,
    pub intended_at: DateTime<Utc>,
    pub live_at: Option<DateTime<Utc>>,
    pub gone_at: Option<DateTime<Utc>>,
}

impl Resource {
    /// The rows that have to outlive it, as far as the ledger knows.
    pub fn leans_on(&self) -> impl Iterator<Item = ResourceId> {
        self.made_on.iter().flatten().chain(&self.tied_to).copied()
    }
}

/// Whether what this row stands for leans on one of these, directly or through others of the ledger.
pub fn leans_on_any(row: ResourceId, on: &[ResourceId], ledger: &[Resource]) -> bool {
    let mut seen = HashSet::from([row]);
    let mut open = vec![row];
    while let Some(next) = open.pop() {
        let below = ledger.iter().filter(|row| row.id == next).flat_map(Resource::leans_on);
        for id in below {
            if on.contains(&id) {
                return true;
            }
            if seen.insert(id) {
                open.push(id);
            }
        }
    }
    false
}
