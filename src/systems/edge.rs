//! Names, addresses and load balancers, as the settings name them.

use std::sync::Arc;

use app::address::AddressPool;
use app::name::Register;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use domain::address::AddressRange;
use domain::name::NamingPolicy;
use domain::ports::clock::Clock;
use domain::ports::dns::Dns;
use domain::ports::ipam::Ipam;
use providers::dns::{DnsSettings, NameServer};
use providers::haproxy::{Haproxy, HaproxySettings, Socket};
use providers::nautobot::{Nautobot, NautobotSettings};
use store::Store;

use super::{Section, read, secret};
use crate::settings;

/// The register of the site's names. Addresses come from `ipam`, else from a range of our own; `dns` is told of both,
/// where there is one.
pub(super) fn names(
    site: &str,
    settings: &settings::Addresses,
    store: &Store,
    ipam: Option<Arc<dyn Ipam>>,
    dns: Option<Arc<dyn Dns>>,
) -> Section<Register> {
    let pool = if settings.pool.is_empty() { site } else { &settings.pool };
    let ipam = match ipam {
        Some(ipam) => ipam,
        None => own_range(pool, settings, store)?,
    };
    Ok(Register {
        store: store.clone(),
        // Sites that share addresses share names: both stand in one network.
        name: pool.to_owned(),
        policy: NamingPolicy::new(&settings.domain, settings.names.as_deref())?,
        ipam,
        dns,
    })
}

fn own_range(pool: &str, settings: &settings::Addresses, store: &Store) -> Section<Arc<dyn Ipam>> {
    let range = AddressRange::within(&settings.subnet, settings.range.as_deref(), &settings.excluded)?;
    Ok(Arc::new(AddressPool { store: store.clone(), name: pool.to_owned(), range }))
}

pub(super) fn nautobot(settings: &settings::Nautobot) -> Section<Nautobot> {
    Ok(Nautobot::new(NautobotSettings {
        url: settings.url.clone(),
        token: secret("the API token", settings.token.as_ref(), settings.token_file.as_ref())?,
        ca: settings.ca_file.as_ref().map(read).transpose()?,
        prefix: settings.prefix.clone(),
        namespace: settings.namespace.clone(),
        status: settings.status.clone(),
        key_field: settings.key_field.clone(),
    })?)
}

pub(super) fn dns(settings: &settings::Dns, clock: &Arc<dyn Clock>) -> Section<NameServer> {
    let secret = secret("the shared key", settings.secret.as_ref(), settings.secret_file.as_ref())?;
    let secret = BASE64_STANDARD.decode(secret).map_err(|_| "the shared key is no base64")?;
    let settings = DnsSettings {
        server: settings.server.clone(),
        zone: settings.zone.clone(),
        reverse: settings.reverse.clone(),
        key: settings.key.clone(),
        algorithm: settings.algorithm.clone(),
        secret,
    };
    Ok(NameServer::new(settings, Arc::clone(clock))?)
}

pub(super) fn haproxy(settings: &settings::Haproxy, clock: &Arc<dyn Clock>) -> Section<Haproxy> {
    let settings = HaproxySettings {
        files: settings.files.clone(),
        folder: settings.folder.clone(),
        program: settings.program.clone(),
        runtime: Socket::from(settings.runtime.as_str()),
        master: Socket::from(settings.master.as_str()),
        addresses: AddressRange::within(&settings.subnet, settings.range.as_deref(), &[])?,
        drain: TimeDelta::seconds(settings.drain_seconds.into()),
    };
    Ok(Haproxy::new(settings, Arc::clone(clock)))
}
