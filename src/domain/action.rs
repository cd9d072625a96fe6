//! What a blueprint may say of an action: its name and the shape of what goes in and comes out.

use serde_json::Value;

use crate::trouble::FieldError;

/// The declared face of an action, against which blueprints are checked before anything runs.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The verb in a blueprint, `machine.create`.
    pub name: &'static str,
    /// What a person reads on the run's page, "Create machine".
    pub title: &'static str,
    /// What a person reads where it is taken back, "Remove machine".
    pub undo_title: &'static str,
    /// One sentence for authors of blueprints.
    pub summary: &'static str,
    /// JSON Schema of the input.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// The outside system it calls; bounds how many run at once.
    pub provider: Option<&'static str>,
    /// Whether each site has one of it; false for what all sites share, such as the CMDBs.
    pub is_of_site: bool,
}

impl Signature {
    /// What a person reads where a step of this title is taken back: the action's words for it, unless the blueprint
    /// had words of its own for the step.
    pub fn undo_title_of(&self, title: &str) -> String {
        if title == self.title { self.undo_title.to_owned() } else { format!("Take back: {title}") }
    }
}

/// A JSON Schema that was read, ready to be asked whether values fit.
#[derive(Clone, Debug)]
pub struct Shape(jsonschema::Validator);

impl Shape {
    /// Reads a schema; the error says what is wrong with it.
    pub fn of(schema: &Value) -> Result<Self, String> {
        jsonschema::validator_for(schema).map(Self).map_err(|fault| fault.to_string())
    }

    /// Where a value does not fit; none when it does.
    pub fn mistakes(&self, value: &Value) -> Vec<FieldError> {
        let mistake = |fault: jsonschema::ValidationError<'_>| FieldError {
            field: fault.instance_path().to_string(),
            message: fault.to_string(),
        };
        self.0.iter_errors(value).map(mistake).collect()
    }
}
