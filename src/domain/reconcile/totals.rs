//! Control totals: what was counted has to add up, or the result is not to be believed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ci::CiClass;

/// The control totals of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassTotals {
    /// Things that the sources saw.
    pub reality: u64,
    /// CIs on record.
    pub cmdb: u64,
    /// Objects of the ledger.
    pub ledger: u64,
    /// Things seen that have their CI.
    pub matched: u64,
    /// Things seen without a CI.
    pub missing: u64,
    /// Things seen that might be several CIs, or one by its name alone.
    pub ambiguous: u64,
    /// CIs in operation of which nothing was seen where everything was looked at, or whose object was taken back.
    pub ghost: u64,
    /// CIs of which nobody knows whether they are there.
    pub not_evaluated: u64,
    /// CIs that nobody looks for: planned, building, retired.
    pub excluded: u64,
    /// Things seen without an order, where everything has to be ordered.
    pub shadow: u64,
    /// Objects of the ledger that are not there.
    pub not_delivered: u64,
    /// Matched CIs of which an attribute or a relation differs.
    pub differing: u64,
    /// Attributes that differ.
    pub attributes: u64,
    /// Relations that are missing on record, also those of missing CIs, and that are there too many, also of ghosts.
    pub relations_missing: u64,
    pub relations_extra: u64,
}

impl ClassTotals {
    /// |R| = matched + missing + ambiguous, and |C| = matched + ghost + not evaluated + excluded.
    pub fn add_up(&self) -> bool {
        self.reality == self.matched + self.missing + self.ambiguous
            && self.cmdb == self.matched + self.ghost + self.not_evaluated + self.excluded
    }

    fn add(&mut self, other: &Self) {
        let own = [
            &mut self.reality,
            &mut self.cmdb,
            &mut self.ledger,
            &mut self.matched,
            &mut self.missing,
            &mut self.ambiguous,
            &mut self.ghost,
            &mut self.not_evaluated,
            &mut self.excluded,
            &mut self.shadow,
            &mut self.not_delivered,
            &mut self.differing,
            &mut self.attributes,
            &mut self.relations_missing,
            &mut self.relations_extra,
        ];
        let more = [
            other.reality,
            other.cmdb,
            other.ledger,
            other.matched,
            other.missing,
            other.ambiguous,
            other.ghost,
            other.not_evaluated,
            other.excluded,
            other.shadow,
            other.not_delivered,
            other.differing,
            other.attributes,
            other.relations_missing,
            other.relations_extra,
        ];
        own.into_iter().zip(more).for_each(|(own, more)| *own += more);
    }
}

/// The control totals by class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals(pub BTreeMap<CiClass, ClassTotals>);

impl Totals {
    pub(super) fn of(&mut self, class: CiClass) -> &mut ClassTotals {
        self.0.entry(class).or_default()
    }

    /// Over all classes.
    pub fn sum(&self) -> ClassTotals {
        let mut sum = ClassTotals::default();
        self.0.values().for_each(|class| sum.add(class));
        sum
    }

    /// Whether each class adds up.
    pub fn add_up(&self) -> bool {
        self.0.values().all(ClassTotals::add_up)
    }
}

/// How much of a class may vanish or change in one go before an operator is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Brake {
    /// The largest share of the CIs of a class, 0 to 1.
    pub(super) share: f64,
    /// So few are never too many.
    pub(super) least: u64,
}

impl Default for Brake {
    fn default() -> Self {
        Self { share: 0.2, least: 10 }
    }
}

/// A class of which too much would vanish or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Braked {
    pub class: CiClass,
    pub cis: u64,
    pub would_vanish: u64,
    pub would_change: u64,
}

impl Brake {
    /// The classes of which too much would vanish or change.
    pub(super) fn holds(self, totals: &Totals) -> Vec<Braked> {
        let braked = |(class, of): (&CiClass, &ClassTotals)| {
            // Counts of CIs are far below where this loses digits.
            let most = self.share * of.cmdb as f64;
            let is_too_many = |count: u64| count > self.least && count as f64 > most;
            (is_too_many(of.ghost) || is_too_many(of.differing)).then_some(Braked {
                class: *class,
                cis: of.cmdb,
                would_vanish: of.ghost,
                would_change: of.differing,
            })
        };
        totals.0.iter().filter_map(braked).collect()
    }
}
