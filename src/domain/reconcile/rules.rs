//! The rules of reconcile: by what a CI is known again, and whose word counts for what is told of it.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::merge::View;
use super::totals::Brake;
use crate::ci::{CiClass, Source};

/// The rules for every class; a class without rules is known by its key alone, and the last word on it counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    pub(super) brake: Brake,
    pub(super) classes: BTreeMap<CiClass, ClassRules>,
}

/// The rules for one class.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ClassRules {
    /// Behind the key, the strongest first.
    pub(super) identifiers: Vec<Identifier>,
    pub(super) attributes: BTreeMap<String, Precedence>,
}

/// Attributes that together say which CI something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identifier {
    pub(super) attributes: Vec<String>,
    /// Whether two records with these values are one thing; where not, they may be, and somebody is asked.
    pub(super) merges: bool,
}

/// Whose word counts for an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Precedence {
    /// The strongest first; a source that is not named comes after all of these.
    pub(super) sources: Vec<Source>,
    /// How long a source is believed without telling again.
    pub(super) refresh: TimeDelta,
}

impl Rules {
    pub(super) fn identifiers(&self, class: CiClass) -> &[Identifier] {
        self.classes.get(&class).map_or(&[], |rules| &rules.identifiers)
    }

    /// The view whose word counts where both tell the attribute.
    pub(super) fn leads(&self, class: CiClass, attribute: &str) -> View {
        let first = self.classes.get(&class).and_then(|rules| rules.attributes.get(attribute)?.sources.first());
        if first == Some(&Source::Workflow) { View::Ledger } else { View::Reality }
    }
}
