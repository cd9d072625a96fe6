//! What is asked of engines before the first order: whether they are there, and what orders need of them.

use async_trait::async_trait;
use bollard::models::SystemInfo;
use bollard::query_parameters::InspectNetworkOptions;
use chrono::{DateTime, Utc};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::survey::{Line, Survey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::parse_x509_certificate;

use super::client::Session;
use super::{DockerHosts, DockerMachines, DockerSpaces, Identity};

const CERTIFICATE: &str = "client certificate for Docker engines";
const GB: i64 = 1 << 30;

#[async_trait]
impl Survey for DockerMachines {
    async fn survey(&self, now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let engine = self.client.meet().await?;
        let mut lines = described(&engine).await?;
        lines.extend(self.settings.engine.identity.as_ref().map(|identity| lasting(identity, now)));
        lines.push(self.network(&engine).await?);
        for (name, image) in &self.settings.images {
            let found = engine.ask("Looking at an image", engine.docker.inspect_image(image)).await;
            lines.push(line(format!("image {name}"), found, |_| image.clone())?);
        }
        Ok(lines)
    }
}

impl DockerMachines {
    async fn network(&self, engine: &Session) -> Result<Line, ProviderError> {
        let name = &self.settings.network;
        let asked = engine.docker.inspect_network(name, None::<InspectNetworkOptions>);
        let found = engine.ask("Looking at a network", asked).await;
        line(format!("network {name}"), found, |network| {
            let ranges = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
            let subnets: Vec<String> = ranges.into_iter().filter_map(|range| range.subnet).collect();
            subnets.join(", ")
        })
    }
}

#[async_trait]
impl Survey for DockerSpaces {
    async fn survey(&self, now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let engine = self.client.meet().await?;
        let mut lines = described(&engine).await?;
        lines.extend(self.settings.engine.identity.as_ref().map(|identity| lasting(identity, now)));
        Ok(lines)
    }
}

#[async_trait]
impl Survey for DockerHosts {
    /// The engines of machines come and go; what they are asked with has to be good.
    async fn survey(&self, now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        Ok(vec![lasting(&self.identity, now)])
    }
}

async fn described(engine: &Session) -> Result<Vec<Line>, ProviderError> {
    let info = engine.ask("Asking the engine about itself", engine.docker.info()).await?;
    let version = engine.version.version.as_deref().unwrap_or("unknown");
    let SystemInfo { ncpu, mem_total, .. } = info;
    let told = format!("version {version}, {} CPU, {} GB", ncpu.unwrap_or(0), mem_total.unwrap_or(0) / GB);
    Ok(vec![Line::there(format!("Docker engine at {}", engine.at), told)])
}

/// What was found, or that it is missing; that nobody could say is an error.
fn line<T>(
    what: String,
    found: Result<T, ProviderError>,
    told: impl FnOnce(T) -> String,
) -> Result<Line, ProviderError> {
    match found {
        Ok(found) => Ok(Line::there(what, told(found))),
        Err(error) if error.kind == ProviderErrorKind::NotFound => Ok(Line::missing(what, error.to_string())),
        Err(error) => Err(error),
    }
}

fn lasting(identity: &Identity, now: DateTime<Utc>) -> Line {
    let certificate = CertificateDer::from_pem_slice(&identity.certificate).ok();
    let end = certificate.and_then(|certificate| {
        let (_, read) = parse_x509_certificate(&certificate).ok()?;
        DateTime::from_timestamp(read.validity().not_after.timestamp(), 0)
    });
    match end {
        Some(end) => Line::lasting(CERTIFICATE, end, now),
        None => Line::missing(CERTIFICATE, "It can't be read: name a file in PEM."),
    }
}
