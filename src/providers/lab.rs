//! What the lab says of itself (`tests/live/up`), for the live tests of its systems.

use std::fs;

use serde_json::Value;

/// All that `lab.json` says.
pub(crate) fn lab() -> Value {
    let folder = std::env::var("GATEHOUSE_LAB").expect("GATEHOUSE_LAB names the lab's folder");
    let text = fs::read_to_string(format!("{folder}/lab.json")).expect("the lab is up");
    serde_json::from_str(&text).expect("lab.json is JSON")
}

/// A word of it.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a word").to_owned()
}
