//! Pages for people, one folder or file a noun.

pub(crate) mod absence;
mod account;
pub(crate) mod approvals;
pub(crate) mod audit_report;
mod blueprints;
mod catalog;
pub(crate) mod ci;
mod connectors;
mod datacenter;
mod deployments;
mod findings;
mod mail;
mod mail_link;
mod operations;
mod order_form;
mod people;
mod plan;
mod project;
mod reconcile;
mod requests;
mod runs;
mod search;
mod session;
mod summary;
mod tasks;
mod trend;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::ServiceConfig;

/// Every page's routes; each noun brings its own.
pub fn configure(service: &mut ServiceConfig) {
    service
        .configure(absence::configure)
        .configure(account::configure)
        .configure(approvals::configure)
        .configure(audit_report::configure)
        .configure(blueprints::configure)
        .configure(catalog::configure)
        .configure(ci::configure)
        .configure(datacenter::configure)
        .configure(deployments::configure)
        .configure(findings::configure)
        .configure(mail::configure)
        .configure(connectors::configure)
        .configure(operations::configure)
        .configure(people::configure)
        .configure(project::configure)
        .configure(reconcile::configure)
        .configure(requests::configure)
        .configure(runs::configure)
        .configure(search::configure)
        .configure(session::configure)
        .configure(tasks::configure);
}

/// Leads the browser on after a form was handled, so that a reload does not send it again (RFC 9110, 303).
fn see_other(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
}
