//! The CMDB audit report as a page, as CSV and as JSON: the same rows and figures of one instant.

pub(crate) mod files;
mod population;
mod show;

use actix_web::web::{ServiceConfig, get, resource};
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
        .service(resource("/audit/report.json").route(get().to(files::as_json)));
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

/// The address of a part of the report of an instant, to the microsecond, so that all parts tell the very same.
fn address(part: &str, at: DateTime<Utc>) -> String {
    format!("/audit{part}?as_of={}", at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// The address of the population's page after this CI.
fn page_after(at: DateTime<Utc>, after: CiId) -> String {
    format!("{}&after={after}", address("/population", at))
}
