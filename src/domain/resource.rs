//! The ledger: every object ever intended on an outside system, and what became of it.

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

/// What a finished step changes in the ledger; committed with the step's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LedgerChange {
    /// The object with this key exists.
    Live { key: String, native_id: String, attributes: Value },
    /// The object with this key is gone.
    Gone { key: String },
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
    pub intended_at: DateTime<Utc>,
    pub live_at: Option<DateTime<Utc>>,
    pub gone_at: Option<DateTime<Utc>>,
}
