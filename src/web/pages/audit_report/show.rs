//! The report as a page, which prints as well.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use app::App;
use app::audit_report::{AuditReport, Changed, Engine, Running, formulas};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::audit_report::{Figures, Ratio};
use domain::finding::FindingKind;
use domain::ids::{CiId, RunId};

use super::tables::{self, approved, value, what_changed};
use super::{Wanted, address_in, filed_address, page_after};
use crate::drawing::{Drawing, Part, bars, stacked};
use crate::look::Meaning;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

/// Changes that the page lists; the files have more.
const CHANGES: usize = 15;
/// Container engines, and workloads, that stand open; the page folds the others away.
const OPEN: usize = 10;
/// Groups that the answer to "who must act?" names.
const NAMED: usize = 5;

const CONTRADICTED: &str = "Not everywhere. Some views contradict each other.";
const UNSEEN: &str = "As far as is known. Some machines could not be looked at.";

/// The files of a report, and where they are.
const FILES: [(&str, &str); 4] =
    [("PDF", "/report.pdf"), ("XLSX", "/report.xlsx"), ("CSV", "/report.csv"), ("JSON", "/report.json")];

/// A figure with its formula.
struct Figure {
    label: &'static str,
    ratio: Ratio,
    formula: &'static str,
}

/// A change, as the page lists it.
struct Change {
    at: DateTime<Utc>,
    ci: CiId,
    name: String,
    what: String,
    before: String,
    after: String,
    /// The number of the request, and where it is shown.
    order: Option<(i64, String)>,
    requester: String,
    approved: String,
    run: Option<RunId>,
}

impl Change {
    fn of(it: &Changed) -> Self {
        let order = it.request.zip(it.request_id).map(|(number, id)| (number, format!("/requests/{id}")));
        let came_to_be = it.aspect == "created";
        Self {
            at: it.at,
            ci: it.ci,
            name: it.name.clone(),
            what: what_changed(it),
            before: value(&it.before),
            after: if came_to_be { String::new() } else { value(&it.after) },
            order,
            requester: it.requester.clone().unwrap_or_default(),
            approved: approved(it),
            run: it.run,
        }
    }
}

#[derive(Template)]
#[template(path = "audit_report/show.html")]
struct Show<'a> {
    shell: Shell,
    /// Whether somebody sees into every container engine, in a sentence, and how that is shown.
    sight: String,
    sight_state: &'static str,
    /// The container engines, the blind ones first: those that stand open, and the others.
    engines: (Vec<&'a Engine>, Vec<&'a Engine>),
    /// What runs in them, likewise.
    running: (Vec<&'a Running>, Vec<&'a Running>),
    report: &'a AuditReport,
    complete: [Figure; 2],
    right: [Figure; 3],
    /// Whether everything is registered and complete; whether everything is right.
    all_complete: bool,
    all_right: bool,
    /// What is said where not everything is right.
    not_right: &'static str,
    /// (who, CIs with findings), most first.
    must_act: Vec<(String, u64)>,
    shares: Drawing,
    /// CIs by kind of finding; none when nothing was found.
    kinds: Option<Drawing>,
    classes: Drawing,
    day: String,
    today: String,
    /// The files: what each is called, and its address.
    files: Vec<(&'static str, String)>,
    /// How much changed, and since when.
    since: String,
    /// The newest changes.
    changed: Vec<Change>,
    /// Where the report is proved; empty for one that is not filed.
    proof: String,
    /// Whether the person may file the report.
    may_file: bool,
    /// The address of the population's second page; empty when the first holds all.
    next: String,
    now: DateTime<Utc>,
}

pub(super) async fn show(app: Data<App>, visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let report = app::audit_report::compile(&app, &visitor.principal, wanted.instant()?).await?;
    Ok(shown(&visitor, report, now))
}

/// A report as a page.
pub(super) fn shown(visitor: &Visitor, report: Arc<AuditReport>, now: DateTime<Utc>) -> HttpResponse {
    let title = match report.filing() {
        Some(filing) => format!("CMDB audit report {}", filing.number),
        None => "CMDB audit report".to_owned(),
    };
    let may_file = report.filing().is_none() && app::audit_report::filing::may_file(&visitor.principal);
    let shell = visitor.shell(title, Section::Audit);
    page(StatusCode::OK, &Show { may_file, ..Show::of(shell, &report, now) })
}

impl<'a> Show<'a> {
    fn of(shell: Shell, report: &'a AuditReport, now: DateTime<Utc>) -> Self {
        let figures = &report.figures;
        let formulas = formulas();
        let figure = |label, word: &str, ratio| Figure {
            label,
            ratio,
            formula: formulas.get(word).copied().unwrap_or_default(),
        };
        let blind = report.engines.iter().any(|engine| report.is_blind(engine));
        Self {
            sight: tables::sight(report),
            sight_state: if blind { "blind" } else { "done" },
            engines: folded(tables::blind_first(report)),
            running: folded(report.running.iter().collect()),
            complete: [
                figure("Live objects with a CI", "registered", figures.registered),
                figure("CIs with all required attributes", "complete", figures.complete),
            ],
            right: [
                figure("CIs without a finding against them", "correct", figures.correct),
                figure("CIs with both responsibles", "owned", figures.owned),
                figure("CIs with their order on record", "traced", figures.traced),
            ],
            all_complete: figures.registered.is_whole() && figures.complete.is_whole(),
            all_right: nothing_contradicts(figures) && figures.not_evaluated == 0,
            not_right: if nothing_contradicts(figures) { UNSEEN } else { CONTRADICTED },
            must_act: must_act(report),
            shares: shares(report),
            kinds: kinds(report),
            classes: classes(report),
            day: figures.as_of.date_naive().to_string(),
            today: now.date_naive().to_string(),
            files: FILES.iter().map(|(name, part)| (*name, address_in(report, part))).collect(),
            since: super::since(report),
            changed: report.changes.listed.iter().take(CHANGES).map(Change::of).collect(),
            proof: report.filing().map(|filing| filed_address(filing.number, "/proof")).unwrap_or_default(),
            may_file: false,
            next: next(report).unwrap_or_default(),
            shell,
            report,
            now,
        }
    }

    fn found(&self) -> Vec<(FindingKind, u64)> {
        counted(self.report).filter(|(_, number)| *number > 0).collect()
    }

    fn not_found(&self) -> Vec<(FindingKind, u64)> {
        counted(self.report).filter(|(_, number)| *number == 0).collect()
    }
}

/// What stands open, and what is folded away.
fn folded<T>(mut open: Vec<T>) -> (Vec<T>, Vec<T>) {
    let others = open.split_off(open.len().min(OPEN));
    (open, others)
}

fn nothing_contradicts(figures: &Figures) -> bool {
    figures.correct.is_whole() && figures.owned.is_whole() && figures.traced.is_whole()
}

/// Where the population goes on after its first page.
fn next(report: &AuditReport) -> Option<String> {
    let last = report.first.last().filter(|_| report.figures.total > report.first.len() as u64)?;
    Some(match report.filing() {
        Some(filing) => filed_address(filing.number, &format!("/population?from={}", report.first.len())),
        None => page_after(report.figures.as_of, last.ci.id),
    })
}

/// Each kind of finding with its number of CIs.
fn counted(report: &AuditReport) -> impl Iterator<Item = (FindingKind, u64)> {
    FindingKind::REPORTED.iter().map(|kind| (*kind, report.found(*kind)))
}

fn kinds(report: &AuditReport) -> Option<Drawing> {
    let found = counted(report).filter(|(_, number)| *number > 0);
    let rows: Vec<(String, f64, String)> =
        found.map(|(kind, number)| (kind.title().to_owned(), count(number), number.to_string())).collect();
    (!rows.is_empty()).then(|| bars(&rows, "CIs by kind of finding"))
}

fn must_act(report: &AuditReport) -> Vec<(String, u64)> {
    let named = |who: &domain::audit_report::Responsible| {
        let names: Vec<&str> =
            [&who.platform, &who.application].into_iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        if names.is_empty() { "Nobody answers for these".to_owned() } else { names.join(" and ") }
    };
    let open = report.duties.iter().filter(|(_, duty)| duty.with_findings > 0);
    open.take(NAMED).map(|(who, duty)| (named(who), duty.with_findings)).collect()
}

fn shares(report: &AuditReport) -> Drawing {
    let part = |name: &str, amount: u64, state| Part { name: name.to_owned(), amount: count(amount), state };
    let figures = &report.figures;
    let label = format!("{} of {} current CIs have no finding", figures.sound, figures.current);
    stacked(
        &[
            part("Without findings", figures.sound, Meaning::Done),
            part("With findings", figures.with_findings, Meaning::Waiting),
        ],
        &label,
    )
}

fn classes(report: &AuditReport) -> Drawing {
    let rows: Vec<(String, f64, String)> = domain::ci::CiClass::ALL
        .iter()
        .filter_map(|class| {
            let current = report.figures.classes.get(class.word())?.current;
            (current > 0).then(|| (class.title().to_owned(), count(current), current.to_string()))
        })
        .collect();
    bars(&rows, "Current CIs by class")
}

/// A number of CIs as a length; a drawing needs no more than 32 bits of it.
fn count(amount: u64) -> f64 {
    f64::from(u32::try_from(amount).unwrap_or(u32::MAX))
}
