//! The controls of a simulated datacenter: how quick it is, what shall fail, and what happened in it.
//!
//! A demo and the tests use them; a real datacenter has none.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::machines::Machine;
use super::provider_error::ProviderError;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$item_doc])* #[serde(rename = $word)] $item),+
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$item),+];

            /// The word that forms, files and pages use.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$item => $word),+ }
            }

            /// What a word means.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|item| item.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What can be asked of the datacenter.
    Operation {
        NameReserve = "name.reserve",
        NameFind = "name.find",
        NameRelease = "name.release",
        MachineCreate = "machine.create",
        MachineFind = "machine.find",
        MachineList = "machine.list",
        MachineDestroy = "machine.destroy",
        ConfigurationApply = "configuration.apply",
        ConfigurationFind = "configuration.find",
        ConfigurationPurge = "configuration.purge",
        PoolCreate = "pool.create",
        PoolFind = "pool.find",
        PoolMembers = "pool.members",
        PoolDelete = "pool.delete",
        SpaceCreate = "space.create",
        SpaceFind = "space.find",
        SpaceQuota = "space.quota",
        SpaceDelete = "space.delete",
        EngineInfo = "engine.info",
        EngineList = "engine.list",
        Probe = "probe.get",
    }
}

words! {
    /// What can go wrong.
    Fault {
        /// It says no.
        Refuse = "refuse",
        /// It does nothing and never answers.
        TimeOut = "time-out",
        /// It does the work, and the answer is lost.
        LoseAnswer = "lose-answer",
        /// It does the work and answers, and the object vanishes.
        LoseObject = "lose-object",
        /// It takes ten times as long.
        SlowDown = "slow-down",
        /// It answers with a part of the truth (listings only).
        AnswerInPart = "answer-in-part",
    }
}

words! {
    /// What somebody may do to a machine in the datacenter itself, past Gatehouse.
    Deed {
        SwitchOff = "switch-off",
        SwitchOn = "switch-on",
        /// Calls it something else.
        Rename = "rename",
        /// Takes a snapshot and keeps it.
        TakeSnapshot = "take-snapshot",
        /// Removes the snapshots that are kept.
        RemoveSnapshots = "remove-snapshots",
        Delete = "delete",
    }
}

/// A fault that waits for its operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmedFault {
    pub id: u64,
    pub operation: Operation,
    pub fault: Fault,
    /// How often it strikes yet; `None`: until it is cleared.
    pub left: Option<u32>,
}

/// How quick the datacenter is, as factors on realistic times: 1 is as in a demo, 0 is at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// On the time until a call is answered.
    pub answers: f64,
    /// On the time that work goes on behind an answer: cloning, configuration runs, draining.
    pub work: f64,
    /// Factors of single operations, on top of the other two.
    pub operations: Vec<(Operation, f64)>,
}

/// Something that happened in the datacenter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    pub at: DateTime<Utc>,
    /// What was asked of the datacenter; nothing for what somebody did there by hand.
    pub operation: Option<Operation>,
    /// The object's name, or what was asked for.
    pub object: String,
    /// What happened, in a sentence.
    pub what: String,
    pub went_well: bool,
}

/// A host of the cluster and how full it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLoad {
    pub name: String,
    pub machines: usize,
    pub memory_used_gb: u32,
    pub memory_gb: u32,
}

/// An object that the datacenter holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldObject {
    /// `name`, `machine`, `configuration`, `pool`, `space`: the ledger's words.
    pub kind: String,
    pub id: String,
    pub key: String,
    pub name: String,
}

/// The whole datacenter at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    pub hosts: Vec<HostLoad>,
    pub objects: Vec<HeldObject>,
    /// Its machines, by name.
    pub machines: Vec<Machine>,
    pub pace: Pace,
    pub faults: Vec<ArmedFault>,
    /// The latest activity, newest first.
    pub activity: Vec<Activity>,
}

/// The controls.
#[async_trait]
pub trait DatacenterControls: Send + Sync {
    async fn overview(&self) -> Result<Overview, ProviderError>;

    /// Sets how quick the datacenter is from now on.
    async fn set_pace(&self, pace: Pace) -> Result<(), ProviderError>;

    /// Lets `fault` strike the next `times` calls of `operation`, or all until it is cleared.
    async fn arm(&self, operation: Operation, fault: Fault, times: Option<u32>) -> Result<ArmedFault, ProviderError>;

    /// Disarms a fault; one that is spent already is no error.
    async fn clear(&self, fault: u64) -> Result<(), ProviderError>;

    /// Does something to the machine with this id as somebody would who works on the hypervisor itself; `by` is what its
    /// log will call him. Gatehouse is not told, other than by the hypervisor.
    async fn by_hand(&self, machine: &str, deed: Deed, by: &str) -> Result<(), ProviderError>;
}
