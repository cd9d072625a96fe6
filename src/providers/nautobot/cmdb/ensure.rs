//! What must stand in Nautobot before the first CI does: custom fields that bear what only we know, and a cluster.

use domain::ports::cmdb_connector::Setback;
use domain::ports::provider_error::ProviderError;
use domain::ports::survey::Line;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::api::{Api, Row};
use super::{APPLICATION, KEY, LIFECYCLE, PLATFORM};

const FIELDS: &str = "extras/custom-fields/";
const CLUSTERS: &str = "virtualization/clusters/";
const CLUSTER_TYPES: &str = "virtualization/cluster-types/";
/// The type of a cluster that we make.
const CLUSTER_TYPE: &str = "Gatehouse";

/// A custom field with what people read, and what bears it.
type Field = (&'static str, &'static str, &'static [&'static str]);

const MACHINE: &str = "virtualization.virtualmachine";
const SERVICE: &str = "ipam.service";
const WANTED: [Field; 4] = [
    (KEY, "Gatehouse key", &[MACHINE, "virtualization.vminterface", "ipam.ipaddress", SERVICE]),
    (PLATFORM, "Gatehouse: answers for the platform", &[MACHINE, SERVICE]),
    (APPLICATION, "Gatehouse: answers for the application", &[MACHINE, SERVICE]),
    (LIFECYCLE, "Gatehouse: lifecycle", &[SERVICE]),
];

/// Makes what is missing; what is there stays as it is, but for what may bear a field.
pub(super) async fn ensure(api: &Api, cluster: &str) -> Result<(), Setback> {
    let known = api.all(FIELDS, "").await?;
    for field in WANTED {
        ensure_field(api, &known, field).await?;
    }
    if named(api, CLUSTERS, cluster).await?.is_none() {
        if named(api, CLUSTER_TYPES, CLUSTER_TYPE).await?.is_none() {
            api.make(CLUSTER_TYPES, json!({ "name": CLUSTER_TYPE })).await?;
        }
        api.make(CLUSTERS, json!({ "name": cluster, "cluster_type": { "name": CLUSTER_TYPE } })).await?;
    }
    Ok(())
}

/// What is there of it, for somebody who only looks.
pub(super) async fn look(api: &Api, cluster: &str) -> Result<Vec<Line>, Setback> {
    let known = api.all(FIELDS, "").await?;
    let told = |is_there: bool| if is_there { "is there" } else { "is not there yet; it is made with the first CI" };
    let mut lines = Vec::new();
    for (key, _, types) in WANTED {
        let what = format!("custom field {key}");
        let field = known.iter().find(|row| is_called(row, key));
        lines.push(match field.map(is_text) {
            Some(false) => {
                Line::missing(what, format!("It holds no text: remove the custom field {key}, or have it renamed."))
            }
            _ => Line::there(what, told(field.is_some_and(|row| lacking(row, types).is_empty()))),
        });
    }
    lines.push(Line::there(format!("cluster {cluster}"), told(named(api, CLUSTERS, cluster).await?.is_some())));
    Ok(lines)
}

async fn ensure_field(api: &Api, known: &[Row], (key, label, types): Field) -> Result<(), Setback> {
    let Some(row) = known.iter().find(|row| is_called(row, key)) else {
        let body = json!({
            "key": key, "label": label, "type": "text", "filter_logic": "exact", "content_types": types,
        });
        return api.make(FIELDS, body).await.map(drop);
    };
    if !is_text(row) {
        let what = format!("Nautobot's custom field {key} holds no text.");
        let next = "Have it removed or renamed over there; it is made anew.";
        return Err(Setback::new("wrong_field", ProviderError::refused(what, next)));
    }
    let lacking = lacking(row, types);
    if lacking.is_empty() {
        return Ok(());
    }
    let all: Vec<&str> = bearers(row).chain(lacking).collect();
    api.change(FIELDS, &row.id, json!({ "content_types": all })).await.map(drop)
}

fn is_called(row: &Row, key: &str) -> bool {
    row.fields.get("key").is_some_and(|held| held == key)
}

fn is_text(row: &Row) -> bool {
    row.of("type", "value") == Some("text")
}

fn bearers(row: &Row) -> impl Iterator<Item = &str> {
    row.fields.get("content_types").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn lacking(row: &Row, types: &'static [&'static str]) -> Vec<&'static str> {
    types.iter().copied().filter(|wanted| !bearers(row).any(|held| held == *wanted)).collect()
}

async fn named(api: &Api, path: &str, name: &str) -> Result<Option<Row>, Setback> {
    let filter = form_urlencoded::Serializer::new(String::new()).append_pair("name", name).finish();
    let found = api.all(path, &filter).await?;
    Ok(found.into_iter().find(|row| row.fields.get("name").is_some_and(|held| held == name)))
}
