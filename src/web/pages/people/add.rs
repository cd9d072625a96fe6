//! Giving somebody an account.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use app::App;
use app::person::NewPerson;
use askama::Template;
use domain::person::{Grant, Role};
use domain::trouble::{FieldError, Kind, Trouble};
use serde::Deserialize;

use super::{offered, roles};
use crate::csrf::Form;
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "people/new.html")]
struct New {
    shell: Shell,
    roles: Vec<(String, String)>,
    places: Vec<(String, String)>,
    typed: Typed,
    errors: Vec<FieldError>,
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

impl New {
    fn error(&self, field: &str) -> &str {
        problem::message_at(&self.errors, field)
    }
}

/// The form.
pub(super) async fn show(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    shown(&app, &visitor, Typed::default(), Vec::new(), StatusCode::OK).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    typed: Typed,
    errors: Vec<FieldError>,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let places = app::person::places(app, &visitor.principal).await?;
    let shell = visitor.shell("Add a person", Section::People);
    Ok(page(status, &New { shell, roles: roles(), places: offered(&places), typed, errors }))
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
