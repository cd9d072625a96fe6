//! The certificate authority of Puppet Server by its HTTP API (`/puppet-ca/v1`), with Gatehouse's own certificate.
//!
//! <https://www.puppet.com/docs/puppet/7/http_api/http_certificate_status.html>; measured on Puppet Server 7.9.5: what
//! is not there is 404, signing without a request 409, and a revocation counts at once.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::ports::provider_error::ProviderError;
use reqwest::{Certificate, Client, Identity, Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use x509_parser::pem::parse_x509_pem;

use super::csr;
use super::{PuppetSettings, PuppetSettingsError};

/// A server that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(15);
/// So much of what a server says to a refusal is told on.
const TOLD: usize = 300;

/// How far the certificate of a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CertificateState {
    /// Somebody asks for one.
    Requested,
    Signed,
    Revoked,
}

#[derive(Deserialize)]
struct Status {
    state: CertificateState,
}

/// How the server is reached, and as whom.
pub(super) struct Access<'s> {
    pub server: &'s str,
    pub port: u16,
    pub address: Option<IpAddr>,
    pub ca: &'s [u8],
    pub certificate: &'s [u8],
    pub key: &'s [u8],
}

impl<'s> Access<'s> {
    /// How the site's Puppet Server is reached; its PuppetDB lets in the same certificate.
    pub(super) fn of(settings: &'s PuppetSettings) -> Self {
        Self {
            server: &settings.server,
            port: settings.port,
            address: settings.address,
            ca: &settings.ca,
            certificate: &settings.certificate,
            key: &settings.key,
        }
    }
}

/// A client of the certificate authority.
pub(super) struct Ca {
    http: Client,
    base: Url,
}

impl Ca {
    /// Prepares the connections; none is opened yet.
    pub(super) fn new(access: &Access<'_>) -> Result<Self, PuppetSettingsError> {
        let http = client(access, true)?;
        let base = Url::parse(&format!("https://{}:{}/puppet-ca/v1/", access.server, access.port))
            .map_err(|_| PuppetSettingsError::Server(access.server.to_owned()))?;
        Ok(Self::at(http, base))
    }

    /// The authority whose interface is at this address.
    pub(super) fn at(http: Client, base: Url) -> Self {
        Self { http, base }
    }

    /// How far the certificate of this name is; nothing when nobody asked for one.
    pub(super) async fn state(&self, certname: &str) -> Result<Option<CertificateState>, ProviderError> {
        let answer = self.ask(Method::GET, "certificate_status", certname, None).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let text = self.text(answer).await?;
        let status: Status = serde_json::from_str(&text).map_err(|cause| self.strange(&cause.to_string()))?;
        Ok(Some(status.state))
    }

    /// The request (PEM) that waits to be signed.
    pub(super) async fn request(&self, certname: &str) -> Result<Option<String>, ProviderError> {
        self.document("certificate_request", certname).await
    }

    /// The print of the public key whose certificate is signed for this name.
    pub(super) async fn signed_key(&self, certname: &str) -> Result<Option<String>, ProviderError> {
        let Some(pem) = self.document("certificate", certname).await? else { return Ok(None) };
        let unreadable = |_| self.strange(&format!("its certificate of {certname} can't be read"));
        let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| unreadable(()))?;
        let certificate = block.parse_x509().map_err(|_| unreadable(()))?;
        Ok(Some(csr::print(certificate.public_key())))
    }

    /// Signs the request that waits; false when none does any more.
    pub(super) async fn sign(&self, certname: &str) -> Result<bool, ProviderError> {
        self.set(certname, "signed").await
    }

    /// Revokes the certificate, which keeps its holder out at once; false when there is none to revoke.
    pub(super) async fn revoke(&self, certname: &str) -> Result<bool, ProviderError> {
        self.set(certname, "revoked").await
    }

    /// Forgets the request and the certificate of this name.
    pub(super) async fn forget(&self, certname: &str) -> Result<(), ProviderError> {
        let answer = self.ask(Method::DELETE, "certificate_status", certname, None).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(()),
            _ => self.text(answer).await.map(drop),
        }
    }

    async fn set(&self, certname: &str, state: &str) -> Result<bool, ProviderError> {
        let body = json!({ "desired_state": state });
        let answer = self.ask(Method::PUT, "certificate_status", certname, Some(body)).await?;
        match answer.status() {
            StatusCode::CONFLICT | StatusCode::NOT_FOUND => Ok(false),
            _ => self.text(answer).await.map(|_| true),
        }
    }

    async fn document(&self, kind: &str, certname: &str) -> Result<Option<String>, ProviderError> {
        let answer = self.ask(Method::GET, kind, certname, None).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            _ => self.text(answer).await.map(Some),
        }
    }

    async fn ask(
        &self,
        method: Method,
        kind: &str,
        certname: &str,
        body: Option<Value>,
    ) -> Result<Response, ProviderError> {
        let mut address = self.base.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().push(kind).push(certname);
        }
        let mut request = self.http.request(method, address);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.map_err(|cause| self.silent(&cause))
    }

    /// The body of an answer that says yes; any other is an error in our words.
    async fn text(&self, answer: Response) -> Result<String, ProviderError> {
        let status = answer.status();
        let text = answer.text().await.map_err(|cause| self.silent(&cause))?;
        if status.is_success() {
            return Ok(text);
        }
        let said: String = text.trim().chars().take(TOLD).collect();
        let what = format!("The Puppet CA at {} answered {status}: {said}.", self.place());
        Err(match status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => ProviderError::permanent(
                format!("{what} It does not let Gatehouse's certificate do this."),
                "Allow its name for `certificate_status` in Puppet Server's auth.conf, reload the server, and retry.",
            ),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                ProviderError::transient(what, "It is asked again; if it goes on, look into Puppet Server's log.")
            }
            _ => ProviderError::permanent(what, "Look into Puppet Server's log, then retry."),
        })
    }

    fn silent(&self, cause: &reqwest::Error) -> ProviderError {
        ProviderError::transient(
            format!("The Puppet CA at {} did not answer: {}.", self.place(), reasons(cause)),
            "It is asked again; if it goes on, check that Puppet Server runs, and its certificate.",
        )
    }

    fn strange(&self, cause: &str) -> ProviderError {
        ProviderError::permanent(
            format!("The Puppet CA at {} answered what Gatehouse does not understand: {cause}.", self.place()),
            "Check that the address is that of a Puppet Server 6 or later.",
        )
    }

    fn place(&self) -> String {
        format!(
            "{}:{}",
            self.base.host_str().unwrap_or_default(),
            self.base.port_or_known_default().unwrap_or_default()
        )
    }
}

/// A client that trusts this site's authority alone and shows Gatehouse's certificate; `with_tls` alone, but for a
/// server on this machine.
pub(super) fn client(access: &Access<'_>, with_tls: bool) -> Result<Client, PuppetSettingsError> {
    let trusted = Certificate::from_pem_bundle(access.ca).map_err(PuppetSettingsError::Authority)?;
    if trusted.is_empty() {
        return Err(PuppetSettingsError::NoAuthority);
    }
    let identity = Identity::from_pem(&[access.key, b"\n", access.certificate].concat());
    let mut builder = Client::builder()
        .tls_certs_only(trusted)
        .identity(identity.map_err(PuppetSettingsError::Identity)?)
        .https_only(with_tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE);
    if let Some(address) = access.address {
        builder = builder.resolve(access.server, SocketAddr::new(address, access.port));
    }
    builder.build().map_err(PuppetSettingsError::Client)
}

/// An error with what caused it, and what caused that.
pub(super) fn reasons(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        words.push(deeper.to_string());
        cause = deeper.source();
    }
    match words.last() {
        _ if error.is_timeout() => format!("nothing came within {} seconds", PATIENCE.as_secs()),
        Some(last) => last.clone(),
        None => error.to_string(),
    }
}
