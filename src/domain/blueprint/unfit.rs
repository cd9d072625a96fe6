//! Why a value that stands in the file does not fit a JSON Schema, in an author's words.

use jsonschema::error::{TypeKind, ValidationErrorKind as Violation};
use serde_json::Value;

use super::mistake::{did_you_mean, nearest};
use super::schema::{plain, validator};
use super::shape;

/// What is wrong with a value, and a hint; nothing when it fits, or when the schema itself is no schema.
pub(super) fn unfit(schema: &Value, value: &Value) -> Option<(String, Option<String>)> {
    let validator = validator(schema).ok()?;
    let violation = validator.validate(value).err()?;
    let found = plain(value);
    let mut hint = None;
    let message = match violation.kind() {
        Violation::Minimum { limit } => format!("at least {limit} is expected, and {found} was found"),
        Violation::Maximum { limit } => format!("at most {limit} is expected, and {found} was found"),
        Violation::MultipleOf { multiple_of } => format!("{found} is not a multiple of {multiple_of}"),
        Violation::MinLength { limit } => format!("`{found}` has fewer than {limit} characters"),
        Violation::MaxLength { limit } => format!("`{found}` has more than {limit} characters"),
        Violation::Pattern { pattern } => format!("`{found}` does not match {pattern}"),
        Violation::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
            hint = did_you_mean(nearest(&found, options.iter().map(String::as_str)));
            format!("one of {} is expected, and `{found}` was found", options.join(", "))
        }
        Violation::Type { kind: TypeKind::Single(_) } => {
            let expected = shape::kind(schema).unwrap_or("another kind of value");
            let is = if value.is_string() { "the text " } else { "" };
            format!("{expected} is expected, and {is}`{found}` was found")
        }
        _ => violation.to_string(),
    };
    Some((message, hint))
}
