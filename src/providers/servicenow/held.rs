//! What they hold, read back by tables: who refers to whom, and CIs with their relations in the words in which they are
//! sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::ports::cmdb_connector::{Held, HeldPage, Setback};
use serde_json::json;

use super::ServiceNow;
use super::classes::{Link, TYPES, Wanted, is_told_by_child, referred};
use super::client::{Row, same_page, text};
use super::ire::Known;

/// The rows that say which of their CIs bears which key of ours.
const SOURCES: &str = "sys_object_source";
/// CIs of a part.
const PART: usize = 200;

impl ServiceNow {
    /// Which of these keys are known over there.
    pub(super) async fn known(&self, keys: &[String]) -> Result<BTreeMap<String, Known>, Setback> {
        let rows = self.sources_in("id", keys).await?;
        let known = |row: &Row| {
            let id = text(row, "target_sys_id").to_owned();
            (text(row, "id").to_owned(), Known { class_name: text(row, "target_table").to_owned(), id })
        };
        Ok(rows.iter().map(known).collect())
    }

    async fn sources_in(&self, field: &str, values: &[String]) -> Result<Vec<Row>, Setback> {
        let ours = format!("name={}^", self.settings.source);
        self.instance.rows_in(SOURCES, (field, values), &ours, &["id", "target_table", "target_sys_id"]).await
    }

    /// The ids of what fields refer to, by field and name. What is not there is not in it, and is asked for again.
    pub(super) async fn referred(
        &self,
        wanted: &BTreeSet<(String, String)>,
    ) -> Result<HashMap<(String, String), String>, Setback> {
        let mut cached = self.referred.lock().await;
        let mut by_field: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (field, name) in wanted.iter().filter(|it| !cached.contains_key(*it)) {
            by_field.entry(field).or_default().push(name.clone());
        }
        for (field, names) in by_field {
            let (table, named) = referred(field);
            for row in self.instance.rows_in(table, (named, &names), "", &[named]).await? {
                cached.insert((field.to_owned(), text(&row, named).to_owned()), text(&row, "sys_id").to_owned());
            }
        }
        Ok(wanted.iter().filter_map(|it| Some((it.clone(), cached.get(it)?.clone()))).collect())
    }

    /// A part of what they hold, after the key with which the part before ended.
    pub(super) async fn page(&self, from: Option<&str>) -> Result<HeldPage, Setback> {
        let after = from.map(|from| format!("^id>{from}")).unwrap_or_default();
        let query = format!("name={}{after}^ORDERBYid", self.settings.source);
        let fields = ["id", "target_table", "target_sys_id"];
        let (rows, has_more) = self.instance.rows(SOURCES, &query, &fields, PART).await?;
        if rows.iter().any(|row| Some(text(row, "id")) == from) {
            return Err(same_page());
        }
        let next = rows.last().map(|row| text(row, "id").to_owned()).filter(|_| has_more);
        let mut keys: BTreeMap<String, String> = BTreeMap::new();
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &rows {
            let (key, id) = (text(row, "id").to_owned(), text(row, "target_sys_id").to_owned());
            if keys.insert(id.clone(), key).is_none() {
                tables.entry(text(row, "target_table").to_owned()).or_default().push(id);
            }
        }
        let mut relations = self.relations(&keys).await?;
        let mut held = Vec::new();
        for (table, ids) in tables {
            for (id, mut wanted) in self.cis(&table, &ids).await? {
                let Some(key) = keys.get(&id) else { continue };
                wanted.relations = relations.remove(&id).unwrap_or_default();
                held.push(Held { key: key.clone(), native_id: Some(id), payload: json!(wanted) });
            }
        }
        Ok(HeldPage { held, next })
    }

    /// CIs of a class, without their relations, by id.
    async fn cis(&self, table: &str, ids: &[String]) -> Result<Vec<(String, Wanted)>, Setback> {
        let (values, references) = self.settings.read_back(table);
        let names: Vec<String> = references.iter().map(|field| format!("{field}.{}", referred(field).1)).collect();
        let fields: Vec<&str> = values.iter().chain(&names).map(String::as_str).collect();
        let rows = self.instance.rows_in(table, ("sys_id", ids), "", &fields).await?;
        let told = |row: &Row, field: &str| Some(text(row, field).to_owned()).filter(|value| !value.is_empty());
        let wanted = |row: &Row| Wanted {
            class_name: table.to_owned(),
            values: values.iter().filter_map(|field| Some((field.clone(), told(row, field)?))).collect(),
            references: references
                .iter()
                .zip(&names)
                .filter_map(|(field, name)| Some((field.clone(), told(row, name)?)))
                .collect(),
            relations: BTreeSet::new(),
        };
        Ok(rows.iter().map(|row| (text(row, "sys_id").to_owned(), wanted(row))).collect())
    }

    /// How these CIs stand to others of ours, by the id of the one that says so.
    async fn relations(&self, keys: &BTreeMap<String, String>) -> Result<HashMap<String, BTreeSet<Link>>, Setback> {
        let ids: Vec<String> = keys.keys().cloned().collect();
        let mut rows = Vec::new();
        for end in ["parent", "child"] {
            let fields = ["parent", "child", "type.name"];
            rows.extend(self.instance.rows_in("cmdb_rel_ci", (end, &ids), "", &fields).await?);
        }
        rows.retain(|row| TYPES.contains(&text(row, "type.name")));
        let ends = rows.iter().flat_map(|row| [text(row, "parent"), text(row, "child")]);
        let strangers: BTreeSet<String> = ends.filter(|end| !keys.contains_key(*end)).map(str::to_owned).collect();
        let strangers: Vec<String> = strangers.into_iter().collect();
        let others = self.sources_in("target_sys_id", &strangers).await?;
        let mut all = keys.clone();
        all.extend(others.iter().map(|row| (text(row, "target_sys_id").to_owned(), text(row, "id").to_owned())));
        let mut told: HashMap<String, BTreeSet<Link>> = HashMap::new();
        for row in &rows {
            let (kind, parent, child) = (text(row, "type.name").to_owned(), text(row, "parent"), text(row, "child"));
            let (teller, link) = if is_told_by_child(&kind) {
                (child, Link { kind, parent: all.get(parent).cloned(), child: None })
            } else {
                (parent, Link { kind, parent: None, child: all.get(child).cloned() })
            };
            if !link.other().is_empty() {
                told.entry(teller.to_owned()).or_default().insert(link);
            }
        }
        Ok(told)
    }
}
