//! What breaks a measure today, with how far; the list may only shrink.

use std::collections::BTreeMap;

use crate::tree;
use crate::{Offence, expect_none};

const LIST: &str = "tests/architecture/exceptions.txt";

/// The excepted places of one rule, and what was found wrong while measuring.
pub struct Exceptions {
    rule: &'static str,
    /// Place and its allowed measure.
    allowed: BTreeMap<String, usize>,
    offences: Vec<Offence>,
}

impl Exceptions {
    /// Reads the lines `rule place measure` of one rule.
    pub fn of(rule: &'static str) -> Self {
        let text = tree::read(LIST);
        let allowed = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .filter_map(|line| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                [named, place, measure] if *named == rule => {
                    Some(((*place).to_owned(), measure.parse().expect("a number")))
                }
                _ => None,
            })
            .collect();
        Self { rule, allowed, offences: Vec::new() }
    }

    /// Takes one measurement.
    pub fn measure(&mut self, name: &str, measured: usize, limit: usize, place: &str) {
        match self.allowed.remove(name) {
            None if measured > limit => {
                self.offences.push(Offence::of(place, format!("{measured} lines, at most {limit}")))
            }
            Some(allowed) if measured > allowed => {
                self.offences
                    .push(Offence::of(place, format!("{measured} lines: it grew past its exception of {allowed}")));
            }
            Some(allowed) if measured < allowed => {
                let mend =
                    if measured <= limit { "remove its line".to_owned() } else { format!("lower it to {measured}") };
                self.offences.push(Offence::of(LIST, format!("{name} is better than its exception: {mend}")));
            }
            _ => {}
        }
    }

    /// Fails when something broke the rule, or when an exception excepts nothing.
    pub fn settle(mut self) {
        for name in self.allowed.keys() {
            self.offences
                .push(Offence::of(LIST, format!("`{} {name}` excepts nothing any more: remove it", self.rule)));
        }
        expect_none(&self.offences);
    }
}
