//! The form of a blueprint's parameters: the fields as a page draws them, with what was typed and what is wrong with it.

use domain::blueprint::schema::{FieldKind, FormField};
use domain::trouble::FieldError;
use serde_json::Value;

use crate::problem;

/// A field on a page. Text for its bounds is empty where there are none, as the components want it.
#[derive(Clone, Debug)]
pub struct FieldView {
    pub name: String,
    pub title: String,
    pub help: String,
    pub kind: FieldKind,
    options: Vec<(String, String)>,
    pub minimum: String,
    pub maximum: String,
    /// How far a number moves at a time: `1`, or `any` for one with decimals.
    pub step: &'static str,
    pub unit: String,
    pub required: bool,
    /// What was typed, or the default.
    pub value: String,
    /// What is wrong with it; may be empty.
    pub error: String,
}

/// Fields under their heading.
#[derive(Clone, Debug)]
pub struct FieldGroup {
    /// May be empty.
    pub title: String,
    pub fields: Vec<FieldView>,
}

impl FieldView {
    pub fn is_choice(&self) -> bool {
        self.kind == FieldKind::Choice
    }

    /// What may be chosen: value and label.
    pub fn choices(&self) -> Vec<(&str, &str)> {
        self.options.iter().map(|(value, label)| (value.as_str(), label.as_str())).collect()
    }

    pub fn is_boolean(&self) -> bool {
        self.kind == FieldKind::Boolean
    }

    pub fn is_numeric(&self) -> bool {
        matches!(self.kind, FieldKind::Integer | FieldKind::Number)
    }

    /// Whether a box is ticked.
    pub fn is_on(&self) -> bool {
        matches!(self.value.as_str(), "true" | "on" | "1")
    }
}

/// The fields by group, in their order. `typed` gives what was sent, where something was.
pub fn groups<'t>(
    fields: Vec<FormField>,
    typed: impl Fn(&str) -> Option<&'t str>,
    errors: &[FieldError],
) -> Vec<FieldGroup> {
    let mut groups: Vec<FieldGroup> = Vec::new();
    for field in fields {
        let title = field.group.clone();
        let value = typed(&field.name).map_or_else(|| text(field.default.as_ref()), str::to_owned);
        let view = view(field, value, errors);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.fields.push(view),
            None => groups.push(FieldGroup { title, fields: vec![view] }),
        }
    }
    groups
}

fn view(field: FormField, value: String, errors: &[FieldError]) -> FieldView {
    let bound = |bound: Option<f64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    FieldView {
        error: problem::message_at(errors, &field.name).to_owned(),
        minimum: bound(field.minimum),
        maximum: bound(field.maximum),
        step: if field.kind == FieldKind::Integer { "1" } else { "any" },
        options: field.options.into_iter().map(|option| (option.value, option.label)).collect(),
        name: field.name,
        title: field.title,
        help: field.help,
        kind: field.kind,
        unit: field.unit,
        required: field.required,
        value,
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}
