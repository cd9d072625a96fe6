//! Operations: what needs a person, with the buttons that fit; what goes on, who carries it, what waits.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use app::App;
use app::idempotency::Sent;
use app::operations::{Overview, Provider};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::ids::RunId;
use domain::mail::MailState;
use domain::run::{RunKind, RunState};
use domain::site::provider_in_words;
use domain::trouble::{FieldError, Kind, Trouble};

use super::runs::{Typed, run_id, told, wish};
use super::see_other;
use crate::csrf::Form;
use crate::look;
use crate::pages::trend::Charts;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{FormOn, Visitor, flash_cookie};

/// The routes of the page.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/operations").route(get().to(index)))
        .service(resource("/operations/runs/{run}").app_data(FormOn("/operations")).route(post().to(mend)));
}

/// A form that was refused: of which run, what was typed, what is wrong.
#[derive(Default)]
struct Refused {
    run: Option<RunId>,
    typed: Typed,
    errors: Vec<FieldError>,
}

#[derive(Template)]
#[template(path = "operations/index.html")]
struct Index {
    shell: Shell,
    it: Overview,
    charts: Charts,
    refused: Refused,
}

impl Index {
    /// Whether this form of this run was refused, and stays open with what was typed.
    fn is_refused(&self, run: &RunId, act: &str) -> bool {
        self.refused.run.as_ref() == Some(run) && self.refused.typed.act == act
    }

    /// What was typed as the reason into a form that was refused.
    fn reason(&self, run: &RunId, act: &str) -> &str {
        if self.is_refused(run, act) { &self.refused.typed.reason } else { "" }
    }

    /// The sentence at a field of a form that was refused.
    fn error(&self, run: &RunId, act: &str, field: &str) -> &str {
        if self.is_refused(run, act) { problem::message_at(&self.refused.errors, field) } else { "" }
    }
}

/// Since when the oldest waits, as the note of a figure.
fn oldest(since: &Option<DateTime<Utc>>, now: &DateTime<Utc>) -> String {
    since.as_ref().map(|since| format!("oldest {}", look::ago(since, now))).unwrap_or_default()
}

fn mail_note(state: &MailState, it: &Overview) -> String {
    if *state == MailState::Queued { oldest(&it.oldest_mail, &it.now) } else { String::new() }
}

/// How many mails no mail server took.
fn refused_mails(it: &Overview) -> String {
    let refused = it.mails.iter().find(|(state, _)| *state == MailState::Refused);
    match refused.map_or(0, |(_, number)| *number) {
        0 | 1 => "No mail server took a mail".to_owned(),
        number => format!("No mail server took {number} mails"),
    }
}

/// A provider's name as people write it.
fn provider_name(name: &str) -> String {
    if name == "cmdb" { name.to_uppercase() } else { look::words(provider_in_words(name)) }
}

/// How many calls a provider gets, of how many.
fn calls(provider: &Provider) -> String {
    match provider.shared {
        true => format!("{} of {}", provider.calls, provider.places),
        false => format!("{} of {} a worker", provider.calls, provider.places),
    }
}

/// How many steps wait for a place, and for how long the first of them has.
fn in_line(provider: &Provider, now: &DateTime<Utc>) -> String {
    let Some(since) = &provider.in_line_since else { return String::new() };
    format!("{}, the first for {}", provider.in_line, look::took((*now - *since).num_seconds().max(0)))
}

/// How many files of the catalog were refused, and which.
fn refusals(files: &[String]) -> String {
    let number = match files.len() {
        1 => "One blueprint file was refused".to_owned(),
        many => format!("{many} blueprint files were refused"),
    };
    format!("{number}: {}", files.join(", "))
}

async fn index(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    answer(&app, &visitor, StatusCode::OK, Refused::default()).await
}

async fn answer(app: &App, visitor: &Visitor, status: StatusCode, refused: Refused) -> Result<HttpResponse, Problem> {
    let it = app::operations::overview(app, &visitor.principal).await?;
    let charts = Charts::of(&app::trend::lately(app, &visitor.principal).await?);
    Ok(page(status, &Index { shell: visitor.shell("Operations", Section::Operations), it, charts, refused }))
}

/// Mends a run from the list and comes back to it; a form that does not fit is shown again with what was typed.
async fn mend(app: Data<App>, visitor: Visitor, id: Path<String>, form: Form<Typed>) -> Result<HttpResponse, Problem> {
    let (run, typed) = (run_id(&id)?, form.fields);
    let done = match wish(&typed) {
        Ok(wish) => app::run::mend(&app, &visitor.principal, run, wish, &typed.reason, &Sent::PORTAL).await,
        Err(trouble) => Err(trouble),
    };
    match done {
        Ok(()) => {
            let mut response = see_other("/operations");
            response.add_cookie(&flash_cookie(&app, told(&typed.act))).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) if trouble.kind == Kind::Invalid => {
            let (status, errors) = (problem::status(trouble.kind), trouble.fields);
            answer(&app, &visitor, status, Refused { run: Some(run), typed, errors }).await
        }
        Err(trouble) => Err(Problem(trouble)),
    }
}
