//! The Identification and Reconciliation Engine: what it is sent, and what its answer says of each CI.
//!
//! It answers 200 whatever became of the CIs, so each is judged by its own entry; `inputIndices` says which of those that
//! were sent an entry is about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::ports::cmdb_connector::{Outcome, Setback};
use domain::ports::provider_error::ProviderError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::classes::{Link, Wanted};

/// Who we are to the engine.
pub(super) struct Sender<'s> {
    /// A choice of the field `discovery_source`.
    pub(super) source: &'s str,
    pub(super) feed: &'s str,
    pub(super) now: DateTime<Utc>,
}

/// A CI of a call.
pub(super) struct Item {
    pub(super) key: String,
    pub(super) wanted: Wanted,
    /// The ids of what its fields refer to.
    pub(super) references: BTreeMap<String, String>,
    /// The CIs that it stands to and that are not known over there yet.
    pub(super) waits_for: BTreeSet<String>,
}

/// A CI that is known over there, for a relation to end at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) class_name: String,
    pub(super) id: String,
}

/// One call: CIs, and the other ends of their relations.
pub(super) struct Call {
    pub(super) items: Vec<Item>,
    pub(super) ends: BTreeMap<String, Known>,
}

#[derive(Deserialize)]
pub(super) struct Answered {
    result: Judged,
}

#[derive(Deserialize)]
struct Judged {
    #[serde(default)]
    items: Vec<Entry>,
    #[serde(default)]
    relations: Vec<Entry>,
}

/// What became of something that was sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    operation: Option<String>,
    sys_id: Option<String>,
    #[serde(default)]
    errors: Vec<Complaint>,
    #[serde(default)]
    warnings: Vec<Complaint>,
    #[serde(default)]
    input_indices: Vec<usize>,
}

#[derive(Clone, Deserialize)]
struct Complaint {
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
}

impl Call {
    /// What is sent: each CI with our key as the source's own, then the ends, then the relations. And whose relation each
    /// of those is.
    pub(super) fn payload(&self, from: &Sender<'_>) -> (Value, Vec<usize>) {
        let mut items: Vec<Value> = self.items.iter().map(|item| item.written(from)).collect();
        let mut places: HashMap<&str, usize> = HashMap::new();
        places.extend(self.items.iter().enumerate().map(|(place, item)| (item.key.as_str(), place)));
        for (key, known) in &self.ends {
            places.insert(key, items.len());
            items.push(json!({ "className": known.class_name, "values": { "sys_id": known.id } }));
        }
        let (mut relations, mut owners) = (Vec::new(), Vec::new());
        for (place, item) in self.items.iter().enumerate() {
            for link in &item.wanted.relations {
                let Some(other) = places.get(link.other()).copied() else { continue };
                let (parent, child) = if link.parent.is_some() { (other, place) } else { (place, other) };
                relations.push(json!({
                    "parent": parent,
                    "child": child,
                    "type": link.kind,
                    "sys_rel_source_info": { "source_name": from.source, "source_feed": from.feed },
                }));
                owners.push(place);
            }
        }
        (json!({ "items": items, "relations": relations }), owners)
    }

    /// What the answer says of each CI; of what it does not name, nothing.
    pub(super) fn judge(self, answered: Answered, owners: &[usize]) -> Vec<(String, Outcome)> {
        let mut entries: Vec<Vec<Entry>> = self.items.iter().map(|_| Vec::new()).collect();
        let mut twins: HashMap<usize, usize> = HashMap::new();
        let mut gone: BTreeSet<&str> = BTreeSet::new();
        for entry in answered.result.items {
            let (of, ends): (Vec<usize>, Vec<usize>) =
                entry.input_indices.iter().partition(|place| **place < self.items.len());
            if !entry.errors.is_empty() {
                let keys = ends.iter().filter_map(|place| self.ends.keys().nth(place - self.items.len()));
                gone.extend(keys.map(String::as_str));
            }
            let Some(first) = of.first().copied() else { continue };
            twins.extend(of.iter().skip(1).map(|twin| (*twin, first)));
            entries[first].push(entry);
        }
        for entry in answered.result.relations {
            let owner = entry.input_indices.first().and_then(|place| owners.get(*place));
            // Whose CI was not judged is not judged by its relations.
            if let Some(told) = owner.and_then(|owner| entries.get_mut(*owner)).filter(|told| !told.is_empty()) {
                told.push(entry);
            }
        }
        let judged = self.items.iter().zip(entries).enumerate().filter_map(|(place, (item, entries))| {
            let outcome = match (twins.get(&place), item.waits(&gone)) {
                (Some(twin), _) => Outcome::Failed(merged(&self.items[*twin].key)),
                (None, _) if entries.is_empty() => return None,
                (None, waits) if !waits.is_empty() => Outcome::Failed(waiting(&waits)),
                (None, _) => outcome(&entries),
            };
            Some((item.key.clone(), outcome))
        });
        judged.collect()
    }
}

impl Item {
    /// The CIs that it stands to and that are not there: they were not known, or are `gone` by now.
    fn waits<'i>(&'i self, gone: &BTreeSet<&str>) -> BTreeSet<&'i str> {
        let ends = self.wanted.relations.iter().map(Link::other);
        ends.filter(|end| self.waits_for.contains(*end) || gone.contains(end)).collect()
    }

    fn written(&self, from: &Sender<'_>) -> Value {
        let values: BTreeMap<&String, &String> = self.wanted.values.iter().chain(&self.references).collect();
        json!({
            "className": self.wanted.class_name,
            "sys_object_source_info": {
                "source_name": from.source,
                "source_feed": from.feed,
                "source_native_key": self.key,
                "source_recency_timestamp": from.now.format("%Y-%m-%d %H:%M:%S").to_string(),
            },
            "settings": { "updateWithoutDowngrade": true, "updateWithoutSwitch": true },
            "values": values,
        })
    }
}

/// What a CI's entry, and those of its relations, come to.
fn outcome(entries: &[Entry]) -> Outcome {
    let native_id = entries.iter().find_map(|entry| entry.sys_id.clone()).filter(|id| id != "Unknown");
    let mut is_written = false;
    for entry in entries {
        if let Some(complaint) = entry.errors.first() {
            return Outcome::Failed(complaint.setback());
        }
        match entry.operation.as_deref() {
            Some("NO_CHANGE") => {}
            Some("INSERT" | "UPDATE" | "UPDATE_WITH_UPGRADE" | "UPDATE_WITH_DOWNGRADE" | "UPDATE_WITH_SWITCH") => {
                is_written = true;
            }
            Some(parked @ ("INSERT_AS_PARTIAL" | "INSERT_AS_INCOMPLETE")) => {
                let parked = || Complaint { error: parked.to_owned(), message: "It was put aside".to_owned() };
                return Outcome::Failed(entry.warnings.first().cloned().unwrap_or_else(parked).setback());
            }
            other => return Outcome::Failed(not_understood(other.unwrap_or("nothing"))),
        }
    }
    if is_written { Outcome::Written { native_id } } else { Outcome::Unchanged { native_id } }
}

impl Complaint {
    /// Whether somebody has to help: a lock is free again in a while, and what was given up for another's sake is tried
    /// with it.
    fn setback(&self) -> Setback {
        let told = self.message.trim().trim_end_matches('.');
        let what = format!("ServiceNow did not take it ({}): {told}.", self.error);
        let code = if self.error.is_empty() { "failed" } else { &self.error };
        let error = match self.error.as_str() {
            "LOCK_TIMEOUT" | "ABANDONED" => ProviderError::transient(what, "It is sent again in a moment."),
            _ => ProviderError::refused(what, "Mend that over there or in the CI, then have it sent again."),
        };
        Setback::new(code, error)
    }
}

/// The relation's other end is not known over there.
fn waiting(ends: &BTreeSet<&str>) -> Setback {
    let ends = ends.iter().copied().collect::<Vec<&str>>().join(", ");
    let what = format!("Its relations to {ends} wait: ServiceNow does not know them yet.");
    Setback::new("relation_waits", ProviderError::transient(what, "They are sent once those are there."))
}

fn merged(with: &str) -> Setback {
    let what = format!("ServiceNow takes it for the same CI as {with}.");
    let next = "Tell both apart by what the class is identified by, such as their names, then have it sent again.";
    Setback::new("merged", ProviderError::refused(what, next))
}

fn not_understood(operation: &str) -> Setback {
    let what = format!("ServiceNow answered with the operation {operation}, which is not known here.");
    Setback::new("not_understood", ProviderError::transient(what, "It is sent again in a while."))
}
