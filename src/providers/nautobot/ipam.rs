//! Addresses from a prefix of Nautobot. Each bears our key in a custom field, by which it is found again.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::ipam::Ipam;
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::survey::{Line, Survey};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::{NautobotSettings, NautobotSettingsError};

/// A Nautobot with the prefix of a site.
pub struct Nautobot {
    client: Client,
    settings: NautobotSettings,
}

#[derive(Deserialize)]
struct Prefix {
    id: String,
}

#[derive(Deserialize)]
struct Address {
    id: String,
    /// With the length of its network, `10.20.0.7/24`.
    address: String,
    #[serde(default)]
    custom_fields: Map<String, Value>,
}

impl Nautobot {
    /// Nothing is opened before the first call.
    pub fn new(settings: NautobotSettings) -> Result<Self, NautobotSettingsError> {
        Ok(Self { client: Client::new(&settings)?, settings })
    }

    /// The addresses that bear the key. Each is looked at: a server that does not know the filter would list all.
    async fn held(&self, key: &str) -> Result<Vec<Address>, ProviderError> {
        let filter = format!("cf_{}", self.settings.key_field);
        let mut found: Vec<Address> = self.client.list("ipam/ip-addresses/", &[(&filter, key)]).await?;
        found.retain(|address| address.custom_fields.get(&self.settings.key_field).is_some_and(|held| held == key));
        Ok(found)
    }

    async fn prefix(&self) -> Result<Prefix, ProviderError> {
        let NautobotSettings { prefix, namespace, .. } = &self.settings;
        let filter = [("prefix", prefix.as_str()), ("namespace", namespace.as_str())];
        let found: Vec<Prefix> = self.client.list("ipam/prefixes/", &filter).await?;
        found.into_iter().next().ok_or_else(|| {
            ProviderError::not_found(
                format!("Nautobot has no prefix {prefix} in the namespace {namespace}."),
                "Correct the prefix in the site's settings, or have it made in Nautobot.",
            )
        })
    }
}

#[async_trait]
impl Ipam for Nautobot {
    async fn allocate(&self, key: &str, fqdn: &str) -> Result<Ipv4Addr, ProviderError> {
        if let Some(held) = self.held(key).await?.first() {
            return bare(&held.address);
        }
        let path = format!("ipam/prefixes/{}/available-ips/", self.prefix().await?.id);
        let wanted = json!({
            "status": { "name": self.settings.status },
            "type": "host",
            "dns_name": fqdn,
            "description": "Held by Gatehouse.",
            "custom_fields": { self.settings.key_field.as_str(): key },
        });
        let made: Option<Address> = self.client.make(&path, wanted).await?;
        let made = made.ok_or_else(|| {
            ProviderError::refused(
                format!("No address is free for {fqdn} in Nautobot's prefix {}.", self.settings.prefix),
                "Retire what is no longer needed, or give the site another prefix.",
            )
        })?;
        bare(&made.address)
    }

    async fn release(&self, key: &str) -> Result<(), ProviderError> {
        for held in self.held(key).await? {
            self.client.remove(&format!("ipam/ip-addresses/{}/", held.id)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Survey for Nautobot {
    async fn survey(&self, _: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let line = |what: String, outcome: Result<(), ProviderError>| match outcome {
            Ok(()) => Ok(Line::there(what, "it answers")),
            Err(error) if error.kind == ProviderErrorKind::Transient => Err(error),
            Err(error) => Ok(Line::missing(what, error.to_string())),
        };
        let prefix = line(format!("prefix {}", self.settings.prefix), self.prefix().await.map(drop))?;
        let field = format!("custom field {} of IP addresses", self.settings.key_field);
        let field = line(field, self.held("nobody").await.map(drop))?;
        Ok(vec![prefix, field])
    }
}

/// The address without the length of its network.
fn bare(address: &str) -> Result<Ipv4Addr, ProviderError> {
    let bare = address.split_once('/').map_or(address, |(bare, _)| bare);
    bare.parse().map_err(|_| {
        ProviderError::permanent(
            format!("Nautobot gave `{address}`, which is no IPv4 address."),
            "Name a prefix of IPv4 addresses in the site's settings.",
        )
    })
}
