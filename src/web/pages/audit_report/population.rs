//! The report's population, row by row: each CI with its order, its approval and who answers for it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use app::App;
use app::audit_report::PAGE;
use askama::Template;
use chrono::{DateTime, Utc};
use domain::audit_report::Row;
use domain::ids::CiId;
use domain::trouble::{Kind, Trouble};
use serde::Deserialize;

use super::{address, page_after};
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

/// Which page of which report.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    /// As the report's own address has it.
    as_of: String,
    /// The CI that the page comes after; empty for the first page.
    after: String,
}

#[derive(Template)]
#[template(path = "audit_report/population.html")]
pub(super) struct Population {
    pub(super) shell: Shell,
    pub(super) rows: Vec<Row>,
    pub(super) at: DateTime<Utc>,
    /// The address of the report, and what it is called.
    pub(super) report: String,
    pub(super) title: String,
    /// The address of the first page; empty on it.
    pub(super) start: String,
    /// The address of the next page; empty on the last.
    pub(super) next: String,
}

pub(super) async fn show(app: Data<App>, visitor: Visitor, place: Query<Place>) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let at = super::super::ci::instant(&place.as_of)?.filter(|at| *at < now).unwrap_or(now);
    let after = place.after()?;
    let (rows, next) = app::audit_report::rows(&app, &visitor.principal, at, after, PAGE).await?;
    let population = Population {
        shell: visitor.shell("What exists", Section::Audit),
        rows,
        at,
        report: address("", at),
        title: "CMDB audit report".to_owned(),
        start: after.map(|_| address("/population", at)).unwrap_or_default(),
        next: next.map(|last| page_after(at, last)).unwrap_or_default(),
    };
    Ok(page(StatusCode::OK, &population))
}

impl Place {
    fn after(&self) -> Result<Option<CiId>, Trouble> {
        if self.after.is_empty() {
            return Ok(None);
        }
        self.after.parse().map(Some).map_err(|_| {
            Trouble::new(
                Kind::Malformed,
                format!("`{}` is no CI's id.", self.after),
                "Begin again from the start of the report.",
            )
        })
    }
}
