//! The page behind a mail's link to a task: no sign-in, no scripts, no Referer. Looking answers nothing; the form does.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::task::{Details, Doer};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::ids::TaskId;
use domain::trouble::Trouble;

use super::{TaskView, Typed, refused};
use crate::csrf::{AnyFields, OpenForm, proof_of, typed_in};
use crate::pages::approvals::client;
use crate::pages::mail_link::{move_out_of_address, token, without_referer};
use crate::pages::see_other;
use crate::problem::Problem;
use crate::shell::{Shell, page};
use crate::visitor::Guest;

/// The routes of links in mails.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/decide/task/{task}").route(get().to(show)).route(post().to(answer)))
        .service(resource("/decide/to-do/{token}").route(get().to(open)));
}

#[derive(Template)]
#[template(path = "tasks/link.html")]
struct Linked {
    shell: Shell,
    now: DateTime<Utc>,
    view: TaskView,
}

async fn open(app: Data<App>, token: Path<String>) -> Result<HttpResponse, Problem> {
    let details = app::task::look(&app, &token).await?;
    move_out_of_address(&app, &page_of(details.task.id), &token)
}

fn page_of(id: TaskId) -> String {
    format!("/decide/task/{id}")
}

/// The task of this page, if the link is to it.
async fn look(app: &App, token: &str, id: TaskId) -> Result<Details, Trouble> {
    let it = app::task::look(app, token).await?;
    if it.task.id == id { Ok(it) } else { Err(Trouble::not_found("task")) }
}

async fn show(app: Data<App>, guest: Guest, request: HttpRequest, id: Path<TaskId>) -> Result<HttpResponse, Problem> {
    shown(&app, &guest, &token(&request)?, *id, Typed::default(), StatusCode::OK).await
}

async fn shown(
    app: &App,
    guest: &Guest,
    token: &str,
    id: TaskId,
    typed: Typed,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let it = look(app, token, id).await?;
    let shell = Shell { csrf: proof_of(token), ..guest.bare_shell(it.task.title.clone()) };
    let scope = guest.visitor.as_ref().map(|visitor| visitor.principal.scope());
    let may_see_run = scope.is_some_and(|scope| scope.covers(it.task.project));
    let view = TaskView::of(it, typed, page_of(id), may_see_run);
    Ok(without_referer(page(status, &Linked { shell, now: app.clock.now(), view })))
}

async fn answer(
    app: Data<App>,
    guest: Guest,
    request: HttpRequest,
    id: Path<TaskId>,
    form: OpenForm<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let token = token(&request)?;
    form.must_come_from_holder_of(&token)?;
    let values = look(&app, &token, *id).await?.read_form(|name| typed_in(&form.pairs, name));
    match app::task::answer(&app, Doer::Link(&token), &values, client(&request)).await {
        Ok(_) => Ok(without_referer(see_other(&page_of(*id)))),
        Err(trouble) => {
            let (typed, status) = refused(form.pairs, trouble)?;
            shown(&app, &guest, &token, *id, typed, status).await
        }
    }
}
