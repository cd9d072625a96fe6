//! The page of one CI: findings, who answers, what is known, what stands around it, its history.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use app::App;
use app::ci::{CiView, Hop, in_words, title_of};
use askama::Template;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use domain::ci::{Aspect, Change, Ci, Lifecycle};
use domain::finding::FindingKind;
use domain::ids::CiId;
use domain::trouble::{Kind, Trouble};
use serde::Deserialize;

use crate::drawing::{Drawing, Edge, Node, relations};
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// A day, `2026-11-22` (its end), or an instant of RFC 3339.
    as_of: String,
}

#[derive(Template)]
#[template(path = "ci/show.html")]
struct Show {
    shell: Shell,
    view: CiView,
    /// The day that the form offers.
    day: String,
    today: String,
    drawing: Option<Drawing>,
    days: Vec<Day>,
    now: DateTime<Utc>,
}

/// A day of its history, as lines.
struct Day {
    date: String,
    lines: Vec<Line>,
}

/// One change in people's words.
struct Line {
    at: DateTime<Utc>,
    what: String,
    before: String,
    after: String,
    source: &'static str,
    run: Option<String>,
    step: String,
}

pub async fn show(
    app: Data<App>,
    visitor: Visitor,
    id: Path<String>,
    wanted: Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    let id: CiId = id.parse().map_err(|_| Trouble::not_found("CI"))?;
    let now = app.clock.now();
    let as_of = instant(&wanted.as_of)?.filter(|at| *at < now);
    let view = app::ci::show(&app, &visitor.principal, id, as_of).await?;
    let shown = Show {
        shell: visitor.shell(view.ci.name.clone(), Section::Cmdb),
        day: as_of.unwrap_or(now).date_naive().to_string(),
        today: now.date_naive().to_string(),
        drawing: drawing(&view),
        days: view.history.iter().map(|day| lines_of(&view.ci, day)).collect(),
        view,
        now,
    };
    Ok(page(StatusCode::OK, &shown))
}

/// The instant that the address asks for; a day means its end.
pub(crate) fn instant(text: &str) -> Result<Option<DateTime<Utc>>, Trouble> {
    if text.is_empty() {
        return Ok(None);
    }
    let end_of_day = |day: NaiveDate| Some(day.and_hms_milli_opt(23, 59, 59, 999)?.and_utc());
    let day = text.parse::<NaiveDate>().ok().and_then(end_of_day);
    let at = day.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()));
    at.filter(|at| app::YEARS.contains(&at.year())).map(Some).ok_or_else(|| {
        Trouble::new(
            Kind::Malformed,
            format!("`{text}` is no day."),
            "Write it as 2026-11-22, or with its time as 2026-11-22T14:03:00Z.",
        )
    })
}

/// The CI between what needs it and what it needs; nothing when it stands alone.
fn drawing(view: &CiView) -> Option<Drawing> {
    let hops: Vec<&Hop> = view.affects.hops.iter().chain(&view.needs.hops).collect();
    if hops.is_empty() {
        return None;
    }
    let own = node(view.ci.id, &view.ci.name, view.ci.class.title(), super::icon(view.ci.class), view.ci.lifecycle);
    let mut nodes = BTreeMap::from([(view.ci.id, own.chosen(true))]);
    for hop in &hops {
        let near = || node(hop.ci, &hop.name, hop.class.title(), super::icon(hop.class), hop.lifecycle);
        nodes.entry(hop.ci).or_insert_with(|| near().href(format!("/cmdb/{}", hop.ci)));
    }
    let mut edges: BTreeMap<_, Edge> = BTreeMap::new();
    for hop in &hops {
        let edge = || Edge::new(hop.from.to_string(), hop.to.to_string()).label(hop.relation.title());
        edges.entry((hop.from, hop.to, hop.relation)).or_insert_with(edge);
    }
    let nodes: Vec<Node> = nodes.into_values().collect();
    let edges: Vec<Edge> = edges.into_values().collect();
    Some(relations(&nodes, &edges, &format!("What {} needs, and what needs it", view.ci.name)))
}

fn node(id: CiId, name: &str, class: &str, icon: &'static str, lifecycle: Lifecycle) -> Node {
    let node = Node::new(id.to_string(), name).note(class).icon(icon);
    let reads = lifecycle.reads();
    if lifecycle == Lifecycle::Operational { node } else { node.state(reads.meaning, reads.label) }
}

fn lines_of(ci: &Ci, day: &app::ci::Day) -> Day {
    // What follows from another change of the same moment is not told twice.
    let told = |change: &&Change| !matches!(change.field.as_str(), "retired_at" | "gaps" | "misfits");
    Day {
        date: day.date.format("%A, %-d %B %Y").to_string(),
        lines: day.changes.iter().filter(told).map(|change| line(ci, change)).collect(),
    }
}

fn line(ci: &Ci, change: &Change) -> Line {
    let (what, before, after) = match change.aspect {
        Aspect::Created => ("Registered in the CMDB".to_owned(), String::new(), String::new()),
        Aspect::Core | Aspect::Attribute => {
            (title_of(ci, &change.field), in_words(&change.before), in_words(&change.after))
        }
        Aspect::Relation => {
            let relation = domain::ci::Relation::from_word(&change.field).map_or("related to", |known| known.title());
            (format!("Relation: {relation}"), in_words(&change.before), in_words(&change.after))
        }
        Aspect::Finding => {
            let kind = FindingKind::from_word(&change.field).map_or("Finding", FindingKind::title);
            (kind.to_owned(), in_words(&change.before), in_words(&change.after))
        }
    };
    Line {
        at: change.at,
        what,
        before,
        after,
        source: change.source.title(),
        run: change.run.map(|run| run.to_string()),
        step: change.step.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn a_day_means_its_end_and_one_beyond_all_calendars_is_none() {
        let end = instant("2026-11-22").ok().flatten().map(|at| at.to_rfc3339());
        assert_eq!(end.as_deref(), Some("2026-11-22T23:59:59.999+00:00"));
        for wrong in ["+262142-12-31", "-262143-01-01", "0000-01-01", "tomorrow"] {
            assert!(instant(wrong).is_err(), "{wrong}");
        }
    }
}
