//! The report's tables, as the documents print them: PDF and XLSX say the same.

use app::audit_report::{AuditReport, Changed, Engine, Running, formulas};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::audit_report::sampling::{DrawnCi, DrawnThing};
use domain::audit_report::{Ratio, Row};
use domain::ci::Source as CiSource;
use domain::finding::FindingKind;
use serde_json::Value;

/// A cell.
pub(super) enum Cell {
    Words(String),
    Number(u64),
}

impl Cell {
    /// As people read it.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Words(words) => words.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// What a column is called, and its share of the width of a page.
pub(super) type Head = (&'static str, f32);

/// A table of the report.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) head: Vec<Head>,
    /// Where the column has numbers.
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Whether the column has numbers.
    pub(super) fn has_numbers(&self, column: usize) -> bool {
        self.rows.first().and_then(|row| row.get(column)).is_some_and(|cell| matches!(cell, Cell::Number(_)))
    }
}

/// The figures, each with its formula.
pub(super) fn figures(report: &AuditReport) -> Table {
    let formulas = formulas();
    let figures = &report.figures;
    let row = |title: &str, word: &str, ratio: Ratio| {
        vec![
            words(title),
            words(ratio.percent()),
            Cell::Number(ratio.part),
            Cell::Number(ratio.whole),
            words(formulas.get(word).copied().unwrap_or_default()),
        ]
    };
    Table {
        title: "Figures",
        head: vec![("Figure", 2.4), ("Share", 1.2), ("CIs", 0.8), ("Of", 0.8), ("Formula", 5.0)],
        rows: vec![
            row("Live objects with a CI", "registered", figures.registered),
            row("CIs with all required attributes", "complete", figures.complete),
            row("CIs without a finding against them", "correct", figures.correct),
            row("CIs with both responsibles", "owned", figures.owned),
            row("CIs with their order on record", "traced", figures.traced),
        ],
    }
}

/// What adds up to what.
pub(super) fn totals(report: &AuditReport) -> Table {
    let figures = &report.figures;
    let row = |what: &str, number: u64| vec![words(what), Cell::Number(number)];
    Table {
        title: "Control totals",
        head: vec![("What", 4.0), ("Number", 1.0)],
        rows: vec![
            row("CIs on record", figures.total),
            row("of them current", figures.current),
            row("of them retired", figures.retired),
            row("Current CIs without findings", figures.sound),
            row("Current CIs with findings", figures.with_findings),
            row("Current CIs that were evaluated", figures.correct.whole),
            row("Current CIs that could not be looked at", figures.not_evaluated),
            row("Live objects of the ledger that ought to have a CI", figures.objects),
            row("of them registered", figures.registered.part),
            row("of them not in the CMDB", report.found(FindingKind::Unregistered)),
        ],
    }
}

/// How many container engines nobody sees into, in a sentence.
pub(super) fn sight(report: &AuditReport) -> String {
    let blind = report.engines.iter().filter(|engine| report.is_blind(engine)).count();
    match (report.engines.len(), blind) {
        (0, _) => "No container engine is on record.".to_owned(),
        (1, 0) => "The one container engine says what it runs.".to_owned(),
        (1, _) => "The one container engine is blind: nobody knows what runs there.".to_owned(),
        (all, 0) => format!("All {all} container engines say what they run."),
        (all, 1) => format!("1 of {all} container engines is blind: nobody knows what runs there."),
        (all, blind) => format!("{blind} of {all} container engines are blind: nobody knows what runs there."),
    }
}

/// The container engines, the blind ones first.
pub(super) fn blind_first(report: &AuditReport) -> Vec<&Engine> {
    let mut engines: Vec<_> = report.engines.iter().collect();
    engines.sort_by_key(|engine| !report.is_blind(engine));
    engines
}

/// The container engines as a table.
pub(super) fn engines(report: &AuditReport) -> Table {
    let row = |engine: &&Engine| {
        let sight = match (report.is_blind(engine), engine.complete_at) {
            (true, _) => "Blind",
            (false, Some(_)) => "Seen",
            (false, None) => "New",
        };
        vec![
            words(&engine.name),
            words(sight),
            words(engine.complete_at.map_or_else(|| "Never".to_owned(), minute)),
            number(engine.workloads),
            number(engine.containers),
            words(engine.platform.as_deref().unwrap_or("Nobody")),
        ]
    };
    Table {
        title: "Container engines",
        head: vec![
            ("Container engine", 3.0),
            ("Sight", 0.8),
            ("Told everything", 1.8),
            ("Workloads", 1.1),
            ("Containers", 1.1),
            ("Platform", 1.8),
        ],
        rows: blind_first(report).iter().map(row).collect(),
    }
}

/// What runs where.
pub(super) fn running(report: &AuditReport) -> Table {
    let row = |it: &Running| {
        vec![
            words(&it.workload),
            words(&it.engine),
            words(&it.image),
            number(it.containers),
            words(it.application.as_deref().unwrap_or("Nobody")),
        ]
    };
    Table {
        title: "Workloads",
        head: vec![("Workload", 2.0), ("Runs on", 2.4), ("Image", 3.4), ("Containers", 1.1), ("Application", 1.6)],
        rows: report.running.iter().map(row).collect(),
    }
}

/// The kinds of findings with how many CIs have them.
pub(super) fn kinds(report: &AuditReport) -> Table {
    let row = |kind: &FindingKind| {
        vec![
            words(kind.title()),
            words(kind.id()),
            Cell::Number(report.found(*kind)),
            words(kind.severity().title()),
            words(kind.definition()),
            words(kind.remedy()),
        ]
    };
    Table {
        title: "Findings by kind",
        head: vec![
            ("Finding", 1.8),
            ("Id", 0.5),
            ("CIs", 0.7),
            ("Severity", 0.9),
            ("What it means", 3.6),
            ("What to do", 3.0),
        ],
        rows: FindingKind::REPORTED.iter().map(row).collect(),
    }
}

/// The head of [`finding`]'s rows.
pub(super) const FINDINGS: [Head; 8] = [
    ("CI", 2.0),
    ("Class", 1.3),
    ("Finding", 1.5),
    ("Severity", 0.9),
    ("Particulars", 3.4),
    ("Platform", 1.4),
    ("Application", 1.4),
    ("Ordered by", 1.3),
];

/// A row for each finding of a CI.
pub(super) fn finding(row: &Row) -> Vec<Vec<Cell>> {
    let requester = match &row.origin {
        Some(origin) => origin.requester.as_deref().unwrap_or("Not on record"),
        None => "No order",
    };
    let told = |finding: &domain::finding::Finding| {
        vec![
            words(&row.ci.name),
            words(row.ci.class.title()),
            words(finding.kind.title()),
            words(finding.kind.severity().title()),
            words(&finding.detail),
            words(row.ci.platform.as_deref().unwrap_or("Nobody")),
            words(row.ci.application.as_deref().unwrap_or("Nobody")),
            words(requester),
        ]
    };
    row.findings.iter().map(told).collect()
}

/// Live objects that the CMDB does not know.
pub(super) fn unregistered(report: &AuditReport) -> Table {
    let row = |it: &domain::audit_report::Unregistered| {
        vec![words(&it.name), words(&it.kind), words(&it.provider), words(&it.deployment)]
    };
    Table {
        title: "Live, and not in the CMDB",
        head: vec![("Object", 2.0), ("Kind", 1.0), ("On", 1.0), ("Deployment", 2.0)],
        rows: report.unregistered.iter().map(row).collect(),
    }
}

/// Who answers for how many CIs.
pub(super) fn duties(report: &AuditReport) -> Table {
    let or_nobody = |name: &str| words(if name.is_empty() { "Nobody" } else { name });
    let row = |(who, duty): &(domain::audit_report::Responsible, domain::audit_report::Duty)| {
        vec![
            or_nobody(&who.application),
            or_nobody(&who.platform),
            Cell::Number(duty.cis),
            Cell::Number(duty.with_findings),
        ]
    };
    Table {
        title: "Who answers for what",
        head: vec![("Application (Dev)", 2.0), ("Platform (Ops)", 2.0), ("CIs", 0.8), ("With findings", 1.0)],
        rows: report.duties.iter().map(row).collect(),
    }
}

/// When the sites were looked at.
pub(super) fn sites(report: &AuditReport) -> Table {
    let row = |site: &app::sighting::SiteSeen| {
        let told = site.unseen.as_ref().map(|unseen| unseen.told(&site.title));
        vec![
            words(&site.title),
            words(site.looked_at.map_or_else(|| "Never".to_owned(), minute)),
            words(told.unwrap_or_else(|| "Seen completely.".to_owned())),
        ]
    };
    Table {
        title: "Where machines were looked at",
        head: vec![("Site", 1.5), ("Last complete look", 1.5), ("How it stands", 4.0)],
        rows: report.sites.iter().map(row).collect(),
    }
}

/// What was ordered, and who approved it.
pub(super) fn orders(report: &AuditReport) -> Table {
    let row = |it: &app::audit_report::Ordered| {
        let approvers = match (it.approvers.is_empty(), it.no_approval_needed) {
            (false, _) => it.approvers.join(", "),
            (true, true) => "No approval needed".to_owned(),
            (true, false) => "Nobody".to_owned(),
        };
        vec![
            words(format!("R-{} {}", it.request, it.title)),
            words(it.reads().map_or_else(|| it.state.clone(), |reading| reading.label.to_string())),
            words(&it.requester),
            words(approvers),
            words(minute(it.submitted_at)),
        ]
    };
    Table {
        title: "Ordered in the last 30 days",
        head: vec![("Request", 3.4), ("State", 1.2), ("Requester", 1.6), ("Approved by", 2.0), ("Asked", 1.6)],
        rows: report.ordered.iter().map(row).collect(),
    }
}

/// What changed, with the order and the run behind it.
pub(super) fn changes(report: &AuditReport) -> Table {
    let row = |it: &Changed| {
        let order = it.request.map_or_else(|| "No order".to_owned(), |number| format!("R-{number}"));
        let run = it.run.map_or_else(|| "No run".to_owned(), |run| run.to_string());
        vec![
            words(minute(it.at)),
            words(&it.name),
            words(what_changed(it)),
            words(value(&it.before)),
            words(if it.aspect == CREATED { String::new() } else { value(&it.after) }),
            words(
                CiSource::from_word(&it.source).map_or_else(|| it.source.clone(), |source| source.title().to_owned()),
            ),
            words(order),
            words(it.requester.as_deref().unwrap_or_default()),
            words(approved(it)),
            words(run),
        ]
    };
    Table {
        title: "What changed",
        head: vec![
            ("When", 1.6),
            ("CI", 2.0),
            ("What", 1.6),
            ("Before", 1.4),
            ("After", 1.4),
            ("Who said so", 1.3),
            ("Order", 0.9),
            ("Requester", 1.2),
            ("Approved by", 1.4),
            ("Run", 1.6),
        ],
        rows: report.changes.listed.iter().map(row).collect(),
    }
}

/// The word of the aspect of a CI that came to be.
const CREATED: &str = "created";

/// What of a CI changed, as people read it.
pub(super) fn what_changed(it: &Changed) -> String {
    match it.aspect.as_str() {
        CREATED => "Came to be".to_owned(),
        _ => it.field.replace('_', " "),
    }
}

/// Who approved a change, or that nobody had to.
pub(super) fn approved(it: &Changed) -> String {
    match (it.approvers.is_empty(), it.no_approval_needed) {
        (false, _) => it.approvers.join(", "),
        (true, true) => "No approval needed".to_owned(),
        (true, false) => String::new(),
    }
}

/// A value of JSON as people read it.
pub(super) fn value(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(Value::String(text)) => text,
        Ok(Value::Null) => String::new(),
        _ => json.to_owned(),
    }
}

/// CIs that were drawn, whose things are to be looked for.
pub(super) fn drawn_cis(report: &AuditReport) -> Table {
    let row = |it: &DrawnCi| {
        vec![
            words(&it.name),
            words(it.class.title()),
            words(it.platform.as_deref().unwrap_or("Nobody")),
            words(it.application.as_deref().unwrap_or("Nobody")),
            words(""),
        ]
    };
    Table {
        title: "Sample: from the record to the thing",
        head: vec![("CI", 2.4), ("Class", 1.4), ("Platform", 1.4), ("Application", 1.4), ("Found, by whom, when", 2.4)],
        rows: report.sample.iter().flat_map(|sample| &sample.cis).map(row).collect(),
    }
}

/// Things that were drawn, whose CIs are to be looked for.
pub(super) fn drawn_things(report: &AuditReport) -> Table {
    let row = |it: &DrawnThing| {
        vec![
            words(&it.kind),
            words(&it.name),
            words(&it.seen_at),
            words(it.ci_name.as_deref().unwrap_or("None")),
            words(""),
        ]
    };
    Table {
        title: "Sample: from the thing to the record",
        head: vec![("Thing", 1.0), ("Name", 2.4), ("Seen at", 1.8), ("Its CI", 2.0), ("Right, by whom, when", 2.4)],
        rows: report.sample.iter().flat_map(|sample| &sample.things).map(row).collect(),
    }
}

fn words(text: impl Into<String>) -> Cell {
    Cell::Words(text.into())
}

fn number(amount: i64) -> Cell {
    Cell::Number(amount.try_into().unwrap_or_default())
}

/// A moment to the minute, in UTC.
fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A moment to the second, as machines write it.
pub(super) fn second(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
