//! What was true at an earlier instant, from the history.

use serde_json::Value;

use super::delta::fields;
use super::{Aspect, Attribute, Attributes, Change, Ci};

/// The CI as it stood after these entries of its history, oldest first; nothing when it was not there yet.
pub fn replay(history: &[Change]) -> Option<(Ci, Attributes)> {
    let mut state: Option<(Ci, Attributes)> = None;
    for change in history {
        match (&mut state, change.aspect) {
            (_, Aspect::Created) => state = first(change),
            (Some((ci, _)), Aspect::Core) => set(ci, &change.field, &change.after),
            (Some((_, attributes)), Aspect::Attribute) => {
                attributes.insert(change.field.clone(), known(change, change.after.clone()));
            }
            _ => {}
        }
        if let Some((ci, _)) = &mut state {
            ci.changed_at = change.at;
        }
    }
    state
}

/// Takes back what these entries of its history changed in the record, newest first; nothing when the CI came to be
/// in one of them.
pub fn rewind(mut ci: Ci, later: &[Change]) -> Option<Ci> {
    for change in later {
        match change.aspect {
            Aspect::Created => return None,
            Aspect::Core => set(&mut ci, &change.field, &change.before),
            Aspect::Attribute | Aspect::Relation | Aspect::Finding => {}
        }
    }
    Some(ci)
}

/// Sets one field of the record by its name; a value that does not fit leaves the record as it is.
fn set(ci: &mut Ci, field: &str, value: &Value) {
    let mut all = fields(ci);
    all.insert(field.to_owned(), value.clone());
    if let Ok(changed) = serde_json::from_value(Value::Object(all)) {
        *ci = changed;
    }
}

fn first(change: &Change) -> Option<(Ci, Attributes)> {
    let ci = serde_json::from_value(change.after.get("ci")?.clone()).ok()?;
    let values = change.after.get("attributes")?.as_object()?;
    let attributes = values.iter().map(|(name, value)| (name.clone(), known(change, value.clone()))).collect();
    Some((ci, attributes))
}

fn known(change: &Change, value: Value) -> Attribute {
    Attribute { value, source: change.source, run: change.run, step: change.step.clone(), at: change.at }
}
