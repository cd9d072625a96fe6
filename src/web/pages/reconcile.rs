//! What reconciles came to: what was looked at and counted, and what the brake holds back until an operator has seen it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use app::App;
use askama::Template;
use chrono::{DateTime, Utc};
use domain::ci::CiClass;
use domain::person::Role;
use domain::reconcile::run::{Run, Summary};
use domain::trouble::{FieldError, Kind, Trouble};
use serde::Deserialize;

use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{FormOn, Visitor, flash_cookie};

/// The way in, as the audit log calls it.
const VIA: &str = "portal";

/// The routes of the page.
pub fn configure(service: &mut ServiceConfig) {
    let form = FormOn("/reconcile");
    service
        .service(resource("/reconcile").route(get().to(show)).route(post().to(run)))
        .service(resource("/reconcile/release").app_data(form).route(post().to(release)));
}

#[derive(Template)]
#[template(path = "reconcile/show.html")]
struct Show {
    shell: Shell,
    runs: Vec<Run>,
    /// What the latest one that came to its end found.
    last: Option<Summary>,
    now: DateTime<Utc>,
    may_operate: bool,
    typed: Typed,
    errors: Vec<FieldError>,
}

/// The form of a release as it was typed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Typed {
    class: String,
    reason: String,
}

impl Show {
    /// What was typed for this class, and what is wrong with it.
    fn reason(&self, class: CiClass) -> (&str, &str) {
        if self.typed.class != class.word() {
            return ("", "");
        }
        (&self.typed.reason, problem::message_at(&self.errors, "reason"))
    }
}

async fn show(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    shown(&app, &visitor, (Typed::default(), Vec::new()), StatusCode::OK).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    (typed, errors): (Typed, Vec<FieldError>),
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let runs = app::reconcile::latest(app, &visitor.principal).await?;
    let view = Show {
        shell: visitor.shell("Reconcile", Section::Cmdb),
        last: runs.iter().find_map(|run| run.outcome.clone()),
        runs,
        now: app.clock.now(),
        may_operate: visitor.principal.has_everywhere(Role::Operator),
        typed,
        errors,
    };
    Ok(page(status, &view))
}

async fn run(app: Data<App>, visitor: Visitor, _form: Form<AnyFields>) -> Result<HttpResponse, Problem> {
    app::reconcile::run(&app, &visitor.principal, VIA).await?;
    back(&app, "Everything is reconciled.")
}

async fn release(app: Data<App>, visitor: Visitor, form: Form<Typed>) -> Result<HttpResponse, Problem> {
    let typed = form.fields;
    let class = CiClass::from_word(&typed.class).ok_or_else(|| Trouble::not_found("class"))?;
    match app::reconcile::release(&app, &visitor.principal, VIA, class, &typed.reason).await {
        Ok(_) => back(&app, "It is let through; the next reconcile makes findings of it."),
        Err(trouble) if trouble.kind == Kind::Invalid => {
            shown(&app, &visitor, (typed, trouble.fields), problem::status(Kind::Invalid)).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

fn back(app: &App, told: &str) -> Result<HttpResponse, Problem> {
    let mut response = see_other("/reconcile");
    response.add_cookie(&flash_cookie(app, told)).map_err(Trouble::bug)?;
    Ok(response)
}
