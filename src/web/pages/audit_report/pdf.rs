//! The report as PDF, for people: what really runs where first, then the figures, the findings and who answers.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::block;
use app::audit_report::AuditReport;
use domain::finding::FindingKind;
use domain::trouble::Trouble;

use super::tables::{self, Table};
use crate::paper::{Column, Paper};
use crate::problem::Problem;

/// Changes that the document lists.
const CHANGES: usize = 50;

/// The report as PDF. It is laid out beside the thread that answers others.
pub(super) async fn pdf_of(report: Arc<AuditReport>) -> Result<HttpResponse, Problem> {
    let name = super::files::name(&report, "pdf");
    let pdf = block(move || layout(&report).finish()).await.map_err(Trouble::bug)??;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/pdf"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(pdf))
}

fn layout(report: &AuditReport) -> Paper {
    let at = report.figures.as_of.format("%Y-%m-%d %H:%M:%S UTC");
    let title = match report.filing() {
        Some(filing) => format!("CMDB audit report {}", filing.number),
        None => "CMDB audit report".to_owned(),
    };
    let mut paper = Paper::new(&title, format!("{title} as of {at}, SHA-256 {}", report.sha256));
    paper.title();
    paper.text(&format!(
        "As of {at}, {}: {} current CIs, {} retired.",
        if report.everything { "everything on record" } else { "the projects that its reader may see" },
        report.figures.current,
        report.figures.retired
    ));
    truth(&mut paper, report);
    answers(&mut paper, report);
    findings(&mut paper, report);
    for table in [tables::duties(report), tables::sites(report), tables::orders(report), tables::totals(report)] {
        section(&mut paper, &table, "Nothing to tell.");
    }
    changes(&mut paper, report);
    sample(&mut paper, report);
    seal(&mut paper, report);
    paper
}

/// Blind container hosts, and what runs on the others.
fn truth(paper: &mut Paper, report: &AuditReport) {
    paper.heading("What really runs where");
    paper.text(&tables::sight(report));
    for table in [tables::engines(report), tables::running(report)] {
        if !table.rows.is_empty() {
            put(paper, &table);
        }
    }
}

fn answers(paper: &mut Paper, report: &AuditReport) {
    let figures = &report.figures;
    paper.heading("Is it complete, is it right?");
    paper.text(&format!("{} CIs without findings, {} with.", figures.sound, figures.with_findings));
    put(paper, &tables::figures(report));
}

fn findings(paper: &mut Paper, report: &AuditReport) {
    paper.heading("Findings");
    let found: Vec<(String, u64, String)> = FindingKind::REPORTED
        .iter()
        .map(|kind| (kind.title().to_owned(), report.found(*kind), report.found(*kind).to_string()))
        .filter(|(_, number, _)| *number > 0)
        .collect();
    if found.is_empty() {
        paper.text("There is none. Everything below was looked for, and nothing was found.");
    }
    paper.bars(&found);
    put(paper, &tables::kinds(report));
    let unregistered = tables::unregistered(report);
    if !unregistered.rows.is_empty() {
        section(paper, &unregistered, "");
    }
    if !report.listed.is_empty() {
        paper.heading("Where they are");
        let columns: Vec<Column> = tables::FINDINGS.iter().map(|(title, share)| Column::words(title, *share)).collect();
        let rows = report.listed.iter().flat_map(tables::finding);
        paper.table(&columns, rows.map(|row| row.iter().map(tables::Cell::said).collect()));
        if figures_more(report) {
            paper.fine(&format!(
                "The first {} of {} CIs with findings; XLSX, CSV and JSON have all of them.",
                report.listed.len(),
                report.figures.with_findings
            ));
        }
    }
}

/// Whether more CIs have findings than the document lists.
fn figures_more(report: &AuditReport) -> bool {
    report.figures.with_findings > report.listed.len() as u64
}

/// What changed, and who wanted it so.
fn changes(paper: &mut Paper, report: &AuditReport) {
    let table = tables::changes(report);
    paper.heading(table.title);
    paper.text(&super::since(report));
    if !table.rows.is_empty() {
        put(paper, &Table { rows: table.rows.into_iter().take(CHANGES).collect(), ..table });
    }
    if report.changes.listed.len() > CHANGES {
        paper.fine(&format!("The newest {CHANGES}; XLSX has {}.", report.changes.listed.len()));
    }
}

/// What is to be looked for, with room to write down what was found.
fn sample(paper: &mut Paper, report: &AuditReport) {
    let Some(sample) = &report.sample else { return };
    for table in [tables::drawn_cis(report), tables::drawn_things(report)] {
        section(paper, &table, "There is nothing to draw from.");
    }
    paper.fine(&format!(
        "Drawn of all that is in operation, and of all that was seen: those whose SHA-256 over the seed, a newline and the id \
         comes first. Seed: {}",
        sample.seed
    ));
}

/// By what the report proves itself.
fn seal(paper: &mut Paper, report: &AuditReport) {
    paper.heading("Proof");
    let mut facts = vec![
        ("Rules", format!("Version {}", report.figures.rules)),
        ("SHA-256", report.sha256.clone()),
        ("Control totals", if report.figures.adds_up() { "They add up" } else { "They do not add up" }.to_owned()),
    ];
    if let Some(filing) = report.filing() {
        let filed = format!("{} by {}", filing.filed_at.format("%Y-%m-%d %H:%M:%S UTC"), filing.by);
        facts.extend([("Filed", filed), ("Seal", filing.hash.clone()), ("Seal before", filing.previous.clone())]);
        facts.push(("Judge it again", format!("gatehouse audit rerun {}", filing.number)));
    }
    paper.facts(&facts);
    paper.fine("XLSX, CSV and JSON of this report carry the same figures, and every CI.");
}

fn section(paper: &mut Paper, table: &Table, empty: &str) {
    paper.heading(table.title);
    if table.rows.is_empty() {
        paper.text(empty);
    } else {
        put(paper, table);
    }
}

fn put(paper: &mut Paper, table: &Table) {
    let column = |(at, (title, share)): (usize, &tables::Head)| {
        if table.has_numbers(at) { Column::numbers(title, *share) } else { Column::words(title, *share) }
    };
    let columns: Vec<Column> = table.head.iter().enumerate().map(column).collect();
    paper.table(&columns, table.rows.iter().map(|row| row.iter().map(tables::Cell::said).collect()));
}
