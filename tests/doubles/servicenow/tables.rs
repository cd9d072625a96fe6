//! Reading tables: encoded queries, fields, dot-walking, parts.

use serde_json::{Map, Value, json};

use super::{Row, State, refused};
use crate::http::{Asked, Reply};

/// Rows of an answer where nobody says how many.
const LIMIT: usize = 10_000;

pub(super) fn answer(state: &State, table: &str, asked: &Asked) -> Reply {
    let said = |name: &str| asked.query.get(name).map_or("", String::as_str);
    let terms: Vec<&str> = said("sysparm_query").split('^').filter(|term| !term.is_empty()).collect();
    if !["sys_choice", "sys_user", "sys_user_group", "sys_object_source", "cmdb_rel_ci", "cmdb_rel_type"]
        .contains(&table)
        && !table.starts_with("life_cycle")
        && super::engine::class(table).is_none()
    {
        return refused(400, &format!("Invalid table {table}"), "");
    }
    let mut rows: Vec<&Row> = state
        .tables
        .get(table)
        .into_iter()
        .flat_map(|rows| rows.values())
        .filter(|row| fits(row, &terms, state))
        .collect();
    if let Some(field) = terms.iter().find_map(|term| term.strip_prefix("ORDERBY")) {
        rows.sort_by_key(|row| row.get(field).cloned().unwrap_or_default());
    }
    let limit = said("sysparm_limit").parse().unwrap_or(LIMIT);
    let offset = said("sysparm_offset").parse().unwrap_or(0);
    let has_more = rows.len() > offset + limit;
    let fields: Vec<&str> = said("sysparm_fields").split(',').collect();
    let told = |row: &&Row| {
        let pairs = fields.iter().map(|field| ((*field).to_owned(), Value::from(walked(row, field, state))));
        Value::Object(pairs.collect::<Map<String, Value>>())
    };
    let page: Vec<Value> = rows.iter().skip(offset).take(limit).map(told).collect();
    let mut reply = Reply::json(200, &json!({ "result": page }));
    if has_more {
        reply
            .headers
            .push(("Link", format!("<https://here{}?sysparm_offset={}>;rel=\"next\"", asked.path, offset + limit)));
    }
    reply
}

fn fits(row: &Row, terms: &[&str], state: &State) -> bool {
    terms.iter().all(|term| {
        if term.starts_with("ORDERBY") {
            return true;
        }
        if let Some((field, value)) = term.split_once('=') {
            return walked(row, field, state) == value;
        }
        if let Some((field, value)) = term.split_once('>') {
            return state.repeats || walked(row, field, state).as_str() > value;
        }
        term.split_once("IN").is_some_and(|(field, list)| list.split(',').any(|one| walked(row, field, state) == one))
    })
}

/// A field of the row, or of what it refers to: `type.name`.
fn walked(row: &Row, field: &str, state: &State) -> String {
    let Some((reference, field)) = field.split_once('.') else { return row.get(field).cloned().unwrap_or_default() };
    let id = row.get(reference).cloned().unwrap_or_default();
    let referred = state.tables.values().find_map(|rows| rows.get(&id));
    referred.and_then(|row| row.get(field)).cloned().unwrap_or_default()
}
