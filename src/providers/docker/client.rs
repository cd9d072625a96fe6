//! The way to a Docker engine: its socket, a port of this machine, or TLS with certificates on both sides.
//!
//! Connections are kept no longer than the task that needs them, so that an engine that was restarted leaves no dead
//! one behind.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::SystemVersion;
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use domain::ports::provider_error::ProviderError;
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use url::{Host, Url};

use super::fault;

/// A machine that does not take a connection for so long is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a connection on which nothing is said is probed, so that a machine that vanished is noticed.
const PROBE: Duration = Duration::from_secs(10);
/// After so many probes without an echo the machine is gone.
const PROBES: u32 = 3;

/// Who we are to an engine, and who it has to be: certificates and key in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The authorities that the engine's certificate has to come from; no other is trusted.
    pub ca: Vec<u8>,
    /// Our certificate, with what leads to its authority.
    pub certificate: Vec<u8>,
    /// The certificate's private key.
    pub key: Vec<u8>,
}

/// Where an engine is and how it is reached.
#[derive(Clone)]
pub struct DockerSettings {
    /// `unix:///run/docker.sock`, `tcp://127.0.0.1:2375` for a port of this machine, or `tcp://engine.example.org:2376`
    /// with an identity.
    pub host: String,
    pub identity: Option<Identity>,
    /// How long an answer may take.
    pub patience: Duration,
}

/// Why an engine can't be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum DockerSettingsError {
    #[error("`{0}` is no engine's address; write `unix:///run/docker.sock` or `tcp://engine.example.org:2376`")]
    Address(String),
    #[error(
        "`{0}` would be reached unprotected over the network; give the engine TLS and Gatehouse a client certificate \
         for it"
    )]
    Unprotected(String),
    #[error("the {what} for the Docker engine can't be read: a file in PEM is wanted ({why})")]
    Pem { what: &'static str, why: String },
    #[error("the client certificate for the Docker engine does not go with its key: {0}")]
    Pair(String),
}

#[derive(Clone)]
enum Way {
    Socket(String),
    /// A port of this machine, as `host:port`.
    ThisMachine(String),
    /// `authority` is where the connection goes, `name` is whom the certificate has to name.
    Tls {
        authority: String,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    },
}

/// A configured way to one engine; nothing is connected before the first call.
#[derive(Clone)]
pub(super) struct Client {
    way: Way,
    /// What errors call the engine.
    pub at: String,
    patience: Duration,
}

impl Client {
    pub(super) fn new(settings: &DockerSettings) -> Result<Self, DockerSettingsError> {
        let at = settings.host.clone();
        let way = match (at.strip_prefix("unix://"), &settings.identity) {
            (Some(path), _) if path.starts_with('/') => Way::Socket(path.to_owned()),
            _ => over_network(&at, settings.identity.as_ref())?,
        };
        Ok(Self { way, at, patience: settings.patience })
    }

    /// The engine of the machine `fqdn` at `authority`, whose certificate has to name the machine.
    pub(super) fn of_machine(
        fqdn: &str,
        authority: String,
        config: Arc<ClientConfig>,
        patience: Duration,
    ) -> Result<Self, ProviderError> {
        let name = ServerName::try_from(fqdn.to_owned()).map_err(|_| {
            ProviderError::permanent(
                format!("`{fqdn}` is no name that a certificate could bear."),
                "Order the machine anew under a proper name.",
            )
        })?;
        let at = format!("tcp://{authority} ({fqdn})");
        Ok(Self { way: Way::Tls { authority, name, config }, at, patience })
    }

    /// Meets the engine and learns its version. It is spoken to in the newest API that it knows: bollard names none in
    /// its requests.
    pub(super) async fn meet(&self) -> Result<Session, ProviderError> {
        const DOING: &str = "Asking for its version";
        let docker = self.docker().map_err(|error| fault::told(&error, &self.at, DOING))?;
        let version = match timeout(self.patience, docker.version()).await {
            Ok(answer) => answer.map_err(|error| fault::told(&error, &self.at, DOING))?,
            Err(_) => return Err(fault::silence(&self.at, DOING, self.patience)),
        };
        Ok(Session { docker, version, at: self.at.clone(), patience: self.patience })
    }

    fn docker(&self) -> Result<Docker, Error> {
        // bollard's own limit ends the wait for an answer's beginning; ours also holds for its end.
        let seconds = self.patience.as_secs().max(1);
        match &self.way {
            Way::Socket(path) => Docker::connect_with_unix(path, seconds, API_DEFAULT_VERSION),
            Way::ThisMachine(authority) => Docker::connect_with_http(authority, seconds, API_DEFAULT_VERSION),
            Way::Tls { authority, name, config } => over_tls(authority, name, config, seconds),
        }
    }
}

/// An engine that answers, with the version it speaks.
pub(super) struct Session {
    pub docker: Docker,
    pub version: SystemVersion,
    pub at: String,
    patience: Duration,
}

impl Session {
    /// Waits for the answer to `call`, which is known as `doing` in errors, `Creating web-1`.
    pub(super) async fn ask<T>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ProviderError> {
        test_boundary::pass("before a call");
        let answer = timeout(self.patience, call).await;
        test_boundary::pass("after a call");
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(fault::told(&error, &self.at, doing)),
            Err(_) => Err(fault::silence(&self.at, doing, self.patience)),
        }
    }
}

/// What TLS needs: the site's authorities and our certificate.
pub(super) fn tls(identity: &Identity) -> Result<Arc<ClientConfig>, DockerSettingsError> {
    let certificates = |what, pem: &[u8]| {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match read {
            Ok(found) if found.is_empty() => {
                Err(DockerSettingsError::Pem { what, why: "there is no certificate in it".to_owned() })
            }
            Ok(found) => Ok(found),
            Err(why) => Err(DockerSettingsError::Pem { what, why: why.to_string() }),
        }
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates("certificate of the authority", &identity.ca)? {
        roots
            .add(authority)
            .map_err(|why| DockerSettingsError::Pem { what: "certificate of the authority", why: why.to_string() })?;
    }
    let chain = certificates("client certificate", &identity.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&identity.key)
        .map_err(|why| DockerSettingsError::Pem { what: "key of the client certificate", why: why.to_string() })?;
    ClientConfig::builder()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map(Arc::new)
        .map_err(|why| DockerSettingsError::Pair(why.to_string()))
}

fn over_network(host: &str, identity: Option<&Identity>) -> Result<Way, DockerSettingsError> {
    let no_address = || DockerSettingsError::Address(host.to_owned());
    let url = Url::parse(host).ok().filter(|url| url.scheme() == "tcp").ok_or_else(no_address)?;
    // The host of a URL with a scheme unknown to the standard is not read as an address; http's is.
    let url = Url::parse(&format!("http://{}", &url.as_str()["tcp://".len()..])).map_err(|_| no_address())?;
    let place = url.host().ok_or_else(no_address)?;
    let loopback = match &place {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let default_port = if identity.is_some() { 2376 } else { 2375 };
    let authority = format!("{place}:{}", url.port().unwrap_or(default_port));
    match identity {
        Some(identity) => {
            let name = place.to_string().trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(name).map_err(|_| no_address())?;
            Ok(Way::Tls { authority, name, config: tls(identity)? })
        }
        None if loopback => Ok(Way::ThisMachine(authority)),
        None => Err(DockerSettingsError::Unprotected(host.to_owned())),
    }
}

/// An engine at `authority` that has to show a certificate for `name`.
fn over_tls(authority: &str, name: &ServerName<'static>, config: &ClientConfig, seconds: u64) -> Result<Docker, Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_keepalive(Some(PROBE));
    tcp.set_keepalive_interval(Some(PROBE));
    tcp.set_keepalive_retries(Some(PROBES));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config.clone())
        .https_only()
        .with_server_name_resolver(FixedServerNameResolver::new(name.clone()))
        .enable_http1()
        .wrap_connector(tcp);
    let client = HttpClient::builder(TokioExecutor::new()).build(connector);
    let transport = move |request: BollardRequest| {
        let client = client.clone();
        async move { client.request(request).await.map_err(Error::from) }
    };
    Docker::connect_with_custom_transport(transport, Some(format!("https://{authority}")), seconds, API_DEFAULT_VERSION)
}
