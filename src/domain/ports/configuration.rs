//! Configuration runs: an agent on a machine brings it to the state that its role describes, and reports.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::provider_error::ProviderError;
use crate::first_boot::Enrolment;

/// What a node shall become. Facts travel as data, never as text that is pasted into a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigurationOrder {
    /// The node's certificate name: its FQDN.
    pub certname: String,
    /// The role, e.g. `tomcat`.
    pub role: String,
    pub facts: Map<String, Value>,
}

/// What the agent said about one resource of the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportLine {
    pub at: DateTime<Utc>,
    /// `notice` or `err`.
    pub level: String,
    /// The resource, e.g. `Package[tomcat10]`.
    pub resource: String,
    pub message: String,
}

/// How far a configuration run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigurationState {
    Running,
    Applied,
    /// It came to nothing; the node's `failure` says why.
    Failed,
}

/// Why a run came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunFailure {
    /// Some resources could not be brought about; the lines say which.
    Resources,
    /// The server could make no catalog of what was ordered; why, as the agent heard it.
    NoCatalog { why: String },
    /// No run has told of itself within so many minutes; what is known of it.
    NoReport { minutes: i64, seen: String },
    /// The machine was not let in; why, and what to do.
    CertificateRefused { why: String, next: String },
}

/// A node with the outcome of its latest run: the agent's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfiguredNode {
    pub id: String,
    pub key: String,
    pub certname: String,
    pub role: String,
    pub facts: Map<String, Value>,
    pub state: ConfigurationState,
    /// Why the run failed; nothing while it runs and when it succeeded.
    #[serde(default)]
    pub failure: Option<RunFailure>,
    /// Resources in the catalog, of these changed, of these failed.
    pub resources: u32,
    pub changed: u32,
    pub failed: u32,
    /// The lines that have been reported until now, oldest first.
    pub lines: Vec<ReportLine>,
    /// How long the agent took to get its catalog, in seconds, where it says so.
    #[serde(default)]
    pub catalog_seconds: Option<f64>,
    pub started_at: DateTime<Utc>,
    /// When the run ended, or is expected to end.
    pub ends_at: DateTime<Utc>,
}

/// A configuration manager (Puppet, in our words).
#[async_trait]
pub trait Configuration: Send + Sync {
    /// What the fresh machine `certname` must know for its agent to enrol, the same each time; `None` where machines
    /// need no agent of ours. By itself it lets nobody in: only a node that was applied is.
    async fn enrol(&self, certname: &str) -> Result<Option<Enrolment>, ProviderError>;

    /// Registers the node under its role and starts a run; ask again with [`Configuration::find`] until it has ended.
    ///
    /// Repeated with the same key, role and facts it answers with the run that is there, and a failed one is started again.
    async fn apply(&self, key: &str, order: &ConfigurationOrder) -> Result<ConfiguredNode, ProviderError>;

    /// The node that carries `key`, with its latest run.
    async fn find(&self, key: &str) -> Result<Option<ConfiguredNode>, ProviderError>;

    /// Forgets the node: certificate, role and reports. What is forgotten already is no error; another key is `NotOurs`.
    async fn purge(&self, id: &str, key: &str) -> Result<(), ProviderError>;
}
