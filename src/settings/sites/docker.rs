//! `[sites.<name>.docker]`, `.container_hosts` and `.spaces`: Docker engines that carry machines, that run in machines,
//! and that carry container spaces.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::mistake::Objection;
use super::tls::{Tls, empty};

/// Machines as system containers of an engine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Docker {
    /// Where the engine is: a socket, a port of this machine, or TLS with certificates on both sides.
    pub host: String,
    pub tls: Tls,
    /// How long an answer may take.
    pub timeout_seconds: u64,
    /// What people call the engine.
    pub name: String,
    /// The engine's network on which machines stand.
    pub network: String,
    /// The container image of each image that blueprints name.
    pub images: BTreeMap<String, String>,
    /// Whether machines may run a container engine of their own.
    pub inner_engines: bool,
}

/// The engines inside of machines.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerHosts {
    /// The port of their API.
    pub port: u16,
    pub tls: Tls,
    /// How long an answer may take.
    pub timeout_seconds: u64,
}

/// An engine that carries container spaces.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spaces {
    /// Where the engine is.
    pub host: String,
    pub tls: Tls,
    /// How long an answer may take.
    pub timeout_seconds: u64,
    /// What people call the pool of container hosts.
    pub name: String,
    /// Where developers reach spaces; organisation, project and name follow.
    pub endpoint: String,
}

const SOCKET: &str = "unix:///var/run/docker.sock";

impl Default for Docker {
    fn default() -> Self {
        Self {
            host: SOCKET.to_owned(),
            tls: Tls::default(),
            timeout_seconds: 60,
            name: "docker".to_owned(),
            network: "gatehouse".to_owned(),
            images: BTreeMap::new(),
            inner_engines: false,
        }
    }
}

impl Default for ContainerHosts {
    fn default() -> Self {
        Self { port: 2376, tls: Tls::default(), timeout_seconds: 30 }
    }
}

impl Default for Spaces {
    fn default() -> Self {
        Self {
            host: SOCKET.to_owned(),
            tls: Tls::default(),
            timeout_seconds: 60,
            name: "docker".to_owned(),
            endpoint: String::new(),
        }
    }
}

impl Docker {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let mut found = self.tls.objections(&format!("{section}.tls"));
        if self.images.is_empty() {
            let why = "names none, so that no machine could be ordered: write `debian-12 = \"gatehouse/machine\"`";
            found.push(Objection::new(format!("{section}.images"), why));
        }
        found
    }
}

impl ContainerHosts {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let found = self.tls.objections(&format!("{section}.tls"));
        if found.is_empty() && self.tls.files().is_none() {
            let why = "is missing: engines in machines are reached over the network, so with certificates alone";
            return vec![Objection::new(format!("{section}.tls"), why)];
        }
        found
    }
}

impl Spaces {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let found = self.tls.objections(&format!("{section}.tls"));
        let endpoint = empty(format!("{section}.endpoint"), &self.endpoint, "tcp://spaces.example.org:2375/spaces");
        found.into_iter().chain(endpoint).collect()
    }
}
