//! `[sites.<name>.puppet]`: the Puppet Server that brings machines to what their role says.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::super::mistake::Objection;
use super::super::secret::Secret;
use super::tls::{Tls, empty, unread};

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
    /// Puppet Enterprise's orchestrator, which starts agents.
    pub orchestrator: Option<Orchestrator>,
    /// SSH, by which agents are started where no orchestrator does.
    pub ssh: Option<Ssh>,
}

/// How Gatehouse signs in to machines to start their agents.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ssh {
    /// OpenSSH's client on this machine.
    pub program: PathBuf,
    pub user: String,
    pub port: u16,
    /// The user's private key, which nobody but Gatehouse may read; without a passphrase.
    pub key_file: PathBuf,
    /// The machines' host keys, or the authority that certifies them, as OpenSSH's `known_hosts` has them. Without it:
    /// what the machines' agents have told PuppetDB.
    pub known_hosts_file: Option<PathBuf>,
    /// What starts a run and returns at once. Nothing is added to it.
    pub command: String,
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            program: "/usr/bin/ssh".into(),
            user: "gatehouse".to_owned(),
            port: 22,
            key_file: PathBuf::new(),
            known_hosts_file: None,
            // A file of its own for the process's id: that of the agent which runs as a service is taken.
            command: "sudo -n /opt/puppetlabs/bin/puppet agent --onetime --pidfile /run/gatehouse-agent.pid \
                      --no-usecacheonfailure --waitforlock 5 --maxwaitforlock 600"
                .to_owned(),
        }
    }
}

/// Puppet Enterprise's orchestrator.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orchestrator {
    /// Its address, with its port.
    pub url: String,
    /// The certificates (PEM) of its authority, which alone is trusted.
    pub ca_file: PathBuf,
    /// A token of a user who may run Puppet on agent nodes.
    pub token: Option<Secret>,
    /// A file with it on its first line, instead of `token`.
    pub token_file: Option<PathBuf>,
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
            orchestrator: None,
            ssh: None,
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
        found.extend(kept(&here("secret"), self.secret.as_ref(), self.secret_file.as_ref()));
        found.extend(kept(&here("token"), self.token.as_ref(), self.token_file.as_ref()));
        if let Some(orchestrator) = &self.orchestrator {
            found.extend(orchestrator.objections(&here("orchestrator")));
        }
        if let Some(ssh) = &self.ssh {
            found.extend(ssh.objections(&here("ssh"), self.puppetdb.is_some()));
        }
        if self.ssh.is_some() && self.orchestrator.is_some() {
            let why = "and orchestrator are both set: keep the one that starts the site's agents";
            found.push(Objection::new(here("ssh"), why));
        }
        found
    }
}

impl Ssh {
    /// `is_told` is whether there is a PuppetDB that machines tell their host keys.
    fn objections(&self, section: &str, is_told: bool) -> Vec<Objection> {
        let here = |setting: &str| format!("{section}.{setting}");
        let mut found = Vec::new();
        found.extend(empty(here("user"), &self.user, "gatehouse"));
        found.extend(empty(here("command"), &self.command, &Self::default().command));
        if self.key_file.as_os_str().is_empty() {
            let why = "is missing: name a file with a private key, as `ssh-keygen -t ed25519 -N \"\"` makes it";
            found.push(Objection::new(here("key_file"), why));
        } else {
            found.extend(unread(here("key_file"), &self.key_file));
        }
        match &self.known_hosts_file {
            Some(file) => found.extend(unread(here("known_hosts_file"), file)),
            None if !is_told => {
                let why = "is missing: machines are told from others by their host keys; name a file of them, or a \
                           `puppetdb` that is told them";
                found.push(Objection::new(here("known_hosts_file"), why));
            }
            None => {}
        }
        found
    }
}

impl Orchestrator {
    fn objections(&self, section: &str) -> Vec<Objection> {
        let mut found = Vec::from_iter(empty(format!("{section}.url"), &self.url, "https://puppet.example.org:8143"));
        if self.ca_file.as_os_str().is_empty() {
            found.push(Objection::new(format!("{section}.ca_file"), "is missing: nobody is trusted without it"));
        }
        found.extend(Secret::objections(&format!("{section}.token"), self.token.as_ref(), self.token_file.as_ref()));
        if self.token.is_none() && self.token_file.is_none() {
            let why = "is missing: name a file with a token of the orchestrator, as `puppet access login` prints it";
            found.push(Objection::new(format!("{section}.token_file"), why));
        }
        found
    }
}

/// What is wrong with a secret of our own making, and that it is missing.
fn kept(name: &str, written: Option<&Secret>, file: Option<&PathBuf>) -> Vec<Objection> {
    let mut found = Secret::objections(name, written, file);
    if written.is_none() && file.is_none() {
        let why = "is missing: name a file with some random letters, as `openssl rand -hex 32` makes them";
        found.push(Objection::new(format!("{name}_file"), why));
    }
    found
}
