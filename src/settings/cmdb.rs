//! `[cmdb]`: how often it is reconciled, and `[cmdb.connectors.<name>]`, the company's CMDBs that it is carried to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Secret;
use super::ServiceNow;
use super::mistake::Objection;
use super::sites::{empty, unread};

/// How the CMDB is kept true, and what becomes of it outside of the house.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cmdb {
    /// Minutes from one reconcile to the next; 0: only when somebody asks for one.
    pub reconcile_minutes: u32,
    /// By name.
    pub connectors: BTreeMap<String, Connector>,
}

/// One of the company's CMDBs: a section says which kind of system it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Connector {
    /// Takes CIs as JSON.
    pub webhook: Option<Webhook>,
    /// A ServiceNow instance.
    pub servicenow: Option<ServiceNow>,
    /// A Nautobot.
    pub nautobot: Option<NautobotCmdb>,
}

/// A system that takes CIs as JSON.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// Takes CIs by POST, `https://cmdb.example.org/gatehouse`.
    pub url: String,
    /// Lists by GET what it holds; without it nothing is compared.
    pub list_url: Option<String>,
    /// What requests are signed with.
    pub secret: Option<Secret>,
    /// A file with it on its first line, instead of `secret`.
    pub secret_file: Option<PathBuf>,
    /// The authorities (PEM) that its certificate has to come from, instead of the public ones.
    pub ca_file: Option<PathBuf>,
}

/// A Nautobot that holds CIs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NautobotCmdb {
    /// Its address, `https://nautobot.example.org`.
    pub url: String,
    /// The API token.
    pub token: Option<Secret>,
    /// A file with it on its first line, instead of `token`.
    pub token_file: Option<PathBuf>,
    /// The authorities (PEM) that its certificate has to come from, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The cluster that machines belong to; it is made where it is missing.
    pub cluster: String,
    /// The namespace of their addresses.
    pub namespace: String,
}

impl Default for NautobotCmdb {
    fn default() -> Self {
        Self {
            url: String::new(),
            token: None,
            token_file: None,
            ca_file: None,
            cluster: "Gatehouse".to_owned(),
            namespace: "Global".to_owned(),
        }
    }
}

impl Default for Cmdb {
    fn default() -> Self {
        Self { reconcile_minutes: 5, connectors: BTreeMap::new() }
    }
}

impl Cmdb {
    /// How often it is reconciled.
    pub fn reconcile_every(&self) -> Option<Duration> {
        (self.reconcile_minutes > 0).then(|| Duration::from_secs(u64::from(self.reconcile_minutes) * 60))
    }

    /// Names are a part of addresses and rows.
    const LONGEST_NAME: usize = 63;

    pub(super) fn objections(&self) -> Vec<Objection> {
        self.connectors.iter().flat_map(|(name, connector)| connector.objections(name)).collect()
    }
}

impl Connector {
    fn objections(&self, name: &str) -> Vec<Objection> {
        let here = format!("cmdb.connectors.{name}");
        let mut found = Vec::new();
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if name.is_empty() || name.len() > Cmdb::LONGEST_NAME || !name.chars().all(fits) {
            let why = "is no name of a connector: small letters, digits and dashes, 63 at most";
            found.push(Objection::new(here.clone(), why));
        }
        let systems = [self.webhook.is_some(), self.servicenow.is_some(), self.nautobot.is_some()];
        let named = systems.into_iter().filter(|is_there| *is_there).count();
        if named != 1 {
            let why = format!(
                "is carried to one system: have one of `[{here}.webhook]`, `[{here}.servicenow]` and \
                 `[{here}.nautobot]`, not {named}"
            );
            found.push(Objection::new(here.clone(), why));
        }
        found.extend(self.webhook.iter().flat_map(|it| it.objections(&format!("{here}.webhook"))));
        found.extend(self.servicenow.iter().flat_map(|it| it.objections(&format!("{here}.servicenow"))));
        found.extend(self.nautobot.iter().flat_map(|it| it.objections(&format!("{here}.nautobot"))));
        found
    }
}

impl Webhook {
    fn objections(&self, section: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("{section}.{setting}");
        let mut found = Secret::objections(&here("secret"), self.secret.as_ref(), self.secret_file.as_ref());
        if self.secret.is_none() && self.secret_file.is_none() {
            found.push(Objection::new(
                here("secret_file"),
                "is missing: name a file with what requests are signed with",
            ));
        }
        found.extend(self.ca_file.as_ref().and_then(|file| unread(here("ca_file"), file)));
        found.extend(empty(here("url"), &self.url, "https://cmdb.example.org/gatehouse"));
        found
    }
}

impl NautobotCmdb {
    fn objections(&self, section: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("{section}.{setting}");
        let mut found = Secret::objections(&here("token"), self.token.as_ref(), self.token_file.as_ref());
        if self.token.is_none() && self.token_file.is_none() {
            found.push(Objection::new(here("token_file"), "is missing: name a file with an API token"));
        }
        found.extend(self.ca_file.as_ref().and_then(|file| unread(here("ca_file"), file)));
        found.extend(empty(here("url"), &self.url, "https://nautobot.example.org"));
        found.extend(empty(here("cluster"), &self.cluster, "Gatehouse"));
        found.extend(empty(here("namespace"), &self.namespace, "Global"));
        found
    }
}
