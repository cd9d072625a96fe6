//! Configuration items: what the CMDB knows, who said so, and how it changes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A change to the CMDB that an action returns as data; it commits with the step.
///
/// CIs are named by `key`, the stable native key of what they describe (an idempotency key with a suffix, never a
/// name), so that a rename keeps the CI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum CiChange {
    /// The CI exists with these attributes; attributes that are not named keep their values.
    Declare { key: String, class: CiClass, name: String, attributes: Map<String, Value> },
    /// `from` stands in this relation to `to`; both are keys.
    Relate { from: String, relation: Relation, to: String },
    /// The relation ended.
    Unrelate { from: String, relation: Relation, to: String },
    /// What the CI describes is gone; the CI is retired, never deleted.
    Retire { key: String },
}

/// What a CI is: a subset of the Common Service Data Model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CiClass {
    BusinessApplication,
    ApplicationService,
    Server,
    VirtualMachine,
    LoadBalancerService,
    PoolMember,
    ApplicationServer,
    Database,
    ContainerEngine,
    ContainerSpace,
    Workload,
    Image,
    Cluster,
}

/// How one CI stands to another, read from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    RunsOn,
    HostedOn,
    DependsOn,
    Contains,
    Instantiates,
    MemberOf,
}
