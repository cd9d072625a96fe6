//! The input of an action: every key known, every required one there, every value of its kind.

use serde_json::Value;

use super::Check;
use crate::blueprint::mistake::{Position, did_you_mean, hint, nearest};
use crate::blueprint::read::template_of;
use crate::blueprint::schema::Parameters;
use crate::blueprint::shape::{self, Names};
use crate::blueprint::source::{Entry, Node, Tree, shortened};
use crate::blueprint::unfit::unfit;
use crate::blueprint::{Located, StepDeclaration};

impl Check<'_, '_, '_> {
    pub(super) fn action(&mut self, step: &StepDeclaration, action: &Located<String>, names: &Names) {
        let actions = self.actions;
        if let Some(signature) = actions.iter().find(|signature| signature.name == action.value) {
            let schema = shape::inlined(&signature.input);
            self.entries(&step.with, &schema, &action.value, action.at(), names);
            return;
        }
        if !action.is_unread() {
            let known = actions.iter().map(|signature| signature.name);
            let message = format!("there is no action `{}`", action.value);
            self.mistakes.add_with_hint(action.at(), message, hint(&action.value, known));
        }
        self.value(&step.with, &shape::UNKNOWN, "the input", names);
    }

    /// A table against its schema; `at` is where a missing key is told. A misspelt key is taken for the one it was
    /// meant to be.
    fn entries(&mut self, node: &Node, schema: &Value, owner: &str, at: Position, names: &Names) {
        let Tree::Table(entries) = &node.tree else { return };
        let mut missing = missing(entries, schema);
        for entry in entries {
            let key = self.meant(entry, entries, schema, owner);
            missing.retain(|name| *name != key);
            let known = schema.get("properties").and_then(|properties| properties.get(key));
            self.value(&entry.value, known.unwrap_or(&shape::UNKNOWN), &format!("`{key}` of {owner}"), names);
        }
        for key in missing {
            self.mistakes.add(at, format!("{owner} needs `{key}`"));
        }
    }

    /// The key that an entry is, or was most likely meant to be.
    fn meant<'e>(&mut self, entry: &'e Entry, entries: &[Entry], schema: &'e Value, owner: &str) -> &'e str {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return &entry.key };
        let is_open = schema.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false));
        if properties.contains_key(&entry.key) || is_open {
            return &entry.key;
        }
        let free =
            || properties.keys().map(String::as_str).filter(|name| !entries.iter().any(|other| other.key == *name));
        let near = nearest(&entry.key, free());
        let known = || hint(&entry.key, properties.keys().map(String::as_str));
        let hint = did_you_mean(near).or_else(known);
        self.mistakes.add_with_hint(entry.key_at, format!("{owner} takes no `{}`", entry.key), hint);
        near.unwrap_or(&entry.key)
    }

    fn value(&mut self, node: &Node, schema: &Value, what: &str, names: &Names) {
        if shape::is_form(schema) {
            self.value(node, &shape::UNKNOWN, what, names);
            Parameters::read_input(node, self.mistakes);
            return;
        }
        match &node.tree {
            Tree::Text(text) => self.text(node, text, schema, what, names),
            Tree::List(items) => {
                self.expect(node, "a list", schema, what);
                let items_schema = schema.get("items").unwrap_or(&shape::UNKNOWN);
                items.iter().for_each(|item| self.value(item, items_schema, what, names));
            }
            Tree::Table(_) => {
                self.expect(node, "a table", schema, what);
                self.entries(node, schema, what, node.at, names);
            }
            Tree::Unread => {}
            _ => self.literal(node, schema, what),
        }
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Value, what: &str, names: &Names) {
        let template = template_of(text, &node.place, self.mistakes);
        if template.value.expressions().next().is_none() {
            if !template.is_unread() {
                self.literal(node, schema, what);
            }
            return;
        }
        let given = self.template(&template, names);
        if !shape::fits(&given, schema) {
            let (expected, found) =
                (shape::kind(schema).unwrap_or("something else"), shape::kind(&given).unwrap_or("not"));
            self.mistakes
                .add(node.place.start(), format!("{what} is {expected}, and `{}` is {found}", shortened(text)));
        }
    }

    fn expect(&mut self, node: &Node, kind: &str, schema: &Value, what: &str) {
        if let Some(expected) = shape::kind(schema).filter(|expected| *expected != kind) {
            self.mistakes.add(node.at, format!("{what} is {expected}, and {kind} was found"));
        }
    }

    fn literal(&mut self, node: &Node, schema: &Value, what: &str) {
        if let Some((message, hint)) = unfit(schema, &node.json()) {
            self.mistakes.add_with_hint(node.place.start(), format!("{what}: {message}"), hint);
        }
    }
}

/// The required keys that are not there.
fn missing<'s>(entries: &[Entry], schema: &'s Value) -> Vec<&'s str> {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    required.filter(|key| !entries.iter().any(|entry| entry.key == *key)).collect()
}
