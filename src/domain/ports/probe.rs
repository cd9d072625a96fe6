//! The probe: looks at a service from outside, as its users do.

use async_trait::async_trait;

use super::provider_error::ProviderError;

/// What came back from the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// How long the answer took, in milliseconds.
    pub millis: u64,
}

/// Asks an address over HTTP.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Fetches `url` once. `NotFound` when nothing answers at its address, be it in time or at all; `Transient` only when
    /// the probe itself can't ask, for that is taken to hold for every address.
    async fn get(&self, url: &str) -> Result<ProbeAnswer, ProviderError>;
}
