//! Samples for a spot check, both ways: from the record to the thing, and from the thing to the record.
//!
//! Nobody can arrange what is drawn, and everybody can draw it again: of a population, those whose SHA-256 over the seed, a
//! newline and the id comes first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Row;
use crate::ci::{CiClass, Lifecycle};
use crate::ids::CiId;

/// How many are drawn each way.
pub const SIZE: usize = 25;

/// What was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub seed: String,
    /// CIs, whose things are to be looked for.
    pub cis: Vec<DrawnCi>,
    /// Things that are there, whose CIs are to be looked for.
    pub things: Vec<DrawnThing>,
}

/// A CI that was drawn of those in operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawnCi {
    pub id: CiId,
    pub name: String,
    pub class: CiClass,
    pub platform: Option<String>,
    pub application: Option<String>,
}

/// A thing that was drawn of those that were seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawnThing {
    /// Machine or container.
    pub kind: String,
    pub name: String,
    /// The site or the container engine where it was seen.
    pub seen_at: String,
    /// The CI that stands for it; nothing where there is none.
    pub ci: Option<CiId>,
    pub ci_name: Option<String>,
}

/// Draws from a population as it passes, with flat memory.
#[derive(Debug)]
pub struct Draw<T> {
    seed: String,
    drawn: BTreeMap<Vec<u8>, T>,
}

impl<T> Draw<T> {
    pub fn new(seed: impl Into<String>) -> Self {
        Self { seed: seed.into(), drawn: BTreeMap::new() }
    }

    /// Takes the next of the population into account.
    pub fn offer(&mut self, id: &str, it: impl FnOnce() -> T) {
        let place = Sha256::digest(format!("{}\n{id}", self.seed)).to_vec();
        let is_before = self.drawn.last_key_value().is_none_or(|(last, _)| place < *last);
        if self.drawn.len() < SIZE || is_before {
            self.drawn.insert(place, it());
        }
        if self.drawn.len() > SIZE {
            self.drawn.pop_last();
        }
    }

    /// What was drawn, in the order in which it comes.
    pub fn finish(self) -> Vec<T> {
        self.drawn.into_values().collect()
    }
}

impl Draw<DrawnCi> {
    /// Takes the next CI of a report into account; those that are not in operation have no thing to be looked for.
    pub fn pass(&mut self, row: &Row) {
        let ci = &row.ci;
        if ci.lifecycle == Lifecycle::Operational {
            self.offer(&ci.id.to_string(), || DrawnCi {
                id: ci.id,
                name: ci.name.clone(),
                class: ci.class,
                platform: ci.platform.clone(),
                application: ci.application.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: &str, ids: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut draw = Draw::new(seed);
        ids.for_each(|id| draw.offer(&id.to_string(), || id));
        draw.finish()
    }

    #[test]
    fn the_same_seed_draws_the_same_in_whatever_order_they_pass() {
        let forwards = drawn("seed", 0..5_000);
        assert_eq!(forwards.len(), SIZE);
        assert_eq!(forwards, drawn("seed", (0..5_000).rev()));
        assert_ne!(forwards, drawn("another", 0..5_000));
    }

    #[test]
    fn of_a_few_all_are_drawn() {
        assert_eq!(drawn("seed", 0..3).len(), 3);
    }
}
