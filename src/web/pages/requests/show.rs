//! One request: what, why, who was asked, what happened; and taking it back. Until it is over, its page follows it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::idempotency::Sent;
use app::request::Page;
use askama::Template;
use chrono::{DateTime, Utc};
use domain::ids::RequestId;
use domain::mail::MailState;
use domain::request::{RequestKind, RequestState, number};
use domain::trouble::Trouble;

use super::words::{self, Event};
use crate::csrf::{AnyFields, Form};
use crate::drawing::Drawing;
use crate::follow::Followed;
use crate::pages::{plan, see_other};
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "requests/show.html")]
struct Show {
    shell: Shell,
    number: String,
    part: Followed,
    /// Where the part is had alone.
    address: String,
}

#[derive(Template)]
#[template(path = "requests/part.html")]
struct Part {
    csrf: String,
    now: DateTime<Utc>,
    number: String,
    it: Page,
    standing: String,
    asked: Vec<Answered>,
    drawing: Option<Drawing>,
    events: Vec<Event>,
    can_change: bool,
    can_withdraw: bool,
}

/// Somebody who was asked, and what became of it.
struct Answered {
    name: String,
    asked_as: String,
    level: i32,
    state: &'static str,
    words: String,
    /// What the mail server said, when it would not take the question's mail.
    mail_trouble: String,
}

/// The page.
pub(super) async fn show(app: Data<App>, visitor: Visitor, id: Path<RequestId>) -> Result<HttpResponse, Problem> {
    let it = app::request::show(&app, &visitor.principal, *id).await?;
    let number = number(it.request.number);
    let shell = visitor.shell(format!("{number} {}", it.request.title), Section::Requests);
    let show = Show { shell, number, address: format!("/requests/{id}/part"), part: drawn(&app, &visitor, it)? };
    Ok(page(StatusCode::OK, &show))
}

/// What of the page is asked for again until the request is over.
pub(super) async fn part(
    app: Data<App>,
    visitor: Visitor,
    id: Path<RequestId>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let it = app::request::show(&app, &visitor.principal, *id).await?;
    Ok(drawn(&app, &visitor, it)?.answer(&request))
}

fn drawn(app: &App, visitor: &Visitor, it: Page) -> Result<Followed, Trouble> {
    let goes_on = !it.request.state.is_over();
    let is_open = it.is_own && it.request.state == RequestState::AwaitingApproval;
    let part = Part {
        csrf: visitor.csrf.clone(),
        now: app.clock.now(),
        number: number(it.request.number),
        standing: words::standing(&it),
        asked: it.asked.iter().map(answered).collect(),
        drawing: it.request.plan.as_ref().map(plan::drawing),
        events: it.history.iter().map(words::event).collect(),
        can_change: is_open && it.request.kind == RequestKind::Provision,
        can_withdraw: is_open,
        it,
    };
    Followed::of(&part, goes_on)
}

fn answered(asking: &app::request::Asking) -> Answered {
    let refused = asking.mail.as_ref().filter(|mail| mail.state == MailState::Refused);
    Answered {
        name: asking.approver.name.clone(),
        asked_as: asking.approval.asked_as.clone(),
        level: asking.approval.level,
        state: asking.approval.state.word(),
        words: words::answer(asking),
        mail_trouble: refused.and_then(|mail| mail.answer.clone()).unwrap_or_default(),
    }
}

/// Takes the request back.
pub(super) async fn withdraw(
    app: Data<App>,
    visitor: Visitor,
    id: Path<RequestId>,
    _form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    app::request::withdraw(&app, &visitor.principal, *id, &Sent::PORTAL).await?;
    let mut response = see_other(&format!("/requests/{id}"));
    response.add_cookie(&flash_cookie(&app, "The request is taken back. Its links are void.")).map_err(Trouble::bug)?;
    Ok(response)
}
