//! The format as JSON Schema, so that editors complete keys, say what they mean, and underline what does not fit.

use serde_json::{Map, Value, json};

use super::{BLUEPRINT, Key, Presence, SECTIONS, Section};
use crate::action::Signature;
use crate::blueprint::shape;

/// The JSON Schema (draft 2020-12) of a blueprint file whose steps call these actions.
pub fn file_schema(actions: &[Signature]) -> Value {
    let mut definitions: Map<String, Value> =
        SECTIONS.iter().map(|(_, section)| (definition(section), table(section))).collect();
    let names: Vec<Value> = actions.iter().map(|it| json!({ "const": it.name, "description": it.summary })).collect();
    definitions.insert("action_name".to_owned(), json!({ "oneOf": names }));
    if let Some(step) = definitions.get_mut("step") {
        step["allOf"] = actions.iter().map(inputs).collect();
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A blueprint of Gatehouse",
        "$ref": reference(&BLUEPRINT),
        "$defs": definitions,
    })
}

/// What a section is called among the definitions: `step` for "a step".
fn definition(section: &Section) -> String {
    section.what.trim_start_matches("an ").trim_start_matches("a ").replace('`', "")
}

fn reference(section: &Section) -> String {
    format!("#/$defs/{}", definition(section))
}

fn table(section: &'static Section) -> Value {
    let properties: Map<String, Value> = section.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let needed = section.keys.iter().filter(|key| matches!(key.presence, Presence::Needed));
    let needed: Vec<&str> = needed.map(|key| key.name).collect();
    let mut schema =
        json!({ "type": "object", "properties": properties, "required": needed, "additionalProperties": false });
    if !section.either.is_empty() {
        schema["oneOf"] = section.either.iter().map(|key| json!({ "required": [key] })).collect();
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = key.takes.schema(&|section| json!({ "$ref": reference(section) }));
    let default = match key.presence {
        Presence::Default(default) => format!(" Default: {default}."),
        Presence::Needed | Presence::Optional => String::new(),
    };
    schema["description"] = format!("{}{default}", key.meaning).into();
    schema
}

/// Where a step calls this action, its `with` is the action's input.
fn inputs(action: &Signature) -> Value {
    let input = with_templates(&shape::inlined(&action.input));
    let is_needed = input.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty());
    let required: &[&str] = if is_needed { &["with"] } else { &[] };
    json!({
        "if": { "properties": { "do": { "const": action.name } }, "required": ["do"] },
        "then": { "properties": { "with": input }, "required": required },
    })
}

/// The schema with text that holds an expression in the place of any value.
fn with_templates(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            *property = or_template(property);
        }
    }
    if let Some(items) = schema.get_mut("items") {
        *items = or_template(items);
    }
    schema
}

fn or_template(schema: &Value) -> Value {
    let template = json!({ "type": "string", "pattern": r"\$\{" });
    let mut either = json!({ "anyOf": [with_templates(schema), template] });
    if let Some(description) = schema.get("description") {
        either["description"] = description.clone();
    }
    either
}
