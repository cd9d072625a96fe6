//! Rows as one value of a statement of PostgreSQL: JSON. The text of such a statement is the same for any number of rows,
//! so that the server reads and plans it once for each connection; for some rows that costs more than what it does.
//!
//! A value of JSON stands there as text, by which JSON's own `null` differs from no value at all.

use std::borrow::Cow;

use chrono::SecondsFormat;
use sea_orm::{DbErr, Value};
use serde_json::Value as Json;

/// A column: its name, and what PostgreSQL calls its type.
pub(crate) type Column = (&'static str, &'static str);

const JSON: &str = "json";

/// The rows of the value at this place of the statement, as `v`.
pub(crate) fn source(place: usize, columns: &[Column]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|&(name, kind)| if kind == JSON { format!("{name} text") } else { format!("{name} {kind}") })
        .collect();
    format!("json_to_recordset(CAST(${place} AS json)) AS v({})", columns.join(", "))
}

/// A column of those rows.
pub(crate) fn value(&(name, kind): &Column) -> String {
    if kind == JSON { format!("CAST(v.{name} AS json)") } else { format!("v.{name}") }
}

/// Rows as such a value, each with a value for every column.
pub(crate) fn records<R: AsRef<[Value]>>(columns: &[Column], rows: impl Iterator<Item = R>) -> Result<String, DbErr> {
    let mut text = String::from("[");
    for (at, row) in rows.enumerate() {
        text.push_str(if at == 0 { "{" } else { ",{" });
        let mut between = "";
        for ((name, _), value) in columns.iter().zip(row.as_ref()) {
            if let Some(value) = json(value)? {
                text.extend([between, "\"", name, "\":", &value]);
                between = ",";
            }
        }
        text.push('}');
    }
    text.push(']');
    Ok(text)
}

/// A value as JSON; nothing for none.
fn json(value: &Value) -> Result<Option<String>, DbErr> {
    Ok(match value {
        Value::Bool(value) => value.map(|value| value.to_string()),
        Value::Int(value) => value.map(|value| value.to_string()),
        Value::BigInt(value) => value.map(|value| value.to_string()),
        Value::Uuid(value) => value.map(|value| format!("\"{value}\"")),
        Value::ChronoDateTimeUtc(value) => {
            value.map(|value| format!("\"{}\"", value.to_rfc3339_opts(SecondsFormat::Micros, true)))
        }
        Value::String(value) => value.as_ref().map(|value| Json::from(kept(value)).to_string()),
        Value::Json(value) => value.as_ref().map(|value| Json::from(value.to_string()).to_string()),
        other => return Err(DbErr::Type(format!("no row of the journal has a value like {other:?}"))),
    })
}

/// PostgreSQL keeps no character of the number 0 in a text.
fn kept(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
