//! Configuration items: what the CMDB knows, who said so, and how it changes.
//!
//! [`class`] says what each class is expected to tell and how classes may relate, [`delta`] turns declared changes
//! into the rows to write (none, when nothing is new), [`past`] answers what was true at an earlier instant.

pub mod class;
pub mod delta;
pub mod past;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{CiId, DeploymentId, ProjectId, RunId};
use crate::reading::{Meaning, Reading};

/// A change to the CMDB that an action returns as data; it commits with the step.
///
/// CIs are named by `key`, the stable native key of what they describe (an idempotency key with a suffix, never a
/// name), so that a rename keeps the CI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum CiChange {
    /// The CI exists and is operational, with these attributes; attributes that are not named keep their values, one
    /// that is `null` loses it. A retired CI comes back to life.
    Declare { key: String, class: CiClass, name: String, attributes: Map<String, Value> },
    /// The CI is not operational yet (or not any more), but stands at this point of its life.
    Stage { key: String, lifecycle: Lifecycle },
    /// `from` stands in this relation to `to`; both are keys.
    Relate { from: String, relation: Relation, to: String },
    /// The relation ended.
    Unrelate { from: String, relation: Relation, to: String },
    /// What the CI describes is gone; the CI is retired, never deleted.
    Retire { key: String },
}

impl CiChange {
    /// The keys of the CIs that the change touches.
    pub fn keys(&self) -> Vec<&str> {
        match self {
            Self::Declare { key, .. } | Self::Stage { key, .. } | Self::Retire { key } => vec![key],
            Self::Relate { from, to, .. } | Self::Unrelate { from, to, .. } => vec![from, to],
        }
    }
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

/// Where a CI stands in its life. It is retired, never deleted: tickets and audits point at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    Planned,
    Building,
    Operational,
    Retired,
}

impl Lifecycle {
    /// How it reads, to people and to programs.
    pub const fn reads(self) -> Reading {
        let (label, meaning) = match self {
            Self::Planned => ("Planned", Meaning::Idle),
            Self::Building => ("Building", Meaning::Running),
            Self::Operational => ("Operational", Meaning::Done),
            Self::Retired => ("Retired", Meaning::Idle),
        };
        Reading::new(self.word(), label, meaning)
    }
}

/// Who said what the CMDB knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A step of a run, in the same transaction as its result.
    Workflow,
    /// A container engine's answer to what runs on it.
    ContainerReport,
    /// A hypervisor's answer to which machines stand there.
    MachineReport,
    /// Made up, for measurements and demonstrations.
    Sample,
}

/// Why changes are written: who said so, for which deployment and run, who answers for what is new, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    pub source: Source,
    /// The project that new CIs belong to.
    pub project: ProjectId,
    pub deployment: Option<DeploymentId>,
    pub run: Option<RunId>,
    /// The key of the step, `node[1]`.
    pub step: Option<String>,
    /// The group that answers for the platform.
    pub platform: Option<String>,
    /// The team that answers for the application.
    pub application: Option<String>,
    pub at: DateTime<Utc>,
}

/// A CI without its attributes' sources: what lists and reports show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ci {
    pub id: CiId,
    pub key: String,
    pub class: CiClass,
    pub name: String,
    pub lifecycle: Lifecycle,
    pub project: ProjectId,
    pub deployment: Option<DeploymentId>,
    /// The group that answers for the platform.
    pub platform: Option<String>,
    /// The team that answers for the application.
    pub application: Option<String>,
    /// Required attributes that nobody has told yet, by name.
    pub gaps: Vec<String>,
    /// Attributes whose value is not of the expected kind, by name.
    pub misfits: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub retired_at: Option<DateTime<Utc>>,
}

/// One thing known of a CI, with who said so and when: when it changed, or was last told again and put down as such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    pub value: Value,
    pub source: Source,
    pub run: Option<RunId>,
    pub step: Option<String>,
    pub at: DateTime<Utc>,
}

/// The attributes of a CI by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// What part of a CI an entry of its history is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// The CI came to be; `after` holds all of it.
    Created,
    /// Its name, lifecycle, responsibles: the `field` is the name in [`Ci`].
    Core,
    /// An attribute.
    Attribute,
    /// A relation from this CI; the value is the other CI's name.
    Relation,
    /// Something that others made of what it describes; the `field` is the word of a finding.
    Finding,
}

/// One entry of a CI's history, written once and never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub ci: CiId,
    pub at: DateTime<Utc>,
    pub aspect: Aspect,
    pub field: String,
    pub before: Value,
    pub after: Value,
    pub source: Source,
    pub run: Option<RunId>,
    pub step: Option<String>,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal, $title:literal);+ $(;)? }) => {
        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word that the database, addresses and the API use.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What people read.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            /// What a word means.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.word() == word)
            }
        }
    };
}

words!(CiClass {
    BusinessApplication = "business_application", "Business application";
    ApplicationService = "application_service", "Application service";
    Server = "server", "Server";
    VirtualMachine = "virtual_machine", "Machine";
    LoadBalancerService = "load_balancer_service", "Load balancer service";
    PoolMember = "pool_member", "Pool member";
    ApplicationServer = "application_server", "Application server";
    Database = "database", "Database";
    ContainerEngine = "container_engine", "Container engine";
    ContainerSpace = "container_space", "Container space";
    Workload = "workload", "Workload";
    Image = "image", "Image";
    Cluster = "cluster", "Cluster";
});

words!(Relation {
    RunsOn = "runs_on", "runs on";
    HostedOn = "hosted_on", "hosted on";
    DependsOn = "depends_on", "depends on";
    Contains = "contains", "contains";
    Instantiates = "instantiates", "instance of";
    MemberOf = "member_of", "member of";
});

words!(Lifecycle {
    Planned = "planned", "Planned";
    Building = "building", "Building";
    Operational = "operational", "Operational";
    Retired = "retired", "Retired";
});

words!(Source {
    Workflow = "workflow", "Workflow step";
    ContainerReport = "container_report", "Container report";
    MachineReport = "machine_report", "Machine report";
    Sample = "sample", "Sample data";
});

words!(Aspect {
    Created = "created", "Registered";
    Core = "core", "Record";
    Attribute = "attribute", "Attribute";
    Relation = "relation", "Relation";
    Finding = "finding", "Finding";
});
