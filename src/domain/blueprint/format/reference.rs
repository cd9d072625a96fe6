//! The format as a page for people: every key, every action, every name and function of expressions.

use std::fmt::{self, Write};

use serde_json::Value;

use super::{Presence, SECTIONS, Section};
use crate::action::Signature;
use crate::blueprint::check::variables;
use crate::blueprint::expression::{FUNCTIONS, MACROS};
use crate::blueprint::shape;

/// The reference of the blueprint format in Markdown, with these actions.
pub fn file_reference(actions: &[Signature]) -> String {
    let mut page = String::new();
    write(&mut page, actions).expect("text grows");
    page
}

fn write(page: &mut String, actions: &[Signature]) -> fmt::Result {
    writeln!(page, "## Keys\n")?;
    for (heading, section) in SECTIONS {
        keys(page, heading, section)?;
    }
    writeln!(page, "## Names in expressions\n\n| name | is | known in |\n|---|---|---|")?;
    for variable in variables() {
        writeln!(page, "| `{}` | {} | {} |", variable.name, variable.meaning, variable.known_in)?;
    }
    writeln!(page, "\n## Functions in expressions\n\n| function | gives |\n|---|---|")?;
    for (_, usage, meaning) in FUNCTIONS.iter().chain(&MACROS) {
        writeln!(page, "| `{usage}` | {} |", cell(meaning))?;
    }
    writeln!(page, "\n## Actions\n")?;
    for action in actions {
        writeln!(page, "### `{}`\n\n{}\n", action.name, action.summary)?;
        values(page, "`with`", &action.input, true)?;
        values(page, "leaves", &action.output, false)?;
    }
    Ok(())
}

fn keys(page: &mut String, heading: &str, section: &Section) -> fmt::Result {
    writeln!(page, "### {heading}\n\n| key | takes | without it | meaning |\n|---|---|---|---|")?;
    for key in section.keys {
        let without = match key.presence {
            _ if section.either.contains(&key.name) => "one of both",
            Presence::Needed => "a mistake",
            Presence::Default(default) => default,
            Presence::Optional => "",
        };
        let takes = cell(&key.takes.words());
        writeln!(page, "| `{}` | {takes} | {without} | {} |", key.name, cell(key.meaning))?;
    }
    writeln!(page)
}

/// The values of an action's input or output; inner tables with a dotted name.
fn values(page: &mut String, heading: &str, schema: &Value, is_input: bool) -> fmt::Result {
    let schema = shape::inlined(schema);
    let mut rows = Vec::new();
    collect(&mut rows, "", &schema, is_input);
    if rows.is_empty() {
        return Ok(());
    }
    let needed = if is_input { " needed |" } else { "" };
    writeln!(page, "| {heading} | is |{needed} meaning |\n|---|---|{}---|", if is_input { "---|" } else { "" })?;
    for row in rows {
        writeln!(page, "{row}")?;
    }
    writeln!(page)
}

fn collect(rows: &mut Vec<String>, before: &str, schema: &Value, is_input: bool) {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, value) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let kind = shape::kind(value).unwrap_or("any value");
        let meaning = cell(value.get("description").and_then(Value::as_str).unwrap_or_default());
        let needed = match (is_input, required.contains(&name.as_str())) {
            (false, _) => "",
            (true, true) => " yes |",
            (true, false) => " |",
        };
        rows.push(format!("| `{before}{name}` | {kind} |{needed} {meaning} |"));
        collect(rows, &format!("{before}{name}."), value, is_input);
        if let Some(items) = value.get("items") {
            collect(rows, &format!("{before}{name}[]."), items, is_input);
        }
    }
}

/// A text that breaks no table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
