//! Parameters: JSON Schema (draft 2020-12) that becomes the form, the reading of what was typed, and sentences for
//! what does not fit.

use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind as Violation};
use jsonschema::{Draft, PatternOptions, Validator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Size;
use super::expression::Scope;
use super::mistake::{Mistakes, Position, nearest};
use super::read::{Table, is_name};
use super::read_parts::capitalised;
use super::source::{Entry, Node, Tree};
use super::template::Template;
use crate::money::Money;
use crate::trouble::FieldError;

const KEYS: [&str; 16] = [
    "$ref",
    "type",
    "title",
    "description",
    "default",
    "enum",
    "labels",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "required",
    "group",
    "unit",
];
/// The keys that JSON Schema itself knows; the others are for the form.
const SCHEMA_KEYS: [&str; 8] =
    ["type", "enum", "minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern"];
const SIZES: &str = "#/sizes";
/// Fields that every form has beside its parameters.
const TAKEN: [&str; 7] = ["check", "csrf", "key", "lease", "project", "reason", "version"];
/// No parameter needs a longer text.
const MAX_TEXT: u64 = 2_000;

/// The parameters of an order or of a day-2 action.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    declared: Vec<Parameter>,
    validator: Option<Arc<Validator>>,
}

#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) field: FormField,
    /// What JSON Schema checks.
    pub(super) schema: Value,
    /// A default with `${…}` in it, and its place.
    pub(super) computed_default: Option<(Template, Position)>,
    pub(super) is_size: bool,
}

/// A parameter as a form shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormField {
    pub name: String,
    pub title: String,
    /// One sentence below the field; may be empty.
    pub help: String,
    pub kind: FieldKind,
    /// What may be chosen, where `kind` is a choice.
    pub options: Vec<FieldOption>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub max_length: Option<u64>,
    pub pattern: Option<String>,
    pub default: Option<Value>,
    pub required: bool,
    /// The heading under which it stands; may be empty.
    pub group: String,
    /// Behind the field, `GB`; may be empty.
    pub unit: String,
}

/// How a field is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    Integer,
    Number,
    Boolean,
    Choice,
}

/// One entry of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldOption {
    pub value: String,
    pub label: String,
}

impl FormField {
    /// A value as people read it: the label of a choice (of a size its name alone), yes or no, a number with its unit.
    fn say(&self, value: &Value) -> String {
        let plain = plain(value);
        if let Some(option) = self.options.iter().find(|option| option.value == plain) {
            return option.label.split(": ").next().unwrap_or_default().to_owned();
        }
        match value {
            Value::Bool(yes) => (if *yes { "yes" } else { "no" }).to_owned(),
            Value::Number(_) if !self.unit.is_empty() => format!("{plain} {}", self.unit),
            _ => plain,
        }
    }
}

impl Parameters {
    pub(super) fn read(node: &Node, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let table = Table::open_free(node, "`parameters`", mistakes)?;
        let declared: Vec<Parameter> =
            table.entries().iter().filter_map(|entry| parameter(entry, sizes, mistakes)).collect();
        let whole = declared.len() == table.entries().len();
        let validator = validator(&object_schema(&declared)).ok().map(Arc::new);
        whole.then_some(Self { declared, validator })
    }

    pub(super) fn declared(&self) -> &[Parameter] {
        &self.declared
    }

    /// The names, in the order of the form.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(|parameter| parameter.field.name.as_str())
    }

    /// These values as people read them: the title of each parameter and what was chosen, in the order of the form.
    /// What was left empty is left out.
    pub(super) fn in_words(&self, values: &Map<String, Value>) -> Vec<(String, String)> {
        let given = |parameter: &Parameter| {
            let value = values.get(&parameter.field.name).filter(|value| !value.is_null())?;
            Some((parameter.field.title.clone(), parameter.field.say(value)))
        };
        self.declared.iter().filter_map(given).collect()
    }

    /// How a parameter is called on the form.
    pub(super) fn title<'a>(&'a self, name: &'a str) -> &'a str {
        self.find(name).map_or(name, |parameter| &parameter.field.title)
    }

    /// The JSON Schema of all of them, for programs.
    pub fn schema(&self) -> Value {
        object_schema(&self.declared)
    }

    /// The form. Defaults with `${…}` are filled over these names; one that can't be is left out.
    pub fn form(&self, scope: &Scope) -> Vec<FormField> {
        let filled =
            |parameter: &Parameter| FormField { default: default_of(parameter, scope), ..parameter.field.clone() };
        self.declared.iter().map(filled).collect()
    }

    /// What was typed into the form, as JSON by the kind of each field. What can't be read stays text, so that
    /// nothing typed is lost; a field that was emptied is null; unknown fields are left out.
    pub fn read_form<'a>(&self, sent: impl Fn(&str) -> Option<&'a str>) -> Map<String, Value> {
        let mut values = Map::new();
        for parameter in &self.declared {
            let field = &parameter.field;
            match (field.kind, sent(&field.name)) {
                (FieldKind::Boolean, text) => {
                    values.insert(field.name.clone(), Value::Bool(matches!(text, Some("true" | "on" | "1"))));
                }
                (_, None) => {}
                (_, Some(text)) => {
                    values.insert(field.name.clone(), typed(parameter, text.trim()));
                }
            }
        }
        values
    }

    /// The values with defaults for what is absent, or what is wrong with each field in a sentence.
    ///
    /// An optional parameter that was not given is null, so that expressions can ask for it.
    pub fn complete(&self, given: &Map<String, Value>, scope: &Scope) -> Result<Map<String, Value>, Vec<FieldError>> {
        let mut errors = self.unknown(given);
        let mut complete = Map::new();
        let mut absent = Vec::new();
        for parameter in &self.declared {
            let name = &parameter.field.name;
            let value = match given.get(name) {
                Some(value) => Some(value.clone()),
                None => default_of(parameter, scope),
            };
            match value {
                Some(value) if !value.is_null() => {
                    complete.insert(name.clone(), value);
                }
                _ if parameter.field.required => {
                    errors.push(error(name, format!("{} is needed.", parameter.field.title)));
                }
                _ => absent.push(name.clone()),
            }
        }
        errors.extend(self.violations(&complete));
        if errors.is_empty() {
            complete.extend(absent.into_iter().map(|name| (name, Value::Null)));
            Ok(complete)
        } else {
            Err(errors)
        }
    }

    /// The size that these values choose, if a parameter is one.
    pub(super) fn chosen_size<'a>(&self, values: &'a Map<String, Value>) -> Option<&'a str> {
        let parameter = self.declared.iter().find(|parameter| parameter.is_size)?;
        values.get(&parameter.field.name)?.as_str()
    }

    fn find(&self, name: &str) -> Option<&Parameter> {
        self.declared.iter().find(|parameter| parameter.field.name == name)
    }

    fn unknown(&self, given: &Map<String, Value>) -> Vec<FieldError> {
        let unknown = given.keys().filter(|name| self.find(name).is_none());
        unknown
            .map(|name| {
                let hint = match nearest(name, self.names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}.", self.names().collect::<Vec<_>>().join(", ")),
                };
                error(name, format!("There is no parameter `{name}`; {hint}"))
            })
            .collect()
    }

    fn violations(&self, values: &Map<String, Value>) -> Vec<FieldError> {
        let Some(validator) = &self.validator else { return Vec::new() };
        let instance = Value::Object(values.clone());
        let mut errors: Vec<FieldError> = Vec::new();
        for violation in validator.iter_errors(&instance) {
            let path = violation.instance_path().to_string();
            let name = path.trim_start_matches('/').split('/').next().unwrap_or_default();
            // Each field says one thing at a time, and missing ones have been named already.
            let Some(parameter) = self.find(name) else { continue };
            if !errors.iter().any(|error| error.field == name) {
                errors.push(error(name, sentence(parameter, violation.kind(), values.get(name))));
            }
        }
        errors
    }
}

fn error(field: &str, message: String) -> FieldError {
    FieldError { field: field.to_owned(), message }
}

fn default_of(parameter: &Parameter, scope: &Scope) -> Option<Value> {
    match &parameter.computed_default {
        Some((template, _)) => template.fill(scope).ok().filter(|value| !value.is_null()),
        None => parameter.field.default.clone(),
    }
}

fn typed(parameter: &Parameter, text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    let read = match parameter.field.kind {
        FieldKind::Integer => text.parse::<i64>().ok().map(Value::from),
        FieldKind::Number => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
        FieldKind::Choice => chosen(parameter, text),
        FieldKind::Text | FieldKind::Boolean => None,
    };
    read.unwrap_or_else(|| Value::from(text))
}

/// The value of a choice keeps the type that the schema gives it.
fn chosen(parameter: &Parameter, text: &str) -> Option<Value> {
    let values = parameter.schema.get("enum")?.as_array()?;
    values.iter().find(|value| plain(value) == text).cloned()
}

/// A value as people read it: text without quotes.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}

fn sentence(parameter: &Parameter, violation: &Violation, value: Option<&Value>) -> String {
    let title = &parameter.field.title;
    let found = value.map(plain).unwrap_or_default();
    match violation {
        Violation::Minimum { limit } => format!("{title} must be at least {limit}."),
        Violation::Maximum { limit } => format!("{title} must be at most {limit}."),
        Violation::MinLength { limit } => format!("{title} must have at least {limit} characters."),
        Violation::MaxLength { limit } => format!("{title} must have at most {limit} characters."),
        Violation::MultipleOf { multiple_of } => format!("{title} must be a multiple of {multiple_of}."),
        Violation::Pattern { pattern } if parameter.field.help.is_empty() => {
            format!("{title} can't be `{found}`: it has to match {pattern}.")
        }
        Violation::Pattern { .. } => format!("{title} can't be `{found}`. {}", parameter.field.help),
        Violation::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
            format!("{title} can't be `{found}`; choose one of {}.", options.join(", "))
        }
        Violation::Type { kind: TypeKind::Single(_) } => match parameter.field.kind {
            FieldKind::Integer => format!("{title} must be a whole number, and `{found}` is not."),
            FieldKind::Number => format!("{title} must be a number, and `{found}` is not."),
            FieldKind::Boolean => format!("{title} must be true or false, and `{found}` is neither."),
            FieldKind::Text | FieldKind::Choice => format!("{title} must be text, and `{found}` is not."),
        },
        other => format!("{title} does not fit the rule `{}`.", other.keyword()),
    }
}

fn object_schema(declared: &[Parameter]) -> Value {
    let properties: Map<String, Value> =
        declared.iter().map(|parameter| (parameter.field.name.clone(), documented(parameter))).collect();
    let required: Vec<&str> = declared
        .iter()
        .filter(|parameter| parameter.field.required && parameter.field.default.is_none())
        .filter(|parameter| parameter.computed_default.is_none())
        .map(|parameter| parameter.field.name.as_str())
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn documented(parameter: &Parameter) -> Value {
    let mut schema = parameter.schema.clone();
    schema["title"] = Value::from(parameter.field.title.as_str());
    if !parameter.field.help.is_empty() {
        schema["description"] = Value::from(parameter.field.help.as_str());
    }
    if let Some(default) = &parameter.field.default {
        schema["default"] = default.clone();
    }
    schema
}

/// Patterns run in linear time, whatever is typed.
pub(super) fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| error.to_string())
}

fn parameter(entry: &Entry, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> Option<Parameter> {
    if !is_name(&entry.key) || entry.key.contains('-') {
        let message =
            format!("`{}` can't name a parameter: lower-case letters, digits and `_`, a letter first", entry.key);
        mistakes.add(entry.key_at, message);
        return None;
    }
    if TAKEN.contains(&entry.key.as_str()) {
        mistakes
            .add(entry.key_at, format!("`{}` can't name a parameter: every form has a field of that name", entry.key));
        return None;
    }
    let node = &entry.value;
    let table = Table::open(node, "a parameter", &KEYS, mistakes)?;
    let is_size = table.text("$ref", mistakes).is_some();
    let schema = if is_size { size_schema(node, sizes, mistakes)? } else { own_schema(node, &table, mistakes)? };
    let kind = kind(&schema);
    let text = |key: &str, mistakes: &mut Mistakes<'_>| table.text(key, mistakes).map(|text| text.value);
    let title = text("title", mistakes).unwrap_or_else(|| capitalised(&entry.key));
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    let field = FormField {
        name: entry.key.clone(),
        title,
        help: text("description", mistakes).unwrap_or_default(),
        kind,
        options: if is_size { size_options(sizes) } else { options(node, &schema, mistakes) },
        minimum: number("minimum"),
        maximum: number("maximum"),
        max_length: schema.get("maxLength").and_then(Value::as_u64),
        pattern: schema.get("pattern").and_then(Value::as_str).map(str::to_owned),
        default: None,
        required: !matches!(node.get("required").map(|node| &node.tree), Some(Tree::Bool(false))),
        group: text("group", mistakes).unwrap_or_default(),
        unit: text("unit", mistakes).unwrap_or_default(),
    };
    let (default, computed_default) = default(node, &schema, mistakes);
    let field = FormField { default, ..field };
    Some(Parameter { field, schema, computed_default, is_size })
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

fn size_schema(node: &Node, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> Option<Value> {
    match node.get("$ref").map(|node| (node.json(), node.text_at)) {
        Some((target, at)) if target != SIZES => {
            mistakes.add(at, format!("`$ref` can only be `{SIZES}`, and {target} was found"));
            None
        }
        _ => Some(json!({ "type": "string", "enum": sizes.iter().map(|size| size.name.as_str()).collect::<Vec<_>>() })),
    }
}

fn size_options(sizes: &[Size]) -> Vec<FieldOption> {
    let label = |size: &Size| {
        let price = Money::from_euros(size.monthly).unwrap_or_default();
        let Size { title, cpu, memory_gb, disk_gb, .. } = size;
        format!("{title}: {cpu} processors, {memory_gb} GB memory, {disk_gb} GB disk, {price} a month")
    };
    sizes.iter().map(|size| FieldOption { value: size.name.clone(), label: label(size) }).collect()
}

fn own_schema(node: &Node, table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<Value> {
    let kinds = ["string", "integer", "number", "boolean"];
    let declared = table.required_text("type", mistakes)?;
    if !kinds.contains(&declared.value.as_str()) {
        let hint = super::mistake::hint(&declared.value, kinds);
        mistakes.add_with_hint(declared.at, format!("a parameter can't be of type `{}`", declared.value), hint);
        return None;
    }
    let mut schema = Map::new();
    for key in SCHEMA_KEYS {
        schema.extend(node.get(key).map(|value| (key.to_owned(), value.json())));
    }
    if declared.value == "string" && !schema.contains_key("maxLength") && !schema.contains_key("enum") {
        schema.insert("maxLength".to_owned(), Value::from(MAX_TEXT));
    }
    let schema = Value::Object(schema);
    if let Err(why) = validator(&schema) {
        mistakes.add(node.at, format!("this is no JSON Schema: {why}"));
        return None;
    }
    Some(schema)
}

fn options(node: &Node, schema: &Value, mistakes: &mut Mistakes<'_>) -> Vec<FieldOption> {
    let values: Vec<String> = schema.get("enum").and_then(Value::as_array).into_iter().flatten().map(plain).collect();
    let labels = node.get("labels");
    if let Some(table) = labels.and_then(|labels| Table::open_free(labels, "`labels`", mistakes)) {
        for entry in table.entries().iter().filter(|entry| !values.contains(&entry.key)) {
            let hint = super::mistake::hint(&entry.key, values.iter().map(String::as_str));
            mistakes.add_with_hint(entry.key_at, format!("the choice has no `{}` to label", entry.key), hint);
        }
    }
    let label = |value: &str| labels.and_then(|labels| labels.get(value)).map(|label| plain(&label.json()));
    values
        .iter()
        .map(|value| FieldOption { value: value.clone(), label: label(value).unwrap_or_else(|| value.clone()) })
        .collect()
}

fn default(node: &Node, schema: &Value, mistakes: &mut Mistakes<'_>) -> (Option<Value>, Option<(Template, Position)>) {
    let Some(default) = node.get("default") else { return (None, None) };
    if let Tree::Text(text) = &default.tree
        && text.contains("${")
    {
        let template = super::read::template(default, text, mistakes);
        return (None, template.map(|template| (template.value, template.at)));
    }
    let value = default.json();
    if let Ok(validator) = validator(schema)
        && let Err(violation) = validator.validate(&value)
    {
        mistakes.add(default.at, format!("the default does not fit its own parameter: {violation}"));
    }
    (Some(value), None)
}
