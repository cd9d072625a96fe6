//! The list, as a page and as a file.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::page;
use app::request::{Filter, Listed, SortBy};
use domain::hold::Hold;
use domain::money::Money;
use domain::person::Principal;
use domain::request::{RequestState, number};

use crate::list::{Asked, Cell, Column, Empty, Filter as Narrow, Found, Heading, List, Sheet};
use crate::look;
use crate::problem::Problem;
use crate::shell::Section;
use crate::visitor::Visitor;

static LIST: List<Listed> = List {
    path: "/requests",
    file: "/requests.csv",
    noun: "requests",
    finds: "Number, title or reason",
    filters: &["whose", "state", "project"],
    sort: "-number",
    columns: &[
        Column::sorts("number", "Request", |it: &Listed| Cell::Text(number(it.request.number))),
        Column::sorts("title", "What", |it: &Listed| Cell::Text(it.request.title.clone())),
        Column::sorts("state", "State", |it: &Listed| Cell::Reads(it.reads())),
        Column::sorts("price", "A month", |it: &Listed| Cell::Money(monthly(it))).figures(),
        Column::plain("project", "Project", |it: &Listed| Cell::Text(it.project.clone())),
        Column::plain("requester", "Asked by", |it: &Listed| Cell::Text(it.requester.clone())),
        Column::plain("waits", "Waits for", |it: &Listed| match (it.waits.for_whom.as_slice(), &it.hold) {
            ([], Some(hold)) => Cell::Text(hold.what()),
            ([], None) => Cell::Nothing("nobody"),
            (people, _) => Cell::Text(people.join(", ")),
        }),
        Column::plain("since", "Waits since", |it: &Listed| {
            let since = it.waits.since.or_else(|| it.hold.as_ref()?.since());
            since.map_or(Cell::Dash("does not wait"), Cell::Time)
        }),
        Column::extra("submitted", "Asked", |it: &Listed| Cell::Time(it.request.submitted_at)),
        Column::extra("decided", "Decided", |it: &Listed| {
            it.request.decided_at.map_or(Cell::Nothing("not yet"), Cell::Time)
        }),
        Column::extra("reason", "Reason", |it: &Listed| Cell::Text(it.request.reason.clone())),
    ],
    leads_to: |it| format!("/requests/{}", it.request.id),
    heading: Heading { title: "Requests", lede: "What was ordered, and how it stands.", action: ("/catalog", "Order") },
    empty: Empty {
        icon: "requests",
        headline: "Nothing ordered yet",
        text: "What you order from the catalog stands here, from the first question to the last step.",
        href: "/catalog",
        label: "Open the catalog",
    },
};

const SORTS: [(&str, SortBy); 4] =
    [("number", SortBy::Number), ("title", SortBy::Title), ("state", SortBy::State), ("price", SortBy::Price)];

/// The groups of states that people filter by: the word in the address, its label, and the states.
const GROUPS: [(&str, &str, &[RequestState]); 6] = [
    ("", "In every state", &[]),
    ("waiting", "Awaiting approval", &[RequestState::AwaitingApproval]),
    ("building", "Under way", &[RequestState::Approved, RequestState::Running, RequestState::TakingBack]),
    ("paused", "Paused", &[RequestState::Paused]),
    ("done", "Done", &[RequestState::Fulfilled]),
    (
        "ended",
        "Ended without",
        &[
            RequestState::Rejected,
            RequestState::Withdrawn,
            RequestState::Expired,
            RequestState::Failed,
            RequestState::Cancelled,
        ],
    ),
];
const WHOSE: [(&str, &str); 2] = [("", "My own"), ("all", "Of my projects")];

/// The page.
pub(super) async fn index(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let who = &visitor.principal;
    let filter = filter(&mut asked, who);
    let page::List { part, projects } = app::request::list(&app, who, &filter, asked.window(&SORTS)).await?;
    let counted = asked.counted(&part, app::request::count(&app, who, &filter)).await?;
    let filters = vec![
        Narrow::words("whose", "Whose", WHOSE),
        Narrow::words("state", "State", GROUPS.map(|(word, label, _)| (word, label))),
        Narrow::project(projects),
    ];
    let shell = visitor.shell("Requests", Section::Requests);
    asked.page(shell, Found { list: &LIST, part, counted, filters, id: |it| it.request.id.0, now: app.clock.now() })
}

/// The file.
pub(super) async fn csv(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let filter = filter(&mut asked, &visitor.principal);
    let read = move |window| {
        let (app, who, filter) = (app.clone(), visitor.principal.clone(), filter.clone());
        async move { Ok(app::request::list(&app, &who, &filter, window).await?.part) }
    };
    Ok(asked.file(&SHEET, asked.window(&SORTS), read, |it| it.request.id)?)
}

fn filter(asked: &mut Asked, who: &Principal) -> Filter {
    let group = |word: &str| GROUPS.iter().find(|(known, ..)| *known == word).map(|(.., states)| states.to_vec());
    let of_all = asked.read("whose", "group of requests", |word| (word == "all").then_some(()));
    Filter {
        states: asked.read("state", "state", group).unwrap_or_default(),
        requester: of_all.is_none().then_some(who.person),
        project: asked.read("project", "project", |id| id.parse().ok()),
        text: asked.value("q").to_owned(),
        title: String::new(),
    }
}

fn monthly(row: &Listed) -> Money {
    Money::from_cents(row.request.monthly_cents())
}

static SHEET: Sheet<Listed, 13> = Sheet {
    name: "requests.csv",
    head: [
        "number",
        "what",
        "kind",
        "offering",
        "version",
        "state",
        "held_up",
        "outcome",
        "project",
        "requester",
        "submitted",
        "decided",
        "eur_per_month",
    ],
    line,
};

fn line(row: &Listed) -> [String; 13] {
    let it = &row.request;
    [
        number(it.number),
        it.title.clone(),
        it.kind.word().to_owned(),
        it.blueprint.clone(),
        it.version.clone(),
        it.state.word().to_owned(),
        row.hold.as_ref().map(Hold::told).unwrap_or_default(),
        it.outcome.clone().unwrap_or_default(),
        row.project.clone(),
        row.requester.clone(),
        look::iso(&it.submitted_at),
        it.decided_at.as_ref().map(look::iso).unwrap_or_default(),
        format!("{:.2}", monthly(row).euros()),
    ]
}
