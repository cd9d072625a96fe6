//! Rows as one value of a statement of PostgreSQL: JSON. The text of such a statement is the same for any number of rows,
//! so that the server reads and plans it once for each connection; for some rows that costs more than what it does.
//!
//! A column of JSON stands in a list of one, by which JSON's own `null` differs from no value at all.

use std::fmt::Write;

use chrono::SecondsFormat;
use sea_orm::Value;

/// A column: its name, and what PostgreSQL calls its type.
pub(crate) type Column = (&'static str, &'static str);

const JSON: &str = "json";

/// The rows of the value at this place of the statement, as `v`.
pub(crate) fn source(place: usize, columns: &[Column]) -> String {
    let columns: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    format!("json_to_recordset(CAST(${place} AS json)) AS v({})", columns.join(", "))
}

/// A column of those rows.
pub(crate) fn value(&(name, kind): &Column) -> String {
    if kind == JSON { format!("v.{name} -> 0") } else { format!("v.{name}") }
}

/// Rows as such a value, each with a value for every column; nothing when PostgreSQL can't take them this way: it reads
/// no character of the number 0 in JSON.
pub(crate) fn records<R: AsRef<[Value]>>(columns: &[Column], rows: impl Iterator<Item = R>) -> Option<String> {
    let mut text = String::from("[");
    for (at, row) in rows.enumerate() {
        text.push_str(if at == 0 { "{" } else { ",{" });
        let mut between = "";
        for ((name, _), value) in columns.iter().zip(row.as_ref()) {
            let Some(value) = json(value)? else { continue };
            write!(text, "{between}\"{name}\":{value}").ok()?;
            between = ",";
        }
        text.push('}');
    }
    text.push(']');
    (!text.contains("\\u0000")).then_some(text)
}

/// A value as JSON; inside, nothing for none. Of a kind that rows of the journal don't have, nothing at all.
fn json(value: &Value) -> Option<Option<String>> {
    Some(match value {
        Value::Bool(value) => value.map(|value| value.to_string()),
        Value::Int(value) => value.map(|value| value.to_string()),
        Value::BigInt(value) => value.map(|value| value.to_string()),
        Value::Uuid(value) => value.map(|value| format!("\"{value}\"")),
        Value::ChronoDateTimeUtc(value) => {
            value.map(|value| format!("\"{}\"", value.to_rfc3339_opts(SecondsFormat::Micros, true)))
        }
        Value::String(value) => value.as_ref().map(serde_json::to_string).transpose().ok()?,
        Value::Json(value) => value.as_ref().map(|value| format!("[{value}]")),
        _ => return None,
    })
}
