//! What a CI is called over there: its class, its fields, and how it stands to others, in the words of their data model.

use std::collections::{BTreeMap, BTreeSet};

use domain::ci::{Ci, CiClass, Lifecycle, Relation};
use domain::connector::{Record, Related};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LifecycleFields, ServiceNowSettings};

/// A CI as it shall stand over there; both what is sent and what is read back come to this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    pub(super) class_name: String,
    /// Fields with their values, all of them text.
    pub(super) values: BTreeMap<String, String>,
    /// Fields that refer to another record, with its name.
    pub(super) references: BTreeMap<String, String>,
    pub(super) relations: BTreeSet<Link>,
}

/// How the CI stands to another of ours, which is its parent or its child; one of the two is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Link {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) child: Option<String>,
}

impl Link {
    /// The key at the other end.
    pub(super) fn other(&self) -> &str {
        self.parent.as_deref().or(self.child.as_deref()).unwrap_or_default()
    }
}

/// How a value of ours is written over there.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    /// GB as MB.
    Mebibytes,
    /// The first of a list.
    First,
}

type Field = (&'static str, &'static str, Form);

const SERVER: &[Field] = &[
    ("fqdn", "fqdn", Form::Plain),
    ("address", "ip_address", Form::Plain),
    ("cpu", "cpu_count", Form::Plain),
    ("memory_gb", "ram", Form::Mebibytes),
    ("disk_gb", "disk_space", Form::Plain),
    ("operating_system", "os", Form::Plain),
    ("serial", "serial_number", Form::Plain),
];
const MACHINE: &[Field] = &[
    ("native_id", "object_id", Form::Plain),
    ("uuid", "bios_uuid", Form::Plain),
    ("fqdn", "fqdn", Form::Plain),
    ("address", "ip_address", Form::Plain),
    ("cpu", "cpus", Form::Plain),
    ("memory_gb", "memory", Form::Mebibytes),
    ("disk_gb", "disks_size", Form::Plain),
];
const SOFTWARE: &[Field] =
    &[("version", "version", Form::Plain), ("port", "tcp_port", Form::Plain), ("fqdn", "fqdn", Form::Plain)];
const BALANCER: &[Field] = &[("address", "ip_address", Form::Plain), ("port", "port", Form::Plain)];
const MEMBER: &[Field] = &[("address", "ip_address", Form::Plain)];
const ENGINE: &[Field] = &[("version", "version", Form::Plain), ("address", "ip_address", Form::Plain)];
const WORKLOAD: &[Field] = &[("image", "short_description", Form::Plain), ("digests", "image_id", Form::First)];
const IMAGE: &[Field] = &[("digest", "image_id", Form::Plain)];

/// The class's fields beside its name, ours and theirs.
const fn fields(class: CiClass) -> &'static [Field] {
    match class {
        CiClass::Server => SERVER,
        CiClass::VirtualMachine => MACHINE,
        CiClass::ApplicationServer | CiClass::Database => SOFTWARE,
        CiClass::LoadBalancerService => BALANCER,
        CiClass::PoolMember => MEMBER,
        CiClass::ContainerEngine => ENGINE,
        CiClass::Workload => WORKLOAD,
        CiClass::Image => IMAGE,
        CiClass::BusinessApplication | CiClass::ApplicationService | CiClass::ContainerSpace | CiClass::Cluster => &[],
    }
}

/// Their class for one of ours, where the settings name no other; nothing where it is not carried.
const fn class_name(class: CiClass) -> Option<&'static str> {
    Some(match class {
        CiClass::BusinessApplication => "cmdb_ci_business_app",
        CiClass::ApplicationService => "cmdb_ci_service_auto",
        CiClass::Server => "cmdb_ci_linux_server",
        CiClass::VirtualMachine => "cmdb_ci_vm_instance",
        CiClass::LoadBalancerService => "cmdb_ci_lb_service",
        CiClass::PoolMember => "cmdb_ci_lb_pool_member",
        CiClass::ApplicationServer => "cmdb_ci_app_server_tomcat",
        CiClass::Database => "cmdb_ci_db_instance",
        CiClass::ContainerEngine => "cmdb_ci_docker_engine",
        CiClass::Workload => "cmdb_ci_docker_container",
        CiClass::Image => "cmdb_ci_docker_image",
        CiClass::Cluster => "cmdb_ci_cluster",
        CiClass::ContainerSpace => return None,
    })
}

const MEMBERS: &str = "Members::Member of";
const MANAGES: &str = "Manages::Managed by";
/// Every type of relation that is sent.
pub(super) const TYPES: [&str; 8] = [
    "Runs on::Runs",
    "Hosted on::Hosts",
    "Depends on::Used by",
    "Contains::Contained by",
    "Instantiates::Instantiated by",
    "Virtualized by::Virtualizes",
    MEMBERS,
    MANAGES,
];

/// The type of a relation, and whether ours is its child over there.
const fn relation_type(from: CiClass, relation: Relation, to: CiClass) -> (&'static str, bool) {
    match (relation, from, to) {
        (Relation::RunsOn, CiClass::Workload, CiClass::ContainerEngine) => (MANAGES, true),
        (Relation::RunsOn | Relation::HostedOn, CiClass::Server | CiClass::VirtualMachine, CiClass::Cluster) => {
            ("Virtualized by::Virtualizes", false)
        }
        (Relation::RunsOn, ..) => ("Runs on::Runs", false),
        (Relation::HostedOn, ..) => ("Hosted on::Hosts", false),
        (Relation::DependsOn, ..) => ("Depends on::Used by", false),
        (Relation::Contains, ..) => ("Contains::Contained by", false),
        (Relation::Instantiates, ..) => ("Instantiates::Instantiated by", false),
        (Relation::MemberOf, ..) => (MEMBERS, true),
    }
}

/// Whether it is the child that says how both stand.
pub(super) fn is_told_by_child(kind: &str) -> bool {
    kind == MEMBERS || kind == MANAGES
}

/// The lifecycle in the two fields that tickets look at: `install_status` and `operational_status`.
const fn status(lifecycle: Lifecycle) -> (&'static str, &'static str) {
    match lifecycle {
        Lifecycle::Planned | Lifecycle::Building => ("4", "2"),
        Lifecycle::Operational => ("1", "1"),
        Lifecycle::Retired => ("7", "6"),
    }
}

/// The lifecycle as the common data model has it: a stage and its status.
const fn stage(lifecycle: Lifecycle) -> (&'static str, &'static str) {
    match lifecycle {
        Lifecycle::Planned => ("Design", "Build"),
        Lifecycle::Building => ("Deploy", "Test"),
        Lifecycle::Operational => ("Operational", "In Use"),
        Lifecycle::Retired => ("End of Life", "Retired"),
    }
}

/// The table that a field refers to, and the field that has the name there.
pub(super) fn referred(field: &str) -> (&'static str, &'static str) {
    match field {
        "owned_by" | "managed_by" | "assigned_to" => ("sys_user", "user_name"),
        "life_cycle_stage" => ("life_cycle_stage", "name"),
        "life_cycle_stage_status" => ("life_cycle_stage_status", "name"),
        _ => ("sys_user_group", "name"),
    }
}

impl ServiceNowSettings {
    /// Their class for one of ours; nothing where it is not carried.
    pub(super) fn class_name(&self, class: CiClass) -> Option<&str> {
        match self.classes.get(&class) {
            Some(named) => Some(named.as_str()).filter(|named| !named.is_empty()),
            None => class_name(class),
        }
    }

    /// The CI as it shall stand over there; nothing where CIs of its class are not carried.
    pub(super) fn wanted(&self, record: &Record) -> Option<Wanted> {
        let ci = &record.ci;
        let mut values = BTreeMap::from([("name".to_owned(), name(record))]);
        for (ours, theirs, form) in fields(ci.class) {
            let value = record.attributes.get(*ours).and_then(|value| written(value, *form));
            values.extend(value.map(|value| ((*theirs).to_owned(), value)));
        }
        if ci.class == CiClass::Workload {
            values.insert("container_id".to_owned(), ci.key.clone());
        }
        let mut references = self.responsibles(ci);
        let pair = match self.lifecycle {
            LifecycleFields::Status => {
                let (install, operational) = status(ci.lifecycle);
                (&mut values, [("install_status", install), ("operational_status", operational)])
            }
            LifecycleFields::Stage => {
                let (stage, status) = stage(ci.lifecycle);
                (&mut references, [("life_cycle_stage", stage), ("life_cycle_stage_status", status)])
            }
        };
        pair.0.extend(pair.1.map(|(field, value)| (field.to_owned(), value.to_owned())));
        Some(Wanted {
            class_name: self.class_name(ci.class)?.to_owned(),
            values,
            references,
            relations: record.relations.iter().filter_map(|related| self.link(ci.class, related)).collect(),
        })
    }

    fn responsibles(&self, ci: &Ci) -> BTreeMap<String, String> {
        let both = [(&self.platform, &ci.platform), (&self.application, &ci.application)];
        let named = both.into_iter().filter_map(|(fields, who)| Some((fields, who.as_ref()?)));
        named.flat_map(|(fields, who)| fields.iter().map(|field| (field.clone(), who.clone()))).collect()
    }

    fn link(&self, from: CiClass, to: &Related) -> Option<Link> {
        self.class_name(to.class)?;
        let (kind, is_child) = relation_type(from, to.relation, to.class);
        let (parent, child) = if is_child { (Some(to.key.clone()), None) } else { (None, Some(to.key.clone())) };
        Some(Link { kind: kind.to_owned(), parent, child })
    }

    /// The fields that are read back of a record of their class, and those of them that refer to others.
    pub(super) fn read_back(&self, class_name: &str) -> (Vec<String>, Vec<String>) {
        let ours: Vec<CiClass> =
            CiClass::ALL.iter().copied().filter(|class| self.class_name(*class) == Some(class_name)).collect();
        let mut values: BTreeSet<String> = ours.iter().flat_map(|class| fields(*class)).map(|it| it.1.into()).collect();
        values.insert("name".to_owned());
        if ours.contains(&CiClass::Workload) {
            values.insert("container_id".to_owned());
        }
        let mut references: BTreeSet<String> = self.platform.iter().chain(&self.application).cloned().collect();
        match self.lifecycle {
            LifecycleFields::Status => values.extend(["install_status", "operational_status"].map(str::to_owned)),
            LifecycleFields::Stage => {
                references.extend(["life_cycle_stage", "life_cycle_stage_status"].map(str::to_owned));
            }
        }
        (values.into_iter().collect(), references.into_iter().collect())
    }
}

/// What it is called. A pool member is known by its name, and a machine may be a member of many pools.
fn name(record: &Record) -> String {
    let pool = record.relations.iter().find(|related| related.relation == Relation::MemberOf);
    match pool.filter(|_| record.ci.class == CiClass::PoolMember) {
        Some(pool) => format!("{}: {}", pool.name, record.ci.name),
        None => record.ci.name.clone(),
    }
}

fn written(value: &Value, form: Form) -> Option<String> {
    let text = match (form, value) {
        (Form::First, Value::Array(all)) => return written(all.first()?, Form::Plain),
        (Form::Mebibytes, Value::Number(number)) => format!("{:.0}", number.as_f64()? * 1024.0),
        (_, Value::String(text)) => text.trim().to_owned(),
        (_, Value::Number(_) | Value::Bool(_)) => value.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}
