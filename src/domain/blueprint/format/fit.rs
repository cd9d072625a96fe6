//! Holds a file against the format: everything that does not fit is told, and what was most likely meant goes on.
//!
//! A misspelt key gets the name of the one it was meant to be, and what can't be used at its place is left as unread.
//! So one mistake is told once, and hides no other.

use super::{Key, Presence, Section, Takes};
use crate::blueprint::Approvers as Who;
use crate::blueprint::mistake::{Mistakes, Position, did_you_mean, hint, nearest};
use crate::blueprint::source::{Entry, Node, Tree};

/// So many words can be listed in a sentence.
const FEW: usize = 6;

/// The table as it was meant, every key known and every value of its kind or unread.
pub(in crate::blueprint) fn fit(node: &Node, section: &'static Section, mistakes: &mut Mistakes<'_>) -> Node {
    let Tree::Table(entries) = &node.tree else {
        let message = format!("{} is a table of keys and values, and {} was found", section.what, node.found());
        mistakes.add(node.at, message);
        return Node::unread(node.at);
    };
    let mut fitted: Vec<Entry> = Vec::new();
    for entry in entries {
        if let Some(key) = meant(entry, entries, section, mistakes)
            && !fitted.iter().any(|known| known.key == key.name)
        {
            let value = value(&entry.value, key, mistakes);
            fitted.push(Entry { key: key.name.to_owned(), key_at: entry.key_at, value });
        }
    }
    complete(&mut fitted, node.at, section, mistakes);
    Node { at: node.at, place: node.place.clone(), tree: Tree::Table(fitted) }
}

/// The key that an entry is, or was most likely meant to be.
fn meant(
    entry: &Entry,
    entries: &[Entry],
    section: &'static Section,
    mistakes: &mut Mistakes<'_>,
) -> Option<&'static Key> {
    if let Some(key) = section.keys.iter().find(|key| key.name == entry.key) {
        return Some(key);
    }
    let free = || section.keys.iter().filter(|key| !entries.iter().any(|entry| entry.key == key.name));
    let near = nearest(&entry.key, free().map(|key| key.name));
    let known = section.keys.iter().map(|key| key.name);
    let hint = did_you_mean(near).or_else(|| hint(&entry.key, known));
    mistakes.add_with_hint(entry.key_at, format!("{} has no key `{}`", section.what, entry.key), hint);
    section.keys.iter().find(|key| Some(key.name) == near)
}

/// The value of a key, as it was meant.
pub(super) fn value(node: &Node, key: &Key, mistakes: &mut Mistakes<'_>) -> Node {
    if node.is_unread() {
        return node.clone();
    }
    if !key.takes.admits(node) {
        tell_misfit(node, key, mistakes);
        return Node::unread(node.at);
    }
    let inside = |takes: Takes| Key { name: key.name, takes, presence: Presence::Optional, meaning: "" };
    match &key.takes {
        Takes::One(section) => fit(node, section, mistakes),
        Takes::Many(section) => items(node, |item| fit(item, section, mistakes)),
        Takes::Named(section) => entries(node, |entry| fit(entry, section, mistakes)),
        Takes::Names => items(node, |item| value(item, &inside(Takes::Text), mistakes)),
        Takes::Values => items(node, |item| value(item, &inside(Takes::Value), mistakes)),
        Takes::Approvers if matches!(node.tree, Tree::List(_)) => {
            items(node, |item| value(item, &inside(Takes::Approvers), mistakes))
        }
        Takes::Relations => items(node, |item| value(item, &inside(Takes::Input), mistakes)),
        Takes::Labels => entries(node, |entry| value(entry, &inside(Takes::Value), mistakes)),
        Takes::Expressions => entries(node, |entry| value(entry, &inside(Takes::Expression("a value")), mistakes)),
        _ => node.clone(),
    }
}

fn tell_misfit(node: &Node, key: &Key, mistakes: &mut Mistakes<'_>) {
    let message = match &key.takes {
        Takes::Word(words) if words.len() > FEW => format!("`{}` can't be {}", key.name, node.found()),
        takes => format!("`{}` takes {}, and {} was found", key.name, takes.words(), node.found()),
    };
    let hint = match (&key.takes, &node.tree) {
        (Takes::Word(words), Tree::Text(text)) if words.len() > FEW => hint(text, words.iter().copied()),
        (Takes::Word(words), Tree::Text(text)) => did_you_mean(nearest(text, words.iter().copied())),
        (Takes::Quorum, Tree::Text(text)) => did_you_mean(nearest(text, ["any", "all"])),
        (Takes::Approvers, Tree::Text(text)) => did_you_mean(approvers(text).as_deref()),
        (Takes::Text | Takes::Template | Takes::Name, Tree::Integer(_) | Tree::Float(_) | Tree::Bool(_)) => {
            Some(format!("put it in quotes: \"{}\"", node.json()))
        }
        _ => None,
    };
    mistakes.add_with_hint(node.place.start(), message, hint);
}

/// Whom a text was most likely meant to name: `grup:owners` and `owners` the group, `ada@example.org` the person.
fn approvers(text: &str) -> Option<String> {
    let meant = match text.split_once(':') {
        Some((kind, who)) => format!("{}:{}", nearest(kind.trim(), ["group", "person"])?, who.trim()),
        None if text.contains('@') => format!("person:{text}"),
        None => nearest(text, ["manager"]).map_or_else(|| format!("group:{text}"), str::to_owned),
    };
    Who::parse(&meant).map(|_| meant)
}

/// Tells what is missing, and leaves it as unread.
fn complete(fitted: &mut Vec<Entry>, at: Position, section: &Section, mistakes: &mut Mistakes<'_>) {
    let has = |fitted: &[Entry], name: &str| fitted.iter().any(|entry| entry.key == name);
    for key in section.keys.iter().filter(|key| matches!(key.presence, Presence::Needed)) {
        if !has(fitted, key.name) {
            mistakes.add(at, format!("{} needs the key `{}`", section.what, key.name));
            fitted.push(Entry { key: key.name.to_owned(), key_at: at, value: Node::unread(at) });
        }
    }
    let choice: Vec<String> = section.either.iter().map(|name| format!("`{name}`")).collect();
    let mut given = fitted.iter().filter(|entry| section.either.contains(&entry.key.as_str()));
    match (given.next(), given.next()) {
        (Some(_), Some(second)) => {
            mistakes.add(second.key_at, format!("{} has either {}, not both", section.what, choice.join(" or ")));
        }
        (None, _) if !choice.is_empty() => {
            mistakes.add(at, format!("{} needs {}", section.what, choice.join(" or ")));
        }
        _ => {}
    }
}

fn items(node: &Node, fit: impl FnMut(&Node) -> Node) -> Node {
    Node { tree: Tree::List(node.items().iter().map(fit).collect()), ..node.clone() }
}

fn entries(node: &Node, mut fit: impl FnMut(&Node) -> Node) -> Node {
    let fitted = |entry: &Entry| Entry { value: fit(&entry.value), ..entry.clone() };
    Node { tree: Tree::Table(node.entries().iter().map(fitted).collect()), ..node.clone() }
}
