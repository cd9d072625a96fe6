//! Filed reports: their list with how the figures went, each as it was, and its proof.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path, Query};
use app::App;
use app::audit_report::filing::{self, Listed, Rerun};
use askama::Template;
use domain::audit_report::Ratio;
use serde::Deserialize;

use super::pdf::pdf_of;
use super::population::Population;
use super::xlsx::xlsx_of;
use super::{filed_address, files, show};
use crate::csrf::AnyFields;
use crate::drawing::{Drawing, trend};
use crate::pages::see_other;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

/// From which report on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    before: Option<i64>,
}

/// Where a page of the population begins.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    from: usize,
}

#[derive(Template)]
#[template(path = "audit_report/filed.html")]
struct Index {
    shell: Shell,
    listed: Vec<Listed>,
    /// How the figures went; none before there are two reports.
    trends: Vec<(&'static str, Drawing)>,
    may_file: bool,
    /// The address of older ones; empty when there are none.
    older: String,
}

#[derive(Template)]
#[template(path = "audit_report/proof.html")]
struct Proof {
    shell: Shell,
    rerun: Rerun,
    /// The address of the report, and what it is called.
    report: String,
    title: String,
}

pub(super) async fn index(app: Data<App>, visitor: Visitor, place: Query<Before>) -> Result<HttpResponse, Problem> {
    let listed = filing::filed(&app, &visitor.principal, place.before).await?;
    let oldest = listed.last().map_or(1, |listed| listed.filing.number);
    let index = Index {
        trends: trends(&listed),
        may_file: filing::may_file(&visitor.principal),
        older: if oldest > 1 { format!("/audit/filed?before={oldest}") } else { String::new() },
        shell: visitor.shell("Filed reports", Section::Audit),
        listed,
    };
    Ok(page(StatusCode::OK, &index))
}

pub(super) async fn file(app: Data<App>, visitor: Visitor, _form: Form<AnyFields>) -> Result<HttpResponse, Problem> {
    let filed = filing::file(&app, &visitor.principal).await?;
    Ok(see_other(&filed_address(filed.number, "")))
}

pub(super) async fn show(app: Data<App>, visitor: Visitor, number: Path<i64>) -> Result<HttpResponse, Problem> {
    let report = filing::show(&app, &visitor.principal, *number).await?;
    Ok(show::shown(&visitor, report, app.clock.now()))
}

pub(super) async fn population(
    app: Data<App>,
    visitor: Visitor,
    number: Path<i64>,
    place: Query<From>,
) -> Result<HttpResponse, Problem> {
    let (filed, rows, next) = filing::page(&app, &visitor.principal, *number, place.from).await?;
    let at = |from: usize| filed_address(filed.number, &format!("/population?from={from}"));
    let population = Population {
        shell: visitor.shell("What existed", Section::Audit),
        rows,
        at: filed.as_of,
        report: filed_address(filed.number, ""),
        title: format!("CMDB audit report {}", filed.number),
        start: if place.from > 0 { at(0) } else { String::new() },
        next: next.map(at).unwrap_or_default(),
    };
    Ok(page(StatusCode::OK, &population))
}

pub(super) async fn proof(app: Data<App>, visitor: Visitor, number: Path<i64>) -> Result<HttpResponse, Problem> {
    let rerun = filing::rerun(&app, &visitor.principal, *number).await?;
    let (report, title) = (filed_address(*number, ""), format!("Report {number}"));
    let shell = visitor.shell(format!("Proof of report {number}"), Section::Audit);
    Ok(page(StatusCode::OK, &Proof { shell, rerun, report, title }))
}

pub(super) async fn as_csv(app: Data<App>, visitor: Visitor, number: Path<i64>) -> Result<HttpResponse, Problem> {
    let report = filing::show(&app, &visitor.principal, *number).await?;
    Ok(files::csv_of(app, visitor.principal, &report))
}

pub(super) async fn as_json(app: Data<App>, visitor: Visitor, number: Path<i64>) -> Result<HttpResponse, Problem> {
    let report = filing::show(&app, &visitor.principal, *number).await?;
    Ok(files::json_of(app, visitor.principal, &report))
}

pub(super) async fn as_xlsx(app: Data<App>, visitor: Visitor, number: Path<i64>) -> Result<HttpResponse, Problem> {
    let report = filing::show(&app, &visitor.principal, *number).await?;
    xlsx_of(app, visitor.principal, report).await
}

pub(super) async fn as_pdf(app: Data<App>, visitor: Visitor, number: Path<i64>) -> Result<HttpResponse, Problem> {
    pdf_of(filing::show(&app, &visitor.principal, *number).await?).await
}

/// What a share is called, and how a report's figures tell it.
type Share = (&'static str, fn(&Listed) -> Ratio);

/// How the shares went from report to report, the oldest first; none of what no report could measure.
fn trends(listed: &[Listed]) -> Vec<(&'static str, Drawing)> {
    if listed.len() < 2 {
        return Vec::new();
    }
    let drawn = |(label, read): Share| {
        let points: Vec<(String, Option<f64>, String)> = listed
            .iter()
            .rev()
            .map(|it| {
                let ratio = read(it);
                let share = (ratio.whole > 0).then(|| ratio.part as f64 / ratio.whole as f64);
                let words = if share.is_some() { ratio.percent() } else { "None".to_owned() };
                (format!("Report {}", it.filing.number), share, words)
            })
            .collect();
        points.iter().any(|point| point.1.is_some()).then(|| (label, trend(&points, label)))
    };
    let shares: [Share; 5] = [
        ("Live objects with a CI", |it| it.figures.registered),
        ("Complete", |it| it.figures.complete),
        ("Without a finding against them", |it| it.figures.correct),
        ("With both responsibles", |it| it.figures.owned),
        ("With their order on record", |it| it.figures.traced),
    ];
    shares.into_iter().filter_map(drawn).collect()
}
