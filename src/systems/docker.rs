//! Docker engines, as the settings name them.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::names::Names;
use providers::docker::{
    DockerHosts, DockerMachines, DockerSettings, DockerSpaces, HostSettings, Identity, MachineSettings, SpaceSettings,
};

use super::{Section, read};
use crate::settings::{ContainerHosts, Docker, Spaces, Tls};

pub(super) fn machines(settings: &Docker) -> Section<DockerMachines> {
    Ok(DockerMachines::new(MachineSettings {
        engine: engine(&settings.host, &settings.tls, settings.timeout_seconds)?,
        name: settings.name.clone(),
        network: settings.network.clone(),
        images: settings.images.clone(),
        inner_engines: settings.inner_engines,
    })?)
}

/// `names` says where a machine is.
pub(super) fn hosts(settings: &ContainerHosts, names: Arc<dyn Names>) -> Section<DockerHosts> {
    let identity = identity(&settings.tls)?.ok_or("certificates and a key are needed")?;
    let patience = Duration::from_secs(settings.timeout_seconds);
    Ok(DockerHosts::new(HostSettings { port: settings.port, identity, patience }, names)?)
}

pub(super) fn spaces(settings: &Spaces) -> Section<DockerSpaces> {
    Ok(DockerSpaces::new(SpaceSettings {
        engine: engine(&settings.host, &settings.tls, settings.timeout_seconds)?,
        name: settings.name.clone(),
        endpoint: settings.endpoint.clone(),
    })?)
}

fn engine(host: &str, tls: &Tls, seconds: u64) -> Section<DockerSettings> {
    Ok(DockerSettings { host: host.to_owned(), identity: identity(tls)?, patience: Duration::from_secs(seconds) })
}

fn identity(tls: &Tls) -> Section<Option<Identity>> {
    let Some([ca, certificate, key]) = tls.files() else { return Ok(None) };
    Ok(Some(Identity { ca: read(ca)?, certificate: read(certificate)?, key: read(key)? }))
}
