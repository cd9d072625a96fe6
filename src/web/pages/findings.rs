//! Findings that are kept: the list of them, and the page of one, where operators bear it until a day.

mod index;
mod show;

use actix_web::web::{ServiceConfig, get, post, resource};
use domain::finding::Severity;

/// The routes of the findings.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/findings").route(get().to(index::index)))
        .service(resource("/findings.csv").route(get().to(index::csv)))
        .service(resource("/findings/{id}").route(get().to(show::show)).route(post().to(show::waive)));
}

/// The state whose look a severity has.
fn tint(severity: Severity) -> &'static str {
    match severity {
        Severity::High => "failed",
        Severity::Medium => "waiting",
        Severity::Low => "idle",
    }
}
