//! Nodes: machines whose state a configuration server keeps, what each shall become, and what its runs reported.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::moment::written;
use crate::ports::configuration::ReportLine;

/// How long a change that nobody ordered is shown after the run that found it and set it right.
const CORRECTION_SHOWN: TimeDelta = TimeDelta::hours(24);

/// What a node shall become, as its server is told when it asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeOrder {
    /// The node's certificate name: its FQDN.
    pub certname: String,
    /// The idempotency key of the step that ordered it.
    pub key: String,
    /// The site whose server it belongs to.
    pub site: String,
    /// The role, e.g. `tomcat`.
    pub role: String,
    /// The server's environment in which its catalog is compiled.
    pub environment: String,
    /// What the role is given, as data.
    pub facts: Map<String, Value>,
}

/// A node with how far its order is.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub order: NodeOrder,
    pub ordered_at: DateTime<Utc>,
    /// When its server first asked what it shall become since the order stands. Runs whose server asked earlier know
    /// nothing of the order, whatever the machine's clock says.
    pub asked_at: Option<DateTime<Utc>>,
    /// When a run was last started from here since the order stands.
    pub started_at: Option<DateTime<Utc>>,
    /// SHA-256 (hexadecimal) of the public key whose certificate we had signed, written before it is.
    pub key_print: Option<String>,
    /// When the certificate was found to be signed.
    pub signed_at: Option<DateTime<Utc>>,
    /// When a run first brought it about since the order stands.
    pub settled_at: Option<DateTime<Utc>>,
}

impl Node {
    /// Whether a report that arrived then tells of a run that knew the order.
    pub fn is_judged_by(&self, received_at: DateTime<Utc>) -> bool {
        self.asked_at.is_some_and(|asked| asked <= received_at)
    }

    /// What a run that was reported like this, then, means for a node that was as ordered before it.
    pub fn drift(&self, report: &NodeReport, received_at: DateTime<Utc>) -> Option<Drift> {
        self.settled_at?;
        match report.status {
            _ if report.noop => None,
            ReportStatus::Unchanged => None,
            ReportStatus::Changed => {
                Some(Drift { detail: changed(report), shown_until: Some(received_at + CORRECTION_SHOWN) })
            }
            ReportStatus::Failed => Some(Drift { detail: failed(report), shown_until: None }),
        }
    }
}

/// That a node is not, or was not, what was ordered, found by a run of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// What the run found: a sentence.
    pub detail: String,
    /// Until when it is told; without, until a run succeeds.
    pub shown_until: Option<DateTime<Utc>>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportStatus {
    Unchanged,
    Changed,
    Failed,
}

impl ReportStatus {
    /// The word that it is kept as.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }

    /// The status that this word means.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Unchanged, Self::Changed, Self::Failed].into_iter().find(|status| status.word() == word)
    }
}

/// What a node's agent told about one run.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeReport {
    pub certname: String,
    /// The run's own id, by which a report that is sent twice is known.
    pub transaction: String,
    pub status: ReportStatus,
    /// Whether the agent only looked what it would change.
    pub noop: bool,
    /// When the run began, by the machine's clock.
    pub began_at: DateTime<Utc>,
    /// How long the whole run took, and of it the fetching of its catalog; seconds.
    pub seconds: f64,
    pub catalog_seconds: Option<f64>,
    /// Resources in the catalog; none where none could be compiled.
    pub resources: u32,
    /// Of these changed, of these failed.
    pub changed: u32,
    pub failed: u32,
    /// How many of the changes set right what somebody else had changed since the run before.
    pub corrected: u32,
    /// What it said of the resources that changed or failed, or why there was no catalog; oldest first.
    pub lines: Vec<ReportLine>,
}

impl NodeReport {
    /// The first thing that went wrong, as the agent said it.
    pub fn first_error(&self) -> Option<String> {
        let line = self.lines.iter().find(|line| line.level == "err")?;
        Some(if line.resource.is_empty() {
            line.message.clone()
        } else {
            format!("{}: {}", line.resource, line.message)
        })
    }
}

/// A report with when it arrived here.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedReport {
    pub received_at: DateTime<Utc>,
    pub report: NodeReport,
}

fn changed(report: &NodeReport) -> String {
    let names = report.lines.iter().filter(|line| line.level != "err").map(|line| line.resource.as_str());
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).take(3).collect();
    let (when, number, names) = (written(report.began_at), report.changed, names.join(", "));
    match report.corrected {
        0 => format!("Its run of {when} changed {number} resources without an order: {names}."),
        corrected => format!(
            "Its run of {when} changed {number} resources, {corrected} of them back from what somebody had made of \
             them: {names}."
        ),
    }
}

fn failed(report: &NodeReport) -> String {
    let why = report.first_error().unwrap_or_else(|| "no line says why".to_owned());
    format!("Its run of {} failed: {why}.", written(report.began_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant")
    }

    fn node() -> Node {
        Node {
            order: NodeOrder {
                certname: "web-1.lab.test".into(),
                key: "run/setup[1]".into(),
                site: "lab".into(),
                role: "tomcat".into(),
                environment: "production".into(),
                facts: Map::new(),
            },
            ordered_at: noon(),
            asked_at: None,
            started_at: None,
            key_print: None,
            signed_at: None,
            settled_at: None,
        }
    }

    fn report(status: ReportStatus) -> NodeReport {
        NodeReport {
            certname: "web-1.lab.test".into(),
            transaction: "3d5b".into(),
            status,
            noop: false,
            began_at: noon(),
            seconds: 4.0,
            catalog_seconds: Some(1.0),
            resources: 12,
            changed: 1,
            failed: 0,
            corrected: 1,
            lines: vec![ReportLine {
                at: noon(),
                level: "notice".into(),
                resource: "File[/etc/motd]".into(),
                message: "content changed".into(),
            }],
        }
    }

    #[test]
    fn a_report_that_came_before_the_server_asked_tells_of_a_run_that_did_not_know_the_order() {
        let waiting = node();
        assert!(!waiting.is_judged_by(noon() + TimeDelta::minutes(1)));
        let asked = Node { asked_at: Some(noon() + TimeDelta::minutes(2)), ..waiting };
        assert!(!asked.is_judged_by(noon() + TimeDelta::minutes(1)));
        assert!(asked.is_judged_by(noon() + TimeDelta::minutes(3)));
    }

    #[test]
    fn only_a_node_that_was_as_ordered_drifts() {
        let changed = report(ReportStatus::Changed);
        assert_eq!(node().drift(&changed, noon()), None);
        let settled = Node { settled_at: Some(noon()), ..node() };
        let drift = settled.drift(&changed, noon()).expect("a change that nobody ordered");
        assert_eq!(drift.shown_until, Some(noon() + TimeDelta::hours(24)));
        assert!(drift.detail.contains("1 of them back from what somebody had made of them: File[/etc/motd]"));
        assert_eq!(settled.drift(&report(ReportStatus::Unchanged), noon()), None);
        assert_eq!(settled.drift(&NodeReport { noop: true, ..changed }, noon()), None);
    }

    #[test]
    fn a_failed_run_is_told_until_one_succeeds() {
        let settled = Node { settled_at: Some(noon()), ..node() };
        let mut report = report(ReportStatus::Failed);
        report.lines[0].level = "err".into();
        let drift = settled.drift(&report, noon()).expect("it failed");
        assert_eq!(drift.shown_until, None);
        assert!(drift.detail.ends_with("failed: File[/etc/motd]: content changed."), "{}", drift.detail);
    }
}
