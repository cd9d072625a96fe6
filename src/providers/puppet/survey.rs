//! What a site's Puppet lacks before anything is ordered of it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::survey::{Line, Survey};
use x509_parser::pem::parse_x509_pem;

use super::program::run;
use super::ssh::{HostKeys, unusable};
use super::{Puppet, SshAgents};

/// A name that no machine has: the authority is asked about it to see whether it answers Gatehouse.
const NOBODY: &str = "gatehouse-looks-whether-it-may-ask";

/// What a program of this machine takes to say something of itself.
const AT_ONCE: Duration = Duration::from_secs(10);

#[async_trait]
impl Survey for Puppet {
    async fn survey(&self, now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let mut lines = vec![self.own_certificate(now)];
        let right = format!("right to sign and revoke at {}", self.server);
        match self.ca.state(NOBODY).await {
            Ok(_) => lines.push(Line::there(right, "the CA answers Gatehouse's certificate")),
            Err(error) if error.kind == ProviderErrorKind::Transient => return Err(error),
            Err(error) => lines.push(Line::missing(right, error.to_string())),
        }
        if let Some(database) = &self.database {
            lines.push(match database.report(NOBODY, now).await {
                Ok(_) => Line::there("PuppetDB", "it answers"),
                Err(error) => Line::missing("PuppetDB", error.to_string()),
            });
        }
        Ok(lines)
    }
}

#[async_trait]
impl Survey for SshAgents {
    async fn survey(&self, _now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        Ok(vec![self.client().await, self.private_key().await, self.trusted().await])
    }
}

impl SshAgents {
    async fn client(&self) -> Line {
        let program = &self.settings.program;
        let what = format!("OpenSSH's client {}", program.display());
        match run(program, vec!["-V".to_owned()], AT_ONCE).await {
            Ok(Some(ended)) if ended.code == Some(0) => Line::there(what, ended.last_line()),
            Ok(_) => Line::missing(what, "It does not say its version: name OpenSSH's client."),
            Err(cause) => Line::missing(what, unusable(program, &cause).to_string()),
        }
    }

    /// The key has to open without a passphrase: nobody is there to be asked for it.
    async fn private_key(&self) -> Line {
        let (file, what) = (&self.settings.key_file, format!("private key of {}", self.settings.user));
        let keygen = self.settings.program.with_file_name("ssh-keygen");
        let arguments = ["-y", "-P", "", "-f"].map(str::to_owned).into_iter().chain([file.display().to_string()]);
        match run(&keygen, arguments.collect(), AT_ONCE).await {
            Ok(Some(ended)) if ended.code == Some(0) => Line::there(what, ended.last_line()),
            Ok(Some(ended)) => Line::missing(what, format!("{}: {}.", file.display(), ended.last_line())),
            Ok(None) => Line::missing(what, format!("{}: it does not open without a passphrase.", file.display())),
            Err(cause) => Line::missing(what, unusable(&keygen, &cause).to_string()),
        }
    }

    async fn trusted(&self) -> Line {
        match &self.host_keys {
            HostKeys::Told(database) => match database.host_keys(NOBODY).await {
                Ok(_) => Line::there("host keys of machines", "as their agents tell PuppetDB"),
                Err(error) => Line::missing("host keys of machines", error.to_string()),
            },
            HostKeys::File(file) => {
                let what = format!("host keys in {}", file.display());
                match tokio::fs::read_to_string(file).await.map(|text| keys_in(&text)) {
                    Ok(0) => Line::missing(what, "It names none: add the machines' keys, or a `@cert-authority`."),
                    Ok(keys) => Line::there(what, format!("{keys} lines")),
                    Err(cause) => Line::missing(what, format!("It can't be read: {cause}.")),
                }
            }
        }
    }
}

/// How many lines of a `known_hosts` name a key.
fn keys_in(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("@revoked")).count()
}

impl Puppet {
    fn own_certificate(&self, now: DateTime<Utc>) -> Line {
        let what = "certificate of Gatehouse";
        let block = parse_x509_pem(&self.certificate).ok().map(|(_, block)| block);
        let until = block.as_ref().and_then(|block| {
            let certificate = block.parse_x509().ok()?;
            DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
        });
        match until {
            Some(until) => Line::lasting(what, until, now),
            None => Line::missing(what, "It can't be read: name a file in PEM whose first block is the certificate."),
        }
    }
}
