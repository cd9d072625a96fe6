//! What a vCenter is told to us with: where it is, who we are to it, and where machines are put.

use std::collections::BTreeMap;
use std::fmt;

/// A vCenter and the places in it that belong to us.
///
/// Folder, pool, datastores, network and templates are named by their paths below the datacenter's own folders, or,
/// beginning with `/`, by whole paths (`/dc-1/vm/debian-12`), as vCenter shows them; a `/` in a name is written `%2f`.
#[derive(Clone)]
pub struct VsphereSettings {
    /// `https://vcenter.example.org`.
    pub url: String,
    pub username: String,
    pub password: String,
    /// Certificates (PEM) that the server's has to come from, in place of the public ones.
    pub ca: Option<Vec<u8>>,
    /// SHA-256 of the server's certificate in hexadecimal, colons allowed: only this very certificate is taken then.
    pub fingerprint: Option<String>,
    pub datacenter: String,
    /// Where machines stand, below the datacenter's `vm`, e.g. `gatehouse/web`; empty for `vm` itself.
    pub folder: String,
    /// What gives them processors and memory, below the datacenter's `host`, e.g. `cluster-1/Resources`.
    pub pool: String,
    /// Where their disks may lie, below the datacenter's `datastore`: the one with the most room is taken.
    pub datastores: Vec<String>,
    /// The network of their first card, below the datacenter's `network`; the template's own when nothing is said.
    pub network: Option<String>,
    /// How guests are addressed whose system is customized by vCenter; needed by such images alone.
    pub subnet: Option<Subnet>,
    /// Custom attributes that vCenter's people want on every machine, by name; see [`VsphereImage::extra_config`] for
    /// what values may say.
    pub custom_values: BTreeMap<String, String>,
    pub images: BTreeMap<String, VsphereImage>,
}

/// What machines of an image are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VsphereImage {
    /// The machine or template to clone, below the datacenter's `vm`.
    pub template: String,
    pub cloning: Cloning,
    pub first_boot: FirstBootBy,
    /// More of the machine's configuration. Values may say `{name}`, `{fqdn}` and `{address}`.
    pub extra_config: BTreeMap<String, String>,
}

/// How a machine comes from its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloning {
    /// With disks of its own.
    Full,
    /// With disks that lean on a snapshot of the template: quick, and as long-lived as the template.
    Linked,
    /// Forked from the memory and disks of a source that runs (vSphere 6.7 and later).
    Instant,
}

/// Who tells the guest who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstBootBy {
    /// cloud-init in the guest, which reads `guestinfo` (its VMware data source).
    CloudInit,
    /// vCenter's guest customization, for Linux guests without cloud-init. It can't enrol an agent.
    Customization,
}

/// What a customized guest needs beside its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// `255.255.255.0`.
    pub mask: String,
    pub gateway: String,
    pub dns_servers: Vec<String>,
}

impl fmt::Debug for VsphereSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VsphereSettings")
            .field("url", &self.url)
            .field("username", &self.username)
            .field("password", &"***")
            .field("datacenter", &self.datacenter)
            .finish_non_exhaustive()
    }
}
