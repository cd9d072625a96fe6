//! The list, as a page and as a file.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::page;
use app::run::{Filter, Listed, RunSummary, SortBy};
use domain::run::{RunKind, RunState};

use crate::list::{Asked, Cell, Column, Empty, Filter as Narrow, Found, Heading, List, Sheet};
use crate::look;
use crate::problem::Problem;
use crate::shell::Section;
use crate::visitor::Visitor;

static LIST: List<Listed> = List {
    path: "/runs",
    file: "/runs.csv",
    noun: "runs",
    finds: "Part of the title",
    filters: &["state", "kind", "project"],
    sort: "-created",
    columns: &[
        Column::sorts("title", "Run", |it: &Listed| Cell::Noted(it.run.title.clone(), it.run.blueprint.clone())),
        Column::sorts("state", "State", |it: &Listed| Cell::Reads(it.reads())),
        Column::plain("why", "Why", |it: &Listed| Cell::Text(it.why())),
        Column::sorts("created", "Ordered", |it: &Listed| Cell::Time(it.run.created_at)),
        Column::plain("took", "Took", |it: &Listed| took(&it.run).map_or(Cell::Nothing("not over"), Cell::Text)),
        Column::extra("started", "Began", |it: &Listed| it.run.started_at.map_or(Cell::Nothing("not yet"), Cell::Time)),
        Column::extra("ended", "Ended", |it: &Listed| it.run.ended_at.map_or(Cell::Nothing("not yet"), Cell::Time)),
        Column::extra("worker", "Worker", |it: &Listed| {
            it.run.worker.clone().map_or(Cell::Nothing("none"), Cell::Name)
        }),
    ],
    leads_to: |it| format!("/runs/{}", it.run.id),
    heading: Heading { title: "Runs", lede: "Everything that was built, changed and taken down.", action: ("", "") },
    empty: Empty {
        icon: "clock",
        headline: "Nothing has run yet",
        text: "A run begins when an order is approved, and stands here from its first step to its last.",
        href: "/catalog",
        label: "Open the catalog",
    },
};

const SORTS: [(&str, SortBy); 3] = [("title", SortBy::Title), ("state", SortBy::State), ("created", SortBy::Created)];

/// A group of states: the word in the address, its label, and which states it holds.
type Group = (&'static str, &'static str, fn(RunState) -> bool);

/// The groups of states that people filter by.
const GROUPS: [Group; 4] = [
    ("", "In every state", |_| true),
    ("person", "Needs a person", RunState::needs_a_person),
    ("open", "Under way", RunState::can_be_driven),
    ("ended", "Ended", RunState::has_ended),
];

/// The page.
pub(super) async fn index(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let filter = filter(&mut asked);
    let who = &visitor.principal;
    let page::List { part, projects } = app::run::list(&app, who, &filter, asked.window(&SORTS)).await?;
    let counted = asked.counted(&part, app::run::count(&app, who, &filter)).await?;
    let kinds = RunKind::ALL.iter().map(|kind| (kind.word(), RunState::Running.reads(*kind).label));
    let filters = vec![
        Narrow::words("state", "State", GROUPS.map(|(word, label, _)| (word, label))),
        Narrow::words("kind", "Kind", [("", "Of every kind")].into_iter().chain(kinds)),
        Narrow::project(projects),
    ];
    let shell = visitor.shell("Runs", Section::Operations);
    asked.page(shell, Found { list: &LIST, part, counted, filters, id: |it| it.run.id.0, now: app.clock.now() })
}

/// The file.
pub(super) async fn csv(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let filter = filter(&mut asked);
    let read = move |window| {
        let (app, who, filter) = (app.clone(), visitor.principal.clone(), filter.clone());
        async move { Ok(app::run::list(&app, &who, &filter, window).await?.part) }
    };
    Ok(asked.file(&SHEET, asked.window(&SORTS), read, |it| it.run.id)?)
}

fn filter(asked: &mut Asked) -> Filter {
    let group = |word: &str| {
        let (.., holds) = GROUPS.iter().find(|(known, ..)| *known == word)?;
        Some(RunState::ALL.into_iter().filter(|state| holds(*state)).collect())
    };
    let one = |word: &str| RunState::from_word(word).map(|state| vec![state]);
    Filter {
        states: asked.read("state", "state", |word| group(word).or_else(|| one(word))).unwrap_or_default(),
        kind: asked.read("kind", "kind of run", RunKind::from_word),
        project: asked.read("project", "project", |id| id.parse().ok()),
        text: asked.value("q").to_owned(),
    }
}

fn took(run: &RunSummary) -> Option<String> {
    Some(look::took((run.ended_at? - run.started_at?).num_seconds()))
}

static SHEET: Sheet<Listed, 11> = Sheet {
    name: "runs.csv",
    head: ["id", "title", "kind", "offering", "state", "why", "deployment", "request", "created", "started", "ended"],
    line,
};

fn line(it: &Listed) -> [String; 11] {
    let run = &it.run;
    let time = |at: &Option<chrono::DateTime<chrono::Utc>>| at.as_ref().map(look::iso).unwrap_or_default();
    [
        run.id.to_string(),
        run.title.clone(),
        run.kind.word().to_owned(),
        run.blueprint.clone(),
        run.state.word().to_owned(),
        it.why(),
        run.deployment.to_string(),
        run.request.map_or_else(String::new, |request| request.to_string()),
        look::iso(&run.created_at),
        time(&run.started_at),
        time(&run.ended_at),
    ]
}
