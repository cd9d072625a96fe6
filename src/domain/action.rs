//! What a blueprint may say of an action: its name and the shape of what goes in and comes out.

use serde_json::Value;

/// The declared face of an action, against which blueprints are checked before anything runs.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The verb in a blueprint, `machine.create`.
    pub name: &'static str,
    /// What a person reads on the run's page, "Create machine".
    pub title: &'static str,
    /// One sentence for authors of blueprints.
    pub summary: &'static str,
    /// JSON Schema of the input.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// The outside system it calls; bounds how many run at once.
    pub provider: Option<&'static str>,
}
