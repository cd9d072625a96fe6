//! Puppet Enterprise's orchestrator, which starts an agent's run over its own connection to the machine.
//!
//! Written from its documentation, for there is none to be had freely:
//! <https://www.puppet.com/docs/pe/2021.7/orchestrator_api_commands_endpoint.html> (`command/deploy`).

use std::time::Duration;

use async_trait::async_trait;
use domain::ports::nodes::RemoteAgent;
use domain::ports::provider_error::ProviderError;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode, Url};
use serde_json::json;

use super::PuppetSettingsError;
use super::ca::reasons;

/// An orchestrator that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where an orchestrator is, and as whom Gatehouse comes to it.
pub struct OrchestratorSettings {
    /// Its address, `https://puppet.example.org:8143`.
    pub url: Url,
    /// The certificates (PEM) of its authority, which alone is trusted.
    pub ca: Vec<u8>,
    /// A token of a user who may run Puppet on agent nodes.
    pub token: String,
    pub environment: String,
}

/// The orchestrator of Puppet Enterprise.
pub struct Orchestrator {
    http: Client,
    deploy: Url,
    token: String,
    environment: String,
}

impl Orchestrator {
    /// Prepares the connections; none is opened yet.
    pub fn new(settings: OrchestratorSettings) -> Result<Self, PuppetSettingsError> {
        let trusted = Certificate::from_pem_bundle(&settings.ca).map_err(PuppetSettingsError::Authority)?;
        if trusted.is_empty() {
            return Err(PuppetSettingsError::NoAuthority);
        }
        // Nobody is sent on to: the token is for this server alone.
        let builder = Client::builder().tls_certs_only(trusted).https_only(true).redirect(Policy::none());
        let builder = builder.no_proxy().timeout(PATIENCE);
        let http = builder.build().map_err(PuppetSettingsError::Client)?;
        Self::with(http, &settings.url, settings.token, settings.environment)
    }

    pub(super) fn with(
        http: Client,
        url: &Url,
        token: String,
        environment: String,
    ) -> Result<Self, PuppetSettingsError> {
        let deploy = url.join("/orchestrator/v1/command/deploy");
        let deploy = deploy.map_err(|_| PuppetSettingsError::Server(url.to_string()))?;
        Ok(Self { http, deploy, token, environment })
    }
}

#[async_trait]
impl RemoteAgent for Orchestrator {
    async fn start(&self, certname: &str) -> Result<(), ProviderError> {
        let place = self.deploy.host_str().unwrap_or_default();
        let body = json!({ "environment": self.environment, "scope": { "nodes": [certname] } });
        let request = self.http.post(self.deploy.clone()).header("X-Authentication", &self.token).json(&body);
        let answer = request.send().await.map_err(|cause| {
            ProviderError::transient(
                format!("The orchestrator at {place} did not answer: {}.", reasons(&cause)),
                "It is asked again; if it goes on, check that it runs.",
            )
        })?;
        let what = format!("The orchestrator at {place} did not start the agent on {certname}: {}.", answer.status());
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ProviderError::permanent(
                what,
                "Give Gatehouse a token of a user who may run Puppet on agent nodes, then try again.",
            )),
            status if status.is_server_error() => {
                Err(ProviderError::transient(what, "It is asked again; if it goes on, look into its log."))
            }
            _ => Err(ProviderError::permanent(
                what,
                "Check that the machine is connected to the orchestrator, then try again.",
            )),
        }
    }
}
