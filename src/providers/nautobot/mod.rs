//! Nautobot, the company's source of truth: its plan of addresses (2.x and later), and what it holds of our CIs (3.x).

mod client;
mod cmdb;
mod ipam;

#[cfg(test)]
mod tests;

use std::fmt;

pub use cmdb::{NautobotCmdb, NautobotCmdbSettings};
pub use ipam::Nautobot;

/// Where Nautobot is, and what we take from it. Its debug form does not show the token.
#[derive(Clone)]
pub struct NautobotSettings {
    /// Its address, `https://nautobot.example.org`.
    pub url: String,
    /// The API token.
    pub token: String,
    /// Certificates (PEM) that the server's must come from, instead of the public ones.
    pub ca: Option<Vec<u8>>,
    /// The prefix that addresses are taken from, `10.20.0.0/24`.
    pub prefix: String,
    /// The namespace that the prefix is in, `Global`.
    pub namespace: String,
    /// The status that our addresses get, `Active`.
    pub status: String,
    /// The custom field of IP addresses that bears our key, `gatehouse_key`.
    pub key_field: String,
}

impl fmt::Debug for NautobotSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("NautobotSettings");
        shown.field("url", &self.url).field("prefix", &self.prefix).field("namespace", &self.namespace);
        shown.field("status", &self.status).field("key_field", &self.key_field).finish_non_exhaustive()
    }
}

/// Why Nautobot can't be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum NautobotSettingsError {
    #[error("`{0}` is no address; write it as `https://nautobot.example.org`")]
    Address(String),
    #[error("the token would go unprotected over the network to `{0}`; use `https`")]
    Unprotected(String),
    #[error("the client of Nautobot can't be made from these certificates")]
    Client(#[source] reqwest::Error),
}
