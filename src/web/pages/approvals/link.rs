//! The page behind a mail's link: no sign-in, no scripts, no Referer. Looking decides nothing; the form does.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::approval::{Decider, Disputed};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::ids::ApprovalId;
use domain::request::number;
use domain::trouble::{Kind, Trouble};

use super::view::QuestionView;
use super::{AnswerForm, client, first_message};
use crate::csrf::{AnyFields, OpenForm, proof_of};
use crate::pages::mail_link::{move_out_of_address, token, without_referer};
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Shell, page};
use crate::visitor::Guest;

/// The routes of links in mails.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/decide/question/{approval}").route(get().to(show)).route(post().to(decide)))
        .service(resource("/decide/disputed/{approval}").route(get().to(ask_dispute)).route(post().to(dispute)))
        .service(resource("/decide/not-me/{token}").route(get().to(open_dispute)))
        .service(resource("/decide/{token}").route(get().to(open)));
}

#[derive(Template)]
#[template(path = "approvals/decide.html")]
struct Decide {
    shell: Shell,
    now: DateTime<Utc>,
    question: QuestionView,
    action: String,
    typed: String,
    error: String,
}

#[derive(Template)]
#[template(path = "approvals/dispute.html")]
struct Dispute {
    shell: Shell,
    number: String,
    title: String,
    decided: String,
    decided_at: Option<DateTime<Utc>>,
    address: String,
    disputed_at: Option<DateTime<Utc>>,
    action: String,
}

async fn open(app: Data<App>, token: Path<String>) -> Result<HttpResponse, Problem> {
    let question = app::approval::look(&app, &token).await?;
    move_out_of_address(&app, &format!("/decide/question/{}", question.approval.id), &token)
}

async fn open_dispute(app: Data<App>, token: Path<String>) -> Result<HttpResponse, Problem> {
    let disputed = app::approval::disputed(&app, &token).await?;
    move_out_of_address(&app, &format!("/decide/disputed/{}", disputed.approval.id), &token)
}

async fn show(
    app: Data<App>,
    guest: Guest,
    request: HttpRequest,
    id: Path<ApprovalId>,
) -> Result<HttpResponse, Problem> {
    shown(&app, &guest, &token(&request)?, *id, String::new(), String::new(), StatusCode::OK).await
}

async fn shown(
    app: &App,
    guest: &Guest,
    token: &str,
    id: ApprovalId,
    typed: String,
    error: String,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let question = app::approval::look(app, token).await?;
    if question.approval.id != id {
        return Err(Trouble::not_found("question").into());
    }
    let who = guest.visitor.as_ref().map(|visitor| &visitor.principal);
    let question = QuestionView::of(question, who, false);
    let shell = Shell { csrf: proof_of(token), ..guest.bare_shell(question.headline.clone()) };
    let action = format!("/decide/question/{id}");
    Ok(without_referer(page(status, &Decide { shell, now: app.clock.now(), question, action, typed, error })))
}

async fn decide(
    app: Data<App>,
    guest: Guest,
    request: HttpRequest,
    id: Path<ApprovalId>,
    form: OpenForm<AnswerForm>,
) -> Result<HttpResponse, Problem> {
    let token = token(&request)?;
    form.must_come_from_holder_of(&token)?;
    let question = app::approval::look(&app, &token).await?;
    if question.approval.id != *id {
        return Err(Trouble::not_found("question").into());
    }
    let decided = match form.fields.answer() {
        Ok(answer) => {
            let reason = &form.fields.reason;
            app::approval::decide(&app, Decider::Link(&token), answer, reason, client(&request)).await
        }
        Err(trouble) => Err(trouble),
    };
    match decided {
        Ok(_) => Ok(without_referer(see_other(&format!("/decide/question/{id}")))),
        Err(trouble) if trouble.kind == Kind::Invalid => {
            let (error, status) = (first_message(&trouble), problem::status(trouble.kind));
            shown(&app, &guest, &token, *id, form.fields.reason, error, status).await
        }
        // Somebody was faster: the same page says who decided and when.
        Err(trouble) if trouble.kind == Kind::Gone => {
            shown(&app, &guest, &token, *id, String::new(), String::new(), StatusCode::GONE).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn ask_dispute(
    app: Data<App>,
    guest: Guest,
    request: HttpRequest,
    id: Path<ApprovalId>,
) -> Result<HttpResponse, Problem> {
    let token = token(&request)?;
    let disputed = app::approval::disputed(&app, &token).await?;
    dispute_page(&guest, &token, disputed, *id)
}

async fn dispute(
    app: Data<App>,
    guest: Guest,
    request: HttpRequest,
    id: Path<ApprovalId>,
    form: OpenForm<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let token = token(&request)?;
    form.must_come_from_holder_of(&token)?;
    let disputed = app::approval::dispute(&app, &token, client(&request)).await?;
    dispute_page(&guest, &token, disputed, *id)
}

fn dispute_page(guest: &Guest, token: &str, disputed: Disputed, id: ApprovalId) -> Result<HttpResponse, Problem> {
    let Disputed { approval, request, .. } = disputed;
    if approval.id != id {
        return Err(Trouble::not_found("decision").into());
    }
    let view = Dispute {
        shell: Shell { csrf: proof_of(token), ..guest.bare_shell("This was not me") },
        number: number(request.number),
        title: request.title,
        decided: approval.state.word().to_owned(),
        decided_at: approval.decision.as_ref().map(|decision| decision.at),
        address: approval.decision.map(|decision| decision.client.address).unwrap_or_default(),
        disputed_at: approval.disputed_at,
        action: format!("/decide/disputed/{id}"),
    };
    Ok(without_referer(page(StatusCode::OK, &view)))
}
