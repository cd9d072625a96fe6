//! A Puppet Server, as the settings name it, and the door by which it comes in.

use std::sync::Arc;

use app::node::{BuiltIn, NodeServer};
use chrono::TimeDelta;
use domain::ports::clock::Clock;
use domain::ports::names::Names;
use domain::ports::nodes::RemoteAgent;
use providers::puppet::{
    Orchestrator, OrchestratorSettings, Puppet, PuppetSettings, PuppetWords, SshAgents, SshSettings,
};
use store::Store;

use super::{Section, read, secret};
use crate::settings;

/// `agents` starts the agents on the site's machines, unless an orchestrator does.
pub(super) fn configuration(
    site: &str,
    settings: &settings::Puppet,
    store: &Store,
    clock: &Arc<dyn Clock>,
    agents: Option<Arc<dyn RemoteAgent>>,
) -> Section<Puppet> {
    let register = Arc::new(BuiltIn { store: store.clone(), clock: Arc::clone(clock) });
    let agents = match &settings.orchestrator {
        Some(it) => Some(Arc::new(orchestrator(it, &settings.environment)?) as Arc<dyn RemoteAgent>),
        None => agents,
    };
    Ok(Puppet::new(server(site, settings)?, register, Arc::clone(clock), agents)?)
}

/// `names` says where a machine is.
pub(super) fn ssh(
    site: &str,
    puppet: &settings::Puppet,
    settings: &settings::Ssh,
    names: Arc<dyn Names>,
) -> Section<SshAgents> {
    let told = SshSettings {
        program: settings.program.clone(),
        user: settings.user.clone(),
        port: settings.port,
        key_file: settings.key_file.clone(),
        known_hosts_file: settings.known_hosts_file.clone(),
        command: settings.command.clone(),
    };
    Ok(SshAgents::new(told, &server(site, puppet)?, names)?)
}

fn server(site: &str, settings: &settings::Puppet) -> Section<PuppetSettings> {
    let [ca, certificate, key] = settings.tls.files().ok_or("certificates and a key are needed")?;
    let secret = secret("the secret", settings.secret.as_ref(), settings.secret_file.as_ref())?;
    Ok(PuppetSettings {
        site: site.to_owned(),
        server: settings.server.clone(),
        port: settings.port,
        address: settings.address,
        ca: read(ca)?,
        certificate: read(certificate)?,
        key: read(key)?,
        environment: settings.environment.clone(),
        secret: secret.into_bytes(),
        report_within: TimeDelta::minutes(settings.report_within_minutes.into()),
        database: settings.puppetdb.as_deref().map(str::parse).transpose()?,
    })
}

fn orchestrator(settings: &settings::Orchestrator, environment: &str) -> Section<Orchestrator> {
    Ok(Orchestrator::new(OrchestratorSettings {
        url: settings.url.parse()?,
        ca: read(&settings.ca_file)?,
        token: secret("the orchestrator's token", settings.token.as_ref(), settings.token_file.as_ref())?,
        environment: environment.to_owned(),
    })?)
}

/// The server as it comes in to ask and to report, beside those of `others`.
pub(super) fn door(site: &str, settings: &settings::Puppet, others: &[NodeServer]) -> Section<NodeServer> {
    let token = secret("the token", settings.token.as_ref(), settings.token_file.as_ref())?;
    Ok(NodeServer::new(site, &token, Arc::new(PuppetWords), others)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_by_a_token_that_nobody_guesses_and_no_other_has() {
        let settings = |token: &str| settings::Puppet { token: Some(token.into()), ..settings::Puppet::default() };
        let guessed = door("here", &settings("easy"), &[]).err().unwrap();
        assert!(guessed.to_string().starts_with("the token has fewer than 16 letters"), "{guessed}");
        let here = door("here", &settings("the-token-of-this-site"), &[]).unwrap();
        let shared = door("there", &settings("the-token-of-this-site"), std::slice::from_ref(&here)).err().unwrap();
        assert!(shared.to_string().starts_with("the token is that of the site `here`, too"), "{shared}");
        assert!(door("there", &settings("the-token-of-that-site"), &[here]).is_ok());
    }
}
