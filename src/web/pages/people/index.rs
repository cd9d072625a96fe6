//! The list, as a page and as a file.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::person::{Filter, Listed, SortBy};
use domain::person::Role;

use super::roles;
use crate::list::{Asked, Cell, Column, Empty, Filter as Narrow, Found, Heading, List, Sheet};
use crate::look;
use crate::problem::Problem;
use crate::shell::Section;
use crate::visitor::Visitor;

static LIST: List<Listed> = List {
    path: "/people",
    file: "/people.csv",
    noun: "accounts",
    finds: "Part of the name or email",
    filters: &["role", "access"],
    sort: "name",
    columns: &[
        Column::sorts("name", "Name", |it: &Listed| Cell::Text(it.person.name.clone())),
        Column::sorts("email", "Email", |it: &Listed| Cell::Text(it.person.email.clone())),
        Column::plain("roles", "Roles", |it: &Listed| some(it.roles.join(", "))),
        Column::plain("groups", "Groups", |it: &Listed| some(groups(it))),
        Column::plain("access", "May come in", |it: &Listed| match it.person.active {
            true => Cell::StateAs("done", "Yes"),
            false => Cell::StateAs("failed", "No"),
        }),
        Column::sorts("since", "Since", |it: &Listed| Cell::Time(it.person.created_at)),
    ],
    leads_to: |it| format!("/people/{}", it.person.id),
    heading: Heading {
        title: "People",
        lede: "Who has an account, and what each may do.",
        action: ("/people/new", "Add a person"),
    },
    empty: Empty {
        icon: "people",
        headline: "Nobody has an account yet",
        text: "Whoever is added here signs in with an email address and a password.",
        href: "/people/new",
        label: "Add a person",
    },
};

const SORTS: [(&str, SortBy); 3] = [("name", SortBy::Name), ("email", SortBy::Email), ("since", SortBy::Created)];
const ACCESS: [(&str, &str); 3] = [("", "Any access"), ("yes", "May come in"), ("no", "May not come in")];

/// The page.
pub(super) async fn index(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let filter = filter(&mut asked);
    let who = &visitor.principal;
    let part = app::person::list(&app, who, &filter, asked.window(&SORTS)).await?;
    let counted = asked.counted(&part, app::person::count(&app, who, &filter)).await?;
    let any = std::iter::once((String::new(), "Any role".to_owned()));
    let filters = vec![
        Narrow::Choice { name: "role", label: "Role", options: any.chain(roles()).collect() },
        Narrow::words("access", "Access", ACCESS),
    ];
    let shell = visitor.shell("People", Section::People);
    asked.page(shell, Found { list: &LIST, part, counted, filters, id: |it| it.person.id.0, now: app.clock.now() })
}

/// The file.
pub(super) async fn csv(app: Data<App>, visitor: Visitor, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let mut asked = LIST.asked(&request);
    let filter = filter(&mut asked);
    // A file that is under way can't be refused any more.
    app::person::count(&app, &visitor.principal, &filter).await?;
    let read = move |window| {
        let (app, who, filter) = (app.clone(), visitor.principal.clone(), filter.clone());
        async move { app::person::list(&app, &who, &filter, window).await }
    };
    Ok(asked.file(&SHEET, asked.window(&SORTS), read, |it| it.person.id)?)
}

fn filter(asked: &mut Asked) -> Filter {
    Filter {
        text: asked.value("q").to_owned(),
        role: asked.read("role", "role", Role::from_word),
        active: asked.read("access", "choice of access", |word| match word {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }),
    }
}

fn some(text: String) -> Cell {
    if text.is_empty() { Cell::Nothing("none") } else { Cell::Text(text) }
}

fn groups(it: &Listed) -> String {
    it.groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

static SHEET: Sheet<Listed, 7> =
    Sheet { name: "people.csv", head: ["id", "name", "email", "roles", "groups", "may_come_in", "since"], line };

fn line(it: &Listed) -> [String; 7] {
    [
        it.person.id.to_string(),
        it.person.name.clone(),
        it.person.email.clone(),
        it.roles.join(", "),
        groups(it),
        (if it.person.active { "yes" } else { "no" }).to_owned(),
        look::iso(&it.person.created_at),
    ]
}
