//! From an entry of `parameters` to a field of the form and its JSON Schema.

use serde_json::{Map, Value, json};

use super::{FieldKind, FieldOption, FormField, Parameter, plain, validator};
use crate::blueprint::format::is_name;
use crate::blueprint::mistake::{Mistakes, hint};
use crate::blueprint::read::template_of;
use crate::blueprint::source::{Entry, Node, Tree};
use crate::blueprint::template::Template;
use crate::blueprint::{Located, Size, unfit};
use crate::money::Money;

/// The keys that JSON Schema itself knows, with the kinds of parameters they are for; the others are for the form.
const SCHEMA_KEYS: [(&str, &[&str]); 8] = [
    ("type", &["string", "integer", "number", "boolean"]),
    ("enum", &["string", "integer", "number"]),
    ("minimum", &["integer", "number"]),
    ("maximum", &["integer", "number"]),
    ("multipleOf", &["integer", "number"]),
    ("minLength", &["string"]),
    ("maxLength", &["string"]),
    ("pattern", &["string"]),
];
/// Fields that every form has beside its parameters.
const TAKEN: [&str; 8] = ["check", "csrf", "key", "lease", "project", "reason", "site", "version"];
/// No parameter needs a longer text.
const MAX_TEXT: u64 = 2_000;

pub(super) fn parameter(entry: &Entry, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> Parameter {
    tell_bad_name(entry, mistakes);
    let node = &entry.value;
    let is_size = node.get("$ref").is_some();
    let schema = if is_size { size_schema(sizes) } else { own_schema(node, mistakes) };
    let text = |key: &str| match node.get(key).map(|node| &node.tree) {
        Some(Tree::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    let (default, computed_default) = default(node, &schema, mistakes);
    let field = FormField {
        name: entry.key.clone(),
        title: text("title").unwrap_or_else(|| capitalised(&entry.key)),
        help: text("description").unwrap_or_default(),
        kind: kind(&schema),
        options: if is_size { size_options(sizes) } else { options(node, &schema, mistakes) },
        minimum: number("minimum"),
        maximum: number("maximum"),
        max_length: schema.get("maxLength").and_then(Value::as_u64),
        pattern: text("pattern"),
        default,
        required: node.get("required").map(|node| &node.tree) != Some(&Tree::Bool(false)),
        group: text("group").unwrap_or_default(),
        unit: text("unit").unwrap_or_default(),
    };
    Parameter { field, schema, computed_default, is_size }
}

fn tell_bad_name(entry: &Entry, mistakes: &mut Mistakes<'_>) {
    let name = &entry.key;
    if !is_name(name) || name.contains('-') {
        let message = format!("`{name}` can't name a parameter: lower-case letters, digits and `_`, a letter first");
        mistakes.add(entry.key_at, message);
    } else if TAKEN.contains(&name.as_str()) {
        mistakes.add(entry.key_at, format!("`{name}` can't name a parameter: every form has a field of that name"));
    }
}

/// `memory_gb` as `Memory gb`: the title of what has none.
pub(in crate::blueprint) fn capitalised(name: &str) -> String {
    let spaced = name.replace(['_', '-'], " ");
    let mut characters = spaced.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn kind(schema: &Value) -> FieldKind {
    match schema.get("type").and_then(Value::as_str) {
        _ if schema.get("enum").is_some() => FieldKind::Choice,
        Some("integer") => FieldKind::Integer,
        Some("number") => FieldKind::Number,
        Some("boolean") => FieldKind::Boolean,
        _ => FieldKind::Text,
    }
}

fn size_schema(sizes: &[Size]) -> Value {
    let names: Vec<&str> = sizes.iter().map(|size| size.name.as_str()).collect();
    if names.is_empty() { json!({ "type": "string" }) } else { json!({ "type": "string", "enum": names }) }
}

fn size_options(sizes: &[Size]) -> Vec<FieldOption> {
    let label = |size: &Size| {
        let price = Money::from_euros(size.monthly).unwrap_or_default();
        let Size { title, cpu, memory_gb, disk_gb, .. } = size;
        format!("{title}: {cpu} processors, {memory_gb} GB memory, {disk_gb} GB disk, {price} a month")
    };
    sizes.iter().map(|size| FieldOption { value: size.name.clone(), label: label(size) }).collect()
}

/// The schema that a parameter's own keys make; `true` where its type can't be read.
fn own_schema(node: &Node, mistakes: &mut Mistakes<'_>) -> Value {
    let Some(Tree::Text(kind)) = node.get("type").map(|node| &node.tree) else { return Value::Bool(true) };
    let mut schema = Map::new();
    for (key, kinds) in SCHEMA_KEYS {
        let Some(entry) = node.entries().iter().find(|entry| entry.key == key && !entry.value.is_unread()) else {
            continue;
        };
        if !kinds.contains(&kind.as_str()) {
            let message =
                format!("`{key}` says nothing of a parameter of type `{kind}`; it is for {}", kinds.join(" and "));
            mistakes.add(entry.key_at, message);
        } else if key == "enum" {
            let values = allowed(&entry.value, kind, mistakes);
            schema.extend((!values.is_empty()).then(|| (key.to_owned(), Value::from(values))));
        } else if key != "pattern" || is_pattern(&entry.value, mistakes) {
            schema.insert(key.to_owned(), entry.value.json());
        }
    }
    if kind == "string" && !schema.contains_key("maxLength") && !schema.contains_key("enum") {
        schema.insert("maxLength".to_owned(), Value::from(MAX_TEXT));
    }
    tell_empty_ranges(node, mistakes);
    Value::Object(schema)
}

/// The values of `enum` that are of the parameter's type, each once.
fn allowed(node: &Node, kind: &str, mistakes: &mut Mistakes<'_>) -> Vec<Value> {
    let mut values = Vec::new();
    for item in node.items().iter().filter(|item| !item.is_unread()) {
        let value = item.json();
        if let Some((message, hint)) = unfit::unfit(&json!({ "type": kind }), &value) {
            mistakes.add_with_hint(item.place.start(), message, hint);
        } else if values.contains(&value) {
            mistakes.add(item.place.start(), format!("the choice has {} already", item.found()));
        } else {
            values.push(value);
        }
    }
    values
}

fn is_pattern(node: &Node, mistakes: &mut Mistakes<'_>) -> bool {
    let why = validator(&json!({ "pattern": node.json() })).err();
    if why.is_some() {
        let hint = "look-around and back references are not part of it, so that every pattern is quick".to_owned();
        let message = format!("{} is not a regular expression that can be used here", node.found());
        mistakes.add_with_hint(node.place.start(), message, Some(hint));
    }
    why.is_none()
}

fn tell_empty_ranges(node: &Node, mistakes: &mut Mistakes<'_>) {
    for (least, most) in [("minimum", "maximum"), ("minLength", "maxLength")] {
        let number = |key: &str| node.get(key).and_then(|node| Some((node, node.json().as_f64()?)));
        if let (Some((_, low)), Some((node, high))) = (number(least), number(most))
            && low > high
        {
            mistakes.add(node.at, format!("no value fits: `{most}` is {high}, and `{least}` is {low}"));
        }
    }
}

fn options(node: &Node, schema: &Value, mistakes: &mut Mistakes<'_>) -> Vec<FieldOption> {
    let values: Vec<String> = schema.get("enum").and_then(Value::as_array).into_iter().flatten().map(plain).collect();
    let labels = node.get("labels").map_or(&[][..], Node::entries);
    let is_read = node.get("enum").is_none_or(|node| node.items().len() == values.len() && !node.is_unread());
    for entry in labels.iter().filter(|entry| is_read && !values.contains(&entry.key)) {
        let hint = hint(&entry.key, values.iter().map(String::as_str));
        mistakes.add_with_hint(entry.key_at, format!("the choice has no `{}` to label", entry.key), hint);
    }
    let label = |value: &str| labels.iter().find(|entry| entry.key == value).map(|entry| plain(&entry.value.json()));
    values
        .iter()
        .map(|value| FieldOption { value: value.clone(), label: label(value).unwrap_or_else(|| value.clone()) })
        .collect()
}

/// The default, as a value or as a text with `${…}`; none where it does not fit its own parameter.
fn default(node: &Node, schema: &Value, mistakes: &mut Mistakes<'_>) -> (Option<Value>, Option<Located<Template>>) {
    let Some(default) = node.get("default").filter(|default| !default.is_unread()) else { return (None, None) };
    if let Tree::Text(text) = &default.tree
        && text.contains("${")
    {
        return (None, Some(template_of(text, &default.place, mistakes)));
    }
    let value = default.json();
    match unfit::unfit(schema, &value) {
        None => (Some(value), None),
        Some((message, hint)) => {
            let message = format!("the default does not fit its own parameter: {message}");
            mistakes.add_with_hint(default.place.start(), message, hint);
            (None, None)
        }
    }
}
