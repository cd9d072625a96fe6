//! The text of a blueprint as a tree in which everything knows its place in the file.
//!
//! Reading is bounded: a file that is too large, nests too deep or multiplies itself with aliases is refused.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::budget::BudgetBreach as Breach;
use serde_saphyr::{Location, Spanned};

use super::mistake::{Mistakes, Position};

mod place;

pub(super) use place::Place;

/// No blueprint needs more; a larger file is not read at all.
const MAX_BYTES: usize = 256 * 1024;
const MAX_DEPTH: usize = 24;
const MAX_NODES: usize = 20_000;
const MAX_ALIASES: usize = 100;

/// The place of what stands in no file.
const NOWHERE: Position = Position { line: 1, column: 1 };

/// A value of the file with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Position,
    /// Where the characters of a text stand.
    pub(super) place: Place,
    pub(crate) tree: Tree,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// What could not be used at its place; the mistake has been told, and nothing more is said of it.
    Unread,
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key of a table with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) value: Node,
}

impl Node {
    /// Something that could not be used, at the place where it stands or is missing.
    pub(super) fn unread(at: Position) -> Self {
        Self { at, place: Place::default(), tree: Tree::Unread }
    }

    pub(super) fn is_unread(&self) -> bool {
        self.tree == Tree::Unread
    }

    /// A text that stands nowhere but here.
    pub(super) fn text(text: String, place: &Place) -> Self {
        Self { at: place.start(), place: place.clone(), tree: Tree::Text(text) }
    }

    /// The value itself if it is short enough to quote, else what kind it is.
    pub(crate) fn found(&self) -> String {
        match &self.tree {
            Tree::List(items) if items.is_empty() => "an empty list".to_owned(),
            Tree::List(_) | Tree::Table(_) | Tree::Null | Tree::Unread => self.kind().to_owned(),
            Tree::Text(text) if text.trim().is_empty() => "empty text".to_owned(),
            Tree::Text(text) => format!("`{}`", shortened(text)),
            _ => format!("`{}`", self.json()),
        }
    }

    /// The items of a list, or the one thing that stands in its place.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.tree {
            Tree::List(items) => items,
            Tree::Unread => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The keys of a table, with their values.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.tree {
            Tree::Table(entries) => entries,
            _ => &[],
        }
    }

    /// What the value is, in an author's words.
    pub(super) fn kind(&self) -> &'static str {
        match self.tree {
            Tree::Unread | Tree::Null => "nothing",
            Tree::Bool(_) => "a boolean",
            Tree::Integer(_) => "an integer",
            Tree::Float(_) => "a number",
            Tree::Text(_) => "text",
            Tree::List(_) => "a list",
            Tree::Table(_) => "a table",
        }
    }

    /// The value of a key of this table.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// A value that stands in no file. What is null is not there: an expression may have given nothing.
    pub(super) fn of(value: &Value) -> Self {
        let tree = match value {
            Value::Null => Tree::Null,
            Value::Bool(value) => Tree::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Tree::Integer(number),
                None => Tree::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Tree::Text(text.clone()),
            Value::Array(items) => Tree::List(items.iter().map(Self::of).collect()),
            Value::Object(entries) => Tree::Table(
                entries
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(key, value)| Entry { key: key.clone(), key_at: NOWHERE, value: Self::of(value) })
                    .collect(),
            ),
        };
        Self { at: NOWHERE, place: Place::from(NOWHERE), tree }
    }

    /// The same value without its places.
    pub(super) fn json(&self) -> Value {
        match &self.tree {
            Tree::Unread | Tree::Null => Value::Null,
            Tree::Bool(value) => Value::from(*value),
            Tree::Integer(value) => Value::from(*value),
            Tree::Float(value) => Value::from(*value),
            Tree::Text(value) => Value::from(value.as_str()),
            Tree::List(items) => items.iter().map(Self::json).collect(),
            Tree::Table(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.json())).collect())
            }
        }
    }
}

/// Reads the text; what is no YAML, or too much of it, is one mistake with its place.
pub(crate) fn read(text: &str, mistakes: &mut Mistakes<'_>) -> Option<Node> {
    let start = Position { line: 1, column: 1 };
    if text.len() > MAX_BYTES {
        let size = text.len() / 1024;
        mistakes.add(start, format!("the file has {size} KiB; a blueprint may have at most {} KiB", MAX_BYTES / 1024));
        return None;
    }
    match serde_saphyr::from_str_with_options::<Spanned<RawTree>>(text, limits()) {
        Ok(raw) => {
            let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
            Some(placed(raw, &lines, mistakes))
        }
        Err(error) => {
            let error = error.without_snippet();
            let at = error.location().map_or(start, position);
            let (message, hint) = explain(error);
            mistakes.add_with_hint(at, message, hint.map(str::to_owned));
            None
        }
    }
}

fn limits() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 8,
        },
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_documents: 1,
        },
    }
}

/// What the parser stumbled over, and what helps.
fn explain(error: &serde_saphyr::Error) -> (String, Option<&'static str>) {
    use serde_saphyr::Error as E;
    match error {
        E::Budget { breach: Breach::Documents { .. }, .. } => (
            "a second document begins here".to_owned(),
            Some("a file holds one blueprint; give the other a file of its own"),
        ),
        E::Budget { .. }
        | E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. } => {
            let limits = format!("at most {MAX_DEPTH} levels, {MAX_NODES} values and {MAX_ALIASES} aliases");
            (format!("the file is too much to read safely: {limits}"), None)
        }
        E::AliasError { error, .. } => explain(error),
        E::MergeKeyNotAllowed { .. } => ("merge keys (`<<`) are not part of the blueprint format".to_owned(), None),
        other => {
            let text = other.to_string();
            let said = without_place(text.lines().next().unwrap_or_default());
            let helps = HELPS.iter().find(|(words, _)| said.contains(words)).map(|(_, help)| *help);
            (format!("this is not YAML: {said}"), helps)
        }
    }
}

/// What helps where the parser uses these words.
const HELPS: [(&str, &str); 6] = [
    ("tab", "indent with spaces; YAML allows no tabs there"),
    ("unclosed quote", "the quote that begins here is closed nowhere"),
    (
        "mapping values are not allowed",
        "a key stands where none can: look at the indentation here and in the line above",
    ),
    ("':' indicator", "is a bracket, a brace or a quote above not closed?"),
    ("non-finite", "write a finite number, such as 25.0; text is quoted"),
    ("unknown anchor", "a text that begins with `*` has to be quoted"),
];

/// The parser names line and column in front or behind; the mistake has them already.
fn without_place(message: &str) -> &str {
    let message = message.split(" at line ").next().unwrap_or(message);
    match message.strip_prefix("error: line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, rest)) => rest,
        None => message.trim_start_matches("error: "),
    }
}

fn position(location: Location) -> Position {
    Position {
        line: usize::try_from(location.line()).unwrap_or(1).max(1),
        column: usize::try_from(location.column()).unwrap_or(1).max(1),
    }
}

/// What the YAML parser gives, before places are looked up in the text.
enum RawTree {
    Scalar(Tree),
    List(Vec<Spanned<RawTree>>),
    Table(Vec<(Spanned<String>, Spanned<RawTree>)>),
}

fn placed(raw: Spanned<RawTree>, lines: &[Vec<char>], mistakes: &mut Mistakes<'_>) -> Node {
    let at = position(raw.referenced);
    let (tree, place) = match raw.value {
        RawTree::Scalar(Tree::Text(text)) => {
            let place = Place::of(&text, at, lines);
            (Tree::Text(text), place)
        }
        RawTree::Scalar(Tree::Float(number)) if !number.is_finite() => {
            mistakes.add(at, "this is too large to count with; write a finite number, such as 25.0");
            (Tree::Unread, at.into())
        }
        RawTree::Scalar(scalar) => (scalar, at.into()),
        RawTree::List(items) => {
            (Tree::List(items.into_iter().map(|item| placed(item, lines, mistakes)).collect()), at.into())
        }
        RawTree::Table(entries) => (Tree::Table(table(entries, lines, mistakes)), at.into()),
    };
    Node { at, place, tree }
}

/// The entries of a table; a key that stands there a second time is told and left out.
fn table(
    entries: Vec<(Spanned<String>, Spanned<RawTree>)>,
    lines: &[Vec<char>],
    mistakes: &mut Mistakes<'_>,
) -> Vec<Entry> {
    let mut known: BTreeMap<String, Position> = BTreeMap::new();
    let mut table = Vec::new();
    for (key, value) in entries {
        let (key, key_at) = (key.value, position(key.referenced));
        let value = placed(value, lines, mistakes);
        match known.get(&key) {
            Some(first) => {
                let message = format!("the key `{key}` stands here a second time; the first is in line {}", first.line);
                mistakes.add(key_at, message);
            }
            None => {
                known.insert(key.clone(), key_at);
                table.push(Entry { key, key_at, value });
            }
        }
    }
    table
}

/// A text that fits into a sentence.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain("…".chars()).collect() }
}

impl<'de> Deserialize<'de> for RawTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawTreeVisitor)
    }
}

struct RawTreeVisitor;

impl<'de> Visitor<'de> for RawTreeVisitor {
    type Value = RawTree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, a boolean, a list or a table")
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawTree, E> {
        Ok(RawTree::Scalar(Tree::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawTree, E> {
        Ok(RawTree::Scalar(Tree::Integer(value)))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<RawTree, E> {
        let value = i64::try_from(value).map_err(|_| E::custom(format!("the integer {value} is too large")))?;
        Ok(RawTree::Scalar(Tree::Integer(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawTree, E> {
        Ok(RawTree::Scalar(Tree::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawTree, E> {
        Ok(RawTree::Scalar(Tree::Text(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<RawTree, E> {
        Ok(RawTree::Scalar(Tree::Null))
    }

    fn visit_none<E>(self) -> Result<RawTree, E> {
        Ok(RawTree::Scalar(Tree::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawTree, D::Error> {
        RawTree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<RawTree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(RawTree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<RawTree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(RawTree::Table(entries))
    }
}
