//! The list of findings, as a page and as a file.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::finding::{FindingQuery, FindingSort};
use domain::ci::CiClass;
use domain::finding::FindingKind;
use domain::finding::life::{Kept, State};
use domain::money::Money;

use crate::list::{Asked, Cell, Column, Empty, Filter, Found, Heading, List, Sheet};
use crate::look;
use crate::problem::Problem;
use crate::shell::Section;
use crate::visitor::Visitor;

static LIST: List<Kept> = List {
    path: "/findings",
    file: "/findings.csv",
    noun: "findings",
    finds: "Name or key",
    filters: &["state", "kind", "class", "project"],
    sort: "severity",
    columns: &[
        Column::plain("what", "What", |it: &Kept| Cell::Noted(kind(it).title().to_owned(), it.found.matter.told())),
        Column::sorts("severity", "Severity", severity),
        Column::plain("about", "About", |it: &Kept| Cell::Name(it.found.subject.name.clone())),
        Column::plain("platform", "Platform", |it: &Kept| answers(it.found.subject.platform.as_deref())),
        Column::plain("application", "Application", |it: &Kept| answers(it.found.subject.application.as_deref())),
        Column::plain("cost", "Costs a month", cost).figures(),
        Column::sorts("age", "Found", |it: &Kept| Cell::Time(it.found_at)),
        Column::extra("state", "State", |it: &Kept| Cell::Reads(it.state.reads())),
        Column::extra("class", "Class", |it: &Kept| Cell::Text(it.found.subject.class.title().to_owned())),
        Column::extra("first", "First found", |it: &Kept| Cell::Time(it.first_seen_at)),
    ],
    leads_to: |it| format!("/findings/{}", it.id),
    heading: Heading {
        title: "Findings",
        lede: "Where the CMDB, the ledger and what really runs do not say the same, or nobody answers.",
        action: ("", ""),
    },
    empty: Empty {
        icon: "check",
        headline: "Nothing is open",
        text: "Whatever the next reconcile finds stands here, with its age, its cause and who answers for it.",
        href: "/cmdb",
        label: "Open the CMDB",
    },
};

const SORTS: [(&str, FindingSort); 2] = [("severity", FindingSort::Severity), ("age", FindingSort::Age)];
const STATES: [(&str, &str); 5] =
    [("", "Open"), ("held", "Held back"), ("waived", "Waived"), ("fixed", "Fixed"), ("all", "In any state")];

/// The page.
pub(super) async fn index(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let query = query(&mut asked);
    let who = &visitor.principal;
    let part = app::finding::list(&app, who, &query, asked.window(&SORTS)).await?;
    let counted = asked.counted(&part, app::finding::count(&app, who, &query)).await?;
    let kinds = FindingKind::all().map(|kind| (kind.word(), kind.title()));
    let classes = CiClass::ALL.iter().map(|class| (class.word(), class.title()));
    let filters = vec![
        Filter::words("state", "State", STATES),
        Filter::words("kind", "Kind", [("", "All kinds")].into_iter().chain(kinds)),
        Filter::words("class", "Class", [("", "All classes")].into_iter().chain(classes)),
        Filter::project(visitor.projects.clone()),
    ];
    let shell = visitor.shell("Findings", Section::Cmdb);
    asked.page(shell, Found { list: &LIST, part, counted, filters, id: |it| it.id.0, now: app.clock.now() })
}

/// The file.
pub(super) async fn csv(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let query = query(&mut asked);
    let read = move |window| {
        let (app, who, query) = (app.clone(), visitor.principal.clone(), query.clone());
        async move { app::finding::list(&app, &who, &query, window).await }
    };
    Ok(asked.file(&SHEET, asked.window(&SORTS), read, |it| it.id)?)
}

fn query(asked: &mut Asked) -> FindingQuery {
    let state = |word: &str| if word == "all" { Some(None) } else { State::known(word).map(Some) };
    FindingQuery {
        state: asked.read("state", "state", state).unwrap_or(Some("open")),
        kind: asked.read("kind", "kind", FindingKind::from_word),
        class: asked.read("class", "class", CiClass::from_word),
        project: asked.read("project", "project", |id| id.parse().ok()),
        text: asked.value("q").to_owned(),
    }
}

fn kind(it: &Kept) -> FindingKind {
    it.found.matter.kind()
}

fn severity(it: &Kept) -> Cell {
    let severity = kind(it).severity();
    Cell::StateAs(super::tint(severity), severity.title())
}

fn answers(who: Option<&str>) -> Cell {
    who.map_or(Cell::StateAs("waiting", "Nobody"), |who| Cell::Text(who.to_owned()))
}

fn cost(it: &Kept) -> Cell {
    it.found.cents.map_or(Cell::Dash("Nothing is paid in vain"), |cents| Cell::Money(Money::from_cents(cents)))
}

static SHEET: Sheet<Kept, 15> = Sheet {
    name: "findings.csv",
    head: [
        "id",
        "code",
        "kind",
        "severity",
        "state",
        "key",
        "name",
        "class",
        "platform",
        "application",
        "detail",
        "cents_per_month",
        "found_at",
        "waived_until",
        "waived_by",
    ],
    line,
};

fn line(it: &Kept) -> [String; 15] {
    let (subject, kind) = (&it.found.subject, kind(it));
    let (until, by) = match &it.state {
        State::Waived(waiver) => (look::iso(&waiver.until), waiver.by.clone()),
        _ => Default::default(),
    };
    [
        it.id.to_string(),
        kind.id().to_owned(),
        kind.word().to_owned(),
        kind.severity().word().to_owned(),
        it.state.word().to_owned(),
        subject.key.clone(),
        subject.name.clone(),
        subject.class.word().to_owned(),
        subject.platform.clone().unwrap_or_default(),
        subject.application.clone().unwrap_or_default(),
        it.found.matter.told(),
        it.found.cents.map_or_else(String::new, |cents| cents.to_string()),
        look::iso(&it.found_at),
        until,
        by,
    ]
}
