//! `[sites.<name>]`: the places where things are built, each with systems of its own.
//!
//! A site is a name (`dc1`), a title, the projects that may use it, and a section for each of its systems. Its machines
//! come from the one section that says so; what has no section is missing there, and a step that needs it says that.
//! Without any site there is one: the simulated datacenter, `[datacenter]`.

mod docker;
mod edge;
mod probe;
mod puppet;
mod tls;
pub mod vsphere;

use serde::Deserialize;

pub use docker::{ContainerHosts, Docker, Spaces};
pub use edge::{Addresses, Dns, Haproxy, Nautobot};
pub use probe::Probe;
pub use puppet::{Orchestrator, Puppet, Ssh};
pub use tls::Tls;
pub(super) use tls::{empty, unread};
pub use vsphere::Vsphere;

use super::Datacenter;
use super::mistake::Objection;

/// A place where things are built.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Site {
    /// What people read; empty: the name.
    pub title: String,
    /// Who may use it: organisations, `northwind`, and projects, `northwind/shop`. Empty: everybody.
    pub projects: Vec<String>,
    /// A simulated datacenter in every part.
    pub simulated: Option<Datacenter>,
    /// Machines of a vCenter.
    pub vsphere: Option<Vsphere>,
    /// Machines as system containers of a Docker engine.
    pub docker: Option<Docker>,
    /// The names and addresses that machines get.
    pub addresses: Option<Addresses>,
    /// Where addresses come from, instead of a range of our own.
    pub nautobot: Option<Nautobot>,
    /// Where names are told to everybody.
    pub dns: Option<Dns>,
    /// What brings machines to what their role says.
    pub puppet: Option<Puppet>,
    /// What stands before machines.
    pub haproxy: Option<Haproxy>,
    /// The container engines inside of machines.
    pub container_hosts: Option<ContainerHosts>,
    /// Container spaces on a Docker engine.
    pub spaces: Option<Spaces>,
    /// Where services are looked at.
    pub probe: Option<Probe>,
}

impl Site {
    /// Names are a part of addresses, keys and file names.
    const LONGEST_NAME: usize = 63;

    pub(super) fn objections(&self, name: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("sites.{name}.{setting}");
        let mut found = Vec::new();
        if !is_word(name)
            || !name.starts_with(|first: char| first.is_ascii_lowercase())
            || name.len() > Self::LONGEST_NAME
        {
            let why = "is no name of a site: small letters, digits and dashes, a letter first, 63 at most";
            found.push(Objection::new(format!("sites.{name}"), why));
        }
        for project in &self.projects {
            if project.split('/').count() > 2 || !project.split('/').all(is_word) {
                let why =
                    format!("says `{project}`: write an organisation, `northwind`, or a project, `northwind/shop`");
                found.push(Objection::new(here("projects"), why));
            }
        }
        found.extend(self.machines(name));
        found.extend(self.vsphere.iter().flat_map(|it| it.objections(&here("vsphere"))));
        found.extend(self.docker.iter().flat_map(|it| it.objections(&here("docker"))));
        let elsewhere = self.nautobot.is_some();
        found.extend(self.addresses.iter().flat_map(|it| it.objections(&here("addresses"), elsewhere)));
        found.extend(self.nautobot.iter().flat_map(|it| it.objections(&here("nautobot"))));
        found.extend(self.dns.iter().flat_map(|it| it.objections(&here("dns"))));
        found.extend(self.puppet.iter().flat_map(|it| it.objections(&here("puppet"))));
        found.extend(self.haproxy.iter().flat_map(|it| it.objections(&here("haproxy"))));
        found.extend(self.container_hosts.iter().flat_map(|it| it.objections(&here("container_hosts"))));
        found.extend(self.spaces.iter().flat_map(|it| it.objections(&here("spaces"))));
        found.extend(self.probe.iter().flat_map(|it| it.objections(&here("probe"))));
        found
    }

    /// What is wrong with where machines come from: one section has to say it.
    fn machines(&self, name: &str) -> Option<Objection> {
        let sections = [
            ("simulated", self.simulated.is_some()),
            ("vsphere", self.vsphere.is_some()),
            ("docker", self.docker.is_some()),
        ];
        let said: Vec<&str> = sections.iter().filter(|(_, said)| *said).map(|(section, _)| *section).collect();
        let why = match said[..] {
            [_] => return None,
            [] => format!(
                "says nowhere where its machines come from: add `[sites.{name}.vsphere]` or `[sites.{name}.docker]`"
            ),
            _ => format!("says more than once where its machines come from: keep one of {}", said.join(", ")),
        };
        Some(Objection::new(format!("sites.{name}"), why))
    }
}

/// Whether it is written as the names of sites, organisations and projects are.
fn is_word(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    !text.is_empty() && text.chars().all(fits)
}
