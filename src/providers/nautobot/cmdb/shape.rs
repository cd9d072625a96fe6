//! What a CI is in Nautobot, from our record and from their row: both in the same words, so that they compare.

use domain::ci::{Ci, CiClass, Lifecycle, Relation};
use domain::connector::Record;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::api::Row;
use super::{APPLICATION, KEY, LIFECYCLE, PLATFORM};

pub(super) const MACHINES: &str = "virtualization/virtual-machines/";
pub(super) const SERVICES: &str = "ipam/services/";

/// A CI as it stands in Nautobot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(super) enum Shape {
    VirtualMachine(Machine),
    Service(Service),
}

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) cluster: String,
    status: String,
    vcpus: Option<i64>,
    /// In MB.
    memory: Option<i64>,
    /// In GB.
    disk: Option<i64>,
    pub(super) address: Option<String>,
    #[serde(flatten)]
    answers: Responsible,
}

/// What listens on a virtual machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Service {
    name: String,
    /// Our key of the machine.
    pub(super) virtual_machine: String,
    ports: Vec<i64>,
    lifecycle: String,
    #[serde(flatten)]
    answers: Responsible,
}

/// Who answers for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Responsible {
    platform: Option<String>,
    application: Option<String>,
}

impl Shape {
    /// What the CI is over there; nothing where they have no place for it.
    pub(super) fn of(record: &Record, cluster: &str) -> Option<Self> {
        match record.ci.class {
            CiClass::Server => Some(Self::VirtualMachine(Machine::of(record, cluster))),
            CiClass::ApplicationServer | CiClass::Database | CiClass::ContainerEngine => {
                Service::of(record).map(Self::Service)
            }
            _ => None,
        }
    }
}

impl Machine {
    fn of(record: &Record, cluster: &str) -> Self {
        let (ci, is_gone) = (&record.ci, record.ci.lifecycle == Lifecycle::Retired);
        let number = |name: &str, unit: f64| whole(record.attributes.get(name)?.as_f64()? * unit);
        let address = record.attributes.get("address").and_then(Value::as_str).filter(|it| !it.is_empty());
        Self {
            // The name and the address of a machine that is gone may be another's tomorrow.
            name: if is_gone { format!("{} ({})", ci.name, ci.key) } else { ci.name.clone() },
            cluster: cluster.to_owned(),
            status: status(ci.lifecycle).to_owned(),
            vcpus: number("cpu", 1.0),
            memory: number("memory_gb", 1024.0),
            disk: number("disk_gb", 1.0),
            address: address.filter(|_| !is_gone).map(str::to_owned),
            answers: Responsible::of(ci),
        }
    }

    /// As they hold it.
    pub(super) fn held(row: &Row) -> Self {
        let number = |name: &str| row.fields.get(name).and_then(Value::as_i64);
        Self {
            name: text(&row.fields, "name"),
            cluster: row.of("cluster", "name").unwrap_or_default().to_owned(),
            status: row.of("status", "name").unwrap_or_default().to_owned(),
            vcpus: number("vcpus"),
            memory: number("memory"),
            disk: number("disk"),
            address: row.of("primary_ip4", "host").map(str::to_owned),
            answers: Responsible::held(row),
        }
    }

    /// What is written, but for its address, which has its own rows.
    pub(super) fn body(&self, key: &str) -> Value {
        json!({
            "name": self.name,
            "cluster": { "name": self.cluster },
            "status": { "name": self.status },
            "vcpus": self.vcpus,
            "memory": self.memory,
            "disk": self.disk,
            "custom_fields": self.answers.fields(key),
        })
    }
}

impl Service {
    /// Only what listens somewhere on a machine is a service.
    fn of(record: &Record) -> Option<Self> {
        let port = whole(record.attributes.get("port")?.as_f64()?)?;
        let stands = |it: &&domain::connector::Related| {
            matches!(it.relation, Relation::RunsOn | Relation::HostedOn) && it.class == CiClass::Server
        };
        Some(Self {
            name: record.ci.name.clone(),
            virtual_machine: record.relations.iter().find(stands)?.key.clone(),
            ports: vec![port],
            lifecycle: record.ci.lifecycle.word().to_owned(),
            answers: Responsible::of(&record.ci),
        })
    }

    /// As they hold it.
    pub(super) fn held(row: &Row) -> Self {
        let ports = row.fields.get("ports").and_then(Value::as_array);
        let machine = row.fields.get("virtual_machine").and_then(|it| it.get("custom_fields")?.get(KEY)?.as_str());
        Self {
            name: text(&row.fields, "name"),
            virtual_machine: machine.unwrap_or_default().to_owned(),
            ports: ports.into_iter().flatten().filter_map(Value::as_i64).collect(),
            lifecycle: text(&row.custom_fields, LIFECYCLE),
            answers: Responsible::held(row),
        }
    }

    /// What is written, of a machine with this id of theirs.
    pub(super) fn body(&self, key: &str, machine: &str) -> Value {
        let mut fields = self.answers.fields(key);
        fields[LIFECYCLE] = json!(self.lifecycle);
        json!({
            "name": self.name,
            "virtual_machine": machine,
            "protocol": "tcp",
            "ports": self.ports,
            "custom_fields": fields,
        })
    }
}

impl Responsible {
    fn of(ci: &Ci) -> Self {
        Self { platform: ci.platform.clone(), application: ci.application.clone() }
    }

    fn held(row: &Row) -> Self {
        let word = |field: &str| row.custom_fields.get(field).and_then(Value::as_str).map(str::to_owned);
        Self { platform: word(PLATFORM), application: word(APPLICATION) }
    }

    fn fields(&self, key: &str) -> Value {
        json!({ KEY: key, PLATFORM: self.platform, APPLICATION: self.application })
    }
}

/// Their word for where something stands in its life.
const fn status(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Planned => "Planned",
        Lifecycle::Building => "Staged",
        Lifecycle::Operational => "Active",
        Lifecycle::Retired => "Decommissioning",
    }
}

fn text(fields: &Map<String, Value>, name: &str) -> String {
    fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A number that they take: whole, and not below nothing.
#[expect(clippy::cast_possible_truncation, reason = "it is held within bounds first")]
fn whole(number: f64) -> Option<i64> {
    (0.0..=f64::from(i32::MAX)).contains(&number).then(|| number.round() as i64)
}
