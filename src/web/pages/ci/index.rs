//! The list of CIs, as a page and as a file.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::ci::{CiQuery, CiSort};
use domain::ci::{Ci, CiClass, Lifecycle};

use crate::list::{Asked, Cell, Column, Empty, Filter, Found, Heading, List, Sheet};
use crate::look;
use crate::problem::Problem;
use crate::shell::Section;
use crate::visitor::Visitor;

/// Stages of life that the list shows when nobody chose: everything that is not history.
const CURRENT: [Lifecycle; 3] = [Lifecycle::Planned, Lifecycle::Building, Lifecycle::Operational];

static LIST: List<Ci> = List {
    path: "/cmdb",
    file: "/cmdb/export.csv",
    noun: "CIs",
    finds: "Name, address, owner, class, deployment",
    filters: &["class", "life", "ownerless", "platform", "application", "deployment", "project"],
    sort: "name",
    columns: &[
        Column::sorts("name", "Name", |ci: &Ci| Cell::Name(ci.name.clone())),
        Column::plain("class", "Class", |ci: &Ci| Cell::Icon(super::icon(ci.class), ci.class.title())),
        Column::plain("stage", "Stage", |ci: &Ci| Cell::Reads(ci.lifecycle.reads())),
        Column::plain("platform", "Platform", |ci: &Ci| answers("platform", ci.platform.as_deref())),
        Column::plain("application", "Application", |ci: &Ci| answers("application", ci.application.as_deref())),
        Column::sorts("changed", "Changed", |ci: &Ci| Cell::Time(ci.changed_at)),
        Column::extra("created", "Registered", |ci: &Ci| Cell::Time(ci.created_at)),
    ],
    leads_to: |ci| format!("/cmdb/{}", ci.id),
    heading: Heading {
        title: "CMDB",
        lede: "What exists, what runs where, and who answers for it.",
        action: ("/findings", "Findings"),
    },
    empty: Empty {
        icon: "cmdb",
        headline: "Nothing here yet",
        text: "CIs appear with the first order that is built. Order something from the catalog.",
        href: "/catalog",
        label: "Open the catalog",
    },
};

const SORTS: [(&str, CiSort); 2] = [("name", CiSort::Name), ("changed", CiSort::Changed)];
const LIVES: [(&str, &str); 4] =
    [("", "Current"), ("building", "Building"), ("retired", "Retired"), ("all", "All stages of life")];

/// The page.
pub(super) async fn index(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let query = query(&mut asked);
    let window = asked.window(&SORTS);
    let (part, counted) = app::ci::list_counted(&app, &visitor.principal, &query, window).await?;
    let classes = CiClass::ALL.iter().map(|class| (class.word(), class.title()));
    let given = |name, title| Filter::Given { name, label: format!("{title}: {}", asked.value(name)) };
    let filters = vec![
        Filter::words("class", "Class", [("", "All classes")].into_iter().chain(classes)),
        Filter::words("life", "Stage of life", LIVES),
        Filter::words("ownerless", "Owner", [("", "Any owner"), ("yes", "Without owner")]),
        Filter::project(visitor.projects.clone()),
        given("platform", "Platform"),
        given("application", "Application"),
        Filter::Given { name: "deployment", label: "Of one deployment".to_owned() },
    ];
    let shell = visitor.shell("CMDB", Section::Cmdb);
    asked.page(shell, Found { list: &LIST, part, counted, filters, id: |ci| ci.id.0, now: app.clock.now() })
}

/// The file.
pub(super) async fn csv(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let query = query(&mut asked);
    let read = move |window| {
        let (app, who, query) = (app.clone(), visitor.principal.clone(), query.clone());
        async move { app::ci::list(&app, &who, &query, window).await }
    };
    Ok(asked.file(&SHEET, asked.window(&SORTS), read, |ci| ci.id)?)
}

fn query(asked: &mut Asked) -> CiQuery {
    let stages = |word: &str| match word {
        "all" => Some(Vec::new()),
        word => Lifecycle::from_word(word).map(|stage| vec![stage]),
    };
    let text = |word: &str| Some(word.to_owned());
    CiQuery {
        but: None,
        class: asked.read("class", "class", CiClass::from_word),
        lifecycles: asked.read("life", "stage of life", stages).unwrap_or_else(|| CURRENT.to_vec()),
        platform: asked.read("platform", "group", text),
        application: asked.read("application", "team", text),
        ownerless: asked.read("ownerless", "choice of owner", |word| (word == "yes").then_some(())).is_some(),
        deployment: asked.read("deployment", "deployment", |id| id.parse().ok()),
        project: asked.read("project", "project", |id| id.parse().ok()),
        words: app::ci::words(asked.value("q")),
    }
}

/// Who answers for a side of a CI.
fn answers(side: &'static str, who: Option<&str>) -> Cell {
    who.map_or(Cell::StateAs("waiting", "Nobody"), |who| Cell::Narrows(side, who.to_owned()))
}

static SHEET: Sheet<Ci, 8> = Sheet {
    name: "cmdb.csv",
    head: ["id", "name", "class", "lifecycle", "platform", "application", "deployment", "changed_at"],
    line,
};

fn line(ci: &Ci) -> [String; 8] {
    [
        ci.id.to_string(),
        ci.name.clone(),
        ci.class.word().to_owned(),
        ci.lifecycle.word().to_owned(),
        ci.platform.clone().unwrap_or_default(),
        ci.application.clone().unwrap_or_default(),
        ci.deployment.map_or_else(String::new, |deployment| deployment.to_string()),
        look::iso(&ci.changed_at),
    ]
}
