//! Nautobot's REST API (2.x): <https://docs.nautobot.com/projects/core/en/stable/user-guide/platform-functionality/rest-api/overview/>

use std::time::Duration;

use domain::ports::provider_error::ProviderError;
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Host;

use super::{NautobotSettings, NautobotSettingsError};

/// A server that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(20);
/// So much of a refusal is told.
const TOLD: usize = 300;

/// A Nautobot, asked in the name of a token.
pub(super) struct Client {
    http: reqwest::Client,
    api: Url,
    token: String,
}

/// A list, of which we never ask for more than a page.
#[derive(Deserialize)]
pub(super) struct Listed<T> {
    pub(super) results: Vec<T>,
}

impl Client {
    pub(super) fn new(settings: &NautobotSettings) -> Result<Self, NautobotSettingsError> {
        let address = |_| NautobotSettingsError::Address(settings.url.clone());
        let api = Url::parse(&format!("{}/api/", settings.url.trim_end_matches('/'))).map_err(address)?;
        let is_here = match api.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if api.scheme() != "https" && !is_here {
            return Err(NautobotSettingsError::Unprotected(settings.url.clone()));
        }
        // Nobody is sent on to: the token is for this server alone.
        let mut builder = reqwest::Client::builder().timeout(PATIENCE).no_proxy().redirect(Policy::none());
        if let Some(pem) = &settings.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(NautobotSettingsError::Client)?;
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(NautobotSettingsError::Client)?;
        Ok(Self { http, api, token: settings.token.clone() })
    }

    /// The objects at the path for which all of this holds.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        filter: &[(&str, &str)],
    ) -> Result<Vec<T>, ProviderError> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(filter);
        let answer = self.ask(Method::GET, url, None).await?;
        Ok(read::<Listed<T>>(answer).await?.results)
    }

    /// Has something made; none where Nautobot answers that there is nothing to make it from.
    pub(super) async fn make<T: DeserializeOwned>(
        &self,
        path: &str,
        wanted: Value,
    ) -> Result<Option<T>, ProviderError> {
        let answer = self.ask(Method::POST, self.url(path)?, Some(wanted)).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        read(answer).await.map(Some)
    }

    /// Removes what is at the path; what is gone is no error.
    pub(super) async fn remove(&self, path: &str) -> Result<(), ProviderError> {
        self.ask(Method::DELETE, self.url(path)?, None).await.map(drop)
    }

    fn url(&self, path: &str) -> Result<Url, ProviderError> {
        self.api.join(path).map_err(|cause| {
            ProviderError::permanent(format!("Nautobot has no address {path}: {cause}."), "Correct its address.")
        })
    }

    async fn ask(&self, method: Method, url: Url, body: Option<Value>) -> Result<Response, ProviderError> {
        let path = url.path().to_owned();
        let mut request = self.http.request(method.clone(), url);
        request = request.header("Authorization", format!("Token {}", self.token)).header("Accept", "application/json");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|cause| away(&cause))?;
        let status = answer.status();
        if status.is_success() || (method == Method::DELETE && status == StatusCode::NOT_FOUND) {
            return Ok(answer);
        }
        let said: String = answer.text().await.unwrap_or_default().chars().take(TOLD).collect();
        Err(refusal(&method, &path, status, &said))
    }
}

async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, ProviderError> {
    let path = answer.url().path().to_owned();
    let body = answer.bytes().await.map_err(|cause| away(&cause))?;
    serde_json::from_slice(&body).map_err(|cause| {
        ProviderError::permanent(
            format!("What Nautobot answered at {path} is not understood: {cause}."),
            "Check that it is a Nautobot of version 2 and that nothing else answers at its address.",
        )
    })
}

fn away(cause: &reqwest::Error) -> ProviderError {
    let mut words = cause.to_string();
    let mut source = std::error::Error::source(cause);
    while let Some(deeper) = source {
        words = format!("{words}: {deeper}");
        source = deeper.source();
    }
    ProviderError::transient(format!("Nautobot did not answer: {words}."), "It is asked again in a moment.")
}

fn refusal(method: &Method, path: &str, status: StatusCode, said: &str) -> ProviderError {
    let what = format!("Nautobot answered {method} {path} with {status}: {}.", said.trim().trim_end_matches('.'));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ProviderError::refused(
            what,
            "Give the token of the site's settings the rights to view prefixes and to view, add and delete IP addresses.",
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            ProviderError::transient(what, "It is asked again in a moment.")
        }
        StatusCode::NOT_FOUND => ProviderError::not_found(what, "Check the prefix in the site's settings."),
        status if status.is_server_error() => ProviderError::transient(what, "It is asked again in a moment."),
        _ => ProviderError::permanent(what, "Check that the custom field for our key is there, for IP addresses."),
    }
}
