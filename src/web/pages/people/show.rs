//! One person: roles, groups, password, and whether he may come in.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use app::App;
use app::person::{Change, Entry};
use askama::Template;
use domain::ids::PersonId;
use domain::person::{Grant, Role};
use domain::trouble::{Kind, Trouble};
use serde::Deserialize;

use super::{offered, place_word, roles};
use crate::csrf::Form;
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "people/show.html")]
struct Show {
    shell: Shell,
    entry: Entry,
    held: Vec<Held>,
    roles: Vec<(String, String)>,
    places: Vec<(String, String)>,
    people: Vec<(String, String)>,
    manager: String,
    error: String,
}

/// A role that is held, with the words that take it back.
struct Held {
    words: String,
    role: &'static str,
    place: String,
}

/// What an administrator sends: the change, and its value.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    change: String,
    role: String,
    place: String,
    value: String,
}

/// The page.
pub(super) async fn show(app: Data<App>, visitor: Visitor, id: Path<PersonId>) -> Result<HttpResponse, Problem> {
    shown(&app, &visitor, *id, String::new(), StatusCode::OK).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    id: PersonId,
    error: String,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let directory = app::person::directory(app, &visitor.principal).await?;
    let entry = directory.people.iter().find(|entry| entry.person.id == id).cloned();
    let entry = entry.ok_or_else(|| Trouble::not_found("person"))?;
    let held = |grant: &Grant| Held {
        words: directory.places.in_words(grant),
        role: grant.role.word(),
        place: place_word(grant.place, &directory.places),
    };
    let others = directory.people.iter().filter(|other| other.person.id != id);
    let named = others.map(|other| (other.person.id.to_string(), other.person.name.clone()));
    let view = Show {
        shell: visitor.shell(entry.person.name.clone(), Section::People),
        held: entry.grants.iter().map(held).collect(),
        roles: roles(),
        places: offered(&directory.places),
        people: std::iter::once((String::new(), "Nobody".to_owned())).chain(named).collect(),
        manager: entry.person.manager.map(|manager| manager.to_string()).unwrap_or_default(),
        entry,
        error,
    };
    Ok(page(status, &view))
}

/// Changes the account.
pub(super) async fn change(
    app: Data<App>,
    visitor: Visitor,
    id: Path<PersonId>,
    form: Form<Asked>,
) -> Result<HttpResponse, Problem> {
    let changed = match wanted(&app, form.fields).await {
        Ok(change) => app::person::change(&app, &visitor.principal, *id, change).await,
        Err(trouble) => Err(trouble),
    };
    match changed {
        Ok(()) => {
            let mut response = see_other(&format!("/people/{id}"));
            response.add_cookie(&flash_cookie(&app, "The account is changed.")).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) if matches!(trouble.kind, Kind::Invalid | Kind::Conflict) => {
            let error = trouble.fields.first().map_or(trouble.what.clone(), |field| field.message.clone());
            shown(&app, &visitor, *id, error, problem::status(trouble.kind)).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn wanted(app: &App, asked: Asked) -> Result<Change, Trouble> {
    let value = asked.value.trim().to_owned();
    Ok(match asked.change.as_str() {
        "enable" => Change::Enable,
        "disable" => Change::Disable,
        "password" => Change::Password(asked.value),
        "grant" => Change::Grant(grant(app, &asked).await?),
        "revoke" => Change::Revoke(grant(app, &asked).await?),
        "join" if !value.is_empty() => Change::Join(value),
        "leave" => Change::Leave(value),
        "manager" => Change::Manager(value.parse().ok()),
        _ => return Err(Trouble::field("change", "Say what is to be changed.")),
    })
}

async fn grant(app: &App, asked: &Asked) -> Result<Grant, Trouble> {
    let role = Role::from_word(&asked.role).ok_or_else(|| Trouble::field("role", "Choose a role."))?;
    Ok(Grant { role, place: app::person::place(app, &asked.place).await? })
}
