//! Nodes as our own register keeps them for configuration servers, the words in which a server asks and reports, and
//! how a run is started on a machine.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::provider_error::ProviderError;
use crate::node::{Node, NodeOrder, NodeReport, ReceivedReport};
use crate::secret::SecretText;

/// Something that happened to a node, worth knowing after a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// The certificate for the public key with this SHA-256 (hexadecimal) is about to be signed.
    Signing { key_print: String },
    /// The certificate is signed.
    Signed,
    /// A run was started on the machine.
    Started,
}

/// Our own register of nodes. It outlives both the configuration server's memory and ours.
#[async_trait]
pub trait NodeRegister: Send + Sync {
    /// Writes down what the node shall become, and waits for a run anew; `NotOurs` when another key holds the name.
    async fn order(&self, order: &NodeOrder) -> Result<Node, ProviderError>;

    /// The node that carries `key`.
    async fn find(&self, key: &str) -> Result<Option<Node>, ProviderError>;

    /// The node of this name, whoever ordered it.
    async fn named(&self, certname: &str) -> Result<Option<Node>, ProviderError>;

    /// Notes what happened to the node that carries `key`.
    async fn note(&self, key: &str, event: &NodeEvent) -> Result<(), ProviderError>;

    /// The report that arrived last for this certificate name.
    async fn latest_report(&self, certname: &str) -> Result<Option<ReceivedReport>, ProviderError>;

    /// Keeps a report that was found elsewhere. One that is known already changes nothing.
    async fn record(&self, report: &NodeReport) -> Result<(), ProviderError>;

    /// How many nodes have had this certificate name before and are gone: what one of them knew is worth nothing now.
    async fn predecessors(&self, certname: &str) -> Result<u32, ProviderError>;

    /// Forgets the node that carries `key`, with its reports. What is forgotten already is no error.
    async fn forget(&self, key: &str) -> Result<(), ProviderError>;
}

/// What was sent as a report and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The words of one kind of configuration server.
pub trait NodeWords: Send + Sync {
    /// The document that says what the node shall become. `secrets` are what some of its facts stand for, by their names.
    fn classification(&self, order: &NodeOrder, secrets: &BTreeMap<String, SecretText>) -> String;

    /// A report as the server sends it.
    fn report(&self, sent: &[u8]) -> Result<NodeReport, Unreadable>;
}

/// A way to have a machine's agent run now, rather than when its own time has come.
#[async_trait]
pub trait RemoteAgent: Send + Sync {
    /// Starts a run and does not wait for its end. Starting one while one is under way makes that one be followed by
    /// another, or changes nothing.
    async fn start(&self, certname: &str) -> Result<(), ProviderError>;
}
