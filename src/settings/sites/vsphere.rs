//! `[sites.<name>.vsphere]`: a vCenter, and the places in it where machines stand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::super::mistake::Objection;
use super::super::secret::Secret;
use super::tls::{empty, unread};

/// A vCenter 7 or 8. Folder, pool, datastores, network and templates are named by their paths below the datacenter's
/// own folders, or by whole paths that begin with `/`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vsphere {
    /// `https://vcenter.example.org`.
    pub url: String,
    pub username: String,
    pub password: Option<Secret>,
    /// A file with the password on its first line, instead of `password`.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) that the server's has to come from, in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the server's certificate: only this very one is taken then.
    pub fingerprint: Option<String>,
    pub datacenter: String,
    /// Where machines stand, below the datacenter's `vm`; empty for `vm` itself.
    pub folder: String,
    /// What gives them processors and memory, below the datacenter's `host`.
    pub pool: String,
    /// Where their disks may lie: the one with the most room is taken.
    pub datastores: Vec<String>,
    /// The network of their first card; the template's own where nothing is said.
    pub network: Option<String>,
    /// How guests are addressed that vCenter customizes.
    pub subnet: Option<Subnet>,
    /// Custom attributes that every machine gets, by name.
    pub custom_values: BTreeMap<String, String>,
    /// What machines of each image that blueprints name are made from.
    pub images: BTreeMap<String, Image>,
}

/// What machines of an image are made from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// The machine or template to clone.
    pub template: String,
    pub cloning: Cloning,
    pub first_boot: FirstBoot,
    /// More of the machine's configuration. Values may say `{name}`, `{fqdn}` and `{address}`.
    pub extra_config: BTreeMap<String, String>,
}

/// How a machine comes from its template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloning {
    #[default]
    Full,
    Linked,
    Instant,
}

/// Who tells the guest who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstBoot {
    #[default]
    CloudInit,
    Customization,
}

/// What a customized guest needs beside its address.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subnet {
    /// `255.255.255.0`.
    pub mask: String,
    pub gateway: String,
    pub dns_servers: Vec<String>,
}

impl Vsphere {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("{section}.{setting}");
        let mut found = Secret::objections(&here("password"), self.password.as_ref(), self.password_file.as_ref());
        if self.password.is_none() && self.password_file.is_none() {
            found.push(Objection::new(here("password_file"), "is missing: name a file with the password"));
        }
        found.extend(self.ca_file.as_ref().and_then(|file| unread(here("ca_file"), file)));
        let needed = [
            ("url", &self.url, "https://vcenter.example.org"),
            ("username", &self.username, "gatehouse@vsphere.local"),
            ("datacenter", &self.datacenter, "dc-1"),
            ("pool", &self.pool, "cluster-1/Resources"),
        ];
        found.extend(needed.iter().filter_map(|(name, text, example)| empty(here(name), text, example)));
        if self.datastores.is_empty() {
            found.push(Objection::new(here("datastores"), "names none, so that no disk could be put anywhere"));
        }
        if self.images.is_empty() {
            let why = "names none, so that no machine could be ordered: add `[sites.….vsphere.images.debian-12]`";
            found.push(Objection::new(here("images"), why));
        }
        let images = self.images.iter();
        found.extend(images.filter_map(|(name, image)| {
            empty(here(&format!("images.{name}.template")), &image.template, "templates/debian-12")
        }));
        found
    }
}
