//! What is wrong with what the views tell of one key, and what all of it adds up to.

use super::coverage::Coverage;
use super::difference::{Difference, What};
use super::identify::{Match, pair};
use super::merge::{Fault, Merge, Trio, View};
use super::record::{Record, Standing, unpacked};
use super::rules::Rules;
use super::totals::{Braked, ClassTotals, Totals};
use crate::ci::Relation;

/// CIs that one ambiguous thing names.
const NAMED: usize = 5;

/// What all differences come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub totals: Totals,
    /// Classes of which so much would vanish or change that an operator has to see the list before anything is written.
    pub braked: Vec<Braked>,
}

/// Reconciles three views, each sorted by key, and hands on each difference as it is found; those of what no CI was found
/// for by its key come last. Memory grows with the latter alone.
pub fn reconcile<E>(
    ledger: impl Iterator<Item = Result<Record, E>>,
    reality: impl Iterator<Item = Result<Record, E>>,
    cmdb: impl Iterator<Item = Result<Record, E>>,
    (rules, coverage): (&Rules, &Coverage),
    mut found: impl FnMut(Difference),
) -> Result<Outcome, Fault<E>> {
    let mut judge = Judge::by(rules, coverage);
    for trio in Merge::of(ledger, reality, cmdb) {
        judge.take(trio?, &mut found);
    }
    let totals = judge.finish(&mut found);
    let braked = rules.brake.holds(&totals);
    Ok(Outcome { totals, braked })
}

/// Judges key by key.
struct Judge<'r> {
    rules: &'r Rules,
    coverage: &'r Coverage,
    totals: Totals,
    /// Things that no CI has the key of, and whether their order is over.
    seen: Vec<Record>,
    seen_over: Vec<bool>,
    /// CIs in operation that nothing seen has the key of, with how their order stands.
    recorded: Vec<Record>,
    orders: Vec<Option<Standing>>,
}

impl<'r> Judge<'r> {
    fn by(rules: &'r Rules, coverage: &'r Coverage) -> Self {
        Self {
            rules,
            coverage,
            totals: Totals::default(),
            seen: Vec::new(),
            seen_over: Vec::new(),
            recorded: Vec::new(),
            orders: Vec::new(),
        }
    }

    /// Judges what the views tell of one key.
    fn take(&mut self, trio: Trio, found: &mut impl FnMut(Difference)) {
        let Trio { ledger, reality, cmdb, twins } = trio;
        let Some(class) = [&cmdb, &reality, &ledger].into_iter().flatten().next().map(Record::class) else { return };
        let totals = self.totals.of(class);
        totals.ledger += u64::from(ledger.is_some());
        totals.reality += u64::from(reality.is_some());
        let cis = twins.len() + usize::from(cmdb.is_some());
        totals.cmdb += cis as u64;
        let order = ledger.as_ref().map(Record::standing);
        if let Some(seen) = reality.as_ref().filter(|_| order.is_none() && self.coverage.is_ordered(class)) {
            totals.shadow += 1;
            found(difference(seen, What::Shadow));
        }
        match (ledger, reality, cmdb) {
            (_, reality, Some(ci)) if cis > 1 => {
                totals.not_evaluated += cis as u64;
                totals.ambiguous += u64::from(reality.is_some());
                found(difference(&ci, What::Duplicate { cis }));
            }
            (ledger, Some(seen), Some(ci)) => self.matched(ledger.as_ref(), &seen, &ci, found),
            (_, Some(seen), None) => {
                self.seen.push(seen);
                self.seen_over.push(order == Some(Standing::Over));
            }
            (_, None, Some(ci)) if ci.standing() != Standing::Stands => totals.excluded += 1,
            (ledger, None, Some(ci)) => {
                // What the order says counts also where no source looks.
                if let Some(ordered) = ledger.filter(|ordered| ordered.standing() == Standing::Stands) {
                    self.compare(Some(&ordered), None, &ci, found);
                }
                self.recorded.push(ci);
                self.orders.push(order);
            }
            (Some(ordered), None, None) => self.not_seen(&ordered, found),
            (None, None, None) => {}
        }
    }

    /// Judges what no CI was found for by its key, and adds up.
    fn finish(mut self, found: &mut impl FnMut(Difference)) -> Totals {
        let (seen, recorded) = (std::mem::take(&mut self.seen), std::mem::take(&mut self.recorded));
        let (matches, taken) = pair(&seen, &recorded, self.rules);
        let mut found_again = vec![false; recorded.len()];
        for ((record, is_over), what) in seen.iter().zip(self.seen_over.clone()).zip(matches) {
            let named = |cis: &[usize]| cis.iter().take(NAMED).map(|ci| recorded[*ci].key().to_owned()).collect();
            match what {
                Match::Is(ci) => {
                    found_again[ci] = true;
                    let totals = self.totals.of(record.class());
                    totals.matched += 1;
                    self.compare(None, Some(record), &recorded[ci], found);
                }
                Match::Perhaps(by, cis) => {
                    self.totals.of(record.class()).ambiguous += 1;
                    let (by, cis) = (by.attributes.clone(), named(&cis));
                    found(difference(record, What::Ambiguous { by, cis }));
                }
                Match::Reuses(by, ci) => {
                    self.missing(record, is_over, found);
                    let (by, ci) = (by.attributes.clone(), recorded[ci].key().to_owned());
                    found(difference(record, What::Reuses { by, ci }));
                }
                Match::Alone => self.missing(record, is_over, found),
            }
        }
        let orders = std::mem::take(&mut self.orders);
        for (at, (ci, order)) in recorded.iter().zip(orders).enumerate().filter(|(at, _)| !found_again[*at]) {
            match taken[at] {
                true => self.totals.of(ci.class()).not_evaluated += 1,
                false => self.unseen(ci, order, found),
            }
        }
        self.totals
    }

    fn matched(&mut self, ledger: Option<&Record>, seen: &Record, ci: &Record, found: &mut impl FnMut(Difference)) {
        self.totals.of(ci.class()).matched += 1;
        let is_over = |record: &Record| record.standing() == Standing::Over;
        if is_over(ci) || ledger.is_some_and(is_over) {
            found(difference(ci, What::Zombie));
        }
        if seen.class() != ci.class() {
            found(difference(ci, What::Class { told: seen.class() }));
        }
        if ledger.is_some() || !seen.is_told_alike(ci) {
            self.compare(ledger, Some(seen), ci, found);
        }
    }

    fn missing(&mut self, seen: &Record, is_over: bool, found: &mut impl FnMut(Difference)) {
        let totals = self.totals.of(seen.class());
        totals.missing += 1;
        totals.relations_missing += seen.relations().count() as u64;
        // What was taken back and is still there is not to be put on record, but to be removed.
        found(difference(seen, if is_over { What::Zombie } else { What::Missing { by: View::Reality } }));
    }

    /// A CI in operation of which nothing was seen.
    fn unseen(&mut self, ci: &Record, order: Option<Standing>, found: &mut impl FnMut(Difference)) {
        let is_covered = self.coverage.is_complete(ci.class(), ci.scope());
        let totals = self.totals.of(ci.class());
        if !is_covered && order != Some(Standing::Over) {
            totals.not_evaluated += 1;
            return;
        }
        totals.ghost += 1;
        totals.relations_extra += ci.relations().count() as u64;
        if order == Some(Standing::Stands) {
            totals.not_delivered += 1;
            found(difference(ci, What::NotDelivered));
        } else {
            found(difference(ci, What::Ghost));
        }
    }

    /// Something ordered that is neither seen nor on record.
    fn not_seen(&mut self, ordered: &Record, found: &mut impl FnMut(Difference)) {
        if ordered.standing() != Standing::Stands {
            return;
        }
        if self.coverage.is_complete(ordered.class(), ordered.scope()) {
            self.totals.of(ordered.class()).not_delivered += 1;
            found(difference(ordered, What::NotDelivered));
        } else {
            found(difference(ordered, What::Missing { by: View::Ledger }));
        }
    }

    /// Finds what of a CI is not as it was ordered or seen.
    fn compare(
        &mut self,
        ordered: Option<&Record>,
        seen: Option<&Record>,
        ci: &Record,
        found: &mut impl FnMut(Difference),
    ) {
        let totals = self.totals.of(ci.class());
        let before = (totals.attributes, totals.relations_missing, totals.relations_extra);
        attributes(self.rules, (ordered, seen, ci), totals, found);
        relations((ordered, seen, ci), totals, found);
        let after = (totals.attributes, totals.relations_missing, totals.relations_extra);
        totals.differing += u64::from(before != after);
    }
}

/// What was ordered and seen of a CI.
type Told<'a> = (Option<&'a Record>, Option<&'a Record>, &'a Record);

fn attributes(
    rules: &Rules,
    (ordered, seen, ci): Told<'_>,
    totals: &mut ClassTotals,
    found: &mut impl FnMut(Difference),
) {
    let mut judge = |name: &str, ordered: Option<&str>, seen: Option<&str>| {
        let leader = rules.leads(ci.class(), name);
        let (by, value) = match (ordered, seen) {
            (Some(ordered), Some(_)) if leader == View::Ledger => (View::Ledger, ordered),
            (_, Some(seen)) => (View::Reality, seen),
            (Some(ordered), None) => (View::Ledger, ordered),
            (None, None) => return,
        };
        let recorded = ci.told(name);
        if recorded != Some(value) {
            totals.attributes += 1;
            let recorded = recorded.map_or(serde_json::Value::Null, unpacked);
            found(difference(ci, What::Attribute { name: name.to_owned(), recorded, told: unpacked(value), by }));
        }
        if let (Some(ordered), Some(seen)) = (ordered, seen)
            && ordered != seen
        {
            let (ordered, seen) = (unpacked(ordered), unpacked(seen));
            found(difference(ci, What::NotAsOrdered { name: name.to_owned(), ordered, seen }));
        }
    };
    for (name, value) in seen.into_iter().flat_map(Record::attributes) {
        judge(name, ordered.and_then(|record| record.told(name)), Some(value));
    }
    for (name, value) in ordered.into_iter().flat_map(Record::attributes) {
        if seen.is_none_or(|record| record.told(name).is_none()) {
            judge(name, Some(value), None);
        }
    }
}

fn relations((ordered, seen, ci): Told<'_>, totals: &mut ClassTotals, found: &mut impl FnMut(Difference)) {
    let told = || [ordered, seen].into_iter().flatten().flat_map(Record::relations);
    let mut missing: Vec<(&str, &str)> = told().filter(|one| !ci.relations().any(|known| known == *one)).collect();
    missing.sort_unstable();
    missing.dedup();
    for (relation, to) in missing {
        let Some(relation) = Relation::from_word(relation) else { continue };
        totals.relations_missing += 1;
        found(difference(ci, What::RelationMissing { relation, to: to.to_owned() }));
    }
    for (word, to) in ci.relations().filter(|known| !told().any(|one| one == *known)) {
        let is_told_of = told().any(|(other, _)| other == word);
        let Some(relation) = Relation::from_word(word).filter(|_| is_told_of) else { continue };
        totals.relations_extra += 1;
        found(difference(ci, What::RelationExtra { relation, to: to.to_owned() }));
    }
}

fn difference(about: &Record, what: What) -> Difference {
    Difference { key: about.key().to_owned(), class: about.class(), what }
}
