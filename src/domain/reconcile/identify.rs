//! Which of the things that no CI stands for are CIs all the same, by weaker identifiers than their key.
//!
//! A serial number or an id says so; a name or an address only proposes. What fits several is nobody's.

use std::collections::HashMap;

use super::record::Record;
use super::rules::{Identifier, Rules};
use crate::ci::CiClass;

/// What a thing turns out to be, by the place of its CI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match<'r> {
    /// No CI fits.
    Alone,
    Is(usize),
    /// It may be one of these.
    Perhaps(&'r Identifier, Vec<usize>),
    /// It has the name of this one, and both have told by what else they are known: it is another thing.
    Reuses(&'r Identifier, usize),
}

/// Finds what each of the things is, and which of the CIs are spoken for: found again, or in doubt.
pub(super) fn pair<'r>(seen: &[Record], recorded: &[Record], rules: &'r Rules) -> (Vec<Match<'r>>, Vec<bool>) {
    let mut pairing =
        Pairing { seen, recorded, rules, matches: vec![Match::Alone; seen.len()], taken: vec![false; recorded.len()] };
    let classes = rules.classes.keys().copied();
    classes.for_each(|class| rules.identifiers(class).iter().for_each(|by| pairing.try_on(class, by)));
    (pairing.matches, pairing.taken)
}

struct Pairing<'a, 'r> {
    seen: &'a [Record],
    recorded: &'a [Record],
    rules: &'r Rules,
    matches: Vec<Match<'r>>,
    taken: Vec<bool>,
}

/// The things and the CIs that tell the same.
type Group = (Vec<usize>, Vec<usize>);

impl<'r> Pairing<'_, 'r> {
    fn try_on(&mut self, class: CiClass, by: &'r Identifier) {
        for (seen, recorded) in self.groups(class, by).into_values() {
            match (by.merges, &seen[..], &recorded[..]) {
                (_, [], _) | (_, _, []) => {}
                (true, [one], [ci]) => {
                    self.matches[*one] = Match::Is(*ci);
                    self.taken[*ci] = true;
                }
                (false, [one], [ci]) if self.are_known_apart(class, *one, *ci) => {
                    self.matches[*one] = Match::Reuses(by, *ci);
                }
                _ => {
                    seen.iter().for_each(|one| self.matches[*one] = Match::Perhaps(by, recorded.clone()));
                    recorded.iter().for_each(|ci| self.taken[*ci] = true);
                }
            }
        }
    }

    /// Those that are not settled yet, by what they tell.
    fn groups(&self, class: CiClass, by: &Identifier) -> HashMap<String, Group> {
        let mut groups: HashMap<String, Group> = HashMap::new();
        for (at, record) in self.recorded.iter().enumerate().filter(|(at, _)| !self.taken[*at]) {
            if let Some(told) = told(record, class, by) {
                groups.entry(told).or_default().1.push(at);
            }
        }
        for (at, record) in self.seen.iter().enumerate().filter(|(at, _)| self.matches[*at] == Match::Alone) {
            // Only what fits a CI is of interest.
            if let Some(group) = told(record, class, by).and_then(|told| groups.get_mut(&told)) {
                group.0.push(at);
            }
        }
        groups
    }

    /// Whether both tell an identifier that would have made them one.
    fn are_known_apart(&self, class: CiClass, seen: usize, recorded: usize) -> bool {
        let strong = self.rules.identifiers(class).iter().filter(|by| by.merges);
        let both = |by: &Identifier| {
            told(&self.seen[seen], class, by).is_some() && told(&self.recorded[recorded], class, by).is_some()
        };
        strong.into_iter().any(both)
    }
}

/// What a record of this class tells of itself, whatever its case; nothing where a part is not told.
fn told(record: &Record, class: CiClass, by: &Identifier) -> Option<String> {
    let of_class = Some(record).filter(|record| record.class() == class)?;
    let values: Option<Vec<&str>> = by.attributes.iter().map(|name| of_class.told(name)).collect();
    Some(values?.join("\u{1f}").to_lowercase())
}
