//! `[sites.<name>.addresses]`, `.dns` and `.haproxy`: the names and addresses of machines, and what stands before them.

use std::path::PathBuf;

use serde::Deserialize;

use super::super::mistake::Objection;
use super::super::secret::Secret;
use super::tls::{empty, unread};

/// Which names and addresses machines get.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Addresses {
    /// The domain of machines' names.
    pub domain: String,
    /// What short names must match, as a regular expression.
    pub names: Option<String>,
    /// The subnet of machines, `10.20.0.0/24`.
    pub subnet: String,
    /// The stretch of it that is given away, `10.20.0.10-10.20.0.199`; all of it where nothing is said.
    pub range: Option<String>,
    /// Addresses, or stretches of them, that are never given away.
    pub excluded: Vec<String>,
    /// What the pool of addresses is called: sites that name one pool share its addresses. Empty: the site's name.
    pub pool: String,
}

/// A plan of addresses in Nautobot, from which machines get theirs, instead of a range of our own.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nautobot {
    /// Its address, `https://nautobot.example.org`.
    pub url: String,
    /// The API token.
    pub token: Option<Secret>,
    /// A file with it on its first line, instead of `token`.
    pub token_file: Option<PathBuf>,
    /// The authorities (PEM) that its certificate has to come from, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The prefix that addresses are taken from, and the namespace that it is in.
    pub prefix: String,
    pub namespace: String,
    /// The status that our addresses get.
    pub status: String,
    /// The custom field of IP addresses that bears our key.
    pub key_field: String,
}

/// The primary name server of the site's zones, which takes signed updates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// With its port, `10.0.0.53:53`.
    pub server: String,
    /// The zone of the names.
    pub zone: String,
    /// The zones of the addresses.
    pub reverse: Vec<String>,
    /// The name of the shared key.
    pub key: String,
    pub algorithm: String,
    /// The key itself, in base64.
    pub secret: Option<Secret>,
    /// A file with it on its first line, instead of `secret`.
    pub secret_file: Option<PathBuf>,
}

/// The load balancer before machines. It runs on this machine, or its folder is shared with it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Haproxy {
    /// The files that it reads before the folder.
    pub files: Vec<PathBuf>,
    /// The folder of configuration files that it was started with.
    pub folder: PathBuf,
    /// The program that checks the files.
    pub program: PathBuf,
    /// The socket of the runtime API, at the level `admin`: a path, or a host with a port.
    pub runtime: String,
    /// The socket of the master process.
    pub master: String,
    /// The subnet of which each pool gets an address, and the stretch of it that is given away.
    pub subnet: String,
    pub range: Option<String>,
    /// How long a member that leaves may take to end its last connections.
    pub drain_seconds: u32,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            server: String::new(),
            zone: String::new(),
            reverse: Vec::new(),
            key: "gatehouse".to_owned(),
            algorithm: "hmac-sha256".to_owned(),
            secret: None,
            secret_file: None,
        }
    }
}

impl Default for Nautobot {
    fn default() -> Self {
        Self {
            url: String::new(),
            token: None,
            token_file: None,
            ca_file: None,
            prefix: String::new(),
            namespace: "Global".to_owned(),
            status: "Active".to_owned(),
            key_field: "gatehouse_key".to_owned(),
        }
    }
}

impl Default for Haproxy {
    fn default() -> Self {
        Self {
            files: vec!["/etc/haproxy/haproxy.cfg".into()],
            folder: "/etc/haproxy/conf.d".into(),
            program: "/usr/sbin/haproxy".into(),
            runtime: "/run/haproxy/admin.sock".to_owned(),
            master: "/run/haproxy-master.sock".to_owned(),
            subnet: String::new(),
            range: None,
            drain_seconds: 60,
        }
    }
}

impl Addresses {
    /// What is wrong with it; its subnet means nothing where the addresses come from `nautobot`.
    pub(super) fn objections(&self, section: &str, nautobot: bool) -> Vec<Objection> {
        let domain = empty(format!("{section}.domain"), &self.domain, "dc1.example.org");
        let subnet = if nautobot { None } else { subnet(section, &self.subnet) };
        domain.into_iter().chain(subnet).collect()
    }
}

impl Nautobot {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("{section}.{setting}");
        let mut found = Secret::objections(&here("token"), self.token.as_ref(), self.token_file.as_ref());
        if self.token.is_none() && self.token_file.is_none() {
            found.push(Objection::new(here("token_file"), "is missing: name a file with the API token"));
        }
        found.extend(self.ca_file.as_ref().and_then(|file| unread(here("ca_file"), file)));
        found.extend(empty(here("url"), &self.url, "https://nautobot.example.org"));
        found.extend(empty(here("prefix"), &self.prefix, "10.20.0.0/24"));
        found
    }
}

impl Dns {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("{section}.{setting}");
        let mut found = Secret::objections(&here("secret"), self.secret.as_ref(), self.secret_file.as_ref());
        if self.secret.is_none() && self.secret_file.is_none() {
            found.push(Objection::new(here("secret_file"), "is missing: name a file with the shared key in base64"));
        }
        found.extend(empty(here("server"), &self.server, "10.0.0.53:53"));
        found.extend(empty(here("zone"), &self.zone, "dc1.example.org"));
        found
    }
}

impl Haproxy {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        subnet(section, &self.subnet).into_iter().collect()
    }
}

fn subnet(section: &str, text: &str) -> Option<Objection> {
    empty(format!("{section}.subnet"), text, "10.20.0.0/24")
}
