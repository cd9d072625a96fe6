//! The list as a file for a spreadsheet: everything that the filter leaves, whatever the page.

use actix_web::HttpResponse;
use actix_web::web::{Data, Query};
use app::App;
use app::request::Listed;
use domain::money::Money;
use domain::request::number;

use super::index::Asked;
use crate::csv;
use crate::problem::Problem;
use crate::visitor::Visitor;

/// More rows than this are asked for in parts, by filter.
const MOST_ROWS: u64 = 20_000;

const HEAD: [&str; 12] = [
    "number",
    "what",
    "kind",
    "offering",
    "version",
    "state",
    "outcome",
    "project",
    "requester",
    "submitted",
    "decided",
    "eur_per_month",
];

/// The file.
pub(super) async fn csv(app: Data<App>, visitor: Visitor, asked: Query<Asked>) -> Result<HttpResponse, Problem> {
    let who = &visitor.principal;
    let list = app::request::list(&app, who, &asked.filter(who), asked.window(0, MOST_ROWS)).await?;
    let lines: String = std::iter::once(csv::line(HEAD)).chain(list.requests.iter().map(line)).collect();
    Ok(csv::download("requests.csv", futures::stream::iter([Ok(lines)])))
}

fn line(row: &Listed) -> String {
    let it = &row.request;
    let fields = [
        number(it.number),
        it.title.clone(),
        it.kind.word().to_owned(),
        it.blueprint.clone(),
        it.version.clone(),
        it.state.word().to_owned(),
        it.outcome.clone().unwrap_or_default(),
        row.project.clone(),
        row.requester.clone(),
        crate::look::iso(&it.submitted_at),
        it.decided_at.as_ref().map(crate::look::iso).unwrap_or_default(),
        format!("{:.2}", Money::from_cents(it.monthly_cents()).euros()),
    ];
    csv::line(fields)
}
