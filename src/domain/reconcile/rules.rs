//! The rules of reconcile: by what a CI is known again, and whose word counts for what is told of it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::merge::View;
use super::totals::Brake;
use crate::blueprint::Mistake;
use crate::ci::{Attribute, CiClass, Source};
use crate::workload::GRACE;

mod read;

/// The rules that come with Gatehouse.
static STANDARD: LazyLock<Rules> = LazyLock::new(|| {
    Rules::read("rules.yaml", include_str!("rules.yaml")).expect("a test reads the rules that come with Gatehouse")
});

/// The rules for every class; a class without rules is known by its key alone, and the last word on it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// SHA-256 of the text they were read from, in hexadecimal.
    pub hash: String,
    /// How long something has to be gone before it counts as absent.
    pub grace: TimeDelta,
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
    /// How long a source is believed without telling again; without it, for ever.
    pub(super) refresh: Option<TimeDelta>,
}

/// The edition of the format that this version reads.
pub const EDITION: i64 = 1;

impl Default for Rules {
    fn default() -> Self {
        Self { hash: String::new(), grace: GRACE, brake: Brake::default(), classes: BTreeMap::new() }
    }
}

impl Rules {
    /// The rules that come with Gatehouse.
    pub fn standard() -> &'static Self {
        &STANDARD
    }

    /// Reads a rule file; every mistake with its place.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        read::rules(file, text)
    }

    pub(super) fn identifiers(&self, class: CiClass) -> &[Identifier] {
        self.classes.get(&class).map_or(&[], |rules| &rules.identifiers)
    }

    /// The view whose word counts where both tell the attribute.
    pub(super) fn leads(&self, class: CiClass, attribute: &str) -> View {
        let first = self.precedence(class, attribute).and_then(|precedence| precedence.sources.first());
        if first == Some(&Source::Workflow) { View::Ledger } else { View::Reality }
    }

    /// Whether an attribute on record becomes what this source tells now. A weaker source waits until the stronger one was
    /// silent for its refresh time; so one that tells the same again is put down before half of that is over.
    pub(crate) fn takes(
        &self,
        (class, attribute): (CiClass, &str),
        known: &Attribute,
        told: &Value,
        (source, at): (Source, DateTime<Utc>),
    ) -> bool {
        let differs = known.value != *told;
        let Some(precedence) = self.precedence(class, attribute) else { return differs };
        let silent = at - known.at;
        let (own, other) = (precedence.rank(source), precedence.rank(known.source));
        if differs {
            own <= other || precedence.refresh.is_some_and(|refresh| silent >= refresh)
        } else {
            own < other || own == other && precedence.refresh.is_some_and(|refresh| silent * 2 >= refresh)
        }
    }

    fn precedence(&self, class: CiClass, attribute: &str) -> Option<&Precedence> {
        self.classes.get(&class)?.attributes.get(attribute)
    }
}

impl Precedence {
    fn rank(&self, source: Source) -> usize {
        self.sources.iter().position(|known| *known == source).unwrap_or(self.sources.len())
    }
}

#[cfg(test)]
mod tests;
