//! The CMDB audit report as a page, and as PDF, XLSX, CSV and JSON: the same rows and figures of one instant, of now or as filed.

mod filed;
pub(crate) mod files;
mod pdf;
mod population;
mod show;
mod tables;
mod xlsx;

use actix_web::web::{ServiceConfig, get, post, resource};
use app::audit_report::AuditReport;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::ids::CiId;
use domain::trouble::Trouble;
use serde::Deserialize;

/// The routes of the report.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/audit").route(get().to(show::show)))
        .service(resource("/audit/population").route(get().to(population::show)))
        .service(resource("/audit/report.csv").route(get().to(files::as_csv)))
        .service(resource("/audit/report.json").route(get().to(files::as_json)))
        .service(resource("/audit/report.xlsx").route(get().to(files::as_xlsx)))
        .service(resource("/audit/report.pdf").route(get().to(files::as_pdf)))
        .service(resource("/audit/filed").route(get().to(filed::index)).route(post().to(filed::file)))
        .service(resource("/audit/filed/{number}").route(get().to(filed::show)))
        .service(resource("/audit/filed/{number}/population").route(get().to(filed::population)))
        .service(resource("/audit/filed/{number}/proof").route(get().to(filed::proof)))
        .service(resource("/audit/filed/{number}/report.csv").route(get().to(filed::as_csv)))
        .service(resource("/audit/filed/{number}/report.json").route(get().to(filed::as_json)))
        .service(resource("/audit/filed/{number}/report.xlsx").route(get().to(filed::as_xlsx)))
        .service(resource("/audit/filed/{number}/report.pdf").route(get().to(filed::as_pdf)));
}

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// A day, `2026-11-22` (its end), or an instant of RFC 3339; empty for now.
    as_of: String,
}

impl Wanted {
    fn instant(&self) -> Result<Option<DateTime<Utc>>, Trouble> {
        super::ci::instant(&self.as_of)
    }
}

/// How much changed, and since when.
fn since(report: &AuditReport) -> String {
    let changes = &report.changes;
    let when = match (changes.since_report, changes.since) {
        (Some(number), _) => format!("Since report {number}"),
        (None, Some(since)) => format!("Since {}", since.format("%Y-%m-%d %H:%M UTC")),
        (None, None) => "In this time".to_owned(),
    };
    format!("{when}: {} changes of {} CIs, {} of them made by a run.", changes.changes, changes.cis, changes.by_runs)
}

/// The address of a part of the report of an instant, to the microsecond, so that all parts tell the very same.
fn address(part: &str, at: DateTime<Utc>) -> String {
    format!("/audit{part}?as_of={}", at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The address of a part of this report: of its instant, or as it was filed.
fn address_in(report: &AuditReport, part: &str) -> String {
    report.filing().map_or_else(|| address(part, report.figures.as_of), |filing| filed_address(filing.number, part))
}

/// The address of a part of a filed report.
fn filed_address(number: i64, part: &str) -> String {
    format!("/audit/filed/{number}{part}")
}

/// The address of the population's page after this CI.
fn page_after(at: DateTime<Utc>, after: CiId) -> String {
    format!("{}&after={after}", address("/population", at))
}
