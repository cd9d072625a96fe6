//! Where the views differ, each difference with what is needed to mend it.

use serde::{Deserialize, Serialize};
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What of the thing differs, where several things of it may: an attribute's name, a relation with its far end.
    pub fn part(&self) -> String {
        match self {
            Self::Attribute { name, .. } | Self::NotAsOrdered { name, .. } => name.clone(),
            Self::RelationMissing { relation, to } | Self::RelationExtra { relation, to } => {
                format!("{} {to}", relation.word())
            }
            _ => String::new(),
        }
    }

    /// Whether it is known only where a source looks: where none does, that it is not found any more says nothing.
    pub const fn needs_sources(&self) -> bool {
        !matches!(
            self,
            Self::Missing { by: View::Ledger } | Self::Attribute { by: View::Ledger, .. } | Self::Duplicate { .. }
        )
    }

    /// How it is told to people.
    pub fn told(&self) -> String {
        match self {
            Self::Missing { by } => format!("{} of it, and the CMDB does not know it.", by.knows()),
            Self::Ghost => "It is on record as operational, and not there any more.".to_owned(),
            Self::Shadow => "It is there, and nobody ordered it.".to_owned(),
            Self::NotDelivered => "It was ordered and delivered, and is not there any more.".to_owned(),
            Self::Zombie => "Its order is over or its CI retired, and it is still there.".to_owned(),
            Self::Attribute { name, recorded, told, by } => {
                format!("On record, {name} is {}; {} {}.", shown(recorded), by.says(), shown(told))
            }
            Self::NotAsOrdered { name, ordered, seen } => {
                format!("{name} was ordered as {} and is {}.", shown(ordered), shown(seen))
            }
            Self::Class { told } => format!("It is a {} there.", told.title().to_lowercase()),
            Self::RelationMissing { relation, to } => format!("That it {} {to} is not on record.", relation.title()),
            Self::RelationExtra { relation, to } => {
                format!("It is on record that it {} {to}; nobody says so.", relation.title())
            }
            Self::Duplicate { cis } => format!("{cis} CIs have its key."),
            Self::Ambiguous { by, cis } => {
                format!("By its {} it may be one of these CIs: {}.", by.join(" and "), cis.join(", "))
            }
            Self::Reuses { by, ci } => format!("It has the {} of {ci}, and is another thing.", by.join(" and ")),
        }
    }

    /// What would mend the record, as a sentence; nothing where a person has to do something first.
    pub fn mended(&self) -> Option<String> {
        Some(match self {
            Self::Attribute { name, recorded, told, .. } => {
                format!("Set {name} from {} to {}.", shown(recorded), shown(told))
            }
            Self::Class { told } => format!("Make it a {}.", told.title().to_lowercase()),
            Self::Ghost | Self::NotDelivered => "Retire the CI; its history stays.".to_owned(),
            Self::RelationMissing { relation, to } => format!("Record that it {} {to}.", relation.title()),
            Self::RelationExtra { relation, to } => format!("End that it {} {to}.", relation.title()),
            _ => return None,
        })
    }

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

/// A value as people read it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not told".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}
