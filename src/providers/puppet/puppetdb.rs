//! PuppetDB 7: reports, for when one does not come by itself, and the SSH host keys that agents told as facts.
//!
//! <https://www.puppet.com/docs/puppetdb/7/api/query/v4/reports.html>,
//! <https://www.puppet.com/docs/puppetdb/7/api/query/v4/facts.html>

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::node::{NodeReport, ReportStatus};
use domain::ports::configuration::ReportLine;
use domain::ports::provider_error::ProviderError;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::PuppetSettingsError;
use super::ca::{Access, client, reasons};
use super::run::{Run, is_error, level, line};

/// A PuppetDB.
pub(super) struct PuppetDb {
    http: Client,
    reports: Url,
    facts: Url,
}

/// A machine's SSH host key, as `known_hosts` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostKey {
    /// `ssh-ed25519`
    pub(super) kind: String,
    /// In Base64.
    pub(super) key: String,
}

/// A fact `ssh`: a host key by the name of its algorithm.
/// <https://www.puppet.com/docs/puppet/7/core_facts.html#ssh>
#[derive(Deserialize)]
struct Fact {
    value: BTreeMap<String, FactKey>,
}

#[derive(Deserialize)]
struct FactKey {
    #[serde(rename = "type")]
    kind: String,
    key: String,
}

#[derive(Deserialize)]
struct Row {
    certname: String,
    transaction_uuid: String,
    status: ReportStatus,
    #[serde(default)]
    noop: Option<bool>,
    start_time: DateTime<Utc>,
    metrics: Data<Metric>,
    logs: Data<Log>,
    resource_events: Data<Event>,
}

/// What stands in a row in whole.
#[derive(Deserialize)]
struct Data<T> {
    data: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct Metric {
    category: String,
    name: String,
    value: f64,
}

#[derive(Deserialize)]
struct Log {
    level: String,
    message: String,
    source: Option<String>,
    time: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Event {
    resource_type: String,
    resource_title: String,
    status: String,
    message: Option<String>,
    timestamp: DateTime<Utc>,
}

impl PuppetDb {
    /// Prepares the connections to the PuppetDB at this address.
    pub(super) fn new(url: &Url, access: &Access<'_>) -> Result<Self, PuppetSettingsError> {
        let unprotected = || PuppetSettingsError::Unprotected(url.to_string());
        let is_here = url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
        let http = match url.scheme() {
            "https" => client(access, true)?,
            "http" if is_here => client(access, false)?,
            _ => return Err(unprotected()),
        };
        Self::at(http, url).map_err(|_| unprotected())
    }

    /// The PuppetDB at this address, asked by this client.
    pub(super) fn at(http: Client, url: &Url) -> Result<Self, url::ParseError> {
        Ok(Self { http, reports: url.join("/pdb/query/v4/reports")?, facts: url.join("/pdb/query/v4/facts")? })
    }

    /// The SSH host keys that the machine of this name told in its latest run. Only who has its certificate can.
    pub(super) async fn host_keys(&self, certname: &str) -> Result<Vec<HostKey>, ProviderError> {
        let query = json!(["and", ["=", "certname", certname], ["=", "name", "ssh"]]);
        let mut address = self.facts.clone();
        address.query_pairs_mut().append_pair("query", &query.to_string());
        let facts: Vec<Fact> = self.rows(address).await?;
        let keys = facts.into_iter().flat_map(|fact| fact.value.into_values());
        Ok(keys.filter(is_one_line).map(|it| HostKey { kind: it.kind, key: it.key }).collect())
    }

    /// The latest report of this name that arrived there after.
    pub(super) async fn report(
        &self,
        certname: &str,
        after: DateTime<Utc>,
    ) -> Result<Option<NodeReport>, ProviderError> {
        let after = after.to_rfc3339_opts(SecondsFormat::Millis, true);
        let query = json!(["and", ["=", "certname", certname], [">", "receive_time", after]]);
        let order = json!([{ "field": "receive_time", "order": "desc" }]);
        let mut address = self.reports.clone();
        address
            .query_pairs_mut()
            .append_pair("query", &query.to_string())
            .append_pair("order_by", &order.to_string())
            .append_pair("limit", "1");
        let rows: Vec<Row> = self.rows(address).await?;
        Ok(rows.into_iter().next().map(told))
    }

    async fn rows<T: DeserializeOwned>(&self, address: Url) -> Result<Vec<T>, ProviderError> {
        let answer = self.http.get(address).send().await.and_then(reqwest::Response::error_for_status);
        match answer {
            Ok(answer) => answer.json().await.map_err(|cause| self.silent(&cause)),
            Err(cause) => Err(self.silent(&cause)),
        }
    }

    fn silent(&self, cause: &reqwest::Error) -> ProviderError {
        let place = self.reports.host_str().unwrap_or_default();
        ProviderError::transient(
            format!("The PuppetDB at {place} did not answer: {}.", reasons(cause)),
            "It is asked again; if it goes on, check that it runs, or leave it out of the site's settings.",
        )
    }
}

/// Whether it says one key and nothing besides: a machine tells its own facts as it likes.
fn is_one_line(key: &FactKey) -> bool {
    let is_word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    is_word(&key.kind, "-.@") && is_word(&key.key, "+/=")
}

fn told(row: Row) -> NodeReport {
    let metrics = row.metrics.data.unwrap_or_default();
    let metric =
        |group: &str, name: &str| metrics.iter().find(|it| it.category == group && it.name == name).map(|it| it.value);
    let logs = row.logs.data.unwrap_or_default().into_iter();
    let errors = logs.filter(|log| is_error(&log.level, log.source.as_deref()));
    let run = Run {
        certname: row.certname,
        transaction: row.transaction_uuid,
        status: row.status,
        noop: row.noop.unwrap_or_default(),
        began_at: row.start_time,
        lines: row.resource_events.data.unwrap_or_default().iter().filter_map(of_resource).collect(),
    };
    run.reported(metric, errors.map(|log| line(log.time, "err", "", &log.message)))
}

fn of_resource(event: &Event) -> Option<ReportLine> {
    let resource = format!("{}[{}]", event.resource_type, event.resource_title);
    Some(line(event.timestamp, level(&event.status)?, &resource, event.message.as_deref().unwrap_or_default()))
}
