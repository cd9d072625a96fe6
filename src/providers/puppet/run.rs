//! A run as its agent tells it, in our words. What the agent says of itself is bounded: it may be anybody's by now.

use chrono::{DateTime, Utc};
use domain::node::{NodeReport, ReportStatus};
use domain::ports::configuration::ReportLine;

/// Lines of a report that are kept, and letters of each: what a person reads of one run.
const LINES: usize = 200;
const LETTERS: usize = 1_000;
/// In seconds. No run takes longer; what says so is not believed.
const LONGEST: f64 = 30.0 * 86_400.0;
/// What Facter says of facts that it could not find is no failure of the run.
const NOT_OF_THE_RUN: &str = "Facter";

/// What a report says in whichever form it comes.
pub(super) struct Run {
    pub certname: String,
    pub transaction: String,
    pub status: ReportStatus,
    pub noop: bool,
    pub began_at: DateTime<Utc>,
    /// What became of its resources.
    pub lines: Vec<ReportLine>,
}

impl Run {
    /// The report. `metric` tells a figure of the run by its group and name; of a run that failed without a word of its
    /// resources, `errors` say why.
    pub(super) fn reported(
        mut self,
        metric: impl Fn(&str, &str) -> Option<f64>,
        errors: impl Iterator<Item = ReportLine>,
    ) -> NodeReport {
        if self.status == ReportStatus::Failed && !self.lines.iter().any(|line| line.level == "err") {
            self.lines.extend(errors);
        }
        // A number of resources is whole; what is none is none.
        let number = |name| metric("resources", name).map_or(0, |value| value as u32);
        let seconds = |name| metric("time", name).filter(|seconds| (0.0..=LONGEST).contains(seconds));
        NodeReport {
            seconds: seconds("total").unwrap_or_default(),
            catalog_seconds: seconds("config_retrieval"),
            resources: number("total"),
            changed: number("changed"),
            failed: number("failed").saturating_add(number("failed_to_restart")),
            corrected: number("corrective_change"),
            lines: kept(self.lines),
            certname: self.certname,
            transaction: self.transaction,
            status: self.status,
            noop: self.noop,
            began_at: self.began_at,
        }
    }
}

/// A line of a report. A zero byte is no letter of any text, and no database keeps it as one.
pub(super) fn line(at: DateTime<Utc>, level: &str, resource: &str, message: &str) -> ReportLine {
    let cut = |text: &str| text.chars().filter(|letter| *letter != '\0').take(LETTERS).collect();
    ReportLine { at, level: level.to_owned(), resource: cut(resource), message: cut(message) }
}

/// What an event of a resource was, as the level of its line; nothing where the resource was looked at and left alone.
pub(super) fn level(status: &str) -> Option<&'static str> {
    match status {
        "success" => Some("notice"),
        "failure" => Some("err"),
        _ => None,
    }
}

/// Whether a line of an agent's log says that its run failed.
pub(super) fn is_error(level: &str, source: Option<&str>) -> bool {
    matches!(level, "err" | "crit" | "alert" | "emerg") && source != Some(NOT_OF_THE_RUN)
}

/// The lines by their time. Where there are too many, the failures are what must not be missing.
fn kept(mut lines: Vec<ReportLine>) -> Vec<ReportLine> {
    lines.sort_by_key(|line| line.at);
    if lines.len() > LINES {
        lines.sort_by_key(|line| line.level != "err");
        lines.truncate(LINES);
        lines.sort_by_key(|line| line.at);
    }
    lines
}
