//! Names in the DNS, by dynamic updates (RFC 2136) that are signed with a shared key (TSIG, RFC 8945).
//!
//! A name of ours has a TXT record with our key beside its address; by it the server itself decides, as a condition of
//! each update, whether the name may be changed. Nothing is looked up first, so that nobody can come between. A pointer
//! from an address back to a name of ours is ours.

mod client;
mod update;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::clock::Clock;
use domain::ports::dns::Dns;
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::survey::{Line, Survey};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, RecordType, TSigner};

use client::{Client, Verdict};
use update::{Update, address, mark, pointer};

/// Seconds by which the server's clock and ours may differ.
const FUDGE: u16 = 300;
/// Seconds for which others may remember what a name means.
const TTL: u32 = 300;

/// Where names go and as whom. Its debug form does not show the secret.
#[derive(Clone)]
pub struct DnsSettings {
    /// The primary server of the zones, with its port: `10.0.0.53:53`.
    pub server: String,
    /// The zone of the names.
    pub zone: String,
    /// The zones of the addresses, `20.10.in-addr.arpa`; addresses outside them get no pointer.
    pub reverse: Vec<String>,
    /// The name of the shared key.
    pub key: String,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    pub algorithm: String,
    /// The key itself.
    pub secret: Vec<u8>,
}

impl fmt::Debug for DnsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, zone, reverse, key, algorithm, secret: _ } = self;
        let mut shown = f.debug_struct("DnsSettings");
        shown.field("server", server).field("zone", zone).field("reverse", reverse);
        shown.field("key", key).field("algorithm", algorithm).finish_non_exhaustive()
    }
}

/// Why a name server can't be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum DnsSettingsError {
    #[error("`{0}` is no name of a zone or a key")]
    Name(String),
    #[error("`{0}` is no algorithm for the shared key; use `hmac-sha256`, `hmac-sha384` or `hmac-sha512`")]
    Algorithm(String),
}

/// A name server with its zones.
pub struct NameServer {
    client: Client,
    zone: Name,
    reverse: Vec<Name>,
}

/// A name with its address, as the DNS sees them.
struct Host<'h> {
    key: &'h str,
    name: Name,
    address: Ipv4Addr,
}

impl NameServer {
    /// Nothing is opened before the first call.
    pub fn new(settings: DnsSettings, clock: Arc<dyn Clock>) -> Result<Self, DnsSettingsError> {
        let algorithm = match settings.algorithm.as_str() {
            "hmac-sha256" => TsigAlgorithm::HmacSha256,
            "hmac-sha384" => TsigAlgorithm::HmacSha384,
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            _ => return Err(DnsSettingsError::Algorithm(settings.algorithm)),
        };
        let signer = TSigner::new(settings.secret, algorithm, named(&settings.key)?, FUDGE)
            .map_err(|_| DnsSettingsError::Algorithm(settings.algorithm))?;
        Ok(Self {
            client: Client { server: settings.server, signer, clock },
            zone: named(&settings.zone)?,
            reverse: settings.reverse.iter().map(|zone| named(zone)).collect::<Result<_, _>>()?,
        })
    }

    fn host<'h>(&self, key: &'h str, fqdn: &str, address: Ipv4Addr) -> Result<Host<'h>, ProviderError> {
        let name = named(fqdn).ok().filter(|name| self.zone.zone_of(name));
        let name = name.ok_or_else(|| {
            ProviderError::permanent(
                format!("The name {fqdn} is not within the zone {}.", self.zone),
                "Let the site's naming policy and its zone name the same domain.",
            )
        })?;
        Ok(Host { key, name, address })
    }

    /// The zone that the address's pointer is in, if one of ours.
    fn reverse(&self, pointer: &Name) -> Option<&Name> {
        self.reverse.iter().find(|zone| zone.zone_of(pointer))
    }

    async fn publish_name(&self, host: &Host<'_>) -> Result<(), ProviderError> {
        let Host { key, name, address: at } = host;
        let new = Update::of(&self.zone, TTL).if_unused(name).add(name, address(*at)).add(name, mark(key));
        if self.client.send(new).await? == Verdict::Done {
            return Ok(());
        }
        let again = Update::of(&self.zone, TTL).if_is(name, mark(key)).remove(name, RecordType::A);
        match self.client.send(again.add(name, address(*at))).await? {
            Verdict::Done => Ok(()),
            _ => Err(foreign(format!("The name {name} is in the DNS already and is not ours."))),
        }
    }

    async fn publish_pointer(&self, host: &Host<'_>) -> Result<(), ProviderError> {
        let at = Name::from(host.address);
        let Some(zone) = self.reverse(&at) else { return Ok(()) };
        let new = Update::of(zone, TTL).if_unused(&at).add(&at, pointer(&host.name));
        if self.client.send(new).await? == Verdict::Done {
            return Ok(());
        }
        match self.client.send(Update::of(zone, TTL).if_is(&at, pointer(&host.name))).await? {
            Verdict::Done => Ok(()),
            _ => Err(foreign(format!("The address {} has a name in the DNS already.", host.address))),
        }
    }

    async fn withdraw_pointer(&self, host: &Host<'_>) -> Result<(), ProviderError> {
        let at = Name::from(host.address);
        let Some(zone) = self.reverse(&at) else { return Ok(()) };
        let ours = Update::of(zone, TTL).if_is(&at, pointer(&host.name)).remove(&at, RecordType::PTR);
        if self.client.send(ours).await? == Verdict::Done || self.is_unused(zone, &at).await? {
            return Ok(());
        }
        Err(foreign(format!("The address {} has another name in the DNS than {}.", host.address, host.name)))
    }

    async fn withdraw_name(&self, host: &Host<'_>) -> Result<(), ProviderError> {
        let Host { key, name, .. } = host;
        let ours = Update::of(&self.zone, TTL).if_is(name, mark(key));
        let ours = ours.remove(name, RecordType::A).remove(name, RecordType::TXT);
        if self.client.send(ours).await? == Verdict::Done || self.is_unused(&self.zone, name).await? {
            return Ok(());
        }
        Err(foreign(format!("The name {name} is in the DNS without our key.")))
    }

    async fn is_unused(&self, zone: &Name, name: &Name) -> Result<bool, ProviderError> {
        let asked = Update::of(zone, TTL).if_unused(name);
        self.client.send(asked).await.map(|verdict| verdict == Verdict::Done)
    }
}

#[async_trait]
impl Dns for NameServer {
    async fn publish(&self, key: &str, fqdn: &str, address: Ipv4Addr) -> Result<(), ProviderError> {
        let host = self.host(key, fqdn, address)?;
        self.publish_name(&host).await?;
        let outcome = self.publish_pointer(&host).await;
        if let Err(error) = &outcome
            && error.kind != ProviderErrorKind::Transient
        {
            self.withdraw_name(&host).await?;
        }
        outcome
    }

    async fn withdraw(&self, key: &str, fqdn: &str, address: Ipv4Addr) -> Result<(), ProviderError> {
        let host = self.host(key, fqdn, address)?;
        self.withdraw_pointer(&host).await?;
        self.withdraw_name(&host).await
    }
}

#[async_trait]
impl Survey for NameServer {
    /// An update that changes nothing shows whether one that does would be taken.
    async fn survey(&self, _: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let mut lines = Vec::new();
        for zone in std::iter::once(&self.zone).chain(&self.reverse) {
            let what = format!("zone {zone}");
            lines.push(match self.client.send(Update::of(zone, TTL)).await {
                Ok(_) => Line::there(what, format!("takes changes by the key {}", self.client.signer.signer_name())),
                Err(error) if error.kind == ProviderErrorKind::Transient => return Err(error),
                Err(error) => Line::missing(what, error.to_string()),
            });
        }
        Ok(lines)
    }
}

fn named(text: &str) -> Result<Name, DnsSettingsError> {
    let mut name = Name::from_ascii(text).map_err(|_| DnsSettingsError::Name(text.to_owned()))?;
    name.set_fqdn(true);
    Ok(name)
}

fn foreign(what: String) -> ProviderError {
    ProviderError::not_ours(what, "Find out whose it is; nothing of it was changed.")
}
