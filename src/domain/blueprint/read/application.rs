//! The `cmdb` section: the CI that stands for the deployment as a whole, and the step that registers it.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{items, located, template, text};
use crate::blueprint::format::{RELATIONS, is_name};
use crate::blueprint::mistake::{Mistakes, hint};
use crate::blueprint::source::{Entry, Node, Place, Tree};
use crate::blueprint::{Application, Located, StepDeclaration, Work, Workflow};
use crate::ci::{CiClass, Relation};

/// The step that registers the application service; its id is what other steps need.
pub(in crate::blueprint) const APPLICATION_STEP: &str = "application";
/// The parameter by which an order says for which environment it is.
const ENVIRONMENT: &str = "environment";

pub(super) fn application(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Application> {
    let section = node.get("cmdb")?;
    let unread = Node::unread(section.at);
    let node = section.get("application").unwrap_or(&unread);
    Some(Application {
        class: text(node, "class").and_then(|class| known(&class)).unwrap_or(CiClass::ApplicationService),
        name: template(node, "name", mistakes),
        needs: items(node, "needs").iter().filter_map(located).collect(),
        relations: items(node, "relations")
            .iter()
            .flat_map(Node::entries)
            .filter_map(|entry| relation(entry, mistakes))
            .collect(),
        place: node.at.into(),
    })
}

fn relation(entry: &Entry, mistakes: &mut Mistakes<'_>) -> Option<(Relation, Located<String>)> {
    let relation = known(&entry.key);
    if relation.is_none() {
        let message = format!("there is no relation `{}`", entry.key);
        mistakes.add_with_hint(entry.key_at, message, hint(&entry.key, RELATIONS));
    }
    let target = located(&entry.value);
    let step = target.as_ref().and_then(|target| target.value.strip_prefix("steps.")).filter(|step| is_name(step));
    let Some((step, target)) = step.zip(target.as_ref()) else {
        let at = entry.value.place.start();
        mistakes
            .add(at, format!("a relation is to the CI of a step, `steps.<id>`, and {} was found", entry.value.found()));
        return None;
    };
    Some((relation?, Located { value: step.to_owned(), place: target.place.at(6).into() }))
}

/// A word that one of our enums knows.
fn known<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::from(word)).ok()
}

/// What the order says of the application: the blueprint and its version, and for which environment where it asks.
fn attributes(node: &Node, order: &Workflow, place: &Place) -> Node {
    let blueprint = ["blueprint", "version"].map(|key| text(node, key).unwrap_or_default()).join(" ");
    let environment = order.parameters.find(ENVIRONMENT).map(|_| format!("${{params.{ENVIRONMENT}}}"));
    let environment = environment.map(|text| entry(ENVIRONMENT, Node::text(text, place)));
    table(environment.into_iter().chain([entry("blueprint", Node::text(blueprint, place))]).collect(), place)
}

/// An entry that stands in no file: its place is that of its value.
fn entry(key: &str, value: Node) -> Entry {
    Entry { key: key.to_owned(), key_at: value.at, value }
}

fn table(entries: Vec<Entry>, place: &Place) -> Node {
    Node { at: place.start(), place: place.clone(), tree: Tree::Table(entries) }
}

/// The `application` section of a file as a step of its order, so that it is planned, built and undone like any other.
pub(super) fn step(node: &Node, application: &Application, order: &Workflow) -> StepDeclaration {
    let place = &application.place;
    let is_list = |id: &str| order.steps.iter().any(|step| step.id.value == id && step.for_each.is_some());
    let relation = |(relation, step): &(Relation, Located<String>)| {
        let (word, step) = (json!(relation), &step.value);
        let word = word.as_str().unwrap_or_default();
        if is_list(step) {
            format!("steps.{step}.map(x, {{'relation': '{word}', 'to': x.ci}})")
        } else {
            format!("[{{'relation': '{word}', 'to': steps.{step}.ci}}]")
        }
    };
    let relations: Vec<String> = application.relations.iter().map(relation).collect();
    let class = json!(application.class);
    let mut with = vec![
        entry("class", Node::text(class.as_str().unwrap_or_default().to_owned(), place)),
        entry("name", Node::text(application.name.value.source().to_owned(), place)),
        entry("attributes", attributes(node, order, place)),
    ];
    if !relations.is_empty() {
        with.push(entry("relations", Node::text(format!("${{{}}}", relations.join(" + ")), place)));
    }
    StepDeclaration {
        id: Located { value: APPLICATION_STEP.to_owned(), place: place.clone() },
        work: Work::Do(Located { value: "cmdb.register".to_owned(), place: place.clone() }),
        needs: application.needs.clone(),
        when: None,
        for_each: None,
        in_turn: None,
        with: table(with, place),
        title: None,
        retry: None,
    }
}
