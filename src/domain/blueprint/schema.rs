//! Parameters: JSON Schema (draft 2020-12) that becomes the form, the reading of what was typed, and sentences for
//! what does not fit.

use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind as Violation};
use jsonschema::{Draft, PatternOptions, Validator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::expression::Scope;
use super::mistake::{Mistake, Mistakes, nearest};
use super::source::Node;
use super::template::Template;
use super::{Located, Size, format};
use crate::trouble::FieldError;

mod read;

pub(super) use read::capitalised;

/// The parameters of an order or of a day-2 action.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    declared: Vec<Parameter>,
    /// Some names could not be read, so there may be others.
    is_open: bool,
    validator: Option<Arc<Validator>>,
}

#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) field: FormField,
    /// What JSON Schema checks; `true` where it could not be read.
    pub(super) schema: Value,
    /// A default with `${…}` in it.
    pub(super) computed_default: Option<Located<Template>>,
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
    pub(super) fn read(node: &Node, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> Self {
        let declared: Vec<Parameter> =
            node.entries().iter().map(|entry| read::parameter(entry, sizes, mistakes)).collect();
        let is_open = node.is_unread() || declared.iter().any(|parameter| !format::is_name(&parameter.field.name));
        let is_read = declared.iter().all(|parameter| parameter.schema.is_object());
        let validator = is_read.then(|| validator(&object_schema(&declared)).ok().map(Arc::new)).flatten();
        Self { declared, is_open, validator }
    }

    /// Reads a form in the input of an action, whose texts may hold expressions.
    pub(super) fn read_input(node: &Node, mistakes: &mut Mistakes<'_>) -> Self {
        let fitted = format::fit_form(node, mistakes);
        for size in fitted.entries().iter().filter_map(|entry| entry.value.get("$ref")) {
            mistakes.add(size.place.start(), "the sizes can be chosen in an order alone; here `enum` can name them");
        }
        Self::read(&fitted, &[], mistakes)
    }

    /// Reads a form that came with the input of a step. The error says all that is wrong with it.
    pub fn of_form(form: &Value) -> Result<Self, String> {
        let mut mistakes = Mistakes::of("form");
        let read = Self::read_input(&Node::of(form), &mut mistakes);
        let said =
            |found: Vec<Mistake>| found.into_iter().map(|mistake| mistake.message).collect::<Vec<_>>().join("; ");
        mistakes.settle(Some(read)).map_err(said)
    }

    pub(super) fn declared(&self) -> &[Parameter] {
        &self.declared
    }

    /// Whether there may be names beside the declared ones.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The names, in the order of the form.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.declared.iter().map(|parameter| parameter.field.name.as_str())
    }

    /// These values as people read them: the title of each parameter and what was chosen, in the order of the form.
    /// What was left empty is left out.
    pub fn in_words(&self, values: &Map<String, Value>) -> Vec<(String, String)> {
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
                // A box that is not ticked is not sent.
                (FieldKind::Boolean, None) => {
                    values.insert(field.name.clone(), Value::Bool(false));
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

    pub(super) fn find(&self, name: &str) -> Option<&Parameter> {
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
        Some(template) => template.value.fill(scope).ok().filter(|value| !value.is_null()),
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
        FieldKind::Boolean => match text {
            "true" | "on" | "yes" | "1" => Some(Value::Bool(true)),
            "false" | "off" | "no" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        FieldKind::Text => None,
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
