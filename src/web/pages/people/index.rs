//! The list of people, and giving somebody an account.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use app::App;
use app::person::{Directory, Entry, NewPerson};
use askama::Template;
use domain::person::{Grant, Place, Role};
use domain::trouble::{FieldError, Kind, Trouble};
use serde::Deserialize;

use crate::csrf::Form;
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "people/index.html")]
struct Index {
    shell: Shell,
    rows: Vec<Row>,
    roles: Vec<(String, String)>,
    places: Vec<(String, String)>,
    typed: Typed,
    errors: Vec<FieldError>,
}

/// A person in the list.
struct Row {
    id: String,
    name: String,
    email: String,
    roles: String,
    groups: String,
    active: bool,
}

/// The form for a new account as it was typed; the password is never shown again.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    name: String,
    email: String,
    password: String,
    role: String,
    place: String,
}

impl Index {
    fn error(&self, field: &str) -> &str {
        self.errors.iter().find(|error| error.field == field).map_or("", |error| &error.message)
    }
}

/// The page.
pub(super) async fn index(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    shown(&app, &visitor, Typed::default(), Vec::new(), StatusCode::OK).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    typed: Typed,
    errors: Vec<FieldError>,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let directory = app::person::directory(app, &visitor.principal).await?;
    let view = Index {
        shell: visitor.shell("People", Section::People),
        rows: directory.people.iter().map(|entry| row(entry, &directory)).collect(),
        roles: roles(),
        places: places(&directory),
        typed,
        errors,
    };
    Ok(page(status, &view))
}

fn row(entry: &Entry, directory: &Directory) -> Row {
    let roles: Vec<String> = entry.grants.iter().map(|grant| held(grant, directory)).collect();
    Row {
        id: entry.person.id.to_string(),
        name: entry.person.name.clone(),
        email: entry.person.email.clone(),
        roles: roles.join(", "),
        groups: entry.groups.iter().cloned().collect::<Vec<_>>().join(", "),
        active: entry.person.active,
    }
}

/// A role and where it is held, in words: `requester in Northwind`.
pub(super) fn held(grant: &Grant, directory: &Directory) -> String {
    format!("{} {}", grant.role.word(), where_held(grant.place, directory))
}

fn where_held(place: Place, directory: &Directory) -> String {
    match place {
        Place::Everywhere => "everywhere".to_owned(),
        Place::Organisation(id) => {
            let found = directory.organisations.iter().find(|organisation| organisation.id == id);
            found.map_or_else(String::new, |organisation| format!("in {}", organisation.title))
        }
        Place::Project(id) => {
            let found = directory.projects.iter().find(|project| project.id == id);
            found.map_or_else(String::new, |project| format!("in {}/{}", project.organisation_name, project.title))
        }
    }
}

/// The word that stands for a place in forms: `everywhere`, `northwind`, `northwind/shop`.
pub(super) fn place_word(place: Place, directory: &Directory) -> String {
    match place {
        Place::Everywhere => "everywhere".to_owned(),
        Place::Organisation(id) => {
            let found = directory.organisations.iter().find(|organisation| organisation.id == id);
            found.map(|organisation| organisation.name.clone()).unwrap_or_default()
        }
        Place::Project(id) => {
            let found = directory.projects.iter().find(|project| project.id == id);
            found.map(|project| format!("{}/{}", project.organisation_name, project.name)).unwrap_or_default()
        }
    }
}

pub(super) fn roles() -> Vec<(String, String)> {
    Role::ALL.iter().map(|role| (role.word().to_owned(), crate::look::words(role.word()))).collect()
}

pub(super) fn places(directory: &Directory) -> Vec<(String, String)> {
    let everywhere = std::iter::once(("everywhere".to_owned(), "Everywhere".to_owned()));
    let organisations = directory.organisations.iter().map(|it| (it.name.clone(), format!("All of {}", it.title)));
    let projects = directory.projects.iter().map(|it| {
        (format!("{}/{}", it.organisation_name, it.name), format!("{} in {}", it.title, it.organisation_name))
    });
    everywhere.chain(organisations).chain(projects).collect()
}

/// Gives somebody an account.
pub(super) async fn add(app: Data<App>, visitor: Visitor, form: Form<Typed>) -> Result<HttpResponse, Problem> {
    let typed = form.fields;
    let added = match new_person(&app, &typed).await {
        Ok(new) => app::person::add(&app, &visitor.principal, new).await,
        Err(trouble) => Err(trouble),
    };
    match added {
        Ok(id) => {
            let mut response = see_other(&format!("/people/{id}"));
            response.add_cookie(&flash_cookie(&app, "The account is open.")).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) if trouble.kind == Kind::Invalid => {
            let typed = Typed { password: String::new(), ..typed };
            shown(&app, &visitor, typed, trouble.fields, problem::status(Kind::Invalid)).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn new_person(app: &App, typed: &Typed) -> Result<NewPerson, Trouble> {
    let role = Role::from_word(&typed.role).ok_or_else(|| Trouble::field("role", "Choose a role."))?;
    let place = app::person::place(app, &typed.place).await?;
    Ok(NewPerson {
        name: typed.name.clone(),
        email: typed.email.clone(),
        password: (!typed.password.is_empty()).then(|| typed.password.clone()),
        grants: vec![Grant { role, place }],
        groups: Vec::new(),
    })
}
