//! From the text of a rule file to [`Rules`]; what can't be used is told with its place.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::super::totals::Brake;
use super::{ClassRules, EDITION, Identifier, Precedence, Rules};
use crate::blueprint::mistake::{Mistakes, Position, hint};
use crate::blueprint::source::{self, Entry, Node, Tree};
use crate::blueprint::{Mistake, Period};
use crate::ci::{CiClass, Source};

/// What every CI has, whatever its class expects.
const NAME: &str = "name";

pub(super) fn rules(file: &str, text: &str) -> Result<Rules, Vec<Mistake>> {
    let mut mistakes = Mistakes::of(file);
    let hash = hex::encode(Sha256::digest(text));
    let read = source::read(text, &mut mistakes).map(|node| Rules { hash, ..whole(&node, &mut mistakes) });
    mistakes.settle(read)
}

fn whole(node: &Node, mistakes: &mut Mistakes<'_>) -> Rules {
    let sections = table(node, &["rules", "brake", "grace", "classes"], mistakes);
    let edition = node.get("rules");
    if edition.is_none_or(|edition| edition.tree != Tree::Integer(EDITION)) {
        let (at, found) = edition.map_or((node.at, "nothing".to_owned()), |edition| (edition.at, edition.found()));
        mistakes.add(at, format!("found {found} where the edition of the format stands; expected `rules: 1`"));
    }
    let mut read = Rules::default();
    let mut likes = BTreeMap::new();
    for Entry { key, value, .. } in sections {
        match key.as_str() {
            "brake" => read.brake = brake(value, mistakes),
            "grace" => read.grace = length(value, mistakes).unwrap_or(read.grace),
            "classes" => classes(value, &mut read, &mut likes, mistakes),
            _ => {}
        }
    }
    inherit(&mut read, &likes, mistakes);
    read
}

fn brake(node: &Node, mistakes: &mut Mistakes<'_>) -> Brake {
    let mut brake = Brake::default();
    for Entry { key, value, .. } in table(node, &["share", "least"], mistakes) {
        match (key.as_str(), &value.tree) {
            ("share", Tree::Integer(percent @ 1..=100)) => brake.share = *percent as f64 / 100.0,
            ("least", Tree::Integer(count @ 0..)) => brake.least = count.unsigned_abs(),
            ("share", _) => mistakes.add(value.at, format!("found {}; expected a percentage, 1 to 100", value.found())),
            ("least", _) => mistakes.add(value.at, format!("found {}; expected a number of CIs", value.found())),
            _ => {}
        }
    }
    brake
}

/// Which class has the rules of which other, and where that stands.
type Likes = BTreeMap<CiClass, (CiClass, Position)>;

fn classes(node: &Node, read: &mut Rules, likes: &mut Likes, mistakes: &mut Mistakes<'_>) {
    let known: Vec<&str> = CiClass::ALL.iter().map(|class| class.word()).collect();
    for Entry { key, value, .. } in table(node, &known, mistakes) {
        let Some(class) = CiClass::from_word(key) else { continue };
        let rules = class_rules(class, value, mistakes);
        read.classes.insert(class, rules);
        let Some(like) = value.get("like") else { continue };
        if let Some(other) = one_of(like, "a class", &known, mistakes).and_then(|word| CiClass::from_word(&word)) {
            likes.insert(class, (other, like.at));
        }
    }
}

fn class_rules(class: CiClass, node: &Node, mistakes: &mut Mistakes<'_>) -> ClassRules {
    let mut rules = ClassRules::default();
    let attributes: Vec<&str> = class.expectations().iter().map(|expected| expected.name).collect();
    let named: Vec<&str> = attributes.iter().copied().chain([NAME]).collect();
    for Entry { key, value, .. } in table(node, &["like", "identify", "propose", "attributes"], mistakes) {
        match key.as_str() {
            "identify" | "propose" => {
                let merges = key == "identify";
                let by = |item: &Node| Identifier { attributes: words(item, "an attribute", &named, mistakes), merges };
                rules.identifiers.extend(value.items().iter().map(by));
            }
            "attributes" => {
                for entry in table(value, &attributes, mistakes) {
                    rules.attributes.insert(entry.key.clone(), precedence(&entry.value, mistakes));
                }
            }
            _ => {}
        }
    }
    // What merges goes before what proposes, wherever it stands.
    rules.identifiers.sort_by_key(|by| !by.merges);
    rules
}

fn precedence(node: &Node, mistakes: &mut Mistakes<'_>) -> Precedence {
    let known: Vec<&str> = Source::ALL.iter().map(|source| source.word()).collect();
    let mut precedence = Precedence { sources: Vec::new(), refresh: None };
    for Entry { key, value, .. } in table(node, &["sources", "refresh"], mistakes) {
        match key.as_str() {
            "sources" => {
                let sources = words(value, "a source", &known, mistakes);
                precedence.sources = sources.iter().filter_map(|word| Source::from_word(word)).collect();
            }
            "refresh" => precedence.refresh = length(value, mistakes),
            _ => {}
        }
    }
    if precedence.sources.is_empty() && node.get("sources").is_none() {
        mistakes.add(node.at, "`sources` is missing: whose word counts, the strongest first");
    }
    precedence
}

fn length(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<TimeDelta> {
    let read = match &node.tree {
        Tree::Text(text) => Period::parse(text).map(|period| TimeDelta::seconds(period.seconds.into())),
        _ => None,
    };
    if read.is_none() {
        mistakes.add(node.at, format!("found {}; expected a length of time, such as `1d` or `12h`", node.found()));
    }
    read
}

/// Gives each class what it has from others, nearest first; its own rules count before theirs.
fn inherit(rules: &mut Rules, likes: &Likes, mistakes: &mut Mistakes<'_>) {
    for (class, (_, at)) in likes {
        let mut chain = vec![*class];
        while let Some((next, _)) = chain.last().and_then(|last| likes.get(last)) {
            if chain.contains(next) {
                let words: Vec<&str> = chain.iter().chain([next]).map(|class| class.word()).collect();
                mistakes.add(*at, format!("these classes are like one another in a loop: {}", words.join(", ")));
                break;
            }
            chain.push(*next);
            let from = rules.classes.get(next).cloned().unwrap_or_default();
            let own = rules.classes.entry(*class).or_default();
            if own.identifiers.is_empty() {
                own.identifiers = from.identifiers;
            }
            for (name, precedence) in from.attributes {
                own.attributes.entry(name).or_insert(precedence);
            }
        }
    }
}

/// The entries of a table that may have these keys.
fn table<'n>(node: &'n Node, known: &[&str], mistakes: &mut Mistakes<'_>) -> Vec<&'n Entry> {
    if !matches!(node.tree, Tree::Table(_) | Tree::Unread) {
        mistakes.add(node.at, format!("found {}; expected a table with {}", node.found(), listed(known)));
    }
    let (fits, strange): (Vec<_>, Vec<_>) = node.entries().iter().partition(|it| known.contains(&it.key.as_str()));
    for entry in strange {
        let message = format!("there is no `{}` here", entry.key);
        mistakes.add_with_hint(entry.key_at, message, hint(&entry.key, known.iter().copied()));
    }
    fits
}

fn listed(known: &[&str]) -> String {
    let first: Vec<String> = known.iter().take(4).map(|name| format!("`{name}`")).collect();
    first.join(", ")
}

/// The words of a list, or of one word in its place, each known and said once.
fn words(node: &Node, what: &str, known: &[&str], mistakes: &mut Mistakes<'_>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for item in node.items() {
        match one_of(item, what, known, mistakes) {
            Some(word) if words.contains(&word) => {
                mistakes.add(item.at, format!("`{word}` stands here twice: it can't come before itself"));
            }
            Some(word) => words.push(word),
            None => {}
        }
    }
    if node.items().is_empty() {
        mistakes.add(node.at, format!("found {}; expected {what} at least", node.found()));
    }
    words
}

fn one_of(node: &Node, what: &str, known: &[&str], mistakes: &mut Mistakes<'_>) -> Option<String> {
    match &node.tree {
        Tree::Text(word) if known.contains(&word.as_str()) => return Some(word.clone()),
        Tree::Text(word) => {
            let message = format!("found `{word}`, which is no name of {what}");
            mistakes.add_with_hint(node.at, message, hint(word, known.iter().copied()));
        }
        Tree::Unread => {}
        _ => mistakes.add(node.at, format!("found {}; expected {what}", node.found())),
    }
    None
}
