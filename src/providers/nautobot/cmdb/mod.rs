//! The CMDB in Nautobot (3.x): machines and what listens on them, each with our key in a custom field.
//!
//! Whatever is written is looked for by that key first, so that what stands already is left alone, an answer that was lost
//! costs nothing, and what others made is never touched.

mod address;
mod api;
mod deliver;
mod ensure;
#[cfg(all(test, feature = "live"))]
mod peer;
mod shape;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::connector::Record;
use domain::ports::clock::Clock;
use domain::ports::cmdb_connector::{CmdbConnector, Delivered, Held, HeldPage, Limits, Parcel, Setback};
use domain::ports::provider_error::ProviderError;
use domain::ports::survey::{Line, Survey};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::api::{Api, Row};
use self::deliver::Delivery;
use self::shape::{MACHINES, Machine, SERVICES, Service, Shape};
use crate::outbound::OutboundError;

/// What people call it.
const WHOM: &str = "Nautobot";
/// The custom fields that bear our key, who answers, and where a service stands in its life.
const KEY: &str = "gatehouse_key";
const PLATFORM: &str = "gatehouse_platform";
const APPLICATION: &str = "gatehouse_application";
const LIFECYCLE: &str = "gatehouse_lifecycle";
/// Nautobot takes a twentieth of a second and more for each row, and has to answer within a minute.
const LIMITS: Limits = Limits { items: 100, bytes: 1 << 20 };
/// The lists that hold our CIs, in the order in which they are read back.
const LISTS: [&str; 2] = [MACHINES, SERVICES];

/// Where Nautobot is, and where in it our CIs belong. Its debug form does not show the token.
#[derive(Clone)]
pub struct NautobotCmdbSettings {
    /// Its address, `https://nautobot.example.org`.
    pub url: String,
    /// The API token.
    pub token: String,
    /// Certificates (PEM) that the server's must come from, instead of the public ones.
    pub ca: Option<Vec<u8>>,
    /// The cluster that machines belong to; it is made where it is missing.
    pub cluster: String,
    /// The namespace of their addresses, `Global`.
    pub namespace: String,
}

impl fmt::Debug for NautobotCmdbSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("NautobotCmdbSettings");
        shown.field("url", &self.url).field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// A Nautobot that takes CIs.
pub struct NautobotCmdb {
    api: Api,
    settings: NautobotCmdbSettings,
    /// Whether all that CIs need there was seen to stand.
    ready: OnceCell<()>,
}

impl NautobotCmdb {
    /// Nothing is opened before the first call.
    pub fn new(settings: NautobotCmdbSettings, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Ok(Self { api: Api::new(&settings, clock)?, settings, ready: OnceCell::new() })
    }
}

#[async_trait]
impl CmdbConnector for NautobotCmdb {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn render(&self, record: &Record) -> Option<Value> {
        Shape::of(record, &self.settings.cluster).map(|shape| json!(shape))
    }

    async fn deliver(&self, batch: &[Parcel]) -> Delivered {
        let ensured = self.ready.get_or_try_init(|| ensure::ensure(&self.api, &self.settings.cluster)).await;
        if let Err(setback) = ensured {
            return Delivered { outcomes: Vec::new(), broken: Some(not_ready(setback)) };
        }
        Delivery::new(&self.api, &self.settings.namespace).run(batch).await
    }

    fn lists(&self) -> bool {
        true
    }

    async fn list(&self, from: Option<&str>) -> Result<HeldPage, Setback> {
        let first = format!("{} depth=1&limit=200&cf_{KEY}__re=.", LISTS[0]);
        let (path, query) = from.unwrap_or(&first).split_once(' ').unwrap_or((LISTS[0], ""));
        let page = self.api.page(path, query).await?;
        let next = match page.next(query)? {
            Some(next) => Some(format!("{path} {next}")),
            None => LISTS.iter().skip_while(|list| **list != path).nth(1).map(|list| first.replace(LISTS[0], list)),
        };
        Ok(HeldPage { held: page.results.iter().filter_map(|row| held(path, row)).collect(), next })
    }
}

/// A row that bears our key.
fn held(path: &str, row: &Row) -> Option<Held> {
    let shape = match path {
        MACHINES => Shape::VirtualMachine(Machine::held(row)),
        _ => Shape::Service(Service::held(row)),
    };
    Some(Held { key: row.key()?.to_owned(), native_id: Some(row.id.clone()), payload: json!(shape) })
}

/// What can't be made there is no fault of a CI: it must not make a dead letter of each.
fn not_ready(setback: Setback) -> Setback {
    if !setback.is_final() {
        return setback;
    }
    let ProviderError { what, next, .. } = setback.error;
    Setback { error: ProviderError::refused(what, next), ..setback }
}

#[async_trait]
impl Survey for NautobotCmdb {
    async fn survey(&self, _: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        ensure::look(&self.api, &self.settings.cluster).await.map_err(|setback| setback.error)
    }
}
