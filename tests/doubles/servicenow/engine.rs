//! The Identification and Reconciliation Engine, enhanced: it verifies a payload as a whole, then identifies each item (by
//! the source's own key, by `sys_id`, by the class's rule) and writes what is new.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Row, State, refused};
use crate::http::{Asked, Reply};

/// Types of relations that come with an instance.
pub(super) const RELATION_TYPES: [&str; 8] = [
    "Runs on::Runs",
    "Hosted on::Hosts",
    "Depends on::Used by",
    "Contains::Contained by",
    "Instantiates::Instantiated by",
    "Virtualized by::Virtualizes",
    "Members::Member of",
    "Manages::Managed by",
];
/// CIs that a payload should not have more of.
const MOST: usize = 500;
/// Fields that refer to other records, by their table.
const REFERENCES: [(&str, &str); 6] = [
    ("managed_by_group", "sys_user_group"),
    ("support_group", "sys_user_group"),
    ("assignment_group", "sys_user_group"),
    ("owned_by", "sys_user"),
    ("life_cycle_stage", "life_cycle_stage"),
    ("life_cycle_stage_status", "life_cycle_stage_status"),
];

/// How CIs of a class are told apart.
#[derive(Clone, Copy)]
pub(super) struct Class {
    /// The criterion attributes of its rule.
    criterion: &'static str,
    /// Whether the rule is a dependent one: what it runs on is a part of what it is.
    is_dependent: bool,
}

/// The classes that there are.
pub(super) fn class(name: &str) -> Option<Class> {
    let (criterion, is_dependent) = match name {
        "cmdb_ci_linux_server" | "cmdb_ci_cluster" | "cmdb_ci_business_app" | "cmdb_ci_service_auto" => ("name", false),
        "cmdb_ci_lb_service" | "cmdb_ci_lb_pool_member" => ("name", false),
        "cmdb_ci_vm_instance" => ("object_id", false),
        "cmdb_ci_docker_container" => ("container_id", false),
        "cmdb_ci_docker_image" => ("image_id", false),
        "cmdb_ci_app_server_tomcat" | "cmdb_ci_db_instance" | "cmdb_ci_docker_engine" => ("name", true),
        _ => return None,
    };
    Some(Class { criterion, is_dependent })
}

/// An error of an item: its name and message.
type Mistake = (&'static str, String);

pub(super) fn answer(state: &mut State, path: &str, asked: &Asked) -> Reply {
    if state.has_no_role {
        return refused(403, "User Not Authorized", "itil or asset role required");
    }
    let Some(options) = options(asked) else {
        return refused(500, "Chunk is not a valid entry", "");
    };
    let Ok(payload) = serde_json::from_str::<Value>(&asked.body) else {
        return refused(400, "Error occurred during parsing input json payload", "");
    };
    let is_dry = match path {
        "identifyreconcile/enhanced" => false,
        "identifyreconcile/queryEnhanced" => true,
        _ => return refused(400, "Requested URI does not represent any resource", path),
    };
    state.payloads.push(payload.clone());
    let before = is_dry.then(|| state.clone());
    let source = asked.query.get("sysparm_data_source").cloned().unwrap_or_default();
    let mut run =
        Run { state, source, payload, merges: options.get("deduplicate_payloads") == Some(&"true".to_owned()) };
    let result = run.result();
    if let Some(before) = before {
        let payloads = std::mem::take(&mut run.state.payloads);
        *run.state = State { payloads, ..before };
    }
    Reply::json(200, &json!({ "result": result }))
}

/// `partial_commits:true,generate_summary:true`
fn options(asked: &Asked) -> Option<BTreeMap<String, String>> {
    let text = asked.query.get("options").map_or("", String::as_str);
    let chunks = text.split(',').filter(|chunk| !chunk.is_empty());
    chunks.map(|chunk| chunk.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

struct Run<'s> {
    state: &'s mut State,
    source: String,
    payload: Value,
    merges: bool,
}

/// What became of an item.
#[derive(Clone)]
struct Verdict {
    operation: &'static str,
    id: String,
    mistake: Option<Mistake>,
    indices: Vec<usize>,
}

impl Run<'_> {
    fn items(&self) -> Vec<Value> {
        self.payload["items"].as_array().cloned().unwrap_or_default()
    }

    fn relations(&self) -> Vec<Value> {
        self.payload["relations"].as_array().cloned().unwrap_or_default()
    }

    fn result(&mut self) -> Value {
        let items = self.items();
        if let Some(mistake) = self.whole(&items) {
            let failed = |index: usize| Verdict::failed(mistake.clone(), vec![index]).told(&items[index]);
            let all: Vec<Value> = (0..items.len()).map(failed).collect();
            return json!({ "items": all, "relations": [], "hasError": true });
        }
        let (groups, rejected) = self.duplicates(&items);
        if !rejected.is_empty() {
            let told: Vec<Value> = rejected.iter().map(|verdict| verdict.told(&items[verdict.indices[0]])).collect();
            return json!({ "items": told, "relations": [], "hasError": true });
        }
        let mut verdicts: BTreeMap<usize, Verdict> = BTreeMap::new();
        let is_late = |first: &usize| class_of(&items[*first]).is_some_and(|class| class.is_dependent);
        let (late, early): (Vec<usize>, Vec<usize>) = groups.keys().copied().partition(is_late);
        for first in early.into_iter().chain(late) {
            let mut verdict = match self.item(first, &items, &verdicts) {
                Ok((operation, id)) => Verdict { operation, id, mistake: None, indices: Vec::new() },
                Err(mistake) => Verdict::failed(mistake, Vec::new()),
            };
            verdict.indices = groups[&first].clone();
            verdicts.insert(first, verdict);
        }
        let relations = self.relate(&verdicts);
        let told: Vec<Value> = verdicts.iter().map(|(first, verdict)| verdict.told(&items[*first])).collect();
        let has_error = verdicts.values().any(|verdict| verdict.mistake.is_some());
        json!({ "items": told, "relations": relations, "additionalCommittedItems": [], "hasError": has_error })
    }

    /// What is wrong with the payload as a whole.
    fn whole(&self, items: &[Value]) -> Option<Mistake> {
        let invalid = |what: String| Some(("INVALID_INPUT_DATA", what));
        let choices = self.state.tables.get("sys_choice").into_iter().flat_map(BTreeMap::values);
        if self.source.is_empty() {
            return invalid("In payload no data source exist. You need to provide choice value from choice field [discovery_source] in table [cmdb_ci]".into());
        }
        if !choices.into_iter().any(|row| row["value"] == self.source) {
            return invalid(format!(
                "In payload invalid data source [{}] exist. You need to provide a valid choice value from field [discovery_source] in table [cmdb_ci]",
                self.source
            ));
        }
        if items.len() > MOST {
            return invalid(format!("{} items, and {MOST} at most", items.len()));
        }
        for relation in self.relations() {
            let kind = relation["type"].as_str().unwrap_or_default();
            if self.type_id(kind).is_none() {
                return invalid(format!("No such relationship with name [{kind}] exist in table [cmdb_rel_type]"));
            }
            for end in ["parent", "child"] {
                if relation[end].as_u64().is_none_or(|index| index >= items.len() as u64) {
                    return invalid(format!(
                        "Payload relations '{relation}' has invalid {end} record index: [{}]",
                        relation[end]
                    ));
                }
            }
        }
        None
    }

    /// Items that are the same, by the first of them; or those that only look so.
    fn duplicates(&self, items: &[Value]) -> (BTreeMap<usize, Vec<usize>>, Vec<Verdict>) {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut rejected = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let same = groups.keys().copied().find(|first| self.is_same(&items[*first], item, *first, index));
            match same {
                Some(first) if self.merges && items[first]["values"] == item["values"] => {
                    groups.entry(first).or_default().push(index);
                }
                Some(first) => {
                    let told = format!(
                        "Found duplicate items in the payload (index {first} and {index}), using className [{}] and fields [name]. Remove duplicate items from payload",
                        text(&item["className"])
                    );
                    let verdict = |index| Verdict::failed(("DUPLICATE_PAYLOAD_RECORDS", told.clone()), vec![index]);
                    rejected.extend([first, index].map(verdict));
                }
                None => drop(groups.insert(index, vec![index])),
            }
        }
        (groups, rejected)
    }

    fn is_same(&self, one: &Value, other: &Value, first: usize, second: usize) -> bool {
        let Some(class) = class_of(one) else { return false };
        let value = |item: &Value| text(&item["values"][class.criterion]).to_owned();
        let is_alike = one["className"] == other["className"] && !value(one).is_empty() && value(one) == value(other);
        is_alike && (!class.is_dependent || self.host(first) == self.host(second))
    }

    /// The items that a dependent one runs on.
    fn hosts(&self, index: usize) -> Vec<usize> {
        let all = self.relations();
        let of = all.iter().filter(|it| it["parent"] == index && it["type"] == "Runs on::Runs");
        of.filter_map(|relation| usize::try_from(relation["child"].as_u64()?).ok()).collect()
    }

    fn host(&self, index: usize) -> Option<usize> {
        self.hosts(index).first().copied()
    }

    fn item(
        &mut self,
        index: usize,
        items: &[Value],
        done: &BTreeMap<usize, Verdict>,
    ) -> Result<(&'static str, String), Mistake> {
        let item = &items[index];
        let name = text(&item["className"]).to_owned();
        let class = class_of(item)
            .ok_or_else(|| ("IDENTIFICATION_RULE_MISSING", format!("Identity Rule Missing for table [{name}]")))?;
        let values = values(item);
        if values.keys().any(|field| field.starts_with("sys_") && field != "sys_id") {
            return Err(("INVALID_INPUT_DATA", "system data in the payload".to_owned()));
        }
        if let Some(locked) = values.get("name").filter(|name| self.state.locked.contains(*name)) {
            return Err(("LOCK_TIMEOUT", format!("Failed to acquire synchronization lock for {locked}")));
        }
        self.check_references(&values)?;
        let known = self.identified(index, item, (&name, class, &values), done)?;
        let id = match known {
            Some(id) => return Ok((self.update(&name, &id, &values, item), id)),
            None if values.get("name").is_none_or(String::is_empty) => {
                return Err((
                    "REQUIRED_ATTRIBUTE_EMPTY",
                    format!(
                        "Missing mandatory field [name] in table [{name}]. Add input value for mandatory field in payload"
                    ),
                ));
            }
            None if self.state.forbidden.contains(&name) => {
                return Err((
                    "INSERT_NOT_ALLOWED_FOR_SOURCE",
                    format!(
                        "Insert into [{name}] is blocked for data source [{}] by IRE data source rule",
                        self.source
                    ),
                ));
            }
            None => {
                let fields: Vec<(&str, &str)> =
                    values.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
                self.state.add(&name, &fields)
            }
        };
        self.note_source(&name, &id, item);
        Ok(("INSERT", id))
    }

    fn check_references(&self, values: &Row) -> Result<(), Mistake> {
        for (field, table) in REFERENCES {
            let Some(id) = values.get(field) else { continue };
            if self.state.tables.get(table).is_none_or(|rows| !rows.contains_key(id)) {
                return Err((
                    "INVALID_INPUT_DATA",
                    format!("Found invalid sys_id in payload. No record with sys_id [{id}] exist in table [{table}]"),
                ));
            }
        }
        Ok(())
    }

    /// The CI that an item is, if it is there.
    fn identified(
        &self,
        index: usize,
        item: &Value,
        (name, class, values): (&str, Class, &Row),
        done: &BTreeMap<usize, Verdict>,
    ) -> Result<Option<String>, Mistake> {
        let info = &item["sys_object_source_info"];
        let rows = |table: &str| self.state.tables.get(table).into_iter().flat_map(BTreeMap::values);
        let is_ours =
            |row: &&Row| row["name"] == text(&info["source_name"]) && row["id"] == text(&info["source_native_key"]);
        if let Some(row) = rows("sys_object_source").find(is_ours).filter(|_| !info.is_null()) {
            return Ok(Some(row["target_sys_id"].clone()));
        }
        if let Some(id) = values.get("sys_id") {
            return match rows(name).any(|row| row["sys_id"] == *id) {
                true => Ok(Some(id.clone())),
                false => Err((
                    "INVALID_INPUT_DATA",
                    format!("Found invalid sys_id in payload. No record with sys_id [{id}] exist in table [{name}]"),
                )),
            };
        }
        let Some(value) = values.get(class.criterion).filter(|value| !value.is_empty()) else {
            return Err((
                "MISSING_MATCHING_ATTRIBUTES",
                format!(
                    "In payload missing minimum set of input values for criterion (matching) attributes from identify rule for table [{name}]. Add these input values in payload item '{item}'"
                ),
            ));
        };
        let host = if class.is_dependent { Some(self.host_of(index, name, done)?) } else { None };
        let alike = rows(name).filter(|row| row.get(class.criterion) == Some(value)).filter(|row| match &host {
            Some(host) => rows("cmdb_rel_ci").any(|it| it["parent"] == row["sys_id"] && it["child"] == *host),
            None => true,
        });
        let found: Vec<String> = alike.map(|row| row["sys_id"].clone()).collect();
        match &found[..] {
            [_, _, ..] => Err((
                "MULTIPLE_DUPLICATE_RECORDS",
                format!("Found duplicate records in table [{name}] using fields [{}]", class.criterion),
            )),
            found => Ok(found.first().cloned()),
        }
    }

    /// The CI that a dependent one runs on.
    fn host_of(&self, index: usize, name: &str, done: &BTreeMap<usize, Verdict>) -> Result<String, Mistake> {
        match self.hosts(index)[..] {
            [] => Err((
                "MISSING_DEPENDENCY",
                format!(
                    "In payload no relations defined for dependent class [{name}] that matches any containment/hosting rules: [{name} >> Runs on >> cmdb_ci_hardware]. Add appropriate relations in payload for '{name}'"
                ),
            )),
            [one, other, ..] => Err((
                "MULTIPLE_DEPENDENCIES",
                format!("Found multiple dependent relation items [{one}] and [{other}] in payload"),
            )),
            [host] => match done.get(&host).filter(|verdict| verdict.mistake.is_none()) {
                Some(verdict) => Ok(verdict.id.clone()),
                None => Err((
                    "ABANDONED",
                    format!(
                        "Abandoning processing payload item '{index}', since its depends on payload item '{host}' has errors"
                    ),
                )),
            },
        }
    }

    fn update(&mut self, name: &str, id: &str, values: &Row, item: &Value) -> &'static str {
        self.note_source(name, id, item);
        let Some(row) = self.state.tables.get_mut(name).and_then(|rows| rows.get_mut(id)) else { return "NO_CHANGE" };
        let new = values.iter().filter(|(field, value)| row.get(*field) != Some(value));
        let new: Vec<(String, String)> = new.map(|(field, value)| (field.clone(), value.clone())).collect();
        let operation = if new.is_empty() { "NO_CHANGE" } else { "UPDATE" };
        row.extend(new);
        operation
    }

    fn note_source(&mut self, name: &str, id: &str, item: &Value) {
        let info = &item["sys_object_source_info"];
        let (source, key) = (text(&info["source_name"]).to_owned(), text(&info["source_native_key"]).to_owned());
        let rows = self.state.tables.get("sys_object_source").into_iter().flat_map(BTreeMap::values);
        if !key.is_empty() && !rows.into_iter().any(|row| row["name"] == source && row["id"] == key) {
            let feed = text(&info["source_feed"]);
            let fields = [
                ("name", &*source),
                ("id", &*key),
                ("source_feed", feed),
                ("target_table", name),
                ("target_sys_id", id),
            ];
            self.state.add("sys_object_source", &fields);
        }
    }

    fn relate(&mut self, verdicts: &BTreeMap<usize, Verdict>) -> Vec<Value> {
        let mut told = Vec::new();
        for (index, relation) in self.relations().iter().enumerate() {
            let end = |end: &str| {
                let place = usize::try_from(relation[end].as_u64()?).ok()?;
                let verdict = verdicts.values().find(|verdict| verdict.indices.contains(&place))?;
                verdict.mistake.is_none().then(|| verdict.id.clone())
            };
            let kind = self.type_id(text(&relation["type"])).unwrap_or_default();
            let (operation, errors) = match (end("parent"), end("child")) {
                (Some(parent), Some(child)) => {
                    let rows = self.state.tables.get("cmdb_rel_ci").into_iter().flat_map(BTreeMap::values);
                    let fields = [("parent", &*parent), ("child", &*child), ("type", &*kind)];
                    let is_there =
                        rows.into_iter().any(|row| fields.iter().all(|(field, value)| row[*field] == *value));
                    if !is_there {
                        self.state.add("cmdb_rel_ci", &fields);
                    }
                    (if is_there { "NO_CHANGE" } else { "INSERT" }, json!([]))
                }
                _ => ("NO_CHANGE", json!([{ "error": "ABANDONED", "message": "an end has errors" }])),
            };
            told.push(json!({ "className": "cmdb_rel_ci", "operation": operation, "errors": errors, "inputIndices": [index] }));
        }
        told
    }

    fn type_id(&self, name: &str) -> Option<String> {
        let types = self.state.tables.get("cmdb_rel_type")?;
        types.values().find(|row| row["name"] == name).map(|row| row["sys_id"].clone())
    }
}

impl Verdict {
    fn failed(mistake: Mistake, indices: Vec<usize>) -> Self {
        Self { operation: "NO_CHANGE", id: "Unknown".to_owned(), mistake: Some(mistake), indices }
    }

    fn told(&self, item: &Value) -> Value {
        let errors: Vec<Value> =
            self.mistake.iter().map(|(error, message)| json!({ "error": error, "message": message })).collect();
        json!({
            "className": item["className"],
            "operation": self.operation,
            "sysId": self.id,
            "identifierEntrySysId": "Unknown",
            "errorCount": errors.len(),
            "errors": errors,
            "warningCount": 0,
            "markers": [],
            "inputIndices": self.indices,
            "mergedPayloadIds": [],
        })
    }
}

fn class_of(item: &Value) -> Option<Class> {
    class(text(&item["className"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn values(item: &Value) -> Row {
    let all = item["values"].as_object().cloned().unwrap_or_default();
    all.into_iter().map(|(field, value)| (field, text(&value).to_owned())).collect()
}
