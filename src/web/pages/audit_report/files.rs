//! The report as files, made row by row whatever the number of CIs.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Query};
use app::App;
use app::audit_report::AuditReport;
use chrono::{DateTime, Utc};
use domain::audit_report::{Origin, Row, Unregistered, canonical};
use domain::finding::{FindingKind, Severity};
use domain::person::Principal;
use domain::trouble::Trouble;
use futures::{Stream, StreamExt};
use serde_json::json;

use super::Wanted;
use super::pdf::pdf_of;
use super::tables::second;
use super::xlsx::xlsx_of;
use crate::csv;
use crate::problem::Problem;
use crate::visitor::Visitor;

pub(super) const COLUMNS: [&str; 17] = [
    "record",
    "id",
    "name",
    "class",
    "lifecycle",
    "platform",
    "application",
    "deployment",
    "request",
    "requester",
    "requested_at",
    "approvers",
    "findings",
    "details",
    "not_evaluated",
    "created_at",
    "changed_at",
];

pub(super) async fn as_csv(app: Data<App>, visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    let who = visitor.principal;
    let report = app::audit_report::compile(&app, &who, wanted.instant()?).await?;
    Ok(csv_of(app, who, &report))
}

pub(super) async fn as_xlsx(app: Data<App>, visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    let who = visitor.principal;
    let report = app::audit_report::compile(&app, &who, wanted.instant()?).await?;
    xlsx_of(app, who, report).await
}

pub(super) async fn as_pdf(app: Data<App>, visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    pdf_of(app::audit_report::compile(&app, &visitor.principal, wanted.instant()?).await?).await
}

/// A report as CSV.
pub(super) fn csv_of(app: Data<App>, who: Principal, report: &AuditReport) -> HttpResponse {
    let head = futures::stream::iter([Ok(csv::line(COLUMNS))]);
    let end: String = report.unregistered.iter().map(object_line).collect();
    let rows = population(app, who, report, |row| ci_line(&row));
    csv::download(&name(report, "csv"), head.chain(rows).chain(futures::stream::iter([Ok(end)])))
}

pub(super) async fn as_json(app: Data<App>, visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    answer_json(app, visitor.principal, wanted.instant()?).await
}

/// The report as JSON, also for the API.
pub(crate) async fn answer_json(
    app: Data<App>,
    who: Principal,
    as_of: Option<DateTime<Utc>>,
) -> Result<HttpResponse, Problem> {
    let report = app::audit_report::compile(&app, &who, as_of).await?;
    Ok(json_of(app, who, &report))
}

/// A report as JSON.
pub(crate) fn json_of(app: Data<App>, who: Principal, report: &AuditReport) -> HttpResponse {
    let mut first = true;
    let rows = population(app, who, report, move |row| {
        let comma = if std::mem::take(&mut first) { "" } else { "," };
        format!("{comma}\n{}", canonical(&row))
    });
    let head = futures::stream::iter([Ok(json_head(report))]);
    let pieces = head.chain(rows).chain(futures::stream::iter([Ok("\n]}\n".to_owned())]));
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", name(report, "json"))))
        .streaming(pieces.map(|piece| piece.map(Bytes::from)))
}

/// Everything but the population. Each row and each figure stands on a line as it was hashed.
fn json_head(report: &AuditReport) -> String {
    let unregistered: Vec<String> = report.unregistered.iter().map(canonical).collect();
    let definitions: BTreeMap<&str, &str> =
        FindingKind::REPORTED.iter().map(|kind| (kind.word(), kind.definition())).collect();
    let severities: BTreeMap<&str, Severity> =
        FindingKind::REPORTED.iter().map(|kind| (kind.word(), kind.severity())).collect();
    let about = json!({
        "sha256": report.sha256,
        "hashed": "SHA-256 over the lines of rows, of unregistered and of figures, without their commas, each with a newline",
        "filed": report.filing(),
        "scope": if report.everything { "everything" } else { "own projects" },
        "formulas": app::audit_report::formulas(),
        "definitions": definitions,
        "severities": severities,
    });
    let duties: Vec<_> = report.duties.iter().map(|(who, duty)| json!({ "responsible": who, "duty": duty })).collect();
    format!(
        "{{\"about\":{about},\n\"figures\":\n{}\n,\"duties\":{},\n\"container_hosts\":{},\n\"containers\":{},\n\"sites\":{},\n\"orders\":{},\n\"changes\":{},\n\"sample\":{},\n\"unregistered\":[\n{}\n],\n\"rows\":[",
        canonical(&report.figures),
        canonical(&duties),
        canonical(&report.engines),
        canonical(&report.running),
        canonical(&report.sites),
        canonical(&report.ordered),
        canonical(&report.changes),
        canonical(&report.sample),
        unregistered.join(",\n"),
    )
}

/// Every row of the population in the words of a file, a page of rows at a time.
fn population(
    app: Data<App>,
    who: Principal,
    report: &AuditReport,
    mut write: impl FnMut(Row) -> String + 'static,
) -> impl Stream<Item = Result<String, Trouble>> + 'static {
    let pages = app::audit_report::population(App::clone(&app), who, report);
    pages.map(move |rows| rows.map(|rows| rows.into_iter().map(&mut write).collect()))
}

fn ci_line(row: &Row) -> String {
    csv::line(ci_cells(row))
}

/// A CI, by [`COLUMNS`].
pub(super) fn ci_cells(row: &Row) -> [String; 17] {
    let (ci, origin) = (&row.ci, row.origin.as_ref());
    let of_origin = |read: fn(&Origin) -> String| origin.map_or_else(String::new, read);
    let findings = |read: &dyn Fn(&domain::finding::Finding) -> String, between: &str| {
        row.findings.iter().map(read).collect::<Vec<_>>().join(between)
    };
    [
        "ci".to_owned(),
        ci.id.to_string(),
        ci.name.clone(),
        ci.class.word().to_owned(),
        ci.lifecycle.word().to_owned(),
        ci.platform.clone().unwrap_or_default(),
        ci.application.clone().unwrap_or_default(),
        of_origin(|origin| origin.deployment.clone()),
        of_origin(|origin| origin.request.map_or_else(String::new, |number| number.to_string())),
        of_origin(|origin| origin.requester.clone().unwrap_or_default()),
        of_origin(|origin| origin.requested_at.map_or_else(String::new, second)),
        of_origin(approvers),
        findings(&|finding| finding.kind.word().to_owned(), " "),
        findings(&|finding| finding.detail.clone(), " "),
        row.not_evaluated.clone().unwrap_or_default(),
        second(ci.created_at),
        second(ci.changed_at),
    ]
}

/// Who approved, or that nobody had to; nothing when it is not on record.
fn approvers(origin: &Origin) -> String {
    if origin.approvers.is_empty() && origin.no_approval_needed {
        return "no approval needed".to_owned();
    }
    origin.approvers.join(", ")
}

/// An object of the ledger that has no CI.
fn object_line(object: &Unregistered) -> String {
    let kind = FindingKind::Unregistered;
    let mut cells = vec![String::new(); COLUMNS.len()];
    for (column, text) in [
        (0, "ledger"),
        (2, object.name.as_str()),
        (3, object.kind.as_str()),
        (7, object.deployment.as_str()),
        (12, kind.word()),
        (13, kind.definition()),
    ] {
        text.clone_into(&mut cells[column]);
    }
    csv::line(cells)
}

/// What the file of a report is called.
pub(super) fn name(report: &AuditReport, ending: &str) -> String {
    match report.filing() {
        Some(filing) => format!("cmdb-audit-report-{}.{ending}", filing.number),
        None => format!("cmdb-audit-{}.{ending}", report.figures.as_of.format("%Y%m%dT%H%M%SZ")),
    }
}
