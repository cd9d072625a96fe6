//! Where the views differ, each difference with what is needed to mend it.

use serde::Serialize;
use serde_json::Value;

use super::merge::View;
use crate::ci::{CiClass, Relation};
use crate::finding::FindingKind;

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The key of the CI; of the thing, where it has none.
    pub key: String,
    pub class: CiClass,
    pub what: What,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is not on record; `by` says who knows that it is there.
    Missing {
        by: View,
    },
    /// It is on record, and not there.
    Ghost,
    /// It was not ordered.
    Shadow,
    /// It was ordered and delivered, and is not there.
    NotDelivered,
    /// Its order is over or its CI retired, and it is still there.
    Zombie,
    /// An attribute on record is not what `by` tells; null where it is not on record.
    Attribute {
        name: String,
        recorded: Value,
        told: Value,
        by: View,
    },
    /// An attribute is not as it was ordered.
    NotAsOrdered {
        name: String,
        ordered: Value,
        seen: Value,
    },
    /// It is of another class on record.
    Class {
        told: CiClass,
    },
    RelationMissing {
        relation: Relation,
        to: String,
    },
    RelationExtra {
        relation: Relation,
        to: String,
    },
    /// So many CIs have its key.
    Duplicate {
        cis: usize,
    },
    /// It may be one of these CIs, by these attributes; more than a few are not named.
    Ambiguous {
        by: Vec<String>,
        cis: Vec<String>,
    },
    /// It bears what this CI was known by, and is another thing.
    Reuses {
        by: Vec<String>,
        ci: String,
    },
}

impl What {
    /// What sort of finding it is.
    pub const fn kind(&self) -> FindingKind {
        match self {
            Self::Missing { .. } => FindingKind::Unregistered,
            Self::Ghost => FindingKind::Ghost,
            Self::Shadow => FindingKind::Shadow,
            Self::NotDelivered => FindingKind::Gone,
            Self::Zombie => FindingKind::ExpiredButRunning,
            Self::Attribute { .. } => FindingKind::AttributeDrift,
            Self::NotAsOrdered { .. } => FindingKind::ChangedByHand,
            Self::Class { .. } => FindingKind::WrongClass,
            Self::RelationMissing { .. } => FindingKind::MissingRelation,
            Self::RelationExtra { .. } => FindingKind::ExtraRelation,
            Self::Duplicate { .. } => FindingKind::Duplicate,
            Self::Ambiguous { .. } => FindingKind::Ambiguous,
            Self::Reuses { .. } => FindingKind::IdentityReuse,
        }
    }
}
