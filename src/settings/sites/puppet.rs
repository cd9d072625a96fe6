//! `[sites.<name>.puppet]`: the Puppet Server that brings machines to what their role says.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::super::mistake::Objection;
use super::super::secret::Secret;
use super::tls::{Tls, empty};

/// A Puppet Server 6 or later with its CA.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Puppet {
    /// The server's name, as its certificate says it.
    pub server: String,
    pub port: u16,
    /// Where it is, when its name can't be looked up.
    pub address: Option<IpAddr>,
    /// The CA, and Gatehouse's own certificate, which `auth.conf` allows to sign and to revoke.
    pub tls: Tls,
    /// The environment in which catalogs are compiled.
    pub environment: String,
    /// What the one-time challenges of fresh machines are derived from: 16 letters at least that nobody else knows.
    pub secret: Option<Secret>,
    /// A file with it on its first line, instead of `secret`.
    pub secret_file: Option<PathBuf>,
    /// What the server shows when it asks here what a node shall become, or reports.
    pub token: Option<Secret>,
    /// A file with it on its first line, instead of `token`.
    pub token_file: Option<PathBuf>,
    /// How long a run may take from its order to its report.
    pub report_within_minutes: u32,
    /// The PuppetDB that is asked when a report does not come by itself.
    pub puppetdb: Option<String>,
}

impl Default for Puppet {
    fn default() -> Self {
        Self {
            server: String::new(),
            port: 8140,
            address: None,
            tls: Tls::default(),
            environment: "production".to_owned(),
            secret: None,
            secret_file: None,
            token: None,
            token_file: None,
            report_within_minutes: 30,
            puppetdb: None,
        }
    }
}

impl Puppet {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("{section}.{setting}");
        let mut found = self.tls.objections(&here("tls"));
        if found.is_empty() && self.tls.files().is_none() {
            let why = "is missing: the CA answers nobody without a certificate of its own";
            found.push(Objection::new(here("tls"), why));
        }
        found.extend(empty(here("server"), &self.server, "puppet.example.org"));
        let secrets = [("secret", &self.secret, &self.secret_file), ("token", &self.token, &self.token_file)];
        for (name, written, file) in secrets {
            found.extend(Secret::objections(&here(name), written.as_ref(), file.as_ref()));
            if written.is_none() && file.is_none() {
                let why = "is missing: name a file with some random letters, as `openssl rand -hex 32` makes them";
                found.push(Objection::new(here(&format!("{name}_file")), why));
            }
        }
        found
    }
}
