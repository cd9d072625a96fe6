//! Connectors: how the built-in CMDB is carried to one of the company's.
//!
//! What is carried is a state, never a change: a CI as it stands now. A connector finds the CI by our key, which it keeps
//! on the record over there, and touches nothing that does not bear it. Each CI of a batch is judged for itself.

use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::Value;

use super::provider_error::{ProviderError, ProviderErrorKind};
use crate::ci::{CiClass, Lifecycle};
use crate::connector::Record;

/// How much a connector takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CIs of a batch, 500 at most.
    pub items: usize,
    /// Bytes of a batch, as JSON; a CI that is larger by itself is never sent.
    pub bytes: usize,
}

/// One CI as it shall stand over there.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// Our key, by which it is found over there.
    pub key: String,
    pub class: CiClass,
    pub lifecycle: Lifecycle,
    /// Grows with each change of the CI: what is older than what they hold may be refused.
    pub revision: i64,
    /// Their id, where they told it.
    pub native_id: Option<String>,
    /// What [`CmdbConnector::render`] made of the CI.
    pub payload: Value,
}

/// What became of one CI.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It stands over there as it was sent.
    Written { native_id: Option<String> },
    /// It stood so already, and nothing was changed.
    Unchanged { native_id: Option<String> },
    /// It was not taken.
    Failed(Setback),
}

/// Why something was not taken, and when asking again makes sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Setback {
    /// A word by which errors are counted: `http_429`, `no_answer`, their own.
    pub code: String,
    pub error: ProviderError,
    /// How long they ask us to wait.
    pub retry_after: Option<TimeDelta>,
}

impl Setback {
    /// A setback of which nobody said how long to wait.
    pub fn new(code: impl Into<String>, error: ProviderError) -> Self {
        Self { code: code.into(), error, retry_after: None }
    }

    /// Whether asking again with the same will not help.
    pub fn is_final(&self) -> bool {
        self.error.kind != ProviderErrorKind::Transient
    }
}

/// What a batch came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivered {
    /// By our keys; what is not named was not judged.
    pub outcomes: Vec<(String, Outcome)>,
    /// Why it could not be judged to the end: nobody answers, they do not let us in, what they say is not understood. A
    /// permanent one is about something in the batch that they don't say.
    pub broken: Option<Setback>,
}

/// A CI as they hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub key: String,
    pub native_id: Option<String>,
    /// In the words of [`CmdbConnector::render`], so that both compare.
    pub payload: Value,
}

/// A part of what they hold.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldPage {
    pub held: Vec<Held>,
    /// Where the next part begins; nothing when this is the last.
    pub next: Option<String>,
}

/// One of the company's CMDBs.
#[async_trait]
pub trait CmdbConnector: Send + Sync {
    /// How much it takes at once.
    fn limits(&self) -> Limits;

    /// What is sent for a CI, to be read by people, too; nothing when CIs of its class are not carried there.
    fn render(&self, record: &Record) -> Option<Value>;

    /// Brings these CIs to what their payloads say. What others of the batch depend on comes first in it.
    async fn deliver(&self, batch: &[Parcel]) -> Delivered;

    /// What they would make of these CIs, for they say so without doing it; nothing where they can't be asked that.
    async fn preview(&self, _batch: &[Parcel]) -> Option<Delivered> {
        None
    }

    /// Whether what they hold can be read back and compared.
    fn lists(&self) -> bool;

    /// A part of what they hold that bears a key of ours, from the place that the part before named.
    async fn list(&self, from: Option<&str>) -> Result<HeldPage, Setback>;
}
