//! What methods are told: specifications of vim25, in the order of its schema. An element with an `@xsi:type` stands
//! where the schema names a base type.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::settings::Subnet;
use super::vim::{Device, Moref};

/// One entry of a machine's extra configuration.
#[derive(Debug, Clone, Serialize)]
pub(super) struct OptionSet {
    #[serde(rename = "@xsi:type")]
    kind: &'static str,
    key: String,
    value: TypedText,
}

#[derive(Debug, Clone, Serialize)]
struct TypedText {
    #[serde(rename = "@xsi:type")]
    kind: &'static str,
    #[serde(rename = "$text")]
    text: String,
}

impl OptionSet {
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { kind: "OptionValue", key: key.into(), value: TypedText { kind: "xsd:string", text: value.into() } }
    }
}

/// Where a clone goes.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct RelocateSpec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<&'a Moref>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datastore: Option<&'a Moref>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_move_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<&'a Moref>,
}

/// A clone. It is not powered on here: the simulator ignores that, and a step of its own is easier to mend.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CloneSpec<'a> {
    pub location: RelocateSpec<'a>,
    pub template: bool,
    pub config: ConfigSpec<'a>,
    pub power_on: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<&'a Moref>,
}

/// A fork of a machine that runs; it runs as well from its first moment.
#[derive(Serialize)]
pub(super) struct InstantCloneSpec<'a> {
    pub name: &'a str,
    pub location: RelocateSpec<'a>,
    pub config: Vec<OptionSet>,
}

/// A machine's configuration; what is not said stays as it is.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigSpec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_uuid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotation: Option<&'a str>,
    #[serde(rename = "numCPUs", skip_serializing_if = "Option::is_none")]
    pub processors: Option<u32>,
    #[serde(rename = "memoryMB", skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
    pub device_change: Vec<DeviceChange>,
    pub extra_config: Vec<OptionSet>,
}

/// A change of one device that stands already.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DeviceChange {
    operation: &'static str,
    device: DeviceSpec,
}

impl DeviceChange {
    pub fn edit(device: DeviceSpec) -> Self {
        Self { operation: "edit", device }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceSpec {
    #[serde(rename = "@xsi:type")]
    pub kind: String,
    pub key: i32,
    device_info: DescriptionSpec,
    pub backing: BackingSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller_key: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_number: Option<i32>,
    #[serde(rename = "capacityInKB", skip_serializing_if = "Option::is_none")]
    pub capacity_in_kb: Option<i64>,
}

/// What people call the device; it stays, and the simulator can't do without it.
#[derive(Debug, Clone, Serialize)]
struct DescriptionSpec {
    #[serde(rename = "@xsi:type")]
    kind: &'static str,
    label: String,
    summary: String,
}

impl DescriptionSpec {
    fn of(device: &Device) -> Self {
        let (label, summary) =
            device.device_info.as_ref().map(|info| (info.label.clone(), info.summary.clone())).unwrap_or_default();
        Self { kind: "Description", label, summary }
    }
}

impl DeviceSpec {
    /// A device that stands already, with something else behind it or, for a disk, another size.
    pub fn of(device: &Device, backing: BackingSpec, capacity_in_kb: Option<i64>) -> Self {
        Self {
            kind: device.kind.clone(),
            key: device.key,
            device_info: DescriptionSpec::of(device),
            backing,
            controller_key: device.controller_key,
            unit_number: device.unit_number,
            capacity_in_kb,
        }
    }
}

/// What is behind a device: a disk's file, a network, or a port group of a distributed switch.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BackingSpec {
    #[serde(rename = "@xsi:type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Moref>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<PortSpec>,
}

impl BackingSpec {
    /// The file that a disk has already.
    pub fn file(disk: &Device) -> Option<Self> {
        let backing = disk.backing.clone()?;
        let (kind, file_name, disk_mode) = (backing.kind, backing.file_name, backing.disk_mode);
        Some(Self { kind, file_name, disk_mode, ..Self::default() })
    }

    pub fn network(name: &str, network: Moref) -> Self {
        let device_name = name.rsplit('/').next().map(str::to_owned);
        Self {
            kind: "VirtualEthernetCardNetworkBackingInfo".to_owned(),
            device_name,
            network: Some(network),
            ..Self::default()
        }
    }

    pub fn port_group(port: PortSpec) -> Self {
        Self {
            kind: "VirtualEthernetCardDistributedVirtualPortBackingInfo".to_owned(),
            port: Some(port),
            ..Self::default()
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PortSpec {
    pub switch_uuid: String,
    pub portgroup_key: String,
}

/// How vCenter customizes a Linux guest: its name, and a fixed address on its first card.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomizationSpec<'a> {
    identity: LinuxPrep<'a>,
    #[serde(rename = "globalIPSettings")]
    global: GlobalIp<'a>,
    nic_setting_map: AdapterMapping<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinuxPrep<'a> {
    #[serde(rename = "@xsi:type")]
    kind: &'static str,
    host_name: FixedName<'a>,
    domain: &'a str,
}

#[derive(Serialize)]
struct FixedName<'a> {
    #[serde(rename = "@xsi:type")]
    kind: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GlobalIp<'a> {
    dns_suffix_list: &'a str,
    dns_server_list: &'a [String],
}

#[derive(Serialize)]
struct AdapterMapping<'a> {
    adapter: Adapter<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Adapter<'a> {
    ip: FixedIp,
    subnet_mask: &'a str,
    gateway: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FixedIp {
    #[serde(rename = "@xsi:type")]
    kind: &'static str,
    ip_address: Ipv4Addr,
}

impl<'a> CustomizationSpec<'a> {
    /// A Linux guest `host.domain` at `address`.
    pub fn linux(host: &'a str, domain: &'a str, address: Ipv4Addr, subnet: &'a Subnet) -> Self {
        Self {
            identity: LinuxPrep {
                kind: "CustomizationLinuxPrep",
                host_name: FixedName { kind: "CustomizationFixedName", name: host },
                domain,
            },
            global: GlobalIp { dns_suffix_list: domain, dns_server_list: &subnet.dns_servers },
            nic_setting_map: AdapterMapping {
                adapter: Adapter {
                    ip: FixedIp { kind: "CustomizationFixedIp", ip_address: address },
                    subnet_mask: &subnet.mask,
                    gateway: &subnet.gateway,
                },
            },
        }
    }
}

/// Which properties of which objects.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilterSpec<'a> {
    pub prop_set: Vec<PropertySpec<'a>>,
    pub object_set: Vec<ObjectSpec<'a>>,
    pub report_missing_objects_in_results: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PropertySpec<'a> {
    pub r#type: &'a str,
    pub path_set: &'a [&'static str],
}

/// An object, or, by a traversal, those that one of its properties names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectSpec<'a> {
    pub obj: &'a Moref,
    pub skip: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select_set: Option<Traversal>,
}

#[derive(Serialize)]
pub(super) struct Traversal {
    #[serde(rename = "@xsi:type")]
    kind: &'static str,
    r#type: &'static str,
    path: &'static str,
    skip: bool,
}

impl<'a> ObjectSpec<'a> {
    /// The object itself.
    pub fn itself(obj: &'a Moref) -> Self {
        Self { obj, skip: false, select_set: None }
    }

    /// The objects that `obj`, of this type, names in its property `path`.
    pub fn named_by(obj: &'a Moref, r#type: &'static str, path: &'static str) -> Self {
        let traversal = Traversal { kind: "TraversalSpec", r#type, path, skip: false };
        Self { obj, skip: true, select_set: Some(traversal) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RetrieveOptions {
    pub max_objects: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WaitOptions {
    pub max_wait_seconds: u32,
    pub max_object_updates: u32,
}

/// What happened to one object since a time.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventFilter<'a> {
    pub entity: EventsOf<'a>,
    pub disable_full_message: bool,
    pub max_count: u32,
}

#[derive(Serialize)]
pub(super) struct EventsOf<'a> {
    pub entity: &'a Moref,
    pub recursion: &'static str,
}
