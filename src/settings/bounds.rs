//! `[bounds]`: what all workers together do side by side at most.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::mistake::Objection;

/// What all workers together do side by side at most; what is not named has no such bound.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Calls to a provider, by its name.
    pub providers: BTreeMap<String, usize>,
    /// Runs of a blueprint that are at work, by its name.
    pub blueprints: BTreeMap<String, usize>,
}

impl Bounds {
    pub(super) fn objections(&self) -> Vec<Objection> {
        let settings = [("bounds.providers", &self.providers), ("bounds.blueprints", &self.blueprints)];
        let zeros = settings.into_iter().flat_map(|(setting, bounds)| {
            bounds.iter().filter(|(_, bound)| **bound == 0).map(move |(name, _)| (setting, name))
        });
        zeros
            .map(|(setting, name)| {
                Objection::new(setting, format!("says {name} = 0: nothing of it would ever go on, use 1 or more"))
            })
            .collect()
    }
}
