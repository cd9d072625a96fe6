//! The input of an action: every key known, every required one there, every value of its kind.

use serde_json::Value;

use super::Check;
use crate::blueprint::mistake::{Position, hint};
use crate::blueprint::schema::validator;
use crate::blueprint::shape::{self, Names};
use crate::blueprint::source::{Entry, Node, Tree};
use crate::blueprint::template::Template;
use crate::blueprint::{Located, StepDeclaration};

impl Check<'_, '_> {
    pub(super) fn action(&mut self, step: &StepDeclaration, action: &Located<String>, names: &Names) {
        let actions = self.actions;
        let Some(signature) = actions.iter().find(|signature| signature.name == action.value) else {
            let known = actions.iter().map(|signature| signature.name);
            let message = format!("there is no action `{}`", action.value);
            self.mistakes.add_with_hint(action.at, message, hint(&action.value, known));
            self.value(&step.with, &shape::UNKNOWN, &action.value, names);
            return;
        };
        let schema = shape::inlined(&signature.input);
        self.entries(&step.with, &schema, &action.value, action.at, names);
    }

    /// A table against its schema; `at` is where a missing key is told.
    fn entries(&mut self, node: &Node, schema: &Value, owner: &str, at: Position, names: &Names) {
        let Tree::Table(entries) = &node.tree else { return };
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_open = schema.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false));
        for entry in entries {
            let known = properties.and_then(|properties| properties.get(&entry.key));
            if known.is_none()
                && !is_open
                && let Some(properties) = properties
            {
                let message = format!("{owner} takes no `{}`", entry.key);
                let hint = hint(&entry.key, properties.keys().map(String::as_str));
                self.mistakes.add_with_hint(entry.key_at, message, hint);
            }
            self.value(&entry.value, known.unwrap_or(&shape::UNKNOWN), &format!("`{}` of {owner}", entry.key), names);
        }
        self.required(entries, schema, owner, at);
    }

    fn required(&mut self, entries: &[Entry], schema: &Value, owner: &str, at: Position) {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for key in required.filter(|key| !entries.iter().any(|entry| entry.key == *key)) {
            self.mistakes.add(at, format!("{owner} needs `{key}`"));
        }
    }

    fn value(&mut self, node: &Node, schema: &Value, what: &str, names: &Names) {
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
            _ => self.literal(node, schema, what),
        }
    }

    fn text(&mut self, node: &Node, text: &str, schema: &Value, what: &str, names: &Names) {
        // What is no template has been told when the file was read.
        let Ok(template) = Template::parse(text) else { return };
        if template.expressions().next().is_none() {
            self.literal(node, schema, what);
            return;
        }
        let given = self.template(&Located { value: template, at: node.text_at }, names);
        if !shape::fits(&given, schema) {
            let (expected, found) =
                (shape::kind(schema).unwrap_or("something else"), shape::kind(&given).unwrap_or("not"));
            self.mistakes.add(node.at, format!("{what} is {expected}, and `{text}` is {found}"));
        }
    }

    fn expect(&mut self, node: &Node, kind: &str, schema: &Value, what: &str) {
        if let Some(expected) = shape::kind(schema).filter(|expected| *expected != kind) {
            self.mistakes.add(node.at, format!("{what} is {expected}, and {kind} was found"));
        }
    }

    fn literal(&mut self, node: &Node, schema: &Value, what: &str) {
        let Ok(validator) = validator(schema) else { return };
        if let Err(violation) = validator.validate(&node.json()) {
            self.mistakes.add(node.at, format!("{what} does not fit: {violation}"));
        }
    }
}
