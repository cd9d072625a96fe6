//! The list as a file for a spreadsheet: everything that the filter leaves, whatever the page.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use app::App;
use app::deployment::Listed;

use super::index::Asked;
use crate::csv;
use crate::problem::Problem;
use crate::visitor::Visitor;

/// More rows than this are asked for in parts, by filter.
const MOST_ROWS: u64 = 20_000;

const HEAD: [&str; 11] = [
    "id",
    "name",
    "offering",
    "state",
    "project",
    "owner",
    "platform",
    "application",
    "ordered",
    "lease_ends",
    "eur_per_month",
];

/// The file.
pub(super) async fn csv(app: Data<App>, visitor: Visitor, asked: Query<Asked>) -> Result<HttpResponse, Problem> {
    let listing = app::deployment::list(&app, &visitor.principal, &asked.filter(), asked.window(0, MOST_ROWS)).await?;
    let lines: String = std::iter::once(csv::line(HEAD)).chain(listing.rows.iter().map(line)).collect();
    Ok(csv::download("deployments.csv", futures::stream::iter([Ok(lines)])))
}

fn line(row: &Listed) -> String {
    let it = &row.deployment;
    let fields = [
        it.id.to_string(),
        it.name.clone(),
        it.title.clone(),
        it.state.word().to_owned(),
        row.project.clone(),
        row.owner.clone(),
        it.platform.clone(),
        it.application.clone(),
        crate::look::iso(&it.created_at),
        crate::look::iso(&it.lease.until),
        format!("{:.2}", row.monthly.euros()),
    ];
    csv::line(fields)
}
