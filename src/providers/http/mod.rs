//! The probe: looks at services over HTTP, as their users do, in the networks of the site and nowhere else.
//!
//! A blueprint, and whoever orders it, has a say in the address that is asked. So a name is looked up first, and only
//! what lies in the site's networks is connected to; that very address is then used, so that a second look-up can't say
//! otherwise. A redirection is an answer like any other and is not followed; of an answer only the head is read.

mod network;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::ports::probe::{Probe, ProbeAnswer};
use domain::ports::provider_error::ProviderError;
pub use network::{Network, NoNetwork};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use url::{Host, Url};

/// Where the probe may look, and how.
#[derive(Clone, Debug)]
pub struct ProbeSettings {
    /// The networks in which services of the site answer.
    pub networks: Vec<Network>,
    /// Certificates (PEM) that a service's may come from, beside the public ones.
    pub ca: Option<Vec<u8>>,
    /// How long a service may take to answer.
    pub patience: Duration,
}

/// Why a probe can't be made as it is configured.
#[derive(Debug, thiserror::Error)]
#[error("the certificates for the probe can't be read: a file in PEM is wanted")]
pub struct ProbeSettingsError(#[source] reqwest::Error);

/// A probe that stands beside Gatehouse.
pub struct HttpProbe {
    networks: Vec<Network>,
    certificates: Vec<Certificate>,
    patience: Duration,
}

/// A service whose address may be asked.
struct Service {
    url: Url,
    host: String,
    addresses: Vec<SocketAddr>,
}

impl HttpProbe {
    /// Reads the certificates; nothing is connected before the first call.
    pub fn new(settings: ProbeSettings) -> Result<Self, ProbeSettingsError> {
        let pem = settings.ca.unwrap_or_default();
        let certificates = Certificate::from_pem_bundle(&pem).map_err(ProbeSettingsError)?;
        Ok(Self { networks: settings.networks, certificates, patience: settings.patience })
    }

    /// The service behind an address, if it may be asked.
    async fn service(&self, text: &str) -> Result<Service, ProviderError> {
        let wrong = |why: &str| {
            let next = "Correct the address in the blueprint: `http://` or `https://`, a host, a port, a path.";
            ProviderError::permanent(format!("{text} can't be asked: {why}."), next)
        };
        let url = Url::parse(text).map_err(|cause| wrong(&cause.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it is no plain address of the web"));
        }
        let port = url.port_or_known_default().ok_or_else(|| wrong("it has no port"))?;
        let host = url.host().ok_or_else(|| wrong("it names no host"))?.to_owned();
        let addresses: Vec<SocketAddr> = match &host {
            Host::Ipv4(address) => vec![(*address, port).into()],
            Host::Ipv6(address) => vec![(*address, port).into()],
            Host::Domain(name) => self.looked_up(name, port).await?,
        };
        let allowed = |address: &SocketAddr| self.allows(address.ip());
        match addresses.iter().find(|address| !allowed(address)) {
            Some(outside) => Err(self.outside(text, outside.ip())),
            None => Ok(Service { host: host.to_string(), addresses, url }),
        }
    }

    async fn looked_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, ProviderError> {
        let unknown = |why: String| {
            let next = "Look whether the name is in the DNS that this machine asks.";
            ProviderError::not_found(format!("Nobody knows where {name} is: {why}."), next)
        };
        let found = tokio::time::timeout(self.patience, tokio::net::lookup_host((name, port))).await;
        let found = found.map_err(|_| unknown("the DNS did not answer in time".to_owned()))?;
        let addresses: Vec<SocketAddr> = found.map_err(|cause| unknown(cause.to_string()))?.collect();
        if addresses.is_empty() { Err(unknown("it has no address".to_owned())) } else { Ok(addresses) }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    fn outside(&self, asked: &str, address: IpAddr) -> ProviderError {
        let networks: Vec<String> = self.networks.iter().map(ToString::to_string).collect();
        ProviderError::refused(
            format!("{asked} is at {address}, outside of the site's networks ({}).", networks.join(", ")),
            "Correct the address; or add its network to the site's `probe.networks`, if it belongs there.",
        )
    }

    /// A client that connects to the addresses that were looked at, and to no others.
    fn client(&self, service: &Service) -> Result<Client, ProviderError> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(self.patience)
            .tls_certs_merge(self.certificates.iter().cloned())
            .resolve_to_addrs(&service.host, &service.addresses);
        client.build().map_err(|cause| {
            let what = format!("The probe can't be prepared: {}.", in_full(&cause));
            ProviderError::transient(what, "Look at the certificates of the machine that Gatehouse runs on.")
        })
    }
}

#[async_trait]
impl Probe for HttpProbe {
    async fn get(&self, url: &str) -> Result<ProbeAnswer, ProviderError> {
        let service = self.service(url).await?;
        let client = self.client(&service)?;
        let asked = Instant::now();
        match client.get(service.url).send().await {
            Ok(answer) => {
                let millis = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
                Ok(ProbeAnswer { status: answer.status().as_u16(), millis })
            }
            Err(cause) => Err(ProviderError::not_found(
                format!("Nothing answers at {url}: {}.", in_full(&cause)),
                "Look whether the service runs and listens there.",
            )),
        }
    }
}

/// An error with what caused it; the address that reqwest adds is said already.
fn in_full(error: &reqwest::Error) -> String {
    let mut told = if error.is_timeout() { "no answer in time".to_owned() } else { "it could not be asked".to_owned() };
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        told = format!("{told}: {deeper}");
        cause = deeper.source();
    }
    told
}

#[cfg(test)]
mod tests;
