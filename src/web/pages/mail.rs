//! The mail outbox: in the demo everybody's mailbox, elsewhere how each mail fared.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path, Query, ServiceConfig, get, post, resource};
use app::App;
use askama::Template;
use chrono::{DateTime, Utc};
use domain::ids::MailId;
use domain::mail::{Mail, MailState};
use domain::trouble::Trouble;
use serde::Deserialize;

use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::{FormOn, Visitor, flash_cookie};

/// The routes of the outbox.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/operations/mail").route(get().to(index)))
        .service(resource("/operations/mail/{mail}").route(get().to(show)))
        .service(resource("/operations/mail/{mail}/page").route(get().to(html)))
        .service(
            resource("/operations/mail/{mail}/again")
                .app_data(FormOn("/operations/mail/{mail}"))
                .route(post().to(send_again)),
        );
}

#[derive(Template)]
#[template(path = "mail/index.html")]
struct Outbox {
    shell: Shell,
    now: DateTime<Utc>,
    mails: Vec<Mail>,
    chosen: Option<Mail>,
    /// The addresses of ours that the chosen mail leads to.
    links: Vec<String>,
    /// Where older mails are listed; empty when these are the last.
    older: String,
}

#[derive(Deserialize)]
struct Wanted {
    before: Option<MailId>,
}

async fn index(app: Data<App>, visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    outbox(&app, &visitor, wanted.before, None).await
}

async fn show(app: Data<App>, visitor: Visitor, id: Path<MailId>) -> Result<HttpResponse, Problem> {
    let mail = app::mail::show(&app, &visitor.principal, *id).await?;
    outbox(&app, &visitor, None, Some(mail)).await
}

async fn outbox(
    app: &App,
    visitor: &Visitor,
    before: Option<MailId>,
    chosen: Option<Mail>,
) -> Result<HttpResponse, Problem> {
    let mails = app::mail::list(app, &visitor.principal, before).await?;
    let older = mails.last().map_or_else(String::new, |last| format!("/operations/mail?before={}", last.id));
    let links = chosen.as_ref().map_or_else(Vec::new, |mail| links_of(&mail.text, &app.base_url));
    let shell = visitor.shell("Mail", Section::Operations);
    Ok(page(StatusCode::OK, &Outbox { shell, now: app.clock.now(), mails, chosen, links, older }))
}

/// The mail as its receiver's mail program shows it: a document of its own that may run, load and send nothing.
async fn html(app: Data<App>, visitor: Visitor, id: Path<MailId>) -> Result<HttpResponse, Problem> {
    let mail = app::mail::show(&app, &visitor.principal, *id).await?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; \
                  sandbox allow-top-navigation-by-user-activation";
    Ok(HttpResponse::Ok()
        .content_type(header::ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_FRAME_OPTIONS, "SAMEORIGIN"))
        .body(format!("<base target=\"_top\">{}", mail.html)))
}

async fn send_again(
    app: Data<App>,
    visitor: Visitor,
    id: Path<MailId>,
    _form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    app::mail::send_again(&app, &visitor.principal, *id).await?;
    let mut response = see_other(&format!("/operations/mail/{id}"));
    response.add_cookie(&flash_cookie(&app, "The mail is in the queue again.")).map_err(Trouble::bug)?;
    Ok(response)
}

/// The addresses in a text that lead to this portal, each once.
fn links_of(text: &str, base_url: &str) -> Vec<String> {
    let ours = format!("{base_url}/");
    let mut links: Vec<String> = Vec::new();
    for word in text.split_whitespace().filter(|word| word.starts_with(&ours)) {
        if !links.iter().any(|link| link == word) {
            links.push(word.to_owned());
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::links_of;

    #[test]
    fn only_our_own_addresses_become_links_and_each_once() {
        let text =
            "Decide: http://gate:8080/decide/abc\nor http://gate:8080/decide/abc or http://gate:80801/x https://evil";
        assert_eq!(links_of(text, "http://gate:8080"), ["http://gate:8080/decide/abc"]);
    }
}
