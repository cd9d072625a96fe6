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

/// Lines of a report that are kept, and letters of each: what a person reads of one run.
const LINES: usize = 200;
const LETTERS: usize = 1_000;
/// Values in a document; a machine of 10,000 resources sends half as many.
const NODES: usize = 2_000_000;
const DEPTH: usize = 16;
/// What Facter says of facts that it could not find is no failure of the run.
const NOT_OF_THE_RUN: &str = "Facter";

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
    let metric = |group: &str, word: &str| {
        let values = sent.metrics.get(group).map(|metric| metric.values.as_slice()).unwrap_or_default();
        values.iter().find(|(known, ..)| known == word).map(|(.., value)| *value)
    };
    // A number of resources is whole; what is none is none.
    let number = |word| metric("resources", word).map_or(0, |value| value as u32);
    NodeReport {
        transaction: sent.transaction_uuid.to_string(),
        status: sent.status,
        noop: sent.noop,
        began_at: sent.time,
        seconds: metric("time", "total").unwrap_or_default(),
        catalog_seconds: metric("time", "config_retrieval"),
        resources: number("total"),
        changed: number("changed"),
        failed: number("failed") + number("failed_to_restart"),
        corrected: number("corrective_change"),
        lines: lines(&sent),
        certname: sent.host,
    }
}

/// What is worth reading: every event of a resource; of a run that failed without one, what it said.
fn lines(sent: &Sent) -> Vec<ReportLine> {
    let mut lines: Vec<ReportLine> =
        sent.resource_statuses.values().flat_map(|status| of_resource(status, sent)).collect();
    if sent.status == ReportStatus::Failed && !lines.iter().any(|line| line.level == "err") {
        lines.extend(errors(sent).map(|log| line(log.time, "err", "", &log.message)));
    }
    lines.sort_by_key(|line| line.at);
    // Where there are more, the failures are what must not be missing.
    if lines.len() > LINES {
        lines.sort_by_key(|line| line.level != "err");
        lines.truncate(LINES);
        lines.sort_by_key(|line| line.at);
    }
    lines
}

fn of_resource(status: &Status, sent: &Sent) -> Vec<ReportLine> {
    let told = status.events.iter().filter_map(|event| match event.status.as_str() {
        "success" => Some(line(event.time, "notice", &status.resource, &event.message)),
        "failure" => Some(line(event.time, "err", &status.resource, &event.message)),
        // Looked at, and left alone.
        _ => None,
    });
    let mut lines: Vec<ReportLine> = told.collect();
    if (status.failed || status.failed_to_restart) && !lines.iter().any(|line| line.level == "err") {
        let of_it = format!("/{}", status.resource);
        let said = errors(sent).find(|log| log.source.as_ref().is_some_and(|source| source.contains(&of_it)));
        let message = said.map_or("failed without saying why", |log| log.message.as_str());
        lines.push(line(status.time, "err", &status.resource, message));
    }
    lines
}

fn errors(sent: &Sent) -> impl Iterator<Item = &Log> {
    let of_the_run = |log: &&Log| log.source.as_deref() != Some(NOT_OF_THE_RUN);
    sent.logs.iter().filter(|log| matches!(log.level.as_str(), "err" | "crit" | "alert" | "emerg")).filter(of_the_run)
}

fn line(at: DateTime<Utc>, level: &str, resource: &str, message: &str) -> ReportLine {
    let cut = |text: &str| text.chars().take(LETTERS).collect();
    ReportLine { at, level: level.to_owned(), resource: cut(resource), message: cut(message) }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
