//! What is expected of a CI by its class: its attributes with their kinds, whose word counts, and its relations.

use serde_json::Value;

use super::{Attributes, CiClass, Relation};
use Authority::{Agent, ContainerEngine, Order, Provider};
use ValueKind::{Anything, List, Number, Text};

/// Whose word counts for an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// What was ordered: the intent.
    Order,
    /// The system that holds the object: the fact.
    Provider,
    /// The agent that configured the machine.
    Agent,
    /// The container engine that runs it.
    ContainerEngine,
}

impl Authority {
    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Order => "The order",
            Self::Provider => "The platform",
            Self::Agent => "The configuration agent",
            Self::ContainerEngine => "The container engine",
        }
    }
}

/// The kind of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Text,
    Number,
    List,
    Anything,
}

impl ValueKind {
    /// Whether the value is of this kind; nothing at all fits every kind.
    pub fn fits(self, value: &Value) -> bool {
        match self {
            _ if value.is_null() => true,
            Self::Text => value.is_string(),
            Self::Number => value.is_number(),
            Self::List => value.is_array(),
            Self::Anything => true,
        }
    }
}

/// What a class expects of one attribute.
#[derive(Clone, Copy, Debug)]
pub struct Expectation {
    pub name: &'static str,
    /// What people read.
    pub title: &'static str,
    pub kind: ValueKind,
    /// A CI without it is incomplete.
    pub required: bool,
    pub authority: Authority,
}

const fn expect(
    name: &'static str,
    title: &'static str,
    kind: ValueKind,
    required: bool,
    authority: Authority,
) -> Expectation {
    Expectation { name, title, kind, required, authority }
}

const MACHINE: &[Expectation] = &[
    expect("fqdn", "Full name", Text, true, Provider),
    expect("address", "Address", Text, true, Provider),
    expect("cpu", "CPUs", Number, true, Order),
    expect("memory_gb", "Memory (GB)", Number, true, Order),
    expect("disk_gb", "Disk (GB)", Number, false, Order),
    expect("image", "Image", Text, false, Order),
    expect("size", "Size", Text, false, Order),
    expect("operating_system", "Operating system", Text, false, Agent),
    expect("native_id", "Id on the platform", Text, false, Provider),
    expect("uuid", "Hardware UUID", Text, false, Provider),
    expect("serial", "Serial number", Text, false, Provider),
    expect("site", "Site", Text, false, Order),
    expect("host", "Host", Text, false, Provider),
    expect("cluster", "Cluster", Text, false, Provider),
    expect("datastore", "Datastore", Text, false, Provider),
];
const APPLICATION: &[Expectation] = &[
    expect("environment", "Environment", Text, false, Order),
    expect("blueprint", "Ordered as", Text, false, Order),
    expect("url", "Address for users", Text, false, Order),
];
const BALANCER: &[Expectation] = &[
    expect("url", "Address for users", Text, false, Provider),
    expect("address", "Address", Text, false, Provider),
    expect("port", "Port", Number, false, Order),
    expect("check", "Health check", Text, false, Order),
];
const SOFTWARE: &[Expectation] = &[
    expect("fqdn", "Machine", Text, false, Provider),
    expect("version", "Version", Text, false, Agent),
    expect("port", "Port", Number, false, Agent),
    expect("role", "Role", Text, false, Order),
];
const ENGINE: &[Expectation] =
    &[expect("version", "Version", Text, false, ContainerEngine), expect("address", "Address", Text, false, Provider)];
const SPACE: &[Expectation] = &[
    expect("cpu", "CPU quota", Number, false, Order),
    expect("memory_gb", "Memory quota (GB)", Number, false, Order),
    expect("containers", "Container quota", Number, false, Order),
    expect("storage_gb", "Storage quota (GB)", Number, false, Order),
    expect("endpoint", "Endpoint", Text, false, Provider),
    expect("host_pool", "Host pool", Text, false, Provider),
];
const WORKLOAD: &[Expectation] = &[
    expect("image", "Image", Text, true, ContainerEngine),
    expect("digests", "Image digests", List, true, ContainerEngine),
    expect("compose_project", "Compose project", Text, false, ContainerEngine),
    expect("compose_service", "Compose service", Text, false, ContainerEngine),
    expect("ports", "Published ports", List, false, ContainerEngine),
];
const IMAGE: &[Expectation] = &[expect("digest", "Digest", Text, true, ContainerEngine)];
const CLUSTER: &[Expectation] = &[expect("location", "Location", Anything, false, Provider)];

impl CiClass {
    /// The attributes that this class expects, in the order in which people read them.
    pub const fn expectations(self) -> &'static [Expectation] {
        match self {
            Self::BusinessApplication | Self::ApplicationService => APPLICATION,
            Self::Server | Self::VirtualMachine => MACHINE,
            Self::LoadBalancerService | Self::PoolMember => BALANCER,
            Self::ApplicationServer | Self::Database => SOFTWARE,
            Self::ContainerEngine => ENGINE,
            Self::ContainerSpace => SPACE,
            Self::Workload => WORKLOAD,
            Self::Image => IMAGE,
            Self::Cluster => CLUSTER,
        }
    }

    /// What the class expects of the attribute with this name, if it knows it.
    pub fn expects(self, attribute: &str) -> Option<&'static Expectation> {
        self.expectations().iter().find(|expected| expected.name == attribute)
    }

    /// Required attributes without a value.
    pub fn gaps(self, attributes: &Attributes) -> Vec<String> {
        let told = |name: &str| attributes.get(name).is_some_and(|known| !is_empty(&known.value));
        let missing = self.expectations().iter().filter(|expected| expected.required && !told(expected.name));
        missing.map(|expected| expected.name.to_owned()).collect()
    }

    /// Attributes whose value is not of the kind that the class expects.
    pub fn misfits(self, attributes: &Attributes) -> Vec<String> {
        let wrong = |expected: &&Expectation| {
            attributes.get(expected.name).is_some_and(|known| !expected.kind.fits(&known.value))
        };
        self.expectations().iter().filter(wrong).map(|expected| expected.name.to_owned()).collect()
    }

    /// Whether a CI of this class may stand in the relation to one of the other class.
    pub const fn may(self, relation: Relation, to: Self) -> bool {
        use CiClass as C;
        match relation {
            Relation::RunsOn => matches!(
                (self, to),
                (
                    C::ApplicationServer | C::Database | C::ContainerEngine | C::LoadBalancerService,
                    C::Server | C::VirtualMachine
                ) | (C::Workload, C::ContainerEngine | C::ContainerSpace | C::Cluster)
                    | (
                        C::ApplicationService,
                        C::ApplicationServer | C::Server | C::VirtualMachine | C::Workload | C::ContainerSpace
                    )
                    | (C::VirtualMachine, C::Cluster)
            ),
            Relation::HostedOn => matches!(
                (self, to),
                (C::VirtualMachine | C::Server, C::Cluster | C::Server)
                    | (C::ContainerSpace, C::ContainerEngine | C::Cluster)
                    | (C::Database | C::ApplicationServer | C::ApplicationService, C::Server | C::VirtualMachine)
            ),
            Relation::DependsOn => !matches!(to, C::Image | C::PoolMember),
            Relation::Contains => matches!(
                (self, to),
                (C::BusinessApplication, C::ApplicationService)
                    | (C::LoadBalancerService, C::PoolMember)
                    | (C::ContainerSpace, C::Workload)
                    | (C::Cluster, C::Server | C::VirtualMachine | C::ContainerEngine)
            ),
            Relation::Instantiates => {
                matches!((self, to), (C::Workload | C::VirtualMachine, C::Image) | (C::Server, C::VirtualMachine))
            }
            Relation::MemberOf => matches!(
                (self, to),
                (C::PoolMember | C::ApplicationServer | C::Server | C::VirtualMachine, C::LoadBalancerService)
                    | (C::ContainerEngine | C::Server | C::VirtualMachine, C::Cluster)
                    | (C::ApplicationService, C::BusinessApplication)
            ),
        }
    }
}

impl Relation {
    /// How people read it from right to left.
    pub const fn reverse(self) -> &'static str {
        match self {
            Self::RunsOn => "runs",
            Self::HostedOn => "hosts",
            Self::DependsOn => "used by",
            Self::Contains => "part of",
            Self::Instantiates => "has instance",
            Self::MemberOf => "has member",
        }
    }

    /// Whether trouble of the right-hand CI reaches the left-hand one; with a member it is the other way.
    pub const fn impact_goes_left(self) -> bool {
        !matches!(self, Self::MemberOf)
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_runs_on_an_engine_and_never_the_other_way() {
        assert!(CiClass::Workload.may(Relation::RunsOn, CiClass::ContainerEngine));
        assert!(!CiClass::ContainerEngine.may(Relation::RunsOn, CiClass::Workload));
        assert!(!CiClass::Image.may(Relation::MemberOf, CiClass::Cluster));
    }

    #[test]
    fn no_class_expects_an_attribute_twice() {
        for class in CiClass::ALL {
            let mut names: Vec<_> = class.expectations().iter().map(|expected| expected.name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{}", class.word());
        }
    }
}
