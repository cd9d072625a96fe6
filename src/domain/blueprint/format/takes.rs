//! What a key takes: which values fit, what an author is told when one does not, what editors are told.

use serde_json::{Value as Json, json};

use super::Section;
use crate::blueprint::source::{Node, Tree};
use crate::blueprint::{Approvers as Who, Period as Span};
use crate::money::Money;

/// The values that fit a key.
pub(in crate::blueprint) enum Takes {
    Text,
    /// Of a blueprint or an action.
    Name,
    /// Of a step: a name that expressions can say.
    Id,
    Version,
    Period,
    Boolean,
    /// An integer, at least this one.
    Whole(u32),
    Number,
    Price,
    /// CEL that gives a value of this kind, or the value itself.
    Expression(&'static str),
    /// Text with `${…}` in it.
    Template,
    Word(&'static [&'static str]),
    Quorum,
    /// One or a list.
    Approvers,
    /// The name of an action.
    Action,
    /// Text, a number or a boolean.
    Value,
    /// At least one of them.
    Values,
    /// Step ids.
    Names,
    /// Tables of a relation and a step.
    Relations,
    /// A table of the author's keys with text.
    Labels,
    /// A table of the author's keys with expressions.
    Expressions,
    /// A table that the action explains.
    Input,
    One(&'static Section),
    Many(&'static Section),
    /// A table of the author's keys with such tables.
    Named(&'static Section),
}

use Takes::*;

impl Takes {
    /// What is expected, in an author's words.
    pub(super) fn words(&self) -> String {
        match self {
            Text => "text".to_owned(),
            Name => "a name: lower-case letters, digits, `-` and `_`, a letter first".to_owned(),
            Id => "a name for expressions: lower-case letters, digits and `_`, a letter first".to_owned(),
            Version => "three numbers, such as 1.2.0".to_owned(),
            Period => "a length of time, such as 90d, 12h or 5m".to_owned(),
            Boolean => "`true` or `false`".to_owned(),
            Whole(least) => format!("an integer of at least {least}"),
            Number => "a number".to_owned(),
            Price => "a price in euros, such as 25.0".to_owned(),
            Expression(gives) => format!("an expression that gives {gives}"),
            Template => "text, which may hold `${…}`".to_owned(),
            Word(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(" or ")
            }
            Quorum => "`any`, `all` or a number of approvers".to_owned(),
            Approvers => "`group:name`, `person:mail` or `manager`".to_owned(),
            Action => "the name of an action".to_owned(),
            Value => "text, a number or a boolean".to_owned(),
            Values => "a list of at least one value".to_owned(),
            Names => "a list of steps".to_owned(),
            Relations => "a list of relations to steps".to_owned(),
            Labels => "a table of values and their labels".to_owned(),
            Expressions => "a table of expressions".to_owned(),
            Input | One(_) => "a table of keys and values".to_owned(),
            Many(section) => format!("a list; each item is {}", section.what),
            Named(section) => format!("a table by name; each entry is {}", section.what),
        }
    }

    /// Whether a value can stand here. Tables and lists are only looked at as such: what is in them is fitted in turn.
    pub(super) fn admits(&self, node: &Node) -> bool {
        match (self, &node.tree) {
            (Text | Template | Action, Tree::Text(text)) => !text.trim().is_empty(),
            (Name, Tree::Text(text)) => is_name(text),
            (Id, Tree::Text(text)) => is_name(text) && !text.contains('-'),
            (Version, Tree::Text(text)) => text.parse::<semver::Version>().is_ok(),
            (Period, Tree::Text(text)) => Span::parse(text).is_some(),
            (Whole(least), Tree::Integer(number)) => u32::try_from(*number).is_ok_and(|number| number >= *least),
            (Price, Tree::Integer(price)) => {
                u32::try_from(*price).is_ok_and(|price| Money::price(price.into()).is_some())
            }
            (Price, Tree::Float(price)) => Money::price(*price).is_some(),
            (Expression(_), Tree::Text(_) | Tree::Bool(_) | Tree::Integer(_) | Tree::Float(_)) => true,
            (Word(words), Tree::Text(text)) => words.contains(&text.as_str()),
            (Quorum, Tree::Text(word)) => matches!(word.as_str(), "any" | "all"),
            (Quorum, Tree::Integer(number)) => (1..=100).contains(number),
            (Approvers, Tree::Text(text)) => Who::parse(text).is_some(),
            (Value, Tree::Text(_) | Tree::Bool(_) | Tree::Integer(_) | Tree::Float(_)) => true,
            (Approvers | Values, Tree::List(items)) => !items.is_empty(),
            (Boolean, Tree::Bool(_)) | (Number, Tree::Integer(_) | Tree::Float(_)) => true,
            (Names | Relations | Many(_), Tree::List(_)) => true,
            (Labels | Expressions | Input | One(_) | Named(_), Tree::Table(_)) => true,
            _ => false,
        }
    }

    /// The same as JSON Schema; `section` gives that of a table.
    pub(super) fn schema(&self, section: &dyn Fn(&'static Section) -> Json) -> Json {
        let values = || json!({ "type": ["string", "number", "boolean"] });
        match self {
            Text | Template => json!({ "type": "string", "minLength": 1 }),
            Name => json!({ "type": "string", "maxLength": 60, "pattern": "^[a-z][a-z0-9_-]*$" }),
            Id => json!({ "type": "string", "maxLength": 60, "pattern": "^[a-z][a-z0-9_]*$" }),
            Version => json!({ "type": "string", "pattern": r"^\d+\.\d+\.\d+" }),
            Period => json!({ "type": "string", "pattern": r"^\d+[dhms]$" }),
            Boolean => json!({ "type": "boolean" }),
            Whole(least) => json!({ "type": "integer", "minimum": least }),
            Number => json!({ "type": "number" }),
            Price => json!({ "type": "number", "minimum": 0 }),
            Expression(_) | Value => values(),
            Word(words) => json!({ "enum": words }),
            Quorum => {
                json!({ "anyOf": [{ "enum": ["any", "all"] }, { "type": "integer", "minimum": 1, "maximum": 100 }] })
            }
            Approvers => {
                let one = json!({ "type": "string", "pattern": "^(group:.+|person:.+@.+|manager)$" });
                json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
            }
            Action => json!({ "$ref": "#/$defs/action_name" }),
            Values => json!({ "type": "array", "items": values(), "minItems": 1 }),
            Names => json!({ "type": "array", "items": { "type": "string" } }),
            Relations => {
                let names: Json = super::RELATIONS
                    .map(|word| (word, json!({ "type": "string", "pattern": r"^steps\." })))
                    .into_iter()
                    .collect();
                json!({ "type": "array", "items": { "type": "object", "properties": names, "additionalProperties": false } })
            }
            Labels | Expressions => json!({ "type": "object", "additionalProperties": values() }),
            Input => json!({ "type": "object" }),
            One(table) => section(table),
            Many(table) => json!({ "type": "array", "items": section(table) }),
            Named(table) => json!({ "type": "object", "additionalProperties": section(table) }),
        }
    }
}

/// A name as addresses and keys need it: lower case, digits, `-` and `_`.
pub(in crate::blueprint) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 60
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}
