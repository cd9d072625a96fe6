//! From the fitted tree of a file to a [`Blueprint`]. What was left as unread is stood in for, so that the rest can be
//! checked; what expressions and templates have wrong is told here.

mod application;
mod parts;

pub(super) use application::APPLICATION_STEP;

use super::expression::{Expression, Fault};
use super::mistake::Mistakes;
use super::schema::Parameters;
use super::source::{Node, Place, Tree};
use super::template::Template;
use super::{Blueprint, Located, Period, Size, Workflow};

pub(super) fn blueprint(node: &Node, mistakes: &mut Mistakes<'_>) -> Blueprint {
    let sizes = parts::sizes(node);
    let mut order = workflow(node, &sizes, mistakes);
    let application = application::application(node, mistakes);
    if let Some(application) = &application {
        let step = application::step(node, application, &order);
        order.steps.push(step);
    }
    Blueprint {
        name: text(node, "blueprint").unwrap_or_default(),
        version: text(node, "version").and_then(|text| text.parse().ok()).unwrap_or(semver::Version::new(0, 0, 0)),
        title: text(node, "title").unwrap_or_default(),
        summary: text(node, "summary").unwrap_or_default(),
        category: text(node, "category").unwrap_or_default(),
        responsible: parts::responsible(node, mistakes),
        lease: parts::lease(node, mistakes),
        price: parts::price(node, mistakes),
        quota: parts::quota(node, mistakes),
        actions: items(node, "actions").iter().map(|item| parts::day_two(item, &sizes, mistakes)).collect(),
        sizes,
        order,
        application,
    }
}

/// The form, the approval and the steps: the same keys in a blueprint and in a day-2 action.
fn workflow(node: &Node, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> Workflow {
    let parameters = node.get("parameters").map(|node| Parameters::read(node, sizes, mistakes));
    let steps: Vec<_> = items(node, "steps").iter().map(|item| parts::step(item, mistakes)).collect();
    if steps.is_empty()
        && let Some(node) = node.get("steps").filter(|node| !node.is_unread())
    {
        mistakes.add(node.at, "a workflow needs at least one step");
    }
    Workflow {
        parameters: parameters.unwrap_or_default(),
        approval: items(node, "approval").iter().map(|item| parts::policy(item, mistakes)).collect(),
        steps,
    }
}

fn items<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    node.get(key).map_or(&[], Node::items)
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(located).map(|text| text.value)
}

/// A text with its place; nothing when it is unread.
fn located(node: &Node) -> Option<Located<String>> {
    match &node.tree {
        Tree::Text(text) => Some(Located { value: text.clone(), place: node.place.clone() }),
        _ => None,
    }
}

fn located_or_unread(node: &Node, key: &str) -> Located<String> {
    node.get(key).and_then(located).unwrap_or_else(Located::unread)
}

fn period(node: &Node, key: &str, default: Period) -> Period {
    text(node, key).and_then(|text| Period::parse(&text)).unwrap_or(default)
}

fn whole(node: &Node, key: &str) -> Option<u32> {
    match node.get(key)?.tree {
        Tree::Integer(number) => u32::try_from(number).ok(),
        _ => None,
    }
}

/// An expression field: CEL as text, or a literal. Nothing when the key is not there.
fn expression(node: &Node, key: &str, mistakes: &mut Mistakes<'_>) -> Option<Located<Expression>> {
    Some(expression_of(node.get(key)?, mistakes))
}

fn expression_of(node: &Node, mistakes: &mut Mistakes<'_>) -> Located<Expression> {
    let source = match &node.tree {
        Tree::Text(text) => text.clone(),
        Tree::Unread => return Located::unread(),
        _ => node.json().to_string(),
    };
    let read = Expression::parse(&source);
    told(read, &node.place, mistakes)
}

fn template(node: &Node, key: &str, mistakes: &mut Mistakes<'_>) -> Located<Template> {
    match node.get(key).and_then(located) {
        Some(text) => template_of(&text.value, &text.place, mistakes),
        None => Located::unread(),
    }
}

pub(super) fn template_of(text: &str, place: &Place, mistakes: &mut Mistakes<'_>) -> Located<Template> {
    told(Template::parse(text), place, mistakes)
}

fn told<T: Default>(read: Result<T, Fault>, place: &Place, mistakes: &mut Mistakes<'_>) -> Located<T> {
    match read {
        Ok(value) => Located { value, place: place.clone() },
        Err(fault) => {
            mistakes.add_with_hint(place.at(fault.offset), fault.message, fault.hint);
            Located::unread()
        }
    }
}
