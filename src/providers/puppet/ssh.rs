//! Agents started by SSH: one command, fixed in the settings, on a machine that is known by its host key.
//!
//! The system's own OpenSSH client is used: it is kept up by whoever keeps up the machine, follows its rules for
//! cryptography, and knows host certificates. It gets fixed arguments, asks nobody anything and reads no
//! configuration. Nothing goes through a shell here, and nothing of an order is part of what runs there.
//! <https://man.openbsd.org/ssh_config>
//!
//! Whether a machine is the one that is meant is judged by the site's own `known_hosts`, with its host keys or the
//! authority that certifies them; else by the host keys that the machine's agent told PuppetDB over a connection that
//! its certificate protects. No key is taken because it is the first that is seen.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ports::names::Names;
use domain::ports::nodes::RemoteAgent;
use domain::ports::provider_error::ProviderError;
use uuid::Uuid;

use super::ca::Access;
use super::program::{Ended, run};
use super::puppetdb::{HostKey, PuppetDb};
use super::{PuppetSettings, PuppetSettingsError};

/// What `ssh` itself ends with when it could not connect or sign in.
const NOT_CONNECTED: i32 = 255;
/// To connect, to sign in, and for an agent to go into the background; a busy machine takes a while.
const PATIENCE: Duration = Duration::from_secs(60);
/// What never changes: nobody is asked, nothing is taken over from whoever runs Gatehouse, no key is learned.
const FIXED: [&str; 19] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
    "CheckHostIP=no",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "ForwardAgent=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ControlMaster=no",
    "ControlPath=none",
    "RequestTTY=no",
    "ConnectTimeout=15",
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
];

/// How Gatehouse signs in to a site's machines to start their agents.
pub struct SshSettings {
    /// OpenSSH's client.
    pub program: PathBuf,
    pub user: String,
    pub port: u16,
    /// The private key, readable for Gatehouse alone, without a passphrase.
    pub key_file: PathBuf,
    /// The host keys, or authorities of host keys, that are trusted; without it, what PuppetDB was told.
    pub known_hosts_file: Option<PathBuf>,
    /// What starts a run and returns at once.
    pub command: String,
}

/// By which host keys machines are known.
pub(super) enum HostKeys {
    File(PathBuf),
    Told(PuppetDb),
}

/// Agents on machines that are reached by SSH.
pub struct SshAgents {
    pub(super) settings: SshSettings,
    pub(super) host_keys: HostKeys,
    names: Arc<dyn Names>,
}

impl SshAgents {
    /// Prepares it; nothing is connected yet. `names` says where a machine is.
    pub fn new(
        settings: SshSettings,
        puppet: &PuppetSettings,
        names: Arc<dyn Names>,
    ) -> Result<Self, PuppetSettingsError> {
        let host_keys = match (&settings.known_hosts_file, &puppet.database) {
            (Some(file), _) => HostKeys::File(file.clone()),
            (None, Some(url)) => HostKeys::Told(PuppetDb::new(url, &Access::of(puppet))?),
            (None, None) => return Err(PuppetSettingsError::NoHostKeys),
        };
        Ok(Self::with(settings, host_keys, names))
    }

    pub(super) fn with(settings: SshSettings, host_keys: HostKeys, names: Arc<dyn Names>) -> Self {
        Self { settings, host_keys, names }
    }

    async fn address(&self, certname: &str) -> Result<String, ProviderError> {
        let short = certname.split('.').next().unwrap_or(certname);
        let held = self.names.lookup(short).await?.filter(|held| held.fqdn == certname);
        held.map(|held| held.address).ok_or_else(|| {
            ProviderError::not_found(
                format!("No address is held for {certname}, so its agent can't be started by SSH."),
                "See what became of the machine; order it anew, or retire its deployment.",
            )
        })
    }

    /// The file of the host keys by which this machine is known.
    async fn known_hosts(&self, certname: &str) -> Result<KnownHosts, ProviderError> {
        let database = match &self.host_keys {
            HostKeys::File(file) => return Ok(KnownHosts::Kept(file.clone())),
            HostKeys::Told(database) => database,
        };
        let keys = database.host_keys(certname).await?;
        if keys.is_empty() {
            return Err(ProviderError::permanent(
                format!("PuppetDB was told no SSH host key of {certname}, so it can't be told from another machine."),
                "Let its agent run once by itself, or name the host keys in `known_hosts_file`; then try again.",
            ));
        }
        KnownHosts::written(certname, &keys).map_err(|cause| {
            ProviderError::permanent(
                format!("The host keys of {certname} can't be put down for `ssh`: {cause}."),
                "Let Gatehouse write into its folder of temporary files, then try again.",
            )
        })
    }

    fn arguments(&self, certname: &str, address: &str, known_hosts: &Path) -> Vec<String> {
        let SshSettings { user, port, key_file, command, .. } = &self.settings;
        let mut arguments = vec!["-F".to_owned(), "none".to_owned()];
        let mut option = |text: String| arguments.extend(["-o".to_owned(), text]);
        FIXED.iter().for_each(|it| option((*it).to_owned()));
        option(format!("UserKnownHostsFile={}", quoted(known_hosts)));
        option(format!("HostKeyAlias={certname}"));
        option(format!("IdentityFile={}", quoted(key_file)));
        arguments.extend(["-p".to_owned(), port.to_string(), "-l".to_owned(), user.clone()]);
        arguments.extend(["--".to_owned(), address.to_owned(), command.clone()]);
        arguments
    }
}

#[async_trait]
impl RemoteAgent for SshAgents {
    async fn start(&self, certname: &str) -> Result<(), ProviderError> {
        let address = self.address(certname).await?;
        let known_hosts = self.known_hosts(certname).await?;
        let arguments = self.arguments(certname, &address, known_hosts.path());
        let program = &self.settings.program;
        let ended = run(program, arguments, PATIENCE).await.map_err(|cause| unusable(program, &cause))?;
        match ended {
            Some(ended) if ended.code == Some(0) => Ok(()),
            Some(ended) => Err(self.refused(certname, &address, &ended)),
            None => Err(ProviderError::transient(
                format!("{certname} at {address} did not start its agent within {} s.", PATIENCE.as_secs()),
                "It is tried again; if it goes on, look whether the machine is overloaded or waits for somebody.",
            )),
        }
    }
}

impl SshAgents {
    fn refused(&self, certname: &str, address: &str, ended: &Ended) -> ProviderError {
        let said = ended.last_line();
        let user = &self.settings.user;
        match ended.code {
            Some(NOT_CONNECTED) if ended.says("Host key verification failed") => ProviderError::permanent(
                format!("What answers at {address} has not the host key of {certname}; it was not signed in to."),
                "Find out what answers there. If the machine's key was made anew, let its agent run once by itself, or \
                 correct `known_hosts_file`; then try again.",
            ),
            Some(NOT_CONNECTED) if ended.says("Permission denied") || ended.says("UNPROTECTED PRIVATE KEY") => {
                ProviderError::permanent(
                    format!("{certname} did not let {user} in: {said}."),
                    "Put the public key that belongs to the site's `key_file` on its machines, for this user, and let \
                     nobody but Gatehouse read the private one; then try again.",
                )
            }
            Some(NOT_CONNECTED) | None => ProviderError::transient(
                format!("{certname} can't be reached by SSH at {address}: {said}."),
                "It is tried again; if it goes on, look whether the machine runs and its port is open to Gatehouse.",
            ),
            Some(code) => ProviderError::permanent(
                format!("On {certname} the command that starts the agent ended with {code}: {said}."),
                "Correct `command` in the site's settings, or what its user may do on the machine; then try again.",
            ),
        }
    }
}

/// What is said when a program of OpenSSH does not start.
pub(super) fn unusable(program: &Path, cause: &std::io::Error) -> ProviderError {
    ProviderError::permanent(
        format!("`{}` can't be run: {cause}.", program.display()),
        "Install OpenSSH's client on Gatehouse's machine, or name it in the site's settings.",
    )
}

/// A path as `ssh` reads it in an option, whatever it holds: in quotes, tokens and quotes escaped.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%").replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

/// A file of host keys; one that was written for a single connection goes with it.
enum KnownHosts {
    Kept(PathBuf),
    Written(PathBuf),
}

impl KnownHosts {
    fn written(certname: &str, keys: &[HostKey]) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("gatehouse-known-hosts-{}", Uuid::new_v4().simple()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        let written = Self::Written(path);
        let lines: String = keys.iter().map(|key| format!("{certname} {} {}\n", key.kind, key.key)).collect();
        file.write_all(lines.as_bytes())?;
        Ok(written)
    }

    fn path(&self) -> &Path {
        let (Self::Kept(path) | Self::Written(path)) = self;
        path
    }
}

impl Drop for KnownHosts {
    fn drop(&mut self) {
        let Self::Written(path) = self else { return };
        if let Err(cause) = fs::remove_file(&*path) {
            tracing::warn!(file = %path.display(), %cause, "host keys of a machine are left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_to_ssh_whatever_it_holds() {
        assert_eq!(quoted(Path::new("/etc/gatehouse/my key")), r#""/etc/gatehouse/my key""#);
        assert_eq!(quoted(Path::new(r#"/a"b\c%h"#)), r#""/a\"b\\c%%h""#);
    }

    #[test]
    fn written_host_keys_are_for_nobody_else_and_go_with_their_connection() {
        use std::os::unix::fs::PermissionsExt;
        let key = HostKey { kind: "ssh-ed25519".into(), key: "AAAA".into() };
        let known = KnownHosts::written("web-1.lab.test", &[key]).expect("it can be written");
        let path = known.path().to_owned();
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "web-1.lab.test ssh-ed25519 AAAA\n");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        drop(known);
        assert!(!path.exists());
    }
}
