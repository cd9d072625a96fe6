//! From the tree of a file to a [`Blueprint`]: every key known, every value of its kind, all mistakes gathered.

use super::expression::{Expression, Fault};
use super::mistake::{Mistakes, Position, hint};
use super::schema::Parameters;
use super::source::{Entry, Node, Tree};
use super::template::Template;
use super::{Blueprint, Located, Period, Workflow, read_parts as parts};

const KEYS: [&str; 15] = [
    "blueprint",
    "version",
    "title",
    "summary",
    "category",
    "responsible",
    "sizes",
    "parameters",
    "lease",
    "price",
    "quota",
    "approval",
    "steps",
    "actions",
    "cmdb",
];

pub(super) fn blueprint(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Blueprint> {
    let table = Table::open(node, "a blueprint", &KEYS, mistakes)?;
    let name = table.name("blueprint", mistakes);
    let version = version(&table, mistakes);
    let title = table.required_text("title", mistakes);
    let summary = table.required_text("summary", mistakes);
    let category = table.required_text("category", mistakes);
    let responsible = parts::responsible(&table, mistakes);
    let sizes = parts::sizes(&table, mistakes);
    let lease = parts::lease(&table, mistakes);
    let mut order = workflow(&table, &sizes, mistakes);
    let price = parts::price(&table, mistakes);
    let quota = parts::quota(&table, mistakes);
    let actions = parts::day_two_actions(&table, &sizes, mistakes);
    let application = parts::application(&table, mistakes);
    if let (Some(application), Some(order)) = (&application, &mut order) {
        order.steps.push(parts::application_step(application, &order.steps));
    }
    Some(Blueprint {
        name: name?.value,
        version: version?,
        title: title?.value,
        summary: summary?.value,
        category: category?.value,
        responsible: responsible?,
        sizes,
        lease: lease?,
        order: order?,
        price: price?,
        quota,
        actions,
        application,
    })
}

fn version(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<semver::Version> {
    let node = table.required("version", mistakes)?;
    let text = match &node.tree {
        Tree::Text(text) => text.clone(),
        _ => node.json().to_string(),
    };
    match text.parse() {
        Ok(version) => Some(version),
        Err(_) => {
            mistakes.add(node.at, format!("`{text}` is no version; three numbers are expected, such as 1.2.0"));
            None
        }
    }
}

/// The form, the approval and the steps: the same keys in a blueprint and in a day-2 action.
pub(super) fn workflow(table: &Table<'_>, sizes: &[super::Size], mistakes: &mut Mistakes<'_>) -> Option<Workflow> {
    let parameters = match table.get("parameters") {
        Some(node) => Parameters::read(node, sizes, mistakes),
        None => Some(Parameters::default()),
    };
    let approval = match table.get("approval") {
        Some(node) => {
            list(node, "approval", mistakes).iter().filter_map(|item| parts::policy(item, mistakes)).collect()
        }
        None => Vec::new(),
    };
    let steps = table.required("steps", mistakes);
    let steps = steps.map(|node| {
        let items = list(node, "steps", mistakes);
        if items.is_empty() && matches!(node.tree, Tree::List(_)) {
            mistakes.add(node.at, "a workflow needs at least one step");
        }
        items.iter().filter_map(|item| parts::step(item, mistakes)).collect()
    });
    Some(Workflow { parameters: parameters?, approval, steps: steps? })
}

/// The items of a list; anything else is a mistake.
pub(super) fn list<'n>(node: &'n Node, what: &str, mistakes: &mut Mistakes<'_>) -> &'n [Node] {
    match &node.tree {
        Tree::List(items) => items,
        _ => {
            mistakes.add(node.at, format!("`{what}` is a list, and {} was found", node.kind()));
            &[]
        }
    }
}

/// A table whose keys have been compared with those that are known.
pub(super) struct Table<'n> {
    node: &'n Node,
    what: &'n str,
}

impl<'n> Table<'n> {
    pub(super) fn open(node: &'n Node, what: &'n str, known: &[&str], mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let table = Self::open_free(node, what, mistakes)?;
        for entry in table.entries() {
            if !known.contains(&entry.key.as_str()) {
                let message = format!("{what} has no key `{}`", entry.key);
                mistakes.add_with_hint(entry.key_at, message, hint(&entry.key, known.iter().copied()));
            }
        }
        Some(table)
    }

    /// A table whose keys are the author's own.
    pub(super) fn open_free(node: &'n Node, what: &'n str, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        if !matches!(node.tree, Tree::Table(_)) {
            mistakes.add(node.at, format!("{what} is a table of keys and values, and {} was found", node.kind()));
            return None;
        }
        Some(Self { node, what })
    }

    pub(super) fn at(&self) -> Position {
        self.node.at
    }

    pub(super) fn entries(&self) -> &'n [Entry] {
        match &self.node.tree {
            Tree::Table(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key)
    }

    pub(super) fn required(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            mistakes.add(self.node.at, format!("{} needs the key `{key}`", self.what));
        }
        found
    }

    pub(super) fn text(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Located<String>> {
        text(self.get(key)?, key, mistakes)
    }

    pub(super) fn required_text(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Located<String>> {
        text(self.required(key, mistakes)?, key, mistakes)
    }

    /// A name as addresses and keys need it: lower case, digits, `-` and `_`.
    pub(super) fn name(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Located<String>> {
        let name = self.required_text(key, mistakes)?;
        if is_name(&name.value) {
            return Some(name);
        }
        let message =
            format!("`{}` can't be a name: lower-case letters, digits, `-` and `_`, a letter first", name.value);
        mistakes.add(name.at, message);
        None
    }

    pub(super) fn period(&self, key: &str, default: Period, mistakes: &mut Mistakes<'_>) -> Option<Period> {
        let Some(node) = self.get(key) else { return Some(default) };
        let period = match &node.tree {
            Tree::Text(text) => Period::parse(text),
            _ => None,
        };
        if period.is_none() {
            mistakes.add(node.at, format!("`{key}` is a length of time, such as 90d, 12h or 5m"));
        }
        period
    }

    pub(super) fn whole(&self, key: &str, at_least: u32, mistakes: &mut Mistakes<'_>) -> Option<u32> {
        let node = self.get(key)?;
        let number = match node.tree {
            Tree::Integer(number) => u32::try_from(number).ok().filter(|number| *number >= at_least),
            _ => None,
        };
        if number.is_none() {
            mistakes
                .add(node.at, format!("`{key}` is an integer of at least {at_least}, and {} was found", found(node)));
        }
        number
    }

    pub(super) fn expression(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Located<Expression>> {
        expression(self.get(key)?, mistakes)
    }

    pub(super) fn template(&self, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Located<Template>> {
        let node = self.required(key, mistakes)?;
        let text = text(node, key, mistakes)?;
        template(node, &text.value, mistakes)
    }
}

pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 60
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

/// The value itself if it is short enough to quote, else what kind it is.
pub(super) fn found(node: &Node) -> String {
    match &node.tree {
        Tree::List(_) | Tree::Table(_) | Tree::Null => node.kind().to_owned(),
        _ => format!("`{}`", node.json().to_string().trim_matches('"')),
    }
}

pub(super) fn text(node: &Node, what: &str, mistakes: &mut Mistakes<'_>) -> Option<Located<String>> {
    match &node.tree {
        Tree::Text(text) if !text.trim().is_empty() => Some(Located { value: text.clone(), at: node.text_at }),
        Tree::Text(_) => {
            mistakes.add(node.at, format!("`{what}` is empty; text is expected"));
            None
        }
        _ => {
            mistakes.add(node.at, format!("`{what}` is text, and {} was found", node.kind()));
            None
        }
    }
}

/// An expression field: CEL as text, or a literal.
pub(super) fn expression(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Located<Expression>> {
    let source = match &node.tree {
        Tree::Text(text) => text.clone(),
        Tree::Bool(_) | Tree::Integer(_) | Tree::Float(_) => node.json().to_string(),
        _ => {
            mistakes.add(node.at, format!("an expression is expected here, and {} was found", node.kind()));
            return None;
        }
    };
    match Expression::parse(&source) {
        Ok(value) => Some(Located { value, at: node.text_at }),
        Err(fault) => {
            add_fault(node.text_at, fault, mistakes);
            None
        }
    }
}

pub(super) fn template(node: &Node, text: &str, mistakes: &mut Mistakes<'_>) -> Option<Located<Template>> {
    match Template::parse(text) {
        Ok(value) => Some(Located { value, at: node.text_at }),
        Err(fault) => {
            add_fault(node.text_at, fault, mistakes);
            None
        }
    }
}

fn add_fault(at: Position, fault: Fault, mistakes: &mut Mistakes<'_>) {
    mistakes.add_with_hint(at.right(fault.offset), fault.message, fault.hint);
}
