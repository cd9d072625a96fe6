//! Reports of Puppet agents (report format 10 to 12): YAML with Ruby's tags, as the server's `http` report processor
//! posts them.
//!
//! Tags construct nothing: the document is read into the few fields below, within bounds, and all else is passed over.
//! <https://www.puppet.com/docs/puppet/7/format_report.html>

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::node::{NodeReport, ReportStatus};
use domain::ports::configuration::ReportLine;
use domain::ports::nodes::Unreadable;
use serde::Deserialize;
use uuid::Uuid;

use super::run::{Run, is_error, level, line};

/// Values in a document; a machine of 10,000 resources sends half as many.
const NODES: usize = 2_000_000;
const DEPTH: usize = 16;

#[derive(Deserialize)]
struct Sent {
    host: String,
    time: DateTime<Utc>,
    transaction_uuid: Uuid,
    status: ReportStatus,
    #[serde(default)]
    noop: bool,
    #[serde(default)]
    logs: Vec<Log>,
    #[serde(default)]
    metrics: HashMap<String, Metric>,
    #[serde(default)]
    resource_statuses: HashMap<String, Status>,
}

#[derive(Deserialize)]
struct Log {
    level: String,
    message: String,
    #[serde(default)]
    source: Option<String>,
    time: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Metric {
    /// Word, title and value.
    values: Vec<(String, String, f64)>,
}

#[derive(Deserialize)]
struct Status {
    resource: String,
    time: DateTime<Utc>,
    #[serde(default)]
    failed: bool,
    #[serde(default)]
    failed_to_restart: bool,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    status: String,
    message: String,
    time: DateTime<Utc>,
}

/// Reads a report as it is posted.
pub(super) fn read(sent: &[u8]) -> Result<NodeReport, Unreadable> {
    let text = std::str::from_utf8(sent).map_err(|_| Unreadable("it is no text in UTF-8".into()))?;
    let sent: Sent = serde_saphyr::from_str_with_options(text, limits()).map_err(|cause| {
        Unreadable(format!("it is no report of a Puppet agent: {}", first_line(&cause.to_string())))
    })?;
    Ok(told(sent))
}

fn limits() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES,
            max_replay_stack_depth: 8,
        },
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            max_nodes: NODES,
            max_events: 3 * NODES,
            max_documents: 1,
        },
    }
}

fn told(sent: Sent) -> NodeReport {
    let metric = |group: &str, name: &str| {
        let values = sent.metrics.get(group).map(|metric| metric.values.as_slice()).unwrap_or_default();
        values.iter().find(|(known, ..)| known == name).map(|(.., value)| *value)
    };
    let run = Run {
        certname: sent.host.clone(),
        transaction: sent.transaction_uuid.to_string(),
        status: sent.status,
        noop: sent.noop,
        began_at: sent.time,
        lines: sent.resource_statuses.values().flat_map(|status| of_resource(status, &sent)).collect(),
    };
    run.reported(metric, errors(&sent).map(|log| line(log.time, "err", "", &log.message)))
}

/// What became of a resource; of one that failed without an event, what the log says of it.
fn of_resource(status: &Status, sent: &Sent) -> Vec<ReportLine> {
    let told = |event: &Event| Some(line(event.time, level(&event.status)?, &status.resource, &event.message));
    let mut lines: Vec<ReportLine> = status.events.iter().filter_map(told).collect();
    if (status.failed || status.failed_to_restart) && !lines.iter().any(|line| line.level == "err") {
        let of_it = format!("/{}", status.resource);
        let said = errors(sent).find(|log| log.source.as_ref().is_some_and(|source| source.contains(&of_it)));
        let message = said.map_or("failed without saying why", |log| log.message.as_str());
        lines.push(line(status.time, "err", &status.resource, message));
    }
    lines
}

fn errors(sent: &Sent) -> impl Iterator<Item = &Log> {
    sent.logs.iter().filter(|log| is_error(&log.level, log.source.as_deref()))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
