//! The list, as a page and as a file.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::deployment::{Filter, Listed, SortBy};
use app::page;
use domain::deployment::DeploymentState;

use crate::list::{Asked, Cell, Column, Empty, Filter as Narrow, Found, Heading, List, Sheet};
use crate::look;
use crate::problem::Problem;
use crate::shell::Section;
use crate::visitor::Visitor;

static LIST: List<Listed> = List {
    path: "/deployments",
    file: "/deployments.csv",
    noun: "deployments",
    finds: "Part of the name",
    filters: &["state", "project", "blueprint"],
    sort: "-created",
    columns: &[
        Column::sorts("name", "Deployment", |it: &Listed| {
            Cell::Noted(it.deployment.name.clone(), it.deployment.title.clone())
        }),
        Column::sorts("state", "State", |it: &Listed| Cell::Reads(it.reads)),
        Column::sorts("created", "Ordered", |it: &Listed| Cell::Time(it.deployment.created_at)),
        Column::sorts("lease", "Lease ends", |it: &Listed| match it.deployment.state.is_over() {
            true => Cell::Nothing("over"),
            false => Cell::Time(it.deployment.lease.until),
        }),
        Column::plain("project", "Project", |it: &Listed| Cell::Text(it.project.clone())),
        Column::plain("owner", "Ordered by", |it: &Listed| Cell::Text(it.owner.clone())),
        Column::plain("price", "A month", |it: &Listed| Cell::Money(it.monthly)).figures(),
        Column::extra("application", "Answers for the application", |it: &Listed| {
            Cell::Text(it.deployment.application.clone())
        }),
        Column::extra("platform", "Answers for the platform", |it: &Listed| Cell::Text(it.deployment.platform.clone())),
        Column::extra("blueprint", "Blueprint", |it: &Listed| {
            Cell::Narrows("blueprint", it.deployment.blueprint.clone())
        }),
    ],
    leads_to: |it| format!("/deployments/{}", it.deployment.id),
    heading: Heading {
        title: "Deployments",
        lede: "What your projects ordered and have now.",
        action: ("/catalog", "Order"),
    },
    empty: Empty {
        icon: "deployments",
        headline: "You have no deployments yet",
        text: "What you order from the catalog stands here, with its machines, its cost and who answers for it.",
        href: "/catalog",
        label: "Open the catalog",
    },
};

const SORTS: [(&str, SortBy); 4] =
    [("name", SortBy::Name), ("state", SortBy::State), ("created", SortBy::Created), ("lease", SortBy::Lease)];

/// The page.
pub(super) async fn index(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let filter = filter(&mut asked);
    let who = &visitor.principal;
    let page::List { part, projects } = app::deployment::list(&app, who, &filter, asked.window(&SORTS)).await?;
    let counted = asked.counted(&part, app::deployment::count(&app, who, &filter)).await?;
    let states = DeploymentState::ALL.iter().map(|state| (state.word(), state.reads(None).label.to_owned()));
    let filters = vec![
        Narrow::words("state", "State", [("", "All that stand".to_owned())].into_iter().chain(states)),
        Narrow::project(projects),
        Narrow::Given { name: "blueprint", label: format!("Blueprint: {}", asked.value("blueprint")) },
    ];
    let shell = visitor.shell("Deployments", Section::Deployments);
    asked.page(shell, Found { list: &LIST, part, counted, filters, id: |it| it.deployment.id.0, now: app.clock.now() })
}

/// The file.
pub(super) async fn csv(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let filter = filter(&mut asked);
    let read = move |window| {
        let (app, who, filter) = (app.clone(), visitor.principal.clone(), filter.clone());
        async move { Ok(app::deployment::list(&app, &who, &filter, window).await?.part) }
    };
    Ok(asked.file(&SHEET, asked.window(&SORTS), read, |it| it.deployment.id)?)
}

fn filter(asked: &mut Asked) -> Filter {
    Filter {
        states: asked.read("state", "state", DeploymentState::from_word).into_iter().collect(),
        project: asked.read("project", "project", |id| id.parse().ok()),
        blueprint: asked.read("blueprint", "blueprint", |name| Some(name.to_owned())),
        text: asked.value("q").to_owned(),
    }
}

static SHEET: Sheet<Listed, 11> = Sheet {
    name: "deployments.csv",
    head: [
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
    ],
    line,
};

fn line(row: &Listed) -> [String; 11] {
    let it = &row.deployment;
    [
        it.id.to_string(),
        it.name.clone(),
        it.title.clone(),
        row.reads.word.to_owned(),
        row.project.clone(),
        row.owner.clone(),
        it.platform.clone(),
        it.application.clone(),
        look::iso(&it.created_at),
        look::iso(&it.lease.until),
        format!("{:.2}", row.monthly.euros()),
    ]
}
