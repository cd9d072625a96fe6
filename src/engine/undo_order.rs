//! In which order objects go: each before those that it leans on, as the ledger knows it; side by side where neither
//! leans on the other. Rows from before the ledger kept this go in the order of the steps that made them, reversed.

use std::collections::{BTreeSet, HashMap, HashSet};

use domain::ids::ResourceId;
use domain::resource::Resource;

use crate::retire::StandingStep;

/// Who waits for whom, by place; never in a circle.
pub(crate) struct Order(Vec<BTreeSet<usize>>);

impl Order {
    /// The order that is known already: for each, those that it waits for.
    pub(crate) fn of(waits_for: Vec<BTreeSet<usize>>) -> Self {
        Self(waits_for)
    }

    /// The order in which these steps are taken back, as far as they own rows of the ledger.
    pub(crate) fn of_standing(steps: &[StandingStep], ledger: &[Resource]) -> Self {
        let mut order = Self(vec![BTreeSet::new(); steps.len()]);
        let key = |step: &StandingStep| step.workflow.object_key().to_owned();
        let places = steps.iter().enumerate().map(|(place, step)| (key(step), place)).collect();
        for (above, below) in leanings(ledger, &places) {
            order.put_before(above, below);
        }
        for (above, below) in by_their_making(steps, ledger) {
            order.put_before(above, below);
        }
        order
    }

    /// Lets one go before the other. Not if it has to wait for that one itself: then it stays as it is, and false.
    pub(crate) fn put_before(&mut self, first: usize, then: usize) -> bool {
        first != then && !self.waits(first, then) && self.0[then].insert(first)
    }

    /// Whether one waits for the other, directly or through others.
    pub(crate) fn waits(&self, at: usize, other: usize) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![at];
        while let Some(next) = open.pop() {
            if self.0[next].contains(&other) {
                return true;
            }
            open.extend(self.0[next].iter().filter(|before| seen.insert(**before)));
        }
        false
    }

    /// Those that one waits for.
    pub(crate) fn before(&self, at: usize) -> &BTreeSet<usize> {
        &self.0[at]
    }

    /// All places, each behind those that it waits for; else the last first.
    pub(crate) fn in_line(&self) -> Vec<usize> {
        let mut line = Vec::new();
        let mut waiting: Vec<usize> = (0..self.0.len()).rev().collect();
        let mut placed = vec![false; self.0.len()];
        while let Some(next) = waiting.iter().position(|&at| self.0[at].iter().all(|&before| placed[before])) {
            let at = waiting.remove(next);
            placed[at] = true;
            line.push(at);
        }
        line
    }
}

/// Which step's objects lean on which other's: what was made on them before what was tied to them since.
pub(crate) fn leanings(ledger: &[Resource], places: &HashMap<String, usize>) -> Vec<(usize, usize)> {
    let by_id: HashMap<ResourceId, &str> = ledger.iter().map(|row| (row.id, row.step_key.as_str())).collect();
    let pair =
        |(row, below): (&Resource, ResourceId)| Some((*places.get(&row.step_key)?, *places.get(*by_id.get(&below)?)?));
    let made = ledger.iter().flat_map(|row| row.made_on.iter().flatten().map(move |&below| (row, below)));
    let tied = ledger.iter().flat_map(|row| row.tied_to.iter().map(move |&below| (row, below)));
    made.chain(tied).filter_map(pair).collect()
}

/// Where the ledger does not say what a step's objects lean on: a later step goes before those that it needed.
fn by_their_making(steps: &[StandingStep], ledger: &[Resource]) -> Vec<(usize, usize)> {
    let unsaid: HashSet<&str> =
        ledger.iter().filter(|row| row.made_on.is_none()).map(|row| row.step_key.as_str()).collect();
    let below = |above: usize| {
        let needed = needed_by(steps[above].workflow.object_key(), steps);
        (0..above).filter(move |&below| needed.contains(steps[below].workflow.object_key())).map(move |it| (above, it))
    };
    (0..steps.len()).filter(|&at| unsaid.contains(steps[at].workflow.object_key())).flat_map(below).collect()
}

/// The keys of all steps that this one needed, directly or through others.
fn needed_by<'a>(key: &'a str, steps: &'a [StandingStep]) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    let mut open = vec![key];
    while let Some(next) = open.pop() {
        let needs = steps.iter().filter(|step| step.workflow.object_key() == next);
        for need in needs.flat_map(|step| &step.workflow.planned.needs) {
            if found.insert(need.as_str()) {
                open.push(need);
            }
        }
    }
    found.remove(key);
    found
}
