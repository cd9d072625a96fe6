//! The data of vim25 that answers and arguments are made of; only the parts that are used.

use serde::{Deserialize, Serialize};

/// A reference to an object of vCenter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Moref {
    #[serde(rename = "@type")]
    pub kind: String,
    #[serde(rename = "$text")]
    pub id: String,
}

impl Moref {
    pub fn new(kind: &str, id: &str) -> Self {
        Self { kind: kind.to_owned(), id: id.to_owned() }
    }

    pub fn machine(id: &str) -> Self {
        Self::new("VirtualMachine", id)
    }
}

/// The entry points of a vCenter.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceContent {
    pub root_folder: Moref,
    pub property_collector: Moref,
    pub view_manager: Moref,
    pub about: About,
    pub session_manager: Moref,
    pub authorization_manager: Moref,
    pub event_manager: Moref,
    pub task_manager: Moref,
    pub custom_fields_manager: Moref,
    pub search_index: Moref,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    pub full_name: String,
    pub api_version: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct UserSession {
    pub key: String,
}

/// A value of any type: each field is what some type has, and the rest stays empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Value {
    /// The `type` of a reference.
    #[serde(rename = "@type")]
    pub reference: Option<String>,
    #[serde(rename = "$text")]
    pub text: Option<String>,
    /// Of an array of references.
    #[serde(rename = "ManagedObjectReference", default)]
    pub references: Vec<Moref>,
    /// Of an array of options.
    #[serde(rename = "OptionValue", default)]
    pub options: Vec<OptionRead>,
    /// Of an array of devices.
    #[serde(rename = "VirtualDevice", default)]
    pub devices: Vec<Device>,
    /// Of an array of definitions of custom attributes.
    #[serde(rename = "CustomFieldDef", default)]
    pub custom_fields: Vec<CustomField>,
    /// Of the snapshots of a machine.
    #[serde(default)]
    pub root_snapshot_list: Vec<Snapshot>,
    pub current_snapshot: Option<Moref>,
    /// Of a task's error.
    pub fault: Option<Fault>,
    pub localized_message: Option<String>,
}

impl Value {
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The object that it refers to.
    pub fn moref(&self) -> Option<Moref> {
        Some(Moref { kind: self.reference.clone()?, id: self.text.clone()? })
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct OptionRead {
    pub key: String,
    pub value: Option<Value>,
}

/// A snapshot with those that were taken after it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Snapshot {
    #[serde(default)]
    pub child_snapshot_list: Vec<Snapshot>,
}

impl Snapshot {
    /// How many snapshots a tree holds.
    pub fn count(tree: &[Self]) -> usize {
        tree.iter().map(|snapshot| 1 + Self::count(&snapshot.child_snapshot_list)).sum()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CustomField {
    pub key: i32,
    pub name: String,
}

/// A part of a machine's hardware.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    #[serde(rename = "@xsitype")]
    pub kind: String,
    pub key: i32,
    pub device_info: Option<Description>,
    pub controller_key: Option<i32>,
    pub unit_number: Option<i32>,
    pub backing: Option<Backing>,
    #[serde(rename = "capacityInKB")]
    pub capacity_in_kb: Option<i64>,
}

impl Device {
    /// Whether it is a network card of any make.
    pub fn is_card(&self) -> bool {
        const MAKES: [&str; 4] = ["VirtualE1000", "VirtualVmxnet", "VirtualPCNet32", "VirtualSriovEthernetCard"];
        MAKES.iter().any(|make| self.kind.starts_with(make))
    }

    /// Whether it is a card on this plain network.
    pub fn is_on(&self, network: &str) -> bool {
        let name = self.backing.as_ref().and_then(|backing| backing.device_name.as_deref());
        name.is_some_and(|name| network.rsplit('/').next() == Some(name))
    }
}

/// What people call a device.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Description {
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub summary: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Backing {
    #[serde(rename = "@xsitype", default)]
    pub kind: String,
    /// Of a card on a plain network.
    pub device_name: Option<String>,
    pub file_name: Option<String>,
    pub disk_mode: Option<String>,
}

/// What went wrong: its type, and those parts of some types that say what it was about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fault {
    #[serde(rename = "@xsitype", default)]
    pub kind: String,
    /// Of `NoPermission`.
    pub privilege_id: Option<String>,
    pub object: Option<Moref>,
    /// Of `DuplicateName`.
    pub name: Option<String>,
    /// Of `InvalidPowerState`.
    pub requested_state: Option<String>,
    pub existing_state: Option<String>,
    /// Of `InvalidArgument`.
    pub invalid_property: Option<String>,
}

/// Something that happened, with who did it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VimEvent {
    #[serde(rename = "@xsitype", default)]
    pub kind: String,
    /// Later events have larger ones.
    pub key: i64,
    #[serde(default)]
    pub user_name: String,
}

/// What one object's properties are.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectContent {
    pub obj: Moref,
    #[serde(default)]
    pub prop_set: Vec<Property>,
}

impl ObjectContent {
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.prop_set.iter().find(|property| property.name == name).map(|property| &property.val)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Property {
    pub name: String,
    pub val: Value,
}

/// A part of what `RetrievePropertiesEx` was asked for.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RetrieveResult {
    /// By which the next part is asked for; none after the last.
    pub token: Option<String>,
    #[serde(default)]
    pub objects: Vec<ObjectContent>,
}

/// What changed since a version.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateSet {
    pub version: String,
    #[serde(default)]
    pub filter_set: Vec<FilterUpdate>,
    /// More is known already and did not fit.
    #[serde(default)]
    pub truncated: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilterUpdate {
    #[serde(default)]
    pub object_set: Vec<ObjectUpdate>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectUpdate {
    pub kind: UpdateKind,
    pub obj: Moref,
    #[serde(default)]
    pub change_set: Vec<PropertyChange>,
}

/// What was read of an object, as if it had been told.
impl From<ObjectContent> for ObjectUpdate {
    fn from(content: ObjectContent) -> Self {
        let told = |property: Property| PropertyChange { name: property.name, val: Some(property.val) };
        let change_set = content.prop_set.into_iter().map(told).collect();
        Self { kind: UpdateKind::Modify, obj: content.obj, change_set }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum UpdateKind {
    Enter,
    Modify,
    Leave,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PropertyChange {
    pub name: String,
    /// Nothing when the property has no value any more.
    pub val: Option<Value>,
}

/// Which of some privileges we hold on an object.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntityPrivilege {
    #[serde(default)]
    pub priv_availability: Vec<PrivilegeAvailability>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PrivilegeAvailability {
    pub priv_id: String,
    pub is_granted: bool,
}
